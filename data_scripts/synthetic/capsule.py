"""A lying capsule, black and orange, with the imprint 500, and what can be wrong with it."""

from dataclasses import dataclass, replace

import numpy as np

from data_scripts.synthetic.strokes import (
    Random,
    bump,
    clouds,
    cover,
    crack,
    fibre,
    jagged,
    over,
    plane,
    turn,
)

HALF, RADIUS = 0.25, 0.155  # half the straight part's length, and the radius of the ends
JOINT = -0.02  # where the black cap ends
GREY, BLACK, ORANGE = (0.80, 0.80, 0.79), (0.07, 0.07, 0.08), (0.84, 0.42, 0.10)
INK = (0.20, 0.09, 0.04)
PRINT = 0.17  # where the imprint is along the capsule
GLYPH, GAP = 0.055, 0.062  # half the height of a digit, and from one to the next


@dataclass(frozen=True)
class Capsule:
    """How a capsule lies and is lit; u along it and v across, at each pixel (size, size)."""

    u: np.ndarray
    v: np.ndarray
    granules: np.ndarray
    gloss: float  # brightness of the reflection
    gloss_at: float  # and where it is across
    roll: float  # where the imprint is across
    ink: float  # how dark the imprint is


def paint(random: Random, defect: str, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the image (3, size, size) without and with the defect."""
    capsule = good(random, size)
    clean = render(capsule)
    return clean, DEFECTS[defect](random, capsule, clean)


def good(random: Random, size: int) -> Capsule:
    """Lay a capsule down; place, angle, roll, light, filling and ink differ."""
    x, y = plane(size)
    x, y = x - random.uniform(-0.02, 0.02), y - random.uniform(-0.02, 0.02)
    u, v = turn(x, y, random.uniform(-0.04, 0.04))
    granules = 0.12 * clouds(random, size, 48) + 0.08 * clouds(random, size, 11)
    return Capsule(u, v, granules, random.uniform(0.25, 0.55), random.uniform(-0.085, -0.06),
                   random.uniform(-0.006, 0.006), random.uniform(0.75, 0.95))  # fmt: skip


def outline(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return the distance to the capsule's outline."""
    beyond = (abs(u) - HALF).clip(0)
    return np.sqrt(beyond * beyond + v * v) - RADIUS


def digits(text: str, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return the imprint's ink, 0..1, of a text of 0 and 5 centred at the origin."""
    ink, size = np.zeros_like(u), len(u)
    # the window the imprint lies in, however the capsule lies: the rest stays bare
    window = slice(int(0.34 * size), int(0.66 * size)), slice(int(0.46 * size), int(0.88 * size))
    u, v, distance = u[window], v[window], np.array(1, np.float32)
    for i, digit in enumerate(text):
        across = u - (i - (len(text) - 1) / 2) * GAP
        distance = np.minimum(distance, (_zero if digit == "0" else _five)(across, v))
    ink[window] = cover(distance - 0.0055, 0.004, size)
    return ink


def _zero(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return about the distance to an upright ellipse."""
    wide = 0.4 * GLYPH
    return abs(np.hypot(u / wide, v / GLYPH) - 1) * wide


def _five(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return the distance to a flag, a stem and an open bowl."""
    wide, waist, bowl = 0.4 * GLYPH, -0.15 * GLYPH, 0.5 * GLYPH
    flag = np.maximum(abs(u) - wide, abs(v + GLYPH))
    stem = np.maximum(abs(u + wide), abs(v + (GLYPH - waist) / 2) - (GLYPH + waist) / 2)
    circle = abs(np.hypot(u + 0.1 * GLYPH, v - 0.42 * GLYPH) - bowl)
    left_open = -u - 0.45 * GLYPH
    return np.minimum(np.minimum(flag, stem), np.maximum(circle, left_open))


def render(capsule: Capsule, ink: np.ndarray | None = None) -> np.ndarray:
    """Paint the capsule (3, size, size), with the imprint 500 or with the given ink."""
    u, v = capsule.u, capsule.v
    edge = outline(u, v)
    inside, black = cover(edge), cover(u - JOINT)
    shadow = 1 - 0.35 * (1 - outline(u - 0.012, v - 0.025) / 0.05).clip(0, 1)
    shade = 1 - 0.55 * (edge / RADIUS + 1).clip(0, 1) ** 3
    filling = shade * (1 + capsule.granules) * (1 - black)
    if ink is None:
        ink = digits("500", u - PRINT, v - capsule.roll)
    printed = ink * capsule.ink * (1 - black)
    seam = 0.25 * bump((u - JOINT) / 0.006)
    gloss = capsule.gloss * bump((v - capsule.gloss_at) / 0.022) * cover(abs(u) - HALF, 0.08)
    light, cap = seam + gloss, shade * black
    planes = []
    for grey, dark, orange, pigment in zip(GREY, BLACK, ORANGE, INK, strict=True):
        shell = orange * filling
        shell += (pigment - shell) * printed + dark * cap + light
        ground = grey * shadow
        planes.append(ground + (shell - ground) * inside)
    return np.stack(planes)


def _on_shell(random: Random, capsule: Capsule) -> tuple[np.ndarray, np.ndarray]:
    """Return coordinates about a random place on the shell, well inside the outline."""
    u, v = random.uniform(-0.32, 0.32), random.uniform(-0.09, 0.09)
    return capsule.u - u, capsule.v - v


def _crack(random: Random, capsule: Capsule, clean: np.ndarray) -> np.ndarray:
    """Open the shell along a zigzag: dark inside, a bright lip beside it."""
    u, v = turn(*_on_shell(random, capsule), random.uniform(0, np.pi))
    length, width = random.uniform(0.06, 0.14), random.uniform(0.004, 0.014)
    gap = crack(random, u, v, length, width, rough=0.011)
    shell = cover(outline(capsule.u, capsule.v))
    lip = bump((gap - 0.006) / 0.006) * (v > 0) * random.uniform(0.15, 0.5)
    dark = over(clean + lip * shell, (0.10, 0.05, 0.03), cover(gap) * shell)
    # on black the opened shell shows the pale filling
    on_black = cover(capsule.u - JOINT)
    return over(dark, (0.55, 0.42, 0.30), cover(gap) * shell * on_black * random.uniform(0.4, 1))


def _faulty_imprint(random: Random, capsule: Capsule, clean: np.ndarray) -> np.ndarray:
    """Smear the imprint, double it, lose a part of it or print another."""
    u, v = capsule.u - PRINT, capsule.v - capsule.roll
    ink, angle = digits("500", u, v), random.uniform(0, 2 * np.pi)
    far = random.uniform(0.018, 0.035)
    du, dv = far * float(np.cos(angle)), far * float(np.sin(angle))
    match random.choice(["smeared", "doubled", "missing", "wrong"]):
        case "smeared":
            ink = sum(digits("500", u - t * du, v - t * dv) for t in np.linspace(0, 1.5, 6)) / 4
        case "doubled":
            ink = np.maximum(ink, random.uniform(0.55, 0.95) * digits("500", u - du, v - dv))
        case "missing":
            loss = jagged(random, u + 2 * du, v + dv, random.uniform(0.05, 0.09), 0.5)
            ink = ink * (1 - cover(loss, 0.01) * random.uniform(0.85, 1))
        case _:
            text = ["050", "005", "55", "550", "00"][random.randint(5)]
            ink = digits(text, *turn(u, v, random.uniform(-0.25, 0.25)))
    return render(capsule, np.clip(ink, 0, 1))


def _poke(random: Random, capsule: Capsule, clean: np.ndarray) -> np.ndarray:
    """Press a small hole, or a dent with a lit and a shaded side."""
    u, v = _on_shell(random, capsule)
    radius = random.uniform(0.017, 0.034)
    place = jagged(random, u, v, radius, rough=0.25)
    strength = random.uniform(0.55, 1)
    side = (0.8 * v - 0.6 * u) / radius * bump(place.clip(0) / (0.6 * radius)) * strength * 0.6
    hole = cover(place + 0.3 * radius, 0.006) * random.uniform(0.35, 1)
    return over(clean + side, (0.16, 0.08, 0.05), hole)


def _scratch(random: Random, capsule: Capsule, clean: np.ndarray) -> np.ndarray:
    """Draw one to four thin bright lines."""
    lines = np.zeros_like(capsule.u)
    for _ in range(random.randint(1, 5)):
        u, v = _on_shell(random, capsule)
        length, width = random.uniform(0.05, 0.14), random.uniform(0.003, 0.006)
        line = cover(fibre(random, u, v, length, width, bend=0.006), 0.003)
        lines = np.maximum(lines, line * random.uniform(0.35, 0.9))
    return over(clean, (0.95, 0.90, 0.82), lines * cover(outline(capsule.u, capsule.v) + 0.004))


def _squeeze(random: Random, capsule: Capsule, clean: np.ndarray) -> np.ndarray:
    """Press the outline in from one side or both, and crease the shell there."""
    at, width = random.uniform(-0.3, 0.3), random.uniform(0.07, 0.16)
    press = random.uniform(0.12, 0.4) * bump((capsule.u - at) / width)
    sides = random.choice([-1, 0, 1])
    if sides:
        press = press * cover(-sides * capsule.v, 0.1)
    squeezed = replace(capsule, v=capsule.v * (1 + press))
    crease = bump((capsule.v - sides * 0.07) / 0.02) * bump((capsule.u - at) / (0.7 * width))
    crease = crease * cover(outline(squeezed.u, squeezed.v)) * random.uniform(0.15, 0.5)
    return over(render(squeezed), (0.03, 0.02, 0.02), crease)


DEFECTS = {
    "good": lambda random, capsule, clean: clean,
    "crack": _crack,
    "faulty_imprint": _faulty_imprint,
    "poke": _poke,
    "scratch": _scratch,
    "squeeze": _squeeze,
}
