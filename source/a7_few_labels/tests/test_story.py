"""The story of section 2, on the drawn capsules that every student has."""

import pytest
import torch
from IPython.core.inputtransformer2 import TransformerManager
from sklearn.model_selection import train_test_split

from autograder.grading.notebooks import grade_id
from data_scripts import pretrained
from tests.submissions import source_notebook

CELLS = (
    "setup", "load_parts", "ResidualBlock", "SmallResNet", "prepare_images", "train_resnet",
    "describe_images",
)  # fmt: skip
CHANCE = 11  # of 66


@pytest.fixture(scope="module")
def names():
    """What the notebook defines, with the capsules loaded and described by a pretrained network."""
    cells = {grade_id(c): c.source for c in source_notebook("a7_few_labels").cells}
    found = {"REAL": False, "CATEGORY": "capsule", "SIZE": 192, "DEVICE": "cpu"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBGRADER_EXECUTION", "autograde")  # no pictures
        for name in CELLS:
            exec(TransformerManager().transform_cell(cells[name]), found)
    exec(cells["fine_tune"].split("\n\nruns[")[0], found)
    found["described"] = {}
    for name in ("resnet_drawn", "vit_drawn"):
        network = pretrained.backbone(name)
        both = (found["test"].X, found["train"].X[:100])
        maps, good = (found["maps_of"](network, x) for x in both)
        found["described"][name] = found["distances_from_good"](maps, good)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_the_own_network_is_better_than_chance_and_worse_than_pretrained_ones(seed, names):
    y = names["test"].y
    split = {"test_size": 0.5, "stratify": y, "random_state": seed}
    halves = train_test_split(range(len(y)), **split)
    names["learn"], names["held_out"] = (torch.tensor(sorted(half)) for half in halves)
    runs = {
        "own": names["train_resnet"](seed),
        "frozen": names["linear_probe"](names["described"]["resnet_drawn"]),
        "frozen ViT": names["linear_probe"](names["described"]["vit_drawn"]),
        "fine-tuned": names["fine_tuned"](seed),
    }
    right = {name: int(run.right.sum()) for name, run in runs.items()}
    print(right)
    assert right["own"] >= CHANCE + 5
    assert right["own"] + 5 <= right["frozen"]
    assert right["own"] + 5 <= right["frozen ViT"]
    assert right["own"] + 5 <= right["fine-tuned"]
