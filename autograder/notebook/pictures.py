"""Pictures that a text cell shows from a file, which a notebook alone would leave behind."""

import base64
import copy
import os.path
import re
from collections.abc import Callable, Container, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

LINK = re.compile(  # in code nothing is a link; a plain name may have one pair of brackets
    r"""`[^`\n]*`
    | (?P<text>!\[[^\[\]]*\]\()\s*(?:<(?P<angle>[^<>\n]+)>|(?P<plain>(?:[^()<>\s"']|\([^()\s]*\))+))
    | (?P<html><img\b[^<>]*?\bsrc\s*=\s*)(?:"(?P<double>[^"<>]+)"|'(?P<single>[^'<>]+)')""",
    re.IGNORECASE | re.VERBOSE,
)
ELSEWHERE = re.compile(r"(?i)[a-z][a-z+.-]+:|//|#")  # an address, data, an attachment
TYPES = {
    ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif",
    ".webp": "image/webp",
}  # fmt: skip
LARGEST = 6_000_000  # bytes of a file: in base64 it is a third larger
TOGETHER = 24_000_000  # bytes of all in a notebook


Read = Callable[[str], bytes | None]  # a picture by the link to it, or none


def linked(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield the files that the text cells of a notebook show, as they name them."""
    for cell in content["cells"]:
        if cell["cell_type"] == "markdown":
            yield from links(_source(cell))


def links(source: str) -> Iterator[str]:
    """Yield the files that a text shows, as it names them."""
    yield from filter(_is_file, map(_link, LINK.finditer(source)))


def fault(link: str, folder: Path) -> str:
    """Say why a picture cannot be put into the notebook; nothing if it can."""
    path = folder / unquote(link)
    if not path.is_file():
        return (
            "there is no such file: save the figure beside the notebook, or drag it into the cell"
        )
    if path.suffix.lower() not in TYPES:
        return "it is no PNG, JPEG, GIF or WebP: save the figure as figure.png"
    return "it is larger than 6 MB: save it smaller" if path.stat().st_size > LARGEST else ""


def together(content: Mapping[str, Any], folder: Path) -> int:
    """Return how many bytes the pictures have that a notebook shows or carries."""
    there = (folder / unquote(link) for link in linked(content) if not fault(link, folder))
    return _attached(content) + sum(path.stat().st_size for path in there)


def embedded(content: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
    """Return a notebook that carries its pictures itself, as Jupyter does with one pasted."""
    room = TOGETHER - _attached(content)

    def read(link: str) -> bytes | None:
        nonlocal room
        if fault(link, folder) or (folder / unquote(link)).stat().st_size > room:
            return None
        picture = (folder / unquote(link)).read_bytes()
        room -= len(picture)
        return picture

    if not any(not fault(link, folder) for link in linked(content)):
        return content
    content = copy.deepcopy(content)
    for cell in content["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"], carried = carry(_source(cell), read, cell.get("attachments", {}))
            if carried:
                cell.setdefault("attachments", {}).update(carried)
    return content


def carry(
    source: str, read: Read, taken: Container[str] = ()
) -> tuple[str, dict[str, dict[str, str]]]:
    """Return a text that shows pictures from files as ones that are attached, and these.

    `read` returns a picture, or none to leave the link as it is; it is asked once for each link.
    Names that are `taken` are those of pictures that are attached already.
    """
    attached: dict[str, dict[str, str]] = {}
    names: dict[str, str] = {}  # by link; empty if there is no such picture

    def attach(link: str) -> str:
        kind = TYPES.get(os.path.splitext(unquote(link))[1].lower())
        if kind is None or (picture := read(link)) is None:
            return ""
        name = re.sub(r"[^\w.-]", "_", unquote(link))
        while name in taken or name in attached:
            name = f"_{name}"
        attached[name] = {kind: base64.b64encode(picture).decode()}
        return name

    def inside(match: re.Match) -> str:
        link = _link(match)
        if not _is_file(link):
            return match[0]
        if link not in names:
            names[link] = attach(link)
        if not names[link]:
            return match[0]
        name = f"attachment:{names[link]}"
        return f"{match['text']}{name}" if match["text"] else f'{match["html"]}"{name}"'

    return LINK.sub(inside, source), attached


def _attached(content: Mapping[str, Any]) -> int:
    """Return how many bytes the pictures have that were pasted into a notebook."""
    pasted = (forms for cell in content["cells"] for forms in cell.get("attachments", {}).values())
    return sum(len(str(data)) * 3 // 4 for forms in pasted for data in forms.values())


def _source(cell: Mapping[str, Any]) -> str:
    return "".join(cell["source"])


def _link(match: re.Match) -> str:
    """Return where a picture is; nothing in code."""
    return match["angle"] or match["plain"] or match["double"] or match["single"] or ""


def _is_file(link: str) -> bool:
    return bool(link) and ELSEWHERE.match(link) is None
