"""Experiments step by step, stopped and continued."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

from bench.figures.work import Work


def never():
    raise AssertionError("done before")


def test_a_step_is_done_once(tmp_path):
    assert Work(tmp_path).numbers("sum", lambda: [1 + 1, 0.5]) == [2, 0.5]
    assert Work(tmp_path).numbers("sum", never) == [2, 0.5]
    kept = Work(tmp_path).tensors("weights", lambda: {"w": torch.arange(6).reshape(2, 3).T})
    again = Work(tmp_path).tensors("weights", never)
    assert torch.equal(kept["w"], again["w"]) and again["w"].shape == (3, 2)


def test_a_step_that_was_stopped_is_done_again(tmp_path):
    def stopped():
        raise KeyboardInterrupt

    work = Work(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        work.numbers("sum", stopped)
    (tmp_path / "sum.json.part").write_text("[1, ")  # what a killed process leaves
    assert work.numbers("sum", lambda: 3) == 3


def test_seconds_are_those_of_all_processes_up_to_what_was_saved(tmp_path, monkeypatch):
    clock = iter([0, 10, 100, 130, 135])
    monkeypatch.setattr("bench.figures.work.time.monotonic", lambda: next(clock))

    def killed(work):
        work.tick()  # an epoch was saved after 10 s
        raise KeyboardInterrupt

    work = Work(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        work.numbers("train", lambda: killed(work))
    assert work.seconds() == 10
    again = Work(tmp_path)
    again.numbers("train", again.tick)
    assert again.seconds() == again.seconds("train") == 10 + 30 + 5


def test_a_step_inside_a_step_is_refused(tmp_path):
    work = Work(tmp_path)
    with pytest.raises(RuntimeError, match=r"inner\.json is asked for inside the step outer"):
        work.numbers("outer", lambda: work.numbers("inner", lambda: 1))


def test_of_two_that_need_a_step_one_does_it_and_the_other_waits(tmp_path):
    done = []

    def slow():
        done.append(True)
        time.sleep(0.2)
        return 7

    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda _: Work(tmp_path).numbers("sum", slow), range(2))
        assert list(found) == [7, 7] and len(done) == 1


def test_training_that_was_stopped_ends_as_if_it_had_not_been(tmp_path):
    def train(folder, stop=-1):
        torch.manual_seed(0)
        net = nn.Linear(3, 1)
        sgd = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9)

        def one(epoch):
            if epoch == stop:
                raise KeyboardInterrupt
            loss = (net(torch.randn(8, 3)) - 1).square().mean()
            sgd.zero_grad()
            loss.backward()
            sgd.step()
            return loss.item()

        return Work(folder).trained("net", net, {"sgd": sgd}, 4, one), net.weight

    history, weight = train(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "stopped", stop=2)
    again, same = train(tmp_path / "stopped")
    read, kept = train(tmp_path / "stopped", stop=0)  # nothing is trained any more
    assert history == again == read
    assert torch.equal(weight, same) and torch.equal(weight, kept)
    assert not list(tmp_path.glob("*/*.unfinished"))
