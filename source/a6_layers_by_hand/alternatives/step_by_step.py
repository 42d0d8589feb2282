"""Loops, counters and one thing after the other."""


def conv_output_shape(shape, filters, kernel, padding, stride, dilation):
    out = list(shape)
    for axis in range(2):
        count = 0
        begin = 0
        while begin + (kernel[axis] - 1) * dilation[axis] < shape[axis + 1] + 2 * padding[axis]:
            count += 1
            begin += stride[axis]
        out[axis + 1] = count
    out[3] = filters
    return tuple(out)


def batchnorm_forward(x, gamma, beta, eps):
    N, D = x.shape
    y = torch.empty_like(x)
    for d in range(D):
        mean = sum(x[n, d] for n in range(N)) / N
        var = sum((x[n, d] - mean) ** 2 for n in range(N)) / N
        for n in range(N):
            y[n, d] = gamma[d] * (x[n, d] - mean) / (var + eps) ** 0.5 + beta[d]
    return y


def batchnorm_backward(dout, x, gamma, eps):
    import math

    N, D = x.shape
    out = {name: torch.zeros_like(x) for name in ("dx_hat", "dx")}
    out |= {name: torch.zeros_like(gamma) for name in ("dvar", "dmean", "dgamma", "dbeta")}
    for d in range(D):
        mean = x[:, d].sum() / N
        var = ((x[:, d] - mean) ** 2).sum() / N
        for n in range(N):
            out["dbeta"][d] += dout[n, d]
            out["dgamma"][d] += dout[n, d] * (x[n, d] - mean) / math.sqrt(var + eps)
            out["dx_hat"][n, d] = dout[n, d] * gamma[d]
            out["dvar"][d] -= 0.5 * out["dx_hat"][n, d] * (x[n, d] - mean) * (var + eps) ** -1.5
        for n in range(N):
            out["dmean"][d] -= out["dx_hat"][n, d] / (var + eps) ** 0.5
            out["dmean"][d] -= out["dvar"][d] * 2 * (x[n, d] - mean) / N
        for n in range(N):
            out["dx"][n, d] += out["dx_hat"][n, d] / (var + eps) ** 0.5
            out["dx"][n, d] += out["dvar"][d] * 2 * (x[n, d] - mean) / N
            out["dx"][n, d] += out["dmean"][d] / N
    return out


def identity_parameters(x, eps):
    gamma, beta = [], []
    for column in x.T:
        mean = column.mean()
        beta.append(mean)
        gamma.append(torch.sqrt(((column - mean) ** 2).mean() + eps))
    return torch.stack(gamma), torch.stack(beta)


def softmax_cross_entropy(z, targets):
    N, C = z.shape
    loss, dz = torch.zeros((), dtype=z.dtype), torch.zeros_like(z)
    for n in range(N):
        shifted = z[n] - z[n].max()
        total = shifted.exp().sum()
        for c in range(C):
            if targets[n, c] > 0:
                loss -= targets[n, c] * (shifted[c] - total.log()) / N
            dz[n, c] = (shifted[c].exp() / total - targets[n, c]) / N
    return loss, dz


def adam(w, gradients, rates, beta1, beta2, eps):
    import math

    T, D = gradients.shape
    out = torch.zeros(T, D, dtype=w.dtype)
    w = w.clone()
    m, v = torch.zeros_like(w), torch.zeros_like(w)
    for t in range(T):
        m.mul_(beta1).add_(gradients[t], alpha=1 - beta1)
        v.mul_(beta2).addcmul_(gradients[t], gradients[t], value=1 - beta2)
        step = rates[t] * math.sqrt(1 - beta2 ** (t + 1)) / (1 - beta1 ** (t + 1))
        w -= step * m / (v.sqrt() + eps * math.sqrt(1 - beta2 ** (t + 1)))
        out[t] = w
    return out


def adagrad(w, gradients, rate, eps):
    w = w.clone()
    total, out = 0, []
    for g in gradients:
        total += g.pow(2)
        w.addcdiv_(g, total.sqrt() + eps, value=-rate)
        out.append(w.clone())
    return torch.stack(out, dim=0)


def adagrad_gap(gradients, rate, beta2):
    import math

    T, D = gradients.shape
    rates = torch.tensor([rate / math.sqrt(t) for t in range(1, T + 1)], dtype=gradients.dtype)
    start = torch.zeros(D, dtype=gradients.dtype)
    a, b = adam(start, gradients, rates, 0.0, beta2, 1e-10), adagrad(start, gradients, rate, 1e-10)
    worst = 0.0
    for t in range(T):
        for d in range(D):
            worst = max(worst, abs(a[t, d] - b[t, d]).item())
    return worst


def conv_forward(x, weight, bias, padding, stride):
    """A window at a time, as in the formula."""
    N, C, H, W = x.shape
    F, _, k1, k2 = weight.shape
    padded = torch.zeros(N, C, H + 2 * padding, W + 2 * padding, dtype=x.dtype)
    for a in range(H):
        for b in range(W):
            padded[:, :, a + padding, b + padding] = x[:, :, a, b]
    rows = 1 + (H + 2 * padding - k1) // stride
    columns = 1 + (W + 2 * padding - k2) // stride
    y = torch.empty(N, F, rows, columns, dtype=x.dtype)
    for u in range(rows):
        for v in range(columns):
            window = padded[:, :, u * stride : u * stride + k1, v * stride : v * stride + k2]
            for f in range(F):
                y[:, f, u, v] = (window * weight[f]).sum(dim=(1, 2, 3)) + bias[f]
    return y


def conv_backward(dout, x, weight, padding, stride):
    N, C, H, W = x.shape
    F, _, k1, k2 = weight.shape
    padded = torch.zeros(N, C, H + 2 * padding, W + 2 * padding, dtype=x.dtype)
    padded[:, :, padding : padding + H, padding : padding + W] += x
    dpadded = torch.zeros_like(padded)
    dweight = torch.zeros_like(weight)
    dbias = torch.zeros(F, dtype=x.dtype)
    for n in range(N):
        for f in range(F):
            for u in range(dout.shape[2]):
                for v in range(dout.shape[3]):
                    g = dout[n, f, u, v]
                    a, b = u * stride, v * stride
                    dbias[f] += g
                    dweight[f] += g * padded[n, :, a : a + k1, b : b + k2]
                    dpadded[n, :, a : a + k1, b : b + k2] += g * weight[f]
    if padding:
        dpadded = dpadded[:, :, padding:-padding, padding:-padding]
    return {"dx": dpadded, "dweight": dweight, "dbias": dbias}
