"""Faces as polygons: who somebody is and what the face does, in the plane of the face.

Unit: half the width of a face. x to the right, y down, the origin between nose and eyes.
Everything is drawn for N faces at once: a parameter is (N, 1), a point of a shape adds (K,).
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from data_scripts.synthetic.face_expressions import Expression

ABSENT = -1.0
SPAN = np.linspace(-1, 1, 9)  # along a lid, a brow, a lip
ROUND = np.linspace(0, 2 * np.pi, 17)[:-1]
ARCH = 1 - SPAN**2


@dataclass(frozen=True)
class Shape:
    """A polygon for each face: points (N, K, 2), grey (N, 1) in 0..255, ABSENT where there is none.

    `fixed` shapes stay where they are when the face turns: the outline of the head and what is
    behind it.
    """

    points: np.ndarray
    grey: np.ndarray
    fixed: bool = False


@dataclass(frozen=True)
class Person:
    """Who N people are: (N, 1) greys in 0..255, sizes in half face widths, and choices."""

    skin: np.ndarray
    hair: np.ndarray
    height: np.ndarray
    jaw: np.ndarray
    hairline: np.ndarray
    hairline_curve: np.ndarray
    parting: np.ndarray
    strands: np.ndarray  # (N, 9): how uneven the hairline is
    hair_volume: np.ndarray
    hair_length: np.ndarray
    eyes_apart: np.ndarray
    eye_size: np.ndarray
    brow_weight: np.ndarray
    nose_length: np.ndarray
    mouth_size: np.ndarray
    lips: np.ndarray
    age: np.ndarray
    bald: np.ndarray
    beard: np.ndarray
    moustache: np.ndarray
    glasses: np.ndarray
    dark_glasses: np.ndarray


def meet(n: int, rng: np.random.RandomState) -> Person:
    """Draw n people."""
    about = partial(vary, n=n, rng=rng)

    def some(share: float) -> np.ndarray:
        return rng.random_sample((n, 1)) < share

    skin = rng.uniform(85, 215, (n, 1))
    return Person(
        skin=skin,
        hair=(skin * rng.uniform(0.15, 1.05, (n, 1)) * rng.uniform(0.5, 1, (n, 1))).clip(12, 200),
        height=about(1.28, 0.07),
        jaw=about(0.78, 0.08),
        hairline=about(-0.88, 0.09),
        hairline_curve=rng.uniform(0.05, 0.75, (n, 1)),
        parting=about(0, 0.16),
        strands=0.05 * rng.standard_normal((n, len(SPAN))),
        hair_volume=rng.uniform(1.0, 1.22, (n, 1)),
        hair_length=rng.uniform(-0.6, 1.9, (n, 1)),
        eyes_apart=about(0.42, 0.025),
        eye_size=about(1.0, 0.12),
        brow_weight=about(0.055, 0.014),
        nose_length=about(0.36, 0.05),
        mouth_size=about(0.36, 0.04),
        lips=about(0.075, 0.02),
        age=rng.uniform(0, 1, (n, 1)),
        bald=some(0.1),
        beard=some(0.12),
        moustache=some(0.08),
        glasses=some(0.16),
        dark_glasses=some(0.012),
    )


def vary(mean: float, spread: float, n: int, rng: np.random.RandomState) -> np.ndarray:
    """Draw (n, 1) normal values, none further than 2.2 standard deviations from the mean."""
    return mean + spread * rng.standard_normal((n, 1)).clip(-2.2, 2.2)


def behind(person: Person) -> list[Shape]:
    """Return shoulders, hair, neck, ears, head and soft shadows, from back to front."""
    p = person
    hair = np.where(p.bald, ABSENT, p.hair)
    long = np.where(p.bald | (p.hair_length < 0.3), ABSENT, p.hair * 0.85)
    return [
        Shape(_ellipse(0, p.height + 1.1, 1.6, 0.75), p.hair, fixed=True),
        Shape(_ellipse(0, -0.2 + p.hair_length / 2, 1.22, 1.1 + p.hair_length / 2), long, True),
        Shape(_ellipse(0, p.height, 0.55 * p.jaw + 0.1, 0.6), p.skin * 0.75, fixed=True),
        Shape(_ellipse(0, -0.4, p.hair_volume, p.height - 0.3 + p.hair_volume / 9), hair, True),
        *(Shape(_ellipse(side * 1.02, 0.05, 0.13, 0.24), p.skin * 0.85, True) for side in (-1, 1)),
        Shape(_head(p, 1.0), p.skin * 0.9, fixed=True),
        Shape(_head(p, 0.86), p.skin, fixed=True),
        *_beard(p),
        *(_shade(_ellipse(s * p.eyes_apart, -0.2, 0.27, 0.17), p.skin, 0.82) for s in (-1, 1)),
        *(_shade(_ellipse(s * 0.52, 0.3, 0.22, 0.18), p.skin, 1.08) for s in (-1, 1)),
        _shade(_ellipse(0, -0.62, 0.45, 0.2), p.skin, 1.07),
        _shade(_ellipse(0, p.nose_length, 0.22, 0.1), p.skin, 0.8),
        _shade(_ellipse(0, 0.12, 0.09, 0.3), p.skin, 1.1),
        Shape(_fringe(p), hair, fixed=True),
        Shape(
            _ribbon(SPAN * 0.55 + p.parting, -1.12 - 0.1 * ARCH, 0.05),
            np.where(p.bald, ABSENT, hair * 1.15 + 8),
            True,
        ),
    ]


def features(person: Person, does: Expression) -> list[Shape]:
    """Return nose, folds, mouth, eyes, brows and glasses, in the order they are drawn."""
    sides = (-1.0, 1.0)
    return [
        *_nose(person, does),
        *(fold for side in sides for fold in _folds(person, does, side)),
        *_mouth(person, does),
        *(part for side in sides for part in _eye(person, does, side)),
        *(_brow(person, does, side) for side in sides),
        *_glasses(person),
    ]


def _head(p: Person, size: float) -> np.ndarray:
    """An egg: wide above, the jaw below."""
    x, y = np.cos(ROUND), np.sin(ROUND)
    narrowing = 1 - (1 - p.jaw) * y.clip(0) ** 1.5
    return size * _points(x * narrowing, y * np.where(y < 0, 1.2, p.height))


def _fringe(p: Person) -> np.ndarray:
    """Hair from the top of the head down to the hairline, lower at the temples and on one side."""
    line = p.hairline + p.hairline_curve * SPAN**2 + p.parting * (SPAN - SPAN**3) + p.strands
    return _band(SPAN * 1.06, -1.36 + 0.75 * SPAN**2, line)


def _beard(p: Person) -> list[Shape]:
    """A beard along the jaw, and a moustache."""
    tone = 0.4 * p.skin + 0.6 * p.hair.clip(max=110)
    edge = p.height * np.sqrt(1 - 0.8 * SPAN**2)
    beard = _band(SPAN * (0.75 + 0.2 * p.jaw), 0.5 + 0.25 * ARCH - 0.3 * SPAN**4, edge * 0.97)
    lip = _band(SPAN * 0.34, 0.47 + 0.1 * SPAN**2, 0.62 + 0.1 * SPAN**2)
    return [
        Shape(beard, np.where(p.beard, tone, ABSENT), fixed=True),
        Shape(lip, np.where(p.moustache | p.beard, tone, ABSENT)),
    ]


def _nose(p: Person, does: Expression) -> list[Shape]:
    """Nostrils and the line below the tip; a wrinkled nose is shorter, with lines on its root."""
    y = p.nose_length - 0.09 * does.nose_wrinkle
    base = _ribbon(SPAN * 0.16, y + 0.02 + 0.05 * ARCH, 0.022)
    wings = [_ellipse(s * 0.1, y + 0.03, 0.05 + 0.015 * does.nose_wrinkle, 0.03) for s in (-1, 1)]
    depth = 0.45 * does.nose_wrinkle.clip(0, 1)
    lines = [_ribbon(SPAN * 0.12, h - 0.05 * ARCH, 0.014) for h in (-0.06, 0.03)]
    return [
        _shade(base, p.skin, 0.72),
        *(_shade(wing, p.skin, 0.4) for wing in wings),
        *(_shade(line, p.skin, 1 - depth, depth > 0.1) for line in lines),
    ]


def _folds(p: Person, does: Expression, side: float) -> list[Shape]:
    """Nose to mouth when it smiles or wrinkles; on the forehead when brows rise; between brows."""
    cheek = (does.corners_up.clip(0) + does.nose_wrinkle.clip(0) + 0.4 * p.age - 0.2).clip(0, 1)
    forehead = (does.brow_raise.clip(0) * (0.4 + p.age)).clip(0, 1)
    frown = (-does.brow_slant).clip(0, 1)
    down = (SPAN + 1) / 2
    cheek_line = _column(side * (0.2 + 0.36 * down**0.6), 0.28 + 0.34 * down, 0.017)
    forehead_line = _ribbon(side * (0.28 + 0.26 * SPAN), -0.66 - 0.03 * ARCH, 0.014)
    frown_line = _column(side * (0.07 + 0.02 * SPAN), -0.36 + 0.1 * SPAN, 0.014)
    return [
        _shade(cheek_line, p.skin, 1 - 0.28 * cheek, cheek > 0.15),
        _shade(forehead_line, p.skin, 1 - 0.3 * forehead, forehead > 0.15),
        _shade(frown_line, p.skin, 1 - 0.45 * frown, frown > 0.15),
    ]


def _mouth(p: Person, does: Expression) -> list[Shape]:
    """Lips, the dark of the mouth, teeth below the upper lip, the line between closed lips."""
    x = p.mouth_size * (1 + 0.38 * does.mouth_wide) * SPAN
    middle = 0.72 - 0.16 * does.corners_up * (SPAN**2 - 0.35) - 0.04 * does.lip_raise
    open_ = 0.34 * does.mouth_open.clip(0, 1.3)
    square = 1 - np.abs(SPAN) ** (2 + 2 * does.teeth.clip(0, 1))
    upper = middle - (0.25 * open_ + 0.05 * does.lip_raise.clip(0)) * square
    lower = middle + (0.75 * open_ + 0.03 * does.teeth.clip(0)) * square
    bite = np.minimum(lower, upper + 0.15 * does.teeth.clip(0, 1) * square)
    parted = lower - upper > 0.03
    is_open = parted.any(axis=1, keepdims=True)
    lip = p.skin * 0.7
    return [
        Shape(_band(x * 1.06, upper - p.lips * ARCH, lower + 1.3 * p.lips * ARCH), lip),
        _shade(_ribbon(x * 0.5, lower[:, 4:5] + 1.3 * p.lips + 0.06, 0.03), p.skin, 0.85),
        Shape(_ribbon(x * 1.08, middle, 0.02), p.skin * 0.42),
        Shape(_band(x, upper, lower), np.where(is_open, 28.0, ABSENT)),
        Shape(_band(x, upper, bite), np.where(is_open & (does.teeth > 0.1), 228.0, ABSENT)),
    ]


def _eye(p: Person, does: Expression, side: float) -> list[Shape]:
    """The white, iris and pupil between the lids, the lashes, the crease and the lower lid."""
    half = 0.19 * p.eye_size
    centre = side * p.eyes_apart
    above = (0.095 * p.eye_size * (1 + 0.75 * does.eye_open)).clip(0.012)
    below = (0.075 * p.eye_size * (1 + 0.3 * does.eye_open - 0.6 * does.squint)).clip(0.01)
    # A worried eye is higher inside.
    tilt = 0.03 * does.brow_slant * side * SPAN
    upper, lower = -0.16 - above * ARCH + tilt, -0.16 + below * ARCH + tilt
    x = centre + half * SPAN
    bag = lower + 0.05 + 0.02 * ARCH
    heavy = (0.3 * does.squint.clip(0, 1) + 0.15 * p.age).clip(0, 0.5)
    return [
        Shape(_band(x, upper, lower), (p.skin * 0.5 + 130).clip(max=235)),
        *(_ball(centre, r * p.eye_size, above, below, g) for r, g in ((0.092, 70), (0.05, 12))),
        Shape(_ribbon(x, upper - 0.01, 0.026), p.skin * 0.3),
        _shade(_ribbon(x, upper - 0.075, 0.012), p.skin, 0.75),
        _shade(_ribbon(x, lower + 0.008, 0.012), p.skin, 0.62),
        _shade(_ribbon(x, bag, 0.016), p.skin, 1 - heavy, heavy > 0.05),
    ]


def _ball(
    centre: np.ndarray, radius: np.ndarray, above: np.ndarray, below: np.ndarray, grey: float
) -> Shape:
    """Iris or pupil: a disc, as far as the lids show it."""
    disc = _ellipse(centre, 0, radius, radius)
    y = disc[..., 1].clip(-0.92 * above, 0.92 * below) - 0.17
    return Shape(np.stack([disc[..., 0], y], axis=-1), np.full_like(radius, grey))


def _brow(p: Person, does: Expression, side: float) -> Shape:
    """A brow, thick inside; it rises, slants, and comes in when it frowns."""
    x = side * (p.eyes_apart + 0.02 + 0.26 * SPAN + 0.03 * does.brow_slant * (1 - SPAN) / 2)
    slant = 0.12 * does.brow_slant * SPAN
    y = -0.42 - 0.13 * does.brow_raise + slant - 0.045 * ARCH * (1 + 0.5 * does.brow_raise)
    thick = p.brow_weight * (1 - 0.45 * (SPAN + 1) / 2)
    return Shape(_ribbon(x, y, thick), 0.75 * p.hair.clip(max=130) + 0.15 * p.skin)


def _glasses(p: Person) -> list[Shape]:
    """Two rims and a bridge; or dark lenses."""
    frame = np.where(p.glasses, 0.35 * p.hair + 15, ABSENT)
    dark = np.where(p.dark_glasses, 25.0, ABSENT)
    rims = [_ring(s * (p.eyes_apart + 0.02), -0.14, 0.33, 0.24, 0.035) for s in (-1, 1)]
    lenses = [_ellipse(s * (p.eyes_apart + 0.02), -0.14, 0.33, 0.24) for s in (-1, 1)]
    bridge = _ribbon(SPAN * (p.eyes_apart - 0.28), -0.17 - 0.03 * ARCH, 0.022)
    either = np.maximum(frame, dark)
    return [
        *(Shape(lens, dark) for lens in lenses),
        *(Shape(rim, frame) for rim in rims),
        Shape(bridge, either),
    ]


def _shade(
    points: np.ndarray,
    skin: np.ndarray,
    factor: float | np.ndarray,
    there: np.ndarray | bool = True,
) -> Shape:
    """A part of the skin, darker or lighter by a factor."""
    return Shape(points, np.where(there, skin * factor, ABSENT))


def _points(x: np.ndarray | float, y: np.ndarray | float) -> np.ndarray:
    """(N, K) and (N, K), or what broadcasts to it, to (N, K, 2); N is 1 if nothing varies."""
    return np.stack(np.broadcast_arrays(np.atleast_2d(x), y), axis=-1)


def _ellipse(
    x: np.ndarray | float,
    y: np.ndarray | float,
    width: np.ndarray | float,
    height: np.ndarray | float,
) -> np.ndarray:
    """An ellipse about (x, y) by its half axes."""
    return _points(x + width * np.cos(ROUND), y + height * np.sin(ROUND))


def _band(x: np.ndarray, upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """The area between two curves over x."""
    there, back = _points(x, upper), _points(x, lower)[..., ::-1, :]
    n = max(len(there), len(back))
    return np.concatenate([np.broadcast_to(c, (n, *c.shape[-2:])) for c in (there, back)], axis=1)


def _ribbon(x: np.ndarray, y: np.ndarray, half: np.ndarray | float) -> np.ndarray:
    """A curve that runs across, drawn 2 * half thick."""
    return _band(x, y - half, y + half)


def _column(x: np.ndarray, y: np.ndarray, half: float) -> np.ndarray:
    """A curve that runs down, drawn 2 * half thick."""
    return _band(y, x - half, x + half)[..., ::-1]


def _ring(x: np.ndarray, y: float, width: float, height: float, thick: float) -> np.ndarray:
    """The rim of an ellipse, as one polygon with a seam."""
    outer = _ellipse(x, y, width, height)
    inner = _ellipse(x, y, width - thick, height - thick)
    seam = [outer, outer[:, :1], inner[:, :1], inner[:, ::-1]]
    return np.concatenate(seam, axis=1)
