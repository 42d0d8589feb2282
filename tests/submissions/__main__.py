"""`python -m tests.submissions FOLDER`: lay out a course with the sample class in FOLDER."""

import sys
from pathlib import Path

from tests.submissions import lay_out

students = lay_out(Path(sys.argv[1]))
print(f"laid out a course with {len(students)} submissions in {sys.argv[1]}/")
