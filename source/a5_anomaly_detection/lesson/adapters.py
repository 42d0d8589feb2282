"""How the checks call what a student wrote.

A function has the name of its check. It gets what the student wrote, followed by the inputs of a
case, and returns what the check compares.
"""

import io
import tracemalloc
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from autograder.notebook.artifacts import load_artifact

from . import regions

# The autoencoder


@torch.no_grad()
def _shake(model: nn.Module, begin: Sequence[Tensor], strength: float) -> None:
    """Move all parameters from where they began: a 0 that was set on purpose is no mistake."""
    for parameter, value in zip(model.parameters(), begin, strict=True):
        spread = strength * (0.05 + value.std(correction=0))
        parameter.copy_(value + spread * torch.randn_like(value))


def _gradient_is_missing(model: nn.Module, images: Tensor) -> list[bool]:
    """Say for each parameter whether the output does not depend on it."""
    loss = model(images).square().sum()
    parameters = [p for p in model.parameters() if p.requires_grad]
    if not loss.requires_grad:
        return [True] * len(parameters)
    found = torch.autograd.grad(loss, parameters, allow_unused=True)
    return [gradient is None or not bool(gradient.any()) for gradient in found]


@torch.no_grad()
def _drawings(model: Any, images: Tensor) -> dict[str, int]:
    """Look at what an Autoencoder with its present weights makes of images."""
    found, code = model(images), model.encode(images)
    drawn, alone = model.decode(code), model(images[:1])
    mixed = model.decode(code.flip(0))
    return {
        "code_is_narrow": int(16 * code.numel() <= images.numel() and len(code) == len(images)),
        "between_0_and_1": int(bool(((found >= 0) & (found <= 1)).all())),
        "nothing_goes_round": int(torch.allclose(found, drawn, atol=1e-5)),
        "drawn_from_the_code": int(torch.allclose(mixed, drawn.flip(0), atol=1e-5)),
        "codes_differ": int((mixed - drawn).abs().max() > 1e-9),
        "image_for_itself": int(torch.allclose(alone, found[:1], atol=1e-5)),
    }


def autoencoder_structure(Autoencoder, images):
    """Look at what a new Autoencoder promises, with images (N, 3, 96, 96)."""
    torch.manual_seed(0)
    model, images, seen, unused = Autoencoder().train().double(), images.double(), [], []
    with torch.no_grad():
        shape = model(images).shape  # batch norm meets the images, too
    begin = [parameter.detach().clone() for parameter in model.eval().parameters()]
    for strength in (0.1, 0.5, 2.0):
        _shake(model, begin, strength)
        seen.append(_drawings(model, images[:2]))
        if not unused or any(unused[-1]):  # one that has a gradient once is used
            unused.append(_gradient_is_missing(model, images[:1]))
    found = {name: min(one[name] for one in seen) for name in seen[0]}
    found["codes_differ"] = max(one["codes_differ"] for one in seen)
    return {
        **found,
        "shape": torch.tensor(shape),
        "within_budget": int(sum(p.numel() for p in model.parameters()) <= 400_000),
        "unused_parameters": sum(map(all, zip(*unused, strict=True))),
    }


# Memory


class _Watch(TorchDispatchMode):
    """Remember how many bytes all living tensors have together, at most."""

    def __init__(self, *given: Tensor) -> None:
        super().__init__()
        self.known = {tensor.untyped_storage().data_ptr() for tensor in given}
        self.used = self.peak = 0

    def __torch_dispatch__(
        self, func: Callable, types: Any, args: Sequence = (), kwargs: dict | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for one in result if isinstance(result, tuple | list) else (result,):
            if isinstance(one, torch.Tensor) and one.layout is torch.strided:
                self.remember(one.untyped_storage())
        self.peak = max(self.peak, self.used)
        return result

    def remember(self, storage: torch.UntypedStorage) -> None:
        place, size = storage.data_ptr(), storage.nbytes()
        if place not in self.known:
            self.known.add(place)
            self.used += size
            weakref.finalize(storage, self.forget, place, size)

    def forget(self, place: int, size: int) -> None:
        self.known.discard(place)
        self.used -= size


def _bytes_in_use(function: Callable[..., Any], *arguments: Any) -> int:
    """Call a function, and measure how much memory tensors and NumPy arrays have in use.

    It was called before: what it imports has been imported. What PyTorch imports for the first
    function that is watched must not count.
    """
    with _Watch():
        torch.zeros(1).abs()
    tracemalloc.start()  # NumPy's arrays, and Python's own objects
    with _Watch(*(a for a in arguments if isinstance(a, torch.Tensor))) as watch:
        function(*arguments)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return watch.peak + peak


def coreset(greedy_coreset, patches, size, first, watched):
    """Return the chosen patches and, if asked, whether many fit into little memory."""
    chosen, within = greedy_coreset(patches, size, first), True
    if watched:
        many = patches.repeat(30, 1)
        used = _bytes_in_use(greedy_coreset, many, size, first)
        within = used <= len(many) ** 2 * many.element_size() / 4
    return {"chosen": chosen, "within_memory": int(within)}


def nearest_patch_values(nearest_patches, queries, bank, k, chunk, watched):
    """Return the nearest patches and, if asked, whether a large search fits into little memory."""
    distances, indices = nearest_patches(queries, bank, k, chunk)
    within = True
    if watched:
        many, large = queries.repeat(15, 1), bank.repeat(240, 1)
        used = _bytes_in_use(nearest_patches, many, large, k, chunk)
        whole = len(many) * len(large) * many.element_size()  # bytes of the table of all distances
        within = used <= whole / 5.5  # 64 queries at a time take more, lists for one query less
    return {"distances": distances, "indices": indices, "within_memory": int(within)}


# Areas under curves


def auroc_values(area_under_curve, scores, labels):
    """Return the AUROC of scores (N,) for labels (N,), bool: every score weighs 1."""
    return area_under_curve(scores, (~labels).double(), labels.double(), 1.0)


def region_overlap_values(area_under_curve, maps, masks, limit):
    """Return the PRO of maps (N, H, W) for masks (N, H, W), bool: every region weighs 1."""
    weights = regions.weights(masks).flatten()
    return area_under_curve(maps.flatten(), (weights == 0).double(), weights, limit)


# The detector that is handed in


def detector_images(detect, sheet):
    """Detect on a sheet of capsules, the bytes of a PNG file.

    Returns maps (n, 48, 48), and the largest number of each.
    """
    detector = load_artifact("detector.safetensors")
    if sum(tensor.nbytes for tensor in detector.values()) > 1_000_000:
        raise ValueError("The tensors of detector.safetensors take more than 1,000,000 bytes.")
    pixels = torch.from_numpy(np.array(Image.open(io.BytesIO(sheet.numpy().tobytes()))))
    images = pixels.view(-1, 192, 192, 3).permute(0, 3, 1, 2).contiguous()
    maps = detect(images, detector)
    if not (maps.dim() == 3 and len(maps) == len(images) and maps.is_floating_point()):
        raise ValueError(f"detect returned {maps.dtype} of shape {tuple(maps.shape)}, not maps.")
    maps = F.interpolate(maps[:, None], (48, 48), mode="bilinear", align_corners=False)[:, 0]
    return {"images": maps.flatten(1).amax(dim=1), "places": maps}


detector_pixels = detector_images
