"""Batches, schedule and a training loop that keeps the best epoch and resumes."""

import math
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn
from tqdm.auto import tqdm

CLASSES = 7


def normalise(x: torch.Tensor) -> torch.Tensor:
    """Bring float images in 0..1 to mean 0 and spread 1, roughly."""
    return (x - 0.5) / 0.25


class Run:
    """A training run: what is trained, with what, and the results so far."""

    def __init__(self, model: nn.Module, weight_decay: float = 0.02, device: str = "cpu") -> None:
        self.model = model
        self.optimiser = torch.optim.AdamW(model.parameters(), weight_decay=weight_decay)
        self.scaler = torch.amp.GradScaler(device, enabled=device == "cuda")
        self.history: list[dict] = []  # one dict of numbers for each epoch that is done
        self.best: dict[str, Any] = {"epoch": -1, "score": -math.inf, "weights": {}}


def fit(
    run: Run,
    one_epoch: Callable[[Run, int], dict],
    epochs: int,
    patience: int,
    path: Path,
    save_run: Callable[[Run, Path], None],
    load_run: Callable[[Run, Path], None],
) -> nn.Module:
    """Train until `epochs` epochs are done, or `patience` in a row brought no new best score.

    Resumes from `path` if that file exists, and saves the run to it after every epoch.
    Returns run.model, with the weights of the best epoch.
    """
    if path.exists():
        load_run(run, path)
    while len(run.history) < epochs and len(run.history) - 1 - run.best["epoch"] < patience:
        epoch = len(run.history)
        figures = one_epoch(run, epoch)
        run.history.append(figures)
        if figures["score"] > run.best["score"]:
            weights = {name: w.cpu().clone() for name, w in run.model.state_dict().items()}
            run.best = {"epoch": epoch, "score": figures["score"], "weights": weights}
        save_run(run, path)
    run.model.load_state_dict(run.best["weights"])
    return run.model


def training_batches(
    X: torch.Tensor,
    y: torch.Tensor,
    batch_size: int,
    augmentation: Callable | None = None,
    weights: torch.Tensor | None = None,
    group: int = 10,
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield (images, labels) of one epoch: normalised float32 images (n, 1, H, W), labels (n,).

    With `weights` (N,), N samples are drawn with replacement. The augmentation is called with
    groups of at most `group` images: it draws its random numbers once for each call.
    """
    if weights is None:
        order = torch.randperm(len(X))
    else:
        order = torch.tensor(list(torch.utils.data.WeightedRandomSampler(weights, len(X))))
    for rows in order.split(batch_size):
        images = X[rows].float() / 255
        if augmentation is not None:
            images = torch.cat([augmentation(part) for part in images.split(group)])
        yield normalise(images), y[rows]


def learning_rate(step: int, steps: int, peak: float, warmup: int) -> float:
    """Compute the learning rate of step 0, 1, …, steps - 1: linear warm-up, then half a cosine."""
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / (steps - warmup)
    return peak / 2 * (1 + math.cos(math.pi * progress))


def smooth_labels(y: torch.Tensor, smoothing: float) -> torch.Tensor:
    """Turn labels y (N,), int64, into target probabilities (N, C), float32."""
    return (1 - smoothing) * F.one_hot(y, CLASSES).float() + smoothing / CLASSES


class Trained(NamedTuple):
    """A network with the weights of its best epoch, those of the last one, and the history."""

    model: nn.Module
    last: dict[str, torch.Tensor]
    history: list[dict]


def train_net(
    folder: Path,
    name: str,
    model: nn.Module,
    train: Sequence[torch.Tensor],
    val: Sequence[torch.Tensor],
    save_run: Callable[[Run, Path], None],
    load_run: Callable[[Run, Path], None],
    *,
    epochs: int,
    augmentation: Callable | None = None,
    peak: float = 3e-3,
    batch_size: int = 16,
    smoothing: float = 0.0,
    class_weights: torch.Tensor | None = None,
    weights: torch.Tensor | None = None,
    patience: int = 1_000,
    seed: int = 0,
) -> Trained:
    """Train a model on images and labels, with a progress bar.

    The best epoch is chosen by macro-F1 on `val`. An unfinished run is kept in `folder`.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(seed)
    model.eval()(torch.zeros(1, 1, 48, 48))  # a lazy layer learns its shape
    model.to(device, memory_format=torch.channels_last)
    X, y, last = train[0].to(device), train[1].to(device), {}
    per_epoch = math.ceil(len(y) / batch_size)

    def one_epoch(run: Run, epoch: int) -> dict[str, float]:
        steps = range(epoch * per_epoch, (epoch + 1) * per_epoch)
        rates = [learning_rate(s, epochs * per_epoch, peak, per_epoch) for s in steps]
        group = 10 if device == "cpu" else 64
        batches = training_batches(X, y, batch_size, augmentation, weights, group)
        loss = _train_epoch(run, batches, rates, smoothing, class_weights)
        measured = evaluate(predict_logits(run.model, val[0]), val[1])
        last.update({key: w.clone() for key, w in run.model.state_dict().items()})
        bar.update(epoch + 1 - bar.n)
        bar.set_postfix(loss=f"{loss:.2f}", score=f"{measured['score']:.3f}")
        return {"train_loss": loss, "rate": rates[-1], **measured}

    settings = epochs, augmentation, peak, batch_size, smoothing, class_weights, weights, seed
    path = _unfinished(folder, name, model, y.tolist(), *settings)
    with tqdm(total=epochs, desc=name, unit="epoch") as bar:
        run, epochs = Run(model, device=device), bar.total
        fit(run, one_epoch, epochs, patience, path, save_run, load_run)
    path.unlink(missing_ok=True)  # only what is unfinished is kept
    return Trained(model.eval(), last or run.best["weights"], run.history)


def _train_epoch(
    run: Run,
    batches: Iterable[tuple[torch.Tensor, torch.Tensor]],
    rates: Sequence[float],
    smoothing: float,
    class_weights: torch.Tensor | None,
) -> float:
    """Take one step for every batch, with these rates. Returns the mean loss of a sample.

    On a GPU the network computes in 16 bits, where the smallest gradients would become zero. So
    the scaler multiplies the loss by a large number, and divides the gradients by it.
    """
    run.model.train()
    losses_of_all = []
    for (x, y), rate in zip(batches, rates, strict=True):
        for group in run.optimiser.param_groups:
            group["lr"] = rate
        targets = smooth_labels(y, smoothing)
        with torch.autocast(x.device.type, torch.float16, enabled=x.is_cuda):
            losses = F.cross_entropy(run.model(x), targets, reduction="none")
        weight = torch.ones_like(losses) if class_weights is None else class_weights.to(losses)[y]
        run.optimiser.zero_grad()
        run.scaler.scale((weight * losses).sum() / weight.sum()).backward()
        run.scaler.step(run.optimiser)
        run.scaler.update()
        losses_of_all.append(losses.detach())
    return torch.cat(losses_of_all).mean().item()


@torch.no_grad()
def predict_logits(model: nn.Module, X: torch.Tensor) -> torch.Tensor:
    """Compute the logits (N, C), on the CPU, of faces X, uint8: as they are, never augmented."""
    model.eval()
    device = next(model.parameters()).device
    batches = (normalise(x.to(device).float() / 255) for x in X.split(500))
    return torch.cat([model(x).float().cpu() for x in batches])


def evaluate(logits: torch.Tensor, y: torch.Tensor) -> dict[str, float]:
    """Measure logits (N, C): loss, accuracy, and the score, which is macro-F1."""
    from sklearn.metrics import f1_score  # takes a second, which a graded notebook does not need

    predictions = logits.argmax(dim=1)
    return {
        "loss": F.cross_entropy(logits, y).item(),
        "accuracy": (predictions == y).double().mean().item(),
        "score": float(f1_score(y, predictions, average="macro", zero_division=0)),
    }


def _unfinished(folder: Path, name: str, *settings: Any) -> Path:
    """Name the file that keeps a training run: another one for other settings."""
    folder.mkdir(parents=True, exist_ok=True)
    text = re.sub(r" at 0x\w+", "", repr(settings))  # where an object lies in memory
    return folder / f"{name.replace(' ', '_')}-{zlib.crc32(text.encode()):08x}.pt"


class At64(nn.Module):
    """Show a network its images at 64 pixels, the size that the report chose."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Enlarge the images and compute logits."""
        return self.network(F.interpolate(x, size=64, mode="bilinear", align_corners=False))


def once(path: Path, model: nn.Module, train: Callable[[], Trained]) -> nn.Module:
    """Return a model trained before, if its file exists; else train it, and write the file."""
    if path.exists():
        model.load_state_dict(load_file(path))
        return model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    trained = train().model
    save_file({key: w.cpu().contiguous() for key, w in trained.state_dict().items()}, path)
    return trained
