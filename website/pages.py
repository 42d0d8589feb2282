"""The pages of the site: where each comes from, and where links lead.

A source is a file of the repository. A link to another source leads to its page; a link to any
other file, a picture say, brings that file along.
"""

import html
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import nbformat

from website import interface
from website.rendering import to_site

ROOT = Path(__file__).parent.parent
CONFIGURATION = Path(__file__).with_name("zensical.toml")
STYLE = Path(__file__).with_name("site.css")
NOTEBOOKS = sorted(path for path in ROOT.glob("assignments/*/*.ipynb"))
INTERFACE = Path("website/interface.py")


class BrokenLink(Exception):
    """A page links to a file that is not there."""


@dataclass(frozen=True)
class Page:
    """A page of the site: its title in the menu, its name, and what it is made of, in order."""

    title: str
    name: str
    sources: tuple[Path, ...]


def menu() -> dict[str, tuple[Page, ...]]:
    """Return the sections of the menu with their pages."""

    def of(title: str, source: str, *more: str) -> Page:
        name = "index" if source == "README.md" else Path(source).stem.lower()
        return Page(title, f"{name}.md", tuple(map(Path, (source, *more))))

    notebooks = (
        Page(first_heading(path), f"notebooks/{path.stem}.md", (path.relative_to(ROOT),))
        for path in NOTEBOOKS
    )
    return {
        "Gradient Check": (of("Gradient Check", "README.md", "website/pictures.md"),),
        "For students": (of("From opening to handing in", "docs/students.md"),),
        "Notebooks": tuple(notebooks),
        "For instructors": (
            of("A term in seven steps", "docs/term.md"),
            of("From submissions to grades", "docs/instructors.md"),
            of("Security", "docs/security.md"),
        ),
        "For authors": (
            of("An exercise in ten minutes", "docs/authors.md"),
            of("Interface", str(INTERFACE)),
            of("How we write", "docs/style.md"),
        ),
        "How it works": (
            of("Architecture", "docs/architecture.md"),
            of("Data", "docs/data.md"),
            of("Results", "docs/results.md"),
        ),
        "The project": (
            of("Contributing", "CONTRIBUTING.md"),
            of("Changelog", "CHANGELOG.md"),
            of("Licence", "LICENSE"),
        ),
    }


def text_of(source: Path) -> str:
    """Return a source as Markdown. `source` is relative to the repository."""
    if source == INTERFACE:
        return interface.page()
    if source.suffix == ".ipynb":
        return "\n\n".join(cells(source))
    text = (ROOT / source).read_text(encoding="utf-8")
    return text if source.suffix == ".md" else f"# {source.name.capitalize()}\n\n{text}"


def cells(source: Path) -> Iterator[str]:
    """Yield the cells of a notebook, and after its title where the file itself is."""
    first, *rest = nbformat.read(ROOT / source, as_version=4).cells
    title, _, more = first.source.partition("\n")
    yield title
    yield f"The notebook as a student gets it: [{source.name}]({source.name})"
    yield more
    for cell in rest:
        yield cell.source if cell.cell_type == "markdown" else f"```python\n{cell.source}\n```"


def first_heading(notebook: Path) -> str:
    """Return the title of a notebook, with its number: "a1 · A two-layer net, by hand"."""
    cell = nbformat.read(notebook, as_version=4).cells[0]
    return f"{notebook.stem.split('_')[0]} · {cell.source.splitlines()[0].lstrip('# ')}"


def write(out: Path) -> Path:
    """Write all pages, what they link to, and the configuration. Returns the configuration's path.

    Raises BrokenLink.
    """
    docs = out / "docs"
    sections = menu()
    pages = [page for group in sections.values() for page in group]
    where = {source: page.name for page in pages for source in page.sources}
    for page in pages:
        texts = [to_site(text_of(s), Links(page, s, where, docs).leads) for s in page.sources]
        path = docs / page.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n\n".join(texts) + "\n", encoding="utf-8")
    with_links_to_notebooks(docs / "index.md")
    shutil.copy(STYLE, docs)
    configuration = out / CONFIGURATION.name
    settings = CONFIGURATION.read_text(encoding="utf-8")
    configuration.write_text(settings.replace('"MENU"', navigation(sections)), encoding="utf-8")
    return configuration


def with_links_to_notebooks(start: Path) -> None:
    """Link the names of the assignments in the table of the start page to their notebooks."""
    text = start.read_text(encoding="utf-8")
    for name in (path.stem for path in NOTEBOOKS):
        cell = f"<td><code>{name}</code></td>"
        link = f'<td><a href="notebooks/{name}.html"><code>{name}</code></a></td>'
        text = text.replace(cell, link)
    start.write_text(text, encoding="utf-8")


def navigation(sections: Mapping[str, tuple[Page, ...]]) -> str:
    """Write the menu in TOML. A page that is called as its section stands without it."""

    def entry(title: str, value: str) -> str:
        return f"{{ {json.dumps(title, ensure_ascii=False)} = {value} }}"

    lines = []
    for title, group in sections.items():
        inner = [entry(page.title, json.dumps(page.name)) for page in group]
        lines += inner if group[0].title == title else [entry(title, f"[{', '.join(inner)}]")]
    return "[\n  " + ",\n  ".join(lines) + ",\n]"


@dataclass(frozen=True)
class Links:
    """Where the links of a source lead from its page."""

    page: Page
    source: Path
    where: Mapping[Path, str]  # the page of each source
    docs: Path

    def leads(self, address: str) -> str:
        """Return an address as it has to be on the site. Raises BrokenLink."""
        path, anchor = target(self.source, address)
        if path is None:
            return address
        as_a_file = path == self.source and path.suffix == ".ipynb"
        if path in self.where and not as_a_file:
            found = PurePosixPath(self.where[path]).with_suffix(".html")
        else:
            found = self._brought_along(path)
        relative = os.path.relpath(found, PurePosixPath(self.page.name).parent)
        return html.escape(relative + (f"#{anchor}" if anchor else ""))

    def _brought_along(self, path: Path) -> PurePosixPath:
        """Copy a file of the repository into the site."""
        if not (ROOT / path).is_file():
            raise BrokenLink(f"{self.source}: the link to {path} leads nowhere; correct it.")
        copy = self.docs / "files" / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, copy)
        return PurePosixPath("files") / path.as_posix()


def target(source: Path, address: str) -> tuple[Path | None, str]:
    """Split an address into a file of the repository and an anchor; no file if it is elsewhere.

    `source` is the file that has the link, relative to the repository, as the result is.
    """
    parts = urlsplit(html.unescape(address))
    if parts.scheme or parts.netloc or not parts.path:
        return None, parts.fragment
    return Path(os.path.normpath(source.parent / parts.path)), parts.fragment
