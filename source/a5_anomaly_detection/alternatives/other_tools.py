"""With other tools: scikit-learn, SciPy, NumPy and the libraries' own functions."""


def card_from_disk(folder):
    from collections import Counter, defaultdict

    def read(path):
        with Image.open(path) as image:
            return torch.from_numpy(np.array(image))

    paths = [*folder.rglob("train/*/*.png"), *folder.rglob("test/*/*.png")]
    sizes = torch.tensor([read(path).shape[:2] for path in paths])
    shares = defaultdict(list)
    for path in folder.rglob("*_mask.png"):
        shares[path.parent.name].append((read(path) != 0).float().mean())
    heights, widths = sizes.T
    return {
        "images": Counter(f"{path.parent.parent.name}/{path.parent.name}" for path in paths),
        "heights": torch.aminmax(heights),
        "widths": (widths.min(), widths.max()),
        "covered": {kind: torch.stack(found).mean() for kind, found in shares.items()},
    }


def stratified_split(y, groups, share, seed):
    rng = np.random.default_rng(seed)
    kinds, names = y.numpy(), groups.numpy()
    side = np.zeros(len(kinds), dtype=bool)
    for kind in np.unique(kinds):
        members, sizes = np.unique(names[kinds == kind], return_counts=True)
        order = rng.permutation(len(members))
        before = np.cumsum(sizes[order]) - sizes[order]
        taken = before + sizes[order] / 2 <= share * sizes.sum()  # the middle of a group decides
        if len(members) > 1:
            taken[0], taken[-1] = True, False
        side |= np.isin(names, members[order][taken])
    return torch.from_numpy(np.flatnonzero(side)), torch.from_numpy(np.flatnonzero(~side))


class ResidualBlock(nn.Module):
    class Projection(nn.Module):
        def __init__(self, c_in, c_out, stride):
            super().__init__()
            self.norm = nn.BatchNorm2d(c_out)
            self.conv = nn.Conv2d(c_in, c_out, (1, 1), (stride, stride), bias=False)

        def forward(self, x):
            return self.norm(self.conv(x))

    def __init__(self, c_in, c_out, stride=1):
        super().__init__()
        fits = c_in == c_out and stride == 1
        self.shortcut = nn.Identity() if fits else self.Projection(c_in, c_out, stride)
        layers = [nn.BatchNorm2d(c_out), nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False)]
        layers.insert(0, nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False))
        layers.insert(2, nn.Threshold(0, 0))
        self.residual = nn.Sequential(*layers, nn.BatchNorm2d(c_out))
        nn.init.constant_(self.residual[4].weight, 0.0)

    def forward(self, x):
        return torch.clamp(self.shortcut(x) + self.residual(x), min=0)


class SmallResNet(nn.Module):
    class Head(nn.Module):
        def __init__(self, num_classes):
            super().__init__()
            self.linear = nn.LazyLinear(num_classes)

        def forward(self, maps):
            return self.linear(maps.mean(dim=(-2, -1)))

    def __init__(self, num_classes):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 24, 7, 4, 3), nn.GroupNorm(4, 24), nn.GELU(),
            nn.Sequential(ResidualBlock(24, 24), ResidualBlock(24, 48, 2)), nn.Dropout2d(0.2),
            ResidualBlock(48, 64, 1),
        )  # fmt: skip
        self.head = self.Head(num_classes)

    def forward(self, x):
        return self.head(self.features(x))


def right_counts(reported, total):
    digits = len(reported.split(".")[1]) if "." in reported else 0
    printed = np.round(100 * np.arange(total + 1) / total, digits)
    return torch.from_numpy(np.flatnonzero(np.isclose(printed, float(reported), rtol=0, atol=1e-9)))


def paired_difference(right_a, right_b):
    difference = right_a.int() - right_b.int()
    b, c = (difference == 1).sum().item(), (difference == -1).sum().item()
    p = np.minimum(2 * stats.binom.cdf(min(b, c), b + c, 0.5), 1)
    return b, c, p


def focal_loss(logits, y, gamma, weights):
    plain = F.cross_entropy(logits, y, reduction="none")
    miss = -torch.expm1(-plain)
    return torch.dot(weights.take(y), miss.pow(gamma) * plain) / y.numel()


def focal_gradient(logits, y, gamma, weights):
    probabilities = torch.softmax(logits, dim=-1)
    rows = torch.arange(len(y))
    p = probabilities[rows, y]
    miss = (1 - p).clamp(min=1e-30)
    log_p = logits[rows, y] - torch.logsumexp(logits, dim=1)
    scale = weights[y] * miss**gamma * (gamma * p * log_p / miss - 1) / len(logits)
    gradient = -scale[:, None] * probabilities
    gradient[rows, y] += scale
    return gradient


def class_balanced_weights(counts, beta):
    n = counts.numpy().astype(np.float64)
    there = n > 0
    worth = -np.expm1(n * np.log(beta)) if beta > 0 else there.astype(float)
    weights = np.divide(1, worth, out=np.zeros_like(n), where=there)
    return torch.from_numpy(weights / np.average(weights, weights=n))


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


def reweighted_score(patches, bank, b):
    from scipy.spatial import KDTree

    tree = KDTree(bank.numpy())
    s, nearest = tree.query(patches.numpy())
    worst = s.argmax()
    _, around = tree.query(bank[nearest[worst]].numpy(), k=[*range(1, b + 1)])
    d = torch.linalg.vector_norm(bank[around] - patches[worst], dim=1)
    star = (around == nearest[worst]).nonzero()[0][0]
    return (1 - torch.softmax(d, dim=0)[star]) * s[worst]


def auroc(scores, labels):
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
