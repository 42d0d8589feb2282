"""Loops, counters and one thing after the other."""

import torch


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
    scores = [torch.tensor(values, dtype=torch.float64) for values in (precision, recall, f1)]
    return [*scores, sum(f1) / len(f1)]


def balanced_weights(y, num_classes):
    occurring = y.unique().tolist()
    n = {c: int((y == c).sum()) for c in occurring}
    scale = len(occurring) / sum(1 / n[c] for c in occurring)
    class_weights = torch.zeros(num_classes, dtype=torch.float64)
    sample_weights = torch.zeros(len(y), dtype=torch.float64)
    for c in occurring:
        class_weights[c] = scale / n[c]
        sample_weights[y == c] = 1 / (len(occurring) * n[c])
    return class_weights, sample_weights


def adjust_logits(logits, counts, tau):
    import math

    adjusted, total = logits.clone(), counts.sum().item()
    for c, n in enumerate(counts.tolist()):
        if n:
            adjusted[:, c] -= tau * math.log(n / total)
    return adjusted


def average_probabilities(models, x):
    mirrored = x.clone()
    for column in range(x.shape[-1]):
        mirrored[..., column] = x[..., x.shape[-1] - 1 - column]
    total = 0
    for model in models:
        modes = [(part, part.training) for part in model.modules()]
        model.eval()
        with torch.no_grad():
            for images in (x, mirrored):
                logits = model(images)
                e = torch.exp(logits - logits.max(dim=1, keepdim=True).values)
                total = total + e / e.sum(dim=1, keepdim=True)
        for part, mode in modes:
            part.training = mode
    return total / (2 * len(models))
