"""What students wrote and displayed, sanitized for those who see it in a browser.

Feedback and the formgrader show a submission's own HTML. Whoever opens a page of the
formgrader has the rights of an instructor, and so would a script in it.
"""

import html
import re
from typing import Any

from nbconvert.preprocessors.sanitize import SanitizeHTML
from nbformat import NotebookNode
from nbgrader.utils import is_locked

from autograder.grading.notebooks import is_autograded

PICTURES = ("image/png", "image/jpeg")
BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")
MARKUP = re.compile(r"<[A-Za-z/!?]")
SCRIPT_LINK = re.compile(r"(java|vb)script:|data:text/html", re.IGNORECASE)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
UNSEEN = re.compile(r"[\s\x00-\x1f\\]")  # what a browser or Markdown leaves out of a link


def _decoded(source: str) -> str:
    """Decode entities for as long as there are any: Markdown and a browser each do it once."""
    while (decoded := html.unescape(COMMENT.sub("", source))) != source:
        source = decoded
    return source


class SanitizeSubmission(SanitizeHTML):
    """Leave of each output text, pictures and plain HTML; of written answers, no scripts.

    The course's own cells and the judge's verdicts stay as they are.
    """

    safe_output_keys = frozenset({"text/plain"})
    sanitized_output_types = frozenset({"text/html", "text/latex"})

    def preprocess_cell(  # ty: ignore[lost-keyword-for-regular-parameter]: given by position
        self, cell: NotebookNode, resources: dict[str, Any], index: int
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """Sanitize one cell."""
        if is_autograded(cell):
            return cell, resources
        if cell.cell_type == "code":
            return super().preprocess_cell(cell, resources, index)
        if not is_locked(cell):
            cell.source = self.sanitize_text(cell.source)
        return cell, resources

    def sanitize_text(self, source: str) -> str:
        """Return Markdown without scripts; one with links to scripts, as it was typed."""
        if SCRIPT_LINK.search(UNSEEN.sub("", _decoded(source))):
            return f"<pre>{html.escape(source)}</pre>"
        return self.sanitize_html_tags(source) if MARKUP.search(source) else source

    def sanitize_code_outputs(self, outputs: list[NotebookNode]) -> list[NotebookNode]:
        """Sanitize outputs; a picture is one only if it is nothing but base64."""
        pictures = [
            {kind: text for kind, text in output.get("data", {}).items()
             if kind in PICTURES and isinstance(text, str) and BASE64.fullmatch(text)}
            for output in outputs
        ]  # fmt: skip
        outputs = super().sanitize_code_outputs(outputs)
        for output, found in zip(outputs, pictures, strict=True):
            if found:
                output.data.update(found)
        return outputs
