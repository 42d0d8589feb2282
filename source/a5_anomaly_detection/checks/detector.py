"""The detector that is handed in: image and pixel AUROC on capsules nobody has seen."""

import io
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial

import numpy as np
import torch
from PIL import Image

from autograder.authoring.checks import Draws, Sketch, case, check
from autograder.notebook.cases import Level
from data_scripts.synthetic import parts

SIZE, CELL = 192, 4  # pixels of an image, and of a place that has a score
CREDITS = {"pass": 0.5, "good": 0.8, "excellent": 1.0}
# the best map that never looks at its image has 50 % and 91.4 %
IMAGES, PIXELS = (0.85, 0.92, 0.945), (0.93, 0.95, 0.965)


def capsule_cases(
    rng: Draws, defective: str, least: tuple[float, float, float]
) -> Iterator[Sketch]:
    """Yield one sheet of new capsules, with which "images" or which "places" are defective."""
    sizes = (rng.number, 4, 2) if rng.public else (rng.number + 55_000, 20, 9)
    sheet, truth = drawn(*sizes)
    named = zip(CREDITS.items(), least, strict=True)
    yield case(
        "capsules",
        f"{len(truth['images'])} new capsules",
        levels=[Level(name, at_least, credit) for (name, credit), at_least in named],
        answer={"scores": truth[defective]},
        sheet=sheet,
    )


detector_images = check(
    "detector_images", "which capsules are defective", {"scores": "return.images"},
    partial(capsule_cases, defective="images", least=IMAGES), criterion="auroc",
)  # fmt: skip
detector_pixels = check(
    "detector_pixels", "where they are", {"scores": "return.places"},
    partial(capsule_cases, defective="places", least=PIXELS), criterion="auroc",
)  # fmt: skip


@lru_cache(maxsize=2)  # both checks look at the same sheets, a public and a hidden one
def drawn(seed: int, good: int, of_each: int) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Draw good capsules and some with each defect, in random order.

    Returns a sheet, and what is defective: images (n,), and places (n, 48, 48), bool.
    """
    defects = [kind for kind in parts.CATEGORIES["capsule"]["test"] if kind != "good"]
    kinds = ["good"] * good + defects * of_each
    order = np.random.RandomState(seed).permutation(len(kinds))
    found = [parts.draw("capsule", kinds[i], i, SIZE, f"hidden/{seed}") for i in order]
    images, masks = zip(*found, strict=True)
    masks = torch.tensor(np.stack(masks)).float()
    places = torch.nn.functional.max_pool2d(masks, CELL).bool()
    return as_sheet(images), {"images": masks.flatten(1).any(dim=1), "places": places}


def as_sheet(images: Sequence[np.ndarray]) -> torch.Tensor:
    """Write images (H, W, 3), one below the other, as the bytes of a PNG file, uint8."""
    file = io.BytesIO()
    Image.fromarray(np.concatenate(images)).save(file, "PNG", optimize=True)
    return torch.frombuffer(bytearray(file.getvalue()), dtype=torch.uint8)
