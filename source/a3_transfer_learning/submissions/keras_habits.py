# %% freeze
def freeze(module):
    module.trainable = False
    return module


# %% Monitor
class Monitor:
    def __init__(self, model, optimiser, patience, lower_after, factor):
        self.model, self.optimiser = model, optimiser
        self.patience, self.lower_after, self.factor = patience, lower_after, factor
        self.history = []

    def step(self, loss):
        self.history.append(loss)
        if loss <= min(self.history):
            self.weights = self.model.state_dict()
        if self.waits(self.lower_after):
            for group in self.optimiser.param_groups:
                group["lr"] = group["lr"] * self.factor
        return self.waits(self.patience)

    def waits(self, patience):
        recent = self.history[-patience - 1 :]
        return len(recent) > patience and min(recent[1:]) >= recent[0]

    def restore(self):
        self.model.load_state_dict(self.weights)
