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
