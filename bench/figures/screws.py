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
SMOOTHED = 3  # positions a side over which distances are averaged
DIRECTIONS = 32  # random ones, in which the coreset is searched


def patch_core(work: Work) -> Found:
    """Measure PatchCore on a category, at one size, with a coreset that is chosen greedily."""
    backbone = "resnet_drawn" if work.small else "mobilenet_v2"
    category, size, drawn, share = (
        ("bottle", 96, 0.1, 0.01) if work.small else ("screw", 384, 0.3, 0.1)
    )
    settings = {"DEVICE": "cpu", "BACKBONE": backbone, "STAGES": STAGES}
    names = Notebook("a5_anomaly_detection", REAL=not work.small, **settings)
    names.run(*anomalies.CELLS)
    test = mvtec_ad.load_parts(category, "test", real=not work.small, size=size)[0]

    def features(split: str) -> torch.Tensor:
        parts = mvtec_ad.load_parts(category, split, real=not work.small, size=size)[0]
        return names["patch_features"](parts.X, backbone, STAGES)

    def bank() -> dict[str, torch.Tensor]:
        good = features("train")
        patches = good.movedim(1, 3).reshape(-1, good.shape[1])
        generator = torch.Generator().manual_seed(0)
        some = torch.randperm(len(patches), generator=generator)[: round(drawn * len(patches))]
        directions = torch.randn(good.shape[1], DIRECTIONS, generator=generator)
        kept = round(share * len(patches))
        return {"bank": patches[some][names["greedy_coreset"](patches[some] @ directions, kept, 0)]}

    def maps(patches: torch.Tensor) -> dict[str, torch.Tensor]:
        start = time.perf_counter()
        found = features("test")
        N, C, h, w = found.shape
        queries = found.movedim(1, 3).reshape(-1, C)
        distances, _ = names["nearest_patches"](queries, patches, 1, 2048)
        distances = F.avg_pool2d(distances[:, 0].reshape(N, 1, h, w), SMOOTHED, 1, SMOOTHED // 2)
        seconds = torch.tensor((time.perf_counter() - start) / N)
        return {"maps": distances[:, 0], "seconds": seconds}

    patches = work.tensors("bank", bank)["bank"]
    found = work.tensors("maps", lambda: maps(patches))
    is_defect = test.y > 0
    image, pixel, overlap = anomalies.measured(names, found["maps"], test.masks[:, 0], is_defect)
    more = {
        "ms an image": f"{1000 * found['seconds']:.0f}",
        "MB": f"{patches.nbytes / 1e6:.1f}",
        "fit": f"{work.seconds('bank') / 60:.0f} min",
    }
    scores = names["image_scores"](found["maps"])
    rows = [
        Row("image AUROC", image, bootstrapped(scores, is_defect), more, percent=False),
        Row("pixel AUROC", pixel, percent=False),
        Row("per-region overlap", overlap, percent=False),
    ]
    text = (
        f"{len(test.y)} images of {size} pixels, maps of {backbone}'s stages {STAGES}; a coreset "
        f"of {share:.0%} of all patches ({len(patches):,}), chosen greedily among {drawn:.0%}; "
        f"distances averaged over {SMOOTHED} × {SMOOTHED} positions."
    )
    return Found(rows, text=text)


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
    Figure("screws", "Which screws are defective, image AUROC (a5)", "target 0.97", 60, patch_core),
)  # fmt: skip
