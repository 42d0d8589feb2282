"""Naming a defect with few labels, with the functions of a7, on the screws of MVTec AD.

The report had 132 capsules; of the screws there are 160, in six classes, too. Both are measured
where their photographs are.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import nn

from bench.figures.figure import Figure, Found, Row, share
from bench.figures.work import Work
from bench.notebooks import Notebook
from data_scripts import mvtec_ad, pretrained
from data_scripts.storage import DataNotFound

CELLS = (
    "setup", "load_parts", "learn_and_held_out", "ResidualBlock", "SmallResNet", "prepare_images",
    "train_resnet", "describe_images", "paired_difference",
)  # fmt: skip
ATTEMPTS: Mapping[str, Mapping[str, Any]] = {
    "no augmentation": {"augment": False},
    "dropout 0.5": {"dropout": 0.5},
    "twice as long": {"epochs": 200},
    "half as many pixels a side": {"size": 128},
}
NETWORKS = "mobilenet_v2", "efficientnet_lite0", "resnet18", "vit_b_16", "vit_drawn", "resnet_drawn"
TUNED = "mobilenet_v2", "resnet18", "vit_b_16"

SPLITS = range(3)  # each with its own seed, too; the first is the notebook's
OWN = "own ResNet, from scratch"
AXIS = "held-out images named correctly, per cent"


class Defects:
    """The notebook's functions, with a category in memory, and answers that are kept."""

    def __init__(self, work: Work, category: str, size: int) -> None:
        self.work = work
        device = "cuda" if torch.cuda.is_available() else "cpu"
        category = "capsule" if work.small else category
        settings = {"REAL": not work.small, "CATEGORY": category, "SIZE": size, "DEVICE": device}
        self.names = Notebook("a7_few_labels", **settings)
        self.names.run(*CELLS)
        self.epochs = 3 if work.small else 100

    def choose(self, split: int) -> torch.Tensor:
        """Split the images into halves. Returns the classes of the half that is measured on."""
        y = self.names["test"].y
        self.names["learn"], self.names["held_out"] = mvtec_ad.halves(y, split)
        return y[self.names["held_out"]]

    def answers(
        self, name: str, split: int, train: Callable[[int], Any]
    ) -> dict[str, torch.Tensor]:
        """Return what a Run of the notebook holds: `right`, `converged`, …, with all seconds."""
        self.choose(split)

        def compute() -> dict[str, torch.Tensor]:
            run = train(split)
            found = {key: torch.as_tensor(part) for key, part in run._asdict().items()}
            return found | {"seconds": torch.tensor(run.seconds * run.epochs)}

        return self.work.tensors(f"{name.replace(' ', '_')}_{split}", compute)

    def descriptions(self, network: str) -> dict[str, torch.Tensor]:
        """Describe the images by a frozen network: means of its maps, and distances from good."""

        def compute() -> dict[str, torch.Tensor]:
            backbone = pretrained.backbone(network)
            images = self.names["test"].X, self.names["train"].X[:100]
            maps, good = (self.names["maps_of"](backbone, X) for X in images)
            return {
                "means": self.names["means_of_maps"](maps),
                "against good": self.names["distances_from_good"](maps, good),
            }

        return self.work.tensors(f"described_{network}", compute)

    def own(self, split: int, **settings: Any) -> Any:
        """Train the student's SmallResNet."""
        settings = {"size": self.names["SIZE"], "epochs": self.epochs} | settings
        return self.names["train_resnet"](split, **settings)

    def probe(self, x: torch.Tensor, split: int) -> Any:
        """Train a linear classifier on descriptions."""
        return self.names["linear_probe"](x)

    def fine_tuned(self, network: str, seed: int) -> Any:
        """Train all layers of a pretrained network on, with a new head."""
        torch.manual_seed(seed)
        backbone = pretrained.backbone(network)
        head = nn.Linear(backbone.width, len(self.names["DEFECTS"]))
        net = nn.Sequential(OrderedDict(features=backbone.module, head=head))
        epochs = 2 if self.work.small else 20
        return self.names["trained"](net, (1e-3, 1e-2), self.names["SIZE"], epochs)


def table(work: Work, category: str) -> Found:
    """Compare an own ResNet, pretrained networks frozen and trained on, in three splits."""
    defects, missing = Defects(work, category, size=256), []
    ways: dict[str, Callable[[int], Any]] = {}
    for network in ("resnet_drawn",) if work.small else NETWORKS:
        try:
            described = defects.descriptions(network)
        except DataNotFound:
            missing.append(network)
            continue
        if network in TUNED or work.small:
            ways[f"{network}, fine-tuned"] = partial(defects.fine_tuned, network)
        for how, x in described.items():
            ways[f"{network}, frozen, {how}"] = partial(defects.probe, x)
    rows = compared(defects, {**ways, OWN: defects.own})
    text = f"Not measured here: {', '.join(missing)}." if missing else ""
    return Found(rows, axis=AXIS, text=f"{described_data(defects)} {text}".strip())


def attempts(work: Work, category: str) -> Found:
    """Repeat the four attempts of the report about bottles with the own network."""
    defects = Defects(work, category, size=256)
    ways = {name: partial(defects.own, **change) for name, change in ATTEMPTS.items()}
    rows = compared(defects, {OWN: defects.own, **ways})
    return Found(rows, axis=AXIS, text=described_data(defects))


def compared(defects: Defects, ways: Mapping[str, Callable[[int], Any]]) -> list[Row]:
    """Measure every way in every split. A row is the first split's; p is against OWN there."""
    splits = SPLITS[:1] if defects.work.small else SPLITS
    found = {name: [defects.answers(name, split, train) for split in splits]
             for name, train in ways.items()}  # fmt: skip
    rows = []
    for name, runs in found.items():
        first = runs[0]["right"]
        counts = ", ".join(str(int(run["right"].sum())) for run in runs)
        converged = sorted(int(run["converged"]) for run in runs)
        epochs = sorted(int(run["epochs"]) for run in runs)
        of = f" of {epochs[0]}" if epochs != converged else ""  # a probe stops by itself
        seconds = sum(float(run["seconds"]) for run in runs) / len(runs)
        _, _, p = defects.names["paired_difference"](found[OWN][0]["right"], first)
        more = {
            f"right of {len(first)}, {len(runs)} splits": counts,
            "p": f"{p:.1g}" if name != OWN else "",
            "converged in epoch": f"{converged[0]}–{converged[-1]}{of}",
            "training": f"{seconds:.1f} s",
        }
        rows.append(share(name, first, **more))
    return rows


def described_data(defects: Defects) -> str:
    """Say what the numbers of a table are."""
    y = defects.choose(0)
    guess = int(y.bincount().max())
    return (
        f"{len(defects.names['learn'])} images of the test set to learn from, {len(y)} to measure "
        f"on, {len(defects.names['DEFECTS'])} classes; the largest class has {guess} of these. "
        "Accuracy, interval and p (exact paired test against the own network) are those of the "
        f"notebook's split; {defects.names['SIZE']} pixels. Training is timed on a core that did "
        "other work, too, and for a frozen network without computing its features."
    )


FIGURES = (
    Figure("few_labels", "Six classes of screws, an own and pretrained networks (a7)",
           "74.2, 86.4, 89.4 % (capsules)", 40, partial(table, category="screw")),
    Figure("few_labels_capsule", "Six classes of capsules, the same (a7; photographs needed)",
           "74.2, 86.4, 89.4 %", 40, partial(table, category="capsule")),
    Figure("four_attempts", "The own network before four attempts to improve it, screws (a7)",
           "31–65 % (bottles)", 45, partial(attempts, category="screw")),
    Figure("four_attempts_bottle", "The same four attempts, bottles (a7; photographs needed)",
           "31–65 %", 45, partial(attempts, category="bottle")),
)  # fmt: skip
