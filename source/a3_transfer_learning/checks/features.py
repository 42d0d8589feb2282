"""Features of all images, batch by batch."""

from collections.abc import Iterator

import torch

from autograder.authoring.checks import Answers, Draws, Sketch, case, check

from .weights import normal

MANNERS = (
    "largest", "largest_prepared", "images_seen", "with_gradient", "needs_gradient",
    "gradients_afterwards", "trainable_afterwards", "training_afterwards", "dropout_afterwards",
)  # fmt: skip


def extraction_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield inputs of `watch_extraction`."""
    for name, N, batch_size, training, recording in (
        ("last_batch_smaller", 11, 4, True, True),
        ("whole_batches", 8, 4, False, True),
        ("one_batch", 5, 16, True, True),
        ("single", 1, 3, True, True),
        ("one_by_one", 4, 1, False, True),
        ("gradients_off", 7, 3, False, False),
        ("gradients_off_in_training", 5, 2, True, False),
    ):
        mode = "training" if training else "evaluation"
        mode += " mode" if recording else " mode, gradients off beforehand"
        yield case(
            name,
            f"{N} in batches of {batch_size}, module in {mode}",
            weight=normal(rng, 3, 5),
            images=normal(rng, N, 3),
            batch_size=batch_size,
            training=training,
            recording=recording,
        )


def extracted(
    weight: torch.Tensor, images: torch.Tensor, batch_size: int, training: bool, recording: bool
) -> Answers:
    """Compute all features at once."""
    return {
        "features": torch.einsum("nd,de->ne", 1 + 2 * images, weight),
        "largest": min(len(images), batch_size),
        "largest_prepared": min(len(images), batch_size),
        "images_seen": len(images),
        "with_gradient": False,
        "needs_gradient": False,
        "gradients_afterwards": recording,
        "trainable_afterwards": True,
        "training_afterwards": training,
        "dropout_afterwards": training,
    }


EXTRACTION = [
    check(f"features_{what}", title, {name: f"return.{name}" for name in names}, extraction_cases)(
        extracted
    )
    for what, title, names in (
        ("values", "features, in the order of the images", ["features"]),
        ("manners", "batches, no gradients, and the mode afterwards", MANNERS),
    )
]
