# from blank
# %% boxes_of
def boxes_of(mask, least=1):
    labels, count = ndimage.label(mask.numpy(), np.ones((3, 3), int))
    rows = []
    for k in range(1, count + 1):
        y, x = np.nonzero(labels == k)
        if len(y) >= least:
            rows.append([int(y.min()), int(x.min()), int(y.max()) + 1, int(x.max()) + 1])
    rows = [[x1, y1, x2, y2] for y1, x1, y2, x2 in sorted(rows)]
    return torch.tensor(rows, dtype=torch.long).view(len(rows), 4)


# %% run_lengths
def run_lengths(mask):
    lengths, last = [0], False
    for pixel in mask.T.flatten().tolist():
        if pixel != last:
            lengths.append(0)
            last = pixel
        lengths[-1] += 1
    return lengths


# %% segmentation_loss
def segmentation_loss(logits, masks, weight):
    return F.binary_cross_entropy_with_logits(logits, masks.float())


# %% [markdown] labels_they_need
# Classification: one label for each photograph. Detection: boxes. Segmentation: pixels.
