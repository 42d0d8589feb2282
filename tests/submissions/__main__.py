"""`python -m tests.submissions FOLDER`: lay out a course with the sample classes in FOLDER."""

import sys
from pathlib import Path

from tests.submissions import lay_out

for assignment, students in lay_out(Path(sys.argv[1])).items():
    print(f"laid out {students} submissions of {assignment} in {sys.argv[1]}/")
