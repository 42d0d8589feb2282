"""What torch has for it, in as few lines as possible."""


def conv_output_shape(shape, filters, kernel, padding, stride, dilation):
    import math

    B, W, H, _ = shape
    (k1, k2), (p1, p2), (s1, s2), (d1, d2) = kernel, padding, stride, dilation
    return [
        B,
        math.floor((W + 2 * p1 - d1 * (k1 - 1) - 1) / s1 + 1),
        math.floor((H + 2 * p2 - d2 * (k2 - 1) - 1) / s2 + 1),
        filters,
    ]


def batchnorm_forward(x, gamma, beta, eps):
    var, mean = torch.var_mean(x, dim=0, correction=0)
    return torch.addcmul(beta, x - mean, gamma * torch.rsqrt(var + eps))


def batchnorm_backward(dout, x, gamma, eps):
    N = x.shape[0]
    var, mean = torch.var_mean(x, dim=0, unbiased=False)
    inverse = (var + eps) ** -0.5
    x_hat = (x - mean) * inverse
    dbeta, dgamma = dout.sum(0), torch.einsum("nd,nd->d", dout, x_hat)
    return dict(
        dx_hat=dout * gamma,
        dvar=-gamma * dgamma * inverse**2 / 2,
        dmean=-gamma * dbeta * inverse,
        dx=gamma * inverse / N * (N * dout - dbeta - x_hat * dgamma),
        dgamma=dgamma,
        dbeta=dbeta,
    )


def identity_parameters(x, eps):
    return torch.sqrt(torch.var(x, 0, correction=0) + eps), torch.mean(x, 0)


def softmax_cross_entropy(z, targets):
    loss = (torch.logsumexp(z, 1) - torch.einsum("nc,nc->n", targets, z)).mean()
    return loss, (torch.softmax(z, dim=-1) - targets).div(z.shape[0])


def adam(w, gradients, rates, beta1, beta2, eps):
    t = torch.arange(1, len(gradients) + 1, dtype=w.dtype)

    def average(values, beta):
        weights = torch.tril(beta ** (t[:, None] - t[None, :]).clamp(min=0))
        return (weights / weights.sum(dim=1, keepdim=True)) @ values

    steps = average(gradients, beta1) / (average(gradients**2, beta2).sqrt() + eps)
    return w - torch.cumsum(rates[:, None] * steps, dim=0)


def adagrad(w, gradients, rate, eps):
    return w - rate * torch.cumsum(gradients / (torch.cumsum(gradients**2, 0).sqrt() + eps), 0)


def adagrad_gap(gradients, rate, beta2):
    w = 0 * gradients[0]
    rates = rate * torch.arange(1, gradients.shape[0] + 1) ** -0.5
    a = adam(w, gradients, rates, 0, beta2, 0)
    return torch.linalg.vector_norm(a - adagrad(w, gradients, rate, 0), ord=float("inf"))


def conv_forward(x, weight, bias, padding, stride):
    padded = torch.zeros(*x.shape[:2], *(n + 2 * padding for n in x.shape[2:])).to(x)
    padded[:, :, padding : padding + x.shape[2], padding : padding + x.shape[3]] = x
    windows = padded.unfold(2, weight.shape[2], stride).unfold(3, weight.shape[3], stride)
    return torch.tensordot(windows, weight, ((1, 4, 5), (1, 2, 3))).movedim(-1, 1) + bias.view(
        -1, 1, 1
    )


def conv_backward(dout, x, weight, padding, stride):
    """The convolution as a matrix: the images of all unit vectors, transposed."""
    inputs = torch.eye(x[0].numel(), dtype=x.dtype).reshape(-1, *x.shape[1:])
    zero = torch.zeros(len(weight), dtype=x.dtype)
    matrix = conv_forward(inputs, weight, zero, padding, stride).flatten(1)
    back = dout.flatten(1) @ matrix.mT
    padded = x.new_zeros(*x.shape[:2], *(n + 2 * padding for n in x.shape[2:]))
    padded[:, :, padding : padding + x.shape[2], padding : padding + x.shape[3]] = x
    windows = padded.unfold(2, weight.shape[2], stride).unfold(3, weight.shape[3], stride)
    return dict(
        dx=back.view(x.shape),
        dweight=torch.tensordot(dout, windows, ((0, 2, 3), (0, 2, 3))),
        dbias=dout.sum((0, 2, 3)),
    )
