"""The table of figures, its rows and its place in docs/results.md."""

import pytest
import torch

from bench.figures import page
from bench.figures.figure import DOCS, KEPT, Figure, Found, Row, record, run, share
from bench.figures.registry import FIGURES
from bench.figures.work import Work

RIGHT = torch.arange(66) < 49


def measured(work):
    rows = [share("own", RIGHT, p="0.04"), Row("area", 0.9518, percent=False)]
    return Found(rows, {"own": [20.0, 50.0, 74.0]}, "accuracy, per cent", "66 images.")


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A folder with one figure measured, of two."""
    figures = {n: Figure(n, f"Title {n}", "74.2 %", 5, measured) for n in ("done", "open")}
    run(figures["done"], Work(tmp_path / "work"), tmp_path)
    monkeypatch.setattr(page, "record", lambda name: record(name, tmp_path))
    return figures, tmp_path


def test_what_was_measured_stands_beside_the_seed_s_figure(kept):
    made = page.section(kept[0])
    assert (
        "| Title done | 74.2 % | **74.2 %** | 62.6–83.3 | 0 s | `python -m bench.figures done` |"
        in made
    )
    assert (
        "| Title open | 74.2 % | not measured here | | | `python -m bench.figures open` |" in made
    )
    assert "| | | 95 % interval | p |\n|---|---:|---:|---:|" in made
    assert "| own | 74.2 % | 62.6–83.3 | 0.04 |" in made
    assert "| area | 0.952 | | |" in made
    assert "66 images." in made and "torch" in made
    assert "![accuracy, per cent by epoch: own](figures/done.svg)" in made


@pytest.mark.parametrize("curves", [{"own": [20.0, 50.0, 74.0]}, {}], ids=["curves", "rows"])
def test_a_picture_is_drawn_of_the_curves_or_rows_and_is_the_same_each_time(kept, curves):
    found, path = {**record("done", kept[1]), "curves": curves}, kept[1] / "done.svg"
    page.draw(found, path)
    first = path.read_bytes()
    page.draw(found, path)
    assert path.read_bytes() == first and b"accuracy" in first and b"own" in first
    assert (b"epoch" in first) == bool(curves) and (b"area" in first) != bool(curves)


def test_only_what_is_between_the_marks_is_made_anew():
    text = f"before\n{page.BEGIN}old{page.END}\nafter"
    assert page.with_section(text, "new") == f"before\n{page.BEGIN}\nnew\n\n{page.END}\nafter"
    with pytest.raises(ValueError, match="end of figures"):
        page.with_section("no marks", "new")


@pytest.mark.parametrize(
    "seconds, said", [(45.2, "45 s"), (119, "119 s"), (754, "13 min"), (11_100, "3 h 05 min")]
)
def test_durations_are_easy_to_read(seconds, said):
    assert page.duration(seconds) == said


def test_results_are_in_step_with_the_files():
    """After a measurement, or a new figure: python -m bench.figures --page."""
    text = (DOCS / "results.md").read_text()
    assert page.with_section(text, page.section(FIGURES)) == text
    for path in KEPT.iterdir():
        assert path.stem in FIGURES, path
        curves = record(path.stem)["curves"]
        assert not curves or path.with_suffix(".svg").exists()
