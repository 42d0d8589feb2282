"""JupyterLab in headless Chromium: open a notebook, run it from top to bottom, save it.

python -m tests.lab NOTEBOOK [--screenshot FILE.png --at TEXT]
"""

import argparse
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
SETTINGS = {
    "notebook-extension/tracker": '{"windowingMode": "none"}',  # cells out of sight are there too
    "apputils-extension/notification": '{"fetchNews": "false"}',
}


@contextlib.contextmanager
def server(folder: Path) -> Iterator[str]:
    """Serve JupyterLab on a folder. Yields its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as home:
        command = [
            sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root",
            f"--port={port}", "--ip=127.0.0.1", f"--ServerApp.root_dir={folder}",
            "--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        ]  # fmt: skip
        for plugin, settings in SETTINGS.items():
            path = Path(home) / "@jupyterlab" / f"{plugin}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(settings)
        environment = os.environ | {"JUPYTER_CONFIG_DIR": home, "JUPYTERLAB_SETTINGS_DIR": home}
        with open(Path(home) / "log", "w") as log:
            process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for(address)
            yield address
        finally:
            process.terminate()
            process.wait(30)


def wait_for(address: str, seconds: float = 90) -> None:
    """Wait until the server answers."""
    for _ in range(int(2 * seconds)):
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{address}/api/status", timeout=2)
            return
        time.sleep(0.5)
    raise TimeoutError(f"JupyterLab did not answer in {seconds:.0f} s")


@contextlib.contextmanager
def page_at(address: str, width: int = 1280, height: int = 900) -> Iterator[Page]:
    """Open an address in a browser. Yields the page."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=FLAGS)
        page = browser.new_page(viewport={"width": width, "height": height})
        page.goto(address)
        yield page
        browser.close()


@contextlib.contextmanager
def opened(notebook: Path, height: int = 1400) -> Iterator[Page]:
    """Open a notebook in a browser. Yields the page."""
    with (
        server(notebook.parent) as address,
        page_at(f"{address}/lab/tree/{notebook.name}?reset", height=height) as page,
    ):
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=90_000)
        yield page


def run_all(page: Page, minutes: float = 8) -> None:
    """Run every cell and wait until the kernel is idle."""
    idle = page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]')
    expect(idle.first).to_be_attached(timeout=90_000)
    first = page.locator(".jp-Notebook .jp-CodeCell .jp-InputPrompt").first
    for _ in range(9):  # a kernel that has just started may forget what it was asked
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_text("Run All Cells", exact=True).click()
        with contextlib.suppress(AssertionError):
            expect(first).not_to_have_text("[ ]:", timeout=5_000)
            break
    # idle again, and no cell waits: a busy machine may take its time before the first one ends
    expect(first).to_have_text("[1]:", timeout=90_000)
    waiting = page.locator(".jp-Notebook .jp-InputPrompt", has_text="[*]:")
    expect(waiting).to_have_count(0, timeout=minutes * 60_000)
    expect(idle.first).to_be_attached(timeout=30_000)


def save(page: Page) -> None:
    """Save the notebook as a person does."""
    page.keyboard.press("Control+s")
    time.sleep(3)


def show(page: Page, text: str) -> None:
    """Scroll to the first place where a text stands."""
    found = page.locator(".jp-Notebook").get_by_text(text).locator("visible=true")
    found.first.scroll_into_view_if_needed(timeout=20_000)
    time.sleep(1)


def main() -> None:
    """Run a notebook in the browser, save it, and take a picture if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--screenshot", type=Path)
    parser.add_argument("--at", help="text to scroll to before the picture")
    options = parser.parse_args()
    with opened(options.notebook.resolve()) as page:
        run_all(page)
        save(page)
        if options.at:
            show(page, options.at)
        if options.screenshot:
            page.screenshot(path=options.screenshot)
    print(f"ran and saved {options.notebook}")


if __name__ == "__main__":
    main()
