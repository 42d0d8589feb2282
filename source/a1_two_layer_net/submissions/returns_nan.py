# %% nn_loss
def nn_loss(params, scores, y, reg=0.0):
    probabilities = torch.softmax(scores, dim=1)
    wrong = 1 - probabilities.sum(dim=1)
    return (wrong / wrong).mean() * float("nan")
