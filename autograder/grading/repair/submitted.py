"""What a student handed in: files, read as plain JSON, and the cells in them.

Nothing is trusted, and nothing is used but the cells' types, texts and ids, and the grade_ids that
they claim. So it does not matter in which format a notebook was saved.
"""

import json
import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import orjson
from nbformat import NotebookNode
from nbgrader.utils import compute_checksum

from autograder.grading import files
from autograder.notebook.evidence import clip

TIMESTAMP = "timestamp.txt"
MOST_CELLS = 5_000  # that are read; a thousand is a very long notebook
SIZE_LIMIT = 64 * 2**20  # of a file, in bytes
MOST_VALUES = 2_000_000  # of a file: each takes some hundred bytes of memory, and three of a file
COMPARED_TEXT = 4000  # characters of a cell whose words are compared
TEXT_LIMIT = 8 * 2**20  # of a cell, in characters
ALL_TEXTS = 32 * 2**20  # of a notebook
KINDS = ("code", "markdown", "raw")
PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")
PICTURE_LIMIT = 8 * 2**20  # of a picture that was pasted into a cell, in characters of base64
ALL_PICTURES = 32 * 2**20  # of a notebook
BASE64 = re.compile(r"[A-Za-z0-9+/=\s]+")
PASTED = re.compile(  # with one pair of brackets in the name, at most: image (1).png
    r"!\[([^\[\]]*+)\]\(attachment:((?:[^()\s]|\([^()\s]*+\))++)[^()\n]*+\)"
)
TEXTS = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
UNWRITABLE = re.compile("[\x00\ud800-\udfff]")  # NUL, and surrogates that are no pair
WORD = re.compile(r"\w+|[^\w\s]")
DEFINITION = re.compile(r"^(?:(?:async +)?def|class) +(\w+)|^(\w+) *=(?!=)", re.MULTILINE)
CELL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")

Note = tuple[str, str]  # the cell's name, and a sentence on "this cell"


class Unreadable(Exception):
    """A file holds no notebook; the message says why."""


@dataclass(frozen=True)
class Cell:
    """What is taken from a cell, whatever the format; `number` counts from 1 in its file."""

    number: int
    kind: str
    source: str
    id: str = ""
    nbgrader: Mapping[str, Any] | None = None
    attachments: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # pictures
    dropped: int = 0  # pictures that were not kept, or are not there
    removed: int = 0
    cut: bool = False  # whether it was longer than can be read

    @property
    def grade_id(self) -> str:
        """The name that nbgrader's metadata claims, or an empty string."""
        name = (self.nbgrader or {}).get("grade_id")
        return name if isinstance(name, str) else ""

    @property
    def solution(self) -> bool:
        """Whether the student writes in this cell. Believe it of released cells only."""
        return bool(self.nbgrader and self.nbgrader.get("solution"))

    @property
    def locked(self) -> bool:
        """Whether the text is ours. Believe it of released cells only."""
        nbgrader = self.nbgrader or {}
        return not self.solution and bool(nbgrader.get("grade") or nbgrader.get("locked"))

    @cached_property
    def as_released(self) -> bool:
        """Whether the cell is as some release made it: nbgrader's checksum says so."""
        claims = dict(self.nbgrader or {})
        cell = NotebookNode(
            cell_type=self.kind, source=self.source, metadata=NotebookNode(nbgrader=claims)
        )
        try:
            return compute_checksum(cell) == claims.get("checksum")
        except (
            AttributeError,
            KeyError,
            OverflowError,
            TypeError,
            ValueError,
        ):  # claims that nbgrader never made
            return False

    @cached_property
    def text(self) -> str:
        """The source with every run of whitespace made one space."""
        return " ".join(self.source.split())

    @cached_property
    def words(self) -> Counter[str]:
        """The words and signs at the beginning of the source."""
        return Counter(WORD.findall(self.source[:COMPARED_TEXT]))

    @cached_property
    def defines(self) -> list[str]:
        """The names that the cell defines at top level."""
        if self.kind != "code":
            return []
        return [name or other for name, other in DEFINITION.findall(self.source)]


def time_of(folder: Path) -> tuple[datetime | None, str]:
    """Read when a folder was handed in, from the file that nbgrader and platforms put there.

    Returns the time in UTC, without a zone, as the gradebook has it; or none, with a note if there
    is a text that is not a clear date, time and zone. (nbgrader's reader would guess: "11:59 PM"
    would be 11:59, and an unknown zone none.)
    """
    text = (files.read(folder / TIMESTAMP, 100) or b"").decode("utf-8-sig", "replace").strip()
    if not text:
        return None, ""
    try:
        if re.fullmatch(r"\d{9,11}(\.\d+)?", text):  # seconds, as Unix counts them
            return datetime.fromtimestamp(float(text), UTC).replace(tzinfo=None), ""
        found = re.fullmatch(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::[\d.]+)?) *(.*)", text)
        zone = re.sub(r"(?i)^(utc|gmt|z)?$", "+00:00", found[2]) if found else ""
        time = datetime.fromisoformat(f"{found[1]}{zone}" if found else "no time")
        return time.astimezone(UTC).replace(tzinfo=None), ""
    except (ValueError, OverflowError, OSError):
        return None, (
            f"{TIMESTAMP} says {clip(text)!r}, which is not a clear time; no time was recorded. "
            "Write it like this: 2026-11-29 23:59:00 UTC."
        )


def notebooks(folder: Path) -> Iterator[Path]:
    """Yield the ordinary files that end in .ipynb, in the folder and one level deeper."""
    for path in _entries(folder):
        if path.is_dir():
            yield from (inner for inner in _entries(path) if _is_notebook(inner))
        elif _is_notebook(path):
            yield path


def _entries(folder: Path) -> list[Path]:
    # .ipynb_checkpoints, and what macOS puts into archives, are no submissions
    try:
        paths = [Path(e) for e in os.scandir(folder) if not e.name.startswith((".", "__"))]
    except OSError:
        return []
    return sorted(path for path in paths if not path.is_symlink())


def _is_notebook(path: Path) -> bool:
    return path.suffix.casefold() == ".ipynb" and not refusal(path)


def refusal(path: Path) -> str:
    """Say why there is no file to read at a path, without opening it; or an empty string."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return "there is no such file"
    except OSError as error:
        return f"the file cannot be read ({error.strerror})"
    if stat.S_ISLNK(mode):
        return "a symbolic link is in its place"
    if stat.S_ISDIR(mode):
        return "a folder is in its place"
    return "" if stat.S_ISREG(mode) else "it is not an ordinary file"


def _bytes(path: Path) -> bytes:
    """Read a file that may be swapped for a link or a FIFO meanwhile. Raises Unreadable."""
    if reason := refusal(path):
        raise Unreadable(reason)
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        with open(path, "rb", opener=lambda name, _: os.open(name, flags)) as file:
            data = file.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise Unreadable(f"the file cannot be read ({error.strerror})") from error
    if len(data) > SIZE_LIMIT:
        raise Unreadable(f"the file is larger than {SIZE_LIMIT // 2**20} MiB; clear its outputs")
    if not data.strip():
        raise Unreadable("the file is empty")
    return data


def document(path: Path) -> tuple[Mapping[str, Any], list[Note]]:
    """Read a file as a JSON object. Raises Unreadable."""
    data, notes = _bytes(path), []
    if _values(data) > MOST_VALUES:
        raise Unreadable(f"the file holds more than {MOST_VALUES:,} values; clear its outputs")
    try:
        document = orjson.loads(data)
    except ValueError:  # it is stricter: about encodings, numbers, and how deep a file is nested
        document, notes = _leniently(data)
    if not isinstance(document, dict):
        raise Unreadable("the file is JSON and not a notebook")
    return document, notes


def _values(data: bytes) -> int:
    """Count the values in a JSON file, roughly, and exactly only if they may be too many."""
    texts = (data.count(b'"') - data.count(b'\\"')) // 2
    marks = _marks(data)
    if max(texts, marks) <= MOST_VALUES or texts > MOST_VALUES:
        return max(texts, marks)
    return marks - sum(_marks(text[0]) for text in TEXTS.finditer(data))


def _marks(data: bytes) -> int:
    return data.count(b",") + data.count(b"[") + data.count(b"{")


def _leniently(data: bytes) -> tuple[Any, list[Note]]:
    notes = []
    try:
        text = data.decode(json.detect_encoding(data), "surrogatepass")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
        notes.append(("", "The file was not saved as UTF-8; it was read as Latin-1."))
    try:
        # As floats, since Python refuses integers of more than 4300 digits
        return json.loads(text, parse_int=float), notes
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise Unreadable(f"the file is not JSON ({place})") from error
    except RecursionError as error:
        raise Unreadable("the file is nested too deeply") from error
    except MemoryError as error:
        raise Unreadable("the file does not fit into memory") from error


def cells(document: Mapping[str, Any]) -> tuple[list[Cell], list[Note]]:
    """Read the cells of a notebook in any format since nbformat 2. Raises Unreadable."""
    raw = document.get("cells")
    if raw is None and isinstance(document.get("worksheets"), list):
        sheets = [sheet.get("cells") for sheet in _only(document["worksheets"], dict)]
        raw = [cell for sheet in _only(sheets, list) for cell in sheet]
    if not isinstance(raw, list):
        raise Unreadable("the file is JSON and not a notebook: it has no list of cells")
    room = {"pictures": ALL_PICTURES, "text": ALL_TEXTS}
    cells = [_cell(number, cell, room) for number, cell in enumerate(raw[:MOST_CELLS], start=1)]
    lost = [f"cell {number}" for number, cell in enumerate(cells, start=1) if cell is None]
    left_out = "this cell of the file could not be read; it was left out."
    notes = [(name, left_out) for name in lost]
    if len(raw) > MOST_CELLS:
        notes.append(
            ("", f"Of {len(raw):,} cells, those after the first {MOST_CELLS:,} were left out.")
        )
    return [cell for cell in cells if cell], notes


def _cell(number: int, raw: Any, room: dict[str, int]) -> Cell | None:
    """Read one cell, or None if it has no text; `room` is what is left for texts and pictures."""
    if not isinstance(raw, dict):
        return None
    source = raw.get("source", raw.get("input"))
    if isinstance(source, list):
        source = "".join(_only(source, str))
    if not isinstance(source, str):
        return None
    kind, source = _kind(raw, source)
    whole, source = len(source), source[: min(TEXT_LIMIT, room["text"])]
    room["text"] -= len(source)
    cut = len(source) < whole
    source = source.replace("\r\n", "\n").replace("\r", "\n")
    writable, removed = UNWRITABLE.subn("", source)
    metadata = raw.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    pictures, dropped = {}, 0
    if kind != "code":
        pictures = _pictures(raw.get("attachments"), room)
        writable, dropped = _without_dead(writable, pictures)
    cell_id = raw.get("id", metadata.get("id"))  # in the metadata: Colab
    valid = isinstance(cell_id, str) and CELL_ID.fullmatch(cell_id)
    nbgrader = metadata.get("nbgrader")
    return Cell(
        number=number,
        kind=kind,
        source=writable,
        id=cell_id if valid else "",
        nbgrader=nbgrader if nbgrader and isinstance(nbgrader, dict) else None,
        attachments=pictures,
        dropped=dropped,
        removed=removed,
        cut=cut,
    )


def _pictures(attachments: Any, room: dict[str, int]) -> dict[str, dict[str, str]]:
    """Return the pictures attached to a cell that can be kept."""
    kept: dict[str, dict[str, str]] = {}
    for name, forms in attachments.items() if isinstance(attachments, dict) else ():
        for kind, data in forms.items() if isinstance(forms, dict) else ():
            data = "".join(_only(data, str)) if isinstance(data, list) else data
            if kind not in PICTURES or not isinstance(data, str) or UNWRITABLE.search(name):
                continue
            if len(data) <= min(PICTURE_LIMIT, room["pictures"]) and BASE64.fullmatch(data):
                kept.setdefault(name, {})[kind] = data
                room["pictures"] -= len(data)
    return kept


def _without_dead(source: str, pictures: Mapping[str, Any]) -> tuple[str, int]:
    """Say in a text which pictures of it were left out. Returns it, and how many they are."""
    dropped = 0

    def said(found: re.Match) -> str:
        nonlocal dropped
        if {found[2], unquote(found[2])} & set(pictures):
            return found[0]
        dropped += 1
        return f"*(the picture {unquote(found[2])} could not be kept)*"

    return PASTED.sub(said, source), dropped


def _kind(raw: Mapping[str, Any], source: str) -> tuple[str, str]:
    """Return the type of a cell and its text; a heading of nbformat 3 becomes Markdown."""
    kind = raw.get("cell_type")
    if kind == "heading":
        level = raw.get("level", 0)
        return "markdown", "#" * (int(level) if level in range(1, 7) else 1) + f" {source}"
    return (kind if kind in KINDS else "raw"), source


def _only(items: Iterable[Any], kind: type) -> list[Any]:
    return [item for item in items if isinstance(item, kind)]
