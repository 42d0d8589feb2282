"""Faces as polygons: who somebody is, and what moves when the face does something."""

from dataclasses import fields, replace

import numpy as np
import pytest

from data_scripts.synthetic.face_expressions import Expression
from data_scripts.synthetic.face_shapes import ABSENT, Person, behind, features, meet, vary

N = 60


def at_rest(n=N, **moves) -> Expression:
    """Return faces that do nothing but what is said."""
    still = {field.name: np.zeros((n, 1)) for field in fields(Expression)}
    return Expression(**still | {name: np.full((n, 1), value) for name, value in moves.items()})


@pytest.fixture(scope="module")
def people() -> Person:
    return meet(N, np.random.RandomState(0))


def shown(shape) -> np.ndarray:
    return np.broadcast_to(shape.grey, (N, 1))[:, 0] > ABSENT


def test_people_differ_in_everything(people):
    for field in fields(Person):
        values = getattr(people, field.name)
        assert values.shape[0] == N
        assert len(np.unique(values)) > 1 or field.name == "dark_glasses", field.name


def test_the_same_numbers_meet_the_same_people():
    one, again, other = (meet(3, np.random.RandomState(seed)) for seed in (0, 0, 1))
    assert np.array_equal(one.skin, again.skin) and not np.array_equal(one.skin, other.skin)


def test_what_varies_stays_near_its_mean():
    values = vary(5.0, 0.5, 3000, np.random.RandomState(0))
    assert values.shape == (3000, 1)
    assert np.abs(values - 5).max() <= 2.2 * 0.5 + 1e-9 and values.std() == pytest.approx(
        0.5, rel=0.1
    )


def test_every_shape_is_a_polygon_of_a_grey_for_each_face(people):
    for shape in [*behind(people), *features(people, at_rest())]:
        n, corners, two = shape.points.shape
        assert n in (1, N) and corners >= 16 and two == 2 and np.isfinite(shape.points).all()
        assert (shape.grey >= ABSENT).all() and shape.grey.max() < 256


def test_features_lie_in_the_face(people):
    for shape in features(people, at_rest()):
        assert np.abs(shape.points).max() < 1.3


def test_who_is_bald_has_no_hair_and_who_wears_none_no_glasses(people):
    everyone = np.ones((N, 1), bool)
    bald, hairy = (behind(replace(people, bald=value)) for value in (everyone, ~everyone))
    hidden = [
        i
        for i, (a, b) in enumerate(zip(bald, hairy, strict=True))
        if shown(b).all() and not shown(a).any()
    ]
    assert len(hidden) >= 3
    glasses, none = (
        sum(
            shown(shape).all()
            for shape in features(replace(people, glasses=value, dark_glasses=~everyone), at_rest())
        )
        for value in (everyone, ~everyone)
    )
    assert glasses == none + 3  # two rims and a bridge


def moved(people, **moves) -> list[np.ndarray]:
    """Return by how far each feature goes down (y) when the face does something."""
    before, after = features(people, at_rest()), features(people, at_rest(**moves))
    return [
        np.broadcast_to(b.points - a.points, (N, *b.points.shape[1:]))
        for a, b in zip(before, after, strict=True)
    ]


BROWS, MOUTH = slice(30, 32), slice(11, 16)  # of the features


def test_raised_brows_go_up_and_nothing_of_the_mouth_does(people):
    moves = moved(people, brow_raise=1.0)
    for brow in moves[BROWS]:
        assert (brow[..., 1] < -0.1).all() and not brow[..., 0].any()
    assert not any(part.any() for part in moves[MOUTH])


def test_a_worried_brow_is_higher_inside_and_a_frown_lower(people):
    for slant in (1.0, -1.0):
        for brow in moved(people, brow_slant=slant)[BROWS]:
            across = brow[..., 1].mean(axis=0)[:9]
            assert slant * (across[0] - across[-1]) < -0.1  # the first points are inside


def test_a_smile_lifts_the_corners_and_not_the_middle_of_the_mouth(people):
    line = moved(people, corners_up=1.0)[MOUTH][2]
    assert (line[:, [0, 8], 1] < -0.05).all() and (line[:, 4, 1] > 0).all()


def test_an_open_mouth_is_dark_and_shows_teeth_only_if_it_does(people):
    def parts(**moves):
        return [shown(shape).all() for shape in features(people, at_rest(**moves))[MOUTH]][3:]

    assert parts() == [False, False]
    assert parts(mouth_open=0.8) == [True, False]
    assert parts(mouth_open=0.8, teeth=1.0) == [True, True]


def test_eyes_open_and_close(people):
    def height(**moves):
        white = features(people, at_rest(**moves))[16]
        return np.ptp(white.points[..., 1], axis=1)

    assert (height(eye_open=1.0) > height()).all() and (height() > height(eye_open=-1.0)).all()
    assert (height(eye_open=-5.0, squint=5.0) > 0).all()
