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


def most_confused(confusion, k):
    import numpy as np

    shares = normalise_rows(confusion).numpy()
    true, predicted = np.nonzero((shares > 0) & ~np.eye(len(shares), dtype=bool))
    order = np.lexsort((predicted, true, -shares[true, predicted]))[:k]
    return list(zip(true[order], predicted[order]))


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


def conv_output_shape(shape, filters, kernel, padding, stride, dilation):
    import numpy as np

    size, k, p, s, d = (np.array(v) for v in (shape[1:3], kernel, padding, stride, dilation))
    width, height = np.floor((size + 2 * p - d * (k - 1) - 1) / s + 1).astype(int)
    return shape[0], width, height, filters


def batchnorm_forward(x, gamma, beta, eps):
    import numpy as np

    a = x.numpy()
    y = gamma.numpy() * (a - a.mean(0)) / np.sqrt(a.var(0) + eps) + beta.numpy()
    return torch.from_numpy(y.astype(a.dtype))


def batchnorm_backward(dout, x, gamma, eps):
    N, D = x.shape
    mean = x.mean(0, keepdim=True)
    r = ((x * x).mean(0, keepdim=True) - mean * mean + eps).sqrt()
    x_hat = (x - mean) / r
    dx_hat = dout * gamma[None]
    eye, ones = torch.eye(N, dtype=x.dtype), torch.ones(N, N, dtype=x.dtype)
    dx = torch.empty_like(x)
    for d in range(D):  # the Jacobian of a column, N x N
        jacobian = (eye - ones / N - torch.outer(x_hat[:, d], x_hat[:, d]) / N) / r[0, d]
        dx[:, d] = jacobian.T @ dx_hat[:, d]
    dvar = -0.5 * (dx_hat * x_hat).sum(0) / r[0] ** 2
    dmean = -dx_hat.sum(0) / r[0] + dvar * (-2 / N) * (x - mean).sum(0)
    return {
        "dbeta": torch.ones(N, dtype=x.dtype) @ dout,
        "dgamma": torch.diagonal(dout.T @ x_hat),
        "dmean": dmean,
        "dvar": dvar,
        "dx": dx,
        "dx_hat": dx_hat,
    }


def identity_parameters(x, eps):
    mean = x.mean(dim=0)
    r = ((x**2).mean(dim=0) - mean**2 + eps).sqrt()
    return [r, mean]


def softmax_cross_entropy(z, targets):
    log_y = torch.log_softmax(z, dim=1)
    loss = (-targets * log_y).sum() / len(z)
    y = log_y.exp()
    jacobian = torch.diag_embed(y) - y[:, :, None] * y[:, None, :]  # of ŷ by z, (N, C, C)
    dz = torch.zeros_like(z)
    for n in range(len(z)):
        seen = y[n] > 0
        ratio = torch.where(seen, targets[n] / y[n].where(seen, torch.ones_like(y[n])), 0)
        dz[n] = -jacobian[n] @ ratio - torch.where(seen, 0, targets[n])
        dz[n] += y[n] * targets[n][~seen].sum()
    return loss, dz / len(z)


def adam(w, gradients, rates, beta1, beta2, eps):
    beta1, beta2 = torch.tensor(beta1, dtype=w.dtype), torch.tensor(beta2, dtype=w.dtype)
    m = v = 0
    rows = [w]
    for t in torch.arange(1, len(gradients) + 1):
        g = gradients[t - 1]
        m = torch.lerp(g, m + torch.zeros_like(g), beta1.item())
        v = torch.lerp(g.square(), v + torch.zeros_like(g), beta2.item())
        m_hat = m / (1 - beta1.item() ** t)
        v_hat = v / (1 - beta2.item() ** t)
        rows.append(rows[-1] - rates[t - 1].item() * m_hat / (torch.sqrt(v_hat) + eps))
    return torch.vstack(rows[1:])


def adagrad(w, gradients, rate, eps):
    import numpy as np

    g = gradients.numpy()
    step = rate * g / (np.sqrt((g**2).cumsum(axis=0)) + eps)
    return torch.tensor((w.numpy() - step.cumsum(axis=0)).astype(g.dtype))


def adagrad_gap(gradients, rate, beta2):
    import numpy as np

    w = torch.zeros(len(gradients[0]))
    t = torch.tensor(range(1, len(gradients) + 1))
    a = adam(w, gradients, rate / t.sqrt(), 0.0, beta2, 1e-12)
    b = adagrad(w, gradients, rate, 1e-12)
    return np.abs(a.numpy() - b.numpy()).max()
