"""What a cell shows here is what it shows in a Jupyter kernel.

Every solved notebook, and cells that probe one thing each, run through ipykernel and nbclient and
through `Execute`, and are compared cell by cell. Where the two differ, the difference is written
down here and in docs/architecture.md, with its reason.
"""

import re
from copy import deepcopy

import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from autograder import CHALLENGE_FILE, NOT_GRADED
from autograder.authoring.checks import artifacts
from autograder.authoring.release import KERNEL
from autograder.grading import files
from autograder.grading.execute import Execute
from autograder.notebook import cases
from autograder.sandbox import client
from tests.submissions import ASSIGNMENTS, ROOT, source_notebook

PROBES = {
    "an expression": "1 + 1",
    "nothing": "x = 7",
    "a statement and an expression": "print(x)\nx",
    "a semicolon": "x;",
    "two expressions": "1\n2",
    "printing": "for i in range(3): print(i, end=' ')",
    "a line that is written over": "print('a\\rb')",
    "a float in an f-string": "f'{1/3:.3f}'",
    "a long list": "list(range(200))",
    "a dictionary": "{'b': 1, 'a': [1, 2, {'c': 3}]}",
    "an object of one's own": "class A:\n    def __repr__(self): return 'an A'\nA()",
    "HTML": "class B:\n    def _repr_html_(self): return '<b>B</b>'\nB()",
    "an error": "def f(): return 1 / 0\nf()",
    "an error of one's own": "class Mine(ValueError): pass\nraise Mine('so')",
    "an error while another is handled": "try: 1 / 0\nexcept ZeroDivisionError as e: raise KeyError('k') from e",
    "a syntax error": "def f(:\n    pass",
    "an indentation error": "if True:\nprint(1)",
    "an unknown name": "no_such_name",
    "a failed assertion": "assert x == 8, 'x is not 8'",
    "the program ends": "import sys; sys.exit(3)",
    "a display": "display(1, 'two')",
    "a display that is updated": "h = display('a', display_id=True)\nh.update('b')",
    "a display of an earlier cell": "h.update('c')",
    "forms of one's own": "display({'text/plain': 'p', 'text/html': '<i>p</i>'}, raw=True)",
    "a cleared output": "from IPython.display import clear_output\nprint(1)\nclear_output()\nprint(2)",
    "an output cleared later": "print(1)\nclear_output(wait=True)\nprint(2)",
    "an output cleared at the end": "print(1)\nclear_output(wait=True)",
    "a picture": "from IPython.display import Image\nImage(data=b'\\x89PNG\\r\\n\\x1a\\n123', format='png')",
    "a formula": "from IPython.display import Math\nMath('x^2')",
    "a figure": "import matplotlib.pyplot as plt\nplt.figure(figsize=(1, 1)); plt.plot([1, 2]);",
    "a figure that is shown": "plt.figure(figsize=(1, 1)); plt.plot([1, 2]); plt.show()\nprint('after')",
    "a line magic": "%pwd\n1",
    "a cell magic": "%%capture kept\nprint('kept')\ndisplay(3)",
    "what a cell magic kept": "kept.stdout",
    "a magic that is not there": "%no_such_magic",
    "an environment variable": "%env GRADIENT=1\nimport os\nos.environ['GRADIENT']",
    "a program": "!echo hello; echo error >&2; exit 3",
    "a name in a program": "!echo {x} $x",
    "a program's exit status": "_exit_code",
    "the lines of a program": "lines = !printf 'a\\nb\\n'\nlines",
    "a script": "%%bash\necho hi",
    "a file that is written": "%%writefile some.txt\nhello",
    "a subprocess": "import subprocess, time\nsubprocess.run(['echo', 'sub'])\ntime.sleep(0.5)",
    "a warning": "import warnings\nwarnings.warn('careful')",
    "the log": "import logging\nlogging.warning('careful')",
    "what came before": "6 * 7",
    "the last value": "_ + 1",
    "values by number": "Out[1], In[1]",
    "help": "len?",
    "the source of a function": "import inspect\nprint(inspect.getsource(f))",
    "await": "import asyncio\nasync def three():\n    return await asyncio.sleep(0, 3)\nawait three()",
    "an asynchronous loop": "async def two():\n    yield 1\n    yield 2\n[v async for v in two()]",
    "a question": "input('? ')",
    "a class in main": "A.__module__, __name__",
    "pickling": "import pickle\ntype(pickle.loads(pickle.dumps(A()))) is A",
    "a thread": "from threading import Thread\nt = Thread(target=print, args='t')\nt.start(); t.join()",
    "the type of the shell": "type(get_ipython()).__name__",
    "is this a terminal?": "import sys\nsys.stdout.isatty(), sys.stdout.encoding",
    "a widget": "import ipywidgets\nslider = ipywidgets.IntSlider(3)\nslider.value",
    "rich text": "from rich import print as rprint\nrprint('[b]bold[/b]')",
    "the event loop at rest": "asyncio.get_event_loop().is_running()",
}
# And in notebooks: a progress bar of tqdm.auto is text, not a widget that nobody could see move.
DIFFERENCES = {  # each is in docs/architecture.md, with its reason
    "the program ends": "IPython's advice on how to leave it is left out",
    "a syntax error": "a message names the cell, In[7], and not a file that was never there",
    "an indentation error": "a message names the cell, In[7], and not a file that was never there",
    "a warning": "a message names the cell, In[7], and not a file that was never there",
    "a program": "standard error stays apart; there is no terminal that would mix the two",
    "a question": "the error says that the notebook runs unattended",
    "the event loop at rest": "an event loop runs while a cell awaits, and not in between",
    "help": "a pager is a part of the page in JupyterLab; here help is printed",
}


def through_jupyter(nb, folder, packed):
    """Run a notebook in ipykernel, with nbclient, as JupyterLab would."""
    import io
    import tarfile

    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        tar.extractall(folder, filter="data")
    nb = deepcopy(nb)
    nb.cells = [cell for cell in nb.cells if cell.cell_type == "code"]
    NotebookClient(
        nb, allow_errors=True, timeout=300, kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        extra_arguments=["--InteractiveShell.xmode=Plain", "--InteractiveShell.colors=nocolor"],
    ).execute(env=client.ENVIRONMENT | {"PYTHONPATH": str(ROOT), "HOME": str(folder)})  # fmt: skip
    return nb.cells


def through_ours(nb, packed):
    nb = deepcopy(nb)
    Execute()(nb, {"files": packed})
    return [cell for cell in nb.cells if cell.cell_type == "code"]


def outputs(cell):
    """Return what a cell shows, without what no two runs have in common."""
    streams, shown = {}, []
    for output in cell.outputs:
        if output.output_type == "stream":
            streams[output.name] = streams.get(output.name, "") + output.text
        elif output.output_type == "error":
            shown.append((output.ename, output.evalue))
        else:
            data = {kind: alike(str(value)) for kind, value in output.data.items()}
            if not any("widget" in kind for kind in data):
                shown.append((output.output_type, data, output.get("execution_count")))
    streams = {name: alike(text) for name, text in streams.items()}
    return {name: text for name, text in streams.items() if text.strip()}, shown


def alike(text):
    """Remove addresses, what was written over, and progress bars."""
    lines = [line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")]
    kept = [line for line in lines if not re.search(r"\d%\|", line)]
    return re.sub(r"0x[0-9a-f]+", "N", "\n".join(kept))


@pytest.fixture(scope="module")
def probed(tmp_path_factory):
    nb = new_notebook(
        cells=[new_code_cell(source) for source in PROBES.values()], metadata={"kernelspec": KERNEL}
    )
    packed = files.pack({"a.txt": b"hello"})
    theirs = through_jupyter(nb, tmp_path_factory.mktemp("probes"), packed)
    ours = through_ours(nb, packed)
    return {name: (outputs(a), outputs(b)) for name, a, b in zip(PROBES, theirs, ours, strict=True)}


@pytest.mark.parametrize("probe", PROBES)
def test_a_cell_shows_what_it_shows_in_jupyter(probed, probe):
    theirs, ours = probed[probe]
    assert (theirs == ours) is (probe not in DIFFERENCES), (theirs, ours)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name[:2] in ("a1", "a6") else (pytest.mark.slow,))
        for name in ASSIGNMENTS
    ],
)
def test_a_solved_notebook_shows_what_it_shows_in_jupyter(name, tmp_path):
    nb = source_notebook(name)
    nb.cells = [cell for cell in nb.cells if not cell.source.startswith(NOT_GRADED)]
    folder = ROOT / "source" / name
    challenge = cases.challenge(cases.load_references(folder))
    packed = files.pack({**artifacts(folder), CHALLENGE_FILE: challenge})
    theirs = list(map(outputs, through_jupyter(nb, tmp_path, packed)))
    ours = list(map(outputs, through_ours(nb, packed)))
    assert len(theirs) == len(ours) > 10
    for one, other in zip(theirs, ours, strict=True):
        assert one == other
