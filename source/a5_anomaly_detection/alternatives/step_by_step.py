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


def area_under_curve(values, good, defective, limit):
    x, y = [0.0], [0.0]
    for t in sorted(set(values.tolist()), reverse=True):
        x.append((good[values >= t].sum() / good.sum()).item())
        y.append((defective[values >= t].sum() / defective.sum()).item())
        if x[-1] >= limit:
            break
    area = 0.0
    for k in range(1, len(x)):
        if x[k] > limit:
            y[k] = y[k - 1] + (y[k] - y[k - 1]) * (limit - x[k - 1]) / (x[k] - x[k - 1])
            x[k] = limit
        area += (x[k] - x[k - 1]) * (y[k] + y[k - 1]) / 2
    return area / limit


def false_alarm_threshold(scores, rate):
    best = scores.max()
    for candidate in scores:
        if (scores > candidate).sum() <= rate * len(scores) and candidate < best:
            best = candidate
    return best
