"""The detector that is handed in: image and pixel AUROC on capsules nobody has seen."""

import io
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import torch
from PIL import Image

from autograder.cases import Case, Level
from autograder.checks import PUBLIC_SEED, Check, Mistake
from data_scripts.drawn import parts

Tensors = dict[str, torch.Tensor]
SIZE, CELL = 192, 4  # pixels of an image, and of a place that has a score
SHARES = tuple(zip(("pass", "good", "excellent"), (0.5, 0.8, 1.0), strict=True))
# the best map that never looks at its image has 50 % and 91.4 %
IMAGES, PIXELS = (0.85, 0.92, 0.945), (0.93, 0.95, 0.965)

MISTAKES: tuple[Mistake, ...] = ()


def checks(seed: int) -> Iterator[Check]:
    """Yield the checks of the detector; `seed` draws the hidden capsules."""
    sets = [
        ("public_capsules", *drawn(PUBLIC_SEED, 4, 2), True),
        ("capsules", *drawn(seed + 55_000, 20, 9), False),
    ]
    for name, title, least, index in (
        ("detector_images", "which capsules are defective", IMAGES, 0),
        ("detector_pixels", "where they are", PIXELS, 1),
    ):
        levels = tuple(Level(n, at, share) for (n, share), at in zip(SHARES, least, strict=True))
        cases, answers = [], {}
        for case, sheet, answer, public in sets:
            about = f"{len(answer[0])} new capsules"
            cases.append(Case(case, about, {"sheet": sheet}, public=public, levels=levels))
            answers[sheet.numpy().tobytes()] = answer[index]
        yield Check(
            name=name,
            title=title,
            records={"scores": "return"},
            cases=tuple(cases),
            oracle=partial(known, answers),
            criterion="auroc",
        )


def known(answers: dict[bytes, torch.Tensor], sheet: torch.Tensor) -> Tensors:
    """Look up what is defective on a sheet of capsules."""
    return {"scores": answers[sheet.numpy().tobytes()]}


def drawn(
    seed: int, good: int, of_each: int
) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
    """Draw good capsules and some with each defect, in random order.

    Returns a sheet, and what is defective: images (n,), and places (n, 48, 48), bool.
    """
    kinds = ["good"] * good + [
        d for d in parts.CATEGORIES["capsule"]["test"] if d != "good"
    ] * of_each
    order = np.random.RandomState(seed).permutation(len(kinds))
    found = [parts.draw("capsule", kinds[i], i, SIZE, f"hidden/{seed}") for i in order]
    images, masks = zip(*found, strict=True)
    masks = torch.tensor(np.stack(masks)).float()
    places = torch.nn.functional.max_pool2d(masks, CELL).bool()
    return as_sheet(images), (masks.flatten(1).any(dim=1), places)


def as_sheet(images: Sequence[np.ndarray]) -> torch.Tensor:
    """Write images (H, W, 3), one below the other, as the bytes of a PNG file, uint8."""
    file = io.BytesIO()
    Image.fromarray(np.concatenate(images)).save(file, "PNG", optimize=True)
    return torch.frombuffer(bytearray(file.getvalue()), dtype=torch.uint8)
