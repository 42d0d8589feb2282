"""Airplane, automobile, ship and truck, each from two or three sides, as coloured outlines."""

import numpy as np

from data_scripts.synthetic.shapes import (
    BLACK,
    GLASS,
    WHITE,
    Colour,
    Part,
    box,
    ellipse,
    limb,
    pick,
    polygon,
    shade,
)

PAINT = (
    (190, 40, 38),
    (40, 70, 160),
    (225, 225, 222),
    (45, 46, 50),
    (150, 155, 160),
    (215, 175, 50),
    (45, 120, 80),
    (120, 60, 40),
)
AIRFRAME = ((235, 236, 238), (170, 176, 184), (110, 116, 122), (60, 70, 90), (200, 190, 150))
HULL = ((40, 44, 54), (150, 40, 36), (230, 230, 226), (46, 74, 120), (120, 116, 110))


def airplane(rng: np.random.RandomState) -> list[Part]:
    """Return an airplane: an airliner from the side, or any airplane from above."""
    return airliner(rng) if rng.rand() < 0.6 else airplane_from_above(rng)


def airliner(rng: np.random.RandomState) -> list[Part]:
    """Return fuselage, windows, fin, tailplane, two wings and an engine, from the side."""
    body, trim, girth = pick(rng, AIRFRAME), pick(rng, PAINT), rng.uniform(0.11, 0.17)
    reach, sweep, fin = rng.uniform(0.3, 0.6), rng.uniform(0.2, 0.5), rng.uniform(0.35, 0.55)
    near = polygon(
        shade(body, 0.72), (0.2, 0.03), (-0.2 - sweep, reach), (-0.35 - sweep, reach), (-0.15, 0.05)
    )
    far = polygon(
        shade(body, 0.6),
        (0.25, -0.05),
        (-0.1 - sweep / 2, -reach * 0.8),
        (-0.2 - sweep / 2, -reach * 0.8),
        (-0.05, -0.05),
    )
    return [
        far,
        polygon(trim, (-0.55, -0.05), (-0.85, -fin), (-1.0, -fin), (-0.92, 0.0)),
        polygon(body, (-1.0, -0.05), (-0.6, -girth), (0.7, -girth), (0.7, girth), (-0.4, girth)),
        ellipse(body, 0.68, 0.0, 0.32, girth),
        polygon(GLASS, (0.78, -0.1), (0.92, -0.05), (0.78, -0.03)),
        limb(shade(GLASS, 0.8), (-0.5, -0.04), (0.65, -0.04), 0.045),
        polygon(shade(body, 0.7), (-0.7, -0.02), (-1.0, 0.14), (-1.08, 0.14), (-0.95, -0.02)),
        ellipse(shade(trim, 0.7), 0.05, 0.04 + reach * 0.4, 0.14, 0.06),
        near,
    ]


def airplane_from_above(rng: np.random.RandomState) -> list[Part]:
    """Return fuselage, swept wings, tailplane and engines, nose to the right."""
    body, girth = pick(rng, AIRFRAME), rng.uniform(0.08, 0.15)
    sweep, chord, span = rng.uniform(0, 0.6), rng.uniform(0.2, 0.4), rng.uniform(0.7, 1.0)
    parts = []
    for side in (-1, 1):
        tip = 0.2 - sweep
        wing = ((0.3, 0), (tip, side * span), (tip - chord / 2, side * span), (0.25 - chord, 0))
        tail = ((-0.65, 0), (-0.85, side * 0.36), (-1.0, side * 0.36), (-0.95, 0))
        parts += [polygon(shade(body, 0.85), *wing), polygon(shade(body, 0.8), *tail)]
        parts.append(ellipse(shade(body, 0.5), 0.25 - sweep / 3, side * span * 0.4, 0.13, 0.06))
    parts.append(ellipse(body, 0.0, 0.0, 1.0, girth))
    parts.append(ellipse(GLASS, 0.75, 0.0, 0.1, girth * 0.6))
    return parts


def automobile(rng: np.random.RandomState) -> list[Part]:
    """Return a car from the side, or from the front or back."""
    return car_from_side(rng) if rng.rand() < 0.6 else car_from_front(rng)


def wheel(x: float, y: float, radius: float) -> list[Part]:
    """Return a tyre with its rim."""
    return [
        ellipse(BLACK, x, y, radius, radius),
        ellipse((165, 165, 168), x, y, radius * 0.5, radius * 0.5),
    ]


def car_from_side(rng: np.random.RandomState) -> list[Part]:
    """Return a low body with bonnet and boot, a cabin with two windows, lamps and two wheels."""
    body, roof, radius = pick(rng, PAINT), rng.uniform(-0.52, -0.38), rng.uniform(0.17, 0.23)
    front, back = rng.uniform(0.35, 0.6), rng.uniform(-0.85, -0.6)
    cabin = ((back, -0.08), (back + 0.2, roof), (front - 0.35, roof), (front, -0.08))
    return [
        polygon(shade(body, 0.92), *cabin),
        polygon(
            GLASS, (back + 0.1, -0.1), (back + 0.24, roof + 0.06), (-0.2, roof + 0.06), (-0.2, -0.1)
        ),
        polygon(
            GLASS,
            (-0.13, -0.1),
            (-0.13, roof + 0.06),
            (front - 0.38, roof + 0.06),
            (front - 0.1, -0.1),
        ),
        polygon(
            body,
            (-1.0, -0.05),
            (-0.92, -0.12),
            (front, -0.1),
            (0.9, 0.0),
            (1.0, 0.1),
            (0.98, 0.3),
            (-0.98, 0.3),
        ),
        limb(shade(body, 0.6), (-0.97, 0.27), (0.97, 0.27), 0.08),
        box((240, 230, 170), 0.88, 0.05, 0.98, 0.13),
        box((200, 40, 30), -1.0, 0.0, -0.93, 0.1),
        *wheel(-0.58, 0.3, radius),
        *wheel(0.58, 0.3, radius),
    ]


def car_from_front(rng: np.random.RandomState) -> list[Part]:
    """Return roof, windscreen, body, grille, lamps, number plate and the feet of two wheels."""
    body, roof = pick(rng, PAINT), rng.uniform(-0.65, -0.5)
    lamp = (240, 235, 200) if rng.rand() < 0.6 else (200, 40, 30)
    return [
        box(BLACK, -0.75, 0.2, -0.5, 0.6),
        box(BLACK, 0.5, 0.2, 0.75, 0.6),
        polygon(shade(body, 0.9), (-0.7, -0.1), (-0.5, roof), (0.5, roof), (0.7, -0.1)),
        polygon(GLASS, (-0.6, -0.1), (-0.43, roof + 0.09), (0.43, roof + 0.09), (0.6, -0.1)),
        polygon(
            body, (-0.8, 0.0), (-0.65, -0.12), (0.65, -0.12), (0.8, 0.0), (0.8, 0.45), (-0.8, 0.45)
        ),
        box(shade(body, 0.35), -0.4, 0.06, 0.4, 0.2),
        ellipse(lamp, -0.6, 0.1, 0.15, 0.09),
        ellipse(lamp, 0.6, 0.1, 0.15, 0.09),
        box(shade(body, 0.65), -0.82, 0.33, 0.82, 0.45),
        box(WHITE, -0.2, 0.3, 0.2, 0.4),
    ]


def ship(rng: np.random.RandomState) -> list[Part]:
    """Return a ship from the side: a steamer, a freighter or a sailing boat."""
    return (steamer, freighter, sailing_boat)[rng.randint(3)](rng)


def hull(colour: Colour, deck: float, waterline: float) -> list[Part]:
    """Return a hull with a raised bow on the right, and the red below its waterline."""
    lower = waterline - 0.1
    return [
        polygon(
            colour, (-0.95, deck), (0.7, deck), (1.0, deck - 0.12), (0.75, lower), (-0.85, lower)
        ),
        polygon((130, 45, 40), (-0.86, lower), (0.76, lower), (0.7, waterline), (-0.8, waterline)),
    ]


def steamer(rng: np.random.RandomState) -> list[Part]:
    """Return a liner: hull, two decks with portholes, one to three funnels and a mast."""
    deck, funnel = rng.uniform(0.05, 0.2), pick(rng, PAINT)
    parts = [limb(BLACK, (0.55, deck), (0.55, -0.75), 0.04)]
    for x in np.linspace(-0.5, 0.2, 3)[: rng.randint(1, 4)]:
        parts.append(
            polygon(funnel, (x, -0.3), (x - 0.05, -0.65), (x + 0.13, -0.65), (x + 0.18, -0.3))
        )
        parts.append(box(BLACK, x - 0.05, -0.7, x + 0.13, -0.6))
    parts += [box(WHITE, -0.6, -0.33, 0.4, deck), box((205, 205, 200), -0.75, -0.12, 0.6, deck)]
    parts += [limb(GLASS, (-0.55, -0.22), (0.35, -0.22), 0.06)]
    return parts + hull(pick(rng, HULL), deck, rng.uniform(0.4, 0.55))


def freighter(rng: np.random.RandomState) -> list[Part]:
    """Return a long low hull with a bridge at the stern, cranes and a load of containers."""
    deck, height = rng.uniform(0.1, 0.2), rng.uniform(0.15, 0.4)
    parts = [box(WHITE, -0.85, -0.5, -0.5, deck), box(GLASS, -0.83, -0.42, -0.5, -0.32)]
    parts.append(limb(BLACK, (-0.7, -0.5), (-0.7, -0.8), 0.06))
    for left in (-0.4, -0.12, 0.16, 0.44):
        top = deck - height * rng.uniform(0.4, 1.0)
        parts.append(box(pick(rng, PAINT), left, top, left + 0.24, deck))
    parts.append(limb((90, 80, 70), (0.02, deck), (0.02 + rng.uniform(-0.3, 0.4), -0.6), 0.05))
    return parts + hull(pick(rng, HULL), deck, rng.uniform(0.38, 0.5))


def sailing_boat(rng: np.random.RandomState) -> list[Part]:
    """Return a hull, a mast, a mainsail and a foresail."""
    sail, top = pick(rng, (WHITE, WHITE, (200, 80, 60), (60, 90, 150))), rng.uniform(-1.0, -0.8)
    return [
        limb((80, 60, 45), (-0.05, 0.35), (-0.05, top), 0.06),
        polygon(sail, (-0.1, top + 0.05), (-0.1, 0.2), (-0.1 - rng.uniform(0.5, 0.75), 0.2)),
        polygon(shade(sail, 0.85), (0.02, top + 0.12), (0.02, 0.22), (rng.uniform(0.5, 0.8), 0.22)),
        *hull(pick(rng, HULL), 0.34, rng.uniform(0.58, 0.7)),
    ]


def truck(rng: np.random.RandomState) -> list[Part]:
    """Return a lorry from the side or from the front, or a pick-up from the side."""
    kind = rng.rand()
    if kind < 0.5:
        return lorry_from_side(rng)
    return lorry_from_front(rng) if kind < 0.8 else pickup(rng)


def lorry_from_side(rng: np.random.RandomState) -> list[Part]:
    """Return a cab, a tall load (a box, or a tipper's trough), a chassis and three wheels."""
    cab, load, top = pick(rng, PAINT), pick(rng, PAINT), rng.uniform(-0.75, -0.45)
    slant, roof = (0.0, rng.uniform(-0.55, -0.35)) if rng.rand() < 0.7 else (0.15, -0.4)
    return [
        box((55, 55, 58), -0.95, 0.25, 0.9, 0.4),
        polygon(
            load, (-1.0 - slant / 2, top), (0.4, top), (0.4 - slant, 0.28), (-1.0 + slant, 0.28)
        ),
        limb(shade(load, 0.7), (-0.95, top + 0.45), (0.36, top + 0.45), 0.1),
        polygon(cab, (0.44, roof), (0.8, roof), (0.98, -0.05), (1.0, 0.38), (0.44, 0.38)),
        polygon(GLASS, (0.55, roof + 0.1), (0.77, roof + 0.1), (0.9, -0.06), (0.55, -0.06)),
        box((240, 230, 170), 0.92, 0.15, 1.0, 0.23),
        *wheel(-0.72, 0.43, 0.17),
        *wheel(-0.36, 0.43, 0.17),
        *wheel(0.68, 0.43, 0.17),
    ]


def lorry_from_front(rng: np.random.RandomState) -> list[Part]:
    """Return a tall cab before its load: windscreen, grille, lamps, mirrors, bumper, wheels."""
    cab, load, top = pick(rng, PAINT), pick(rng, PAINT), rng.uniform(-1.0, -0.8)
    return [
        box(BLACK, -0.62, 0.4, -0.36, 0.9),
        box(BLACK, 0.36, 0.4, 0.62, 0.9),
        box(load, -0.68, top, 0.68, 0.55),
        box(cab, -0.58, -0.72, 0.58, 0.65),
        box(GLASS, -0.5, -0.58, 0.5, -0.15),
        limb(BLACK, (-0.72, -0.45), (-0.72, -0.15), 0.1),
        limb(BLACK, (0.72, -0.45), (0.72, -0.15), 0.1),
        box(shade(cab, 0.4), -0.3, 0.0, 0.3, 0.4),
        limb((180, 180, 180), (-0.28, 0.13), (0.28, 0.13), 0.05),
        box((240, 235, 200), -0.53, 0.25, -0.35, 0.4),
        box((240, 235, 200), 0.35, 0.25, 0.53, 0.4),
        box((150, 150, 152), -0.62, 0.5, 0.62, 0.68),
    ]


def pickup(rng: np.random.RandomState) -> list[Part]:
    """Return a high body with a short cabin and an open bed behind it, on large wheels."""
    body, roof = pick(rng, PAINT), rng.uniform(-0.6, -0.5)
    return [
        polygon(shade(body, 0.92), (-0.2, -0.1), (-0.15, roof), (0.3, roof), (0.55, -0.1)),
        polygon(GLASS, (-0.1, -0.1), (-0.07, roof + 0.08), (0.25, roof + 0.08), (0.42, -0.1)),
        box(shade(body, 0.55), -1.0, -0.14, -0.2, 0.0),
        polygon(body, (-1.0, -0.08), (0.6, -0.12), (0.95, -0.02), (1.0, 0.32), (-1.0, 0.32)),
        limb((150, 150, 152), (-1.0, 0.3), (1.0, 0.3), 0.08),
        box((240, 230, 170), 0.9, 0.03, 1.0, 0.13),
        *wheel(-0.6, 0.36, 0.25),
        *wheel(0.62, 0.36, 0.25),
    ]
