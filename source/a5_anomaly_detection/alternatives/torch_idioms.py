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


def area_under_curve(values, good, defective, limit):
    """Collect the weights of each distinct value, and cut every trapezoid at the limit."""
    distinct, place = values.unique(return_inverse=True)  # ascending

    def climbed(weights):
        there = weights.new_zeros(len(distinct)).index_add(0, place, weights).flip(0)
        return torch.cat([weights.new_zeros(1), there.cumsum(dim=0) / weights.sum()])

    x, y = climbed(good), climbed(defective)
    dx = x.diff()
    part = ((limit - x[:-1]) / dx.where(dx > 0, torch.ones(1).double())).clamp(0, 1)
    pieces = part * dx * (y[:-1] + part * y.diff() / 2)
    return pieces.sum() / limit


def false_alarm_threshold(scores, rate):
    above = (scores[None] > scores[:, None]).double().mean(dim=1)
    return scores[above <= rate].min()
