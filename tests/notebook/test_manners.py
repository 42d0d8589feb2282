"""How a notebook behaves: no tracebacks of what is not written, no red boxes, short loops."""

import subprocess
import sys

import pytest
import tqdm
import tqdm.auto
from IPython.core.interactiveshell import InteractiveShell

from autograder.notebook import manners


@pytest.fixture
def shell(capsys):
    shell = InteractiveShell()
    manners.mind(shell)
    yield shell
    InteractiveShell.clear_instance()


def said(shell, capsys, source) -> str:
    capsys.readouterr()
    assert shell.run_cell(source).error_in_exec is not None  # *Run All* stops here
    return capsys.readouterr().out


def test_what_is_not_written_yet_ends_with_a_line(shell, capsys):
    shell.run_cell("def loss(x):\n    raise NotImplementedError")
    assert said(shell, capsys, "loss(1)") == (
        "loss is not written yet. Write it, run its cell and then this one again.\n"
    )


def test_a_method_has_the_name_of_its_class(shell, capsys):
    shell.run_cell("class Net:\n    def forward(self):\n        raise NotImplementedError")
    assert said(shell, capsys, "Net().forward()").startswith("Net.forward is not written yet.")


@pytest.mark.parametrize("source", [
    "raise NotImplementedError", 'def f():\n    raise NotImplementedError("no CUDA here")\nf()',
    "import numbers\nnumbers.Number.__hash__\nfrom io import IOBase\nNotImplementedError()\n1 / 0",
])  # fmt: skip
def test_every_other_error_keeps_its_traceback(shell, capsys, source):
    assert "Traceback" in said(shell, capsys, source)


def test_an_error_of_a_library_keeps_its_traceback(shell, capsys):
    source = "from torch import nn\nnn.Module()(1)"
    assert "Traceback" in said(shell, capsys, source)


@pytest.mark.parametrize("widgets", [True, False])
def test_progress_bars_are_on_standard_output_where_there_are_no_widgets(widgets):
    code = (
        "import sys, autograder.notebook.manners as manners\n"
        f"manners.find_spec = lambda name: {widgets}  or None\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "manners.mind(InteractiveShell())\n"
        "from tqdm import tqdm\nlist(tqdm(range(3)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ("3/3" in done.stderr, "3/3" in done.stdout) == (widgets, not widgets)


@pytest.mark.parametrize(("loop", "steps"), [
    ("tqdm(range(95))", 10), ("tqdm(range(3), 'few')", 1), ("tqdm(range(5, 25))", 2),
    ("tqdm(range(30), disable=True)", 30), ("tqdm([0] * 30)", 30), ("trange(30)", 3),
    ("tqdm(iterable=range(30), desc='steps')", 3),
    ("range(tqdm(total=95, unit='epoch').total)", 10),
    ("range(tqdm(total=95, unit='B').total)", 95),
])  # fmt: skip
@pytest.mark.parametrize("module", ["tqdm", "tqdm.auto"])
def test_loops_with_a_progress_bar_are_shorter_on_request(loop, steps, module, monkeypatch):
    names = {}
    exec(f"from {module} import tqdm, trange", names)
    monkeypatch.setattr(tqdm.tqdm, "__init__", tqdm.tqdm.__init__)
    monkeypatch.setenv(manners.SHORT, "10")
    monkeypatch.setattr(manners, "find_spec", lambda name: True)
    manners.mind(InteractiveShell())
    InteractiveShell.clear_instance()
    assert len(list(eval(loop, names))) == steps


@pytest.mark.parametrize("value", ["", "0", "-1", "much"])
def test_a_wish_that_makes_no_sense_changes_nothing(value, monkeypatch):
    monkeypatch.setattr(tqdm.tqdm, "__init__", tqdm.tqdm.__init__)
    monkeypatch.setenv(manners.SHORT, value)
    monkeypatch.setattr(manners, "find_spec", lambda name: True)
    manners.mind(InteractiveShell())
    InteractiveShell.clear_instance()
    assert len(list(tqdm.tqdm(range(30)))) == 30
