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


# %% paired_difference
def paired_difference(right_a, right_b):
    from scipy.stats import binomtest

    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    if not only_a + only_b:
        return 0, 0, 1.0
    return only_a, only_b, binomtest(only_a, only_a + only_b).pvalue
