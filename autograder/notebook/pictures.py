"""Pictures that a text cell shows from a file, which a notebook alone would leave behind."""

import base64
import copy
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

LINK = re.compile(
    r"""(!\[[^\]]*\]\(\s*<?|<img\b[^>]*?\bsrc\s*=\s*["'])([^)"'>\s]+)""", re.IGNORECASE
)
ELSEWHERE = re.compile(r"(?i)[a-z][a-z+.-]+:|//|#")  # an address, data, an attachment
TYPES = {
    ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif",
    ".webp": "image/webp",
}  # fmt: skip
LARGEST = 6_000_000  # bytes of a file: in base64 it is a third larger


def linked(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield the files that the text cells of a notebook show, as they name them."""
    for cell in content["cells"]:
        if cell["cell_type"] == "markdown":
            yield from (link for _, link in LINK.findall(_source(cell)) if _is_file(link))


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


def embedded(content: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
    """Return a notebook that carries its pictures itself, as Jupyter does with one pasted."""
    if not any(not fault(link, folder) for link in linked(content)):
        return content
    content = copy.deepcopy(content)
    for cell in content["cells"]:
        if cell["cell_type"] == "markdown":
            _embed(cell, folder)
    return content


def _embed(cell: dict[str, Any], folder: Path) -> None:
    def inside(match: re.Match) -> str:
        before, link = match.groups()
        if not _is_file(link) or fault(link, folder):
            return match[0]
        path = folder / unquote(link)
        data = base64.b64encode(path.read_bytes()).decode()
        name = re.sub(r"[^\w.-]", "_", path.name)
        cell.setdefault("attachments", {})[name] = {TYPES[path.suffix.lower()]: data}
        return f"{before}attachment:{name}"

    cell["source"] = LINK.sub(inside, _source(cell))


def _source(cell: Mapping[str, Any]) -> str:
    return "".join(cell["source"])


def _is_file(link: str) -> bool:
    return ELSEWHERE.match(link) is None
