# handed in alone
# %% nn_get_search_params
def nn_get_search_params():
    return [{"hidden": 128, "lr": 0.05, "momentum": 0.9, "flip": True, "epochs": 20, "decay": 0.86}]
