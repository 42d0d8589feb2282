"""The experiments, in small, from end to end; and killed, and continued."""

import json
import signal
import subprocess
import sys
import time

import pytest
import torch

from bench.figures import __main__ as command
from bench.figures.registry import FIGURES
from bench.figures.screws import on_part
from tests.submissions import ROOT


def started(name, work):
    line = [sys.executable, "-m", "bench.figures", name, "--small", "--work", str(work)]
    work.mkdir(parents=True, exist_ok=True)
    with (work / "log").open("ab") as log:
        return subprocess.Popen(line, cwd=ROOT, stdout=log, stderr=log)


def found(work, name):
    return json.loads((work / f"{name}_small" / f"{name}.json").read_text())


def test_without_a_name_all_figures_are_listed(capsys):
    command.main([])
    listed = capsys.readouterr().out
    assert [line.split()[0] for line in listed.splitlines()] == list(FIGURES)


def test_an_unknown_figure_is_answered_by_those_there_are(capsys):
    with pytest.raises(SystemExit):
        command.main(["nothing"])
    assert f"no figure nothing; there are {', '.join(FIGURES)}" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("name", FIGURES)
def test_an_experiment_runs_in_small_on_data_that_everybody_has(name, tmp_path):
    assert started(name, tmp_path).wait(timeout=600) == 0, (tmp_path / "log").read_text()
    rows = found(tmp_path, name)["rows"]
    assert rows and all(0 <= row["value"] <= 1 for row in rows)


@pytest.mark.slow
def test_a_killed_experiment_continues_and_finds_what_it_would_have_found(tmp_path):
    name = "faces"
    whole = started(name, tmp_path / "whole")
    assert whole.wait(timeout=600) == 0
    process, work = started(name, tmp_path / "killed"), tmp_path / "killed" / f"{name}_small"
    while not list(work.glob("net_1-*.pt")):  # the second network's first epoch is saved
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (work / "net_0.safetensors").exists() and not (work / "net_1.safetensors").exists()
    first = (work / "net_0.safetensors").stat().st_mtime_ns
    assert started(name, tmp_path / "killed").wait(timeout=600) == 0
    assert (work / "net_0.safetensors").stat().st_mtime_ns == first
    same = ("rows", "curves")
    killed, undisturbed = found(tmp_path / "killed", name), found(tmp_path / "whole", name)
    assert {key: killed[key] for key in same} == {key: undisturbed[key] for key in same}


def test_positions_on_a_screw_are_found_and_their_neighbours():
    images = torch.full((2, 3, 64, 64), 200, dtype=torch.uint8)
    images[0, :, 24:40, 24:40] = 90
    images[1, :, 10, 10] = 150  # dust
    images[1, :, 16:24, 16:48] = 220  # a shadow
    found = on_part(images, 8)
    assert found[0].nonzero().tolist() == [[i, j] for i in range(2, 6) for j in range(2, 6)]
    assert not found[1].any()
