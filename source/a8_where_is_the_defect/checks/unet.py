"""U-Net, and Dice with cross-entropy."""

from collections.abc import Iterator

import numpy as np
import torch
from scipy.special import expit

from autograder.authoring.checks import Answers, Draws, Sketch, case, check
from autograder.notebook.cases import FLOAT32, Tolerance

LOSSES = Tolerance(rtol=1e-9, atol=1e-12)  # no float32 on the way
PROMISES = ("finite", "skip_at_full_size", "skip_at_a_half", "skip_at_a_quarter",
            "bottom_matters", "logits", "same_answer_twice", "same_when_training",
            "image_for_itself", "batch_norm")  # fmt: skip
COUNTS = {
    "columns_at_full_size": 9, "transposed_convolutions": 3,
    "norms_not_activated": 0, "without_gradient": 0,
}  # fmt: skip


# The network


def size_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield the number of channels, and how many images of which size."""
    for name, N, H, W in (("several", 3, 32, 48), ("single", 1, 24, 16)):
        channels = int(rng.randint(3, 9))
        about = f"{channels} channels, {N} × 3 × {H} × {W}"
        yield case(name, about, channels=channels, N=N, H=H, W=W)


@check(
    "unet_structure", "how the U-Net is built, and what it does",
    {name: f"return.{name}" for name in ("shape", "parameters", *COUNTS, *PROMISES)}, size_cases,
)  # fmt: skip
def promised(channels: int, N: int, H: int, W: int) -> Answers:
    """Count the parameters layer by layer, and say what every such network has."""
    widths = [channels << level for level in range(4)]
    pairs = list(zip([3, *widths], widths, strict=False))
    pairs += [(2 * c, c) for c in widths[:3]]
    parameters = sum(9 * (a * b + b * b) + 4 * b for a, b in pairs)
    parameters += sum(4 * 2 * c * c + c for c in widths[:3]) + channels + 1
    shape = torch.tensor([N, 1, H, W])
    return {"shape": shape, "parameters": parameters, **COUNTS, **dict.fromkeys(PROMISES, 1)}


# The loss


def mask_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield logits, masks, and the weight of Dice."""
    for name, about, (N, H, W), shares, weight in (
        ("plain", "3 images of 4 × 5", (3, 4, 5), (0.2, 0.5, 0.3), 0.7),
        ("single", "a single image", (1, 3, 4), (0.4,), 2.0),
        ("empty", "two images without a defect, one that is nothing else", (4, 5, 3),
         (0, 0.3, 1, 0), 1.0),
        ("sizes", "defects of very different sizes", (5, 6, 7), (0.02, 0.9, 0.1, 0.5, 0), 3.0),
        ("unweighted", "a weight of 0", (2, 3, 6), (0.3, 0.6), 0.0),
        ("float32", "float32", (2, 7, 4), (0.1, 0.4), 1.5),
    ):  # fmt: skip
        logits = torch.tensor((2 * rng.randn(N, 1, H, W)).round(3))
        inputs = {"logits": logits, "masks": drawn_masks(rng, shares, H, W), "weight": weight}
        if name == "float32":
            inputs["logits"] = logits.float()
        yield case(name, about, **inputs, tolerance=FLOAT32 if name == "float32" else None)
    masks = drawn_masks(rng, (0.4, 0, 0.3), 4, 5)
    sign = torch.tensor(rng.choice([-1e4, 1e4], size=masks.shape))
    sign[1] = -1e4
    sign[2] = torch.where(masks[2], 1e4, -1e4)
    logits = sign + torch.tensor(rng.randn(*masks.shape).round(3))
    yield case("extreme", "logits of ±10,000", 3, logits=logits, masks=masks, weight=0.8)


def drawn_masks(rng: Draws, shares: tuple[float, ...], H: int, W: int) -> torch.Tensor:
    """Draw a mask (1, H, W) for each share; one above 0 gives at least one pixel."""
    masks = np.zeros((len(shares), 1, H * W), dtype=bool)
    for mask, share in zip(masks, shares, strict=True):
        size = max(round(share * H * W), int(share > 0))
        mask[0, rng.permutation(H * W)[:size]] = True
    return torch.tensor(masks.reshape(-1, 1, H, W))


@check(
    "dice_loss", "cross-entropy and Dice: value and gradient",
    {name: f"return.{name}" for name in ("loss", "dimensions", "gradient")}, mask_cases,
    tolerance=LOSSES, pure=True,
)  # fmt: skip
def loss_by_hand(logits: torch.Tensor, masks: torch.Tensor, weight: float) -> Answers:
    """Compute value and gradient by formulas, image by image, in double precision."""
    z, t = logits.double().numpy(), masks.double().numpy()
    loss, gradient = (np.logaddexp(0, z) - z * t).mean(), (expit(z) - t) / z.size
    for n in range(len(z)):
        p, true = expit(z[n]), t[n]
        above, below = 2 * (p * true).sum() + 1, p.sum() + true.sum() + 1
        loss += weight * (1 - above / below) / len(z)
        slope = (2 * true * below - above) / below**2  # of Dice with respect to p
        gradient[n] -= weight * slope * p * (1 - p) / len(z)
    return {"loss": loss, "dimensions": 0, "gradient": torch.tensor(gradient).to(logits.dtype)}
