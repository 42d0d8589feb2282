"""With other tools: scikit-learn, SciPy, NumPy and the libraries' own functions."""


def fit_gaussians(features, epsilon):
    C = features.shape[1]
    places = features.double().flatten(2).unbind(dim=2)
    unit = epsilon * torch.eye(C, dtype=torch.float64)
    factors = [torch.linalg.cholesky(torch.cov(place.T) + unit) for place in places]
    factor = torch.stack(factors).reshape(*features.shape[2:], C, C)
    return features.mean(0), factor.to(features.dtype)


def mahalanobis(features, mean, factor):
    from scipy.spatial.distance import cdist

    n, C, H, W = features.shape
    precision = torch.cholesky_inverse(factor)
    result = torch.empty(n, H, W, dtype=features.dtype)
    for i, j in np.ndindex(H, W):
        there, centre = features[:, :, i, j].numpy(), mean[None, :, i, j].numpy()
        found = cdist(there, centre, "mahalanobis", VI=precision[i, j].numpy())
        result[:, i, j] = torch.from_numpy(found[:, 0])
    return result


def greedy_coreset(patches, size, first):
    from sklearn.metrics import pairwise_distances_argmin_min

    chosen = [first]
    while len(chosen) < size:
        _, distances = pairwise_distances_argmin_min(patches.numpy(), patches[chosen].numpy())
        distances[chosen] = -1
        chosen.append(int(distances.round(9).argmax()))
    return torch.tensor(chosen)


def nearest_patches(queries, bank, k, chunk):
    from sklearn.neighbors import NearestNeighbors

    neighbours = NearestNeighbors(n_neighbors=k).fit(bank.numpy())
    found = [neighbours.kneighbors(part.numpy()) for part in queries.split(chunk)]
    distances, indices = (torch.from_numpy(np.concatenate(part)) for part in zip(*found))
    return distances.to(queries.dtype), indices


def area_under_curve(values, good, defective, limit):
    from sklearn.metrics import roc_curve

    x, y, _ = roc_curve(
        defective > 0, values, sample_weight=good + defective, drop_intermediate=False
    )
    inside = np.searchsorted(x, limit, side="left")  # points below the limit
    x0, x1, y0, y1 = x[inside - 1], x[inside], y[inside - 1], y[inside]
    end = y0 + (y1 - y0) * (limit - x0) / (x1 - x0)
    xs, ys = np.append(x[:inside], limit), np.append(y[:inside], end)
    return float(((xs[1:] - xs[:-1]) * (ys[1:] + ys[:-1])).sum() / 2 / limit)


def false_alarm_threshold(scores, rate):
    return np.quantile(scores.numpy(), 1 - rate, method="inverted_cdf")
