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


class EarlyStopping:
    def __init__(self, patience, min_delta=0.0):
        self.patience, self.min_delta, self.losses = patience, min_delta, []

    @property
    def best_epoch(self):
        best, found = float("inf"), 0
        for epoch, loss in enumerate(self.losses, start=1):
            if loss < best - self.min_delta:
                best, found = loss, epoch
        return found

    @property
    def best_loss(self):
        return self.losses[self.best_epoch - 1] if self.best_epoch else torch.inf

    def step(self, loss):
        self.losses.append(loss)
        return torch.tensor(len(self.losses) - self.best_epoch >= self.patience)


class BestCheckpoint:
    def __init__(self):
        self.best, self.loss = None, torch.inf

    def update(self, loss, model):
        if loss < self.loss:
            self.best, self.loss = deepcopy(model), loss

    def restore(self, model):
        if self.best is not None:
            model.load_state_dict(self.best.state_dict())


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
