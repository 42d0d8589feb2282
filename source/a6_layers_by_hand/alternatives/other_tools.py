"""scikit-learn, NumPy, and other formulas."""


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


def conv_forward(x, weight, bias, padding, stride):
    """One matrix product in NumPy: all windows as rows."""
    import numpy as np

    sides = (0, 0), (0, 0), (padding, padding), (padding, padding)
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(x.numpy(), sides), weight.shape[2:], axis=(2, 3)
    )[:, :, ::stride, ::stride]
    rows = windows.transpose(0, 2, 3, 1, 4, 5)
    matrix = rows.reshape(-1, weight[0].numel()) @ weight.numpy().reshape(len(weight), -1).T
    y = matrix.reshape(*rows.shape[:3], -1).transpose(0, 3, 1, 2)
    return torch.from_numpy(np.ascontiguousarray(y)) + bias[:, None, None]


def conv_backward(dout, x, weight, padding, stride):
    """Flat indices: each entry of a window knows its pixel, and np.add.at adds up."""
    import numpy as np

    N, C, H, W = x.shape
    k1, k2 = weight.shape[2:]
    height, width = H + 2 * padding, W + 2 * padding
    u, v = np.arange(dout.shape[2]) * stride, np.arange(dout.shape[3]) * stride
    across = (u[:, None] + np.arange(k1)) * width
    pixels = across[:, None, :, None] + (v[:, None] + np.arange(k2))[None, :, None, :]
    padded = np.pad(x.numpy(), ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    windows = padded.reshape(N, C, -1)[:, :, pixels]  # N, C, u, v, i, j
    g = dout.numpy()
    back = np.zeros((N, C, height * width), dtype=g.dtype)
    sent = np.einsum("nfuv,fcij->ncuvij", g, weight.numpy())
    np.add.at(back, (slice(None), slice(None), pixels), sent)
    back = back.reshape(N, C, height, width)[:, :, padding : padding + H, padding : padding + W]
    found = {"dx": back.copy(), "dweight": np.einsum("nfuv,ncuvij->fcij", g, windows)}
    return {k: torch.from_numpy(a) for k, a in (found | {"dbias": g.sum(axis=(0, 2, 3))}).items()}
