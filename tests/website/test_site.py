"""The site as it is built: every link in its pages, and that it needs no network."""

import os
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import sync_playwright

from tests.lab import BROWSER, FLAGS
from website import pages
from website.__main__ import Refused, build

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("zensical") is None, reason="needs the extra docs: make docs"),
]
LOADED = {"script", "img", "link", "iframe", "source"}  # what a browser fetches by itself


class Addresses(HTMLParser):
    """Collects the anchors of a page, what it links to, and what it loads."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.anchors, self.links, self.loaded = set(), [], []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.anchors |= {found[name] for name in ("id", "name") if found.get(name)}
        address = found.get("href") or found.get("src")
        if address and not (tag == "link" and found.get("rel") in ("canonical", "prev", "next")):
            (self.loaded if tag in LOADED else self.links).append(address)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site") / "site"
    build(folder)
    return folder


@pytest.fixture(scope="module")
def read(site):
    return {page.resolve(): Addresses(page) for page in site.rglob("*.html") if page.stem != "404"}


def test_every_page_is_there(site, read):
    names = {p.name.replace(".md", ".html") for group in pages.menu().values() for p in group}
    assert names == {str(page.relative_to(site.resolve())) for page in read}


def test_every_link_leads_to_a_file_of_the_site_and_to_its_anchor(read):
    lost, followed = [], 0
    for page, found in read.items():
        for address in (*found.links, *found.loaded):
            parts = urlsplit(address)
            if parts.scheme in ("http", "https", "mailto", "data"):
                continue
            goal = Path(os.path.normpath(page.parent / unquote(parts.path))) if parts.path else page
            followed += 1
            there = goal.is_file() or (goal / "index.html").is_file()
            anchors = read[goal].anchors if goal in read else {""}
            if not there or (parts.fragment and unquote(parts.fragment) not in anchors):
                lost.append(f"{page.name}: {address}")
    assert sorted(set(lost)) == []
    assert followed > 1000


def test_no_page_loads_anything_from_elsewhere(read):
    addresses = {address for found in read.values() for address in found.loaded}
    assert [one for one in addresses if urlsplit(one).netloc] == []
    assert any(one.endswith("film.gif") for one in addresses)


def test_formulas_and_headings_are_in_the_page(site):
    page = (site / "notebooks" / "a1_two_layer_net.html").read_text()
    assert page.count("<math") > 20 and 'id="1--forward-pass"' in page and "$$" not in page


@pytest.mark.skipif(BROWSER is None, reason="needs Chromium (Debian: apt-get install chromium)")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_search_finds_a_page_without_a_server_and_nothing_is_fetched(site):
    asked = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=FLAGS)
        page = browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.goto((site / "notebooks" / "a1_two_layer_net.html").as_uri())
        page.keyboard.press("/")
        page.keyboard.type("roster", delay=30)
        page.locator("a[href*='instructors.html']", has_text="oster").first.wait_for(timeout=20_000)
        browser.close()
    assert asked and [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(Refused, match="holds something else than a site"):
        build(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_a_site_that_cannot_be_built_leaves_the_old_one(site, monkeypatch):
    monkeypatch.setattr(pages, "navigation", lambda _: "no TOML")
    with pytest.raises(Refused):
        build(site)
    assert (site / "index.html").is_file()
