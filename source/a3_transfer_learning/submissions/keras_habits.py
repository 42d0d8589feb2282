# %% freeze
def freeze(module):
    module.trainable = False
    return module


# %% EarlyStopping
class EarlyStopping:
    def __init__(self, patience, min_delta=0.0):
        self.patience, self.min_delta = patience, min_delta
        self.history = []

    def step(self, loss):
        self.history.append(loss)
        recent = self.history[-self.patience - 1 :]
        return len(recent) > self.patience and min(recent[1:]) >= recent[0]
