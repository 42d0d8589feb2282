# %% auroc
def auroc(scores, labels):
    from sklearn.metrics import roc_auc_score

    return roc_auc_score(labels, scores)


# %% nearest_patches
def nearest_patches(queries, bank, k, chunk):
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(bank.numpy())
    distances, indices = search.kneighbors(queries.numpy())
    return torch.from_numpy(distances).to(queries.dtype), torch.from_numpy(indices)


