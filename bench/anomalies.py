"""Measure PaDiM and PatchCore of a5's source notebook on a category, and print Markdown.

`python -m bench.anomalies screw --real --backbone mobilenet_v2 --stages 1 2 --size 256`
"""

import argparse
import resource
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from bench.notebooks import Notebook
from data_scripts import mvtec_ad

CELLS = (
    "setup", "patch_features", "fit_gaussians", "mahalanobis", "greedy_coreset",
    "nearest_patches", "image_scores", "area_under_curve", "measures",
)  # fmt: skip
SIDE = 64  # of the maps that per-region overlap is measured on


def main() -> None:
    """Measure what the command line asks for."""
    options = parsed()
    print("| | image AUROC | pixel AUROC | PRO | fit [s] | image [ms] | model [MB] |")
    print("|---|---:|---:|---:|---:|---:|---:|", flush=True)
    for name, found in methods(options):
        values = [f"{value:.3f}" for value in found["measures"]]
        values += [
            f"{found['fit']:.1f}",
            f"{1000 * found['image']:.0f}",
            f"{found['bytes'] / 1e6:.1f}",
        ]
        print(f"| {name} | {' | '.join(values)} |", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"\nPeak memory of the process {peak:.1f} GiB, torch {torch.__version__}.")
    if options.device == "cuda":
        print(f"Peak of the GPU {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB.")


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line, or arguments like it."""
    parser = argparse.ArgumentParser(prog="python -m bench.anomalies", description=__doc__)
    parser.add_argument("category")
    parser.add_argument("--real", action="store_true", help="photographs, not drawn parts")
    parser.add_argument("--backbone", default="resnet_drawn")
    parser.add_argument("--stages", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--size", type=int, default=192, help="pixels")
    parser.add_argument("--coresets", type=float, nargs="*", default=[0.01, 0.1])
    parser.add_argument("--directions", type=int, default=32, help="of the greedy search")
    parser.add_argument("--device", default="cpu")
    return parser.parse_args(arguments)


@torch.no_grad()
def methods(options: argparse.Namespace) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each method's name and what was measured of it."""
    settings = {"DEVICE": options.device, "BACKBONE": options.backbone, "STAGES": options.stages}
    given = Notebook("a5_anomaly_detection", REAL=options.real, **settings)
    given.run(*CELLS)
    train, _, _ = load(options, "train")
    test, masks, is_defect = load(options, "test")
    times: dict[str, float] = {}
    with timed(times, "features"):
        good = given["patch_features"](train, options.backbone, options.stages)
    with timed(times, "of the test"):
        features = given["patch_features"](test, options.backbone, options.stages)
    good, features = good.to(options.device), features.to(options.device)
    each = times["of the test"] / len(test)

    def result(maps: torch.Tensor, seconds: float, bytes_: int) -> dict[str, Any]:
        measures = measured(given, maps.cpu(), masks, is_defect)
        image = each + times["scores"] / len(test)
        return {"measures": measures, "fit": times["features"] + seconds, "image": image,
                "bytes": bytes_}  # fmt: skip

    with timed(times, "fit"):
        mean, factor = given["fit_gaussians"](good, 0.01)
    with timed(times, "scores"):
        maps = given["mahalanobis"](features, mean, factor)
    yield "PaDiM", result(maps, times["fit"], mean.nbytes + factor.nbytes)
    del mean, factor
    N, C, h, w = features.shape
    patches, queries = (f.movedim(1, 3).reshape(-1, C) for f in (good, features))
    generator = torch.Generator().manual_seed(0)
    projection = torch.randn(C, options.directions, generator=generator).to(options.device)
    for share in options.coresets:
        size = round(share * len(patches))
        with timed(times, "fit"):
            chosen = given["greedy_coreset"](patches @ projection, size, 0)
        bank = patches[chosen]
        with timed(times, "scores"):
            distances, _ = given["nearest_patches"](queries, bank, 1, 2048)
        maps = distances[:, 0].reshape(N, h, w)
        yield f"PatchCore, {share:.0%}: {size:,} patches", result(maps, times["fit"], bank.nbytes)


def load(
    options: argparse.Namespace, split: str
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Load images (N, 3, S, S), masks (N, S, S), and whether each is defective (N,)."""
    data = mvtec_ad.load(options.category, split, real=options.real, size=options.size)
    images, masks, _ = zip(*data, strict=True)
    return torch.stack(images), torch.cat(masks), data.targets > 0


def measured(
    given: Mapping[str, Callable], maps: torch.Tensor, masks: torch.Tensor, is_defect: torch.Tensor
) -> tuple[float, float, float]:
    """Measure image AUROC, pixel AUROC at full size, and PRO at SIDE × SIDE places."""
    image = given["auroc"](given["image_scores"](maps), is_defect)
    large = given["at_full_size"](maps, masks.shape[-1])
    pixel = given["auroc"](large.flatten(), masks.flatten())
    small = torch.nn.functional.adaptive_max_pool2d(masks.float(), SIDE).bool()
    overlap = given["region_overlap"](given["at_full_size"](maps, SIDE), small, 0.3)
    return float(image), float(pixel), float(overlap)


@contextmanager
def timed(times: dict[str, float], name: str) -> Generator[None]:
    """Put the seconds that something takes into `times`."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    start = time.perf_counter()
    yield
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    times[name] = time.perf_counter() - start


if __name__ == "__main__":
    main()
