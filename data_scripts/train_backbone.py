"""Train a backbone on drawn shapes, textures and colours, and write its weights.

`python -m data_scripts.train_backbone resnet_drawn` takes ten minutes on one core, `vit_drawn`
over an hour. Accuracy on images they have not seen: shape 0.74 and 0.53, texture 0.54 and 0.73,
colour 0.94 and 0.96 (chance 0.08 to 0.1).
"""

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from torch import nn
from torch.nn import functional

from data_scripts.pretrained import IMAGENET_MEAN, IMAGENET_STD
from data_scripts.synthetic import resnet, textures, vit

BATCH = 64
HEADS = (len(textures.SHAPES), len(textures.TEXTURES), len(textures.COLOURS))
MEAN = torch.tensor(IMAGENET_MEAN).view(3, 1, 1)  # as for every backbone here
STD = torch.tensor(IMAGENET_STD).view(3, 1, 1)


@dataclass(frozen=True)
class Recipe:
    """How a backbone is built and trained, and where its weights are."""

    build: Callable[[], resnet.ResNetDrawn | vit.ViTDrawn]
    weights: Path
    steps: int
    rate: float  # the highest learning rate


RECIPES: Mapping[str, Recipe] = {
    "resnet_drawn": Recipe(resnet.ResNetDrawn, resnet.WEIGHTS, steps=1400, rate=2e-3),
    "vit_drawn": Recipe(vit.ViTDrawn, vit.WEIGHTS, steps=3000, rate=1e-3),
}


class Classifier(nn.Module):
    """A backbone with one linear head over all labels: logits (N, 12 + 12 + 10)."""

    def __init__(self, backbone: resnet.ResNetDrawn | vit.ViTDrawn) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = nn.Linear(backbone.features, sum(HEADS))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the logits of shape, texture and colour."""
        return self.head(self.backbone(x)).split(HEADS, dim=1)


def batch(first: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return images number `first` and on (BATCH, 3, 64, 64) in 0..1, and labels (BATCH, 3)."""
    pairs = [textures.draw(first + i) for i in range(BATCH)]
    images = torch.stack([torch.from_numpy(image).permute(2, 0, 1) for image, _ in pairs])
    return images, torch.stack([torch.from_numpy(labels) for _, labels in pairs])


def augment(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Change light, contrast, tint and sharpness, hide a square and add noise.

    Place, size, angle and ground already differ between any two drawn images.
    """

    def uniform(low: float, high: float, channels: int = 1) -> torch.Tensor:
        return low + (high - low) * torch.rand(len(x), channels, 1, 1, generator=generator)

    blurred = functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
    x = torch.lerp(x, blurred, (uniform(0, 1) < 0.2).float())
    middle = x.mean(dim=(2, 3), keepdim=True)
    # contrast well below 1: many defects are faint
    x = (x - middle) * uniform(0.5, 1.2) + middle * uniform(0.7, 1.2) * uniform(0.9, 1.1, 3)
    row, column = torch.arange(x.shape[2]).view(-1, 1), torch.arange(x.shape[3])
    hidden = ((row - uniform(0, 64)).abs() < 7) & ((column - uniform(0, 64)).abs() < 7)
    x = torch.where(hidden & (uniform(0, 1) < 0.25), uniform(0, 1, 3), x)
    return x + torch.randn(x.shape, generator=generator) * uniform(0, 0.02)


def losses(logits: tuple[torch.Tensor, ...], labels: torch.Tensor) -> torch.Tensor:
    """Return the three cross-entropies (3,)."""
    heads = zip(logits, labels.unbind(dim=1), strict=True)
    return torch.stack([functional.cross_entropy(z, y) for z, y in heads])


def train(recipe: Recipe) -> Classifier:
    """Return the trained classifier; every image is seen once."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    model, steps = Classifier(recipe.build()).to(memory_format=torch.channels_last), recipe.steps
    optimiser = torch.optim.AdamW(model.parameters(), lr=recipe.rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.rate, steps, pct_start=0.15)
    for step in range(steps):
        images, labels = batch(step * BATCH)
        loss = losses(model((augment(images, generator) - MEAN) / STD), labels)
        optimiser.zero_grad()
        loss.sum().backward()
        optimiser.step()
        schedule.step()
        if step % 100 == 0:
            shape, texture, colour = loss.tolist()
            print(f"{step}/{steps}: {shape:.2f} {texture:.2f} {colour:.2f}", flush=True)
    return model.eval()


@torch.no_grad()
def accuracy(model: Classifier, batches: int = 16) -> list[float]:
    """Return the accuracy of shape, texture and colour on images not trained on."""
    right = torch.zeros(3)
    for i in range(batches):
        images, labels = batch(10_000_000 + i * BATCH)
        chosen = torch.stack([z.argmax(dim=1) for z in model((images - MEAN) / STD)], dim=1)
        right += (chosen == labels).sum(dim=0)
    return (right / (batches * BATCH)).tolist()


def main(arguments: list[str] | None = None) -> None:
    """Train, print the accuracy and write the weights as float16: 1.4 and 2.2 MB."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("name", choices=RECIPES)
    recipe, start = RECIPES[parser.parse_args(arguments).name], time.perf_counter()
    model = train(recipe)
    print("accuracy of shape, texture, colour:", [round(a, 3) for a in accuracy(model)])
    weights = model.backbone.state_dict().items()
    halves = {
        name: w.half().contiguous() if w.is_floating_point() else w.clone() for name, w in weights
    }
    path = recipe.weights
    path.parent.mkdir(exist_ok=True)
    safetensors.torch.save_file(halves, path)
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
