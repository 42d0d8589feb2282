"""From the .py that an author edits to the notebook, and from it to the student version."""

from pathlib import Path

import jupytext
import nbformat
from jupytext.combine import combine_inputs_with_outputs

from autograder.authoring.proofread import digest, parts, proofread, unrecorded
from autograder.grading.course import AssignmentFolders, CourseError, last_error
from autograder.grading.notebooks import SYNCED
from autograder.notebook.cases import load_public

GRADED = (  # what can be done about it
    "; you can still change texts, hints and points, but add or remove cells only before the first "
    "is graded. Give the new notebook another name, or delete the grades, also those given by "
    "hand, with `nbgrader db assignment remove NAME --force`, and release and grade again."
)
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LANGUAGE = {  # for front ends and converters that look before a kernel has said so
    "name": "python", "file_extension": ".py", "mimetype": "text/x-python",
    "codemirror_mode": {"name": "ipython", "version": 3}, "pygments_lexer": "ipython3",
}  # fmt: skip


def sync(assignment: AssignmentFolders) -> Path:
    """Write an assignment's `.ipynb` from its `.py`, with nbgrader's metadata and no other.

    Cells that are still there keep their ids. Returns the path. Raises CourseError if there is
    no `.py`, or if the notebook may have been edited since it was written: nothing is
    overwritten then.
    """
    paths = [assignment.source / f"{assignment.name}.{end}" for end in ("py", "ipynb")]
    if not paths[0].exists():
        raise CourseError(f"{assignment.named(paths[0])}: no such file.")
    notebook = jupytext.read(paths[0])
    if paths[1].exists():
        before = nbformat.read(paths[1], 4)
        if parts(before) != parts(notebook) and before.metadata.get(SYNCED) != digest(before):
            differ = sum(one not in parts(notebook) for one in parts(before))
            raise CourseError(
                f"{assignment.named(paths[1])}: {differ} of its cells differ from those "
                f"of {paths[0].name}, and may have been edited in JupyterLab; nothing is "
                f"overwritten. To keep the notebook: `jupytext --to py:percent {paths[1].name}` in "
                f"its folder writes the .py again (edits there are lost; save a copy first). To "
                f"keep the .py: delete {paths[1].name}."
            )
        notebook = combine_inputs_with_outputs(notebook, before)
    kernel = notebook.metadata.get("kernelspec", KERNEL)
    synced = digest(notebook)
    notebook.metadata = {"kernelspec": kernel, "language_info": LANGUAGE, SYNCED: synced}
    for cell in notebook.cells:
        cell.metadata = {k: v for k, v in cell.metadata.items() if k == "nbgrader"}
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, paths[1])
    return paths[1]


def release(assignment: AssignmentFolders) -> Path:
    """Generate the student version of an assignment. Returns its folder. Raises UserError.

    If it cannot be generated, the one from before stays (see `nbgrader_plugins.Kept`).
    """
    notebook, source = proofread(assignment), assignment.named(assignment.notebook())
    if missing := list(unrecorded(notebook, load_public(assignment.source))):
        how = f"run `autograder reference {assignment.name}`."
        raise CourseError("\n".join(f"{source}, {problem}; {how}" for problem in missing))
    result = assignment.course.api.generate_assignment(assignment.name)
    if not result["success"]:
        error = last_error(result)
        raise CourseError(f"{source}: {error}{GRADED if 'add or remove' in error else ''}")
    return assignment.release
