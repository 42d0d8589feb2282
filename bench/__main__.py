"""Grade the same class in every way there is, and print what it took as Markdown.

`make bench` runs it all, on an otherwise idle machine: processor time is read for the
whole machine, so that no process is forgotten.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from itertools import pairwise
from os import cpu_count, environ, pathsep, sysconf
from pathlib import Path
from platform import machine, python_version
from statistics import mean

import nbformat
import psutil
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from rich.console import Console
from rich.progress import track

from autograder import CHALLENGE_FILE
from autograder.authoring.release import release
from autograder.grading.course import open_course
from autograder.grading.execute import run_all
from autograder.grading.notebooks import runs_when_graded
from autograder.grading.prepare import load_assignment, prepare
from autograder.notebook import cases
from tests.fixtures import A1, scores
from tests.submissions import ASSIGNMENTS, Student, folder, lay_out, sample_class, submit

# They compute for seconds on end, in any grader: measured apart, with the whole sample class.
SLOW = {"style_loops", "noisy", "lab_mathematician"}
LOOK = 5  # seconds between two looks at the memory: a look a second made runs 20 % slower
STOCK = 'c = get_config()\nc.CourseDirectory.course_id = "stock"\n'
BIN = Path(sys.executable).parent
ENVIRONMENT = {**environ, "PATH": f"{BIN}{pathsep}{environ['PATH']}"}  # nbgrader starts alembic


@dataclass
class Measured:
    """What a command took."""

    name: str
    submissions: int
    seconds: float
    processor: float  # seconds, of all processors
    memory: int  # bytes, of all processes at the worst moment, shared pages counted once
    scores: dict = field(repr=False, default_factory=dict)

    @property
    def each(self) -> float:
        """Seconds a submission."""
        return self.seconds / self.submissions


def measure(
    name: str, count: int, command: Sequence[str | Path], course: Path, allow: int = 0
) -> Measured:
    """Run a command in a course folder. Raises CalledProcessError for a status above `allow`."""
    before, start, peak = busy(), time.monotonic(), [0]
    process = subprocess.Popen(
        [str(part) for part in command], cwd=course, env=ENVIRONMENT,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    threading.Thread(target=partial(watch, process.pid, peak), daemon=True).start()
    if process.wait() not in (0, allow):
        raise subprocess.CalledProcessError(process.returncode, command)
    return Measured(name, count, time.monotonic() - start, busy() - before, peak[0])


def busy() -> float:
    """Return the seconds that all processors have worked since the machine started."""
    user, nice, system = map(int, Path("/proc/stat").read_text().split()[1:4])
    return (user + nice + system) / sysconf("SC_CLK_TCK")


def watch(process: int, peak: list[int]) -> None:
    """Keep the largest sum of the memory of a process and all its descendants."""
    while psutil.pid_exists(process):
        total = 0
        try:
            top = psutil.Process(process)
            for one in [top, *top.children(recursive=True)]:
                total += one.memory_full_info().pss
        except psutil.Error:
            pass
        peak[0] = max(peak[0], total)
        time.sleep(LOOK)


def class_of(count: int, assignment: str = A1) -> list[Student]:
    """Return the sample class of an assignment, repeated until it has `count` students."""
    known = [one for one in sample_class(assignment) if one.name not in SLOW]
    return [Student(f"{i:04}_{one.name}", one.notebook, one.artifacts)
            for i in range(count) for one in [known[i % len(known)]]]  # fmt: skip


def course_with(
    students: Sequence[Student], root: Path, stock: bool = False, assignment: str = A1
) -> Path:
    """Lay out a course with a class in it, under our configuration or under none.

    Stock nbgrader is given less to do: a notebook without the cells that we do not run.
    """
    lay_out(root)
    shutil.rmtree(root / "submitted")
    folders = open_course(root).assignment(assignment)
    if stock:
        (root / "nbgrader_config.py").write_text(STOCK)
        notebook = root / "source" / assignment / f"{assignment}.ipynb"
        source = nbformat.read(notebook, 4)
        shutil.rmtree(root / "source")  # stock would release and copy all that is there
        notebook.parent.mkdir(parents=True)
        nbformat.write(as_run(source), notebook)
        command = [BIN / "nbgrader", "generate_assignment", assignment]
        subprocess.run(command, cwd=root, env=ENVIRONMENT, check=True, capture_output=True)
    else:
        release(folders)
    for student in students:
        handed_in = as_run(student.notebook) if stock else student.notebook
        submit(root, assignment, student.name, handed_in, student.artifacts)
    return root


def as_run(notebook: NotebookNode) -> NotebookNode:
    """Return a notebook whose cells that are not run when graded are empty."""
    notebook = deepcopy(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code" and not runs_when_graded(cell):
            cell.source = ""
    return notebook


def compare(count: int, scratch: Path) -> list[Measured]:
    """Grade one class of a1 in four ways."""
    students, found = class_of(count), []
    ways = {
        "stock `nbgrader autograde`": (True, [BIN / "nbgrader", "autograde", A1]),
        "our `nbgrader autograde`": (False, [BIN / "nbgrader", "autograde", A1]),
        "`autograder grade --workers 1`": (False, [BIN / "autograder", "grade", A1, "--workers=1"]),
        "`autograder grade --workers 2`": (False, [BIN / "autograder", "grade", A1, "--workers=2"]),
    }
    for number, (name, (stock, command)) in enumerate(ways.items()):
        course = course_with(students, scratch / f"{number}", stock)
        found.append(measure(name, count, command, course))
        if not stock:
            found[-1].scores = scores(open_course(course))
    assert all(one.scores == found[-1].scores for one in found[1:]), "scores differ"
    return found


def classes(count: int, scratch: Path) -> str:
    """Grade the sample class of every assignment, stock and ours. Returns a Markdown table.

    Stock is given the challenge, too, so that its hidden tests compute what ours do; they
    give no points there. Ours grades the class repeated to `count` students, too: what each
    further submission takes.
    """
    lines = ["| | submissions | stock, s each | ours, s each | times stock | "
             "ours, each further one | times stock |",
             "|---|---:|---:|---:|---:|---:|---:|"]  # fmt: skip
    for name in ASSIGNMENTS:
        students = [one for one in sample_class(name) if one.name not in SLOW]
        course = course_with(students, scratch / f"{name}_stock", True, name)
        challenge = cases.challenge(cases.load_references(folder(name)))
        for submitted in course.glob(f"submitted/*/{name}"):
            (submitted / CHALLENGE_FILE).write_bytes(challenge)
        stock = measure(name, len(students), [BIN / "nbgrader", "autograde", name], course, 1)
        course = course_with(students, scratch / name, assignment=name)
        grade = [BIN / "autograder", "grade", name]
        ours = measure(name, len(students), grade, course)
        course = course_with(class_of(count, name), scratch / f"{name}_more", assignment=name)
        more = measure(name, count, grade, course)
        further = (more.seconds - ours.seconds) / (count - len(students))
        lines.append(f"| {name} | {len(students)} | {stock.each:.2f} | {ours.each:.2f} | "
                     f"{stock.each / ours.each:.1f} | {further:.2f} | "
                     f"{stock.each / further:.1f} |")  # fmt: skip
        print(lines[-1], file=sys.stderr, flush=True)
    return "\n".join(lines)


def floor(count: int, scratch: Path) -> float:
    """Return the mean seconds that the cells of a submission take in a warm kernel."""
    course = open_course(course_with(class_of(count), scratch / "floor"))
    assignment = load_assignment(course.assignment(A1))
    clock = (
        "import time\n_spent, _begun = 0, [0]\n"
        "def _begin(info): _begun[0] = time.perf_counter()\n"
        "def _end(result):\n"
        "    global _spent; _spent += time.perf_counter() - _begun[0] if _begun[0] else 0\n"
        "get_ipython().events.register('pre_run_cell', _begin)\n"
        "get_ipython().events.register('post_run_cell', _end)"
    )
    spent = []
    for student in track(course.assignment(A1).students(), "floor", console=Console(stderr=True)):
        prepared = prepare(assignment, student)
        notebook = json.loads(prepared.notebooks[A1])
        notebook["cells"].insert(0, new_code_cell(clock))
        notebook["cells"].append(new_code_cell("print(_spent)"))
        ran = run_all({A1: json.dumps(notebook).encode()}, prepared.files, course.config)
        last = json.loads(ran.notebooks[A1])["cells"][-1]["outputs"][0]["text"]
        spent.append(float("".join(last)))
    return mean(spent)


def growth(counts: Sequence[int], scratch: Path) -> list[Measured]:
    """Grade classes of several sizes with two workers."""
    found = []
    for count in counts:
        course = course_with(class_of(count), scratch / f"growth{count}")
        command = [BIN / "autograder", "grade", A1, "--workers=2"]
        found.append(measure(f"{count} submissions", count, command, course))
    return found


def table(found: Sequence[Measured], base: Measured | None = None) -> str:
    """Write measurements as a Markdown table."""
    lines = ["| | s in all | s a submission | processor s a submission | peak memory, GiB |"
             + (" times stock |" if base else ""),
             "|---|---:|---:|---:|---:|" + ("---:|" if base else "")]  # fmt: skip
    for one in found:
        line = (
            f"| {one.name} | {one.seconds:.1f} | {one.each:.3f} | "
            f"{one.processor / one.submissions:.3f} | {one.memory / 2**30:.2f} |"
        )
        lines.append(line + (f" {base.seconds / one.seconds:.1f} |" if base else ""))
    return "\n".join(lines)


def marginal(few: Sequence[Measured], many: Sequence[Measured]) -> str:
    """Write what a run takes once, and for each submission more, as a Markdown table."""
    lines = ["| | start, s | s a submission more | times stock |", "|---|---:|---:|---:|"]
    each = [
        (b.seconds - a.seconds) / (b.submissions - a.submissions)
        for a, b in zip(few, many, strict=True)
    ]
    for one, more in zip(many, each, strict=True):
        start = one.seconds - one.submissions * more
        lines.append(f"| {one.name} | {start:.1f} | {more:.3f} | {each[0] / more:.1f} |")
    return "\n".join(lines)


def engine(count: int, sizes: Sequence[int], scratch: Path) -> None:
    """Measure classes of a1: against stock, their start, the floor, how they grow."""
    few, found = compare(4, scratch / "few"), compare(count, scratch)
    print(f"A class of {count}:\n\n{table(found, found[0])}\n", flush=True)
    print(f"Its start, once a run, and then:\n\n{marginal(few, found)}\n", flush=True)
    cells = floor(count, scratch)
    print(f"Floor: the cells of a submission take {cells:.3f} s in a warm kernel.\n", flush=True)
    if sizes:
        grown = growth(sizes, scratch)
        print(f"Growth, two workers:\n\n{table(grown)}\n", flush=True)
        for less, more in pairwise(grown):
            each = (more.seconds - less.seconds) / (more.submissions - less.submissions)
            print(f"From {less.name} to {more.submissions}: {each:.3f} s each.\n", flush=True)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--count", type=int, default=60, help="students of the class")
    parser.add_argument("--growth", type=int, nargs="*", default=[10, 60, 600, 1000])
    parser.add_argument("--classes", action="store_true", help="only the class of each assignment")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        names = ("torch", "nbgrader", "ipython", "nbclient", "ipykernel")
        print(f"Python {python_version()}, {', '.join(f'{n} {version(n)}' for n in names)}; "
              f"{cpu_count()} processors, {machine()}.\n")  # fmt: skip
        if not options.classes:
            engine(options.count, options.growth, Path(temporary))
        print(f"The class of every assignment:\n\n{classes(options.count, Path(temporary))}")


if __name__ == "__main__":
    main()
