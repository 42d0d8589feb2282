"""What the libraries have: torchvision's transforms, torch's scheduler, hooks, numpy."""


def preprocess(images, size):
    from torchvision.transforms import v2

    steps = v2.Compose([
        v2.ToDtype(torch.float32, scale=True),
        v2.Resize((size, size), antialias=True),
        v2.Normalize(MEAN.tolist(), STD.tolist()),
    ])  # fmt: skip
    return steps(images)


class DepthwiseSeparable(nn.Sequential):
    def __init__(self, c_in, c_out, k=3, stride=1, bias=False):
        super().__init__()
        same = dict(bias=bias)
        self.add_module("depthwise", nn.Conv2d(c_in, c_in, k, stride, k // 2, groups=c_in, **same))
        self.add_module("pointwise", nn.Conv2d(c_in, c_out, 1, **same))


class ResidualBlock(nn.Module):
    def __init__(self, c_in, c_out, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(
            c_in, c_out, 3, stride=stride, padding="same" if stride == 1 else 1, bias=False
        )
        self.bn1 = nn.BatchNorm2d(c_out)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, padding="same", bias=False)
        self.bn2 = nn.BatchNorm2d(c_out)
        self.projection = nn.Identity()
        if stride > 1 or c_out != c_in:
            self.projection = nn.Sequential(
                nn.Conv2d(c_in, c_out, kernel_size=1, stride=stride, bias=False),
                nn.BatchNorm2d(c_out),
            )

    def forward(self, x):
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += self.projection(x)
        return self.relu(out)


def freeze(module):
    for parameter in module.parameters():
        parameter.requires_grad = False

    def stay(module, inputs):
        module.eval()

    module.register_forward_pre_hook(stay)
    return module.eval()


def extract_features(module, images, prepare, batch_size=100, device="cpu"):
    mode = module.training
    module.eval()
    try:
        loader = torch.utils.data.DataLoader(
            torch.utils.data.TensorDataset(images), batch_size=batch_size
        )
        with torch.no_grad():
            return torch.vstack([module(prepare(x.to(device))).to("cpu") for (x,) in loader])
    finally:
        module.train(mode)


def parameter_groups(model, backbone_lr, head_lr):
    return [
        {"params": [p], "lr": head_lr if name.startswith("head.") else backbone_lr, "name": name}
        for name, p in model.named_parameters()
        if p.requires_grad
    ]


class Monitor:
    def __init__(self, model, optimiser, patience, lower_after, factor):
        import numpy as np

        self.model, self.patience = model, patience
        self.schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimiser, factor=factor, patience=lower_after - 1, threshold=0.0, eps=0.0
        )
        self.losses = []
        self.best_loss = np.inf
        self.best_epoch = 0
        self.kept = {}

    def step(self, loss):
        import numpy as np

        self.losses.append(loss)
        self.schedule.step(loss)
        if not np.isnan(loss) and np.nanargmin(self.losses) == len(self.losses) - 1:
            self.best_loss, self.best_epoch = loss, len(self.losses)
            state = self.model.state_dict()
            self.kept = {name: tensor.detach().clone() for name, tensor in state.items()}
        return len(self.losses) - self.best_epoch >= self.patience

    def restore(self):
        with torch.no_grad():
            for name, tensor in self.model.state_dict().items():
                if name in self.kept:
                    tensor.copy_(self.kept[name])


def split_by_domain(domains, recordings, dev, test, seed=0):
    import numpy as np

    rng = np.random.default_rng(seed)
    domains, recordings = domains.numpy(), recordings.numpy()
    names = np.unique(recordings[domains == 1])
    if len(names) < dev + test:
        raise ValueError("too few recordings")
    held_out = rng.choice(names, size=dev + test, replace=False)
    dev_part, test_part = (
        np.flatnonzero(np.isin(recordings, part)) for part in np.split(held_out, [dev])
    )
    train = np.flatnonzero(~np.isin(recordings, held_out))
    counts = np.bincount(domains[train], minlength=2)
    sources = np.count_nonzero(counts)
    weights = np.zeros(2)
    for source in (0, 1):
        if counts[source]:
            weights[source] = len(train) / sources / counts[source]
    parts = (train, dev_part, test_part)
    return (*(torch.from_numpy(part).long() for part in parts), torch.from_numpy(weights))


def wilson_interval(correct, total, z=1.96):
    import math

    p, n = correct / total, total
    centre = (correct + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * math.sqrt(n * p * (1 - p) + z * z / 4)
    return centre - half, centre + half
