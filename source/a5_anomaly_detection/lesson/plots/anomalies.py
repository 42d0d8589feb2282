"""Anomalies: how well they are ranked, and thresholds."""

from collections.abc import Mapping
from typing import Any

import torch

from autograder.notebook.plots import COLOURS, figure, for_people


@for_people
def detection_curves(
    ranking: Mapping[str, tuple[Any, Any]], overlaps: Mapping[str, tuple[Any, Any]]
) -> None:
    """Draw ROC curves of images, and the overlap of regions against false-positive rates.

    A curve of `ranking` is (rates of false alarms, rates of defects found), from (0, 0) on; one
    of `overlaps` is (limits (n + 1,), mean overlaps between them (n,)).
    """
    with figure(9.6, 3.8, columns=2) as (left, right):
        for colour, (name, (false, found)) in zip(COLOURS, ranking.items(), strict=False):
            left.plot([100 * x for x in false], [100 * y for y in found], color=colour, label=name)
        for colour, (name, (limits, means)) in zip(COLOURS, overlaps.items(), strict=False):
            edges, heights = [100 * x for x in limits], [100 * y for y in means]
            right.stairs(heights, edges, baseline=None, color=colour, label=name, linewidth=1.5)
        left.set(title="parts", xlabel="good parts that raise an alarm [%]",
                 ylabel="defective parts found [%]")  # fmt: skip
        right.set(title="pixels", xlabel="good pixels called defective [%]",
                  ylabel="mean overlap of a region [%]")  # fmt: skip
        for axes in (left, right):
            axes.set_ylim(0, 103)
            axes.grid(alpha=0.3)
            axes.legend(loc="lower right")


@for_people
def score_strips(groups: Mapping[str, torch.Tensor], thresholds: Mapping[str, float]) -> None:
    """Draw the scores (n,) of each group of images as dots in a row, and thresholds as lines."""
    with figure(8.4, 0.9 + 0.55 * len(groups)) as axes:
        for place, (name, scores) in enumerate(groups.items()):
            height = place + torch.linspace(-0.3, 0.3, 7).repeat(len(scores) // 7 + 1)
            colour = COLOURS["defective" in name]
            axes.plot(scores.tolist(), height[: len(scores)].tolist(), ".", color=colour, alpha=0.6)
        for style, (name, value) in zip(("--", ":"), thresholds.items(), strict=False):
            axes.axvline(value, color="black", ls=style, lw=1, label=name)
        axes.set(xlabel="score of an image", ylabel="images")
        axes.set_yticks(range(len(groups)), list(groups))
        axes.invert_yaxis()
        axes.legend(fontsize=8)
