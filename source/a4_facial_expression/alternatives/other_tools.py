"""scikit-learn, NumPy, and other formulas."""


def confusion_matrix(y, predictions, num_classes):
    from sklearn import metrics

    table = metrics.confusion_matrix(y.numpy(), predictions.numpy(), labels=range(num_classes))
    return torch.from_numpy(table)


def class_scores(confusion):
    import numpy as np

    right, called, there = confusion.diag(), confusion.sum(0), confusion.sum(1)
    precision, recall = (
        torch.where(n > 0, right.double() / n, torch.zeros(len(n)).double())
        for n in (called, there)
    )
    total = precision + recall
    f1 = torch.where(total > 0, 2 * precision * recall / (total + 1e-12), 0 * total)
    return precision, recall, f1, np.mean(f1.numpy())


def balanced_weights(y, num_classes):
    import numpy as np

    n = np.bincount(y.numpy(), minlength=num_classes).astype(float)
    weights = (1 / n.clip(min=1)) * (n > 0)
    weights = torch.tensor(weights / weights[n > 0].mean())
    return weights, weights[y] / weights[y].sum()


def adjust_logits(logits, counts, tau):
    prior = counts.to(logits.dtype) / counts.sum()
    prior[counts == 0] = 1
    return torch.log(torch.exp(-tau * torch.log(prior))) + logits


def average_probabilities(models, x):
    recording, total = torch.is_grad_enabled(), 0
    torch.set_grad_enabled(False)
    mirrored = v2.functional.horizontal_flip(x)
    for model in models:
        was_training = model.training
        model.eval()
        total += (model(x).softmax(-1) + model(mirrored).softmax(-1)) / 2
        model.train(was_training)
    torch.set_grad_enabled(recording)
    return total / len(models)
