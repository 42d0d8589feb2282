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


def reweighted_score(patches, bank, b):
    from scipy.spatial import KDTree

    tree = KDTree(bank.numpy())
    s, nearest = tree.query(patches.numpy())
    worst = s.argmax()
    _, around = tree.query(bank[nearest[worst]].numpy(), k=[*range(1, b + 1)])
    d = torch.linalg.vector_norm(bank[around] - patches[worst], dim=1)
    star = (around == nearest[worst]).nonzero()[0][0]
    return (1 - torch.softmax(d, dim=0)[star]) * s[worst]


class UNet(nn.Module):
    class Block(nn.Sequential):
        def __init__(self, c):
            layers = []
            for _ in range(2):
                convolution = nn.LazyConv2d(c, kernel_size=3, padding=1, bias=False)
                layers += [convolution, nn.LazyBatchNorm2d(), nn.SiLU()]
            super().__init__(*layers)

    class Level(nn.Module):
        def __init__(self, c, inner):
            super().__init__()
            self.before, self.after = UNet.Block(c), UNet.Block(c)
            self.inner = nn.Sequential(
                nn.MaxPool2d(2), inner, nn.LazyConvTranspose2d(c, 2, stride=2)
            )

        def forward(self, x):
            x = self.before(x)
            return self.after(torch.cat([x, self.inner(x)], dim=1))

    def __init__(self, channels):
        super().__init__()
        net = UNet.Block(8 * channels)
        for factor in (4, 2, 1):
            net = UNet.Level(factor * channels, net)
        self.net = nn.Sequential(net, nn.LazyConv2d(1, 1))

    def forward(self, x):
        return self.net(x)


def segmentation_loss(logits, masks, weight):
    t = masks.type_as(logits)
    cross_entropy = nn.BCEWithLogitsLoss()(logits, t)
    p, t = F.sigmoid(logits).flatten(1), t.flatten(1)
    dice = (2 * torch.einsum("ni,ni->n", p, t) + 1) / ((p + t).sum(dim=1) + 1)
    return torch.add(cross_entropy, torch.mean(1 - dice), alpha=weight)


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


def boxes_of(mask, least=1):
    from torchvision.ops import masks_to_boxes

    labels, count = ndimage.label(mask.numpy(), ndimage.generate_binary_structure(2, 2))
    pieces = torch.from_numpy(labels) == torch.arange(1, count + 1)[:, None, None]
    pieces = pieces[pieces.sum(dim=(1, 2)) >= least]
    if not len(pieces):
        return torch.empty((0, 4), dtype=torch.int64)
    boxes = masks_to_boxes(pieces).long()
    boxes[:, 2:] += 1
    order = np.lexsort(boxes[:, [2, 3, 0, 1]].T.numpy())
    return boxes[torch.from_numpy(order)]


def to_coco(boxes):
    from torchvision.ops import box_convert

    return box_convert(boxes, "xyxy", "xywh")


def to_yolo(boxes, height, width):
    from torchvision.ops import box_convert

    size = torch.tensor([width, height, width, height], dtype=torch.float64)
    return box_convert(boxes / size, "xyxy", "cxcywh")


def from_yolo(rows, height, width):
    from torchvision.ops import box_convert

    corners = box_convert(rows, "cxcywh", "xyxy").numpy()
    return torch.from_numpy(np.rint(corners * [width, height, width, height]).astype(np.int64))


def run_lengths(mask):
    pixels = mask.numpy().ravel(order="F").astype(np.int8)
    changes = np.flatnonzero(np.diff(pixels, prepend=0)).tolist()
    return torch.tensor(np.diff([0, *changes, pixels.size]))
