"""Loops, counters and one thing after the other."""

import torch


def class_counts(y, num_classes):
    counts = [0] * num_classes
    for label in y.tolist():
        counts[label] += 1
    there = [n for n in counts if n > 0]
    return torch.tensor(counts), max(there) / min(there)


def find_duplicates(first, second):
    import hashlib

    def digest(image):
        return hashlib.md5(bytes(image.flatten().tolist())).hexdigest()

    second_digests = {}
    for j in range(len(second)):
        key = digest(second[j])
        if key not in second_digests:
            second_digests[key] = []
        second_digests[key].append(j)
    found = []
    for i in range(len(first)):
        for j in second_digests.get(digest(first[i]), []):
            found.append((i, j))
    return found


class ReportCNN(nn.Module):
    class Block(nn.Module):
        def __init__(self, c_in, c_out, leaky):
            super().__init__()
            self.leaky = leaky
            self.norm = nn.BatchNorm2d(c_out)  # defined in another order than used
            self.conv = nn.Conv2d(c_in, c_out, kernel_size=(3, 3), padding="same")

        def forward(self, x):
            x = self.norm(self.conv(x))
            if self.leaky:
                x = F.rrelu(x, lower=1 / 8, upper=1 / 3, training=self.training)
            else:
                x = F.relu(x)
            x = F.max_pool2d(x, 2)
            return F.dropout(x, 0.25, self.training)

    class Head(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc4 = nn.Linear(256, 7)
            self.fc3 = nn.Linear(1024, 256)
            self.fc2 = nn.Linear(4096, 1024)
            self.fc1 = nn.LazyLinear(4096)

        def forward(self, x):
            x = x.reshape(x.shape[0], -1)
            x = F.dropout(x, 0.5, self.training)
            x = F.rrelu(self.fc1(x), training=self.training)
            x = F.dropout(x, 0.5, self.training)
            x = F.rrelu(self.fc2(x), training=self.training)
            return self.fc4(F.rrelu(self.fc3(x), training=self.training))

    def __init__(self):
        super().__init__()
        self.head = ReportCNN.Head()
        self.blocks = nn.Sequential()
        channels = [1, 64, 128, 256, 512]
        for n in range(4):
            block = ReportCNN.Block(channels[n], channels[n + 1], leaky=(n == 0))
            self.blocks.add_module(f"block{n + 1}", block)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def make_augmentation():
    class Rarely(v2.Transform):
        def __init__(self, transform, p):
            super().__init__()
            self.inner, self.p = transform, p

        def forward(self, x):
            return self.inner(x) if torch.rand(()) < self.p else x

    return v2.Compose([
        Rarely(v2.RandomErasing(p=1.0, scale=(0.02, 0.1), ratio=(0.5, 2.0)), 0.5),
        v2.RandomRotation([-30, 30]),
        v2.RandomPerspective(distortion_scale=0.3, p=0.9),
        Rarely(v2.GaussianNoise(0.0, 0.1), 0.5),
        Rarely(v2.GaussianBlur(5, sigma=2.0), 0.5),
        Rarely(v2.Lambda(lambda x: x.flip(-1)), 0.5),
        v2.Lambda(lambda x: x.clamp(0, 1)),
    ])  # fmt: skip


def training_batches(X, y, batch_size, augmentation=None, weights=None, group=10):
    N = len(X)
    if weights is not None:
        rows = torch.multinomial(weights.float(), N, replacement=True).tolist()
    else:
        rows = list(torch.utils.data.RandomSampler(range(N)))
    start = 0
    while start < N:
        chosen = rows[start : start + batch_size]
        images = torch.stack([X[i] for i in chosen]).to(torch.float32).div(255)
        if augmentation:
            done = []
            for i in range(0, len(chosen), group):
                done.extend(augmentation(images[i : i + group]))
            images = torch.stack(done)
        yield normalise(images), torch.stack([y[i] for i in chosen])
        start += batch_size


def grad_cam(model, x, classes):
    before = model.training
    model.eval()
    out = torch.zeros(x.shape[0], x.shape[2], x.shape[3], dtype=x.dtype, device=x.device)
    for n in range(len(x)):
        maps = model.features(x[n : n + 1])
        logit = model.head(maps)[0, classes[n]]
        grads = torch.autograd.grad(logit, maps)[0][0]
        with torch.no_grad():
            total = torch.zeros_like(maps[0, 0])
            for k in range(len(grads)):
                total += grads[k].mean() * maps[0, k]
            total = torch.clamp(total, min=0)
            large = F.interpolate(total[None, None], scale_factor=x.shape[2] // total.shape[0],
                                  mode="bilinear")[0, 0]  # fmt: skip
            if large.max() > 0:
                large = large / large.max()
            out[n] = large
    model.train() if before else model.eval()
    return out


def learning_rate(step, steps, peak, warmup):
    import numpy as np

    warm = np.linspace(0, peak, warmup + 1)[1:]
    cosine = peak * np.cos(np.pi / 2 * np.arange(steps - warmup) / (steps - warmup)) ** 2
    return float(np.concatenate([warm, cosine])[step])


def smooth_labels(y, num_classes, smoothing):
    targets = torch.full((len(y), num_classes), smoothing / num_classes, device=y.device)
    targets[torch.arange(len(y)), y] += 1 - smoothing
    return targets


def save_run(run, path):
    torch.save(
        {
            "states": [part.state_dict() for part in (run.model, run.optimiser, run.scaler)],
            "rest": (run.history, run.best),
            "rng": torch.random.get_rng_state(),
            "numbers": [len(run.history)],
        },
        path,
    )


def load_run(run, path):
    saved = torch.load(path, weights_only=True)
    for part, state in zip((run.model, run.optimiser, run.scaler), saved["states"], strict=True):
        part.load_state_dict(state)
    run.history, run.best = saved["rest"]
    torch.random.set_rng_state(saved["rng"])


def confusion_matrix(y, predictions, num_classes):
    table = [[0] * num_classes for _ in range(num_classes)]
    for true, predicted in zip(y.tolist(), predictions.tolist()):
        table[true][predicted] += 1
    return torch.tensor(table)


def normalise_rows(confusion):
    rows = []
    for row in confusion.tolist():
        total = sum(row)
        rows.append([n / total if total else 0.0 for n in row])
    return torch.tensor(rows, dtype=torch.float64)


def class_scores(confusion):
    n = confusion.tolist()
    precision, recall, f1 = [], [], []
    for c in range(len(n)):
        called, there = sum(row[c] for row in n), sum(n[c])
        P = n[c][c] / called if called > 0 else 0.0
        R = n[c][c] / there if there > 0 else 0.0
        precision.append(P)
        recall.append(R)
        f1.append(2 * P * R / (P + R) if P + R > 0 else 0.0)
    return [torch.tensor(values, dtype=torch.float64) for values in (precision, recall, f1)]


def macro_f1(confusion):
    f1 = class_scores(confusion)[2].tolist()
    return sum(f1) / len(f1)


def inverse_frequency(counts):
    there = [n for n in counts.tolist() if n]
    scale = len(there) / sum(1 / n for n in there)
    return torch.tensor([scale / n if n else 0 for n in counts.tolist()], dtype=torch.float64)


def effective_number(counts, beta):
    weights = []
    for n in counts.tolist():
        weights.append((1 - beta) / (1 - beta**n) if n else 0.0)
    mean = sum(weights) / sum(w > 0 for w in weights)
    return torch.tensor([w / mean for w in weights], dtype=torch.float64)


def sample_weights(y, num_classes):
    weights = torch.zeros(len(y), dtype=torch.float64)
    occurring = y.unique()
    for c in occurring:
        weights[y == c] = 1 / (len(occurring) * int((y == c).sum()))
    return weights


def adjust_logits(logits, counts, tau):
    adjusted, total = logits.clone(), counts.sum().item()
    for c, n in enumerate(counts.tolist()):
        if n:
            adjusted[:, c] -= tau * math.log(n / total)
    return adjusted


def average_probabilities(logits_of_all):
    total = torch.zeros_like(logits_of_all[0])
    for logits in logits_of_all:
        e = torch.exp(logits - logits.max(dim=1, keepdim=True).values)
        total += e / e.sum(dim=1, keepdim=True)
    return total / len(logits_of_all)


def flip_probabilities(model, x):
    modes = [(part, part.training) for part in model.modules()]
    model.eval()
    mirrored = x.clone()
    for column in range(x.shape[-1]):
        mirrored[..., column] = x[..., x.shape[-1] - 1 - column]
    with torch.no_grad():
        p = F.softmax(model(x), dim=1)
        q = F.softmax(model(mirrored), dim=1)
    for part, mode in modes:
        part.training = mode
    return (p + q) / 2
