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


def embedding_scores(good, new, epsilon):
    from scipy.spatial.distance import cdist

    covariance = torch.cov(good.double().T).reshape(2 * good.shape[1:])
    inverse = torch.linalg.inv(covariance + epsilon * torch.eye(good.shape[1]).double())
    found = cdist(new, good.mean(dim=0, keepdim=True), "mahalanobis", VI=inverse.numpy())
    return torch.from_numpy(found[:, 0]).to(new.dtype)


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


def auroc(scores, labels):
    from scipy import stats

    labels = labels.bool().numpy()
    found = stats.mannwhitneyu(scores.numpy()[labels], scores.numpy()[~labels], method="asymptotic")
    return found.statistic / labels.sum() / (~labels).sum()


def region_overlap(maps, masks, limit=0.3):
    from sklearn.metrics import roc_curve

    # a third axis that nothing connects: all images at once
    structure = np.zeros((3, 3, 3))
    structure[1] = 1
    labels, count = ndimage.label(masks.numpy(), structure)
    areas = ndimage.sum_labels(masks.numpy(), labels, range(1, count + 1))
    weight = np.concatenate([[0], 1 / areas])[labels].ravel()
    # the weighted ROC curve of pixels is the curve: good ones weigh the same
    sample_weight = np.where(masks.flatten(), weight, 1.0)
    x, y, _ = roc_curve(
        masks.flatten(), maps.flatten(), sample_weight=sample_weight, drop_intermediate=False
    )
    inside = np.searchsorted(x, limit, side="left")  # points below the limit
    x0, x1, y0, y1 = x[inside - 1], x[inside], y[inside - 1], y[inside]
    end = y0 + (y1 - y0) * (limit - x0) / (x1 - x0)
    xs, ys = np.append(x[:inside], limit), np.append(y[:inside], end)
    return float(((xs[1:] - xs[:-1]) * (ys[1:] + ys[:-1])).sum() / 2 / limit)


def mask_overlap(predicted, truth):
    p, t = predicted.double().flatten(), truth.double().flatten()
    dice = (2 * (p @ t) + 1e-9) / (p.sum() + t.sum() + 1e-9)
    return dice / (2 - dice), dice


def false_alarm_threshold(scores, rate):
    return np.quantile(scores.numpy(), 1 - rate, method="inverted_cdf")
