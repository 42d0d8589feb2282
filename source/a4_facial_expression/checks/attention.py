"""Where a network looks."""

from collections.abc import Callable, Iterator

import numpy as np
import torch

from autograder.cases import Tolerance
from autograder.checks import Check, Kind, Mistake, public_and_hidden

Tensors = dict[str, torch.Tensor]
MARGIN = 1e-2  # of every pre-activation from 0, and of what a zero map has in it
CLOSE = Tolerance(rtol=1e-4, atol=1e-5)  # dividing by largest + 1e-6 does no harm
SINGLE = Tolerance(rtol=1e-4, atol=2e-5)


def checks(seed: int) -> Iterator[Check]:
    """Yield the checks of this part; `seed` draws the hidden cases."""
    names = ("maps", "training_afterwards", "dropout_afterwards", "needs_gradient",
             "gradients_untouched", "state_untouched")  # fmt: skip
    for name, title, oracle in (
        ("saliency_values", "saliency maps", saliency),
        ("grad_cam_values", "Grad-CAM maps", grad_cam),
    ):
        yield Check(
            name=name,
            title=title,
            records={name: f"return.{name}" for name in names},
            cases=public_and_hidden(networks, seed),
            oracle=answered(oracle),
            pure=True,
        )


def networks(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield weights of a tiny network, images, classes and a mode, clear of kinks."""
    for name, about, (N, H, W), (K, D, C), training, dtype in (
        ("three", "three images of 8 × 6", (3, 8, 6), (4, 5, 7), False, torch.float64),
        ("training", "the model arrives in training mode", (4, 6, 8), (3, 7, 5), True,
         torch.float64),
        ("single", "a single image of 10 × 6", (1, 10, 6), (5, 4, 3), False, torch.float64),
        ("nothing", "nothing speaks for the class of two images", (5, 6, 4), (3, 4, 6), False,
         torch.float64),
        ("float32", "in float32", (2, 8, 10), (4, 3, 6), False, torch.float32),
    ):  # fmt: skip
        while True:
            inputs = {
                "weights": tiny_weights(rng, K, D, C, H * W // 4, one_sided=name == "nothing"),
                "x": drawn(rng, N, 1, H, W), "classes": torch.tensor(rng.permutation(C)[:N]),
            }  # fmt: skip
            if name == "nothing":  # of these images, the last class
                inputs["classes"][[1, 4]] = C - 1
            state = forward(**inputs)
            found = weighted_sum(state, inputs["weights"], inputs["classes"])
            clear = np.abs(state["z"]).min() > MARGIN / 10 and np.abs(found).min() > MARGIN / 100
            empty = found.max(axis=(1, 2)) < 0
            wanted = np.isin(np.arange(N), [1, 4] if name == "nothing" else [])
            if clear and (empty == wanted).all() and found.max(axis=(1, 2))[~empty].min() > 0.02:
                break
        weights = {n: w.to(dtype) if w.is_floating_point() else w
                   for n, w in inputs["weights"].items()}  # fmt: skip
        inputs |= {"weights": weights, "x": inputs["x"].to(dtype), "training": training}
        yield name, about, inputs, 1, SINGLE if dtype is torch.float32 else CLOSE


def drawn(rng: np.random.RandomState, *shape: int) -> torch.Tensor:
    """Draw numbers with three decimals."""
    return torch.tensor(rng.randn(*shape).round(3))


def tiny_weights(
    rng: np.random.RandomState, K: int, D: int, C: int, places: int, one_sided: bool
) -> Tensors:
    """Draw the weights of the notebook's TinyNet.

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


def forward(weights: Tensors, x: torch.Tensor, classes: torch.Tensor) -> dict[str, np.ndarray]:
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


def by_maps(state: dict[str, np.ndarray], weights: Tensors, classes: torch.Tensor) -> np.ndarray:
    """Differentiate the chosen logits by the maps: (N, K, h, w)."""
    chosen = weights["head.4.weight"].double().numpy()[classes.numpy()]  # (N, D)
    gradient = chosen * (1 - state["units"] ** 2) @ weights["head.1.weight"].double().numpy()
    return gradient.reshape(state["maps"].shape)


def saliency(weights: Tensors, x: torch.Tensor, classes: torch.Tensor) -> np.ndarray:
    """Send each gradient of a map back to the pixels that its place has seen."""
    state = forward(weights, x, classes)
    gradient = np.kron(by_maps(state, weights, classes), np.full((2, 2), 0.25)) * (state["z"] > 0)
    gradient *= state["scale"][:, None, None]
    filters = weights["features.0.weight"].double().numpy()[:, 0]
    N, K, H, W = gradient.shape
    pixels = np.zeros((N, H + 2, W + 2))
    for n, k, i, j in np.ndindex(N, K, H, W):
        pixels[n, i : i + 3, j : j + 3] += gradient[n, k, i, j] * filters[k]
    return np.abs(pixels[:, 1:-1, 1:-1])


def weighted_sum(
    state: dict[str, np.ndarray], weights: Tensors, classes: torch.Tensor
) -> np.ndarray:
    """Sum the maps, weighted by the mean gradient of each: (N, h, w), before ReLU."""
    alpha = by_maps(state, weights, classes).mean(axis=(2, 3))
    return np.einsum("nk,nkij->nij", alpha, state["maps"])


def grad_cam(weights: Tensors, x: torch.Tensor, classes: torch.Tensor) -> np.ndarray:
    """Enlarge and divide each map by itself."""
    found = np.maximum(weighted_sum(forward(weights, x, classes), weights, classes), 0)
    large = [enlarge(one, *x.shape[2:]) for one in found]
    return np.stack([one / one.max() if one.max() > 0 else one for one in large])


def enlarge(image: np.ndarray, H: int, W: int) -> np.ndarray:
    """Interpolate (h, w) linearly at the centres of H × W pixels, first along one axis."""
    for axis, size in enumerate((H, W)):
        old = image.shape[axis]
        centres = (np.arange(size) + 0.5) * old / size - 0.5
        image = np.apply_along_axis(
            lambda row, at=centres, n=old: np.interp(at, np.arange(n), row), axis, image
        )
    return image


def answered(oracle: Callable[..., np.ndarray]) -> Callable[..., Tensors]:
    """Add to an oracle's maps how everything must be left behind."""

    def answer(weights: Tensors, x: torch.Tensor, classes: torch.Tensor, training: bool) -> Tensors:
        left = {"training_afterwards": training, "dropout_afterwards": training,
                "needs_gradient": 0, "gradients_untouched": 1, "state_untouched": 1}  # fmt: skip
        left = {name: torch.tensor(float(value)).double() for name, value in left.items()}
        return {"maps": torch.tensor(oracle(weights, x, classes)).to(x.dtype), **left}

    return answer


CHOSEN = "chosen = model(x).gather(1, classes[:, None])"
CHOSEN_CAM = "chosen = model.head(maps).gather(1, classes[:, None])"
BACK = "    model.train(was_training)\n"
COPY = "x = x.detach().clone().requires_grad_()"
BY_PIXEL = "(gradient,) = torch.autograd.grad(chosen.sum(), x)"
BY_MAP = "(gradient,) = torch.autograd.grad(chosen.sum(), maps)"
ALPHA = "alpha = gradient.mean(dim=(2, 3), keepdim=True)"
SUMMED = "found = (alpha * maps).sum(dim=1, keepdim=True).relu().detach()"
LARGE = 'found = F.interpolate(found, size=x.shape[2:], mode="bilinear", align_corners=False)[:, 0]'
DIVIDED = "return found / found.amax(dim=(1, 2), keepdim=True).clamp(min=1e-12)"


def salient(name: str, change: dict[str, str], share: float, hint: str) -> Mistake:
    """Build a mistake in `saliency`."""
    return Mistake(name, "saliency", change, ("saliency_values",), share, hint)


def cam(name: str, change: dict[str, str], share: float, hint: str) -> Mistake:
    """Build a mistake in `grad_cam`."""
    return Mistake(name, "grad_cam", change, ("grad_cam_values",), share, hint)


MISTAKES: tuple[Mistake, ...] = (
    salient("probability_explained", {"model(x).gather": "model(x).softmax(dim=1).gather"}, 0.4,
            "this is the gradient of the probability. Explain the logit."),
    salient("log_probability_explained", {"model(x).gather": "model(x).log_softmax(dim=1).gather"},
            0.4, "this is the gradient of the log-probability. Explain the logit."),
    salient("all_logits_explained", {CHOSEN: "chosen = model(x)"}, 0.2,
            "the gradients of all logits were added up. Take the logit of classes[n] only."),
    salient("largest_logit_explained", {CHOSEN: "chosen = model(x).amax(dim=1)"}, 0.4,
            "the largest logit was explained, whatever class was asked for."),
    salient("class_of_the_first", {"classes[:, None]": "classes[:1].expand(len(x))[:, None]"}, 0.3,
            "all images were explained for the class of the first one."),
    salient("only_the_first_image", {"chosen.sum(), x": "chosen[0].sum(), x"}, 0.2,
            "all maps but the first are zero: only the first image's logit was differentiated."),
    salient("signs_left", {"return gradient[:, 0].abs()": "return gradient[:, 0]"}, 0.4,
            "the maps have signs. Take the absolute value."),
    salient("squared", {"gradient[:, 0].abs()": "gradient[:, 0].square()"}, 0.4,
            "the gradients were squared. Take the absolute value."),
    salient("scaled_to_one",
            {"return gradient[:, 0].abs()": "gradient = gradient[:, 0].abs()\n"
             "    return gradient / gradient.amax(dim=(1, 2), keepdim=True)"}, 0.6,
            "the maps were divided by their largest value. Saliency is the gradient itself."),
    salient("channel_kept", {"gradient[:, 0].abs()": "gradient.abs()"}, 0.6,
            "the maps are (N, 1, H, W). There is one channel: return (N, H, W)."),
    salient("mode_as_it_was", {"    model.eval()\n": ""}, 0.5,
            "in training mode the maps depend on dropout and on the batch, and batch norm learns "
            "from it. Switch to evaluation mode first."),
    salient("left_in_evaluation", {BACK: ""}, 0.6,
            "the model is left in evaluation mode. Put it back into the mode it had."),
    salient("left_in_training", {"model.train(was_training)": "model.train()"}, 0.6,
            "the model is left in training mode, whatever it was in before."),
    salient("gradients_left_behind", {BY_PIXEL: "chosen.sum().backward()\n    gradient = x.grad"},
            0.5, "backward() added to the .grad of every parameter: the next step of an optimiser "
            "would use it. torch.autograd.grad leaves no trace."),
    salient("x_needs_a_gradient", {COPY: "x.requires_grad_()"}, 0.7,
            "x itself needs a gradient afterwards, or has one. Work with a copy of it."),
    cam("cam_of_probability", {"model.head(maps).gather": "model.head(maps).softmax(dim=1).gather"},
        0.4, "this is the gradient of the probability. Explain the logit."),
    cam("cam_of_all_logits", {CHOSEN_CAM: "chosen = model.head(maps)"}, 0.2,
        "the gradients of all logits were added up. Take the logit of classes[n] only."),
    cam("cam_of_the_largest", {CHOSEN_CAM: "chosen = model.head(maps).amax(dim=1)"}, 0.4,
        "the largest logit was explained, whatever class was asked for."),
    cam("cam_of_the_first_image", {"chosen.sum(), maps": "chosen[0].sum(), maps"}, 0.2,
        "all maps but the first are zero: only the first image's logit was differentiated."),
    cam("no_relu", {".relu().detach()": ".detach()"}, 0.5,
        "the maps have negative places. ReLU keeps only what speaks for the class."),
    cam("absolute_value", {".relu().detach()": ".abs().detach()"}, 0.4,
        "what speaks against the class counts like what speaks for it. Use ReLU instead of the "
        "absolute value."),
    cam("relu_of_each_channel",
        {SUMMED: "found = (alpha * maps).relu().sum(dim=1, keepdim=True).detach()"}, 0.5,
        "the ReLU came before the sum over the channels. Sum first: what speaks against the class "
        "at a place counts there."),
    cam("gradient_of_each_place", {ALPHA: "alpha = gradient"}, 0.5,
        "each place was weighted by its own gradient. Grad-CAM gives a whole channel one weight: "
        "the mean of its gradient over the places."),
    cam("channels_not_weighted", {ALPHA: "alpha = torch.ones_like(gradient)"}, 0.3,
        "the maps were added up without weights, so every class has the same map."),
    cam("gradient_without_maps", {SUMMED: SUMMED.replace("alpha * maps", "gradient")}, 0.3,
        "this is the sum of the gradients over the channels. Multiply the maps by their weights."),
    cam("nearest_place", {LARGE: "found = F.interpolate(found, size=x.shape[2:])[:, 0]"}, 0.6,
        "the maps were enlarged by repeating places (mode=\"nearest\", the default). Ask for "
        "bilinear."),
    cam("cam_corners_aligned", {"align_corners=False": "align_corners=True"}, 0.7,
        "the enlarging aligns the corners' pixels. Leave align_corners off."),
    cam("divided_before_enlarging",
        {LARGE: "found = found / found.amax(dim=(1, 2, 3), keepdim=True).clamp(min=1e-12)\n"
         f"    {LARGE}", DIVIDED: "return found"}, 0.7,
        "the maps were divided before they were enlarged, so their largest number is below 1. "
        "Enlarge first."),
    cam("not_enlarged", {LARGE: "found = found[:, 0]"}, 0.5,
        "the maps are as small as those of features. Enlarge them to the size of the image."),
    cam("not_divided", {DIVIDED: "return found"}, 0.6,
        "the maps were not divided by their largest value."),
    cam("divided_by_the_batch", {DIVIDED: "return found / found.amax().clamp(min=1e-12)"}, 0.5,
        "all maps were divided by the largest value of the batch. Each image has its own."),
    cam("nothing_by_nothing", {".clamp(min=1e-12)": ""}, 0.7,
        "a map that is zero everywhere became nan: 0 was divided by 0."),
    cam("stretched",
        {DIVIDED: f"found = found - found.amin(dim=(1, 2), keepdim=True)\n    {DIVIDED}"}, 0.6,
        "the smallest value was subtracted before dividing. Only divide by the largest."),
    cam("cam_in_training_mode", {"    model.eval()\n": ""}, 0.5,
        "in training mode the maps depend on dropout and on the batch, and batch norm learns from "
        "it. Switch to evaluation mode first."),
    cam("cam_left_in_evaluation", {BACK: ""}, 0.6,
        "the model is left in evaluation mode. Put it back into the mode it had."),
    cam("cam_gradients_left", {BY_MAP: "chosen.sum().backward()\n    gradient = maps.grad"}, 0.5,
        "backward() added to the .grad of the head's parameters. torch.autograd.grad leaves no "
        "trace."),
)  # fmt: skip
