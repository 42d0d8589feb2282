# %% [markdown]
# # The mean squared error
#
# **After this notebook you can** say how far predictions are from what was measured, in one number.
#
# **Time** 10 minutes · **Hardware** any laptop · **Points** 5

# %%
COURSE, VERSION = "gradient-check", ""  # where the course's package is, and which one will do
import subprocess
import sys
import tempfile
from glob import glob

places = ".", "..", "/content", "/kaggle/input/*"
wheels = [wheel for place in places for wheel in glob(f"{place}/gradient?check*.whl")]
sys.path[:0] = wheels  # Python can import from them, whatever they are called
try:
    import autograder.set_up
except ImportError:
    folder = tempfile.mkdtemp()
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", folder, COURSE]
    subprocess.run(pip, capture_output=True)
    sys.path[:0] = wheels = glob(f"{folder}/*.whl")
    sys.modules.pop("autograder", None)  # another package of this name
try:
    import autograder.set_up
except ImportError:
    print(f"No {COURSE}: check your connection, or put gradient_check-….whl beside this notebook.")
else:
    autograder.set_up.ready(COURSE, VERSION, wheels)

# %% nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import torch

from autograder import Checker

check = Checker("a0_squared_error")


# %% nbgrader={"grade": false, "grade_id": "squared_error", "locked": false, "schema_version": 3, "solution": true, "task": false}
def squared_error(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Compute the mean squared error of predictions (N, D): summed over D, averaged over N.

    Returns a tensor of shape ().
    """
    ### BEGIN SOLUTION
    difference = prediction - target
    return (difference**2).sum(dim=1).mean()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "squared_error_values", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check.public("squared_error_values", squared_error)
### BEGIN HIDDEN TESTS
check.hidden("squared_error_values", squared_error)
### END HIDDEN TESTS

# %%
# not run when graded
# Save the notebook first. This runs it in a fresh process, shows what is missing, and writes the
# zip to hand in; check.progress() shows how far you are in the whole course.
check.hand_in()
