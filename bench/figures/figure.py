"""A figure of a seed and ours beside it: what is measured, how it is kept, how it is shown."""

import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from scipy.stats import binomtest

from bench.figures.work import Work

DOCS = Path(__file__).parents[2] / "docs"
KEPT = DOCS / "figures"
LIBRARIES = "torch", "torchvision", "scikit-learn"


@dataclass(frozen=True)
class Row:
    """One number with what belongs to it: 0.643 means 64.3 % where `percent` is true."""

    what: str
    value: float
    interval: tuple[float, float] | None = None  # of 95 %
    more: Mapping[str, str] = field(default_factory=dict)  # further columns
    percent: bool = True


def share(what: str, right: torch.Tensor, **more: str) -> Row:
    """Make a row of answers (N,), bool, with Wilson's interval of the share of right ones."""
    correct, total = int(right.sum()), len(right)
    low, high = binomtest(correct, total).proportion_ci(0.95, method="wilson")
    return Row(what, correct / total, (low, high), more)


@dataclass(frozen=True)
class Found:
    """What an experiment found. The first row stands in the table of all figures.

    `curves` are values by epoch, by the name of the training run; `axis` says of what. `on_cpu`
    says that a GPU was not used, even if there is one.
    """

    rows: Sequence[Row]
    curves: Mapping[str, Sequence[float]] = field(default_factory=dict)
    axis: str = ""
    text: str = ""
    on_cpu: bool = False


@dataclass(frozen=True)
class Figure:
    """A registered experiment: what it measures, what the seed has, how long it takes on a core."""

    name: str
    title: str
    seed: str
    minutes: int
    measure: Callable[[Work], Found]


def run(figure: Figure, work: Work, kept: Path) -> Path:
    """Run or continue an experiment, and write NAME.json into `kept`."""
    found = figure.measure(work)
    about = asdict(found)
    computed_by = device(about.pop("on_cpu"))
    record = {
        **about,
        "seconds": round(work.seconds()),
        "device": computed_by,
        "versions": {"python": platform.python_version(), **{n: version(n) for n in LIBRARIES}},
    }
    kept.mkdir(parents=True, exist_ok=True)
    path = kept / f"{figure.name}.json"
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    return path


def device(on_cpu: bool = False) -> str:
    """Name what computes: a GPU, or the processor with its number of threads."""
    if torch.cuda.is_available() and not on_cpu:
        return torch.cuda.get_device_name()
    try:
        info = Path("/proc/cpuinfo").read_text()
        name = info.partition("model name")[2].partition("\n")[0].strip(" :\t")
    except OSError:
        name = platform.processor() or platform.machine()
    threads = torch.get_num_threads()
    return f"{name.replace('(R)', '')}, {threads} thread{'s' * (threads > 1)}"


def record(name: str, kept: Path = KEPT) -> dict[str, Any] | None:
    """Read what was measured of a figure, None if it has not been."""
    path = kept / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None
