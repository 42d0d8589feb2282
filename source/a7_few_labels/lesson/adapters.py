"""How the checks call what a student wrote.

A function has the name of its check. It gets what the student wrote, followed by the inputs of a
case, and returns what the check compares.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

Found = dict[str, Any]  # numbers and tensors, by name


# The card


def _write_category(
    folder: Path, sizes: Mapping[str, Sequence[int]], masks: Mapping[str, torch.Tensor]
) -> None:
    """Write images of (height, width, channels) by "test/crack/000", and masks by "crack/000"."""
    for name, (height, width, channels) in sizes.items():
        path = folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L" if channels == 1 else "RGB", (width, height), "gray").save(path)
    for name, mask in masks.items():
        path = folder / "ground_truth" / f"{name}_mask.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask.numpy()).save(path)
    for name in ("license.txt", "readme.txt"):
        (folder / name).write_text("This is no image.")


def card_values(card_from_disk, sizes, masks):
    """Write a small category, and return its card as numbers, in the order of the names."""
    with TemporaryDirectory() as root:
        folder = Path(root, "part")
        _write_category(folder, sizes, masks)
        card = card_from_disk(folder)
    parts = sorted({name.rpartition("/")[0] for name in sizes})
    kinds = sorted({name.partition("/")[0] for name in masks})
    images = [int(card["images"].get(part, -1)) for part in parts]  # -1: it is not there
    covered = [float(card["covered"].get(kind, -1)) for kind in kinds]
    return {
        "keys_of_images": int(set(card["images"]) == set(parts)),
        "images": torch.tensor(images),
        "heights": torch.tensor([int(height) for height in card["heights"]]),
        "widths": torch.tensor([int(width) for width in card["widths"]]),
        "keys_of_covered": int(set(card["covered"]) == set(kinds)),
        "covered": torch.tensor(covered, dtype=torch.float64),
    }


# The split


def _keeps_promises(
    y: torch.Tensor, groups: torch.Tensor, share: float, is_first: torch.Tensor
) -> tuple[bool, bool, bool]:
    """Say whether properties 2, 3 and 4 hold; is_first (S, N) is 1 for images of that side."""
    together, both_sides, near = True, True, True
    for label in y.unique():
        side, of_class = is_first[:, y == label].double(), groups[y == label]
        _, group, sizes = of_class.unique(return_inverse=True, return_counts=True)
        inside, first = side @ F.one_hot(group).double(), side.sum(dim=1)  # (S, G), (S,)
        together &= bool(((inside == 0) | (inside == sizes)).all())
        both_sides &= len(sizes) == 1 or bool(((first > 0) & (first < len(group))).all())
        near &= bool(((first - share * len(group)).abs() <= sizes.max() + 1e-6).all())
    return together, both_sides, near


def _always_apart(y: torch.Tensor, is_first: torch.Tensor) -> int:
    """Count the pairs of images of one class that no seed puts on the same side."""
    together = (is_first[:, :, None] == is_first[:, None]).any(dim=0)
    return int(((y[:, None] == y) & ~together).sum()) // 2


def split_values(stratified_split, y, groups, share, seed, times):
    """Split with `times` seeds in a row. Returns which properties hold, and two counts of 0."""
    every = torch.arange(len(y))
    splits = [stratified_split(y, groups, share, seed + n) for n in range(times)]
    torch.manual_seed(seed + 100)
    np.random.seed(seed + 100)
    splits.append(stratified_split(y, groups, share, seed))
    sides = [side for pair in splits for side in pair]
    forms = [isinstance(s, torch.Tensor) and (s.dtype, s.dim()) == (torch.int64, 1) for s in sides]
    splits = [[torch.as_tensor(side, dtype=torch.int64) for side in pair] for pair in splits]
    whole = [torch.equal(torch.cat(pair).sort().values, every) for pair in splits]
    is_first = torch.stack([torch.isin(every, first) for first, _ in splits])
    together, both_sides, near = _keeps_promises(y, groups, share, is_first)
    stay = (is_first == is_first[0]).all(dim=0)  # images that are on the same side every time
    different = len({tuple(side.tolist()) for side in is_first[:-1]})
    many = times >= 64  # then few splits are alike by chance
    changes = different >= (times - 3 if many else 2)
    return {
        "int64_tensors": int(all(forms)),
        "sorted": int(all(bool((side.diff() > 0).all()) for pair in splits for side in pair)),
        "each_image_once": int(all(whole)),
        "groups_together": int(together),
        "kinds_on_both_sides": int(both_sides),
        "close_to_share": int(near),
        "same_seed_same_split": int(torch.equal(is_first[0], is_first[-1])),
        "other_seeds_other_splits": int(changes or len(groups.unique()) == len(y.unique())),
        "images_that_never_move": int(stay.sum()) if many else 0,
        "pairs_always_apart": _always_apart(y, is_first) if many else 0,
    }


# The block


def _nearly(one: torch.Tensor, other: torch.Tensor) -> int:
    """Say whether two results are equal, up to rounding in float32 where numbers are large."""
    if one.shape != other.shape:
        return 0
    return int((one - other).abs().max() <= 1e-3 * other.abs().max() + 1e-6)


def _number_of_parameters(model: Any, *names: str) -> int:
    """Count the parameters of a model, or of a sub-module."""
    for name in names:
        model = getattr(model, name, None)
        if not isinstance(model, nn.Module):
            raise TypeError(f"{name} is no sub-module, no nn.Module")
    return sum(p.numel() for p in model.parameters())


@torch.enable_grad()
def _every_part_learns(block: nn.Module, x: torch.Tensor) -> int:
    """Say whether all parameters of a new block get a gradient in the first training steps."""
    parameters = list(block.parameters())
    optimiser = torch.optim.SGD(parameters, lr=0.1)
    target, has_learned = torch.randn_like(block(x)), [False] * len(parameters)
    for _ in range(3):
        optimiser.zero_grad()
        with suppress(RuntimeError):  # what autograd needs was overwritten
            (block(x) - target).square().mean().backward()
        learns = [p.grad is not None and bool(p.grad.any()) for p in parameters]
        has_learned = [any(pair) for pair in zip(has_learned, learns, strict=True)]
        optimiser.step()
    return int(all(has_learned))


def _fill(block: nn.Module, sequence: torch.Tensor) -> None:
    """Fill a block with given numbers, by type and shape."""
    for name, values in block.state_dict().items():
        C, kind = len(values) if values.dim() else 0, name.rpartition(".")[2]
        if values.dim() == 4:  # filter k is sequence[k : k + fan_in]
            filters = sequence.unfold(0, values[0].numel(), 1)[:C]
            values.copy_(filters.reshape(values.shape) * values[0].numel() ** -0.5)
        elif kind in ("weight", "bias", "running_mean"):
            start = {"weight": 0, "bias": C, "running_mean": 2 * C}[kind]
            values.copy_(sequence.flip(0)[start : start + C])
        elif kind == "running_var":
            values.copy_(0.5 + sequence[:C] ** 2)


@torch.no_grad()
def _look_at_block(
    residual_block: Callable, x: torch.Tensor, c_out: int, stride: int, sequence: torch.Tensor
) -> Found:
    """Describe a block for x (N, c_in, H, W): how it begins, and what it computes when filled."""
    block = residual_block(x.shape[1], c_out, stride).to(x.dtype).eval()
    sizes = [_number_of_parameters(block, part) for part in ("residual", "shortcut")]
    found: Found = {"parameters": sizes}
    found["begins_as_shortcut"] = _nearly(block(x), block.shortcut(x).relu())
    filters = [p for p in block.parameters() if p.dim() == 4]
    found["filters_are_not_0"] = int(all(bool(p.any()) for p in filters))
    found["every_part_learns"] = _every_part_learns(block, x.clone())
    _fill(block, sequence)
    found["block"] = block(x)
    block.train()
    return {**found, "nothing_dropped": _nearly(block(x.clone()), block(x.clone()))}


# The network


@torch.no_grad()
def _shaken(model: nn.Module, begin: Sequence[torch.Tensor]) -> None:
    """Move all parameters from where they began: a 0 that was set on purpose is no mistake."""
    for parameter, value in zip(model.parameters(), begin, strict=True):
        spread = 0.05 + value.std(correction=0)
        parameter.copy_(value + spread * torch.randn_like(value))


def _gradient_is_missing(model: nn.Module, images: torch.Tensor) -> list[bool]:
    """Say for each parameter whether the logits do not depend on it."""
    loss = model(images).square().sum()
    parameters = [p for p in model.parameters() if p.requires_grad]
    if not loss.requires_grad:
        return [True] * len(parameters)
    found = torch.autograd.grad(loss, parameters, allow_unused=True)
    return [gradient is None or not bool(gradient.any()) for gradient in found]


def _look_at_maps(model: Any, images: torch.Tensor) -> Found:
    """Say whether images may have any size, and what of their maps matters for the head."""
    names = "any_size", "maps_have_places", "places_do_not_matter", "mean_of_each_map"
    found: Found = dict.fromkeys((*names, "one_linear_layer"), 0)
    with suppress(RuntimeError):
        found["any_size"] = int(all(len(model(images[..., :n, :n])) == 2 for n in (32, 35)))
    shape = model.features(torch.randn(1, 3, 128, 128)).shape
    found["maps_have_places"] = int(len(shape) == 4 and min(shape[2:]) > 1)
    with suppress(RuntimeError, IndexError):
        maps = torch.randn(2, shape[1], 3, 5)
        logits, means = model.head(maps), maps.mean(dim=(2, 3), keepdim=True).expand_as(maps)
        found["places_do_not_matter"] = _nearly(model.head(maps.flip(2).roll(1, 3)), logits)
        found["mean_of_each_map"] = _nearly(model.head(means), logits)
        straight = _nearly(3 * model.head(0 * maps) - 2 * logits, model.head(-2 * maps))
        size, C = _number_of_parameters(model, "head"), logits.shape[1]
        found["one_linear_layer"] = straight * int(size in (shape[1] * C, shape[1] * C + C))
    return found


def small_resnet(ResidualBlock, SmallResNet, x, c_out, stride, sequence, size, num_classes):
    """Describe a block, and a network for two images of noise, of size (height, width)."""
    model, unused, outputs = SmallResNet(num_classes).eval(), [], []
    images = torch.randn(2, 3, *size)
    with torch.no_grad():
        model(images)  # a lazy layer learns its shape
    begin = [parameter.detach().clone() for parameter in model.parameters()]
    for _ in range(5):  # by chance, a unit may be dead in some of them
        _shaken(model, begin)
        unused.append(_gradient_is_missing(model, images))
        outputs.append(model(images).detach())
    with torch.no_grad():
        logits = outputs[-1]
        head = _look_at_maps(model, images)
        alone = torch.cat([model(image[None]) for image in images])
        composed = _nearly(model.head(model.features(images)), logits)
    seen = torch.cat(outputs)
    sums = {"probabilities": seen.sum(dim=1), "logarithms": seen.exp().sum(dim=1)}
    add_up = {f"no_{name}": int((total - 1).abs().max() > 1e-3) for name, total in sums.items()}
    blocks = sum(isinstance(part, ResidualBlock) for part in model.features.modules())
    return {
        **_look_at_block(ResidualBlock, x, c_out, stride, sequence),
        "shape": torch.tensor(logits.shape),
        "three_blocks": int(blocks >= 3),
        "head_of_features": composed,
        **head,
        "within_budget": int(_number_of_parameters(model) <= 150_000),
        "same_answer_twice": _nearly(model(images).detach(), logits),
        "image_for_itself": _nearly(alone, logits),
        "some_below_0": int(seen.min() < 0),
        **add_up,
        "without_gradient": sum(map(all, zip(*unused, strict=True))),
    }


# The loss


def focal_loss_value(focal_loss, logits, y, gamma, weights):
    """Return the loss and, where logits are of a usual size, its gradient by autograd."""
    logits = logits.clone().requires_grad_()
    loss, slope = focal_loss(logits, y, gamma, weights), logits.new_zeros(())
    if loss.requires_grad and logits.abs().max() < 100:
        (slope,) = torch.autograd.grad(loss, logits)
    return {"loss": loss.detach(), "slope": slope}
