"""scikit-learn, NumPy, and other formulas."""


def confusion_matrix(y, predictions, num_classes):
    from sklearn import metrics

    table = metrics.confusion_matrix(y.numpy(), predictions.numpy(), labels=range(num_classes))
    return torch.from_numpy(table)


def normalise_rows(confusion):
    n = confusion.numpy()
    totals = n.sum(axis=1, keepdims=True)
    return torch.from_numpy(n / (totals + (totals == 0)))


def class_scores(confusion):
    right, called, there = confusion.diag(), confusion.sum(0), confusion.sum(1)
    precision, recall = (
        torch.where(n > 0, right.double() / n, torch.zeros(len(n)).double())
        for n in (called, there)
    )
    total = precision + recall
    f1 = torch.where(total > 0, 2 * precision * recall / (total + 1e-12), 0 * total)
    return precision, recall, f1


def macro_f1(confusion):
    import numpy as np

    return np.mean(class_scores(confusion)[2].numpy())


def inverse_frequency(counts):
    n = counts.numpy().astype(float)
    weights = (1 / n.clip(min=1)) * (n > 0)
    return torch.tensor(weights / weights[n > 0].mean())


def effective_number(counts, beta):
    n = counts.numpy().astype(float)
    worth = (1 - beta**n) / (1 - beta)
    weights = [1 / e if e > 0 else 0.0 for e in worth]
    scale = sum(n > 0) / sum(weights)
    return torch.tensor([scale * w for w in weights], dtype=torch.float64)


def sample_weights(y, num_classes):
    per_class = inverse_frequency(torch.bincount(y, minlength=num_classes))
    weights = per_class[y]
    return weights / weights.sum()


def adjust_logits(logits, counts, tau):
    prior = counts.to(logits.dtype) / counts.sum()
    prior[counts == 0] = 1
    return torch.log(torch.exp(-tau * torch.log(prior))) + logits


def average_probabilities(logits_of_all):
    return sum(logits.softmax(-1) for logits in logits_of_all) / len(logits_of_all)


def flip_probabilities(model, x):
    recording, was_training = torch.is_grad_enabled(), model.training
    torch.set_grad_enabled(False)
    model.eval()
    mirrored = v2.functional.horizontal_flip(x)
    probabilities = average_probabilities([model(x), model(mirrored)])
    model.train(was_training)
    torch.set_grad_enabled(recording)
    return probabilities
