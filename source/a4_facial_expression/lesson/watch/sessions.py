"""Training runs whose connection is lost, and what is the same after they resume."""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

NewRun = Callable[[nn.Module], Any]


class Disconnected(Exception):
    """The connection is lost."""


class Code:
    """Code in a file: reading it back makes a folder."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple:
        """Say how to read it back."""
        return os.mkdir, (self.folder,)


def refuses_code(load_run: Callable, new_run: NewRun, folder: str) -> int:
    """Say whether load_run refuses a file that has code in it."""
    path, trace = Path(folder, "code.pt"), Path(folder, "code_ran")
    torch.save(Code(str(trace)), path)
    with suppress(Exception):
        load_run(new_run(nn.Linear(2, 3)), path)
    return int(not trace.exists())


def in_sessions(
    fit: Callable,
    new_run: NewRun,
    x: torch.Tensor,
    y: torch.Tensor,
    scores: list[float],
    epochs: int,
    patience: int,
    lost_in: list[int],
    folder: str,
) -> tuple[Any, list[int]]:
    """Fit a small network to x, y; each lost connection begins a new session."""
    trained, path = [], Path(folder, "run.pt")
    for session, lost in enumerate([*lost_in, None]):
        torch.manual_seed(10 + session)
        before, path = path, Path(folder, f"{session}", "run.pt")
        path.parent.mkdir()
        if before.exists():
            before.rename(path)
        layers = nn.Linear(x.shape[1], 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.5)
        run = new_run(nn.Sequential(*layers, nn.Linear(6, 3)).to(x.dtype))
        run.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=5)

        def one_epoch(run: Any, epoch: int, lost: int | None = lost) -> dict[str, float]:
            for number, rows in enumerate(torch.randperm(len(x)).split(4)):
                if epoch == lost and number == 1:
                    raise Disconnected
                run.optimiser.zero_grad()
                loss = F.cross_entropy(run.model.train()(x[rows]), y[rows])
                run.scaler.scale(loss).backward()
                run.scaler.step(run.optimiser)
                run.scaler.update()
            trained.append(epoch)
            return {"score": scores[epoch], "random": torch.rand(()).item()}

        with suppress(Disconnected):
            fit(run, one_epoch, epochs, patience, path)
    return run, trained


def compare_sessions(
    fit: Callable,
    load_run: Callable,
    new_run: NewRun,
    x: torch.Tensor,
    y: torch.Tensor,
    scores: list[float],
    epochs: int,
    patience: int,
    lost_in: list[int],
    ends: int = 0,
) -> dict[str, Any]:
    """Say whether lost connections change the result of a training run.

    `ends` more sessions begin after the last epoch.
    """
    settings = fit, new_run, x, y, scores, epochs, patience
    lost_in = [*lost_in, *[-1] * ends]
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        whole, _ = in_sessions(*settings, [], one)
        run, trained = in_sessions(*settings, lost_in, other)
        refused = refuses_code(load_run, new_run, other)

    def same(values: Callable[[nn.Module], Iterable[torch.Tensor]]) -> int:
        pairs = zip(values(whole.model), values(run.model), strict=True)
        return int(all(torch.equal(a, b) for a, b in pairs))

    states = run.optimiser.state_dict()["state"].values()
    return {
        "epochs": trained,
        "steps": max((int(state["step"]) for state in states), default=0),
        "same_parameters": same(nn.Module.parameters),
        "same_statistics": same(nn.Module.buffers),
        "same_scores": int(
            [h["score"] for h in run.history] == [h["score"] for h in whole.history]
        ),
        "same_random_numbers": int(run.history == whole.history),
        "best_epoch": run.best["epoch"],
        "same_scaler": int(run.scaler.state_dict() == whole.scaler.state_dict()),
        "refuses_code": refused,
    }
