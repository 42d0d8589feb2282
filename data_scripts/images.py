"""Sets of small images: one file of uint8 arrays on disk, mapped into memory and not read.

The file is safetensors: `train.images` (N, C, H, W), `train.labels` (N,), and so on for
every split. It is written whole or not at all.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from data_scripts.fetch import Source, fetch
from data_scripts.storage import (
    DAMAGED,
    DataNotFound,
    Stored,
    first_line,
    kept,
    locked,
    roots,
    unfinished,
)

Splits = Mapping[str, tuple[torch.Tensor, torch.Tensor | None]]  # images, and labels if known


@dataclass(frozen=True)
class Contents:
    """What was read: splits, and whether they are exact, and all there are.

    Images that were saved again have other bytes, and some forms of a set lack a split.
    """

    splits: Splits
    exact: bool = True
    whole: bool = True


@dataclass(frozen=True)
class ImageSet:
    """A set of labelled images of one size: where it comes from, and what it must contain.

    `read` reads what was fetched or handed over, a file or a folder; `draw` makes the
    embedded splits, and `drawn` is the version of what it draws. `counts` are the images
    of every class in a split of the real set, `digests` those of its bytes.
    """

    name: str
    title: str
    classes: Sequence[str]
    licence: str
    by_hand: str
    sources: Sequence[Source]
    counts: Mapping[str, Sequence[int]]
    digests: Mapping[str, str]
    read: Callable[[Path], Contents]
    draw: Callable[[], Splits]
    drawn: int
    parts: tuple[str, ...] = ()

    def path(self, real: bool, root: str | Path | None = None) -> Path:
        """Return where the set is kept, or where it belongs."""
        return kept(self._place(real), root)

    def _place(self, real: bool) -> str:
        return f"{self.name}/{'real' if real else f'embedded-{self.drawn}'}.safetensors"

    def load(
        self,
        split: str,
        *,
        real: bool,
        flatten: bool,
        dtype: torch.dtype,
        device: str | torch.device,
        root: str | Path | None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Load images and labels of a split; the `load` of every data set says more."""
        path = self.path(real, root)
        if not path.exists():
            self.prepare(real=real, root=root)
        images, labels = self._read(path, split)
        images = (images.flatten(1) if flatten else images).to(device, dtype)
        images = images.div_(255) if dtype.is_floating_point else images
        return images, labels.to(device, torch.int64)

    def _read(self, path: Path, split: str) -> tuple[torch.Tensor, torch.Tensor]:
        try:
            with safe_open(path, "pt") as opened:
                if split not in (splits := split_names(opened)):
                    raise DataNotFound(
                        f"{path} has no split {split!r}; it has {', '.join(splits)}."
                    )
                images, labels = tensors(opened, split)
        except (SafetensorError, OSError) as error:
            raise DataNotFound(
                f"{path} cannot be read ({error}); delete it, and it is made again."
            ) from error
        if labels is None:
            raise DataNotFound(f"{path}: the files it is from have no labels of the {split} split.")
        return images, labels

    def prepare(
        self,
        *,
        real: bool,
        root: str | Path | None = None,
        source: str | None = None,
        given: str | Path | None = None,
    ) -> Path:
        """Make the file: draw the embedded set; read the real one from what is given, or fetch it.

        Raises DataNotFound.
        """
        path = roots(root)[0] / self._place(real)
        with locked(path.parent):
            if path.exists() and not given:
                return path  # another process made it while this one waited
            if not real:
                return self._save(path, self.draw(), "drawn")
            if given:
                found = Path(given).expanduser().resolve()
                return self._save(path, self._read_real(found), found.name)
            used, found = fetch(self.title, self.sources, path.parent, self.by_hand, source)
            try:
                splits = self._read_real(found)
            except DataNotFound:
                found.unlink()  # it would be refused again
                raise
            self._save(path, splits, used.name)
            found.unlink()
        return path

    def _read_real(self, found: Path) -> Splits:
        print(f"{self.title}: {self.licence}")
        try:
            contents = self.read(found)
        except FileNotFoundError as error:
            raise DataNotFound(
                f"{error.filename}: there is no such file or folder. {self.by_hand}"
            ) from error
        except DAMAGED as error:
            raise DataNotFound(
                f"{found} is not {self.title} as it should be ({first_line(error)}). {self.by_hand}"
            ) from error
        if wrong := self._wrong(contents):
            raise DataNotFound(f"{found}: {wrong}. {self.by_hand}")
        return contents.splits

    def _wrong(self, contents: Contents) -> str:
        """Say what is wrong with what was read, or nothing."""
        missing = [split for split in self.counts if split not in contents.splits]
        if missing and (contents.whole or "train" in missing):
            return f"it has no {missing[0]} split"
        for split, (images, labels) in contents.splits.items():
            if labels is None:
                continue
            if wrong := self._wrong_counts(split, labels):
                return wrong
            if contents.exact and self._differs(split, digest(images, labels)):
                return f"the {split} split is not as published, byte for byte"
        return ""

    def _differs(self, split: str, found: str) -> bool:
        return found != self.digests.get(split, found)

    def _wrong_counts(self, split: str, labels: torch.Tensor) -> str:
        """Say what is wrong with the number of images of each class, or nothing."""
        counted = torch.bincount(labels.long(), minlength=len(self.classes)).tolist()
        if len(counted) > len(self.classes):
            return f"a label of the {split} split is {len(counted) - 1}"
        wrong = [
            f"{found} {name} instead of {expected}"
            for name, found, expected in zip(
                self.classes, counted, self.counts.get(split, counted), strict=True
            )
            if found != expected
        ]
        return f"the {split} split has {', '.join(wrong)}" if wrong else ""

    def _save(self, path: Path, splits: Splits, origin: str) -> Path:
        parts = {}
        for split, (images, labels) in splits.items():
            parts[f"{split}.images"] = images.contiguous()
            if labels is not None:
                parts[f"{split}.labels"] = labels.to(torch.uint8).contiguous()
        with unfinished(path.parent) as folder:
            new = folder / path.name
            new.write_bytes(save(parts, {"origin": origin}))  # save_file hides what a disk says
            new.replace(path)
        return path

    def stored(self, root: str | Path | None = None, check: bool = False) -> Iterator[Stored]:
        """Yield what of this set is on disk; with `check`, its bytes are read and compared."""
        for real, folder in product((False, True), roots(root)):
            path = folder / self._place(real)
            if path.exists():
                yield self._stored(path, real, check)

    def _stored(self, path: Path, real: bool, check: bool) -> Stored:
        what = f"{self.title}, {'real' if real else 'embedded'}"
        try:
            with safe_open(path, "pt") as opened:
                origin = opened.metadata()["origin"]
                found = {s: tensors(opened, s) for s in split_names(opened) if check}
        except (SafetensorError, OSError, TypeError, KeyError):
            wrong = "it cannot be read; delete it, and it is made again"
            return Stored(what, path, path.stat().st_size, "", (), wrong)
        digests = {split: digest(*pair) for split, pair in found.items()}
        labelled = [split for split, (_, labels) in found.items() if real and labels is not None]
        wrong = [split for split in labelled if self._differs(split, digests[split])]
        return Stored(
            what, path, path.stat().st_size, origin,
            tuple(f"{split}: sha256 {value}" for split, value in digests.items()),
            f"not as published, byte for byte: {', '.join(wrong)}" if wrong else "",
        )  # fmt: skip


def split_names(opened: safe_open) -> list[str]:
    """Return the splits of an open file."""
    return sorted(n.removesuffix(".images") for n in opened.keys() if n.endswith(".images"))  # noqa: SIM118


def tensors(opened: safe_open, split: str) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return images and labels of a split of an open file, mapped into memory."""
    labels = f"{split}.labels"
    known = labels in opened.keys()  # noqa: SIM118
    return opened.get_tensor(f"{split}.images"), opened.get_tensor(labels) if known else None


def digest(images: torch.Tensor, labels: torch.Tensor | None) -> str:
    """Return the SHA-256 of a split: the bytes of its images, then those of its labels."""
    total = hashlib.sha256(images.contiguous().numpy())
    if labels is not None:
        total.update(labels.to(torch.uint8).contiguous().numpy())
    return total.hexdigest()
