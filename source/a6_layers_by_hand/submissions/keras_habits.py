# from blank
# %% conv_output_shape
def conv_output_shape(shape, filters, kernel, padding, stride, dilation):
    batch, rows, columns, _ = shape
    sizes = [
        -(-(size + 2 * p - d * (k - 1)) // s)
        for size, k, p, s, d in zip((rows, columns), kernel, padding, stride, dilation)
    ]
    return (batch, *sizes, filters)


# %% conv_forward
def conv_forward(x, weight, bias, padding, stride):
    if padding == "same":
        raise ValueError("not yet")
    windows = torch.zeros(len(x), x.shape[1], x.shape[2] + 2 * padding, x.shape[3] + 2 * padding)
    windows[:, :, padding : padding + x.shape[2], padding : padding + x.shape[3]] = x
    windows = windows.unfold(2, weight.shape[2], stride).unfold(3, weight.shape[3], stride)
    return torch.einsum("nchwij,fcij->nhwf", windows, weight.float()) + bias


# %% batchnorm_forward
def batchnorm_forward(x, gamma, beta, eps=1e-3):
    mean, variance = x.mean(axis=0), x.var(axis=0, unbiased=False)
    return (x - mean) * gamma / (variance + eps) ** 0.5 + beta
