"""Index notation, ranges and unrolled recursions."""


def conv_output_shape(
    shape: list[int],
    filters: int,
    kernel: list[int],
    padding: list[int],
    stride: list[int],
    dilation: list[int],
) -> tuple[int, int, int, int]:
    def places(cells, k, p, s, d):
        return len(range(0, cells + 2 * p - d * (k - 1), s))

    B, W, H, _ = shape
    return (B, *map(places, (W, H), kernel, padding, stride, dilation), filters)


def batchnorm_forward(
    x: torch.Tensor, gamma: torch.Tensor, beta: torch.Tensor, eps: float
) -> torch.Tensor:
    centred = x - x.mean(dim=0)
    variance = torch.einsum("nd,nd->d", centred, centred) / len(x)
    return gamma * centred / (variance + eps).sqrt() + beta


def batchnorm_backward(
    dout: torch.Tensor, x: torch.Tensor, gamma: torch.Tensor, eps: float
) -> dict[str, torch.Tensor]:
    N = len(x)
    centred = x - x.mean(dim=0)
    precision = 1 / (centred.square().mean(dim=0) + eps)  # 1 / (sigma^2 + eps)
    root = precision.sqrt()
    out = {"dbeta": dout.sum(dim=0), "dgamma": torch.einsum("nd,nd,d->d", dout, centred, root)}
    out["dx_hat"] = torch.einsum("nd,d->nd", dout, gamma)
    out["dvar"] = -0.5 * torch.einsum("nd,nd,d,d->d", out["dx_hat"], centred, precision, root)
    out["dmean"] = -torch.einsum("nd,d->d", out["dx_hat"], root)
    out["dx"] = out["dx_hat"] * root + 2 / N * out["dvar"] * centred + out["dmean"] / N
    return out


def identity_parameters(x: torch.Tensor, eps: float) -> tuple[torch.Tensor, torch.Tensor]:
    second, first = (x - x.mean(dim=0)).square().mean(dim=0), x.mean(dim=0)
    return torch.sqrt(second + eps), first


def softmax_cross_entropy(
    z: torch.Tensor, targets: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    shifted = z - z.amax(dim=1, keepdim=True)
    log_p = shifted - shifted.exp().sum(dim=1, keepdim=True).log()
    loss = -torch.einsum("nc,nc->n", targets, log_p).mean()
    return loss, (log_p.exp() - targets) / len(z)


def adam(
    w: torch.Tensor,
    gradients: torch.Tensor,
    rates: torch.Tensor,
    beta1: float,
    beta2: float,
    eps: float,
) -> torch.Tensor:
    """Unrolled: m_t = (1 - beta) sum_k beta^(t-k) g_k, as one matrix product."""
    T = len(gradients)
    t = torch.arange(1, T + 1, dtype=gradients.dtype)

    def average(values, beta):
        ago = t[:, None] - t[None, :]
        kernel = torch.where(ago >= 0, (1 - beta) * beta ** ago.clamp(min=0), 0.0)
        return kernel.to(values) @ values / (1 - beta**t)[:, None]

    steps = average(gradients, beta1) / (average(gradients**2, beta2).sqrt() + eps)
    return w - (rates[:, None] * steps).cumsum(dim=0)


def adagrad(w: torch.Tensor, gradients: torch.Tensor, rate: float, eps: float) -> torch.Tensor:
    steps = gradients / (gradients.square().cumsum(dim=0).sqrt() + eps)
    return w - rate * steps.cumsum(dim=0)


def adagrad_gap(gradients: torch.Tensor, rate: float, beta2: float) -> float:
    rates = torch.stack([torch.tensor(rate * (k + 1) ** -0.5) for k in range(len(gradients))])
    start = torch.zeros_like(gradients[0])
    a = adam(start, gradients, rates.to(gradients), 0.0, beta2, 0.0)
    return (a - adagrad(start, gradients, rate, 0.0)).abs().max().item()


def conv_forward(x, weight, bias, padding, stride):
    """All windows at once, as views into the padded images."""
    N, C, H, W = x.shape
    k1, k2 = weight.shape[-2:]
    padded = torch.zeros((N, C, H + 2 * padding, W + 2 * padding), dtype=x.dtype)
    padded[..., padding : H + padding, padding : W + padding] = x
    windows = padded.unfold(2, k1, stride).unfold(3, k2, stride)
    return torch.einsum("ncuvij,fcij->nfuv", windows, weight) + bias.view(1, -1, 1, 1)


def conv_backward(dout, x, weight, padding, stride):
    """The images get a convolution back: dout spread out and padded, the kernel turned."""
    N, C, H, W = x.shape
    _, F, rows, columns = dout.shape
    k1, k2 = weight.shape[-2:]
    padded = torch.zeros((N, C, H + 2 * padding, W + 2 * padding), dtype=x.dtype)
    padded[..., padding : H + padding, padding : W + padding] = x
    windows = padded.unfold(2, k1, stride).unfold(3, k2, stride)
    spread = torch.zeros((N, F, padded.shape[2] + k1 - 1, padded.shape[3] + k2 - 1), dtype=x.dtype)
    below, beside = k1 - 1 + stride * torch.arange(rows), k2 - 1 + stride * torch.arange(columns)
    spread[:, :, below[:, None], beside] = dout
    back = torch.einsum(
        "nfabij,fcij->ncab", spread.unfold(2, k1, 1).unfold(3, k2, 1), weight.flip(2, 3)
    )
    return {
        "dx": back[..., padding : padding + H, padding : padding + W],
        "dweight": torch.einsum("nfuv,ncuvij->fcij", dout, windows),
        "dbias": torch.einsum("nfuv->f", dout),
    }
