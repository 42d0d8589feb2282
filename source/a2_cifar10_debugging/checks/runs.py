"""Real training runs for `diagnose`: a grid of settings, each trained with three seeds.

    python -m autograder.assignments.a2_cifar10_debugging.checks.runs

trains what `runs.safetensors` beside this file does not hold yet, with the notebook's own `train`
on the drawn images at half their size (16 x 16 pixels, which is four times as fast), in one thread:
about ten minutes. The diagnosis of each run is decided in `stories.py`.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import nbformat
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch.nn.functional import avg_pool2d, cross_entropy
from tqdm.auto import tqdm

from data_scripts import cifar10

FILE = Path(__file__).with_name("runs.safetensors")
SOURCE = Path(__file__).parents[1] / "a2_cifar10_debugging.ipynb"
CURVES = "train_loss", "val_loss", "train_acc", "val_acc"
SEEDS = 0, 1, 2
RATES = 1e-5, 1e-4, 1e-3, 1e-2, 3e-2, 1e-1, 3e-1, 3.0
FEW_RATES = 1e-3, 1e-2, 3e-2, 1e-1  # for many images, which take longest

# what the data are (see `data`), and with them the keywords of `train`
DATA = {"images": 2000, "validation": 1000, "scaled": True, "shuffled": False, "mirrored": False,
        "pixels": 16}  # fmt: skip
PLAIN = {**DATA, "hidden": 32, "batch_size": 100, "epochs": 16, "decay": 0.95, "reg": 0.0,
         "momentum": 0.0, "dropout": 0.0, "flip": False, "scale": None}  # fmt: skip
MANY = {"images": 6000}
AUGMENTED = {**MANY, "mirrored": True, "hidden": 128, "dropout": 0.3, "decay": 0.9}
NOTEBOOK = {  # the notebook's own bad run, and the best of its search, on all that they have
    "bad": {"images": 9000, "pixels": 32, "scaled": False, "hidden": 36, "batch_size": 1000,
            "epochs": 55, "lr": 0.01, "reg": 0.25, "scale": 1e-4},
    "tuned": {"images": 9000, "pixels": 32, "hidden": 128, "batch_size": 200, "epochs": 20,
              "lr": 0.05, "decay": 0.86, "reg": 1e-4, "momentum": 0.9, "dropout": 0.1, "flip": True,
              "scale": 0.01},
}  # fmt: skip
Setting = tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Run:
    """A setting, a seed, and the history that `train` returned."""

    setting: Setting
    seed: int
    history: Mapping[str, Sequence[float]]

    def __getitem__(self, name: str) -> Any:
        """Return what the setting says: run["lr"]."""
        return dict(self.setting)[name]


def settings() -> Iterator[Setting]:
    """Yield every setting of the grid: each change of PLAIN, at every learning rate."""
    few: list[dict[str, Any]] = [{}, {"hidden": 3}, {"hidden": 128}, {"reg": 0.1}, {"reg": 1.0}]
    few += [{"scale": 1e-4}, {"scaled": False}, {"dropout": 0.9}, {"momentum": 0.9}]
    few += [{"hidden": 128, "images": 400}, {"hidden": 128, "images": 400, "shuffled": True}]
    few += [{"momentum": 0.9, "decay": 1.0, "batch_size": 20}]
    few += [{"batch_size": 1000, "decay": 1.0, "epochs": 24}]
    many = [{**MANY, "mirrored": True, "dropout": 0.1}, AUGMENTED, {**AUGMENTED, "decay": 1.0}]
    for changes, rates in ((few, RATES), (many, FEW_RATES)):
        for change, lr in product(changes, rates):
            yield made({**change, "lr": lr})


def made(change: Mapping[str, Any]) -> Setting:
    """Return PLAIN with a change."""
    return tuple({**PLAIN, **change}.items())


def varied(setting: Setting, **change: Any) -> Setting:
    """Return a setting of the grid with a change."""
    return made({**dict(setting), **change})


@cache
def course() -> dict[str, Any]:
    """Run the cells of the notebook that prepare images and train, and return their names."""
    names: dict[str, Any] = {"torch": torch, "tqdm": tqdm, "cross_entropy": cross_entropy}
    wanted = "image_statistics", "prepare", "two_layer_net", "measure", "train"
    for cell in nbformat.read(SOURCE, 4).cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") in wanted:
            exec(cell.source, names)  # the course's own cells
    return names


@cache
def drawn(pixels: int) -> dict[str, Any]:
    """Return the drawn images, prepared, with labels: the last tenth is for validation."""
    images, y = cifar10.load("train")
    images = avg_pool2d(images.float(), images.shape[-1] // pixels).round().to(torch.uint8)
    held_out = len(images) // 10
    mean_image, std = course()["image_statistics"](images[:-held_out])
    X = course()["prepare"](images, mean_image, std)
    return {"X": X, "y": y.long(), "first_held_out": len(images) - held_out, "std": std}


def data(
    images: int, validation: int, scaled: bool, shuffled: bool, mirrored: bool, pixels: int
) -> dict[str, torch.Tensor]:
    """Return the first `images` to train on, and the first `validation` of those held out.

    Not `scaled`: centred, and not divided by std. `shuffled`: labels in a random order.
    `mirrored`: each image a second time, left to right.
    """
    X, y, first, std = drawn(pixels).values()
    X = X if scaled else X * std
    X_train, y_train = X[:images], y[:images]
    if shuffled:
        y_train = y_train[torch.randperm(images, generator=torch.Generator().manual_seed(0))]
    if mirrored:
        turned = X_train.reshape(-1, 3, pixels, pixels).flip(3).flatten(1)
        X_train, y_train = torch.cat([X_train, turned]), y_train.repeat(2)
    held_out = slice(first, first + validation)
    return {"X_train": X_train, "y_train": y_train, "X_val": X[held_out], "y_val": y[held_out]}


def trained(setting: Setting, seed: int) -> Run:
    """Train a net; its curves are rounded to five digits, as float32."""
    keywords = dict(setting)
    given = data(**{name: keywords.pop(name) for name in DATA})
    _, history = course()["train"](given, **keywords, seed=seed)
    return Run(setting, seed, {name: [float(f"{v:.5g}") for v in history[name]] for name in CURVES})


def write(runs: Sequence[Run], path: Path = FILE) -> None:
    """Write runs into a file: their curves end to end, and what they are as JSON."""
    tensors = {
        name: torch.tensor([v for run in runs for v in run.history[name]], dtype=torch.float32)
        for name in CURVES
    }
    about = [[run.seed, {k: v for k, v in run.setting if v != PLAIN.get(k, "no")}] for run in runs]
    partial = path.with_suffix(".partial")
    save_file(tensors, partial, {"runs": json.dumps(about), "plain": json.dumps(PLAIN)})
    partial.replace(path)


def read(path: Path = FILE) -> list[Run]:
    """Read the runs of a file, in the order in which they were trained."""
    with safe_open(path, "pt") as file:
        about, plain = (json.loads(file.metadata()[name]) for name in ("runs", "plain"))
        curves = {name: file.get_tensor(name).tolist() for name in CURVES}
    runs, start = [], 0
    for seed, change in about:
        setting = made({**plain, **change})
        end = start + dict(setting)["epochs"]
        history = {name: [float(f"{v:.5g}") for v in curves[name][start:end]] for name in CURVES}
        runs.append(Run(setting, seed, history))
        start = end
    return runs


def main() -> None:
    """Train what is missing, and write the file every minute or so."""
    torch.set_num_threads(1)
    wanted, own = list(settings()), [made(change) for change in NOTEBOOK.values()]
    runs = [run for run in read() if run.setting in wanted + own] if FILE.is_file() else []
    known = {(run.setting, run.seed) for run in runs}
    missing = [(one, seed) for seed in SEEDS for one in wanted if (one, seed) not in known]
    missing += [(one, 0) for one in own if (one, 0) not in known]
    for done, (setting, seed) in enumerate(tqdm(missing, desc="runs", mininterval=10), 1):
        runs.append(trained(setting, seed))
        if done % 20 == 0 or done == len(missing):
            write(runs)
    finite = sum(all(map(math.isfinite, run.history["train_loss"])) for run in runs)
    print(f"{len(runs)} runs of {len(wanted)} settings, {finite} with finite losses")


if __name__ == "__main__":
    main()
