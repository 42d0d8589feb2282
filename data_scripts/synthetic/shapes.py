"""Coloured outlines in the plane: what the drawn objects are made of.

An object lies in the square from -1 to 1, x to the right and y down, and looks to the right.
"""

from dataclasses import dataclass

import numpy as np
from PIL import ImageDraw

Colour = tuple[int, int, int]
CIRCLE = np.stack([f(np.arange(14) * 2 * np.pi / 14) for f in (np.cos, np.sin)], axis=1)

BLACK, WHITE, GLASS = (25, 25, 28), (238, 238, 232), (70, 92, 110)


@dataclass(frozen=True)
class Part:
    """A filled outline (K, 2) in one colour; parts are painted in order."""

    colour: Colour
    outline: np.ndarray


def polygon(colour: Colour, *points: tuple[float, float]) -> Part:
    """Return the polygon with these corners."""
    return Part(colour, np.array(points))


def box(colour: Colour, left: float, top: float, right: float, bottom: float) -> Part:
    """Return an upright rectangle."""
    return polygon(colour, (left, top), (right, top), (right, bottom), (left, bottom))


def ellipse(colour: Colour, x: float, y: float, rx: float, ry: float, tilt: float = 0.0) -> Part:
    """Return an ellipse about (x, y), turned clockwise by `tilt` radians."""
    cos, sin = np.cos(tilt), np.sin(tilt)
    axes = np.array([[rx * cos, rx * sin], [-ry * sin, ry * cos]])
    return Part(colour, CIRCLE @ axes + (x, y))


def limb(
    colour: Colour, start: tuple[float, float], end: tuple[float, float], *widths: float
) -> Part:
    """Return a straight bar from `start` to `end`; one width, or one for each end."""
    (x0, y0), (x1, y1) = start, end
    length = max(np.hypot(x1 - x0, y1 - y0), 1e-6)
    nx, ny = (y0 - y1) / length / 2, (x1 - x0) / length / 2
    a, b = widths[0], widths[-1]
    return polygon(
        colour,
        (x0 + a * nx, y0 + a * ny),
        (x1 + b * nx, y1 + b * ny),
        (x1 - b * nx, y1 - b * ny),
        (x0 - a * nx, y0 - a * ny),
    )


def shade(colour: Colour, factor: float) -> Colour:
    """Return the colour made darker (factor below 1) or lighter (above 1)."""
    r, g, b = (min(int(channel * factor), 255) for channel in colour)
    return r, g, b


def pick(rng: np.random.RandomState, colours: tuple[Colour, ...], spread: int = 22) -> Colour:
    """Return one of the colours, each channel moved by up to `spread`."""
    choice, *moves = rng.rand(4).tolist()
    chosen = colours[int(choice * len(colours))]
    r, g, b = (
        min(max(int(c + (2 * m - 1) * spread), 0), 255) for c, m in zip(chosen, moves, strict=True)
    )
    return r, g, b


def paint(canvas: ImageDraw.ImageDraw, parts: list[Part], affine: np.ndarray) -> None:
    """Paint the parts; `affine` (3, 2) takes (x, y, 1) to the canvas's pixels."""
    corners = np.concatenate([part.outline for part in parts])
    pixels = (corners @ affine[:2] + affine[2]).ravel().tolist()
    start = 0
    for part in parts:
        end = start + part.outline.size
        canvas.polygon(pixels[start:end], fill=part.colour)
        start = end
