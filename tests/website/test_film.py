"""The film of README.md: small enough to load, long enough to read."""

import pytest
from PIL import Image

from tests.lab import BROWSER
from website import film
from website.pages import ROOT


def of(path):
    """Return the size of a film, its frames, and the seconds they take."""
    with Image.open(path) as picture:
        seconds = []
        for number in range(picture.n_frames):
            picture.seek(number)
            seconds.append(picture.info["duration"] / 1000)
        return picture.size, len(seconds), sum(seconds)


def fits(path):
    size, frames, seconds = of(path)
    assert size == (960, film.HEIGHT + film.CAPTION)
    assert 10 <= frames <= 25 and 45 <= seconds <= 65
    assert path.stat().st_size <= 2 * 2**20


def test_the_film_is_a_minute_and_small():
    fits(ROOT / "docs" / "film.gif")


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="needs Chromium (Debian: apt-get install chromium)")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_it_can_be_made_again(tmp_path):
    film.make(tmp_path / "film.gif")
    fits(tmp_path / "film.gif")
