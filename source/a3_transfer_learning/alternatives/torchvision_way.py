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


def separable_parameters(c_in, c_out, k, bias):
    block = DepthwiseSeparable(c_in, c_out, k, bias=bias)
    return sum(p.numel() for p in block.parameters())


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


def residual_parameters(c_in, c_out, stride):
    return sum(p.numel() for p in ResidualBlock(c_in, c_out, stride).parameters())


def make_classifier(backbone, num_classes):
    from copy import deepcopy

    head = nn.Linear(in_features=backbone.width, out_features=num_classes)
    nn.init.zeros_(head.bias)
    return Classifier(backbone=deepcopy(backbone.module), head=head)


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


class EarlyStopping:
    def __init__(self, patience, min_delta=0.0):
        import math

        self.patience = patience
        self.min_delta = min_delta
        self.losses = []
        self.best_loss = math.inf
        self.best_epoch = 0
        self.bad = 0

    def step(self, loss):
        import numpy as np

        self.losses.append(loss)
        if not np.isnan(loss) and self.best_loss - loss > self.min_delta:
            self.best_loss = loss
            self.best_epoch = len(self.losses)
            self.bad = 0
        else:
            self.bad += 1
        return self.bad >= self.patience


class ReduceOnPlateau(torch.optim.lr_scheduler.ReduceLROnPlateau):
    def __init__(self, optimiser, factor, patience, min_delta=0.0, min_lr=0.0):
        super().__init__(
            optimiser,
            factor=factor,
            patience=patience - 1,
            threshold=min_delta,
            threshold_mode="abs",
            min_lr=min_lr,
        )


class BestCheckpoint:
    def __init__(self):
        self.kept = {}
        self.loss = None

    def update(self, loss, model):
        import math

        if math.isnan(loss) or (self.loss is not None and loss >= self.loss):
            return
        self.loss = loss
        self.kept = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}

    def restore(self, model):
        with torch.no_grad():
            for name, tensor in model.state_dict().items():
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
