# from blank
# %% class_counts
def class_counts(y, num_classes):
    counts = torch.tensor([(y == k).sum() for k in range(num_classes)])
    return counts, float(counts.max() / min(c for c in counts if c > 0))


# %% normalise_rows
def normalise_rows(confusion):
    table = torch.zeros(confusion.shape, dtype=torch.float64)
    for row, counts in zip(table, confusion):
        if counts.sum() > 0:
            row += counts / counts.sum().double()
    return table


# %% learning_rate
def learning_rate(step, steps, peak, warmup):
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * math.cos(math.pi / 2 * (step - warmup) / (steps - warmup)) ** 2


# %% conv_output_shape
def conv_output_shape(shape, filters, kernel, padding, stride, dilation):
    B, W, H, C = shape
    W = math.floor((W + 2 * padding[0] - dilation[0] * (kernel[0] - 1) - 1) / stride[0] + 1)
    H = math.floor((H + 2 * padding[1] - dilation[1] * (kernel[1] - 1) - 1) / stride[1] + 1)
    return B, W, H, filters


# %% [markdown] derivation_convolution
# W' = floor((W + 2p - d(k-1) - 1) / s) + 1, because the kernel covers d(k-1)+1 cells.
