"""What a face does: movements that tell the expression, up to an overlap."""

import numpy as np
import pytest
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis

from data_scripts.synthetic.face_expressions import CLASSES, FULL, SPREAD, WEAKEST, express


def movements(labels, seed=0) -> np.ndarray:
    """Return the movements (N, 10) of faces."""
    expression = express(labels, np.random.RandomState(seed))
    return np.concatenate(list(vars(expression).values()), axis=1)


def test_each_face_has_each_movement():
    labels = np.arange(7)
    for movement in vars(express(labels, np.random.RandomState(0))).values():
        assert movement.shape == (7, 1)
    assert express(labels[:0], np.random.RandomState(0)).teeth.shape == (0, 1)


def test_the_same_numbers_make_the_same_faces_and_others_others():
    labels = np.arange(7)
    assert np.array_equal(movements(labels), movements(labels))
    assert not np.array_equal(movements(labels), movements(labels, 1))


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_moves_on_average_as_it_should_and_spreads(name):
    moved = movements(np.full(4000, CLASSES.index(name)))
    intensity = WEAKEST + (1 - WEAKEST) * 1.8 / 3.2  # the mean of a beta distribution
    assert np.allclose(moved.mean(axis=0), intensity * np.array(FULL[name]), atol=0.03)
    assert (moved.std(axis=0) > 0.95 * np.array(SPREAD)).all()


def test_a_neutral_face_rests_and_every_other_moves():
    assert not any(FULL["neutral"])
    assert all(max(map(abs, FULL[name])) >= 0.7 for name in CLASSES if name != "neutral")


def test_movements_tell_the_expression_up_to_an_overlap():
    """What nobody can beat who reads the face without error: classes overlap, but not much."""
    rng = np.random.RandomState(0)
    labels = rng.randint(0, 7, 6000)
    moved = np.concatenate(list(vars(express(labels, rng)).values()), axis=1)
    reader = QuadraticDiscriminantAnalysis().fit(moved[:4000], labels[:4000])
    assert 0.8 < reader.score(moved[4000:], labels[4000:]) < 0.95
