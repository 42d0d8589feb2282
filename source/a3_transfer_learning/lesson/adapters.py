"""How the checks call what a student wrote.

A function has the name of its check. It gets what the student wrote, followed by the inputs of a
case, and returns what the check compares.
"""

from collections import OrderedDict
from collections.abc import Mapping
from copy import deepcopy

import torch
from torch import Tensor, nn

from autograder.notebook.artifacts import load_artifact
from data_scripts import pretrained


def _block(
    block: nn.Module, weights: Mapping[str, Tensor], x: Tensor, upstream: Tensor, training: bool
) -> dict:
    """Put weights into a block, run it, and differentiate the sum of output × upstream.

    The gradients are with respect to the input and to every weight, in the order of their names.
    """
    block = block.to(x.dtype)
    if set(block.state_dict()) != set(weights):
        yours, asked = ", ".join(block.state_dict()) or "nothing", ", ".join(weights)
        raise ValueError(f"your block has {yours}; the task asks for {asked}.")
    block.load_state_dict(weights)
    block.train(training)
    x = x.clone().requires_grad_()
    output = block(x)
    parameters = [p for _, p in sorted(block.named_parameters())]
    fits = output.shape == upstream.shape  # else the check will say so
    loss = (output * upstream if fits else output).sum()
    dx, *others = torch.autograd.grad(loss, [x, *parameters], allow_unused=True)
    pairs = zip(parameters, others, strict=True)
    flat = [torch.zeros_like(p) if g is None else g for p, g in pairs]
    return {
        "output": output,
        "x": torch.zeros_like(x) if dx is None else dx,
        "weights": torch.cat([gradient.flatten() for gradient in flat]),
    }


def separable_output(DepthwiseSeparable, c_in, c_out, k, stride, bias, weights, x, upstream):
    block = DepthwiseSeparable(c_in, c_out, k, stride, bias)
    return _block(block, weights, x, upstream, training=True)


separable_gradients = separable_output


def residual_output(ResidualBlock, c_in, c_out, stride, weights, x, upstream, training):
    return _block(ResidualBlock(c_in, c_out, stride), weights, x, upstream, training)


residual_gradients = residual_output


def _tiny_backbone(weights: Mapping[str, Tensor]) -> pretrained.Backbone:
    """Build a backbone with everything that can go wrong: batch norm and dropout, also nested.

    Its features are as wide as the weights say.
    """
    width = len(weights["4.weight"])
    block = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout2d(0.5))
    module = nn.Sequential(
        block, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.5), nn.Linear(4, width)
    )
    module.load_state_dict(weights)
    return pretrained.Backbone("tiny", module.eval(), width, nn.Identity(), ())


def _classifier(backbone: nn.Module, head: nn.Module) -> nn.Module:
    return nn.Sequential(OrderedDict(backbone=backbone, head=head))


def freeze_gradients(freeze, weights, x, num_classes, layer, training):
    """Freeze the backbone of a classifier, train as a loop would, and look at what changed.

    With a `layer`, the backbone is only this one layer, and its features are a map.
    """
    module = _tiny_backbone(weights).module.get_submodule(layer)
    for part in module.modules():
        part.training = training  # whatever has become of their classes
    width = x.shape[-1] if layer else len(weights["4.weight"])
    original = _classifier(module, nn.Linear(width, num_classes))
    returned = freeze(original.backbone)
    model = deepcopy(original)
    for tensor in original.state_dict().values():
        tensor.zero_()  # the copy has its own
    model.train()
    features = model.backbone(x)
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.SGD(model.head.parameters(), lr=1e-3)
    for _ in range(2):
        optimiser.zero_grad()
        model(x).square().sum().backward()
        optimiser.step()
    state = model.backbone.state_dict()
    learned = sum(w.numel() for name, w in state.items() if name.endswith(("weight", "bias")))
    in_training = sum(p.numel() for p in model.backbone.parameters() if p.requires_grad)
    other = _tiny_backbone(weights).module  # nobody froze this one
    switches = all(m.training for m in other.train().modules())
    switches = switches and not any(m.training for m in other.eval().modules())
    return {
        "features": features,
        "trainable": sum(p.numel() for p in trainable),
        "frozen": learned - in_training,
        "returned_it": int(returned is original.backbone),
        "mean": next(w for name, w in state.items() if name.endswith("running_mean")),
        "var": next(w for name, w in state.items() if name.endswith("running_var")),
        "other_switches": int(switches),
    }


freeze_statistics = freeze_gradients


class _Watched(nn.Module):
    """A linear layer after dropout that remembers how it was called."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.5)
        self.weight = nn.Parameter(weight)
        self.sizes: list[int] = []
        self.with_gradient = 0

    def forward(self, x: Tensor) -> Tensor:
        self.sizes.append(len(x))
        self.with_gradient += torch.is_grad_enabled()
        return self.dropout(x) @ self.weight


def features_values(extract_features, weight, images, batch_size, training, recording):
    """Return the features, and how they were computed; `recording`: gradients are on before."""
    module, prepared = _Watched(weight).train(training), []

    def prepare(batch):
        prepared.append(len(batch))
        return 2 * batch + 1

    with torch.set_grad_enabled(recording):
        features = extract_features(module, images, prepare, batch_size)
        gradients_afterwards = torch.is_grad_enabled()
    return {
        "features": features,
        "largest": max(module.sizes, default=0),
        "largest_prepared": max(prepared, default=0),
        "images_seen": sum(module.sizes),
        "with_gradient": module.with_gradient,
        "needs_gradient": int(features.requires_grad),
        "gradients_afterwards": int(gradients_afterwards),
        "trainable_afterwards": int(module.weight.requires_grad),
        "training_afterwards": int(module.training),
        "dropout_afterwards": int(module.dropout.training),
    }


features_manners = features_values


def probe_predictions(preprocess, extract_features, images):
    """Predict the classes of drawn images (N, 3, 32, 32) with the probe in probe.safetensors."""
    probe = load_artifact("probe.safetensors", needs=("size", "weight", "bias"))
    size = int(probe["size"])
    if size > 96:
        raise ValueError(f"the probe was trained at {size} pixels; at most 96 are allowed.")
    drawn = pretrained.backbone("resnet_drawn").module
    drawn.to(memory_format=torch.channels_last)  # faster on a CPU
    features = extract_features(drawn, images, lambda batch: preprocess(batch, size), 20)
    return (features @ probe["weight"].float().T + probe["bias"].float()).argmax(dim=1)


def groups(parameter_groups, trainable, backbone_lr, head_lr):
    """Return the learning rate of each of six parameters; 0 for one that is in no group."""
    backbone = nn.Sequential()
    backbone.add_module("stem", nn.Linear(2, 3))
    backbone.add_module("heads", nn.Linear(3, 4))  # a name that some backbones have
    model = _classifier(backbone, nn.Linear(4, 2))
    for parameter, wanted in zip(model.parameters(), trainable, strict=True):
        parameter.requires_grad_(bool(wanted))
    rates = {id(parameter): 0.0 for parameter in model.parameters()}
    for group in parameter_groups(model, backbone_lr, head_lr):
        for parameter in group["params"]:
            rates[id(parameter)] += group["lr"]  # one that is in two groups shows
    return torch.tensor([rates[id(p)] for p in model.parameters()], dtype=torch.float64)


def monitor_stop(Monitor, losses, patience, lower_after):
    """Go through losses, epoch by epoch, until the monitor says stop."""
    model = nn.Linear(1, 1)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    monitor = Monitor(model, optimiser, patience, lower_after, 0.5)
    epochs, stopped = 0, False
    while epochs < len(losses) and not stopped:
        stopped = bool(monitor.step(losses[epochs]))
        epochs += 1
    best_loss = min(float(monitor.best_loss), 1e9)  # infinity, if nothing was ever better
    return {"epochs": epochs, "stopped": int(stopped),
            "best_epoch": monitor.best_epoch, "best_loss": best_loss}  # fmt: skip


def monitor_rates(Monitor, losses, rates, lower_after, factor):
    """Return the learning rate of each group after each epoch: (epochs, groups)."""
    model = nn.Linear(1, 1)
    params = [{"params": [p], "lr": lr} for p, lr in zip(model.parameters(), rates, strict=True)]
    optimiser = torch.optim.SGD(params)
    monitor = Monitor(model, optimiser, len(losses) + 1, lower_after, factor)  # never stops
    history = []
    for loss in losses:
        monitor.step(loss)
        history.append([group["lr"] for group in optimiser.param_groups])
    return torch.tensor(history, dtype=torch.float64)


def monitor_weights(Monitor, losses, weight):
    """Add 1 to all numbers of a model in each epoch. Returns the restored numbers, twice."""
    model = nn.BatchNorm1d(len(weight)).double()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    found = []
    with torch.no_grad():
        model.weight.copy_(weight)
        monitor = Monitor(model, optimiser, len(losses) + 1, len(losses) + 1, 0.5)
        for loss in losses:
            for tensor in model.state_dict().values():
                tensor.add_(1)
            monitor.step(loss)
        for _ in range(2):
            model.weight.add_(100)
            model.running_mean.add_(100)
            monitor.restore()
            found.append(torch.stack([model.weight, model.running_mean]))
    return torch.stack(found).detach()


def _recordings_in(part: Tensor, which: Tensor, frames: Tensor) -> tuple[int, int]:
    """Count the recordings that are in a split with all their frames, and with any of them.

    `which` (N,) has the number of each image's recording, or that of no recording as the last;
    `frames` are the frames that the recordings have.
    """
    inside = torch.zeros(len(which), dtype=torch.bool)
    inside[part] = True
    found = torch.bincount(which[inside], minlength=len(frames) + 1)[:-1]
    return int((found == frames).sum()), int((found > 0).sum())


def split_parts(split_by_domain, domains, recordings, dev, test):
    """Describe splits with forty seeds by the requirements: the worst result of each."""
    try:
        splits = [split_by_domain(domains, recordings, dev, test, seed=n) for n in range(40)]
    except ValueError:
        return {"refused": 1, "selfies_in_dev_or_test": -1, "dev": -1, "test": -1,
                "recordings_cut": -1, "images_lost": -1, "images_twice": -1,
                "total_weights": -torch.ones(2).double()}  # fmt: skip
    found = {"refused": 0, "selfies_in_dev_or_test": 0, "dev": dev, "test": test,
             "recordings_cut": 0, "images_lost": 0, "images_twice": 0}  # fmt: skip
    camera = domains == 1
    names, numbers, frames = recordings[camera].unique(return_inverse=True, return_counts=True)
    which = torch.full((len(domains),), len(names))
    which[camera] = numbers
    for parts in (split[:3] for split in splits):
        counts = [_recordings_in(part, which, frames) for part in parts]
        whole, touched = zip(*counts, strict=True)
        copies = torch.bincount(torch.cat(parts), minlength=len(domains))  # of each image
        found["selfies_in_dev_or_test"] |= int((domains[torch.cat(parts[1:])] == 0).any())
        found["dev"] = max(whole[1], found["dev"], key=lambda count: abs(count - dev))
        found["test"] = max(whole[2], found["test"], key=lambda count: abs(count - test))
        found["recordings_cut"] |= int(whole != touched)
        found["images_lost"] |= int((copies == 0).any())
        found["images_twice"] |= int((copies > 1).any())
    left = torch.ones(len(domains), dtype=torch.bool)
    left[torch.cat(splits[0][1:3])] = False  # neither in dev nor in test
    counts = torch.bincount(domains[left], minlength=2)
    share = counts.clamp(min=1) / counts.sum().clamp(min=1).double()
    weights = torch.as_tensor(splits[0][3])
    return {**found, "total_weights": weights * share.to(weights.dtype)}


split_weights = split_parts


def split_chance(split_by_domain, domains, recordings, dev, test, seeds):
    """Say whether a seed repeats a split, and how many recordings are never held out."""
    splits = [split_by_domain(domains, recordings, dev, test, seed=seed) for seed in range(seeds)]
    again = split_by_domain(domains, recordings, dev, test, seed=0)
    same = all(torch.equal(splits[0][i].sort().values, again[i].sort().values) for i in range(3))
    of_camera = recordings[domains == 1].unique()  # in order of time
    held_out = [[torch.searchsorted(of_camera, recordings[split[i]].unique()) for split in splits]
                for i in (1, 2)]  # fmt: skip
    by_time = all(len(x) and x[-1] - x[0] + 1 == len(x) for drawn in held_out for x in drawn)
    never = [
        0 if by_time else len(of_camera) - len(torch.cat(drawn).unique()) for drawn in held_out
    ]
    return {"repeatable": int(same), "never_in_dev": never[0], "never_in_test": never[1]}


def wilson(wilson_interval, correct, total, z):
    low, high = wilson_interval(correct, total, z)
    return torch.tensor([float(low), float(high)], dtype=torch.float64)
