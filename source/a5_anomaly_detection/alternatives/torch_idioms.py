"""Without loops, in the idioms of PyTorch."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def fit_gaussians(features, epsilon):
    N, C, H, W = features.shape
    mean = torch.einsum("nchw->chw", features) / N
    d = features - mean[None]
    covariance = torch.einsum("nchw,ndhw->hwcd", d, d).div(N - 1)
    covariance.diagonal(dim1=-2, dim2=-1).add_(epsilon)
    factor, _ = torch.linalg.cholesky_ex(covariance)
    return mean, factor


def mahalanobis(features, mean, factor):
    d = (features - mean).movedim(0, -1).movedim(0, -2)  # (H, W, C, n)
    solved = torch.cholesky_solve(d, factor)
    return torch.einsum("hwcn,hwcn->nhw", d, solved).clamp(min=0).sqrt()


def embedding_scores(good, new, epsilon):
    d = good - good.mean(dim=0)
    covariance = d.T @ d / (len(good) - 1) + epsilon * torch.eye(good.shape[1], dtype=good.dtype)
    away = new - good.mean(dim=0)
    return (away * torch.linalg.solve(covariance, away.T).T).sum(dim=1).sqrt()


def greedy_coreset(patches, size, first):
    chosen = torch.full((size,), first, dtype=torch.int64)
    distances = torch.cdist(patches, patches[first : first + 1])[:, 0]
    for step in range(1, size):
        _, chosen[step] = torch.max(distances, dim=0)
        new = torch.cdist(patches, patches[chosen[step], None])[:, 0]
        distances = torch.where(new < distances, new, distances)
    return chosen


def nearest_patches(queries, bank, k, chunk):
    distances = queries.new_empty(len(queries), k)
    indices = torch.empty(len(queries), k, dtype=torch.int64)
    norms = (bank**2).sum(dim=1)
    for start in range(0, len(queries), chunk):
        part = queries[start : start + chunk]
        squares = torch.addmm((part**2).sum(1, keepdim=True) + norms, part, bank.T, alpha=-2)
        nearest, order = squares.clamp_(min=0).sort(dim=1)
        distances[start : start + chunk] = nearest[:, :k].sqrt()
        indices[start : start + chunk] = order[:, :k]
    return distances, indices


class Autoencoder(nn.Module):
    """A flat code of 128 numbers, drawn by upsampling; the range is kept by clamping."""

    def __init__(self, code=32):
        super().__init__()
        layers = []
        for inputs, outputs in ((3, 12), (12, 24), (24, 32)):
            layers += [nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False), nn.GroupNorm(4, outputs),
                       nn.LeakyReLU(0.1)]  # fmt: skip
        self.encode = nn.Sequential(*layers, nn.MaxPool2d(2), nn.Flatten(), nn.Linear(1152, code))
        self.widen = nn.Linear(code, 1152)
        layers = []
        for inputs, outputs in ((32, 32), (32, 24), (24, 12), (12, 3)):
            layers += [nn.Upsample(scale_factor=2), nn.Conv2d(inputs, outputs, 3, padding=1)]
        self.layers = nn.Sequential(*layers)

    def decode(self, code):
        return (self.layers(F.elu(self.widen(code)).view(-1, 32, 6, 6)) / 4 + 0.5).clamp(0, 1)

    def forward(self, x):
        return self.decode(self.encode(x))


def error_maps(model, x, cell):
    """Compute in NumPy, with the squares as axes of their own."""
    modes = {module: module.training for module in model.modules()}
    with torch.inference_mode():
        drawn = model.eval()(x).numpy()
    for module, mode in modes.items():
        module.training = mode
    N, C, H, W = x.shape
    squares = ((x.numpy() - drawn) ** 2).reshape(N, C, H // cell, cell, W // cell, cell)
    return torch.from_numpy(squares.mean(axis=(1, 3, 5)))


def detect(images, detector):
    """Compute place by place, in NumPy."""
    d, mean, whitening = (detector[n].double().numpy() for n in ("directions", "mean", "whitening"))
    features = patch_features(images, "resnet_drawn", (0, 1)).double().numpy()
    features = np.tensordot(features, d, axes=(1, 0)).transpose(0, 3, 1, 2)
    N, K, H, W = features.shape
    features = features.reshape(N, K, H // 2, 2, W // 2, 2).mean(axis=(3, 5))
    maps = np.empty((N, H // 2, W // 2), np.float32)
    for i, j in np.ndindex(H // 2, W // 2):
        z = (features[:, :, i, j] - mean[:, i, j]) @ whitening[i, j].T
        maps[:, i, j] = np.sqrt((z**2).sum(axis=1))
    return torch.from_numpy(maps)


def auroc(scores, labels):
    """Add up trapezoids under the ROC curve, one threshold after the other."""
    thresholds = scores.unique().flip(0)
    called = scores[None] >= thresholds[:, None]
    y, x = (called[:, labels.bool() == kind].float().mean(dim=1) for kind in (True, False))
    start = torch.zeros(1)
    return torch.trapezoid(torch.cat([start, y]), torch.cat([start, x]))


def region_overlap(maps, masks, limit=0.3):
    """Look each threshold up in the sorted values of each region."""
    regions = []
    for one, mask in zip(maps, masks):
        labels, count = ndimage.label(mask.numpy(), structure=[[1] * 3] * 3)
        regions += [one[torch.from_numpy(labels) == k] for k in range(1, count + 1)]
    thresholds = maps.unique()  # ascending

    def share(values):
        below = torch.searchsorted(values.sort().values, thresholds)  # how many are less
        return 1 - below.double() / len(values)

    x = share(maps[~masks]).flip(0)
    y = torch.stack([share(region) for region in regions]).mean(dim=0).flip(0)
    x, y = (torch.cat([torch.zeros(1).double(), values]) for values in (x, y))
    dx = x.diff()
    part = ((limit - x[:-1]) / dx.where(dx > 0, torch.ones(1).double())).clamp(0, 1)
    pieces = part * dx * (y[:-1] + part * y.diff() / 2)
    return pieces.sum() / limit


def mask_overlap(predicted, truth):
    union = torch.logical_or(predicted, truth).sum()
    if union == 0:
        return torch.tensor(1.0), torch.tensor(1.0)
    iou = torch.logical_and(predicted, truth).sum() / union
    return iou, 2 * iou / (1 + iou)


def false_alarm_threshold(scores, rate):
    above = (scores[None] > scores[:, None]).double().mean(dim=1)
    return scores[above <= rate].min()
