"""Work that is done step by step: what is finished is kept, and a killed process can continue."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from filelock import FileLock
from safetensors.torch import load_file, save_file
from torch import nn


class Stateful(Protocol):
    """What can be saved and loaded: a network, an optimiser, a schedule."""

    def state_dict(self) -> dict[str, Any]:
        """Return what it is made of."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> Any:
        """Become what was saved."""
        ...


class Work:
    """An experiment's folder: results of its steps, unfinished training runs, seconds spent.

    `small` asks for the experiment in small, on data that everybody has: minutes, no result
    worth writing down. Of several processes in one folder, one does a step, and the others wait
    for it. A step is known by its name only: if settings change, delete the folder.
    """

    def __init__(self, folder: Path, small: bool = False) -> None:
        self.folder, self.small = folder, small
        self._step, self._since = "", 0.0  # the step that runs; counted until when
        folder.mkdir(parents=True, exist_ok=True)

    def numbers(self, step: str, compute: Callable[[], Any]) -> Any:
        """Return what a step computes, which JSON can hold; from its file, if it has been done."""

        def write(path: Path) -> None:
            path.write_text(json.dumps(compute()))

        return json.loads(self._done(f"{step}.json", write).read_text())

    def tensors(
        self, step: str, compute: Callable[[], dict[str, torch.Tensor]]
    ) -> dict[str, torch.Tensor]:
        """Return the tensors that a step computes; from its file, if it has been done."""

        def write(path: Path) -> None:
            save_file({key: t.cpu().contiguous() for key, t in compute().items()}, path)

        return load_file(self._done(f"{step}.safetensors", write))

    def epochs(
        self, name: str, parts: Mapping[str, Stateful], count: int, one: Callable[[int], float]
    ) -> list[float]:
        """Call `one` with epoch 0, 1, …, count - 1, inside a step. Returns what it returned.

        After each epoch the state of `parts` (a network, its optimiser, a schedule) and of
        torch's random numbers is saved, and a killed process continues from there.
        """
        path, history = self.folder / f"{name}.unfinished", []
        if path.exists():
            saved = torch.load(path, map_location="cpu", weights_only=True)
            for key, part in parts.items():
                part.load_state_dict(saved[key])
            torch.set_rng_state(saved["random"])
            torch.cuda.set_rng_state_all(saved["random on GPUs"])
            history = saved["history"]
        while len(history) < count:
            history.append(one(len(history)))
            state: dict[str, Any] = {key: part.state_dict() for key, part in parts.items()}
            state |= {"random": torch.get_rng_state(), "history": history,
                      "random on GPUs": torch.cuda.get_rng_state_all()}  # fmt: skip
            _whole(path, lambda part, state=state: torch.save(state, part))
            self.tick()
            print(f"{time.strftime('%H:%M')} {name}, epoch {len(history)} of {count}: "
                  f"{history[-1]:.4g}", flush=True)  # fmt: skip
        return history

    def trained(
        self,
        name: str,
        net: nn.Module,
        others: Mapping[str, Stateful],
        count: int,
        one: Callable[[int], float],
    ) -> list[float]:
        """Train a network in a step of that name, or read it. Returns what each epoch returned."""

        def compute() -> dict[str, torch.Tensor]:
            history = self.epochs(name, {"net": net, **others}, count, one)
            return {"history": torch.tensor(history), **net.state_dict()}

        kept = self.tensors(name, compute)
        (self.folder / f"{name}.unfinished").unlink(missing_ok=True)
        history = kept.pop("history").tolist()
        net.load_state_dict(kept)
        return history

    def tick(self) -> None:
        """Count the seconds until now. Call it whenever something was saved inside a step.

        What a killed process did after its last tick is done again, and counted only once.
        """
        now = time.monotonic()
        path = self.folder / f"{self._step}.seconds"
        total = now - self._since + (float(path.read_text()) if path.exists() else 0)
        _whole(path, lambda part: part.write_text(repr(total)))
        self._since = now

    def seconds(self, *steps: str) -> float:
        """Return the seconds that these steps took, or all of them, in every process."""
        files = [self.folder / f"{step}.seconds" for step in steps]
        return sum(float(path.read_text()) for path in files or self.folder.glob("*.seconds"))

    def _done(self, name: str, write: Callable[[Path], Any]) -> Path:
        """Return a step's file, written now if it is not there. Steps are not inside steps."""
        path = self.folder / name
        if not path.exists():
            if self._step:
                raise RuntimeError(f"{name} is asked for inside the step {self._step}")
            with FileLock(self.folder / f"{name}.lock"):
                if not path.exists():
                    self._do(path, write)
        return path

    def _do(self, path: Path, write: Callable[[Path], Any]) -> None:
        print(f"{time.strftime('%H:%M')} {path.name}", flush=True)
        self._step, self._since = path.stem, time.monotonic()
        try:
            _whole(path, write)
            self.tick()
        finally:
            self._step = ""


def _whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    write(part)
    part.replace(path)
