"""Pictures for finding out why a net does not learn: data, histories, templates, sweeps."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING

import torch

from autograder.notebook.plots import COLOURS, figure, for_people

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@for_people
def image_rows(images: torch.Tensor, labels: torch.Tensor, classes: Sequence[str]) -> None:
    """Draw the first ten images of each class, a row for each: images (N, 3, H, W), uint8."""
    rows = [torch.cat(list(images[labels == k][:10]), dim=2) for k in range(len(classes))]
    side = images.shape[2]
    with figure(6, 6) as axes:
        axes.imshow(torch.cat(rows, dim=1).permute(1, 2, 0).numpy())
        ticks = [side * (k + 0.5) for k in range(len(classes))]
        axes.set(xlabel="the first ten of each class", ylabel="class", xticks=[])
        axes.set_yticks(ticks, classes)


@for_people
def training(history: Mapping[str, Sequence[float]]) -> None:
    """Draw the loss of each step, and loss and accuracy after each epoch."""
    with figure(12, 3.2, columns=3) as (left, middle, right):
        left.plot(history["loss"], lw=0.8)
        left.set_ylim(0, 1.08 * max(filter(isfinite, history["loss"]), default=1))
        left.set(xlabel="step", ylabel="loss, with the penalty", title="mini-batches")
        _losses(middle, history)
        _accuracies(right, history)


@for_people
def histories(named: Mapping[str, Mapping[str, Sequence[float]]]) -> None:
    """Draw loss above accuracy for each of some histories, by name."""
    import matplotlib.pyplot as plt

    size = (max(3.0 * len(named), 4), 4.6)
    _, axes = plt.subplots(2, len(named), figsize=size, layout="constrained", squeeze=False)
    for (name, history), upper, lower in zip(named.items(), *axes, strict=True):
        _losses(upper, history)
        _accuracies(lower, history)
        upper.set_title(name)
        lower.set_title("")
    plt.show()


@for_people
def templates(W: torch.Tensor, names: Sequence[str] = ()) -> None:
    """Draw weights (N, 3072), a row for each unit, as images; at most ten in a row, named."""
    import matplotlib.pyplot as plt

    images = _weight_images(W.detach().cpu())
    columns = min(len(images), 10)
    rows = -(-len(images) // columns)
    size = (1.15 * columns, 1.25 * rows)
    _, axes = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
    for place, panel in enumerate(axes.flat):
        panel.axis("off")
        if place < len(images):
            panel.imshow(images[place].numpy())
            panel.set_title(names[place] if names else "", fontsize=9)
    plt.show()


@for_people
def rate_range(rates: Sequence[float], losses: Sequence[float], suggested: float) -> None:
    """Draw the loss that each learning rate reached, and the suggested rate."""
    with figure(6, 3.4) as axes:
        axes.plot(rates, losses, "o-")
        axes.axvline(suggested, color=COLOURS[1], ls="--", label=f"suggested: {suggested:.2g}")
        finite = [loss for loss in losses if loss < float("inf")]
        axes.set(xscale="log", xlabel="learning rate", ylabel="training loss after one epoch")
        axes.set_ylim(0, min(1.1 * max(finite), 3 * finite[0]))
        axes.legend()


@for_people
def swish(betas: Sequence[float]) -> None:
    """Draw x · sigmoid(beta · x) for some beta."""
    x = torch.linspace(-4, 4, 200)
    with figure(5.2, 3.4) as axes:
        for beta in betas:
            axes.plot(x, x * torch.sigmoid(beta * x), label=f"β = {beta:g}")
        axes.set(xlabel="x", ylabel="Swish of x")
        axes.legend()


@for_people
def sweeps(named: Mapping[str, tuple[Sequence[float], Sequence[float], Sequence[float]]]) -> None:
    """Draw training and validation accuracy against the values of each knob, by its name."""
    with figure(4 * len(named), 3.2, columns=len(named)) as panels:
        for axes, (name, (values, train, val)) in zip(panels, named.items(), strict=True):
            axes.plot(values, train, "o-", label="training")
            axes.plot(values, val, "o-", label="validation")
            axes.set(xscale="log", xlabel=name, ylabel="accuracy", ylim=(0, 1.02))
            axes.legend()


@for_people
def confusions(predicted: torch.Tensor, labels: torch.Tensor, classes: Sequence[str]) -> None:
    """Draw which share of each class (a row) was wrongly predicted as which (a column)."""
    count = len(classes)
    table = torch.bincount(labels * count + predicted, minlength=count**2).reshape(count, count)
    share = table / table.sum(dim=1, keepdim=True).clamp(min=1)
    share.fill_diagonal_(float("nan"))  # correct predictions would outshine the rest
    with figure(5.6, 4.8) as axes:
        picture = axes.imshow(share.numpy(), vmin=0, cmap="viridis")
        axes.set(xlabel="predicted class", ylabel="right class")
        axes.set_xticks(range(count), classes, rotation=60, ha="right")
        axes.set_yticks(range(count), classes)
        axes.figure.colorbar(picture, label="share of the class")


def _weight_images(W: torch.Tensor) -> torch.Tensor:
    """Turn weights (N, 3072) into images (N, 32, 32, 3) from 0 to 1, each scaled separately."""
    low = W.min(dim=1, keepdim=True).values
    height = W.max(dim=1, keepdim=True).values - low
    height = torch.where(height == 0, torch.ones_like(height), height)
    return ((W - low) / height).reshape(-1, 3, 32, 32).permute(0, 2, 3, 1)


def _losses(axes: "Axes", history: Mapping[str, Sequence[float]]) -> None:
    _pair(axes, history, "loss")
    finite = filter(isfinite, [*history["train_loss"], *history["val_loss"]])
    axes.set_ylim(0, 1.08 * max(finite, default=1))


def _accuracies(axes: "Axes", history: Mapping[str, Sequence[float]]) -> None:
    _pair(axes, history, "acc")
    axes.set(ylabel="accuracy", title="accuracy", ylim=(0, 1.02))


def _pair(axes: "Axes", history: Mapping[str, Sequence[float]], name: str) -> None:
    for part, label in (("train", "training"), ("val", "validation")):
        values = history[f"{part}_{name}"]
        axes.plot(range(1, len(values) + 1), values, label=label)
    axes.set(xlabel="epoch", ylabel="loss", title="loss")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(fontsize=8)
