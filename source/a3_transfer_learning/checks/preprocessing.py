"""Preparing images for a pretrained backbone: `preprocess(images, size)`."""

from collections.abc import Iterator

import torch
from torchvision.transforms.v2 import functional as transforms

from autograder.authoring.checks import Draws, Sketch, case, check
from autograder.notebook.cases import Tolerance
from data_scripts.pretrained import IMAGENET_MEAN, IMAGENET_STD

IMAGES = Tolerance(rtol=1e-4, atol=2e-5)  # float32, whichever library resizes


def image_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield uint8 images and sizes: enlarged, kept, made smaller, and not square."""
    for name, N, H, W, size in (
        ("larger", 2, 16, 16, 35),
        ("same", 1, 24, 24, 24),
        ("smaller", 2, 40, 40, 17),
        ("oblong", 3, 20, 28, 24),
    ):
        images = torch.tensor(rng.randint(0, 256, size=(N, 3, H, W)), dtype=torch.uint8)
        about = f"{N} image{'s' * (N > 1)}, {H} × {W} to {size} × {size}"
        yield case(name, about, images=images, size=size)


@check("preprocess_values", "prepared images", {"images": "return"}, image_cases, tolerance=IMAGES)
def prepared(images: torch.Tensor, size: int) -> dict[str, torch.Tensor]:
    """Prepare images by torchvision's functions, in double precision."""
    x = transforms.resize(images.double() / 255, [size, size], antialias=True)
    x = transforms.normalize(x, list(IMAGENET_MEAN), list(IMAGENET_STD))
    return {"images": x.float()}
