"""The section of docs/results.md that is made from the files of docs/figures, and its pictures."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import MaxNLocator

from bench.figures.figure import DOCS, KEPT, Figure, record

BEGIN, END = "<!-- figures: python -m bench.figures --page -->\n", "<!-- end of figures -->"
COLOURS = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"
STYLE: dict[Any, Any] = {"svg.hashsalt": "figures", "font.size": 10, "axes.spines.top": False,
                         "axes.spines.right": False}  # fmt: skip


def write(figures: Mapping[str, Figure]) -> None:
    """Make the section of docs/results.md anew, and the pictures."""
    path = DOCS / "results.md"
    path.write_text(with_section(path.read_text(), section(figures)))
    for name in figures:
        if found := record(name):
            draw(found, KEPT / f"{name}.svg")


def with_section(text: str, made: str) -> str:
    """Replace the section between the two marks. Raises ValueError if they are not there."""
    pattern = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"no {BEGIN.strip()} and {END}")
    return pattern.sub(lambda _: f"{BEGIN}\n{made}\n\n{END}", text)


def section(figures: Mapping[str, Figure]) -> str:
    """Write the table of all figures, and one for each that was measured."""
    lines = [line_of(["", "the seed's", "ours", "95 % interval", "time", "command"]),
             "|---|---:|---:|---:|---:|---|"]  # fmt: skip
    blocks = []
    for figure in figures.values():
        found, command = record(figure.name), f"`python -m bench.figures {figure.name}`"
        told = ["not measured here", "", ""]
        if found:
            first = found["rows"][0]
            told = [f"**{value(first)}**", interval(first), duration(found["seconds"])]
            blocks.append(block(figure, found))
        lines.append(line_of([figure.title, figure.seed, *told, command]))
    return "\n\n".join(["\n".join(lines), *blocks])


def block(figure: Figure, found: Mapping[str, Any]) -> str:
    """Write all rows of a figure, its picture, and what it was measured with."""
    versions = ", ".join(f"{library} {number}" for library, number in found["versions"].items())
    parts = [f"### {figure.title}", rows(found["rows"])]
    if found["text"]:
        parts.insert(1, found["text"])
    parts.append(f"![{described(found)}](figures/{figure.name}.svg)")
    parts.append(f"{duration(found['seconds']).capitalize()} on {found['device']}; {versions}.")
    return "\n\n".join(parts)


def rows(found: Sequence[Mapping[str, Any]]) -> str:
    """Write rows as a Markdown table. A column without any entry is left out."""
    more = list(dict.fromkeys(key for row in found for key in row["more"]))
    lines = [["", "", "95 % interval", *more]]
    lines += [[row["what"], value(row), interval(row), *(row["more"].get(key, "") for key in more)]
              for row in found]  # fmt: skip
    keep = [i for i in range(len(lines[0])) if i < 2 or any(line[i] for line in lines[1:])]
    head, *rest = (line_of(line[i] for i in keep) for line in lines)
    return "\n".join([head, "|---|" + "---:|" * (len(keep) - 1), *rest])


def line_of(cells: Iterable[str]) -> str:
    """Write a line of a Markdown table."""
    return "|" + "".join(f" {cell} |" if cell else " |" for cell in cells)


def value(row: Mapping[str, Any]) -> str:
    """Write the number of a row: 64.3 %, or 0.952."""
    return f"{row['value']:.1%}".replace("%", " %") if row["percent"] else f"{row['value']:.3f}"


def interval(row: Mapping[str, Any]) -> str:
    """Write the interval of a row, if it has one: 62.7–65.8."""
    if row["interval"] is None:
        return ""
    low, high = row["interval"]
    return f"{100 * low:.1f}–{100 * high:.1f}" if row["percent"] else f"{low:.3f}–{high:.3f}"


def duration(seconds: float) -> str:
    """Write how long something took: 45 s, 12 min, 3 h 05 min."""
    minutes = round(seconds / 60)
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02} min"


def described(found: Mapping[str, Any]) -> str:
    """Say what the picture shows."""
    if found["curves"]:
        return f"{found['axis']} by epoch: {'; '.join(found['curves'])}"
    drawn = "; ".join(row["what"] for row in found["rows"])
    return f"{found['axis']}, with 95 % intervals: {drawn}"


def draw(found: Mapping[str, Any], path: Path) -> None:
    """Draw the curves, or the rows if there are none, and save them as SVG."""
    with rc_context(STYLE):
        height = 3.2 if found["curves"] else 0.8 + 0.3 * len(found["rows"])
        drawing = Drawing(figsize=(7, height))
        axes = drawing.add_subplot()
        if found["curves"]:
            draw_curves(axes, found["curves"])
            axes.set_ylabel(found["axis"])
        else:
            draw_rows(axes, found["rows"])
            axes.set_xlabel(found["axis"])
        drawing.tight_layout()
        drawing.savefig(path, format="svg", metadata={"Date": None})


def draw_curves(axes: Axes, curves: Mapping[str, Sequence[float]]) -> None:
    """Draw values by epoch, a line for each training run."""
    for number, (name, values) in enumerate(curves.items()):
        epochs = range(1, len(values) + 1)
        axes.plot(epochs, values, label=name, color=COLOURS[number % len(COLOURS)])
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False)


def draw_rows(axes: Axes, found: Sequence[Mapping[str, Any]]) -> None:
    """Draw each row as a point with its interval, the first on top."""
    for place, row in enumerate(found):
        scale = 100 if row["percent"] else 1
        low, high = row["interval"] or (row["value"], row["value"])
        axes.plot([scale * low, scale * high], [place, place], color=COLOURS[0])
        axes.plot(scale * row["value"], place, "o", color=COLOURS[0])
    axes.set_yticks(range(len(found)), [row["what"] for row in found])
    axes.invert_yaxis()
