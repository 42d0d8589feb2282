"""Build the site: python -m website [--output FOLDER]."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from website import pages

SAID = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
# What the theme would fetch where a page is opened as a file, and our copy of it.
REMOTE = "https://unpkg.com/iframe-worker/shim"
LOCAL = Path(__file__).with_name("iframe-worker.js")


class Refused(Exception):
    """The site was not built; the message says why."""


def build(site: Path) -> None:
    """Write the site into a folder, in place of an older site. Raises BrokenLink, and Refused.

    A site that cannot be built leaves the older one as it is.
    """
    if site.exists() and any(site.iterdir()) and not (site / "search.json").exists():
        raise Refused(f"{site} holds something else than a site; name another folder.")
    with tempfile.TemporaryDirectory() as folder:
        configuration = pages.write(Path(folder).resolve())
        command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
        done = subprocess.run([*command, "--config-file", configuration], **SAID)
        if done.returncode:
            raise Refused(done.stdout)
        built = configuration.with_name("site")
        without_network(built)
        shutil.rmtree(site, ignore_errors=True)
        shutil.copytree(built, site)


def without_network(site: Path) -> None:
    """Let the pages of a site load the script that they would fetch from the site itself."""
    shutil.copy(LOCAL, site / "assets")
    for page in site.rglob("*.html"):
        local = os.path.relpath(site / "assets" / LOCAL.name, page.parent)
        text = page.read_text(encoding="utf-8")
        page.write_text(text.replace(REMOTE, local), encoding="utf-8")


def main() -> None:
    """Build the site, and say how long that took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=pages.ROOT / "site")
    site, start = parser.parse_args().output, time.monotonic()
    try:
        build(site)
    except (pages.BrokenLink, Refused) as problem:
        sys.exit(str(problem))
    print(f"{site / 'index.html'}: built in {time.monotonic() - start:.0f} s.")


if __name__ == "__main__":
    main()
