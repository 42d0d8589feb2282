"""What the task's words allow as well: layers replaced, single precision, flags put back."""


def preprocess(images, size):
    x = images.double().div(255)
    x = (x - MEAN.double()[:, None, None]) / STD.double()[:, None, None]
    return F.interpolate(x, size=size, mode="bilinear", antialias=True).float()


def freeze(module):
    from torchvision.ops.misc import FrozenBatchNorm2d

    def replace(parent):
        for name, child in parent.named_children():
            if isinstance(child, nn.BatchNorm2d):
                still = FrozenBatchNorm2d(child.num_features, child.eps)
                still.load_state_dict(child.state_dict())
                setattr(parent, name, still)
            elif type(child).__name__.startswith("Dropout"):
                setattr(parent, name, nn.Identity())
            else:
                replace(child)

    module.requires_grad_(False)
    if not list(module.children()):  # a layer has no place in itself where another one could go
        module.register_forward_pre_hook(lambda layer, inputs: layer.eval() and None)
    replace(module)
    return module


def extract_features(module, images, prepare, batch_size=100, device="cpu"):
    modes = {part: part.training for part in module.modules()}
    recording = torch.is_grad_enabled()
    module.eval()
    torch.set_grad_enabled(False)
    out = None
    for rows in torch.arange(len(images)).split(batch_size):
        found = module(prepare(images[rows].to(device))).cpu()
        if out is None:
            out = found.new_empty(len(images), found.shape[1])
        out[rows] = found
    torch.set_grad_enabled(recording)
    for part, mode in modes.items():
        part.training = mode
    return out


class Monitor:
    def __init__(self, model, optimiser, patience, lower_after, factor):
        self.model, self.optimiser, self.losses = model, optimiser, []
        self.patience, self.lower_after, self.factor = patience, lower_after, factor
        self.first_rates = [group["lr"] for group in optimiser.param_groups]
        self.lowered, self.best = 0, None

    @property
    def best_epoch(self):
        best, found = float("inf"), 0
        for epoch, loss in enumerate(self.losses, start=1):
            if loss < best:
                best, found = loss, epoch
        return found

    @property
    def best_loss(self):
        return self.losses[self.best_epoch - 1] if self.best_epoch else torch.inf

    def step(self, loss):
        self.losses.append(loss)
        waited = len(self.losses) - self.best_epoch
        if not waited:
            self.best = deepcopy(self.model)
        elif not waited % self.lower_after:
            self.lowered += 1
        rates = zip(self.optimiser.param_groups, self.first_rates, strict=True)
        for group, rate in rates:
            group["lr"] = rate * self.factor**self.lowered
        return torch.tensor(waited >= self.patience)

    def restore(self):
        if self.best is not None:
            self.model.load_state_dict(self.best.state_dict())


def split_by_domain(domains, recordings, dev, test, seed=0):
    """Split by time: the latest recordings are the test, those before them dev."""
    names = sorted(set(recordings[domains == 1].tolist()))
    if len(names) < dev + test:
        raise ValueError(f"only {len(names)} recordings")
    cuts = len(names) - dev - test, len(names) - test
    train = torch.ones(len(domains), dtype=torch.bool)
    parts = []
    for chosen in (names[cuts[0] : cuts[1]], names[cuts[1] :]):
        inside = torch.tensor([number in chosen for number in recordings.tolist()])
        parts.append(torch.where(inside)[0])
        train[inside] = False
    counts = torch.bincount(domains[train], minlength=2).double()
    weights = counts.sum() / (counts > 0).sum() / counts
    return torch.where(train)[0], *parts, weights.nan_to_num(nan=0.0, posinf=0.0)


def wilson_interval(correct, total, z=1.96):
    rate = torch.tensor(correct / total)  # float32
    half = z * torch.sqrt(rate * (1 - rate) / total + z**2 / (4 * total**2))
    middle, scale = rate + z**2 / (2 * total), 1 + z**2 / total
    return (middle - half) / scale, (middle + half) / scale
