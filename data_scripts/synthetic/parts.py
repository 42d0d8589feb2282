"""A stand-in for MVTec AD (Bergmann et al. 2019): bottle and capsule, drawn.

The categories, defects, counts and the folder layout are the official ones; the images are not.
An image is a function of its category, defect and number, and looks the same at every size.
"""

from pathlib import Path
from zlib import crc32

import numpy as np
from PIL import Image

from data_scripts.synthetic import bottle, capsule

VERSION = 1  # goes up when any image changes
CATEGORIES = {
    "bottle": {
        "train": {"good": 209},
        "test": {"good": 20, "broken_large": 20, "broken_small": 22, "contamination": 21},
    },
    "capsule": {
        "train": {"good": 219},
        "test": {
            "good": 23,
            "crack": 23,
            "faulty_imprint": 22,
            "poke": 21,
            "scratch": 23,
            "squeeze": 20,
        },
    },
}
PAINT = {"bottle": bottle.paint, "capsule": capsule.paint}
SEEN = 4 / 255  # a defect that changes a pixel by less is lost in the grain (±3 levels)


def draw(
    category: str, defect: str, number: int, size: int, part: str = "test"
) -> tuple[np.ndarray, np.ndarray]:
    """Return an image (size, size, 3), uint8, and the mask (size, size), bool, of its defect.

    The mask is where the defect changed the image; it is empty if the part is good.
    """
    random = random_of(category, defect, number, part)
    clean, changed = PAINT[category](random, defect, size)
    image = _photograph(random, changed)
    if defect == "good":
        return image, np.zeros((size, size), bool)
    return image, (abs(changed - clean) >= SEEN).any(axis=0)


def random_of(category: str, defect: str, number: int, part: str) -> np.random.RandomState:
    """Return the generator that one image is drawn with."""
    name = f"{VERSION}/{category}/{part}/{defect}/{number}"
    return np.random.RandomState(crc32(name.encode()))


def _photograph(random: np.random.RandomState, image: np.ndarray) -> np.ndarray:
    """Return an image (3, size, size) as uint8 (size, size, 3), in uneven light and with grain."""
    size = image.shape[1]
    at = np.linspace(-0.5, 0.5, size, dtype=np.float32)
    slope = random.uniform(-0.06, 0.06, 2).tolist()
    light = 255 * random.uniform(0.93, 1.03) * (1 + slope[0] * at + slope[1] * at[:, None])
    tint = random.uniform(0.985, 1.015, 3).tolist()
    grain = np.frombuffer(random.bytes(3 * size * size), np.uint8).reshape(image.shape)
    photograph = np.empty((size, size, 3), np.uint8)
    for i in range(3):
        levels = image[i] * (light * tint[i]) + (grain[i] * np.float32(6 / 255) - 2.5)
        photograph[..., i] = levels.clip(0, 255, out=levels)
    return photograph


def draw_all(category: str, folder: Path, size: int) -> None:
    """Write a category into `folder` in the official layout: images, and masks of 0 and 255."""
    for part, counts in CATEGORIES[category].items():
        for defect, count in counts.items():
            images, masks = folder / part / defect, folder / "ground_truth" / defect
            images.mkdir(parents=True, exist_ok=True)
            if defect != "good":
                masks.mkdir(parents=True, exist_ok=True)
            for number in range(count):
                image, mask = draw(category, defect, number, size, part)
                # grain hardly compresses: level 1 is five times as fast for a few per cent
                Image.fromarray(image).save(images / f"{number:03}.png", compress_level=1)
                if defect != "good":
                    Image.fromarray(mask).convert("L").save(masks / f"{number:03}_mask.png")
