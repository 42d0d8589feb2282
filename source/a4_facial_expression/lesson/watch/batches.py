"""What one epoch of batches must have, whatever the order."""

from collections.abc import Callable, Iterator

import torch


def by_label(
    y: torch.Tensor, images: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mean image of each label, and how often it came, against what is right."""
    share = torch.ones(len(y)) if weights is None else weights / weights.mean()
    means, counts = [], []
    for label in y.unique():
        came = images[labels == label]
        means.append(came.sum(dim=0) / max(len(came), 1))
        counts.append(round(len(came) / share[y == label].sum().item()))
    return torch.stack(means), torch.tensor(counts, dtype=torch.int16)


def watch_batches(
    training_batches: Callable[..., Iterator[tuple[torch.Tensor, torch.Tensor]]],
    X: torch.Tensor,
    y: torch.Tensor,
    batch_size: int,
    augmented: bool,
    weights: torch.Tensor | None,
    group: int,
) -> dict[str, int | torch.Tensor]:
    """Describe one epoch of batches by what they must have, whatever the order."""
    given = []  # what the augmentation was called with

    def negative(images: torch.Tensor) -> torch.Tensor:
        given.append(images.clone())
        return 1 - images

    def epoch(seed: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        torch.manual_seed(seed)
        augmentation = negative if augmented else None
        return iter(training_batches(X, y, batch_size, augmentation, weights, group))

    batches = epoch(seed=1)
    found = [next(batches)]
    early = sum(map(len, given))
    found += batches
    sizes = [len(images) for images in given]
    inside = [i.dtype is torch.float32 and i.min() >= 0 and i.max() <= 1 for i in given]
    images, labels = (torch.cat(parts) for parts in zip(*found, strict=True))
    means, counts = by_label(y, images, labels, weights)
    again, other = (torch.cat([y for _, y in epoch(seed)]) for seed in (1, 2))
    places = [(y[None] == part[:, None]).int().argmax(dim=1) for _, part in found]  # of samples
    neighbours = [bool(p.max() - p.min() == len(p) - 1) for p in places]
    return {
        "batch_sizes": torch.tensor([len(part) for _, part in found], dtype=torch.int16),
        "images": means,  # of each label
        "came_as_often_as_asked": counts,
        "in_random_order": int(not torch.equal(labels, y)),
        "batches_are_mixed": int(2 * sum(neighbours) <= len(neighbours)),
        "same_seed_same_order": int(torch.equal(labels, again)),
        "other_seed_other_order": int(not torch.equal(labels, other)),
        "groups_small_enough": int(max(sizes, default=0) <= group),
        "groups": len(sizes),
        "augmented_in_0_1": int(all(inside)),
        "one_batch_at_a_time": int(early <= 2 * batch_size),
    }
