# %% [markdown]
# # The mean squared error
#
# **After this notebook you can** say how far predictions are from what was measured, in one number.
#
# **Time** 10 minutes · **Hardware** any laptop · **Points** 5

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
