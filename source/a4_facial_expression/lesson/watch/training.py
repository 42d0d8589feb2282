"""What a training loop trains, keeps and returns."""

from collections.abc import Callable
from typing import Any

from torch import nn


def watch_fit(
    fit: Callable,
    new_run: Callable[[nn.Module], Any],
    scores: list[float],
    epochs: int,
    patience: int,
) -> dict[str, Any]:
    """Return which epochs fit trained, and what it kept."""
    network, trained = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)), []
    run = new_run(network)

    def one_epoch(run: Any, epoch: int) -> dict[str, float]:
        trained.append(epoch)
        for tensor in run.model.state_dict().values():
            tensor.fill_(epoch)
        return {"score": scores[epoch], "loss": 1 / (1 + epoch)}

    model = fit(run, one_epoch, epochs, patience)
    return {
        "epochs": trained,
        "history": [figures["score"] for figures in run.history],
        "best_epoch": run.best["epoch"],
        "best_score": run.best["score"],
        "kept": run.best["weights"]["0.weight"],
        "weight": network[0].weight,
        "running_mean": network[1].running_mean,
        "returned_it": int(model is run.model is network),
    }
