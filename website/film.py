"""The film at the top of README.md: a wrong function, its check, the hint, the repair.

python -m website.film      # writes docs/film.gif, from JupyterLab in a headless Chromium
"""

import argparse
import contextlib
import io
import re
import shutil
import tempfile
from pathlib import Path

from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Locator, Page, expect

from tests.lab import page_at, server

ROOT = Path(__file__).parent.parent
NOTEBOOK = ROOT / "assignments" / "a1_two_layer_net" / "a1_two_layer_net.ipynb"
WIDTH, HEIGHT, CAPTION = 960, 620, 44  # pixels
COLOURS = 96
SUM = 'X @ params["W1"] + params["b1"]'
RETURN = '    return hidden @ params["W2"] + params["b2"], hidden'


class Film:
    """Frames of a page, each with a caption and the seconds that it stays."""

    def __init__(self, page: Page) -> None:
        self.page, self.frames, self.seconds = page, [], []
        self.font = ImageFont.truetype(font_manager.findfont("DejaVu Sans"), 19)

    def take(self, caption: str, seconds: float) -> None:
        """Add what the page shows now."""
        shot = Image.open(io.BytesIO(self.page.screenshot(animations="disabled", caret="initial")))
        frame = Image.new("RGB", (WIDTH, HEIGHT + CAPTION), "#1f2937")
        frame.paste(shot.convert("RGB"), (0, 0))
        place = WIDTH / 2, HEIGHT + CAPTION / 2
        ImageDraw.Draw(frame).text(place, caption, "white", self.font, anchor="mm")
        self.frames.append(frame)
        self.seconds.append(seconds)

    def write(self, path: Path) -> None:
        """Write an animated GIF that begins again after its end."""
        sheet = Image.new("RGB", (WIDTH, (HEIGHT + CAPTION) * len(self.frames)))
        for number, frame in enumerate(self.frames):
            sheet.paste(frame, (0, number * (HEIGHT + CAPTION)))
        palette = sheet.quantize(COLOURS)  # one for all frames: nothing flickers
        first, *more = (f.quantize(palette=palette, dither=Image.Dither.NONE) for f in self.frames)
        duration = [int(1000 * one) for one in self.seconds]
        first.save(
            path, save_all=True, append_images=more, duration=duration, loop=0, optimize=True
        )


def idle(page: Page) -> None:
    """Wait until the kernel has nothing to do."""
    sign = page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]')
    expect(sign.first).to_be_attached(timeout=120_000)
    expect(page.locator(".jp-InputPrompt", has_text="[*]:")).to_have_count(0, timeout=120_000)


def run(page: Page, cell: Locator) -> None:
    """Run a cell and wait until it is done. JupyterLab may not be ready for the first one."""
    prompt = cell.locator(".jp-InputPrompt")
    before = prompt.inner_text()
    for _ in range(20):
        if page.locator(".jp-Dialog").count():  # it asks for a kernel
            page.keyboard.press("Escape")
        prompt.click()
        page.keyboard.press("Control+Enter")
        with contextlib.suppress(AssertionError):
            expect(prompt).not_to_have_text(before, timeout=2000)
            break
    idle(page)
    expect(prompt).to_have_text(re.compile(r"\[\d+\]:"))
    page.wait_for_timeout(700)


def code(page: Page, text: str) -> Locator:
    """Find the cell of code with a text."""
    return page.locator(".jp-Notebook .jp-CodeCell", has_text=text).first


def to_top(page: Page, place: Locator, above: int = 90) -> None:
    """Scroll the notebook until a place is at its top."""
    place.evaluate("(cell) => cell.scrollIntoView({block: 'start'})")
    page.locator(".jp-WindowedPanel-outer").first.evaluate(
        f"(panel) => panel.scrollBy(0, -{above})"
    )
    page.wait_for_timeout(500)


def type_over(page: Page, cell: Locator, line: str) -> None:
    """Put the cursor on a line of a cell, and empty that line."""
    cell.locator(".cm-line", has_text=line).first.click()
    page.keyboard.press("End")
    page.keyboard.press("Shift+Home")
    page.keyboard.press("Shift+Home")
    page.keyboard.press("Delete")


def shoot(page: Page) -> Film:
    """Write a forward pass without its ReLU, run its check, read the hint, correct it."""
    film = Film(page)
    task, scores = code(page, "def nn_forward_pass"), code(page, '"forward_scores"')
    hidden = code(page, '"forward_hidden"')
    to_top(page, page.get_by_text("1 · Forward pass").locator("visible=true").first, above=20)
    film.take("A task: the idea, what to write, hints folded below it", 5)
    to_top(page, task)
    film.take("Your function goes where raise NotImplementedError is", 3)
    type_over(page, task, "raise NotImplementedError")
    film.take("Your function goes where raise NotImplementedError is", 0.6)
    for part in ("    hidden = ", SUM[:12], SUM[12:]):
        page.keyboard.insert_text(part)
        film.take("A first try: two linear layers", 0.8)
    for key in ("Enter", "Shift+Home", "Delete"):  # without the indentation that the editor adds
        page.keyboard.press(key)
    for part in (RETURN[:20], RETURN[20:]):
        page.keyboard.insert_text(part)
        film.take("A first try: two linear layers", 0.8)
    film.take("A first try: two linear layers", 2)
    run(page, task)
    run(page, scores)
    to_top(page, task, above=0)
    film.take("Run the cell below it: which cases fail, by how much …", 6)
    to_top(page, scores, above=0)
    film.take("… and which mistake it looks like", 8)
    to_top(page, task)
    film.take("The ReLU is missing: add it", 2)
    type_over(page, task, "hidden = ")
    page.keyboard.insert_text(f"    hidden = ({SUM})")
    film.take("The ReLU is missing: add it", 1)
    page.keyboard.insert_text(".clamp(min=0)")
    film.take("The ReLU is missing: add it", 3)
    run(page, task)
    run(page, scores)
    to_top(page, task, above=0)
    film.take("Run again: every case passes", 6)
    run(page, hidden)
    to_top(page, scores, above=0)
    film.take("The next check asks for the hidden layer, which is right as well", 6)
    film.take("When it is graded, the same checks run on inputs you have not seen", 5)
    return film


def make(path: Path) -> Film:
    """Make the film in a copy of the notebook. Returns it, written to `path`."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(NOTEBOOK, folder)
        with (
            server(Path(folder)) as lab,
            page_at(f"{lab}/lab/tree/{NOTEBOOK.name}?reset", width=WIDTH, height=HEIGHT) as page,
        ):
            page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=90_000)
            page.keyboard.press("Control+b")  # the list of files goes
            for text in ("COURSE, VERSION", "check = Checker"):
                run(page, code(page, text))
            film = shoot(page)
    film.write(path)
    return film


def main() -> None:
    """Make the film, and say how long and how large it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "film.gif")
    path = parser.parse_args().output
    film = make(path)
    size = path.stat().st_size / 2**20
    print(f"{path}: {len(film.frames)} frames, {sum(film.seconds):.0f} s, {size:.2f} MiB")


if __name__ == "__main__":
    main()
