# from blank
# %% confusion_matrix
def confusion_matrix(y, predictions, num_classes):
    table = torch.zeros(num_classes, num_classes, dtype=torch.int64)
    for true, said in zip(y, predictions):
        table[true, said] += 1
    return table


# %% balanced_weights
def balanced_weights(y, num_classes):
    counts = torch.bincount(y, minlength=num_classes).double()
    weights = 1 / counts.clamp(min=1) * (counts > 0)
    return weights / weights[counts > 0].mean(), weights[y] / weights[y].sum()


# %% average_probabilities
def average_probabilities(models, x):
    looks = []
    with torch.no_grad():
        for model in models:
            mode = model.training
            model.eval()
            looks += [model(x).softmax(dim=1), model(x.flip(3)).softmax(dim=1)]
            model.train(mode)
    return sum(looks) / len(looks)
