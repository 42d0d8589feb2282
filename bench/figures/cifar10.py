"""CIFAR-10: the two-layer net with the functions of a2, pretrained backbones with those of a3."""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import nn

from bench.figures.figure import Figure, Found, Row, share
from bench.figures.precision import HalfPrecision, half_precision
from bench.figures.work import Work
from bench.notebooks import Notebook
from data_scripts import cifar10, pretrained

CELLS = (
    "setup", "imagenet_statistics", "preprocess", "Classifier", "make_classifier",
    "freeze", "extract_features", "train_epoch", "race", "parameter_groups", "Monitor", "fit",
)  # fmt: skip
VALIDATION = 5_000  # the last of the training images


class Split(NamedTuple):
    """Images (N, 3, 32, 32), uint8, or their features (N, D), and their labels (N,)."""

    X: torch.Tensor
    y: torch.Tensor


def load(work: Work) -> tuple[Split, Split, Split]:
    """Load images to train on, to validate and to test: 45,000, 5,000, 10,000; or a few drawn."""
    X, y = cifar10.load("train", real=not work.small)
    X_test, y_test = cifar10.load("test", real=not work.small)
    if work.small:
        return Split(X[:400], y[:400]), Split(X[-200:], y[-200:]), Split(X_test[:200], y_test[:200])
    last = slice(len(X) - VALIDATION, None)
    train, val = Split(X[:-VALIDATION], y[:-VALIDATION]), Split(X[last], y[last])
    return train, val, Split(X_test, y_test)


def device() -> str:
    """Name the device to compute on."""
    return "cuda" if torch.cuda.is_available() else "cpu"


class Stepping:
    """An optimiser for a loop that knows no schedule: each step takes one of the schedule, too."""

    def __init__(self, optimiser: torch.optim.Optimizer, schedule: Any) -> None:
        self.zero_grad = optimiser.zero_grad
        self._steps = optimiser.step, schedule.step

    def step(self) -> None:
        """Take both steps."""
        for step in self._steps:
            step()


# The two-layer net


def two_layers(work: Work) -> Found:
    """Train one two-layer net: one hidden layer, moved and mirrored images, dropout."""
    names = Notebook("a2_cifar10_debugging", REAL=not work.small)
    names.run("setup", "image_statistics", "prepare", "two_layer_net", "measure")
    train, val, test = load(work)
    mean_image, std = names["image_statistics"](train[0])
    prepared = [
        names["prepare"](part[0], mean_image, std).to(device()) for part in (train, val, test)
    ]
    labels = [part[1].to(device()) for part in (train, val, test)]
    hidden, epochs, batch_size = (64, 3, 100) if work.small else (2_048, 60, 200)
    torch.manual_seed(0)
    net = names["TwoLayerNet"](3072, hidden, scale=0.01, dropout=0.4).to(device())
    sgd = torch.optim.SGD(net.parameters(), 0.02, momentum=0.9, nesterov=True, weight_decay=1e-4)
    steps = epochs * -(-len(labels[0]) // batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(sgd, steps)

    def one(epoch: int) -> float:
        net.train()
        for rows in torch.randperm(len(labels[0])).split(batch_size):
            with half_precision(torch.device(device())):
                scores = net(moved(prepared[0][rows].reshape(-1, 3, 32, 32), 2).flatten(1))
            loss = nn.functional.cross_entropy(scores.float(), labels[0][rows])
            sgd.zero_grad()
            loss.backward()
            sgd.step()
            schedule.step()
        return names["measure"](net, prepared[1], labels[1])[1]

    history = work.trained("net", net, {"sgd": sgd, "schedule": schedule}, epochs, one)
    with torch.no_grad():
        right = [(net.eval()(X).argmax(dim=1) == y).cpu()
                 for X, y in zip(prepared[1:], labels[1:], strict=True)]  # fmt: skip
    rows = [share("test", right[1]), share("validation", right[0])]
    text = (
        f"One hidden layer of {hidden:,} ReLUs, trained on {len(labels[0]):,} images for {epochs} "
        "epochs. Images are moved by up to two pixels and mirrored. Settings were chosen on the "
        "validation images; the test images were looked at once."
    )
    return Found(rows, {"two-layer net": [100 * accuracy for accuracy in history]},
                 "validation accuracy, per cent", text)  # fmt: skip


def moved(images: torch.Tensor, pixels: int) -> torch.Tensor:
    """Mirror half of the images (N, C, H, W), and move each group of ten by up to some pixels.

    What is moved in from outside is 0.
    """
    mirror = torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5
    padded = nn.functional.pad(torch.where(mirror, images.flip(3), images), [pixels] * 4)
    (height, width), groups = images.shape[2:], []
    for group in padded.split(10):
        down, right = torch.randint(0, 2 * pixels + 1, (2,)).tolist()
        groups.append(group[:, :, down : down + height, right : right + width])
    return torch.cat(groups)


# Pretrained backbones


class Transfer:
    """The notebook's functions, a backbone, and images in memory."""

    def __init__(self, work: Work, backbone: str) -> None:
        self.work, self.device = work, device()
        self.names = Notebook("a3_transfer_learning", REAL=not work.small, DEVICE=self.device)
        self.names.run(*CELLS)
        self.name = "resnet_drawn" if work.small else backbone
        self.backbone = pretrained.backbone(self.name)
        self.splits = load(work)

    def features(self, size: int, at_once: int = 5_000) -> list[torch.Tensor]:
        """Compute the features of the three splits at a size, a few thousand images a step."""
        module = HalfPrecision(self.backbone.module).to(self.device)
        module.to(memory_format=torch.channels_last)
        found = []
        for split, (X, _) in zip(("train", "validation", "test"), self.splits, strict=True):
            parts = []
            for number, images in enumerate(X.split(at_once)):
                compute = partial(self._features, module, images, size)
                step = f"{self.name}_{size}_{split}_{number}"
                parts.append(self.work.tensors(step, compute)["features"])
            found.append(torch.cat(parts).float())
        return found

    def _features(
        self, module: nn.Module, images: torch.Tensor, size: int
    ) -> dict[str, torch.Tensor]:
        prepare = self.names["at"](size)
        found = self.names["extract_features"](module, images, prepare, device=self.device)
        return {"features": found.half()}

    def probe(self, size: int) -> tuple[Row, list[float], nn.Module]:
        """Train a linear head on the features. Returns the test's row, the history, the head."""
        train, val, test = self.features(size)
        labels = [split[1] for split in self.splits]
        torch.manual_seed(0)
        head = self.names["make_classifier"](self.backbone, 10).head

        def compute() -> dict[str, torch.Tensor]:
            history = self.names["fit"](
                head, (Split(train, labels[0]), Split(val, labels[1])),
                [{"params": head.parameters(), "lr": 1e-3}], self.names["as_is"],
                epochs=3 if self.work.small else 40,
            )  # fmt: skip
            return {"accuracy": torch.tensor(history["accuracy"]), **head.state_dict()}

        kept = self.work.tensors(f"{self.name}_{size}_head", compute)
        history = kept.pop("accuracy")
        head.load_state_dict(kept)
        right = head(test).argmax(dim=1) == labels[2]
        return share(f"{self.name}, frozen, {size} pixels", right), history.tolist(), head


def frozen(work: Work, backbone: str) -> Found:
    """Train a linear head on a frozen backbone's features, at 224 and at 32 pixels."""
    transfer = Transfer(work, backbone)
    rows, curves = [], {}
    for size in (64, 32) if work.small else (224, 32):
        row, history, _ = transfer.probe(size)
        rows.append(row)
        curves[row.what] = [100 * accuracy for accuracy in history]
    return Found(rows, curves, "validation accuracy, per cent", text(transfer))


def text(transfer: Transfer) -> str:
    """Say what a table was measured on."""
    train, val, test = (len(split[1]) for split in transfer.splits)
    return (
        f"{train:,} images to train on, {val:,} to choose the epoch of the head by, {test:,} to "
        "test once."
    )


def fine_tuned(work: Work, backbone: str, size: int, frozen: Sequence[str] = ()) -> Found:
    """Train a backbone on, starting from a head that was trained on its frozen features.

    The blocks `frozen` stay as they are: the first ones have the largest maps, and much of the
    time would go into their gradients.
    """
    if work.small:
        size, epochs, frozen = 64, 2, ("stem", "layer1")  # of resnet_drawn
    else:
        epochs = 4
    transfer = Transfer(work, backbone)
    (X, y), val, test = transfer.splits
    row, _, head = transfer.probe(size)
    names = transfer.names
    torch.manual_seed(0)
    model = names["make_classifier"](transfer.backbone, 10)
    model.head.load_state_dict(head.state_dict())
    for block in frozen:
        names["freeze"](model.backbone.get_submodule(block))
    whole = HalfPrecision(model) if transfer.device == "cuda" else model
    whole.to(transfer.device).to(memory_format=torch.channels_last)
    groups = names["parameter_groups"](model, 5e-4, 1e-3)
    optimiser = torch.optim.AdamW(groups, weight_decay=0.01)
    steps = epochs * -(-len(y) // 50)
    rates = [group["lr"] for group in groups]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rates, steps, pct_start=0.1)
    prepare = names["at"](size)

    def augmented(images: torch.Tensor) -> torch.Tensor:
        return prepare(moved(images, 3))

    def one(epoch: int) -> float:
        names["train_epoch"](whole, Stepping(optimiser, schedule), X, y, augmented,
                             device=transfer.device)  # fmt: skip
        _, right = names["evaluate"](whole, *val, prepare, transfer.device)
        return right / len(val[1])

    others = {"optimiser": optimiser, "schedule": schedule}
    history = work.trained("tuned", model, others, epochs, one)
    answers = names["extract_features"](whole, test[0], prepare, device=transfer.device)
    tuned = share(f"{transfer.name}, fine-tuned, {size} pixels", answers.argmax(dim=1) == test[1])
    curves = {"fine-tuned": [100 * accuracy for accuracy in history]}
    more = f" Fine-tuning takes {epochs} epochs, and the last one is tested."
    if frozen:
        more += f" The first {len(frozen)} blocks are not trained."
    return Found([tuned, row], curves, "validation accuracy, per cent", text(transfer) + more)


FIGURES = (
    Figure("two_layers", "CIFAR-10, one hidden layer (a2)", "55.1 %", 25, two_layers),
    Figure("transfer_frozen", "CIFAR-10, MobileNetV2 frozen at 224 pixels (a3)", "86.7 %", 30,
           partial(frozen, backbone="mobilenet_v2")),
    Figure("transfer_tuned", "CIFAR-10, MobileNetV2 fine-tuned (a3)", "78 %, target 94 %", 80,
           partial(fine_tuned, backbone="mobilenet_v2", size=128,
                   frozen=[f"features.{i}" for i in range(4)])),
    Figure("transfer_dinov2", "CIFAR-10, DINOv2 fine-tuned (a3; on a GPU, after a download)",
           "target 97 %", 600, partial(fine_tuned, backbone="dinov2_small", size=224)),
    Figure("transfer_xception", "CIFAR-10, Xception frozen (a3; after a download)", "86.7 %",
           600, partial(frozen, backbone="xception")),
    Figure("transfer_resnet50", "CIFAR-10, ResNet-50 frozen (a3; after a download)", "68.5 %",
           400, partial(frozen, backbone="resnet50")),
)  # fmt: skip
