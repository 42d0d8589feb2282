"""Sets of small images: one file of uint8 arrays on disk, mapped into memory and not read.

The file is safetensors: `train.images` (N, C, H, W), `train.labels` (N,), and so on for
every split. It is written whole or not at all.
"""

import hashlib
import pickle
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from data_scripts.fetch import Source, fetch
from data_scripts.storage import DataNotFound, Stored, kept, locked, roots

DAMAGED = (OSError, EOFError, ValueError, tarfile.TarError, pickle.PickleError, zlib.error,
           zipfile.BadZipFile)  # fmt: skip
Splits = Mapping[str, tuple[torch.Tensor, torch.Tensor | None]]  # images, and labels if known


@dataclass(frozen=True)
class ImageSet:
    """A set of labelled images of one size: where it comes from, and what must be in it.

    `read` makes splits of what was fetched or handed over, a file or a folder; `draw`
    makes the embedded ones, and `drawn` is the version of what it draws. `counts` are the
    images of every class in a split of the real set, `digests` those of its bytes; `exact`
    says that it goes round in no form that changes these.
    """

    name: str
    title: str
    classes: Sequence[str]
    licence: str
    by_hand: str
    sources: Sequence[Source]
    counts: Mapping[str, Sequence[int]]
    digests: Mapping[str, str]
    read: Callable[[Path], Splits]
    draw: Callable[[], Splits]
    drawn: int
    exact: bool = True
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
        images = (images.flatten(1) if flatten else images).to(device)
        if dtype.is_floating_point:
            images = images.to(dtype).div_(255)
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
                f"{path} cannot be read ({error}); delete it, and it is made anew."
            ) from error
        if labels is None:
            raise DataNotFound(f"{path}: the labels of its {split} part are in no file it is from.")
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
                found = Path(given).expanduser()
                return self._save(path, self._splits(found), found.name)
            used, found = fetch(self.title, self.sources, path.parent, self.by_hand, source)
            self._save(path, self._splits(found), used.name)
            found.unlink()
        return path

    def _splits(self, found: Path) -> Splits:
        print(f"{self.title}: {self.licence}")
        try:
            splits = self.read(found)
        except FileNotFoundError as error:
            raise DataNotFound(
                f"{error.filename}: there is no such file. {self.by_hand}"
            ) from error
        except DAMAGED as error:
            raise DataNotFound(
                f"{found} is not {self.title} as it should be ({error}). {self.by_hand}"
            ) from error
        for split, (images, labels) in splits.items():
            wrong = self._wrong_counts(split, labels)
            if not wrong and self.differs(split, digest(images, labels)) and labels is not None:
                wrong = f"the {split} part is not as published, byte for byte"
                if not self.exact:
                    print(f"{found}: {wrong}; its images were saved anew, it seems.")
                    continue
            if wrong:
                raise DataNotFound(f"{found}: {wrong}. {self.by_hand}")
        return splits

    def differs(self, split: str, found: str) -> bool:
        """Say whether a digest is not the published one."""
        return found != self.digests.get(split, found)

    def _wrong_counts(self, split: str, labels: torch.Tensor | None) -> str:
        """Say what is wrong with the number of images of each class, if anything is."""
        if labels is None or split not in self.counts:
            return ""
        counted = torch.bincount(labels.long(), minlength=len(self.classes)).tolist()
        wrong = [
            f"{found} {name} instead of {expected}"
            for name, found, expected in zip(self.classes, counted, self.counts[split], strict=True)
            if found != expected
        ]
        return f"the {split} part has {', '.join(wrong)}" if wrong else ""

    def _save(self, path: Path, splits: Splits, origin: str) -> Path:
        parts = {}
        for split, (images, labels) in splits.items():
            parts[f"{split}.images"] = images.contiguous()
            if labels is not None:
                parts[f"{split}.labels"] = labels.to(torch.uint8).contiguous()
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as folder:
            new = Path(folder) / path.name
            new.write_bytes(save(parts, {"origin": origin}))  # save_file hides what a disk says
            new.replace(path)
        return path

    def stored(self, root: str | Path | None = None, check: bool = False) -> Iterator[Stored]:
        """Yield what of this set is on disk; with `check`, its bytes are read and compared."""
        for real, folder in product((False, True), roots(root)):
            path = folder / self._place(real)
            if not path.exists():
                continue
            what = f"{self.title}, {'real' if real else 'embedded'}"
            with safe_open(path, "pt") as opened:
                origin = opened.metadata()["origin"]
                found = {s: digest(*tensors(opened, s)) for s in split_names(opened) if check}
                known = {s for s in found if real and tensors(opened, s)[1] is not None}
            wrong = [split for split in known if self.differs(split, found[split])]
            yield Stored(
                what, path, path.stat().st_size, origin,
                tuple(f"{split}: sha256 {value}" for split, value in found.items()),
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
