# from blank
# %% conv_output_shape
def conv_output_shape(shape, filters, kernel, padding, stride, dilation):
    B, W, H, C = shape
    W = math.floor((W + 2 * padding[0] - dilation[0] * (kernel[0] - 1) - 1) / stride[0] + 1)
    H = math.floor((H + 2 * padding[1] - dilation[1] * (kernel[1] - 1) - 1) / stride[1] + 1)
    return B, W, H, filters


# %% [markdown] derivation_convolution
# W' = floor((W + 2p - d(k-1) - 1) / s) + 1, because the kernel covers d(k-1)+1 cells.
# %% conv_forward
def conv_forward(x, weight, bias, padding, stride):
    N, C, H, W = x.shape
    F, _, k1, k2 = weight.shape
    padded = torch.zeros(N, C, H + 2 * padding, W + 2 * padding, dtype=x.dtype)
    padded[:, :, padding : padding + H, padding : padding + W] = x
    rows, columns = (H + 2 * padding - k1) // stride + 1, (W + 2 * padding - k2) // stride + 1
    y = torch.zeros(N, F, rows, columns, dtype=x.dtype)
    for u in range(rows):
        for v in range(columns):
            window = padded[:, None, :, u * stride : u * stride + k1, v * stride : v * stride + k2]
            y[:, :, u, v] = (window * weight).sum(dim=(2, 3, 4)) + bias
    return y


# %% batchnorm_forward
def batchnorm_forward(x, gamma, beta, eps):
    return gamma * (x - x.mean(0)) / torch.sqrt(x.var(0, unbiased=False) + eps) + beta


# %% softmax_cross_entropy
def softmax_cross_entropy(z, targets):
    y = torch.softmax(z, dim=1)
    return -(targets * torch.log_softmax(z, dim=1)).sum(1).mean(), (y - targets) / z.shape[0]
