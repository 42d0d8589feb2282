"""What a5 makes: autoencoders, and the detector that is handed in."""

import io
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from sklearn.metrics import roc_auc_score
from torch import nn

from autograder.assignments.a5_anomaly_detection.checks import detector, reconstruction
from autograder.assignments.a5_anomaly_detection.lesson import adapters
from autograder.authoring.checks import Check, answer_of
from autograder.grading.notebooks import grade_id
from autograder.notebook.cases import Case, Level
from autograder.notebook.criteria import auroc
from autograder.notebook.evidence import observe
from tests.submissions import source_notebook

LEVELS = tuple(Level(name, at, share) for name, at, share in (("pass", 0.7, 0.5), ("good", 0.9, 1)))


def measured(found, labels):
    check = Check(name="d", title="d", records={"scores": "return"}, cases=(), oracle=dict)
    case = Case("c", "c", {}, levels=LEVELS)
    return auroc("scores", observe(found), observe(labels), case, check)


def test_auroc_is_scikit_learns_also_with_ties():
    rng = np.random.RandomState(0)
    labels, scores = torch.tensor(rng.rand(6, 7) < 0.4), torch.tensor(rng.randint(0, 9, (6, 7)))
    scores = scores.float() + labels * 4
    value = roc_auc_score(labels.flatten(), scores.flatten())
    assert 0.7 < value < 0.9
    found = measured(scores, labels)
    assert found.credit == 0.5 and f"AUROC {value:.1%}: pass; 90% is needed for good" in found.note


@pytest.mark.parametrize(
    "scores, problem",
    [
        (torch.zeros(4), "AUROC 50.0%: 70% is needed for pass"),
        (torch.tensor([0.1, 0.2, torch.nan, 0.4]), "NaN or infinity in 1 of 4"),
        (torch.tensor([0.1, 0.2, 0.3]), r"shape \(3,\), expected \(4,\)"),
        ([0.1, 0.2, 0.3, 0.4], "a list of numbers, expected a torch tensor"),
    ],
)
def test_scores_that_tell_nothing_are_no_pass(scores, problem):
    found = measured(scores, torch.tensor([True, False, True, False]))
    assert found.credit == 0 and re.search(problem, found.problem)


def test_perfect_scores_have_every_point():
    found = measured(torch.tensor([3.0, 1.0, 2.5]), torch.tensor([True, False, True]))
    assert (found.problem, found.note) == ("", "AUROC 100.0%")


@pytest.fixture(scope="module")
def capsules():
    """Images, and what is defective, of the hidden sets of two seeds, and of the public one."""
    sets = {}
    for seed in (0, 1):
        images_check, pixels_check = (
            one.drawn(seed) for one in (detector.detector_images, detector.detector_pixels)
        )
        for case, same in zip(images_check.cases, pixels_check.cases, strict=True):
            sheet = case.inputs["sheet"]
            assert torch.equal(sheet, same.inputs["sheet"])
            image = np.array(Image.open(io.BytesIO(sheet.numpy().tobytes())))
            images = torch.from_numpy(image).view(-1, 192, 192, 3)
            answers = answer_of(images_check, case), answer_of(pixels_check, same)
            sets[seed, case.public] = images, *(answer["scores"].tensor for answer in answers)
    return sets


def test_a_capsule_is_defective_where_it_has_a_defective_place(capsules):
    for images, is_defect, places in capsules.values():
        assert len(images) == len(is_defect) == len(places)
        assert torch.equal(is_defect, places.flatten(1).any(dim=1))
        assert is_defect.float().mean() > 0.5 and places.float().mean() < 0.05


def test_hidden_capsules_are_nobodys(capsules):
    hidden, others, public = capsules[0, False][0], capsules[1, False][0], capsules[0, True][0]
    assert len(hidden) == 65 and len(public) == 14
    whole = {image.numpy().tobytes() for image in hidden}
    assert len(whole) == 65
    assert not whole & {i.numpy().tobytes() for i in (*others, *public)}
    assert torch.equal(public, capsules[1, True][0])
    drawn = detector.parts.draw("capsule", "good", 0, 192, "train")[0].tobytes()
    assert drawn not in whole


def test_order_says_nothing(capsules):
    is_defect = capsules[0, False][1]
    assert 0.3 < roc_auc_score(is_defect, torch.arange(len(is_defect))) < 0.7


def test_comparing_pixels_with_their_mean_is_not_excellent(capsules):
    good = np.stack([detector.parts.draw("capsule", "good", i, 192, "train")[0] for i in range(60)])
    shrink = torch.nn.functional.adaptive_avg_pool2d
    usual = shrink(torch.tensor(good).permute(0, 3, 1, 2).float() / 255, 48)
    images, is_defect, places = capsules[0, False]
    found = shrink(images.permute(0, 3, 1, 2).float() / 255, 48)
    maps = ((found - usual.mean(0)) / usual.std(0)).abs().mean(dim=1)
    assert roc_auc_score(is_defect, maps.flatten(1).amax(dim=1)) < detector.IMAGES[-1]
    assert roc_auc_score(places.flatten(), maps.flatten()) < detector.PIXELS[0]


def test_a_map_that_never_looks_at_its_image_has_no_point(capsules):
    """An ellipse, and where 300 other capsules are defective."""
    kinds = [kind for kind in detector.parts.CATEGORIES["capsule"]["test"] if kind != "good"]
    drawn = [detector.parts.draw("capsule", kinds[i % 5], i, 192, "other")[1] for i in range(300)]
    usual = torch.nn.functional.max_pool2d(torch.tensor(np.stack(drawn)).float(), 4).mean(dim=0)
    y, x = torch.meshgrid(*2 * [torch.linspace(-1, 1, 48)], indexing="ij")
    for images, _, places in (capsules[0, False], capsules[1, False]):
        for constant in (-(x**2 + 4 * y**2), usual):
            maps = constant.expand(len(images), 48, 48)
            assert roc_auc_score(places.flatten(), maps.flatten()) < detector.PIXELS[0] - 0.01


@pytest.fixture
def Autoencoder():
    """The instructor's."""
    cells = {grade_id(c): c.source for c in source_notebook("a5_anomaly_detection").cells}
    found = {"nn": nn, "torch": torch}
    exec(cells["Autoencoder"], found)
    return found["Autoencoder"]


def broken_promises(Autoencoder, decoded, start=lambda model: None):
    """Describe the instructor's autoencoder with another end, and say what is not as promised."""

    class Other(Autoencoder):
        def __init__(self):
            super().__init__()
            start(self)

        def decode(self, code):
            return decoded(self.decoder(code))

    check = reconstruction.promised.drawn()
    case = check.cases[-1]
    found = adapters.autoencoder_structure(Other, *case.inputs.values())
    right = {name: leaf.tensor for name, leaf in answer_of(check, case).items()}
    return {name for name in right if not torch.equal(torch.as_tensor(found[name]), right[name])}


def ends_at_0(model):
    nn.init.zeros_(model.decoder[-1].weight)
    nn.init.zeros_(model.decoder[-1].bias)


def without_norms(model):
    for part in (*model.encoder, *model.decoder):
        if isinstance(part, nn.Sequential):
            part[1], part[2] = nn.Identity(), nn.Sigmoid()


@pytest.mark.parametrize(
    "end", [torch.sigmoid, F.hardsigmoid, lambda z: z.clamp(0, 1), lambda z: z.softmax(dim=1)]
)
@pytest.mark.parametrize("start", [ends_at_0, without_norms, lambda model: None])
def test_right_autoencoders_may_begin_and_end_as_they_like(Autoencoder, start, end):
    assert broken_promises(Autoencoder, end, start) == set()


@pytest.mark.parametrize(
    "end",
    [F.relu, torch.abs, lambda z: z + 0.5, lambda z: z.softmax(dim=1) * 1.5 - 0.2,
     lambda z: (-z).exp() / 2],
)  # fmt: skip
def test_drawings_that_can_leave_the_range_are_seen(Autoencoder, end):
    assert broken_promises(Autoencoder, end) == {"between_0_and_1"}


def test_parameters_times_0_do_not_take_part(Autoencoder):
    def more(model):
        model.extra = nn.Linear(3, 3)
        model.decoder.register_forward_hook(lambda *a: a[2] + 0 * model.extra.weight.sum())

    assert broken_promises(Autoencoder, torch.sigmoid, more) == {"unused_parameters"}
    assert "unused_parameters" in broken_promises(Autoencoder, lambda z: z.detach().sigmoid())
