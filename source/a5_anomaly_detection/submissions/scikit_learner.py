# %% area_under_curve
def area_under_curve(values, good, defective, limit):
    from sklearn.metrics import auc, roc_curve

    x, y, _ = roc_curve(defective > 0, values, sample_weight=good + defective)
    inside = x < limit
    return auc([*x[inside], limit], [*y[inside], np.interp(limit, x, y)]) / limit


# %% nearest_patches
def nearest_patches(queries, bank, k, chunk):
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(bank.numpy())
    distances, indices = search.kneighbors(queries.numpy())
    return torch.from_numpy(distances).to(queries.dtype), torch.from_numpy(indices)
