"""Where a network looks."""

from collections.abc import Iterator

import numpy as np
import torch

from autograder.authoring.checks import Answers, Draws, Sketch, case, check
from autograder.notebook.cases import Tolerance

Tensors = dict[str, torch.Tensor]
Arrays = dict[str, np.ndarray]
RECORDS = {
    name: f"return.{name}"
    for name in (
        "maps", "training_afterwards", "dropout_afterwards", "needs_gradient",
        "gradients_untouched", "state_untouched",
    )
}  # fmt: skip
FROM_KINK = 1e-3  # how far every pre-activation is from 0, at least
FROM_ZERO = 1e-4  # and every place of a weighted sum of maps
FAINT = 1e-3  # the largest number of a map before it is divided by it
CLOSE = Tolerance(rtol=1e-4, atol=1e-5)  # largest + 1e-8 in the denominator does no harm
SINGLE = Tolerance(rtol=1e-4, atol=2e-5)


def network_cases(rng: Draws) -> Iterator[Sketch]:
    """Yield weights of a tiny network, images, classes and a mode."""
    for name, about, size, widths, training in (
        ("three", "three images of 8 × 6", (3, 8, 6), (4, 5, 7), False),
        ("training", "the model arrives in training mode", (4, 6, 8), (3, 7, 5), True),
        ("single", "a single image of 10 × 6", (1, 10, 6), (5, 4, 3), False),
        ("nothing", "nothing speaks for the class of two images", (5, 6, 4), (3, 4, 6), False),
        ("float32", "in float32", (2, 8, 10), (4, 3, 6), False),
        ("faint", "one image with faint maps", (3, 6, 10), (4, 5, 3), False),
    ):
        empty = [1, 4] if name == "nothing" else []
        weights, x, classes = clear_of_kinks(rng, size, widths, empty)
        if name == "faint":
            make_faint(weights, x, classes)
        if name == "float32":
            weights = {n: w.float() if w.is_floating_point() else w for n, w in weights.items()}
            x = x.float()
        inputs = {"weights": weights, "x": x, "classes": classes, "training": training}
        yield case(name, about, **inputs, tolerance=SINGLE if name == "float32" else None)


def clear_of_kinks(
    rng: Draws, size: tuple[int, int, int], widths: tuple[int, int, int], empty: list[int]
) -> tuple[Tensors, torch.Tensor, torch.Tensor]:
    """Draw weights, images (N, 1, H, W) and classes (N,), clear of kinks.

    The Grad-CAM maps of the images in `empty` are zero, and no others.
    """
    (N, H, W), (K, D, C) = size, widths
    while True:
        weights = tiny_weights(rng, K, D, C, H * W // 4, one_sided=bool(empty))
        x, classes = drawn(rng, N, 1, H, W), torch.tensor(rng.permutation(C)[:N])
        classes[empty] = C - 1
        state = forward(weights, x)
        found = weighted_sum(state, weights, classes)
        clear = np.abs(state["z"]).min() > FROM_KINK and np.abs(found).min() > FROM_ZERO
        largest = found.max(axis=(1, 2))
        wanted = np.isin(np.arange(N), empty)
        if clear and ((largest < 0) == wanted).all() and largest[~wanted].min() > 0.02:
            return weights, x, classes


def make_faint(weights: Tensors, x: torch.Tensor, classes: torch.Tensor) -> None:
    """Scale what the first image's class has of the last layer: its largest place is FAINT."""
    largest = weighted_sum(forward(weights, x), weights, classes)[0].max()
    weights["head.4.weight"][classes[0]] *= FAINT / largest


def drawn(rng: Draws, *shape: int) -> torch.Tensor:
    """Draw numbers with three decimals."""
    return torch.tensor(rng.randn(*shape).round(3))


def tiny_weights(rng: Draws, K: int, D: int, C: int, places: int, one_sided: bool) -> Tensors:
    """Draw the weights of the adapter's tiny network.

    If `one_sided`, the last class has only what speaks against it: no map raises its logit.
    """
    inputs = K * places
    first, last = drawn(rng, D, inputs) * 2 / inputs**0.5, drawn(rng, C, D)
    if one_sided:
        first, last[-1] = first.abs() / 2, -last[-1].abs()
    return {
        "features.0.weight": drawn(rng, K, 1, 3, 3) / 2,
        "features.0.bias": drawn(rng, K) / 2 + 0.3,
        "features.1.weight": torch.tensor(rng.uniform(0.5, 1.5, K).round(3)),
        "features.1.bias": drawn(rng, K) / 2,
        "features.1.running_mean": drawn(rng, K) / 2,
        "features.1.running_var": torch.tensor(rng.uniform(0.5, 2, K).round(3)),
        "features.1.num_batches_tracked": torch.tensor(3),
        "head.1.weight": first.round(decimals=4),
        "head.1.bias": drawn(rng, D) / 2,
        "head.4.weight": last,
        "head.4.bias": drawn(rng, C),
    }


# The oracle: forward and backward by hand, in NumPy


def forward(weights: Tensors, x: torch.Tensor) -> Arrays:
    """Compute what goes into the ReLU (N, K, H, W), the maps (N, K, h, w), and the units (N, D)."""
    w = {name: value.double().numpy() for name, value in weights.items()}
    images = np.pad(x[:, 0].double().numpy(), ((0, 0), (1, 1), (1, 1)))
    H, W = x.shape[2:]
    z = sum(
        images[:, None, i : i + H, j : j + W] * w["features.0.weight"][None, :, 0, i, j, None, None]
        for i in range(3)
        for j in range(3)
    )
    scale = w["features.1.weight"] / np.sqrt(w["features.1.running_var"] + 1e-5)
    shift = (w["features.0.bias"] - w["features.1.running_mean"]) * scale + w["features.1.bias"]
    z = z * scale[:, None, None] + shift[:, None, None]
    maps = np.maximum(z, 0).reshape(len(x), len(scale), H // 2, 2, W // 2, 2).mean(axis=(3, 5))
    units = np.tanh(maps.reshape(len(x), -1) @ w["head.1.weight"].T + w["head.1.bias"])
    return {"z": z, "maps": maps, "units": units, "scale": scale}


def map_gradients(state: Arrays, weights: Tensors, classes: torch.Tensor) -> np.ndarray:
    """Differentiate the chosen logits with respect to the maps: (N, K, h, w)."""
    chosen = weights["head.4.weight"].double().numpy()[classes.numpy()]  # (N, D)
    gradient = chosen * (1 - state["units"] ** 2) @ weights["head.1.weight"].double().numpy()
    return gradient.reshape(state["maps"].shape)


def answer(maps: np.ndarray, x: torch.Tensor, training: bool) -> Answers:
    """Add to the maps how everything must be left behind."""
    return {
        "maps": torch.tensor(maps).to(x.dtype),
        "training_afterwards": training,
        "dropout_afterwards": training,
        "needs_gradient": 0,
        "gradients_untouched": 1,
        "state_untouched": 1,
    }


def weighted_sum(state: Arrays, weights: Tensors, classes: torch.Tensor) -> np.ndarray:
    """Sum the maps, weighted by the mean gradient of each: (N, h, w), before ReLU."""
    alpha = map_gradients(state, weights, classes).mean(axis=(2, 3))
    return np.einsum("nk,nkij->nij", alpha, state["maps"])


@check("grad_cam_values", "Grad-CAM maps", RECORDS, network_cases, tolerance=CLOSE, pure=True)
def grad_cam(weights: Tensors, x: torch.Tensor, classes: torch.Tensor, training: bool) -> Answers:
    """Enlarge and divide each map by itself."""
    found = np.maximum(weighted_sum(forward(weights, x), weights, classes), 0)
    large = [enlarge(one, *x.shape[2:]) for one in found]
    maps = np.stack([one / one.max() if one.max() > 0 else one for one in large])
    return answer(maps, x, training)


def enlarge(image: np.ndarray, H: int, W: int) -> np.ndarray:
    """Interpolate (h, w) linearly at the centres of H × W pixels, first along one axis."""
    for axis, size in enumerate((H, W)):
        old = image.shape[axis]
        centres = (np.arange(size) + 0.5) * old / size - 0.5
        image = np.apply_along_axis(
            lambda row, at=centres, n=old: np.interp(at, np.arange(n), row), axis, image
        )
    return image
