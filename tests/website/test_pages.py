"""Pages from files of the repository: their names, their links, the menu."""

import tomllib
from pathlib import Path

import nbformat
import pytest

from website import pages
from website.pages import BrokenLink, Links, Page


def links(tmp_path, source="docs/students.md", page="students.md"):
    where = {Path("docs/data.md"): "data.md", Path("README.md"): "index.md"}
    where |= {Path(f"assignments/{A1}/{A1}.ipynb"): f"notebooks/{A1}.md"}
    return Links(Page("", page, ()), Path(source), where, tmp_path)


A1 = "a1_two_layer_net"


@pytest.mark.parametrize(
    "address, leads",
    [
        ("data.md", "data.html"),
        ("data.md#in-a-notebook", "data.html#in-a-notebook"),
        ("../README.md", "index.html"),
        (f"../assignments/{A1}/{A1}.ipynb", f"notebooks/{A1}.html"),
        ("check.png", "files/docs/check.png"),
        ("#a-task", "#a-task"),
        ("https://jupyter.org", "https://jupyter.org"),
    ],
)
def test_a_link_leads_to_the_page_of_its_file(tmp_path, address, leads):
    assert links(tmp_path).leads(address) == leads


def test_a_page_in_a_folder_links_out_of_it(tmp_path):
    name = f"assignments/{A1}/{A1}.ipynb"
    of_notebook = links(tmp_path, name, f"notebooks/{A1}.md")
    assert of_notebook.leads("../../docs/data.md") == "../data.html"


def test_a_picture_comes_along(tmp_path):
    links(tmp_path).leads("check.png")
    copy = tmp_path / "files" / "docs" / "check.png"
    assert copy.read_bytes() == (pages.ROOT / "docs" / "check.png").read_bytes()


@pytest.mark.parametrize("address", ["nothing.md", "../docs", "../../secret.txt"])
def test_a_link_to_nothing_is_refused_with_page_and_link(tmp_path, address):
    with pytest.raises(BrokenLink, match=r"docs/students\.md: the link to .* leads nowhere"):
        links(tmp_path).leads(address)


def test_a_notebook_is_its_cells_in_order_with_a_link_to_itself():
    name = Path(f"assignments/{A1}/{A1}.ipynb")
    text = pages.text_of(name)
    assert text.startswith("# A two-layer net, by hand\n\nThe notebook as a student gets it: [")
    start = 0
    for cell in nbformat.read(pages.ROOT / name, 4).cells[1:]:
        start = text.index(cell.source, start)
    assert links(Path(), str(name), f"notebooks/{A1}.md") and "### BEGIN" not in text


def test_the_start_page_links_to_every_notebook(tmp_path):
    pages.write(tmp_path)
    start = (tmp_path / "docs" / "index.md").read_text()
    assert len(pages.NOTEBOOKS) == 8
    assert [n.stem for n in pages.NOTEBOOKS if f'href="notebooks/{n.stem}.html"' not in start] == []


def test_the_menu_has_every_page_once_and_is_toml(tmp_path):
    settings = tomllib.loads(pages.write(tmp_path).read_text())["project"]
    start, *sections = settings["nav"]
    assert start == {"Gradient Check": "index.md"}
    listed = [page for s in sections for group in s.values() for p in group for page in p.values()]
    written = {str(p.relative_to(tmp_path / "docs")) for p in (tmp_path / "docs").rglob("*.md")}
    assert (
        sorted([*listed, "index.md"]) == sorted(written)
        and "notebooks/a8_where_is_the_defect.md" in listed
    )
