"""Does the drawn CIFAR-10 teach what the real one does?

The figures in the docstrings are the test accuracies measured when version 1 was drawn.
"""

from typing import NamedTuple

import pytest
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.svm import LinearSVC
from torch import nn
from torch.nn.functional import cross_entropy

from data_scripts.synthetic import objects


class Split(NamedTuple):
    X: torch.Tensor  # (N, 3, 32, 32), 0..1 less the training part's mean image
    y: torch.Tensor  # (N,), int64


@pytest.fixture(scope="module")
def sample():
    """Return a fifth of the set."""
    return objects.draw(2_000, 400)


@pytest.fixture(scope="module")
def splits():
    """Return 9,000 images to train on, 1,000 to validate on, 2,000 to test on."""
    drawn = objects.draw()
    mean = (drawn["train"][0] / 255).mean(dim=0)
    (X, y), (X_test, y_test) = [(X / 255 - mean, y.long()) for X, y in drawn.values()]
    return {
        "train": Split(X[:-1000], y[:-1000]),
        "validation": Split(X[-1000:], y[-1000:]),
        "test": Split(X_test, y_test),
    }


@pytest.fixture(scope="module")
def linear_accuracy(splits):
    """Return the test accuracy of a linear SVM; C is the best in validation of 1e-4 … 1e-2."""
    train, test = splits["train"], splits["test"]
    svm = LinearSVC(C=3e-3, tol=1e-2, random_state=0)
    svm.fit(train.X.flatten(1).numpy(), train.y.numpy())
    return svm.score(test.X.flatten(1).numpy(), test.y.numpy())


@pytest.fixture(scope="module")
def tuned_net(splits):
    """Return the accuracies of a two-layer net with good hyper-parameters."""
    return two_layer_net(splits, 256, iterations=2500, batch=200, lr=0.5, decay=0.98, reg=1e-5)


def two_layer_net(splits, hidden, iterations, batch, lr, decay, reg):
    """Train FC, ReLU, FC by minibatch SGD from tiny weights. Returns accuracy by split."""
    generator = torch.Generator().manual_seed(0)
    X, y = splits["train"].X.flatten(1), splits["train"].y
    W1 = (1e-4 * torch.randn(X.shape[1], hidden, generator=generator)).requires_grad_()
    W2 = (1e-4 * torch.randn(hidden, 10, generator=generator)).requires_grad_()
    b1, b2 = torch.zeros(hidden, requires_grad=True), torch.zeros(10, requires_grad=True)
    sgd = torch.optim.SGD([W1, b1, W2, b2], lr=lr)
    schedule = torch.optim.lr_scheduler.StepLR(sgd, max(len(X) // batch, 1), decay)
    for _ in range(iterations):
        rows = torch.randint(len(X), (batch,), generator=generator)
        scores = (X[rows] @ W1 + b1).clamp(min=0) @ W2 + b2
        loss = cross_entropy(scores, y[rows]) + reg * (W1.square().sum() + W2.square().sum())
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        schedule.step()
    with torch.no_grad():
        return {
            name: accuracy((part.X.flatten(1) @ W1 + b1).clamp(min=0) @ W2 + b2, part.y)
            for name, part in splits.items()
        }


def small_cnn(splits, epochs):
    """Train three blocks of convolution and a linear layer by Adam. Returns test accuracy."""
    torch.manual_seed(0)
    blocks = []
    for channels, width in ((3, 16), (16, 32), (32, 64)):
        convolution = nn.Conv2d(channels, width, 3, padding=1)
        blocks += [convolution, nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)]
    net = nn.Sequential(*blocks, nn.Flatten(), nn.Linear(1024, 10))
    adam = torch.optim.Adam(net.parameters(), lr=1e-3)
    for _ in range(epochs):
        for rows in torch.randperm(len(splits["train"].X)).split(64):
            loss = cross_entropy(net(splits["train"].X[rows]), splits["train"].y[rows])
            adam.zero_grad()
            loss.backward()
            adam.step()
    net.eval()
    with torch.no_grad():
        return accuracy(net(splits["test"].X), splits["test"].y)


def accuracy(scores, y):
    return (scores.argmax(dim=1) == y).double().mean().item()


def test_shapes_and_types_are_those_of_cifar10(sample):
    for part, count in (("train", 2_000), ("test", 400)):
        images, labels = sample[part]
        assert (images.shape, images.dtype) == ((count, 3, 32, 32), torch.uint8)
        assert (labels.shape, labels.dtype) == ((count,), torch.uint8)


def test_classes_are_balanced_and_shuffled(sample):
    for images, labels in sample.values():
        assert torch.bincount(labels).tolist() == [len(images) // 10] * 10
        assert (torch.bincount(labels[: len(labels) // 2]) != len(labels) // 20).any()


def test_a_seed_gives_the_same_bytes_and_another_seed_gives_others():
    first, again, other = objects.draw(60, 20), objects.draw(60, 20), objects.draw(60, 20, seed=1)
    for part in ("train", "test"):
        assert torch.equal(first[part][0], again[part][0])
        assert torch.equal(first[part][1], again[part][1])
        assert not torch.equal(first[part][0], other[part][0])


def test_no_image_is_drawn_twice(sample):
    images = torch.cat([X for X, _ in sample.values()])
    assert len({image.numpy().tobytes() for image in images}) == len(images)


def test_images_use_the_range_without_being_burnt_out(sample):
    images = sample["train"][0]
    assert 90 < images.float().mean() < 150 and images.float().std() > 40
    assert (images == 0).float().mean() < 0.05 and (images == 255).float().mean() < 0.05


def test_the_background_hints_at_the_class_but_does_not_tell_it(sample):
    """A forest that sees the mean colour of each edge: 20 %, with 2,000 images."""

    def edges(images):
        strips = (images[:, :, :3], images[:, :, -3:], images[..., :3], images[..., -3:])
        return torch.cat([strip.float().mean(dim=(2, 3)) for strip in strips], dim=1).numpy()

    (images, labels), (test_images, test_labels) = sample.values()
    forest = RandomForestClassifier(100, min_samples_leaf=5, random_state=0)
    forest.fit(edges(images), labels.numpy())
    assert 0.13 < forest.score(edges(test_images), test_labels.numpy()) < 0.30


@pytest.mark.slow
def test_bad_hyper_parameters_stay_at_chance(splits):
    """10.0 %: it says one class to every image."""
    reached = two_layer_net(splits, 36, iterations=500, batch=1000, lr=1e-2, decay=0.95, reg=0.25)
    assert all(abs(value - 0.1) < 0.03 for value in reached.values())


@pytest.mark.slow
def test_a_linear_classifier_is_poor(linear_accuracy):
    """43.6 %, with 55.2 % in training and 43.6 % in validation."""
    assert 0.30 < linear_accuracy < 0.50


@pytest.mark.slow
def test_two_layers_beat_a_linear_classifier_and_overfit(linear_accuracy, tuned_net):
    """61.3 %, with 96.7 % in training and 62.9 % in validation."""
    assert tuned_net["test"] > linear_accuracy + 0.08
    assert tuned_net["train"] > tuned_net["validation"] + 0.15


@pytest.mark.slow
def test_convolutions_beat_two_layers_and_are_not_perfect(splits, tuned_net):
    """77.0 % after five epochs."""
    assert tuned_net["test"] + 0.05 < small_cnn(splits, epochs=5) < 0.97
