"""How the checks call what a student wrote.

A function has the name of its check. It gets what the student wrote, followed by the inputs of a
case, and returns what the check compares.
"""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.overrides import TorchFunctionMode

from autograder.assignments.a4_facial_expression.lesson.training import Run, fit, normalise
from autograder.notebook.artifacts import load_artifact

# How a network is built, and how it behaves in both modes


class _Undrawn(TorchFunctionMode):
    """While it is on, matrices and filters are not drawn: forty million numbers take too long."""

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        """Call a function, or leave a matrix as it is."""
        given = *args, *(kwargs or {}).values()
        if getattr(func, "__module__", "") == "torch.nn.init" and given[0].dim() > 1:
            return given[0]
        return func(*args, **(kwargs or {}))


@lru_cache(maxsize=1)
@torch.no_grad()
def _built(network: type) -> nn.Module:
    """Build the network of a class, once, in evaluation mode."""
    with _Undrawn():
        model = network().eval()
        model(torch.zeros(1, 1, 64, 64))  # a lazy layer learns its shape
    return model


@torch.no_grad()
def _filled(model: nn.Module, sequence: torch.Tensor) -> nn.Module:
    """Fill a network with numbers of a sequence (L,), by type and shape; evaluation mode."""
    torch.manual_seed(0)  # what is dropped does not depend on what was computed before
    for name, values in model.eval().state_dict().items():
        C, kind = len(values) if values.dim() else 0, name.rsplit(".", 1)[-1]
        if values.dim() > 1:  # row k of a matrix, or filter k, is sequence[k : k + fan_in]
            fan_in = values[0].numel()
            rows = (sequence * fan_in**-0.5).unfold(0, fan_in, 1)[:C]
            values.copy_(rows.view(values.shape))
        elif kind == "weight":
            values.copy_(sequence.flip(0)[:C])
        elif kind == "bias":
            values.copy_(0.3 * sequence[C : 2 * C])
        elif kind == "running_mean":
            values.copy_(0.5 * sequence[2 * C : 3 * C])
        elif kind == "running_var":
            values.copy_(0.5 + sequence[3 * C : 4 * C] ** 2)
    return model


@torch.no_grad()
def report_cnn_output(ReportCNN, sequence, images):
    """Compute the logits of images by a network that is _filled with numbers of a sequence."""
    return _filled(_built(ReportCNN), sequence)(images)


def _agree(one: torch.Tensor, other: torch.Tensor) -> int:
    """Say whether two results are equal, up to rounding in float32."""
    return int(torch.allclose(one, other, rtol=1e-3, atol=1e-4))


def _without_gradient(
    model: nn.Module, images: torch.Tensor, known: Iterable[torch.Tensor] = ()
) -> list[bool]:
    """Say for each parameter whether the output does not depend on it; of those known, it does."""
    there = set(map(id, known))
    others = [p for p in model.parameters() if id(p) not in there]
    loss = model(images).square().sum()
    found = torch.autograd.grad(loss, others, allow_unused=True)
    return [gradient is None or not _is_there(gradient) for gradient in found]


def _is_there(gradient: torch.Tensor) -> bool:
    """Say whether any number of a gradient is not 0; most often, one of the first is not."""
    return bool(gradient.flatten()[:1000].any() or gradient.any())


def _look_at_head(
    model: Any, maps: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, list[torch.Tensor]]:
    """Measure the share of inputs that each linear layer of the head misses while training.

    And how its activations slope: 0 not at all, 1 all alike, 2 each value at random. Returns the
    matrices that its output depends on, too.
    """
    matrices = [p for p in model.head.parameters() if p.dim() == 2]
    matrices.sort(key=torch.numel, reverse=True)  # in whatever order they were defined
    by_width = {len(p): p for p in model.head.parameters() if p.dim() == 1}
    biases = [by_width[len(m)] for m in matrices if len(m) in by_width]
    gradients = torch.autograd.grad(model.head.train()(maps).sum(), matrices + biases)
    model.head.eval()
    of_matrices, of_biases = gradients[: len(matrices)], gradients[len(matrices) :]
    used = [m for m, gradient in zip(matrices, of_matrices, strict=True) if _is_there(gradient)]
    missing = [~gradient[:64].any(dim=0) for gradient in of_matrices]  # a dropped one's column is 0
    dropped = torch.tensor([share.double().mean().item() for share in missing])
    slopes = []
    if len(biases) == len(matrices):
        layers = zip(of_biases, matrices[1:], of_biases[1:], strict=False)
        slopes = [_kinds_of_slopes(*layer) for layer in layers]
    return dropped, torch.tensor(slopes, dtype=torch.int16), used


def _kinds_of_slopes(before: torch.Tensor, matrix: torch.Tensor, after: torch.Tensor) -> int:
    """Say how the activation in front of a matrix slopes, given the gradients of two biases.

    What the matrix sends back is multiplied by the slope (1 where positive) and by dropout.
    """
    back = after @ matrix
    clear = back.abs() > 0.05 * back.abs().max()
    found = (before / back)[clear]
    found = found[(found > 0.01) & (found < 0.9)].round(decimals=2).unique()
    return min(len(found), 1) + int(len(found) > 5)


def _running_statistics(block: nn.Module) -> torch.Tensor:
    """Copy the running means of a block."""
    found = [b.flatten() for name, b in block.named_buffers() if name.endswith("running_mean")]
    return torch.cat([*found, torch.zeros(1)])


def _momentum(states: list[torch.Tensor]) -> float:
    """Find by what part running statistics move in a step, from three states, one a step apart."""
    first, second = (b - a for a, b in pairwise(states))
    return 1 - (second.norm() / first.norm()).item() if first.any() else 0.0


def report_cnn_structure(ReportCNN, sequence, images):
    """Return how the network is _built, and how it behaves in both modes."""
    model: Any = _filled(_built(ReportCNN), sequence)
    shapes, dropped, moved, slopes, whole_maps = [], [], [], 0, 0
    with torch.no_grad():
        logits = model(images)
        alone = _agree(torch.cat([model(image[None]) for image in images]), logits)
        same = alone or _agree(model(images), logits)
        x = images
        for block in model.blocks:
            block.train()
            states = [_running_statistics(block)]
            once = block(x)
            states.append(_running_statistics(block))
            again = block(x)
            moved.append(_momentum([*states, _running_statistics(block)]))
            there = once != 0
            dropped.append((again[there] == 0).double().mean().item())
            if not shapes:
                negative = (once < 0) & (again < 0)
                drawn = once[negative] != again[negative]
                slopes = int(negative.any()) + int(drawn.double().mean() > 0.9)
                whole_maps = int((~again.flatten(2).any(dim=2) & there.flatten(2).any(dim=2)).sum())
            shapes.append(list(once.shape[1:]))
            x = block.eval()(x)
    dropped_in_head, slopes_in_head, used = _look_at_head(model, torch.ones_like(x[:1]))
    return {
        "parameters": torch.tensor(sum(p.numel() for p in model.parameters())),
        "shapes": torch.tensor(shapes, dtype=torch.int16),
        "same_answer_twice": same,
        "image_for_itself": alone,
        "dropped_in_blocks": (20 * torch.tensor(dropped)).round() / 20,  # to the nearest 5 %
        "no_whole_maps": int(whole_maps == 0),
        "slopes": slopes,  # of the first block: 0 none, 1 fixed, 2 random
        "dropped_in_head": (10 * dropped_in_head).round() / 10,
        "slopes_in_head": slopes_in_head,  # of its three activations, in the same way
        "momentum": torch.tensor(moved).round(decimals=3),  # of the batch norms
        "without_gradient": sum(_without_gradient(model, images[:1], used)),
    }


@torch.no_grad()
def _disturb(model: nn.Module, begin: list[torch.Tensor], strength: float) -> None:
    """Move parameters from where they began: a 0 that was set on purpose is no mistake."""
    for parameter, value in zip(model.parameters(), begin, strict=True):
        spread = 0.02 + strength * value.std(correction=0)
        parameter.copy_(value + spread * torch.randn_like(value))


def small_cnn(SmallCNN, images):
    """Say whether the network keeps the rules, for normalised images (N, 1, 48, 48)."""
    model: Any = SmallCNN().eval()
    unused, outputs = [], []
    with torch.no_grad():
        model(images)  # a lazy layer learns its shape
    begin = [parameter.detach().clone() for parameter in model.parameters()]
    while len(outputs) < 2 or (any(unused) and len(outputs) < 15):  # by chance, a unit may be dead
        _disturb(model, begin, strength=1.0)
        here = _without_gradient(model, images[:2])
        unused = [*map(all, zip(unused, here, strict=True))] if outputs else here
        outputs.append(model(images).detach())
    _disturb(model, begin, strength=0.0)
    outputs.append(model(images).detach())
    with torch.no_grad():
        logits, maps = outputs[-1], model.features(images)
        alone = _agree(torch.cat([model(image[None]) for image in images]), logits)
        same = alone or _agree(model(images), logits)
        composed = _agree(model.head(maps), logits)
    outputs = torch.cat(outputs)
    are_logarithms = (outputs.exp().sum(dim=1) - 1).abs().max() < 1e-4
    return {
        "shape": torch.tensor(logits.shape),
        "finite": int(logits.isfinite().all()),
        "within_budget": int(sum(p.numel() for p in model.parameters()) <= 300_000),
        "maps_with_places": int(maps.dim() == 4 and min(maps.shape[-2:]) >= 3),
        "head_of_features": composed,
        "same_answer_twice": same,
        "image_for_itself": alone,
        "logits": int(outputs.min() < 0 and not are_logarithms),
        "without_gradient": sum(unused),
    }


# What an augmentation does, by its statistics on ramps and on a flat grey image


def _slopes(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Measure how images (T, 1, 48, 48) rise in the middle: to the right, and downwards."""
    middle = F.avg_pool2d(images[:, 0, 8:-8, 8:-8], 5, stride=1)  # (T, 28, 28), less noisy
    return middle[:, :, 8:] - middle[:, :, :-8], middle[:, 8:] - middle[:, :-8]


def _median(values: torch.Tensor) -> torch.Tensor:
    """Compute the _median of each image."""
    return values.flatten(1).median(dim=1).values


def _perspective(rise: torch.Tensor) -> torch.Tensor:
    """Measure for each ramp how its _slopes (T, 28, 20) differ between its halves."""
    rise = rise.abs()
    halves = (rise[:, :14], rise[:, 14:]), (rise[:, :, :10], rise[:, :, 10:])
    ratios = [(_median(one) / _median(other)).log().abs() for one, other in halves]
    return torch.maximum(*ratios)


def _seeded(make_augmentation: Callable, seed: int, probes: torch.Tensor) -> torch.Tensor:
    """Augment with the random numbers of a seed."""
    torch.manual_seed(seed)
    return make_augmentation()(probes)


def _what_flat_images_show(
    images: torch.Tensor, grey: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Measure for each flat image (T, 1, 48, 48) how its middle, of 576 pixels, differs from grey.

    The darkest place of 5 x 5 pixels, the number of dark pixels, and the strength of the noise.
    """
    middle = images[:, 0, 12:-12, 12:-12]
    darkest = F.avg_pool2d(middle, 5, stride=1).flatten(1).amin(dim=1)
    dark = (middle < grey / 2).flatten(1).sum(dim=1)
    noise = 1.48 * _median((middle - _median(middle)[:, None, None]).abs())  # standard deviation
    return darkest, dark, noise


def _undisturbed(ramps: torch.Tensor) -> torch.Tensor:
    """Say for each ramp (T, 1, 48, 48) whether its middle has neither noise nor a dark patch."""
    middle = ramps[:, 0, 12:-12, 12:-12]
    rough = _median((middle[:, 1:-1, 1:-1] - F.avg_pool2d(middle, 3, stride=1)).abs())
    return (rough < 5e-3) & ((middle < 0.1).flatten(1).sum(dim=1) < 5)


def _at_least(values: torch.Tensor) -> torch.Tensor:
    """Compute a lower bound of the mean of random values, wrong once in 30,000 times."""
    return values.mean() - 4 * values.std() / len(values) ** 0.5


def _share_of(which: torch.Tensor) -> float:
    """Compute the share of what is true, 0 of nothing."""
    return which.double().sum().item() / max(len(which), 1)


def augmentation_statistics(make_augmentation, probes, calls):
    """Describe an augmentation by its statistics on ramps to the right and downwards, and grey."""
    augmentation = make_augmentation()
    outputs = [augmentation(probes) for _ in range(calls)]
    if outputs[0].shape != probes.shape or outputs[0].dtype != probes.dtype:
        raise ValueError(f"the result is {tuple(outputs[0].shape)} of {outputs[0].dtype}")
    outputs = torch.stack(outputs)
    lowest, highest = outputs.aminmax()
    to_the_right, downwards, flat = outputs.unbind(dim=1)
    grey = probes[2].mean()
    darkest, dark, noise = _what_flat_images_show(flat, grey)
    patch, noisy = darkest < grey - 0.12, noise > 1.5e-3
    clean = [~patch & ~noisy & _undisturbed(ramps) for ramps in (to_the_right, downwards)]
    few = min(map(sum, clean)) < 60  # too often noise or patches: nothing can be said about others
    rise, _ = _slopes(to_the_right)
    mirrored = _share_of(_median(rise) < 0)
    strengths = _perspective(rise)[clean[0]]
    seen = strengths[strengths > 0.01]
    right, down = map(_median, _slopes(downwards))
    turned = torch.atan2(right, down).rad2deg()
    angle = turned.abs()
    tilt = torch.minimum(angle, 180 - angle)[clean[1] | few]  # upside down or not
    largest = tilt.quantile(0.95)
    results = [_seeded(make_augmentation, seed, probes) for seed in (1, 1, *range(2, 12))]
    others = [not torch.equal(results[0], result) for result in results[2:]]
    return {
        "mirrored_half": int(mirrored > 0.35) + int(mirrored > 0.65),  # 0 never, 1 half, 2 always
        "upside_down": int(_share_of(angle > 135) > 0.1),
        "turned_far": int(largest > 35),
        "rotated": int(min(_share_of(turned > 6), _share_of(turned < -6)) > 0.05),  # to both sides
        "turned_enough": int(largest > 8.6),
        "all_are_rotated": int(_share_of(tilt < 0.5) < 0.15),
        "perspective": int(few or len(seen) > 0.04 * len(strengths)),
        "perspective_too_strong": int(len(seen) > 9 and _at_least(seen) > 0.064),
        "noise": int(_share_of(noisy) > 0.12),
        "noise_too_often": int(_share_of(noisy) > 0.65),
        "noise_too_strong": int(_share_of(noise[noisy] > 0.13) > 0.5),
        "erased": int(_share_of(patch) > 0.04),
        "erased_too_often": int(_share_of(patch) > 0.6),
        "patches_too_large": int(_share_of(dark[patch] > 270) > 0.02),
        "patches_are_black": int(darkest.min() < 0.15),
        "values_in_0_1": int(lowest > -1e-4 and highest < 1 + 1e-4),
        "same_seed_same_result": int(torch.equal(results[0], results[1])),
        "other_seeds_differ": int(sum(others) > 5),
    }


# Training runs whose connection is lost, and what is the same after they resume


class _Disconnected(Exception):
    """The connection is lost."""


class _Code:
    """Code in a file: reading it back makes a folder."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple:
        """Say how to read it back."""
        return os.mkdir, (self.folder,)


def _refuses_code(load_run: Callable, folder: str) -> int:
    """Say whether load_run refuses a file that has code in it."""
    path, trace = Path(folder, "code.pt"), Path(folder, "code_ran")
    torch.save(_Code(str(trace)), path)
    with suppress(Exception):
        load_run(Run(nn.Linear(2, 3)), path)
    return int(not trace.exists())


def _in_sessions(
    save_run: Callable,
    load_run: Callable,
    x: torch.Tensor,
    y: torch.Tensor,
    scores: list[float],
    epochs: int,
    patience: int,
    lost_in: list[int],
    folder: str,
) -> tuple[Any, list[int]]:
    """Fit a small network to x, y; each lost connection begins a new session."""
    trained, path = [], Path(folder, "run.pt")
    for session, lost in enumerate([*lost_in, None]):
        torch.manual_seed(10 + session)
        before, path = path, Path(folder, f"{session}", "run.pt")
        path.parent.mkdir()
        if before.exists():
            before.rename(path)
        layers = nn.Linear(x.shape[1], 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.5)
        run = Run(nn.Sequential(*layers, nn.Linear(6, 3)).to(x.dtype))
        run.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=5)

        def one_epoch(run: Any, epoch: int, lost: int | None = lost) -> dict[str, float]:
            for number, rows in enumerate(torch.randperm(len(x)).split(4)):
                if epoch == lost and number == 1:
                    raise _Disconnected
                run.optimiser.zero_grad()
                loss = F.cross_entropy(run.model.train()(x[rows]), y[rows])
                run.scaler.scale(loss).backward()
                run.scaler.step(run.optimiser)
                run.scaler.update()
            trained.append(epoch)
            return {"score": scores[epoch], "random": torch.rand(()).item()}

        with suppress(_Disconnected):
            fit(run, one_epoch, epochs, patience, path, save_run, load_run)
    return run, trained


def _keep_nothing(_run: Run, _path: Path) -> None:
    """Save nothing: nothing gets lost in the run that the others are compared with."""


def fit_resumes(save_run, load_run, x, y, scores, epochs, patience, lost_in, ends=0):
    """Say whether lost connections change the result of a training run.

    `ends` more sessions begin after the last epoch.
    """
    settings = x, y, scores, epochs, patience
    lost_in = [*lost_in, *[-1] * ends]
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        whole, _ = _in_sessions(_keep_nothing, load_run, *settings, [], one)
        run, trained = _in_sessions(save_run, load_run, *settings, lost_in, other)
        refused = _refuses_code(load_run, other)

    def same(values: Callable[[nn.Module], Iterable[torch.Tensor]]) -> int:
        pairs = zip(values(whole.model), values(run.model), strict=True)
        return int(all(torch.equal(a, b) for a, b in pairs))

    states = run.optimiser.state_dict()["state"].values()
    return {
        "epochs": trained,
        "steps": max((int(state["step"]) for state in states), default=0),
        "same_parameters": same(nn.Module.parameters),
        "same_statistics": same(nn.Module.buffers),
        "same_scores": int(
            [h["score"] for h in run.history] == [h["score"] for h in whole.history]
        ),
        "same_random_numbers": int(run.history == whole.history),
        "best_epoch": run.best["epoch"],
        "same_scaler": int(run.scaler.state_dict() == whole.scaler.state_dict()),
        "refuses_code": refused,
    }


# What accuracy hides, several opinions


def class_score_values(class_scores, confusion):
    """Name the four things."""
    names = ("precision", "recall", "F1", "macro-F1")
    return dict(zip(names, class_scores(confusion), strict=True))


def opinion_values(average_probabilities, weights, x, training):
    """Average over small networks with weights (M, ...): the result, and how they are left."""
    models = [
        _small_net({key: w[m] for key, w in weights.items()}).train(bool(mode))
        for m, mode in enumerate(training)
    ]
    probabilities = average_probabilities(models, x)
    gradients_afterwards = torch.is_grad_enabled()
    torch.set_grad_enabled(True)
    modes = [[model.training, model[3].training] for model in models]
    return {
        "probabilities": probabilities,
        "needs_gradient": int(probabilities.requires_grad),
        "gradients_afterwards": int(gradients_afterwards),
        "training_afterwards": torch.tensor([mode for mode, _ in modes], dtype=torch.int16),
        "dropout_afterwards": torch.tensor([mode for _, mode in modes], dtype=torch.int16),
        "running_means": torch.stack([model[1].running_mean for model in models]),
    }


def _small_net(weights: dict[str, torch.Tensor]) -> nn.Sequential:
    """Build a convolution, a batch norm, dropout and a linear layer, with these weights."""
    maps, classes = len(weights["0.weight"]), len(weights["5.bias"])
    model = nn.Sequential(
        nn.Conv2d(1, maps, 3), nn.BatchNorm2d(maps), nn.Tanh(), nn.Dropout(0.5), nn.Flatten(),
        nn.Linear(weights["5.weight"].shape[1], classes),
    ).to(weights["5.bias"].dtype)  # fmt: skip
    model.load_state_dict(weights)
    return model


# The maps that explain a tiny network with given weights, and what they leave behind


class _TinyNet(nn.Module):
    """One convolution and two linear layers, with given weights."""

    def __init__(self, weights: dict[str, torch.Tensor]) -> None:
        super().__init__()
        K, C = len(weights["features.0.bias"]), len(weights["head.4.bias"])
        width, inputs = weights["head.1.weight"].shape
        convolution, norm = nn.Conv2d(1, K, 3, padding=1), nn.BatchNorm2d(K)
        self.features = nn.Sequential(
            convolution, norm, nn.ReLU(), nn.AvgPool2d(2), nn.Dropout(0.5)
        )
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear(inputs, width), nn.Tanh(), nn.Dropout(0.5), nn.Linear(width, C)
        )
        self.to(weights["head.4.bias"].dtype).load_state_dict(weights)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute the logits of images."""
        what_was_found = self.features(x)
        return self.head(what_was_found)


def grad_cam_values(grad_cam, weights, x, classes, training):
    """Return the maps of a function for a tiny network, and what it left behind."""
    model = _TinyNet(weights).train(training)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    maps = grad_cam(model, x, classes)
    gradients = [p.grad is not None and bool((p.grad == 1).all()) for p in model.parameters()]
    gradients += [p.requires_grad for p in model.parameters()]
    state = model.state_dict()
    return {
        "maps": maps,
        "training_afterwards": int(model.training),
        "dropout_afterwards": int(model.head[3].training),
        "needs_gradient": int(maps.requires_grad) + int(x.requires_grad or x.grad is not None),
        "gradients_untouched": int(all(gradients)),
        "state_untouched": int(all(torch.equal(state[name], w) for name, w in weights.items())),
    }


# The network that is handed in


def _handed_in(SmallCNN):
    """Load SmallCNN, the class counts and tau from faces_net.safetensors."""
    saved = load_artifact("faces_net.safetensors", needs=("counts", "tau"))
    model, image = SmallCNN().eval(), torch.zeros(1, 1, 48, 48)
    model(image)  # a lazy layer learns its shape
    try:  # takes half the time on a CPU
        model.to(memory_format=torch.channels_last)(image)
    except RuntimeError:  # it calls view
        model.to(memory_format=torch.contiguous_format)
    if sum(p.numel() for p in model.parameters()) > 300_000:
        raise ValueError("SmallCNN has more than 300,000 parameters.")
    weights = {key.removeprefix("net."): w for key, w in saved.items() if key.startswith("net.")}
    try:
        model.load_state_dict(weights)  # from half to single precision
    except RuntimeError:
        raise ValueError(
            "faces_net.safetensors is of another SmallCNN than the notebook's: run the cell that "
            "trains it, and hand it in."
        ) from None
    return model, saved["counts"], saved["tau"].item()


def _log_probabilities(model, average_probabilities, images):
    """Compute the log-probabilities (N, C) of images, uint8, by two looks at each."""
    batches = (normalise(x.float() / 255) for x in images.split(50))
    return torch.cat([average_probabilities([model], x) for x in batches]).log()


def faces_accuracy(SmallCNN, average_probabilities, images):
    """Predict the expressions of faces (N, 1, 48, 48), uint8: the most probable ones."""
    model, _, _ = _handed_in(SmallCNN)
    return _log_probabilities(model, average_probabilities, images).argmax(dim=1)


def faces_macro_f1(SmallCNN, average_probabilities, adjust_logits, images):
    """Predict as if all expressions were equally frequent, as far as tau says."""
    model, counts, tau = _handed_in(SmallCNN)
    found = _log_probabilities(model, average_probabilities, images)
    return adjust_logits(found, counts, tau).argmax(dim=1)
