"""Step by step: loops, counters, and NumPy where it is plainest."""

import math

import torch
from torch import nn


def card_from_disk(folder):
    images, covered = {}, {}
    heights, widths = [], []
    for split in ("train", "test"):
        for place in sorted((folder / split).iterdir()):
            files = sorted(place.glob("*.png"))
            images[f"{split}/{place.name}"] = len(files)
            for file in files:
                shape = np.array(Image.open(file)).shape
                heights.append(shape[0])
                widths.append(shape[1])
    for place in (folder / "ground_truth").iterdir():
        total, files = 0.0, list(place.iterdir())
        for file in files:
            pixels = np.array(Image.open(file).convert("L"))
            total += np.count_nonzero(pixels) / pixels.size
        covered[place.name] = total / len(files)
    heights.sort()
    widths.sort()
    return {
        "images": images,
        "heights": [heights[0], heights[-1]],
        "widths": [widths[0], widths[-1]],
        "covered": covered,
    }


def stratified_split(y, groups, share, seed):
    import random

    chance = random.Random(seed)
    members = {}
    for i, (kind, group) in enumerate(zip(y.tolist(), groups.tolist())):
        members.setdefault(kind, {}).setdefault(group, []).append(i)
    first, second = [], []
    for kind in sorted(members):
        parts = list(members[kind].values())
        chance.shuffle(parts)
        total, here = sum(map(len, parts)), []
        while parts and (len(parts) > 1 or not here) and len(here) < share * total:
            here += parts.pop()
        first += here
        second += [i for part in parts for i in part]
    return tuple(torch.tensor(sorted(side), dtype=torch.long) for side in (first, second))


class ResidualBlock(nn.Module):
    def __init__(self, c_in, c_out, stride=1):
        super().__init__()
        conv1 = nn.Conv2d(c_in, c_out, kernel_size=3, stride=stride, padding=1, bias=False)
        conv2 = nn.Conv2d(c_out, c_out, kernel_size=3, stride=1, padding="same", bias=False)
        bn2 = nn.BatchNorm2d(c_out)
        bn2.weight.data.fill_(0)
        self.residual = nn.Sequential(conv1, nn.BatchNorm2d(c_out), nn.ReLU(inplace=True), conv2)
        self.residual.add_module("last", bn2)
        self.shortcut = nn.Sequential()
        if c_in != c_out or stride > 1:
            self.shortcut.append(nn.Conv2d(c_in, c_out, 1, stride=stride, bias=False))
            self.shortcut.append(nn.BatchNorm2d(c_out))
        self.activation = nn.ReLU()

    def forward(self, x):
        out = self.residual(x)
        out += self.shortcut(x)
        return self.activation(out)


class SmallResNet(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.features = nn.Sequential()
        c_in = 3
        for c_out in (12, 24, 48, 48):
            self.features.append(ResidualBlock(c_in, c_out, 2))
            c_in = c_out
        pooled = nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(1)
        self.head = nn.Sequential(*pooled, nn.Linear(48, num_classes, bias=False))

    def forward(self, images):
        maps = self.features(images)
        return self.head(maps)


def paired_difference(right_a, right_b):
    b = c = 0
    for a_is_right, b_is_right in zip(right_a, right_b):
        b += int(a_is_right and not b_is_right)
        c += int(b_is_right and not a_is_right)
    if b + c == 0:
        return 0, 0, 1.0
    logs = [
        math.lgamma(b + c + 1) - math.lgamma(i + 1) - math.lgamma(b + c - i + 1)
        for i in range(min(b, c) + 1)
    ]
    tail = math.fsum(math.exp(value - (b + c) * math.log(2)) for value in logs)
    return torch.tensor(b), torch.tensor(c), min(1.0, 2 * tail)


def focal_loss(logits, y, gamma, weights):
    total = logits.new_zeros(())
    for z, label in zip(logits, y):
        z = z - z.max()
        log_p = z[label] - torch.log(torch.exp(z).sum())
        total = total - weights[label] * (1 - torch.exp(log_p)) ** gamma * log_p
    return total / len(logits)


def focal_gradient(logits, y, gamma, weights):
    gradient = torch.zeros_like(logits)
    for n in range(len(y)):
        z = logits[n] - logits[n].max()
        probabilities = torch.exp(z) / torch.exp(z).sum()
        p = probabilities[y[n]]
        log_p = z[y[n]] - torch.log(torch.exp(z).sum())
        if p == 1:
            continue
        for c in range(logits.shape[1]):
            inner = gamma * (1 - p) ** (gamma - 1) * log_p * p - (1 - p) ** gamma
            gradient[n, c] = weights[y[n]] * inner * (float(c == y[n]) - probabilities[c])
    return gradient / len(y)


def class_balanced_weights(counts, beta):
    worth = []
    for n in counts.tolist():
        total, next_image = 0.0, 1.0
        for _ in range(n):
            total += next_image
            next_image *= beta
        worth.append(total)
    weights = [1 / w if w > 0 else 0.0 for w in worth]
    size = sum(n * w for n, w in zip(counts.tolist(), weights)) / sum(counts.tolist())
    return torch.tensor([w / size for w in weights], dtype=torch.float64)
