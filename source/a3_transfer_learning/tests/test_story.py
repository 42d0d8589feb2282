"""The story of section 7, on the drawn images that every student has."""

import pytest
import torch

from bench.notebooks import Notebook
from data_scripts import cifar10, pretrained

CELLS = (
    "setup", "imagenet_statistics", "preprocess", "Classifier", "make_classifier", "freeze",
    "extract_features", "train_epoch", "race", "parameter_groups", "Monitor", "fit",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_from_scratch_is_worse_than_frozen_and_frozen_than_fine_tuned(seed):
    settings = {"REAL": False, "DEVICE": "cpu", "SIZE": 64, "BACKBONE": "resnet_drawn"}
    names = Notebook("a3_transfer_learning", **settings)
    names.run(*CELLS)
    names.run("load_images", until="def load_images")
    X, y = cifar10.load("train")
    X_test, y_test = cifar10.load("test")
    order = torch.randperm(len(X), generator=torch.Generator().manual_seed(seed)).split(200)
    names["train"], names["val"] = (names["Images"](X[rows], y[rows]) for rows in order[:2])
    names["test"] = names["Images"](X_test[:1000], y_test[:1000])
    names["backbone"] = pretrained.backbone("resnet_drawn")
    names["cached"], names["cached_val"], names["cached_test"] = (
        names["extract_features"](names["backbone"].module, names[part].X, names["at"](64))
        for part in ("train", "val", "test")
    )
    names["plots"] = type("Plots", (), {"__getattr__": lambda *_: lambda *_, **__: None})()
    for name in ("fine_tune", "compare"):
        names.run(name, change={"manual_seed(0)": f"manual_seed({seed})"})
    right = names["right"]
    print(right)
    assert right["from scratch"] + 30 < right["frozen, 64 px"]
    assert right["frozen, 64 px"] + 30 < right["fine-tuned"]
    assert right["frozen, 32 px"] + 30 < right["frozen, 64 px"]
