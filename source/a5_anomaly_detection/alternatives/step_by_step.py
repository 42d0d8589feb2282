"""Step by step: loops, counters, and NumPy where it is plainest."""

import math

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


def reweighted_score(patches, bank, b):
    x, m = patches.double().numpy(), bank.double().numpy()
    best = (-1.0, None, None)
    for patch in x:
        d = np.sqrt(((m - patch) ** 2).sum(axis=1))
        if d.min() > best[0]:
            best = (d.min(), patch, d.argmin())
    s, patch, star = best
    around = np.argsort(((m - m[star]) ** 2).sum(axis=1))[:b]
    d = np.sqrt(((m[around] - patch) ** 2).sum(axis=1))
    share = np.exp(s - d.max()) / np.exp(d - d.max()).sum()
    return float((1 - share) * s)


class UNet(nn.Module):
    def __init__(self, channels):
        super().__init__()
        c = channels
        self.a1, self.a2 = self.layer(3, c), self.layer(c, c)
        self.b1, self.b2 = self.layer(c, 2 * c), self.layer(2 * c, 2 * c)
        self.c1, self.c2 = self.layer(2 * c, 4 * c), self.layer(4 * c, 4 * c)
        self.d1, self.d2 = self.layer(4 * c, 8 * c), self.layer(8 * c, 8 * c)
        self.up_c = nn.ConvTranspose2d(8 * c, 4 * c, kernel_size=2, stride=2)
        self.c3, self.c4 = self.layer(8 * c, 4 * c), self.layer(4 * c, 4 * c)
        self.up_b = nn.ConvTranspose2d(4 * c, 2 * c, kernel_size=2, stride=2)
        self.b3, self.b4 = self.layer(4 * c, 2 * c), self.layer(2 * c, 2 * c)
        self.up_a = nn.ConvTranspose2d(2 * c, c, kernel_size=2, stride=2)
        self.a3, self.a4 = self.layer(2 * c, c), self.layer(c, c)
        self.out = nn.Conv2d(c, 1, kernel_size=1)
        self.pool = nn.AvgPool2d(2)

    @staticmethod
    def layer(c_in, c_out):
        convolution = nn.Conv2d(c_in, c_out, 3, padding="same", bias=False)
        return nn.Sequential(convolution, nn.BatchNorm2d(c_out), nn.LeakyReLU(0.1, inplace=True))

    def forward(self, x):
        a = self.a2(self.a1(x))
        b = self.b2(self.b1(self.pool(a)))
        c = self.c2(self.c1(self.pool(b)))
        d = self.d2(self.d1(self.pool(c)))
        c = self.c4(self.c3(torch.cat((self.up_c(d), c), 1)))
        b = self.b4(self.b3(torch.cat((self.up_b(c), b), 1)))
        a = self.a4(self.a3(torch.cat((self.up_a(b), a), 1)))
        return self.out(a)


def segmentation_loss(logits, masks, weight):
    t = masks.to(logits)
    entropies = torch.clamp(logits, min=0) - logits * t + torch.log1p(torch.exp(-logits.abs()))
    dice = []
    for z, mask in zip(logits, t):
        p = torch.sigmoid(z)
        dice.append((2 * torch.sum(p * mask) + 1) / (torch.sum(p) + torch.sum(mask) + 1))
    return torch.mean(entropies) + weight * (1 - sum(dice) / len(dice))


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


def cut_paste(images, generator):
    """Draw areas, ratios and places with the methods of a tensor."""
    N, C, H, W = images.shape
    new, masks = [], []
    for k in range(N):
        share = torch.empty(()).uniform_(0.02, 0.15, generator=generator).item()
        logarithm = torch.empty(()).uniform_(math.log(0.3), math.log(3.3), generator=generator)
        height = math.sqrt(share * H * W * math.exp(logarithm.item()))
        width = share * H * W / height
        height, width = max(1, min(H, round(height))), max(1, min(W, round(width)))
        cut_y = torch.randint(0, H - height + 1, (1,), generator=generator).item()
        cut_x = torch.randint(0, W - width + 1, (1,), generator=generator).item()
        to_y = torch.randint(0, H - height + 1, (1,), generator=generator).item()
        to_x = torch.randint(0, W - width + 1, (1,), generator=generator).item()
        piece = images[k, :, cut_y : cut_y + height, cut_x : cut_x + width].clone()
        image = images[k].clone()
        image[:, to_y : to_y + height, to_x : to_x + width] = piece
        mask = torch.zeros(1, H, W)
        mask[0, to_y : to_y + height, to_x : to_x + width] = 1
        new.append(image)
        masks.append(mask > 0)
    return torch.stack(new), torch.stack(masks)


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


def boxes_of(mask, least=1):
    H, W = mask.shape
    number = torch.arange(1, H * W + 1).reshape(H, W) * mask
    while True:  # the largest number of a piece spreads over it
        padded = F.pad(number, (1, 1, 1, 1))
        around = [padded[i : i + H, j : j + W] for i in range(3) for j in range(3)]
        spread = torch.stack(around).amax(dim=0) * mask
        if spread.equal(number):
            break
        number = spread
    rows = []
    for k in number[mask].unique():
        ys, xs = (number == k).nonzero(as_tuple=True)
        if len(ys) < least:
            continue
        y1, x1, y2, x2 = ys.min(), xs.min(), ys.max() + 1, xs.max() + 1
        rows.append([int(v) for v in (y1, x1, y2, x2)])
    found = torch.zeros(len(rows), 4, dtype=torch.int64)
    for n, (y1, x1, y2, x2) in enumerate(sorted(rows)):
        found[n] = torch.tensor([x1, y1, x2, y2])
    return found


def to_coco(boxes):
    coco = boxes.clone()
    for box in coco:
        box[2] -= box[0]
        box[3] -= box[1]
    return coco


def to_yolo(boxes, height, width):
    rows = torch.zeros(len(boxes), 4, dtype=torch.float64)
    for row, (x1, y1, x2, y2) in zip(rows, boxes.tolist()):
        row[:] = torch.tensor(
            [0.5 * (x1 + x2) / width, 0.5 * (y1 + y2) / height,
             (x2 - x1) / width, (y2 - y1) / height], dtype=torch.float64,
        )  # fmt: skip
    return rows


def from_yolo(rows, height, width):
    boxes = torch.zeros(len(rows), 4, dtype=torch.int64)
    for n, (x, y, w, h) in enumerate(rows.tolist()):
        x1, y1 = round(x * width - w * width / 2), round(y * height - h * height / 2)
        boxes[n] = torch.tensor([x1, y1, x1 + round(w * width), y1 + round(h * height)])
    return boxes


def run_lengths(mask):
    lengths, current, n = [], False, 0
    for column in range(mask.shape[1]):
        for row in range(mask.shape[0]):
            if bool(mask[row, column]) != current:
                lengths.append(n)
                current, n = not current, 0
            n += 1
    lengths.append(n)
    return lengths
