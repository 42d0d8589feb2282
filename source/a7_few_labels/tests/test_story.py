"""The story of section 2, on the drawn capsules that every student has."""

import pytest

from bench.notebooks import Notebook
from data_scripts import mvtec_ad, pretrained

CELLS = (
    "setup", "load_parts", "ResidualBlock", "SmallResNet", "prepare_images", "train_resnet",
    "describe_images",
)  # fmt: skip
CHANCE = 11  # of 66


@pytest.fixture(scope="module")
def names():
    """What the notebook defines, with the capsules loaded and described by a pretrained network."""
    found = Notebook("a7_few_labels", REAL=False, CATEGORY="capsule", SIZE=192, DEVICE="cpu")
    found.run(*CELLS)
    found.run("fine_tune", until="\n\nruns[")
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
    names["learn"], names["held_out"] = mvtec_ad.halves(names["test"].y, seed)
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
