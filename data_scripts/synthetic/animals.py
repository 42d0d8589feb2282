"""Bird, cat, deer, dog, frog and horse, each whole and close up, as coloured outlines."""

from dataclasses import dataclass

import numpy as np

from data_scripts.synthetic.shapes import (
    BLACK,
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

FUR = (
    (60, 50, 45),
    (150, 100, 55),
    (200, 160, 110),
    (225, 220, 210),
    (120, 115, 110),
    (190, 115, 50),
)
HIDE = ((110, 65, 35), (60, 40, 30), (150, 100, 60), (205, 200, 190), (90, 85, 80))
DEERSKIN = ((150, 105, 65), (120, 85, 55), (175, 130, 85))
FROGSKIN = (
    (80, 130, 50),
    (110, 150, 60),
    (115, 95, 55),
    (60, 90, 50),
    (150, 140, 70),
    (170, 80, 40),
)
FEATHER = (
    (90, 75, 60),
    (60, 90, 150),
    (180, 50, 40),
    (225, 225, 220),
    (45, 45, 50),
    (200, 170, 60),
)
EYE = (20, 18, 16)


@dataclass(frozen=True)
class Build:
    """What tells a four-legged animal from another, in its own units (see shapes.py)."""

    half_length: float
    depth: float
    leg: float
    leg_width: float
    neck: tuple[float, float]  # from the shoulder to the head
    neck_width: float
    head: tuple[float, float]  # half length, half depth
    nod: float  # the head's tilt, radians


def four_legged(rng: np.random.RandomState, coat: Colour, build: Build) -> list[Part]:
    """Return four legs in stride, body, neck and head with its eye."""
    length, belly = build.half_length, build.depth
    foot = belly + build.leg
    parts = []
    for hip, light in ((-0.8, 0.65), (0.75, 0.65), (-0.65, 0.9), (0.6, 0.9)):
        x, stride = hip * length, rng.uniform(-0.16, 0.16)
        leg = limb(
            shade(coat, light), (x, 0.0), (x + stride, foot), build.leg_width * 1.6, build.leg_width
        )
        parts.append(leg)
    x, y = head_of(build)
    parts.append(ellipse(coat, 0.0, 0.0, length * 1.08, belly))
    parts.append(
        limb(coat, (length * 0.75, -0.02), (x, y), build.neck_width * 1.7, build.neck_width)
    )
    parts.append(ellipse(coat, x + build.head[0] * 0.5, y, *build.head, build.nod))
    parts.append(ellipse(EYE, x + build.head[0] * 0.4, y - 0.04, 0.04, 0.04))
    return parts


def head_of(build: Build) -> tuple[float, float]:
    """Return where the neck meets the head."""
    return build.half_length * 0.85 + build.neck[0], -build.depth * 0.4 - build.neck[1]


def bird(rng: np.random.RandomState) -> list[Part]:
    """Return a bird, perched or in flight."""
    return perched_bird(rng) if rng.rand() < 0.65 else flying_bird(rng)


def perched_bird(rng: np.random.RandomState) -> list[Part]:
    """Return tail, legs, a tilted body with a pale breast, wing, neck, head, eye and beak."""
    coat, tilt, neck = pick(rng, FEATHER), rng.uniform(-0.75, -0.2), rng.uniform(0.1, 0.5)
    x, y, leg = 0.42, -0.22 - neck, rng.uniform(0.55, 0.95)
    bill, beak = pick(rng, ((220, 150, 40), (70, 65, 60))), rng.uniform(0.2, 0.4)
    return [
        limb(shade(coat, 0.6), (-0.3, 0.1), (-0.95, 0.35 + tilt * -0.4), 0.22, 0.14),
        limb(bill, (0.0, 0.3), (0.02, leg), 0.05),
        limb(bill, (0.14, 0.3), (0.18, leg), 0.05),
        ellipse(coat, 0.0, 0.05, 0.55, 0.33, tilt),
        ellipse(shade(coat, 1.4), 0.2, 0.12, 0.27, 0.2, tilt),
        ellipse(shade(coat, 0.7), -0.15, 0.02, 0.4, 0.17, tilt + 0.5),
        limb(coat, (0.3, -0.05), (x, y), 0.3, 0.2),
        ellipse(coat, x, y, 0.21, 0.19),
        polygon(bill, (x + 0.16, y - 0.07), (x + 0.18 + beak, y + 0.03), (x + 0.15, y + 0.09)),
        ellipse(WHITE if rng.rand() < 0.4 else BLACK, x + 0.07, y - 0.05, 0.05, 0.05),
    ]


def flying_bird(rng: np.random.RandomState) -> list[Part]:
    """Return a short body with a fan of a tail between two bent wings."""
    coat, lift, reach = pick(rng, FEATHER), rng.uniform(-1.0, -0.4), rng.uniform(0.75, 1.0)
    parts = [polygon(shade(coat, 0.7), (-0.2, 0.0), (-0.75, -0.1), (-0.7, 0.22))]
    for side, light in ((-1, 0.65), (1, 0.9)):
        elbow = (0.05 + side * reach * 0.5, lift * 0.9 - 0.1)
        tip = (-0.1 + side * reach, lift * 0.5)
        wing = ((0.2, 0.0), elbow, tip, (elbow[0] - 0.15, elbow[1] + 0.25), (-0.15, 0.1))
        parts.append(polygon(shade(coat, light), *wing))
    parts += [ellipse(coat, 0.0, 0.06, 0.4, 0.17, -0.1), ellipse(coat, 0.4, 0.0, 0.14, 0.13)]
    parts.append(polygon((210, 150, 50), (0.5, -0.04), (0.72, 0.03), (0.5, 0.08)))
    parts.append(ellipse(EYE, 0.43, -0.03, 0.035, 0.035))
    return parts


def cat(rng: np.random.RandomState) -> list[Part]:
    """Return a cat's face, a sitting cat, or a walking one."""
    kind = rng.rand()
    if kind < 0.5:
        return cat_face(rng, pick(rng, FUR))
    return sitting_cat(rng) if kind < 0.8 else walking_cat(rng)


def cat_face(rng: np.random.RandomState, coat: Colour) -> list[Part]:
    """Return a round head: pointed ears, slit eyes, stripes, a pale muzzle, nose, whiskers."""
    iris, ear = pick(rng, ((170, 180, 60), (90, 160, 110), (210, 160, 50))), rng.uniform(-1.0, -0.8)
    parts = [ellipse(shade(coat, 0.85), 0.0, 0.9, 0.6, 0.5)]
    for side in (-1, 1):
        parts.append(polygon(coat, (side * 0.72, -0.1), (side * 0.66, ear), (side * 0.12, -0.45)))
        parts.append(
            polygon(
                (205, 150, 140), (side * 0.58, -0.3), (side * 0.58, ear + 0.2), (side * 0.27, -0.45)
            )
        )
    parts.append(ellipse(coat, 0.0, 0.0, 0.75, 0.6))
    for x in (-0.18, 0.0, 0.18):
        parts.append(limb(shade(coat, 0.6), (x, -0.56), (x * 0.8, -0.3), 0.07))
    for side in (-1, 1):
        parts.append(ellipse(iris, side * 0.32, -0.08, 0.15, 0.13))
        parts.append(ellipse(EYE, side * 0.32, -0.08, 0.05, 0.12))
        parts.append(ellipse(shade(coat, 1.35), side * 0.14, 0.28, 0.2, 0.16))
        for y in (0.2, 0.36):
            parts.append(limb(WHITE, (side * 0.25, 0.28), (side * 0.9, y), 0.03))
    parts.append(polygon((190, 110, 105), (-0.1, 0.12), (0.1, 0.12), (0.0, 0.23)))
    return parts


def sitting_cat(rng: np.random.RandomState) -> list[Part]:
    """Return a pear of a body with forelegs and a curled tail, under a small cat's face."""
    coat, turn = pick(rng, FUR), rng.uniform(-0.2, 0.2)
    face = [
        Part(part.colour, part.outline * 0.45 + (turn, -0.42)) for part in cat_face(rng, coat)[1:]
    ]
    return [
        limb(shade(coat, 0.75), (-0.3, 0.82), (-0.85, 0.75), 0.16),
        limb(shade(coat, 0.75), (-0.8, 0.8), (-0.9, 0.25), 0.14, 0.1),
        ellipse(shade(coat, 0.9), 0.0, 0.5, 0.5, 0.42),
        ellipse(shade(coat, 0.95), turn / 2, 0.1, 0.34, 0.5),
        limb(coat, (-0.13, 0.2), (-0.15, 0.9), 0.18),
        limb(coat, (0.13, 0.2), (0.15, 0.9), 0.18),
        *face,
    ]


def walking_cat(rng: np.random.RandomState) -> list[Part]:
    """Return a long low body, a round head with pointed ears, and a tail held high."""
    coat = pick(rng, FUR)
    build = Build(0.55, 0.24, 0.3, 0.1, (0.05, 0.15), 0.24, (0.23, 0.2), 0.0)
    x, y = head_of(build)
    tail = rng.uniform(-0.9, -0.3)
    ears = [
        polygon(coat, (x + d, y - 0.1), (x + d + 0.04, y - 0.36), (x + d + 0.17, y - 0.14))
        for d in (-0.08, 0.12)
    ]
    stripes = [limb(shade(coat, 0.65), (s, -0.23), (s, 0.02), 0.06) for s in (-0.3, -0.1, 0.1)]
    tails = [
        limb(coat, (-0.5, -0.08), (-0.85, tail / 2), 0.13, 0.11),
        limb(coat, (-0.84, tail / 2 + 0.03), (-0.8, tail), 0.11, 0.08),
    ]
    return tails + four_legged(rng, coat, build) + ears + stripes


def dog(rng: np.random.RandomState) -> list[Part]:
    """Return a dog's face, or a standing dog."""
    return dog_face(rng) if rng.rand() < 0.5 else standing_dog(rng)


def dog_face(rng: np.random.RandomState) -> list[Part]:
    """Return a long head between hanging ears: round eyes, a large muzzle, black nose, tongue."""
    coat, droop = pick(rng, FUR), rng.uniform(0.0, 0.25)
    patch, muzzle = shade(coat, rng.uniform(0.5, 0.8)), shade(coat, rng.uniform(1.1, 1.5))
    parts = [
        ellipse(shade(coat, 0.85), 0.0, 0.95, 0.62, 0.45),
        ellipse(coat, 0.0, -0.1, 0.55, 0.62),
    ]
    for side in (-1, 1):
        parts.append(ellipse(patch, side * 0.6, droop - 0.1, 0.2, 0.48, side * -0.25))
        parts.append(ellipse(WHITE, side * 0.24, -0.2, 0.11, 0.1))
        parts.append(ellipse(EYE, side * 0.24, -0.2, 0.09, 0.09))
    if rng.rand() < 0.5:
        parts.append(
            polygon((205, 95, 100), (-0.12, 0.5), (0.12, 0.5), (0.08, 0.85), (-0.08, 0.85))
        )
    parts += [ellipse(muzzle, 0.0, 0.32, 0.34, 0.3), ellipse(BLACK, 0.0, 0.17, 0.15, 0.1)]
    parts += [limb(EYE, (0.0, 0.2), (0.0, 0.45), 0.04), limb(EYE, (-0.2, 0.47), (0.2, 0.47), 0.05)]
    return parts


def standing_dog(rng: np.random.RandomState) -> list[Part]:
    """Return a sturdy body, a head with muzzle, nose and hanging ear, and a raised tail."""
    coat, wag = pick(rng, FUR), rng.uniform(-0.65, -0.25)
    leg = rng.uniform(0.25, 0.5)
    build = Build(0.5, 0.26, leg, 0.12, (0.12, 0.25), 0.26, (0.22, 0.19), 0.1)
    x, y = head_of(build)
    return [
        limb(coat, (-0.45, -0.1), (-0.85, wag), 0.13, 0.06),
        *four_legged(rng, coat, build),
        limb(shade(coat, 1.15), (x + 0.15, y + 0.05), (x + 0.48, y + 0.1), 0.2, 0.15),
        ellipse(BLACK, x + 0.48, y + 0.04, 0.06, 0.06),
        ellipse(shade(coat, 0.6), x - 0.03, y + 0.08, 0.1, 0.23, 0.15),
        limb(
            pick(rng, ((190, 40, 40), (50, 80, 160))),
            (x - 0.12, y + 0.12),
            (x + 0.1, y + 0.25),
            0.08,
        ),
    ]


def deer(rng: np.random.RandomState) -> list[Part]:
    """Return a standing deer, or its head from the front."""
    return standing_deer(rng) if rng.rand() < 0.65 else deer_head(rng)


def antlers(x: float, y: float, size: float) -> list[Part]:
    """Return two branched antlers that grow up from (x, y)."""
    horn = (205, 185, 150)
    parts = []
    for side in (-1, 1):
        mid, tip = (x + side * size * 0.5, y - size * 0.45), (x + side * size * 0.45, y - size)
        parts.append(limb(horn, (x + side * 0.05, y), mid, 0.07))
        parts.append(limb(horn, mid, tip, 0.06))
        parts.append(limb(horn, mid, (x + side * size * 0.9, y - size * 0.75), 0.05))
        parts.append(
            limb(
                horn,
                (x + side * size * 0.25, y - size * 0.22),
                (x + side * 0.05, y - size * 0.6),
                0.05,
            )
        )
    return parts


def standing_deer(rng: np.random.RandomState) -> list[Part]:
    """Return thin legs, a slim body with a white rump, upright neck, long ears, often antlers."""
    coat, neck = pick(rng, DEERSKIN), rng.uniform(0.25, 0.45)
    build = Build(0.5, 0.2, rng.uniform(0.5, 0.65), 0.065, (0.15, neck), 0.15, (0.19, 0.1), 0.35)
    x, y = head_of(build)
    parts = four_legged(rng, coat, build)
    parts.append(ellipse(WHITE, -0.52, -0.05, 0.1, 0.13))
    parts.append(limb(shade(coat, 0.8), (x + 0.02, y - 0.03), (x - 0.2, y - 0.16), 0.1, 0.04))
    parts.append(ellipse(BLACK, x + 0.26, y + 0.07, 0.04, 0.04))
    if rng.rand() < 0.3:
        return parts + [ellipse(WHITE, s, -0.06, 0.035, 0.03) for s in (-0.3, -0.12, 0.06, 0.24)]
    return parts + antlers(x + 0.04, y - 0.07, rng.uniform(0.3, 0.5))


def deer_head(rng: np.random.RandomState) -> list[Part]:
    """Return a narrow head on its neck: ears to the sides, dark eyes, black nose, antlers."""
    coat = pick(rng, DEERSKIN)
    parts = [limb(shade(coat, 0.85), (0.0, 0.2), (rng.uniform(-0.3, 0.3), 1.2), 0.45, 0.7)]
    parts += antlers(0.0, -0.3, rng.uniform(0.5, 0.75)) if rng.rand() < 0.75 else []
    for side in (-1, 1):
        parts.append(ellipse(shade(coat, 0.8), side * 0.48, -0.24, 0.28, 0.12, side * -0.35))
        parts.append(ellipse((215, 180, 160), side * 0.48, -0.23, 0.18, 0.06, side * -0.35))
    parts += [ellipse(coat, 0.0, 0.0, 0.3, 0.4), ellipse(shade(coat, 1.2), 0.0, 0.38, 0.18, 0.27)]
    parts += [ellipse(EYE, side * 0.22, -0.05, 0.07, 0.08) for side in (-1, 1)]
    parts.append(ellipse(BLACK, 0.0, 0.52, 0.12, 0.08))
    return parts


def frog(rng: np.random.RandomState) -> list[Part]:
    """Return a squat frog from the front, or one from above."""
    return frog_from_front(rng) if rng.rand() < 0.6 else frog_from_above(rng)


def frog_from_front(rng: np.random.RandomState) -> list[Part]:
    """Return folded thighs, a squat body with a pale belly, a wide mouth and bulging eyes."""
    skin, rise = pick(rng, FROGSKIN), rng.uniform(-0.55, -0.4)
    parts = []
    for side in (-1, 1):
        parts.append(ellipse(shade(skin, 0.75), side * 0.68, 0.25, 0.3, 0.33, side * 0.4))
        parts.append(limb(shade(skin, 0.8), (side * 0.6, 0.52), (side * 1.0, 0.58), 0.13))
    parts += [
        ellipse(skin, 0.0, 0.12, 0.66, 0.45),
        ellipse(shade(skin, 1.4), 0.0, 0.32, 0.45, 0.24),
    ]
    for side in (-1, 1):
        parts.append(limb(skin, (side * 0.35, 0.25), (side * 0.42, 0.58), 0.14))
        parts.append(ellipse(skin, side * 0.35, rise + 0.15, 0.22, 0.22))
        parts.append(ellipse((220, 190, 70), side * 0.36, rise + 0.12, 0.14, 0.14))
        parts.append(ellipse(EYE, side * 0.36, rise + 0.12, 0.1, 0.07))
    parts.append(limb(shade(skin, 0.45), (-0.5, 0.08), (0.5, 0.08), 0.06))
    return parts


def frog_from_above(rng: np.random.RandomState) -> list[Part]:
    """Return an oval body with spots, bent hind legs, short forelegs and eyes at its edge."""
    skin, bend = pick(rng, FROGSKIN), rng.uniform(0.6, 0.85)
    parts = []
    for side in (-1, 1):
        knee, heel = (-0.1, side * bend), (-0.75, side * bend * 0.6)
        parts.append(limb(shade(skin, 0.8), (-0.4, side * 0.25), knee, 0.24, 0.18))
        parts.append(limb(shade(skin, 0.85), knee, heel, 0.16, 0.12))
        parts.append(limb(shade(skin, 0.7), heel, (-0.6, side * (bend + 0.15)), 0.1, 0.16))
        parts.append(limb(shade(skin, 0.8), (0.3, side * 0.25), (0.55, side * 0.62), 0.14, 0.12))
    parts += [
        ellipse(skin, 0.0, 0.0, 0.66, 0.4),
        polygon(skin, (0.3, -0.38), (0.9, 0.0), (0.3, 0.38)),
    ]
    for x, y in rng.uniform(-0.25, 0.25, size=(4, 2)):
        parts.append(ellipse(shade(skin, 0.6), x * 1.5, y, 0.08, 0.07))
    for side in (-1, 1):
        parts.append(ellipse((220, 190, 70), 0.48, side * 0.26, 0.11, 0.11))
        parts.append(ellipse(EYE, 0.5, side * 0.27, 0.06, 0.06))
    return parts


def horse(rng: np.random.RandomState) -> list[Part]:
    """Return a standing horse, sometimes saddled, or a horse's head."""
    return standing_horse(rng) if rng.rand() < 0.65 else horse_head(rng)


def standing_horse(rng: np.random.RandomState) -> list[Part]:
    """Return strong legs, a deep body, an arched neck with its mane, a long head, a full tail."""
    coat, neck = pick(rng, HIDE), rng.uniform(0.1, 0.42)
    hair = shade(coat, 0.45 if rng.rand() < 0.5 else 1.5)
    build = Build(0.55, 0.26, rng.uniform(0.45, 0.55), 0.1, (0.22, neck), 0.24, (0.27, 0.11), 0.8)
    x, y = head_of(build)
    parts = [
        limb(hair, (-0.52, -0.12), (-0.75, 0.15), 0.12, 0.2),
        limb(hair, (-0.74, 0.1), (-0.78, 0.55), 0.2, 0.06),
        *four_legged(rng, coat, build),
        limb(hair, (0.3, -0.22), (x - 0.05, y - 0.1), 0.14),
        polygon(coat, (x - 0.02, y - 0.08), (x + 0.02, y - 0.26), (x + 0.1, y - 0.08)),
    ]
    if rng.rand() < 0.3:
        parts.append(box(pick(rng, ((150, 40, 40), (60, 40, 30))), -0.15, -0.3, 0.15, 0.02))
    return parts


def horse_head(rng: np.random.RandomState) -> list[Part]:
    """Return a broad neck with its mane, a long head with a bridle, two ears and a nostril."""
    coat, drop = pick(rng, HIDE), rng.uniform(0.1, 0.45)
    hair, strap = (
        shade(coat, 0.45 if rng.rand() < 0.5 else 1.5),
        pick(rng, ((70, 40, 25), (150, 40, 40))),
    )
    nose = (0.8, drop)
    return [
        polygon(coat, (-1.0, 1.2), (-0.75, -0.1), (0.0, -0.65), (0.25, -0.1), (0.0, 1.2)),
        polygon(hair, (-1.0, 0.6), (-0.8, -0.25), (0.0, -0.78), (-0.15, -0.4), (-0.55, 0.4)),
        polygon(coat, (-0.1, -0.65), (-0.02, -1.0), (0.1, -0.6)),
        limb(coat, (0.05, -0.4), nose, 0.55, 0.3),
        ellipse(coat, *nose, 0.17, 0.16),
        ellipse(BLACK, nose[0] + 0.06, nose[1], 0.05, 0.04),
        ellipse(EYE, 0.2, -0.38, 0.07, 0.06),
        limb(strap, (0.58, drop - 0.32), (0.42, drop + 0.17), 0.06),
        limb(strap, (0.0, -0.6), (0.1, 0.05), 0.06),
    ]
