"""The drawn bottles and capsules teach what the real ones teach."""

import itertools
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.nn import functional

from data_scripts.synthetic import parts
from data_scripts.synthetic.resnet import ResNetDrawn, load_resnet_drawn

SIZE = 128
MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
EACH_DEFECT = [(c, d) for c, counts in parts.CATEGORIES.items() for d in counts["test"]]


@cache
def samples(category: str, part: str) -> tuple[torch.Tensor, np.ndarray, np.ndarray]:
    """Return images (N, 3, SIZE, SIZE) in 0..1, masks (N, SIZE, SIZE) and defect names (N,)."""
    counts = parts.CATEGORIES[category][part].items()
    names = [name for name, count in counts for _ in range(count)]
    pairs = [
        parts.draw(category, name, i, SIZE, part) for name, count in counts for i in range(count)
    ]
    images = torch.from_numpy(np.stack([image for image, _ in pairs])).permute(0, 3, 1, 2) / 255
    return images, np.stack([mask for _, mask in pairs]), np.array(names)


@torch.no_grad()
def stage_features(model: ResNetDrawn, images: torch.Tensor) -> torch.Tensor:
    """Return the maps of the three stages side by side, (N, 224, SIZE/4, SIZE/4)."""
    maps = []
    for x in ((images - MEAN) / STD).split(32):
        one = model.layer1(model.stem(x))
        two = model.layer2(one)
        three = model.layer3(two)
        larger = [functional.interpolate(m, one.shape[2:], mode="bilinear") for m in (two, three)]
        maps.append(torch.cat([one, *larger], dim=1))
    return torch.cat(maps)


def padim(model: ResNetDrawn, good: torch.Tensor, test: torch.Tensor) -> np.ndarray:
    """Return maps of Mahalanobis distances (N, SIZE, SIZE) (Defard et al. 2021)."""
    places = stage_features(model, good).flatten(2).permute(2, 0, 1)  # (HW, N, D)
    mean = places.mean(dim=1, keepdim=True)
    centred = places - mean
    covariance = centred.mT @ centred / (len(good) - 1)
    variance = covariance.diagonal(dim1=1, dim2=2).mean(dim=1).view(-1, 1, 1)
    covariance += 0.05 * variance * torch.eye(covariance.shape[1])
    away = stage_features(model, test).flatten(2).permute(2, 0, 1) - mean
    solved = torch.linalg.solve(covariance, away.mT).mT
    side = SIZE // 4
    maps = (away * solved).sum(dim=2).clamp(min=0).sqrt().T.reshape(-1, 1, side, side)
    maps = functional.interpolate(maps, (SIZE, SIZE), mode="bilinear")[:, 0].numpy()
    return gaussian_filter(maps, sigma=(0, 3, 3))


def autoencoder() -> nn.Sequential:
    """Return a convolutional autoencoder with a code of 64 × SIZE/16 × SIZE/16."""
    widths = (3, 16, 32, 64, 64)
    down, up = [], []
    for C, D in itertools.pairwise(widths):
        down += [nn.Conv2d(C, D, 4, 2, 1), nn.BatchNorm2d(D), nn.ReLU()]
        up = [nn.ConvTranspose2d(D, C, 4, 2, 1), nn.BatchNorm2d(C), nn.ReLU(), *up]
    return nn.Sequential(*down, *up[:-2])


def reconstruction_errors(good: torch.Tensor, test: torch.Tensor, epochs: int = 40) -> np.ndarray:
    """Return maps (N, SIZE, SIZE) of squared errors after training on the good samples."""
    torch.manual_seed(0)
    model = autoencoder().to(memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(epochs):
        for x in good[torch.randperm(len(good))].split(16):
            optimiser.zero_grad()
            functional.mse_loss(model(x), x).backward()
            optimiser.step()
    model.eval()
    with torch.no_grad():
        return ((model(test) - test) ** 2).mean(dim=1).numpy()


@cache
def padim_aurocs(category: str, trained: bool = True) -> tuple[float, float]:
    """Return the AUROC of images (by the largest distance) and of pixels."""
    torch.manual_seed(0)
    model = load_resnet_drawn() if trained else ResNetDrawn().eval()
    test, masks, names = samples(category, "test")
    maps = padim(model, samples(category, "train")[0], test)
    image = roc_auc_score(names != "good", maps.max(axis=(1, 2)))
    return image, roc_auc_score(masks.ravel(), maps.ravel())


def autoencoder_auroc(category: str) -> float:
    """Return the better image AUROC of the largest and the mean error."""
    test, _, names = samples(category, "test")
    errors = reconstruction_errors(samples(category, "train")[0], test)
    smooth = gaussian_filter(errors, sigma=(0, 2, 2))
    scores = [errors.mean(axis=(1, 2)), errors.max(axis=(1, 2)), smooth.max(axis=(1, 2))]
    return max(roc_auc_score(names != "good", score) for score in scores)


def probe_accuracy(features: np.ndarray, labels: np.ndarray) -> float:
    """Return the accuracy of a linear classifier in five-fold cross-validation."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
    return cross_val_score(model, features, labels, cv=5).mean()


@pytest.mark.parametrize(("category", "defect"), EACH_DEFECT)
def test_an_image_is_a_function_of_its_name(category, defect):
    once, again = (parts.draw(category, defect, 3, SIZE) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(once, again, strict=True))
    other, _ = parts.draw(category, defect, 4, SIZE)
    assert not np.array_equal(once[0], other)


def test_train_and_test_hold_different_images():
    for category in parts.CATEGORIES:
        train, test = (parts.draw(category, "good", 0, 64, part)[0] for part in ("train", "test"))
        assert not np.array_equal(train, test)


@pytest.mark.parametrize(("category", "defect"), EACH_DEFECT)
@pytest.mark.parametrize("size", [64, 900])
def test_an_image_looks_the_same_at_every_size(category, defect, size):
    images, masks = zip(*(parts.draw(category, defect, 1, s) for s in (256, size)), strict=True)
    assert images[1].shape == (size, size, 3)
    small = [functional.adaptive_avg_pool2d(torch.tensor(i).permute(2, 0, 1) / 255, 32)
             for i in images]  # fmt: skip
    assert (small[0] - small[1]).abs().mean() < 0.01
    assert abs(masks[0].mean() - masks[1].mean()) <= 0.005 + 0.3 * masks[0].mean()


@pytest.mark.parametrize("category", parts.CATEGORIES)
def test_every_defect_is_in_its_mask_and_no_good_part_has_one(category):
    _, masks, names = samples(category, "test")
    areas = masks.mean(axis=(1, 2))
    assert (areas[names == "good"] == 0).all()
    assert (areas[names != "good"] > 0.0004).all()
    assert areas.max() < 0.25
    around = np.hypot(*np.meshgrid(*[np.arange(SIZE) / SIZE - 0.5] * 2)) > 0.47
    assert not masks[:, around].any()


@pytest.mark.parametrize(("category", "defect"), EACH_DEFECT)
def test_a_mask_is_what_the_defect_changed(category, defect):
    random = parts.random_of(category, defect, 5, "test")
    clean, changed = parts.PAINT[category](random, defect, SIZE)
    difference = abs(changed - clean).max(axis=0)
    _, mask = parts.draw(category, defect, 5, SIZE)
    assert mask[difference > 0.02].all()
    assert not mask[difference < 0.01].any()


@pytest.mark.parametrize(("category", "defect"), EACH_DEFECT)
def test_without_its_defect_a_part_is_good(category, defect):
    paint = parts.PAINT[category]
    clean, _ = paint(np.random.RandomState(5), defect, SIZE)
    good, same = paint(np.random.RandomState(5), "good", SIZE)
    assert np.array_equal(clean, good)
    assert np.array_equal(good, same)


def test_the_folders_are_the_official_ones(tmp_path: Path):
    parts.draw_all("bottle", tmp_path, 64)
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.png")}
    assert {"train/good/208.png", "test/broken_large/019.png"} <= files
    assert "ground_truth/contamination/020_mask.png" in files
    assert len(files) == 209 + 83 + 63
    image, mask = parts.draw("bottle", "broken_small", 7, 64)
    assert np.array_equal(Image.open(tmp_path / "test/broken_small/007.png"), image)
    stored = np.asarray(Image.open(tmp_path / "ground_truth/broken_small/007_mask.png"))
    assert np.array_equal(stored, np.where(mask, 255, 0))


@pytest.mark.parametrize("category", parts.CATEGORIES)
def test_pretrained_features_find_the_defects(category):
    image, pixel = padim_aurocs(category)
    assert image >= 0.95
    assert pixel >= 0.95


@pytest.mark.parametrize("category", parts.CATEGORIES)
def test_the_kind_of_defect_shows_in_how_features_deviate_from_good_ones(category):
    model = load_resnet_drawn()
    good = stage_features(model, samples(category, "train")[0])
    images, _, names = samples(category, "test")
    away = (stage_features(model, images) - good.mean(0)) / (good.std(0) + 0.05 * good.std())
    extremes = torch.cat([away.amax((2, 3)), away.amin((2, 3))], dim=1).numpy()
    most_frequent = max(np.mean(names == name) for name in names)
    assert probe_accuracy(extremes, names) > 2 * most_frequent


@pytest.mark.slow
@pytest.mark.parametrize("category", parts.CATEGORIES)
def test_an_autoencoder_stays_clearly_below(category):
    assert autoencoder_auroc(category) < padim_aurocs(category)[0] - 0.1
