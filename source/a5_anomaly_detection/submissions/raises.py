# %% nearest_patches
def nearest_patches(queries, bank, k, chunk):
    distances = [((bank - query) ** 2).sum(1).sqrt() for query in queries.split(chunk)]
    return torch.stack(distances).topk(k, largest=False)


# %% boxes_of
def boxes_of(mask, least=1):
    labels, count = ndimage.label(mask)
    slices = ndimage.find_objects(labels)
    return torch.tensor([[s[1].start, s[0].start, s[1].stop, s[0].stop] for s in slices if s.size >= least])
