# %% nearest_patches
def nearest_patches(queries, bank, k, chunk):
    distances = [((bank - query) ** 2).sum(1).sqrt() for query in queries.split(chunk)]
    return torch.stack(distances).topk(k, largest=False)
