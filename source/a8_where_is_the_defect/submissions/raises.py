# %% boxes_of
def boxes_of(mask, least=1):
    labels, count = ndimage.label(mask)
    slices = ndimage.find_objects(labels)
    return torch.tensor([[s[1].start, s[0].start, s[1].stop, s[0].stop] for s in slices if s.size >= least])


# %% segmentation_loss
def segmentation_loss(logits, masks, weight):
    p = logits.sigmoid()
    overlap = (p * masks).sum((1, 2, 3)) / (p + masks).sum((1, 2, 3))
    return F.binary_cross_entropy(p, masks) + weight * (1 - 2 * overlap).mean()
