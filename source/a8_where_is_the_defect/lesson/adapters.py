"""How the checks call what a student wrote.

A function has the name of its check. It gets what the student wrote, followed by the inputs of a
case, and returns what the check compares.
"""

import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

_CutPaste = Callable[[torch.Tensor, torch.Generator], tuple[torch.Tensor, torch.Tensor]]
_NUMBERS = ("area", "ratio", "pasted_row", "pasted_column", "cut_row", "cut_column")


def box_formats(to_coco, to_yolo, from_yolo, boxes, rows, height, width):
    """Write boxes in both formats, and read rows of a file."""
    coco, yolo = to_coco(boxes), to_yolo(boxes, height, width)
    return {"coco": coco, "yolo": yolo, "read": from_yolo(rows, height, width)}


def dice_loss(segmentation_loss, logits, masks, weight):
    """Return the loss as a number, and its gradient with respect to the logits, by autograd."""
    logits = logits.clone().requires_grad_()
    loss = segmentation_loss(logits, masks, weight)
    (gradient,) = torch.autograd.grad(loss, logits)
    return {"loss": loss.item(), "dimensions": loss.dim(), "gradient": gradient}


# What can be seen of a U-Net from outside, whatever its layers are called


class _Cut(TorchFunctionMode):
    """Let all maps that are smaller than the images by one of these factors be 0."""

    def __init__(self, images: torch.Tensor, factors: Sequence[int]) -> None:
        super().__init__()
        self.sizes = [tuple(side // factor for side in images.shape[-2:]) for factor in factors]

    def __torch_function__(
        self, func: Callable, types: Any, args: Sequence = (), kwargs: dict | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        is_map = isinstance(result, torch.Tensor) and result.dim() == 4
        return 0 * result if is_map and tuple(result.shape[-2:]) in self.sizes else result


def _strip_seen(model: nn.Module, images: torch.Tensor, factors: Sequence[int]) -> int:
    """Measure how wide a strip of the images has an influence on the middle of the output."""
    x = images.clone().requires_grad_()
    with _Cut(images, factors):
        middle = model(x)[..., images.shape[-1] // 2].sum()
    (gradient,) = torch.autograd.grad(middle, x, allow_unused=True)
    if gradient is None:
        return 0
    columns = gradient.abs().sum(dim=(0, 1, 2)).nonzero()
    return int(columns.max() - columns.min()) + 1 if len(columns) else 0


class _Calls(TorchFunctionMode):
    """Count transposed convolutions, and norms whose maps go on without an activation."""

    def __init__(self) -> None:
        super().__init__()
        self.norms: list[tuple[torch.Tensor, int]] = []
        self.straight = self.transposed = 0

    def is_of_a_norm(self, x: Any) -> bool:
        """Say whether these are the maps of a batch norm, unchanged."""
        return any(x is maps and x._version == version for maps, version in self.norms)

    def __torch_function__(
        self, func: Callable, types: Any, args: Sequence = (), kwargs: dict | None = None
    ) -> Any:
        kwargs, name = kwargs or {}, getattr(func, "__name__", "")
        self.transposed += name == "conv_transpose2d"
        if "conv" in name or "pool" in name or name in ("cat", "concat", "hstack", "interpolate"):
            given = [*args, *kwargs.values()]
            maps = [x for one in given for x in (one if isinstance(one, (list, tuple)) else [one])]
            self.straight += sum(self.is_of_a_norm(x) for x in maps)
        result = func(*args, **kwargs)
        if name == "batch_norm":
            self.norms.append((result, result._version))
        return result


def _same_maps(one: torch.Tensor, other: torch.Tensor) -> int:
    """Say whether two results are equal, up to rounding in float32."""
    return int(one.shape == other.shape and torch.allclose(one, other, rtol=1e-3, atol=1e-4))


@torch.no_grad()
def _shake(model: nn.Module, strength: float = 0.05) -> None:
    """Move all parameters a bit: a 0 that was set on purpose is no mistake."""
    for parameter in model.parameters():
        parameter += strength * torch.randn_like(parameter)


@torch.no_grad()
def _settle(model: nn.Module, images: torch.Tensor) -> None:
    """Let each batch norm know the mean and variance of what it gets, as after training."""
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = 1.0
    model.train()(images)
    model.eval()


def _idle_parameters(model: nn.Module, images: torch.Tensor) -> int:
    """Count the parameters that the output does not depend on."""
    parameters = list(model.parameters())
    found = torch.autograd.grad(model(images).square().sum(), parameters, allow_unused=True)
    return sum(gradient is None or not bool(gradient.any()) for gradient in found)


@torch.no_grad()
def _follows_its_last_bias(model: nn.Module, images: torch.Tensor) -> int:
    """Say whether logits come out: a bias moved by 100 moves all of them by 100."""
    logits, biases = model(images), [p for p in model.parameters() if p.numel() == 1]
    same = bool(biases)
    for by in (100, -200, 100):
        for bias in biases[-1:]:
            bias += by
        logits = logits + by
        same = same and bool(_same_maps(model(images), logits))
    return int(same)


def unet_structure(UNet, channels, N, H, W):
    """Say how a new U-Net is built, and what it does with images of N × 3 × H × W."""
    model, images = UNet(channels).eval(), torch.randn(N, 3, H, W)
    long = torch.randn(4, 3, 16, 128)
    with torch.no_grad():
        model(images)  # a lazy layer learns its shape
    parameters = sum(p.numel() for p in model.parameters())
    _shake(model)
    _settle(model, long)
    with torch.no_grad(), _Calls() as calls:
        logits = model(images)
    with torch.no_grad():
        alone = torch.cat([model(image[None]) for image in images])
        again = model(images)
    strips = [_strip_seen(model, long, cut) for cut in ((2, 4, 8), (4, 8), (8,), ())]
    found: dict[str, Any] = {
        "shape": torch.tensor(logits.shape), "parameters": parameters,
        "finite": int(logits.isfinite().all()),
        "skip_at_full_size": int(strips[0] > 0), "skip_at_a_half": int(strips[1] > strips[0]),
        "skip_at_a_quarter": int(strips[2] > strips[1]),
        "bottom_matters": int(strips[3] > strips[2]), "norms_not_activated": calls.straight,
        "columns_at_full_size": strips[0], "transposed_convolutions": calls.transposed,
        "logits": _follows_its_last_bias(model, images),
        "same_answer_twice": _same_maps(again, logits),
        "image_for_itself": _same_maps(alone, logits),
        "without_gradient": _idle_parameters(model, torch.cat([images, images.flip(-1)])),
    }  # fmt: skip
    model.train()
    with torch.no_grad():
        trained = model(long)
        found["same_when_training"] = _same_maps(model(long), trained)
        found["batch_norm"] = 1 - _same_maps(trained[:1], model(long[:1]))
    return found


# What can be seen of pasted rectangles: where they come from, and how they were drawn


def _where_it_was_cut(
    pasted: torch.Tensor, masks: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Read which rectangle each mask (N, H, W) is, and where its pixels come from.

    Returns upper edge, left edge, height and width (4, N), and the shifts (2, N), which
    are NaN where pixels of one rectangle were not shifted alike.
    """
    _, H, W = masks.shape
    corners, sizes, found = [], [], []
    masks = masks.view(torch.uint8)  # all in bytes, which is fast: -3 is 253
    for channel, dim, side in ((0, 2, H), (1, 1, W)):  # rows, then columns
        inside = masks.amax(dim=dim)
        first, after = inside.argmax(dim=1), side - inside.flip(1).argmax(dim=1)
        moved = pasted[:, channel] - torch.arange(side, dtype=torch.uint8).unsqueeze(dim - 1)
        most = (moved * masks).flatten(1).amax(dim=1)
        least = 255 - ((255 - moved) * masks).flatten(1).amax(dim=1)
        corners.append(first)
        sizes.append(after - first)
        found.append(torch.where(least == most, least.view(torch.int8).double(), torch.nan))
    shifts = torch.stack(found)
    shifts[:, shifts.isnan().any(dim=0)] = torch.nan
    return torch.stack([*corners, *sizes]).double(), shifts


def _drawn_numbers(
    rectangles: torch.Tensor, shifts: torch.Tensor, H: int, W: int
) -> dict[str, Any]:
    """Measure what was drawn: the six numbers, the sides, and how the ends were drawn.

    A whole number from 0 to n, plus a random fraction, divided by n + 1, is uniform in 0..1.
    """
    corner, (h, w) = rectangles[:2], rectangles[2:]
    place = torch.cat([corner, corner + shifts.nan_to_num()])
    room = torch.stack([H - h, W - w]).repeat(2, 1)
    more = torch.rand(place.shape, generator=torch.Generator().manual_seed(0)).double()
    area = (h * w / (H * W) - 0.02) / (0.15 - 0.02)
    ratio = (h / w / 0.3).log() / math.log(3.3 / 0.3)
    six = torch.cat([torch.stack([area, ratio]), (place + more) / (room + 1)])
    known = [six.mean(dim=1), six.std(dim=1), six.amin(dim=1), six.amax(dim=1)]
    share = 1 / (room + 1)  # of each position, if all are drawn alike
    spread = (share * (1 - share)).sum(dim=1).sqrt()
    off = [((place == end).double() - share).sum(dim=1) / spread for end in (0 * room, room)]
    first, last = (1 + int(bool((z > 7).any())) - int(bool((z < -7).any())) for z in off)
    alike = torch.corrcoef(six).fill_diagonal_(0).abs().max()
    return {
        "sides": torch.stack([h.mean() / H, w.mean() / W]),
        "smallest_sides": torch.stack([h.amin(), w.amin()]),
        "largest_sides": torch.stack([h.amax(), w.amax()]),
        **dict(zip(_NUMBERS, torch.stack(known, dim=1), strict=True)),
        "first_places": first,  # 0: drawn too seldom, 2: too often
        "last_places": last,
        "independent": int(not bool(alike >= 0.35)),
    }


def _pasted_with(
    cut_paste: _CutPaste, images: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Call cut_paste, and see that what it returns has the right form."""
    found = cut_paste(images, generator)
    N, _, H, W = images.shape
    wanted = ((N, 3, H, W), torch.uint8), ((N, 1, H, W), torch.bool)
    for name, one, (shape, dtype) in zip(("images", "masks"), found, wanted, strict=True):
        form = (tuple(one.shape), one.dtype) if isinstance(one, torch.Tensor) else type(one)
        if form != (shape, dtype):
            raise TypeError(f"the {name} are {form}, expected {(shape, dtype)}")
    return found


def _other_randomness() -> tuple:
    """Return the states of all generators that everybody uses."""
    numpy: Any = np.random.get_state()
    return torch.get_rng_state().tolist(), numpy[1].tolist(), numpy[2], random.getstate()


def _look_at_chance(cut_paste: _CutPaste, images: torch.Tensor, seed: int) -> dict[str, int]:
    """Say what becomes of 20 images with one state of the generator, and with others."""
    few, plain = images[:20], torch.full_like(images[:20], 99)
    torch.rand(1), np.random.rand(), random.random()  # then a seed set again is seen
    state, generator = _other_randomness(), torch.Generator().manual_seed(seed)
    first, masks = _pasted_with(cut_paste, few.clone(), generator)
    untouched = state == _other_randomness()
    following, _ = _pasted_with(cut_paste, few.clone(), generator)
    again, _ = _pasted_with(cut_paste, few.clone(), torch.Generator().manual_seed(seed))
    other, _ = _pasted_with(cut_paste, few.clone(), torch.Generator().manual_seed(seed + 1))
    _, masks_of_plain = _pasted_with(cut_paste, plain, torch.Generator().manual_seed(seed))
    return {
        "other_randomness_untouched": int(untouched),
        "same_state_same_defects": int(torch.equal(first, again)),
        "other_state_other_defects": int(not torch.equal(first, other)),
        "next_call_other_defects": int(not torch.equal(first, following)),
        "masks_whatever_the_image": int(torch.equal(masks, masks_of_plain)),
    }


def _look_at_pasted(cut_paste: _CutPaste, seed: int, N: int, H: int, W: int) -> dict[str, Any]:
    """Measure what cut_paste does to images whose pixels hold row, column and number."""
    images = torch.empty(N, 3, H, W, dtype=torch.uint8)
    images[:, 0], images[:, 1] = torch.arange(H)[:, None], torch.arange(W)
    images[:, 2] = (torch.arange(N) % 251)[:, None, None]
    given = images.clone()
    pasted, masks = _pasted_with(cut_paste, given, torch.Generator().manual_seed(seed))
    rectangles, shifts = _where_it_was_cut(pasted, masks[:, 0])
    areas = masks.sum(dim=3, dtype=torch.int32).sum(dim=(1, 2), dtype=torch.int32)
    return {
        "inputs_untouched": int(not bool((given != images).any())),
        **_look_at_chance(cut_paste, images, seed),
        "outside_untouched": int(not bool(((pasted != images) & ~masks).any())),
        "of_the_same_image": int(torch.equal(pasted[:, 2], images[:, 2])),
        "whole_rectangles": int(torch.equal(areas, rectangles[2:].prod(dim=0).int())),
        "pasted_as_it_is": int(not bool(shifts.isnan().any())),
        **_drawn_numbers(rectangles, shifts, H, W),
    }


def cut_paste_statistics(cut_paste, seed, sizes):
    """Look at wide images, tiny, flat and narrow ones: promises have to be kept in all of them."""
    wide, tiny, flat, narrow = (
        _look_at_pasted(cut_paste, seed + n, *size) for n, size in enumerate(sizes)
    )
    of_tiny = ("sides", "smallest_sides", "first_places", "last_places")
    largest = torch.stack([flat["largest_sides"][0], narrow["largest_sides"][1]])
    every = [name for name, kept in wide.items() if type(kept) is int and name != "independent"]
    kept = {name: min(one[name] for one in (wide, tiny, flat, narrow)) for name in every}
    return {**wide, **kept, **{name: tiny[name] for name in of_tiny}, "largest_sides": largest}
