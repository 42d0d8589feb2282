"""What can be seen of pasted rectangles: where they come from, and how they were drawn."""

import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

CutPaste = Callable[[torch.Tensor, torch.Generator], tuple[torch.Tensor, torch.Tensor]]
NUMBERS = ("area", "ratio", "pasted_row", "pasted_column", "cut_row", "cut_column")


def where_it_was_cut(
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


def drawn_numbers(rectangles: torch.Tensor, shifts: torch.Tensor, H: int, W: int) -> dict[str, Any]:
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
        **dict(zip(NUMBERS, torch.stack(known, dim=1), strict=True)),
        "first_places": first,  # 0: drawn too seldom, 2: too often
        "last_places": last,
        "independent": int(not bool(alike >= 0.35)),
    }


def pasted_with(
    cut_paste: CutPaste, images: torch.Tensor, generator: torch.Generator
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


def other_randomness() -> tuple:
    """Return the states of all generators that everybody uses."""
    numpy: Any = np.random.get_state()
    return torch.get_rng_state().tolist(), numpy[1].tolist(), numpy[2], random.getstate()


def look_at_chance(cut_paste: CutPaste, images: torch.Tensor, seed: int) -> dict[str, int]:
    """Say what becomes of 20 images with one state of the generator, and with others."""
    few, plain = images[:20], torch.full_like(images[:20], 99)
    torch.rand(1), np.random.rand(), random.random()  # then a seed set again is seen
    state, generator = other_randomness(), torch.Generator().manual_seed(seed)
    first, masks = pasted_with(cut_paste, few.clone(), generator)
    untouched = state == other_randomness()
    following, _ = pasted_with(cut_paste, few.clone(), generator)
    again, _ = pasted_with(cut_paste, few.clone(), torch.Generator().manual_seed(seed))
    other, _ = pasted_with(cut_paste, few.clone(), torch.Generator().manual_seed(seed + 1))
    _, masks_of_plain = pasted_with(cut_paste, plain, torch.Generator().manual_seed(seed))
    return {
        "other_randomness_untouched": int(untouched),
        "same_state_same_defects": int(torch.equal(first, again)),
        "other_state_other_defects": int(not torch.equal(first, other)),
        "next_call_other_defects": int(not torch.equal(first, following)),
        "masks_whatever_the_image": int(torch.equal(masks, masks_of_plain)),
    }


def look_at_pasted(cut_paste: CutPaste, seed: int, N: int, H: int, W: int) -> dict[str, Any]:
    """Measure what cut_paste does to images whose pixels hold row, column and number."""
    images = torch.empty(N, 3, H, W, dtype=torch.uint8)
    images[:, 0], images[:, 1] = torch.arange(H)[:, None], torch.arange(W)
    images[:, 2] = (torch.arange(N) % 251)[:, None, None]
    given = images.clone()
    pasted, masks = pasted_with(cut_paste, given, torch.Generator().manual_seed(seed))
    rectangles, shifts = where_it_was_cut(pasted, masks[:, 0])
    areas = masks.sum(dim=3, dtype=torch.int32).sum(dim=(1, 2), dtype=torch.int32)
    return {
        "inputs_untouched": int(not bool((given != images).any())),
        **look_at_chance(cut_paste, images, seed),
        "outside_untouched": int(not bool(((pasted != images) & ~masks).any())),
        "of_the_same_image": int(torch.equal(pasted[:, 2], images[:, 2])),
        "whole_rectangles": int(torch.equal(areas, rectangles[2:].prod(dim=0).int())),
        "pasted_as_it_is": int(not bool(shifts.isnan().any())),
        **drawn_numbers(rectangles, shifts, H, W),
    }


def measured(cut_paste: CutPaste, seed: int, sizes: Sequence[Sequence[int]]) -> dict[str, Any]:
    """Look at wide images, tiny, flat and narrow ones: promises have to be kept in all of them."""
    wide, tiny, flat, narrow = (
        look_at_pasted(cut_paste, seed + n, *size) for n, size in enumerate(sizes)
    )
    of_tiny = ("sides", "smallest_sides", "first_places", "last_places")
    largest = torch.stack([flat["largest_sides"][0], narrow["largest_sides"][1]])
    every = [name for name, kept in wide.items() if type(kept) is int and name != "independent"]
    kept = {name: min(one[name] for one in (wide, tiny, flat, narrow)) for name in every}
    return {**wide, **kept, **{name: tiny[name] for name in of_tiny}, "largest_sides": largest}
