"""How the drawn backbones are trained: what it sees, and that a step makes it better."""

from dataclasses import replace

import pytest
import safetensors.torch
import torch

from data_scripts import train_backbone
from data_scripts.synthetic import textures
from data_scripts.train_backbone import (
    BATCH,
    HEADS,
    RECIPES,
    Classifier,
    accuracy,
    augment,
    losses,
    train,
)


@pytest.fixture(scope="module")
def first():
    return train_backbone.batch(0)


def test_a_batch_is_a_function_of_the_number_of_its_first_image(first):
    images, labels = first
    again, same = train_backbone.batch(0)
    assert torch.equal(images, again) and torch.equal(labels, same)
    assert images.shape == (BATCH, 3, textures.SIZE, textures.SIZE) and labels.shape == (BATCH, 3)
    assert images.min() >= 0 and images.max() <= 1
    assert (labels.max(dim=0).values < torch.tensor(HEADS)).all()


def test_the_next_batch_begins_where_this_one_ends(first):
    image, labels = textures.draw(BATCH - 1)
    assert torch.equal(first[0][-1], torch.from_numpy(image).permute(2, 0, 1))
    assert first[1][-1].tolist() == labels.tolist()


def test_augmented_images_are_others_and_drawn_from_the_generator(first):
    images = first[0]
    one, again, other = (augment(images, torch.Generator().manual_seed(s)) for s in (0, 0, 1))
    assert torch.equal(one, again) and not torch.equal(one, other)
    assert one.shape == images.shape
    assert ((one - images).abs().mean(dim=(1, 2, 3)) > 0.01).all()


@pytest.mark.parametrize("name", RECIPES)
def test_the_three_losses_are_those_of_the_three_heads(name):
    torch.manual_seed(0)
    logits = Classifier(RECIPES[name].build()).eval()(torch.zeros(4, 3, 64, 64))
    assert [z.shape for z in logits] == [(4, n) for n in HEADS]
    labels = torch.zeros(4, 3, dtype=torch.int64)
    expected = [-(z.softmax(1)[:, 0].log().mean()) for z in logits]
    assert torch.allclose(losses(logits, labels), torch.stack(expected))


def test_accuracy_is_the_share_of_right_labels_of_unseen_images(first, monkeypatch):
    truth, asked = first[1], []
    monkeypatch.setattr(train_backbone, "batch", lambda n: asked.append(n) or first)
    said = truth.clone()
    said[: BATCH // 2, 0] = (said[: BATCH // 2, 0] + 1) % HEADS[0]

    def model(x):
        return [torch.nn.functional.one_hot(y, n) for y, n in zip(said.T, HEADS, strict=True)]

    assert accuracy(model, batches=2) == [0.5, 1, 1]
    assert len(asked) == 2 and min(asked) > BATCH * max(recipe.steps for recipe in RECIPES.values())


@pytest.mark.parametrize("name", RECIPES)
def test_two_steps_of_training_are_the_same_every_time(name, monkeypatch, capsys):
    """With sixteen images a step instead of 64."""
    monkeypatch.setattr(train_backbone, "BATCH", 16)
    recipe = replace(RECIPES[name], steps=2)
    one, again = (train(recipe).state_dict() for _ in range(2))
    assert all(torch.allclose(one[name], again[name]) for name in one)
    assert "0/2: " in capsys.readouterr().out
    torch.manual_seed(0)
    fresh = Classifier(recipe.build()).state_dict()
    assert not torch.equal(fresh["head.weight"], one["head.weight"])


def test_the_command_writes_what_is_loaded_again(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(train_backbone, "BATCH", 16)
    recipe = replace(RECIPES["resnet_drawn"], steps=2, weights=tmp_path / "new" / "weights")
    monkeypatch.setitem(RECIPES, "resnet_drawn", recipe)
    train_backbone.main(["resnet_drawn"])
    recipe.build().load_state_dict(safetensors.torch.load_file(recipe.weights))
    assert "accuracy of shape, texture, colour: [0." in capsys.readouterr().out
