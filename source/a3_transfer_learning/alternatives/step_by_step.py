"""Loops and if's, by somebody who comes from another language."""


def preprocess(images, size):
    out = torch.empty(len(images), 3, size, size, device=images.device)
    for i, image in enumerate(images):
        big = F.interpolate(
            image[None] / 255.0, [size, size], mode="bilinear", align_corners=False, antialias=True
        )
        for c in range(3):
            out[i, c] = (big[0, c] - MEAN[c].item()) / STD[c].item()
    return out


class DepthwiseSeparable(nn.Module):
    def __init__(self, c_in, c_out, k=3, stride=1, bias=False):
        super().__init__()
        self.depthwise = nn.Conv2d(
            in_channels=c_in, out_channels=c_in, kernel_size=k, stride=stride,
            padding=(k - 1) // 2, groups=c_in, bias=bias,
        )  # fmt: skip
        self.pointwise = nn.Conv2d(c_in, c_out, kernel_size=1, bias=bias)

    def forward(self, x):
        x = self.depthwise(x)
        x = self.pointwise(x)
        return x


class ResidualBlock(nn.Module):
    def __init__(self, c_in, c_out, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(c_out)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(c_out)
        self.needs_projection = stride != 1 or c_in != c_out
        if self.needs_projection:
            self.projection = nn.Sequential(
                nn.Conv2d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm2d(c_out)
            )

    def forward(self, x):
        shortcut = x
        if self.needs_projection:
            shortcut = self.projection(x)
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.bn2(self.conv2(x))
        return F.relu(x + shortcut)


def freeze(module):
    def train(self, mode=True):
        for child in self.modules():
            child.training = False
        return self

    class Frozen(type(module)):
        pass

    Frozen.train = train
    module.__class__ = Frozen
    module.train()
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    return module


def extract_features(module, images, prepare, batch_size=100, device="cpu"):
    before = module.training
    module.eval()
    rows = []
    start = 0
    while start < len(images):
        batch = images[start : start + batch_size].to(device)
        with torch.inference_mode():
            for row in module(prepare(batch)):
                rows.append(row.cpu().clone())
        start = start + batch_size
    if before:
        module.train()
    return torch.stack(rows)


def parameter_groups(model, backbone_lr, head_lr):
    groups = []
    for part, lr in [(model.head, head_lr), (model.backbone, backbone_lr)]:
        chosen = []
        for parameter in part.parameters():
            if parameter.requires_grad:
                chosen.append(parameter)
        if chosen:
            groups.append({"params": chosen, "lr": lr})
    return groups


class Monitor:
    def __init__(self, model, optimiser, patience, lower_after, factor):
        self.model = model
        self.optimiser = optimiser
        self.patience = patience
        self.lower_after = lower_after
        self.factor = factor
        self.epoch = 0
        self.count = 0
        self.count_for_rate = 0
        self.best_loss = float("inf")
        self.best_epoch = 0
        self.bytes = None

    def step(self, loss):
        import io

        self.epoch = self.epoch + 1
        if loss < self.best_loss:
            self.best_loss = loss
            self.best_epoch = self.epoch
            self.count = 0
            self.count_for_rate = 0
            self.bytes = io.BytesIO()
            torch.save(self.model.state_dict(), self.bytes)
            return False
        self.count = self.count + 1
        self.count_for_rate = self.count_for_rate + 1
        if self.count_for_rate == self.lower_after:
            self.count_for_rate = 0
            for i in range(len(self.optimiser.param_groups)):
                new = self.optimiser.param_groups[i]["lr"] * self.factor
                self.optimiser.param_groups[i]["lr"] = new
        return not self.count < self.patience

    def restore(self):
        if self.bytes is not None:
            self.bytes.seek(0)
            self.model.load_state_dict(torch.load(self.bytes))


def split_by_domain(domains, recordings, dev, test, seed=0):
    import random

    frames, train = {}, []
    for i, (domain, recording) in enumerate(
        zip(domains.tolist(), recordings.tolist(), strict=True)
    ):
        if domain == 1:
            frames.setdefault(recording, []).append(i)
        else:
            train.append(i)
    camera = list(frames)
    if dev + test > len(camera):
        raise ValueError(f"{dev} + {test} recordings are wanted, the camera has {len(camera)}")
    random.Random(seed).shuffle(camera)

    def images_of(chosen):
        return [i for recording in chosen for i in frames[recording]]

    n_selfies, rest = len(train), images_of(camera[dev + test :])
    train += rest
    n, n_rest = len(train), len(rest)
    if n_selfies == 0 or n_rest == 0:
        weights = [float(n_selfies > 0), float(n_rest > 0)]
    else:
        weights = [n / 2 / n_selfies, n / 2 / n_rest]

    def as_index(part):
        return torch.tensor(part, dtype=torch.int64)

    return (
        as_index(train), as_index(images_of(camera[:dev])),
        as_index(images_of(camera[dev : dev + test])), torch.tensor(weights, dtype=torch.float64),
    )  # fmt: skip


def wilson_interval(correct, total, z=1.96):
    p = torch.tensor(correct / total, dtype=torch.float64)
    first = p + z**2 / (2 * total)
    root = torch.sqrt(p * (1 - p) / total + z**2 / (4 * total**2))
    return (first - z * root) / (1 + z**2 / total), (first + z * root) / (1 + z**2 / total)
