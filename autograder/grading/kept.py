"""What submissions showed when they ran, kept so that they can be judged again without running.

It is in `evidence/<student>/<assignment>/<notebook>.z` of the course folder: the executed
notebook, what each check asked, and how it was judged.
"""

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from nbformat import NotebookNode

from autograder.grading.notebooks import VERDICT_MIME, grade_id, is_autograded
from autograder.notebook import cases, criteria, evidence, judge
from autograder.notebook.cases import RecordedCheck
from autograder.notebook.judge import CaseVerdict, Verdict

FOLDER = "evidence"
LARGEST = 16 * 2**20  # bytes, compressed, of one notebook: what is larger has to be run again


@dataclass(frozen=True)
class Evidence:
    """An executed notebook as JSON, and by check: what was asked, and how it was judged.

    `asked` and `by` are digests of a check's questions and of all it was judged by, `verdicts`
    those of its evidence alone, and `shown` digests of what the student is shown.
    """

    notebook: bytes
    asked: Mapping[str, str]
    by: Mapping[str, str]
    verdicts: Mapping[str, Verdict]
    shown: Mapping[str, str]


def place(course: Path, student: str, assignment: str, notebook: str) -> Path:
    """Return where the evidence of a submission is kept in a course's folder."""
    return course / FOLDER / student / assignment / f"{notebook}.z"


def write(path: Path, found: Evidence) -> None:
    """Keep evidence, unless it is too large; what was kept before goes."""
    document = {**vars(found), "notebook": None}
    text = orjson.dumps(document, default=vars) + b"\n" + found.notebook
    data = zlib.compress(text, 1)
    if len(data) > LARGEST:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_bytes(data)
    part.replace(path)


def read(path: Path) -> Evidence | None:
    """Read what was kept; nothing if there is nothing that can be read."""
    try:
        head, _, notebook = zlib.decompress(path.read_bytes()).partition(b"\n")
        fields: dict[str, Any] = {**orjson.loads(head), "notebook": notebook}
        fields["verdicts"] = {name: _verdict(v) for name, v in fields["verdicts"].items()}
        return Evidence(**fields)
    except (OSError, zlib.error, ValueError, KeyError, TypeError):
        return None


def _verdict(found: dict) -> Verdict:
    fields: dict[str, Any] = {**found, "cases": tuple(CaseVerdict(**c) for c in found["cases"])}
    return Verdict(**fields)


def asked(references: Mapping[str, RecordedCheck]) -> dict[str, str]:
    """Return a digest by check of what a submission is asked: the inputs and what is recorded."""
    return {
        name: _digest(cases.to_bytes({name: check.without_answers()}))
        for name, check in references.items()
    }


def by(references: Mapping[str, RecordedCheck]) -> dict[str, str]:
    """Return a digest by check of what evidence is judged by: answers, mistakes, and our code."""
    code = b"".join(Path(m.__file__ or "").read_bytes() for m in (criteria, evidence, judge))
    return {name: _digest(code + cases.to_bytes({name: c})) for name, c in references.items()}


def shown(judged: NotebookNode) -> dict[str, str]:
    """Return a digest by check of what a judged notebook shows."""
    return {
        grade_id(cell): _digest(orjson.dumps(output.data[VERDICT_MIME]))
        for cell in judged.cells
        if is_autograded(cell)
        for output in cell.outputs
        if VERDICT_MIME in output.get("data", {})
    }


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
