# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A two-layer net, by hand
#
# **After this notebook you can** write a neural network without a deep-learning library: compute its scores and its loss, derive every gradient, test that the gradients are right, train the net, and read from its curves how training went.
#
# **Time** about 3 hours · **Hardware** any laptop, no GPU · **Points** 100: 85 for code, graded by hidden checks, and 15 for three written answers · **Hand in** the zip that the last cell writes
#
# | section | what you write | minutes |
# |---|---|---:|
# | 1 Forward pass | `nn_forward_pass` | 10 |
# | 2 Loss | `nn_loss`; Question 1 | 30 |
# | 3 Gradients | `nn_forward_backward`; Question 2 | 70 |
# | 4 The numeric gradient check | `relative_error`, `numeric_gradient` | 25 |
# | 5 Training | `nn_train` | 30 |
# | 6 Predicting | `nn_predict`; Question 3 | 15 |
# | 7 Reading the curves | nothing: you train | 5 |
#
# You write tensor operations only: no `torch.nn`, no autograd.
#
# - **Allowed**: loops, the functions of `torch` on tensors (`torch.softmax`, `torch.logsumexp`, `torch.relu`, `clamp`, `exp` and so on); from `torch.nn.functional` also `F.softmax`, `F.log_softmax`, `F.relu`, `F.sigmoid`, `F.tanh` and `F.one_hot`.
# - **Not allowed**: everything else in `torch.nn` (a layer such as `nn.ReLU()`, a loss such as `F.cross_entropy`), and gradients from autograd. If your function uses one of these, its check says so and fails.
#
# The functions and their arguments follow assignment 2 of EECS 498-007, *Deep Learning for Computer Vision* (Justin Johnson, University of Michigan), which itself grew out of Stanford's CS231n. The data, the checks and the questions are this course's own.
#
# Each task is followed by a **check**. It runs your function on a few cases whose answers ship with the course and draws a table. When your work is graded, the same check runs on cases you have not seen. If all cases pass here, that is a very good sign, but not yet a proof. A cell whose first line is `# not run when graded` is for you only: the grader skips it. You may use this line in cells of your own.

# %% [markdown]
# ## Set-up
#
# Run these two cells first, in JupyterLab, Colab, Kaggle or VS Code. The first installs the course's package, or updates it. If your teacher gave you a file `gradient_check-….whl`, put it beside this notebook before you run it (in Colab: the folder icon on the left).

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
from tqdm.auto import tqdm

from autograder import Checker
from autograder.assignments.a1_two_layer_net.lesson import plots
from data_scripts import toy

check = Checker("a1_two_layer_net")
check.set_up("cpu", "points in the plane")

# %% [markdown]
# ## The problem
#
# Three classes of points wind around each other in the plane. No straight line separates them, so we put a hidden layer between the input and the scores.

# %% nbgrader={"grade": false, "grade_id": "toy_data", "locked": true, "schema_version": 3, "solution": false, "task": false}
data = toy.load()  # X (120, 2), y (120,), X_val (60, 2), y_val (60,)
plots.points(data.X, data.y)

# %% [markdown]
# The notation: a batch has $N$ samples with $D$ features; the net has $H$ hidden units and $C$ classes. Its parameters are a dict of four tensors: `W1` (D, H), `b1` (H,), `W2` (H, C), `b2` (C,). Your code must work
#
# - for any $N, D, H, C$,
# - for `float32` and for `float64`. Results keep the dtype of the inputs, and so does every step on the way: a `float64` number that was once rounded to `float32` is not accurate enough.


# %% nbgrader={"grade": false, "grade_id": "two_layer_net", "locked": true, "schema_version": 3, "solution": false, "task": false}
def new_params(D: int, H: int, C: int, scale: float = 1.0) -> dict[str, torch.Tensor]:
    """Draw normal random weights and zero biases: W1 (D, H), b1 (H,), W2 (H, C), b2 (C,)."""
    generator = torch.Generator().manual_seed(0)

    def weights(*shape):
        return scale * torch.randn(*shape, generator=generator, dtype=torch.float64)

    def zeros(size):
        return torch.zeros(size, dtype=torch.float64)

    return {"W1": weights(D, H), "b1": zeros(H), "W2": weights(H, C), "b2": zeros(C)}


params = new_params(D=2, H=16, C=3)
{name: tuple(value.shape) for name, value in params.items()}

# %% [markdown]
# ## 1 · Forward pass
#
# A linear layer only multiplies and adds, so two of them in a row can do no more than one. The **ReLU** between them, $\max(0, z)$ entry by entry, lets the net draw boundaries that bend:
#
# $$\text{hidden} = \max(0,\; X W_1 + b_1) \qquad \text{scores} = \text{hidden}\, W_2 + b_2$$
#
# The scores are plain numbers, one for each class; nothing is applied to them yet.
#
# **Task** (10 min, easy). Write the forward pass. Return both results: the backward pass will need the hidden layer.
#
# <details><summary>Hint 1: shapes</summary>Write the shape of every intermediate result in a comment. If a bias does not broadcast the way you expect, the shapes tell you why.</details>
# <details><summary>Hint 2: ReLU</summary>Three ways to write it: <code>z.clamp(min=0)</code>, <code>torch.relu(z)</code>, <code>z * (z > 0)</code>.</details>


# %% nbgrader={"grade": false, "grade_id": "nn_forward_pass", "locked": false, "schema_version": 3, "solution": true, "task": false}
def nn_forward_pass(
    params: dict[str, torch.Tensor], X: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute the scores (N, C) and the hidden layer after the ReLU (N, H) of inputs X (N, D).

    Returns (scores, hidden).
    """
    ### BEGIN SOLUTION
    pre_activation = X @ params["W1"] + params["b1"]  # (N, H)
    hidden = pre_activation.clamp(min=0)  # (N, H)
    scores = hidden @ params["W2"] + params["b2"]  # (N, C)
    return scores, hidden
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "forward_scores", "locked": true, "points": 7, "schema_version": 3, "solution": false, "task": false}
check.public("forward_scores", nn_forward_pass)
### BEGIN HIDDEN TESTS
check.hidden("forward_scores", nn_forward_pass)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "forward_hidden", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.public("forward_hidden", nn_forward_pass)
### BEGIN HIDDEN TESTS
check.hidden("forward_hidden", nn_forward_pass)
### END HIDDEN TESTS

# %% [markdown]
# ## 2 · Loss
#
# The loss is one number that says how wrong the scores are. **Softmax** turns the scores $s$ of a sample into probabilities, and the loss of the sample is $-\log$ of the probability of its right class $y$:
#
# $$p_{i,k} = \frac{e^{s_{i,k}}}{\sum_j e^{s_{i,j}}} \qquad L = \frac1N \sum_{i=1}^N -\log p_{i,y_i} \;+\; \lambda \left( \lVert W_1 \rVert^2 + \lVert W_2 \rVert^2 \right)$$
#
# The second part, with strength $\lambda$ = `reg`, keeps the weights small. Here $\lVert W \rVert^2$ is the sum of the squares of all entries. There is no factor ½, and biases are not penalised.
#
# **Two things to know.** A net that knows nothing gives each of $C$ classes the probability $1/C$, so its loss, without the penalty, is $\ln C$; if your first loss is far from that, in either direction, find out why. And $e^{1000}$ is infinity in floating point: subtract the largest score of each sample first. This changes no probability, because it cancels in the fraction, and now the largest term of the sum is $e^0 = 1$.
#
# **Task** (20 min, medium). Write the loss. It must be right, and therefore finite, even for scores of ±10,000. A small number added inside the logarithm keeps it finite, but makes it wrong.
#
# <details><summary>Hint 1: picking the right class</summary><code>table[torch.arange(N), y]</code> takes one entry from each row.</details>
# <details><summary>Hint 2: stay with logarithms</summary>If a probability is so small that it is rounded to 0, its logarithm is −∞. Simplify log p on paper before you type: the logarithm of a fraction is a difference.</details>
# <details><summary>Hint 3: nearly the answer</summary>With shifted scores t = s − max s, log p<sub>k</sub> = t<sub>k</sub> − log Σ<sub>j</sub> exp t<sub>j</sub>.</details>


# %% nbgrader={"grade": false, "grade_id": "nn_loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def nn_loss(
    params: dict[str, torch.Tensor], scores: torch.Tensor, y: torch.Tensor, reg: float = 0.0
) -> torch.Tensor:
    """Compute the softmax loss of scores (N, C) for labels y (N,), plus the L2 penalty of params.

    The loss is averaged over the N samples; the penalty is not.
    Returns a tensor of shape ().
    """
    ### BEGIN SOLUTION
    shifted = scores - scores.max(dim=1, keepdim=True).values  # (N, C)
    log_probability = shifted - shifted.exp().sum(dim=1, keepdim=True).log()  # (N, C)
    data_loss = -log_probability[torch.arange(len(y)), y].mean()
    penalty = (params["W1"] ** 2).sum() + (params["W2"] ** 2).sum()
    return data_loss + reg * penalty
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "loss_data", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
check.public("loss_data", nn_loss)
### BEGIN HIDDEN TESTS
check.hidden("loss_data", nn_loss)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "loss_regularised", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check.public("loss_regularised", nn_loss)
### BEGIN HIDDEN TESTS
check.hidden("loss_regularised", nn_loss)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "loss_extreme", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.public("loss_extreme", nn_loss)
### BEGIN HIDDEN TESTS
check.hidden("loss_extreme", nn_loss)
### END HIDDEN TESTS

# %% [markdown]
# **Question 1** (5 points). You build a net for 10 classes, with small random weights and no regularisation, and look at its loss before the first step. What should it be, and why? Two neighbours build what they believe is the same net, and get 2.9 and 0.4: what would you look for in each case? *A full answer gives the number with its reason, and one likely cause for a loss that is too high and one for a loss that is too low.* (about 10 min)

# %% [markdown] nbgrader={"grade": true, "grade_id": "question_initial_loss", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer.** Small weights give nearly equal scores, so every class has probability 1/10 and the loss is −ln(1/10) = ln 10 ≈ 2.303. A loss of 2.9 is too high: the weights are too large, so that the net is confidently wrong at random; or the penalty on the weights is already in it, although it should be 0. (A sum over the samples in place of their mean would give far more.) A loss of 0.4 is too low: the net cannot know anything yet, so the labels leak into the input, the average is over the wrong number, or the data hold mostly one class that the bias favours.
#
# **Marking.** 2 points: ln 10 ≈ 2.30 with the reason (1/C each). 1.5 points: a sound cause for too high. 1.5 points: a sound cause for too low. Half of these for a cause without a reason.
# ### END SOLUTION

# %% [markdown]
# ## 3 · Gradients
#
# To train the net we need to know how the loss changes with every single weight. Draw the computation as a graph; every node passes a gradient back to the values it was computed from. Each gradient has the shape of its value: look at the shapes before you look at the numbers.

# %% nbgrader={"grade": false, "grade_id": "draw_graph", "locked": true, "schema_version": 3, "solution": false, "task": false}
plots.computational_graph()

# %% [markdown]
# Go through it from right to left, one node at a time:
#
# - **softmax loss**: which score of a sample should rise to lower its loss, and which ones should fall? Derive $\partial L / \partial s_{i,k}$ on paper, once for $k = y_i$ and once for $k \ne y_i$; the result is short. Mind the average over $N$.
# - **a matrix product** $A = BW$: $\;\dfrac{\partial L}{\partial W} = B^\top \dfrac{\partial L}{\partial A}$ and $\dfrac{\partial L}{\partial B} = \dfrac{\partial L}{\partial A} W^\top$. If all sizes differ, the shapes leave no other product.
# - **a bias** is added to every sample, so its gradient is the sum of the gradients of all samples.
# - **ReLU** passes a gradient on where its input was positive, and nothing elsewhere.
# - **penalty** $\lambda \lVert W \rVert^2$: differentiate a square.
#
# **Task** (60 min, hard). Write the function that the training loop will receive as its `loss_func`. Without labels it returns the scores; with labels it returns the loss and the gradients of all four parameters. It must leave `params`, `X` and `y` as they were.
#
# <details><summary>Hint 1: where to start</summary>Call your two functions from above. Then go back from the scores: name each gradient after its value (<code>dscores</code>, <code>dhidden</code>) and write its shape beside it.</details>
# <details><summary>Hint 2: large scores again</summary>You need the probabilities themselves now. <code>torch.softmax</code> is safe for large scores; a plain <code>exp</code> is not.</details>
# <details><summary>Hint 3: the gradient of the scores, on paper</summary>The loss of one sample is −s<sub>y</sub> + log Σ<sub>j</sub> exp s<sub>j</sub>. Its derivative with respect to s<sub>k</sub> has one part that is there for every k, and one that is there only for k = y.</details>
# <details><summary>Hint 4: nearly the answer</summary>The gradient of the scores is (probabilities − one-hot labels) / N.</details>


# %% nbgrader={"grade": false, "grade_id": "nn_forward_backward", "locked": false, "schema_version": 3, "solution": true, "task": false}
def nn_forward_backward(
    params: dict[str, torch.Tensor],
    X: torch.Tensor,
    y: torch.Tensor | None = None,
    reg: float = 0.0,
) -> torch.Tensor | tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Compute the scores (N, C) of X (N, D) or, with labels y (N,), the loss and its gradients.

    Returns scores if y is None, else (loss, grads): grads["W1"] is (D, H), grads["b1"] (H,),
    grads["W2"] (H, C), grads["b2"] (C,).
    """
    ### BEGIN SOLUTION
    W1, W2 = params["W1"], params["W2"]
    N = len(X)
    scores, hidden = nn_forward_pass(params, X)
    if y is None:
        return scores
    loss = nn_loss(params, scores, y, reg)

    dscores = torch.softmax(scores, dim=1)  # (N, C)
    dscores[torch.arange(N), y] -= 1
    dscores = dscores / N
    dhidden = dscores @ W2.T  # (N, H)
    dpre_activation = dhidden * (hidden > 0)  # (N, H)
    grads = {
        "W2": hidden.T @ dscores + 2 * reg * W2,
        "b2": dscores.sum(dim=0),
        "W1": X.T @ dpre_activation + 2 * reg * W1,
        "b1": dpre_activation.sum(dim=0),
    }
    return loss, grads
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "scores_without_labels", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.public("scores_without_labels", nn_forward_backward)
### BEGIN HIDDEN TESTS
check.hidden("scores_without_labels", nn_forward_backward)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "forward_backward_loss", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.public("forward_backward_loss", nn_forward_backward)
### BEGIN HIDDEN TESTS
check.hidden("forward_backward_loss", nn_forward_backward)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "gradient_W2", "locked": true, "points": 7, "schema_version": 3, "solution": false, "task": false}
check.public("gradient_W2", nn_forward_backward)
### BEGIN HIDDEN TESTS
check.hidden("gradient_W2", nn_forward_backward)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "gradient_b2", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.public("gradient_b2", nn_forward_backward)
### BEGIN HIDDEN TESTS
check.hidden("gradient_b2", nn_forward_backward)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "gradient_W1", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}
check.public("gradient_W1", nn_forward_backward)
### BEGIN HIDDEN TESTS
check.hidden("gradient_W1", nn_forward_backward)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "gradient_b1", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.public("gradient_b1", nn_forward_backward)
### BEGIN HIDDEN TESTS
check.hidden("gradient_b1", nn_forward_backward)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "inputs_untouched", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check.public("inputs_untouched", nn_forward_backward)
### BEGIN HIDDEN TESTS
check.hidden("inputs_untouched", nn_forward_backward)
### END HIDDEN TESTS

# %% [markdown]
# **Question 2** (5 points). Someone tests a backward pass with `W1`, `b1`, `W2` and `b2` all zero, and every gradient agrees with the right one. Why does that prove almost nothing? *A full answer names two mistakes in the backward pass that this test cannot see and says, for each, why not; and it says what kind of numbers to test with instead.* (about 10 min)

# %% [markdown] nbgrader={"grade": true, "grade_id": "question_zero_weights", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer.** With all weights zero the hidden layer is zero and so is W2. The gradient of W2, hiddenᵀ · dscores, is zero whatever dscores is: a missing 1/N, a wrong sign or a forgotten one-hot do not show there. The gradients of W1 and b1 pass through W2ᵀ = 0 and are zero too: a missing or wrong ReLU mask, or a wrong product with X, do not show. The regularisation gradient 2λW is zero with any factor, or left out. Only b2 receives a gradient at all. Test with random weights of order 1, biases that are not zero, unequal sizes N, D, H, C, unequal labels, and a regularisation term that counts.
#
# **Marking.** 2 points for each mistake that stays hidden, with the reason (two wanted). 1 point: weights of order 1, or random and not tiny.
# ### END SOLUTION

# %% [markdown]
# ## 4 · The numeric gradient check
#
# You do not need a teacher to know whether a gradient is right. A derivative is a slope, and a slope can be measured: move one weight a little up, a little down, and look at the difference of the loss.
#
# $$\frac{\partial f}{\partial W_i} \approx \frac{f(W + h e_i) - f(W - h e_i)}{2h}$$
#
# This **central difference** is off by something proportional to $h^2$; the one-sided $\frac{f(W + h e_i) - f(W)}{h}$ is off by something proportional to $h$, which is much more. (A tiny $h$ does not help: rounding adds about $10^{-16} / h$. With $h = 10^{-5}$ both are small.) To compare two gradients use the **relative error**, with $\varepsilon = 10^{-10}$ against division by zero:
#
# $$\text{relative error}(a, b) = \frac{\max_i |a_i - b_i|}{\max\left(\varepsilon,\; \max_i (|a_i| + |b_i|)\right)}$$
#
# It is never above 1. (The tables of the checks divide by the right answer plus a small constant, so an error there can be larger.)
#
# **Task** (25 min, medium). Write `relative_error` and `numeric_gradient`. `f` takes a tensor of the shape of `W` and returns a tensor of shape (). `W` may have any number of dimensions, and must hold its old values at the end.
#
# <details><summary>Hint 1: visiting every entry</summary><code>W.clone().flatten()</code> is a copy with one dimension and <code>W.numel()</code> entries; <code>.reshape(W.shape)</code> gives it its shape back before it goes into f.</details>
# <details><summary>Hint 2: a fresh copy</summary>Moving one entry up and down and forgetting to put it back is the classic mistake. Two fresh copies for each entry, made inside the loop, cannot go wrong.</details>


# %% nbgrader={"grade": false, "grade_id": "relative_error", "locked": false, "schema_version": 3, "solution": true, "task": false}
def relative_error(a: torch.Tensor, b: torch.Tensor) -> float:
    """Compute the relative error of two tensors of one shape, by the formula above."""
    ### BEGIN SOLUTION
    difference = (a - b).abs().max()
    size = (a.abs() + b.abs()).max().clamp(min=1e-10)
    return (difference / size).item()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "relative_error_values", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check.public("relative_error_values", relative_error)
### BEGIN HIDDEN TESTS
check.hidden("relative_error_values", relative_error)
### END HIDDEN TESTS


# %% nbgrader={"grade": false, "grade_id": "numeric_gradient", "locked": false, "schema_version": 3, "solution": true, "task": false}
def numeric_gradient(f, W: torch.Tensor, h: float = 1e-5) -> torch.Tensor:
    """Measure the gradient of f at W by central differences of step h.

    Returns a tensor of the shape and dtype of W.
    """
    ### BEGIN SOLUTION
    gradient = torch.zeros_like(W).flatten()
    for i in range(W.numel()):
        above, below = W.clone().flatten(), W.clone().flatten()
        above[i] += h
        below[i] -= h
        change = f(above.reshape(W.shape)) - f(below.reshape(W.shape))
        gradient[i] = change / (2 * h)
    return gradient.reshape(W.shape)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "numeric_gradient_values", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
check.public("numeric_gradient_values", numeric_gradient)
### BEGIN HIDDEN TESTS
check.hidden("numeric_gradient_values", numeric_gradient)
### END HIDDEN TESTS

# %% [markdown]
# Now use it on your own backward pass, at a point where nothing is zero. In float64, rounding leaves errors of about 1e-10, and 1e-9 is good enough. Above 1e-4, look for a mistake in your formula, or for a loss that was computed in float32: its rounding is divided by $2h$. In between, look for a gradient that was computed in float32, or rounded to it somewhere. This test needs no stored answers, but it has blind spots. It compares your gradient with *your* loss: if the loss is wrong, a gradient that agrees with it is wrong as well. And next to the kink of a ReLU the measured slope is not the gradient.


# %% nbgrader={"grade": false, "grade_id": "prove_gradients", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
def gradient_errors(params, X, y, reg):
    """Compare each gradient of nn_forward_backward with the measured one."""
    _, grads = nn_forward_backward(params, X, y, reg)
    errors = {}
    for name in params:

        def loss_at(value, name=name):
            return nn_forward_backward({**params, name: value}, X, y, reg)[0]

        error = relative_error(grads[name], numeric_gradient(loss_at, params[name]))
        errors[name] = f"{error:.0e}"
    return errors


trial = {name: value + 0.1 for name, value in new_params(D=2, H=5, C=3).items()}
gradient_errors(trial, data.X[::20], data.y[::20], reg=0.1)

# %% [markdown]
# ## 5 · Training
#
# **Stochastic gradient descent**: take a random mini-batch, compute the gradients on it, move every parameter a small step *against* its gradient, repeat. An **epoch** is the number of steps that together draw about $N$ samples: `max(N // batch_size, 1)`. After each epoch we measure the accuracy and multiply the learning rate by a factor below 1, to take large steps early and careful ones late.


# %% nbgrader={"grade": false, "grade_id": "sample_batch", "locked": true, "schema_version": 3, "solution": false, "task": false}
def sample_batch(
    X: torch.Tensor, y: torch.Tensor, batch_size: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw batch_size samples at random, with replacement: (batch_size, D) and (batch_size,)."""
    chosen = torch.randint(len(X), (batch_size,))
    return X[chosen], y[chosen]


# %% [markdown]
# **Task** (30 min, medium). Write the training loop. (Its argument `pred_func` is your next task; the check uses one of its own.) Each of the `num_iters` steps
#
# 1. draws a batch with `sample_batch`,
# 2. calls `loss_func(params, X_batch, y_batch, reg)`, which returns the loss and the gradients as `nn_forward_backward` does, and appends the loss to the history as a Python number,
# 3. moves every parameter against its gradient, in the dict `params` that it was given (`params[name] -= …` or `params[name] = …`; a new dict would not reach the caller).
#
# After the *last* step of each epoch (that is, when the number of steps done is a multiple of the epoch's length) it
#
# 4. predicts the labels of all of `X` with `pred_func(params, loss_func, X)`, appends the fraction that is right (0 to 1) to `train_acc_history`, does the same with `X_val` and `y_val` for `val_acc_history`, and
# 5. multiplies the learning rate by `learning_rate_decay`.
#
# With `verbose`, show a progress bar: `tqdm(range(num_iters), disable=not verbose)`.
#
# <details><summary>Hint 1: when is an epoch over?</summary>With steps counted from 0, step i ends an epoch when (i + 1) is divisible by the steps per epoch.</details>
# <details><summary>Hint 2: accuracy</summary><code>(predicted == y).double().mean().item()</code></details>


# %% nbgrader={"grade": false, "grade_id": "nn_train", "locked": false, "schema_version": 3, "solution": true, "task": false}
def nn_train(
    params: dict[str, torch.Tensor],
    loss_func,
    pred_func,
    X: torch.Tensor,
    y: torch.Tensor,
    X_val: torch.Tensor,
    y_val: torch.Tensor,
    learning_rate: float = 1e-3,
    learning_rate_decay: float = 0.95,
    reg: float = 5e-6,
    num_iters: int = 100,
    batch_size: int = 200,
    verbose: bool = False,
) -> dict[str, list[float]]:
    """Train params in place by SGD on X (N, D), y (N,).

    Returns a dict of three lists: loss_history (one entry a step), train_acc_history and
    val_acc_history (one entry an epoch).
    """
    ### BEGIN SOLUTION
    steps_per_epoch = max(len(X) // batch_size, 1)
    stats = {"loss_history": [], "train_acc_history": [], "val_acc_history": []}

    def accuracy(inputs, labels):
        return (pred_func(params, loss_func, inputs) == labels).double().mean().item()

    for step in tqdm(range(num_iters), disable=not verbose):
        X_batch, y_batch = sample_batch(X, y, batch_size)
        loss, grads = loss_func(params, X_batch, y_batch, reg)
        stats["loss_history"].append(loss.item())
        for name in params:
            params[name] -= learning_rate * grads[name]
        if (step + 1) % steps_per_epoch == 0:
            stats["train_acc_history"].append(accuracy(X, y))
            stats["val_acc_history"].append(accuracy(X_val, y_val))
            learning_rate *= learning_rate_decay
    return stats
    ### END SOLUTION


# %% [markdown]
# The check trains with a simple loss function of ours, whose gradient is known at every step, and compares your parameters afterwards.

# %% nbgrader={"grade": true, "grade_id": "train_update", "locked": true, "points": 9, "schema_version": 3, "solution": false, "task": false}
check.public("train_update", nn_train)
### BEGIN HIDDEN TESTS
check.hidden("train_update", nn_train)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "train_histories", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.public("train_histories", nn_train)
### BEGIN HIDDEN TESTS
check.hidden("train_histories", nn_train)
### END HIDDEN TESTS

# %% [markdown]
# ## 6 · Predicting
#
# The predicted class is the one with the largest score. Use the loss function you are given; it may belong to any net.
#
# **Task** (5 min, easy). Write the prediction.


# %% nbgrader={"grade": false, "grade_id": "nn_predict", "locked": false, "schema_version": 3, "solution": true, "task": false}
def nn_predict(params: dict[str, torch.Tensor], loss_func, X: torch.Tensor) -> torch.Tensor:
    """Predict the class of each row of X (N, D) with the scores that loss_func(params, X) returns.

    Returns labels (N,), int64.
    """
    ### BEGIN SOLUTION
    scores = loss_func(params, X)  # (N, C)
    return scores.argmax(dim=1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "predictions", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check.public("predictions", nn_predict)
### BEGIN HIDDEN TESTS
check.hidden("predictions", nn_predict)
### END HIDDEN TESTS

# %% [markdown]
# **Question 3** (5 points). `nn_predict` calls a *loss* function, and gets scores from it because it passes no labels. Why can one function serve both purposes? What do training and predicting have in common? And what would go wrong if prediction had a forward pass of its own? *A full answer says what is computed with and without `y`, why prediction needs neither loss nor softmax, and names one risk of a second copy.* (about 10 min)

# %% [markdown] nbgrader={"grade": true, "grade_id": "question_loss_as_prediction", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer.** Both begin with the same forward pass from X to the scores. With y the function goes on to compare the scores with the labels and to derive gradients; without y there is nothing to compare with, so it stops at the scores. The class of the largest score is also the class of the largest probability, because softmax keeps the order; so prediction needs neither the softmax nor the loss. A second forward pass could drift away from the first one, for instance when a layer or a preprocessing step is added in one place only: the net would be trained as one function and used as another, without any error message.
#
# **Marking.** 2 points: same forward pass; y decides whether it stops at the scores. 1.5 points: largest score = largest probability, no loss needed. 1.5 points: a risk of two copies.
# ### END SOLUTION

# %% [markdown]
# ## 7 · Reading the curves
#
# Everything together: 150 steps on the spirals.
#
# **Predict first.** What is the loss before the first step, roughly? Will it fall in every step? *My prediction:* …


# %% nbgrader={"grade": false, "grade_id": "draw_regions", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
torch.manual_seed(0)
params = new_params(D=2, H=16, C=3)
stats = nn_train(
    params, nn_forward_backward, nn_predict, data.X, data.y, data.X_val, data.y_val,
    learning_rate=1.0, learning_rate_decay=0.99, reg=1e-4, num_iters=150, batch_size=20,
    verbose=True,
)  # fmt: skip
plots.curves(stats)
plots.decision_regions(lambda X: nn_predict(params, nn_forward_backward, X), data.X_val, data.y_val)

# %% [markdown]
# How to read them. A net that knows nothing has a loss of $\ln 3 \approx 1.1$. Ours starts close to it by luck. Its weights are large, with a standard deviation of 1, so it is sure of itself, sometimes rightly and sometimes not: eight other draws began between 1.3 and 2.6. The loss falls, and it jumps because each step sees a different batch and a learning rate of 1 is rather large: near step 8 it is higher than at the start, and the net recovers at once. If a loss *keeps* rising, the steps go uphill or are far too large. If it stays where it is, no gradient arrives, or the steps are far too small. In the last picture, the regions should bend with the arms. A linear classifier gets 55 % of these points right.
#
# The last check trains your net from new weights and measures its loss on points it has never seen: it must fall below 0.6.

# %% nbgrader={"grade": true, "grade_id": "toy_training", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.public("toy_training", nn_train, nn_forward_backward, nn_predict)
### BEGIN HIDDEN TESTS
check.hidden("toy_training", nn_train, nn_forward_backward, nn_predict)
### END HIDDEN TESTS

# %% [markdown]
# ## What you have now
#
# A net in which you can account for every number. Four things stay the same in a network of a hundred layers: a forward pass that remembers what the backward pass needs, a loss whose first value you can predict, gradients that have the shapes of their values, and a test for them that needs no teacher.
#
# **What the field does today.** Nobody writes the gradients of a large network by hand. A library records the operations of the forward pass and goes back through them, as you have done: this is reverse-mode automatic differentiation, and your numeric check is how its authors test it (`torch.autograd.gradcheck`). What you derived is still needed whenever someone writes a new layer, a faster kernel or a loss that must not overflow.
#
# - [Backpropagation, intuitions](https://cs231n.github.io/optimization-2/) (CS231n): the same chain rule, one gate at a time.
# - [micrograd](https://github.com/karpathy/micrograd) (Karpathy): autograd in a hundred lines of Python. Read it now; you will understand all of it.
# - [Automatic differentiation in machine learning: a survey](https://arxiv.org/abs/1502.05767) (Baydin et al. 2018): forward mode, reverse mode, and what each costs.
#
# The next notebook takes this very net to real images, where it will not learn at first. You will find out why.

# %%
# not run when graded
# Save the notebook first. This runs it in a fresh process, shows what is missing, and writes the
# zip to hand in; check.progress() shows how far you are in the whole course.
check.hand_in()
