"""Step by step: loops, counters, and NumPy where it is plainest."""

import torch
from torch import nn


def fit_gaussians(features, epsilon):
    x = features.numpy()
    N, C, H, W = x.shape
    mean = np.zeros((C, H, W))
    factor = np.zeros((H, W, C, C))
    for i in range(H):
        for j in range(W):
            mean[:, i, j] = x[:, :, i, j].mean(axis=0)
            covariance = np.cov(x[:, :, i, j].T).reshape(C, C)
            factor[i, j] = np.linalg.cholesky(covariance + epsilon * np.identity(C))
    return torch.from_numpy(mean).to(features.dtype), torch.from_numpy(factor).to(features.dtype)


def mahalanobis(features, mean, factor):
    n, C, H, W = features.shape
    result = torch.zeros(n, H, W, dtype=features.dtype)
    for i in range(H):
        for j in range(W):
            L = factor[i, j].numpy()
            precision = np.linalg.inv(L @ L.T)
            for k in range(n):
                d = (features[k, :, i, j] - mean[:, i, j]).numpy()
                result[k, i, j] = float(np.sqrt(d @ precision @ d))
    return result


def embedding_scores(good, new, epsilon):
    mean, factor = fit_gaussians(good[..., None, None], epsilon)
    return torch.stack([mahalanobis(x[None, :, None, None], mean, factor).squeeze() for x in new])


def greedy_coreset(patches, size, first):
    x = patches.numpy()
    nearest = np.full(len(x), np.inf)
    chosen = np.empty(size, dtype=np.int64)
    for step in range(size):
        chosen[step] = first if step == 0 else np.argmax(nearest)
        nearest = np.minimum(nearest, np.linalg.norm(x - x[chosen[step]], axis=1))
    return torch.from_numpy(chosen)


def nearest_patches(queries, bank, k, chunk):
    distances, indices = [], []
    for part in queries.split(chunk):
        for query in part:
            nearest = (bank - query).norm(dim=1).topk(k, largest=False)
            distances.append(nearest.values)
            indices.append(nearest.indices)
    return torch.stack(distances), torch.stack(indices)


class Autoencoder(nn.Module):
    """Pool down, and draw in single steps; encode and decode are methods."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 24, 3, padding=1)
        self.conv3 = nn.Conv2d(24, 12, 3, padding=1)
        self.pool = nn.AvgPool2d(2)
        self.up1 = nn.ConvTranspose2d(12, 24, 2, stride=2)
        self.up2 = nn.ConvTranspose2d(24, 16, 2, stride=2)
        self.up3 = nn.ConvTranspose2d(16, 3, 2, stride=2)
        self.dropout = nn.Dropout(0.1)

    def encode(self, x):
        x = self.pool(torch.relu(self.conv1(x)))
        x = self.pool(torch.relu(self.conv2(x)))
        return self.dropout(self.pool(self.conv3(x)))

    def decode(self, code):
        x = torch.relu(self.up1(torch.relu(code)))
        x = torch.relu(self.up2(x))
        return (torch.tanh(self.up3(x)) + 1) / 2

    def forward(self, x):
        code = self.encode(x)
        return self.decode(code)


def error_maps(model, x, cell):
    """Add up the squares of a square."""
    before = model.training
    model.train(False)
    drawn = model(x).detach()
    model.train(before)
    N, C, H, W = x.shape
    maps = torch.zeros(N, H // cell, W // cell, dtype=x.dtype)
    for i in range(H):
        for j in range(W):
            maps[:, i // cell, j // cell] += ((x - drawn) ** 2)[:, :, i, j].sum(dim=1)
    return maps / (C * cell * cell)


def auroc(scores, labels):
    defective = [s for s, label in zip(scores.tolist(), labels.tolist()) if label]
    good = [s for s, label in zip(scores.tolist(), labels.tolist()) if not label]
    won = sum((d > g) + 0.5 * (d == g) for d in defective for g in good)
    return won / len(defective) / len(good)


def region_overlap(maps, masks, limit=0.3):
    N, H, W = masks.shape
    pieces = []
    left = {tuple(place) for place in masks.nonzero().tolist()}
    while left:
        waiting, piece = [left.pop()], []
        while waiting:
            n, row, column = waiting.pop()
            piece.append((n, row, column))
            for i in range(max(row - 1, 0), min(row + 2, H)):
                for j in range(max(column - 1, 0), min(column + 2, W)):
                    if (n, i, j) in left:
                        left.remove((n, i, j))
                        waiting.append((n, i, j))
        pieces.append(torch.tensor([maps[place] for place in piece]))
    good = maps[~masks]
    x, y = [0.0], [0.0]
    for t in sorted(set(maps.flatten().tolist()), reverse=True):
        x.append((good >= t).double().mean().item())
        y.append(sum((piece >= t).double().mean().item() for piece in pieces) / len(pieces))
        if x[-1] >= limit:
            break
    area = 0.0
    for k in range(1, len(x)):
        if x[k] > limit:
            y[k] = y[k - 1] + (y[k] - y[k - 1]) * (limit - x[k - 1]) / (x[k] - x[k - 1])
            x[k] = limit
        area += (x[k] - x[k - 1]) * (y[k] + y[k - 1]) / 2
    return area / limit


def mask_overlap(predicted, truth):
    tp = fp = fn = 0
    for p, t in zip(predicted.flatten().tolist(), truth.flatten().tolist()):
        tp, fp, fn = tp + (p and t), fp + (p and not t), fn + (t and not p)
    if tp + fp + fn == 0:
        return [1, 1]
    return [tp / (tp + fp + fn), 2 * tp / (2 * tp + fp + fn)]


def false_alarm_threshold(scores, rate):
    best = scores.max()
    for candidate in scores:
        if (scores > candidate).sum() <= rate * len(scores) and candidate < best:
            best = candidate
    return best
