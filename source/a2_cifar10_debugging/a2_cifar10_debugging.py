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
# # A net that does not learn, and how to find out why
#
# **After this notebook you can** tell from a few cheap experiments why a network does not learn, test a layer of your own before you trust it, read training curves, search for hyper-parameters without fooling yourself, and say what your net has learned.
#
# **Time** about 6 hours · **Hardware** any laptop; a GPU helps with the real CIFAR-10 only · **Points** 100: 75 for code and for your trained net, graded by hidden checks, 15 for four written answers and 10 for a report of one page · **Hand in** the zip that the last cell writes: notebook and `best_net.safetensors`
#
# | section | what you write | minutes |
# |---|---|---:|
# | 1 Look at the data first | `image_statistics`, `prepare` | 20 |
# | 2 A net that does not learn | nothing: a run to read | 10 |
# | 3 Cheap experiments | four experiments that take seconds each | 60 |
# | 4 A layer of your own | Swish, forward and backward; Question 1 | 50 |
# | 5 Reading curves | `diagnose`; Question 2 | 75 |
# | 6 Turning the knobs | sweeps and Question 3; a search, a net to hand in; an experiment and its report | 150 |
# | 7 One template, or many | Question 4 | 15 |
#
# The minutes include reading, predictions, waiting and written answers.
#
# Autograd is allowed from here on, except in one section that says so.
#
# A cell whose first line is `# not run when graded` is for you only: it loads data, trains or draws, and the grader skips it. You may use this line in cells of your own. A graded function must not use data that such a cell has loaded.

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
import math

import torch
from torch.nn.functional import cross_entropy
from tqdm.auto import tqdm

from autograder import Checker
from autograder.assignments.a2_cifar10_debugging.lesson import curves, plots
from autograder.notebook.artifacts import save_artifact
from data_scripts import cifar10

check = Checker("a2_cifar10_debugging")

# %%
REAL = False  # True: the real CIFAR-10, 60,000 photographs; False: drawn images
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
check.set_up(DEVICE, f"{'real' if REAL else 'drawn'} images")

# %% [markdown]
# CIFAR-10 has ten classes of photographs, 32 pixels wide. `REAL = False` gives you 10,000 training images and 2,000 test images of the same classes and shape, drawn by code: no download, and a net trains on them in seconds. Do the whole notebook with them first. **Hand in a net that was trained on drawn images**, unless your teacher says that real ones are graded too. A net recognises images like those it was trained on, and hardly any others.

# %% [markdown]
# ## 1 · Look at the data first
#
# Which classes would you confuse at this size? Are the labels right? Are the classes of equal size? Are the numbers in the range you expect?

# %%
# not run when graded
images, labels = cifar10.load("train", real=REAL)  # (N, 3, 32, 32), uint8; (N,), int64
test_images, test_labels = cifar10.load("test", real=REAL)
print(f"{len(images):,} images from {images.min()} to {images.max()}, {labels.bincount().tolist()}")
plots.image_rows(images, labels, cifar10.CLASSES)

# %% [markdown]
# Now put the test images away. You will use them once, at the very end. A tenth of the training images becomes our **validation set**: every choice in this notebook is made on it. Statistics for preparing the images are computed from the remaining training images only. Otherwise information about the validation images leaks into training, and they no longer test the net fairly.
#
# A net trains best when its inputs are centred at zero and have a standard deviation near one. So, with the training images scaled to 0…1:
#
# - the **mean image** is the mean at each channel and pixel, over all images;
# - the **standard deviation** is *one* number for all: subtract the mean image from every image, and take the square root of the mean of all the squares (their sum divided by $n$, not by $n - 1$).
#
# An image is prepared as `(image / 255 − mean image) / std` and flattened into one row: all of red, row by row, then green, then blue, as `flatten` does.
#
# **Task** (15 min, easy). Write both functions. `prepare` must work for training, validation and test images alike, and also for a batch of one image.
#
# <details><summary>Hint 1: uint8</summary>Arithmetic on uint8 wraps around: 200 + 100 is 44. Convert to float32 before you do anything.</details>
# <details><summary>Hint 2: a single image</summary>Use the statistics that <code>prepare</code> receives. If your function computes the mean of its own images, a single image becomes all zeros.</details>


# %% nbgrader={"grade": false, "grade_id": "image_statistics", "locked": false, "schema_version": 3, "solution": true, "task": false}
def image_statistics(images: torch.Tensor) -> tuple[torch.Tensor, float]:
    """Compute the mean image and the standard deviation of images (N, 3, H, W), uint8.

    Both are for images scaled to 0..1. Returns (mean_image, std): mean_image is (3, H, W), float32;
    std is one Python number.
    """
    ### BEGIN SOLUTION
    scaled = images.float() / 255
    mean_image = scaled.mean(dim=0)
    std = (scaled - mean_image).square().mean().sqrt()
    return mean_image, std.item()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "statistics_values", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.public("statistics_values", image_statistics)
### BEGIN HIDDEN TESTS
check.hidden("statistics_values", image_statistics)
### END HIDDEN TESTS


# %% nbgrader={"grade": false, "grade_id": "prepare", "locked": false, "schema_version": 3, "solution": true, "task": false}
def prepare(images: torch.Tensor, mean_image: torch.Tensor, std: float) -> torch.Tensor:
    """Centre, scale and flatten images (N, 3, H, W), uint8, with the given statistics.

    Returns (N, 3·H·W), float32.
    """
    ### BEGIN SOLUTION
    return ((images.float() / 255 - mean_image) / std).flatten(1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "prepare_values", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check.public("prepare_values", prepare)
### BEGIN HIDDEN TESTS
check.hidden("prepare_values", prepare)
### END HIDDEN TESTS

# %% [markdown]
# From now on we keep all the data in one dict.

# %%
# not run when graded
held_out = len(images) // 10
mean_image, std = image_statistics(images[:-held_out])
data = {
    "X_train": prepare(images[:-held_out], mean_image, std).to(DEVICE),
    "y_train": labels[:-held_out].to(DEVICE),
    "X_val": prepare(images[-held_out:], mean_image, std).to(DEVICE),
    "y_val": labels[-held_out:].to(DEVICE),
}
for name in ("X_train", "X_val"):
    X = data[name]
    print(f"{name}: {tuple(X.shape)}, mean {X.mean():+.3f}, standard deviation {X.std():.3f}")

# %% [markdown]
# The training images have mean 0 and standard deviation 1, by construction. The validation images come close, but not exactly: their standard deviation is 0.996 on the drawn images. If it is 1.000, you scaled them with their own statistics.
#
# ## 2 · A net that does not learn
#
# You wrote this net by hand in A1. Here it is again, as a `torch.nn.Module`, and autograd computes the gradients. Skim it: you need its arguments, not its details. Ignore `swish` until section 4.


# %% nbgrader={"grade": false, "grade_id": "two_layer_net", "locked": true, "schema_version": 3, "solution": false, "task": false}
class TwoLayerNet(torch.nn.Module):
    """FC, ReLU (or Swish), dropout, FC. `scale` is the standard deviation of initial weights."""

    def __init__(self, inputs, hidden, classes=10, scale=None, dropout=0.0, swish=False):
        super().__init__()
        self.first = torch.nn.Linear(inputs, hidden)
        self.second = torch.nn.Linear(hidden, classes)
        self.dropout = torch.nn.Dropout(dropout)
        self.beta = torch.nn.Parameter(torch.ones(())) if swish else None
        for layer in (self.first, self.second):
            torch.nn.init.normal_(layer.weight, std=scale or (2 / layer.in_features) ** 0.5)
            torch.nn.init.zeros_(layer.bias)

    def hidden(self, X):
        """Compute the hidden layer (N, hidden) of inputs X (N, inputs)."""
        Z = self.first(X)
        return torch.relu(Z) if self.beta is None else Swish.apply(Z, self.beta)

    def forward(self, X):
        """Compute the scores (N, classes) of inputs X (N, inputs)."""
        return self.second(self.dropout(self.hidden(X)))

    def penalty(self):
        """Add up the squares of both weight matrices, as in A1."""
        return self.first.weight.square().sum() + self.second.weight.square().sum()


# %% nbgrader={"grade": false, "grade_id": "measure", "locked": true, "schema_version": 3, "solution": false, "task": false}
def measure(net, X, y):
    """Return the mean loss, without the penalty, and the accuracy, as two numbers."""
    net.eval()  # dropout off
    with torch.no_grad():
        scores = net(X)
    net.train()
    return cross_entropy(scores, y).item(), (scores.argmax(dim=1) == y).double().mean().item()


def mirrored(X):
    """Flip images (N, 3072), left to right."""
    return X.reshape(-1, 3, 32, 32).flip(3).flatten(1)


# %% nbgrader={"grade": false, "grade_id": "train", "locked": true, "schema_version": 3, "solution": false, "task": false}
def train(
    data,
    *,
    hidden=36,
    epochs=10,
    batch_size=200,
    lr=1e-2,
    decay=0.95,
    reg=0.0,
    momentum=0.0,
    dropout=0.0,
    flip=False,
    scale=None,
    swish=False,
    seed=0,
    verbose=False,
):
    """Train a new net on data["X_train"], data["y_train"]. Returns (net, history)."""
    torch.manual_seed(seed)
    X, y = data["X_train"], data["y_train"]
    net = TwoLayerNet(X.shape[1], hidden, 10, scale, dropout, swish).to(X.device, X.dtype)
    sgd = torch.optim.SGD(net.parameters(), lr, momentum, nesterov=momentum > 0)
    schedule = torch.optim.lr_scheduler.ExponentialLR(sgd, decay)  # lr · decay after each epoch
    history = {"loss": [], "train_loss": [], "val_loss": [], "train_acc": [], "val_acc": []}
    for _ in tqdm(range(epochs), desc="epochs", disable=not verbose, leave=False):
        for rows in torch.randperm(len(X)).to(X.device).split(batch_size):
            X_batch = mirrored(X[rows]) if flip and torch.rand(()) < 0.5 else X[rows]
            loss = cross_entropy(net(X_batch), y[rows]) + reg * net.penalty()
            sgd.zero_grad()
            loss.backward()
            sgd.step()
            history["loss"].append(loss.item())
        schedule.step()
        for part in ("train", "val"):
            loss, accuracy = measure(net, data[f"X_{part}"][:5000], data[f"y_{part}"][:5000])
            history[f"{part}_loss"].append(loss)
            history[f"{part}_acc"].append(accuracy)
    return net.eval(), history


# %% [markdown]
# Now try hyper-parameters that look harmless: 36 hidden units, about 500 steps of 1,000 images, learning rate 0.01 with decay 0.95, regularisation 0.25, and initial weights with a standard deviation of 0.0001. The images are centred, as yours are, but not divided by the standard deviation.

# %%
# not run when graded
BAD = {"hidden": 36, "batch_size": 1000, "lr": 1e-2, "decay": 0.95, "reg": 0.25, "scale": 1e-4}
epochs = max(500 * 1000 // len(data["X_train"]), 1)  # about 500 steps
centred = {name: value * std if name[0] == "X" else value for name, value in data.items()}
bad_net, bad_history = train(centred, **BAD, epochs=epochs, verbose=True)
print(f"validation accuracy {bad_history['val_acc'][-1]:.1%}")
plots.training(bad_history)

# %% [markdown]
# The loss stays at 2.30 throughout, and one image in ten is classified correctly. There is no error and no warning: most mistakes in deep learning look like this. What does the first layer look at? Each hidden unit has one weight for each pixel and channel, so its weights can be drawn as an image. `plots.templates` turns each row of the matrix into a picture: its smallest weight becomes 0, its largest 1.

# %%
# not run when graded
plots.templates(bad_net.first.weight[:16])
print(
    f"standard deviation of the first weights: {BAD['scale']:.1e} before, {bad_net.first.weight.std().item():.1e} now"
)

# %% [markdown]
# You see mostly noise, at full contrast because of the scaling. The printed line tells you what the picture hides: 500 steps of training have made the weights *smaller*. That is one clue. Whether it is the cause is another question: Question 3 asks it.
#
# ## 3 · Cheap experiments
#
# Each experiment in this section takes seconds, and each can rule out a whole family of causes.
#
# ### The loss of a net that knows nothing
#
# Compare every run with three baselines. They depend on the labels only:
#
# - **uniform**: the loss if you predict the probability $1/C$ for each of $C$ classes, whatever the image. A net with small weights must have this loss before its first step.
# - **frequencies**: the loss if you predict, for every image, how frequent each class is. With $p_k$ the share of class $k$ among the labels, the loss is $-\sum_k p_k \ln p_k$. A net can reach it with its last bias alone, without looking at a single pixel.
# - **majority**: the accuracy if you always predict the most frequent class.
#
# **Task** (10 min, medium). Compute the three numbers. A class without a single sample adds nothing to the sum.
#
# <details><summary>Hint 1: counting</summary><code>torch.bincount(y, minlength=num_classes)</code>.</details>
# <details><summary>Hint 2: a class without samples</summary>0 · ln 0 is NaN for the computer, but we want 0. Leave those classes out of the sum, or use <code>torch.xlogy</code>.</details>


# %% nbgrader={"grade": false, "grade_id": "know_nothing", "locked": false, "schema_version": 3, "solution": true, "task": false}
def know_nothing(y: torch.Tensor, num_classes: int) -> tuple[float, float, float]:
    """Compute the baselines of predictors that never look at an image, for labels y (N,), int64.

    Returns (uniform loss, loss of the class frequencies, accuracy of the majority class).
    """
    ### BEGIN SOLUTION
    share = torch.bincount(y, minlength=num_classes).double() / len(y)
    frequencies = -torch.xlogy(share, share).sum().item()
    return math.log(num_classes), frequencies, share.max().item()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "know_nothing_values", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check.public("know_nothing_values", know_nothing)
### BEGIN HIDDEN TESTS
check.hidden("know_nothing_values", know_nothing)
### END HIDDEN TESTS

# %%
# not run when graded
new_net = TwoLayerNet(3072, 100, scale=1e-4).to(DEVICE)
print("knowing nothing: {:.4f} {:.4f} {:.1%}".format(*know_nothing(data["y_train"].cpu(), 10)))
print(
    "a new net:       {:.4f} (accuracy {:.1%})".format(
        *measure(new_net, data["X_val"], data["y_val"])
    )
)
print(f"the bad run:     {bad_history['train_loss'][-1]:.4f}")

# %% [markdown]
# All three lines agree: after 500 steps the bad net knows as little as before the first.
#
# ### Overfit a handful of images
#
# A net that can learn anything can learn 50 images by heart. If yours cannot, the mistake is in the net, the loss or the update. More data or more time will not help.
#
# **Task** (20 min, medium). Write the simplest possible training loop: `steps` steps of **full-batch gradient descent without momentum**, on the cross-entropy alone. Record the loss of each step *before* its update, as a Python number. Train the net in place.
#
# <details><summary>Hint 1: the four lines</summary>Compute the loss, clear old gradients, <code>loss.backward()</code>, step. <code>torch.optim.SGD(net.parameters(), lr=lr)</code> has methods for two of them: <code>zero_grad</code> and <code>step</code>.</details>
# <details><summary>Hint 2: why clear?</summary><code>backward</code> adds new gradients to the old ones.</details>


# %% nbgrader={"grade": false, "grade_id": "overfit", "locked": false, "schema_version": 3, "solution": true, "task": false}
def overfit(
    net: torch.nn.Module, X: torch.Tensor, y: torch.Tensor, lr: float, steps: int
) -> list[float]:
    """Train net in place by gradient descent on all of X (N, D), y (N,).

    Returns the loss before each step: a list of `steps` Python numbers.
    """
    ### BEGIN SOLUTION
    sgd = torch.optim.SGD(net.parameters(), lr=lr)
    losses = []
    for _ in range(steps):
        loss = cross_entropy(net(X), y)
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        losses.append(loss.item())
    return losses
    ### END SOLUTION


# %% [markdown]
# The check starts your loop from known weights. It compares the losses, and the scores after the last step. (`check.show_code("overfit_values")` shows how; this works for every check.)


# %% nbgrader={"grade": true, "grade_id": "overfit_values", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
check.public("overfit_values", overfit, TwoLayerNet)
### BEGIN HIDDEN TESTS
check.hidden("overfit_values", overfit, TwoLayerNet)
### END HIDDEN TESTS

# %%
# not run when graded
few = data["X_train"][:50], data["y_train"][:50]
for scale, reading in ((None, "weights of a sensible size"), (1e-4, "weights of 0.0001")):
    torch.manual_seed(0)
    small_net = TwoLayerNet(3072, 36, scale=scale).to(DEVICE)
    losses = overfit(small_net, *few, lr=0.02, steps=150)
    print(
        f"{reading}: loss {losses[0]:.2f} to {losses[-1]:.3f}, {measure(small_net, *few)[1]:.0%} of 50 right"
    )

# %% [markdown]
# With weights of a sensible size the net knows all 50 images by heart after 150 steps. So the code is right, and something in the *settings* of the bad run is wrong. With tiny weights the net learns far more slowly: the gradient of each layer is multiplied by the weights of the other layer, so with weights of $10^{-4}$ the first gradients are almost zero. The tiny weights are one suspect. They cannot be the only one, because this net does learn eventually: try 500 steps.
#
# ### Are the hidden units alive?
#
# A ReLU that is 0 for *every* sample of a large batch is **dead**: no gradient passes through it, and it may never recover. Four numbers describe a hidden layer:
#
# - the **mean** of all its entries;
# - their **std**, the standard deviation: the root of the mean squared deviation (divide by $n$, the number of entries, not by $n - 1$);
# - the share of entries that are **zero**;
# - the share of units that are **dead** in this batch.
#
# **Task** (15 min, medium). Compute these four numbers.
#
# <details><summary>Hint 1: dead</summary>A unit is a column. It is dead if all of its entries are zero; <code>all</code> takes a <code>dim</code>.</details>
# <details><summary>Hint 2: std</summary><code>torch.std</code> divides by n − 1 unless you pass <code>correction=0</code>.</details>


# %% nbgrader={"grade": false, "grade_id": "activation_statistics", "locked": false, "schema_version": 3, "solution": true, "task": false}
def activation_statistics(hidden: torch.Tensor) -> dict[str, float]:
    """Describe a hidden layer (N, H) after its ReLU.

    Returns a dict of four Python numbers: "mean" and "std" of all entries, "zero", the share of
    entries that are 0, and "dead", the share of units that are 0 for every sample.
    """
    ### BEGIN SOLUTION
    zero = hidden == 0  # (N, H)
    return {
        "mean": hidden.mean().item(),
        "std": hidden.std(correction=0).item(),
        "zero": zero.double().mean().item(),
        "dead": zero.all(dim=0).double().mean().item(),
    }
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "activation_values", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check.public("activation_values", activation_statistics)
### BEGIN HIDDEN TESTS
check.hidden("activation_values", activation_statistics)
### END HIDDEN TESTS

# %%
# not run when graded
some = {name: value[:4500] for name, value in data.items()}  # half of the training images
SENSIBLE = {"hidden": 64, "lr": 0.02, "momentum": 0.9, "epochs": 6}
wild_net, _ = train(some, hidden=64, lr=0.2, decay=1.0, epochs=3)  # a learning rate far too high
tame_net, _ = train(some, **SENSIBLE)
shot_net, _ = train(some, **SENSIBLE)
shot_net.first.bias.data[:16] -= 1000  # as if one wild step had thrown a quarter of the units off
nets = {"bad run": bad_net, "lr = 0.2": wild_net, "sensible": tame_net, "shot": shot_net}
for name, net in nets.items():
    with torch.no_grad():
        measured = activation_statistics(net.hidden(data["X_val"]))
    print(f"{name:>8}: " + ", ".join(f"{key} {value:.2g}" for key, value in measured.items()))

# %% [markdown]
# Four layers, four stories. In the bad run the units are alive, but so small that all scores are nearly the same. With a learning rate of 0.2 the numbers have exploded. In the sensible net the numbers are near one, about half of them are zero, as you would expect after a ReLU, and no unit is dead. In the last net a quarter of the units are dead, and `zero` alone would hardly have told you why it rose.
#
# ### The learning-rate range test
#
# Before you start, your guess of the learning rate may be wrong by factors of ten, not by a few per cent. So try many rates, evenly spaced **on a logarithmic scale**: each is larger than the one before by the same factor. Train a new net briefly with each rate, and plot the loss it reaches.
#
# **Task** (10 min, medium). Write the function that chooses a rate from the curve:
#
# - ignore losses that are infinite or NaN, wherever they are in the list;
# - of the other losses, find the smallest (in a tie, the first one) and take its rate;
# - return **a tenth of this rate**: after one epoch from large weights, the bottom of the curve is no promise for a whole run. A tenth is a safe start.
#
# <details><summary>Hint</summary>What does <code>torch.tensor([3.0, float("nan"), 1.0]).argmin()</code> return? Replace every loss that is not finite before you look for the smallest.</details>


# %% nbgrader={"grade": false, "grade_id": "suggest_learning_rate", "locked": false, "schema_version": 3, "solution": true, "task": false}
def suggest_learning_rate(rates: torch.Tensor, losses: torch.Tensor) -> float:
    """Choose a learning rate from rates (K,) and their losses (K,), by the rule above.

    At least one loss is finite. Returns a Python number.
    """
    ### BEGIN SOLUTION
    losses = torch.where(losses.isfinite(), losses, torch.inf)
    return rates[losses.argmin()].item() / 10
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "suggestion_values", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.public("suggestion_values", suggest_learning_rate)
### BEGIN HIDDEN TESTS
check.hidden("suggestion_values", suggest_learning_rate)
### END HIDDEN TESTS

# %%
# not run when graded
rates = torch.logspace(-4, 1, 11)  # from 10⁻⁴ to 10, evenly on a logarithmic scale
reached = []
for rate in tqdm(rates.tolist(), leave=False):
    _, history = train(some, hidden=64, lr=rate, decay=1.0, epochs=1)
    reached.append(history["train_loss"][-1])
suggested = suggest_learning_rate(rates, torch.tensor(reached))
plots.rate_range(rates, reached, suggested)

# %% [markdown]
# From left to right you see little progress, more progress, the best rate, and then a cliff, which the plot cuts off. (Most losses are above ln 10: the net starts out confident and wrong, and the epoch is short. The test only compares rates.) A rate that is too small costs time; a rate that is a little too large ruins the run. That is why the rule takes a tenth. It is where a search begins, and the search goes upwards: on the drawn images the best rate for eight epochs without momentum was 30 to 60 times as large, and at 100 times the run exploded unless the rate decayed.
#
# ## 4 · A layer of your own
#
# Suppose you have invented a layer. Before the big run you must test it on its own. Your layer is **Swish**, a ReLU with a soft corner and a parameter $\beta$ that is learned:
#
# $$y = x \cdot \sigma(\beta x) \qquad \sigma(z) = \frac{1}{1 + e^{-z}}$$
#
# With large $\beta$ it is nearly a ReLU, with $\beta = 0$ it is $x/2$.

# %%
# not run when graded
plots.swish((0.0, 0.5, 1.0, 5.0))

# %% [markdown]
# A `torch.autograd.Function` is a node of the computational graph, written by hand. `forward` computes the value and saves in `ctx` what `backward` will need. `backward` receives $G = \partial L / \partial y$, which has the shape of $y$, and returns one gradient for each input of `forward`, each with the shape of its input. On paper, derive $\partial y / \partial x$ and $\partial y / \partial \beta$; write $\sigma$ for $\sigma(\beta x)$, and $\sigma' = \sigma (1 - \sigma)$. The same $\beta$ is used for *every* entry of $x$, so its gradient is the sum over all entries.
#
# **Task** (35 min, hard). Write both methods by hand:
#
# - use no autograd and no `torch.nn` inside (`torch.sigmoid` is fine);
# - `x` may have any shape, `beta` has shape (), and negative values are allowed;
# - do not change `x` or `beta` in place;
# - every result must stay finite for $|x|$ up to $10^4$.
#
# <details><summary>Hint 1: what to save</summary><code>ctx.save_for_backward(x, beta)</code> in forward; <code>x, beta = ctx.saved_tensors</code> in backward. You may compute the sigmoid again.</details>
# <details><summary>Hint 2: with respect to x</summary>Use the product rule: x appears in front of σ and inside it. The derivative of σ(βx) with respect to x is β σ'.</details>
# <details><summary>Hint 3: with respect to β</summary>Only βx depends on β, and its derivative with respect to β is x. Multiply by G entry by entry, then sum over all entries, to shape ().</details>
# <details><summary>Hint 4: nearly the answer</summary>∂y/∂x = σ + βx σ' and ∂y/∂β = x² σ'.</details>


# %% nbgrader={"grade": false, "grade_id": "Swish", "locked": false, "schema_version": 3, "solution": true, "task": false}
class Swish(torch.autograd.Function):
    """x · sigmoid(beta · x), for x of any shape and beta of shape ()."""

    @staticmethod
    def forward(ctx, x, beta):
        """Compute the value, of the shape of x."""
        ### BEGIN SOLUTION
        ctx.save_for_backward(x, beta)
        return x * torch.sigmoid(beta * x)
        ### END SOLUTION

    @staticmethod
    def backward(ctx, grad_output):
        """Compute the gradients with respect to x (its shape) and beta (shape ()) from that of y."""
        ### BEGIN SOLUTION
        x, beta = ctx.saved_tensors
        gate = torch.sigmoid(beta * x)
        slope = gate * (1 - gate)
        grad_x = grad_output * (gate + beta * x * slope)
        grad_beta = (grad_output * x * x * slope).sum()
        return grad_x, grad_beta
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "swish_forward", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.public("swish_forward", Swish)
### BEGIN HIDDEN TESTS
check.hidden("swish_forward", Swish)
### END HIDDEN TESTS

# %% [markdown]
# The next two checks call your `forward` and `backward` directly, without autograd, and with a replacement for `ctx`.


# %% nbgrader={"grade": true, "grade_id": "swish_gradient_x", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check.public("swish_gradient_x", Swish)
### BEGIN HIDDEN TESTS
check.hidden("swish_gradient_x", Swish)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "swish_gradient_beta", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check.public("swish_gradient_beta", Swish)
### BEGIN HIDDEN TESTS
check.hidden("swish_gradient_beta", Swish)
### END HIDDEN TESTS

# %% [markdown]
# Now a test that you can run without us: `gradcheck` compares your backward pass with numerical gradients, in float64. Then the layer goes into a graph between two other operations, and the gradients of the whole graph must be right.


# %%
# not run when graded
x = torch.linspace(-3, 3, 12, dtype=torch.float64).reshape(3, 4).requires_grad_()
beta = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
torch.autograd.gradcheck(Swish.apply, (x, beta))

# %% nbgrader={"grade": true, "grade_id": "swish_graph_gradients", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.public("swish_graph_gradients", Swish)
### BEGIN HIDDEN TESTS
check.hidden("swish_graph_gradients", Swish)
### END HIDDEN TESTS

# %%
# not run when graded
for swish in (False, True):
    net, history = train(some, **SENSIBLE, swish=swish)
    beta = f", beta has become {net.beta.item():.2f}" if swish else ""
    print(f"{'Swish' if swish else 'ReLU '}: validation {history['val_acc'][-1]:.1%}{beta}")

# %% [markdown]
# If a layer passes its gradient check and trains, you can use it. Whether it is *better* is another question, and one run of each does not answer it.

# %% [markdown]
# **Question 1** (4 points). You have invented a layer, put it into a large network, and have one week on a cluster for one big run. What do you check before you start? *A full answer names four checks in a sensible order, cheap ones first, and says for each which mistake it would find.* (about 10 min)

# %% [markdown] nbgrader={"grade": true, "grade_id": "question_before_the_big_run", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer.** (1) Data: draw a batch with its labels just before it enters the net: wrong labels, wrong range, images flipped or channels swapped, the same image in training and validation. (2) The layer alone: shapes and finite values of the forward pass, gradcheck in float64 of its gradients with respect to input and parameters, including non-contiguous and extreme input: a wrong derivative, overflow. (3) Loss before the first step: ln C for C classes: labels that leak, weights too large, a wrong reduction. (4) Overfit 10 to 50 images to 100 %: an update that does not reach a parameter, the wrong loss, labels out of order. (5) Learning-rate range test: a rate that explodes or wastes the week. (6) Activations and gradients by layer after some steps: dead units, vanishing or exploding signals. (7) Shuffled labels: validation must fall to chance, otherwise there is a leak. (8) A short run with a small part of the data, with saving and loading of checkpoints: validation code, memory, time for an epoch.
#
# **Marking.** 1 point for each of four checks *with* the mistake it finds (half without). The gradient check of the new layer must be among them: at most 3 points without it. At most 3 points if an expensive run comes before the cheap checks.
# ### END SOLUTION

# %% [markdown]
# ## 5 · Reading curves
#
# Curves of loss and accuracy, for training and validation, can tell seven stories. Here is one example of each, made by a formula. Draw as many others as you like with `curves.draw(word, seed)`.

# %%
# not run when graded
plots.histories({word: curves.draw(word, seed=1) for word in curves.WORDS})

# %% [markdown]
# | word | what the curves say |
# |---|---|
# | `"learning rate too high"` | Training loss ends **higher than it began**, by at least 5 % (averaged over the last quarter), or it is infinite or NaN at some point. |
# | `"flat from the start"` | Training loss **never differs from its first value** by more than 1 %, up or down. Nothing is learned and nothing explodes; only an experiment can say why. In the rows below, it ends at least 10 % lower. |
# | `"overfitting"` | Training accuracy ends **at least 12 points above** validation accuracy, and validation loss has turned and ends at least 30 % above its lowest level. The loss alone is no sign: if validation jumps, it often ends above its lowest level, too. (Real runs often show only the gap.) In the rows below, the accuracies differ by less than 10 points. |
# | `"unstable validation"` | Validation accuracy **jumps** by 5 points or more from one epoch to the next, on average **after the first third** of the epochs, up and down, while training accuracy is smooth. In the rows below, it moves by less than 2 points then. |
# | `"learning rate too low"` | Both losses are **still falling at the end**, nearly in a straight line: in the last third of the epochs training loss falls at least half as much as in the first third. In the rows below, it falls less than a tenth as much in the last third. |
# | `"underfitting"` | Training loss has flattened out **at a high level**: it ends above half of its first value, with a training accuracy below 55 %. Validation is close to training. |
# | `"healthy"` | None of these: training loss ends below a third of its first value, with a training accuracy above 80 %. |
#
# Check the rows in this order. Words like *ends* mean the average over the last quarter of the epochs (each history has at least 16), because a single entry of a jumping curve says nothing, and its median may lie on a peak. The number of epochs, the number of classes and the size of the losses vary. These margins hold for every curve of `curves.draw`, here and when graded. So any sensible rule of your own finds them all; it need not follow the wording of the table.
#
# One more example is modelled on a real report: a ResNet-152 trained on 1,000 images of faces.

# %%
# not run when graded
plots.histories({"ResNet-152, 1,000 faces": curves.resnet152()})

# %% [markdown]
# Training accuracy reaches 100 %; validation accuracy hovers at 85 % and jumps a little, by less than the table requires. Validation loss turns and rises. If a curve both jumps and overfits, the order of the table makes it overfitting, which you must cure first.
#
# **Task** (40 min, hard). Write `diagnose`.
#
# <details><summary>Hint 1: numbers first</summary>From each history compute a few of the numbers in the table: the final training loss relative to the first; the gap in accuracy; the mean jump of the validation accuracy. Print them for ten curves of each word. Only then write conditions.</details>
# <details><summary>Hint 2: NaN</summary>Every comparison with NaN is false. Test every entry with <code>math.isfinite</code> first.</details>
# <details><summary>Hint 3: still falling</summary>With k a third of the epochs: compare <code>loss[0] - loss[k]</code> with <code>loss[-k - 1] - loss[-1]</code>.</details>
# <details><summary>Hint 4: jumps</summary>The mean of <code>abs(a[i + 1] - a[i])</code> is also large for a curve that climbs. Leave out the first third, where every curve climbs.</details>


# %% nbgrader={"grade": false, "grade_id": "diagnose", "locked": false, "schema_version": 3, "solution": true, "task": false}
def diagnose(history: dict[str, list[float]]) -> str:
    """Name the story of a training run: one of the seven words of the table.

    history holds four lists with one entry per epoch: "train_loss", "val_loss", "train_acc",
    "val_acc" (accuracies in 0..1).
    """
    ### BEGIN SOLUTION
    train_loss, train_acc, val_acc = (history[n] for n in ("train_loss", "train_acc", "val_acc"))
    first, third, quarter = train_loss[0], len(train_loss) // 3, len(train_loss) // 4

    def end(curve):
        return sum(curve[-quarter:]) / quarter

    if not all(map(math.isfinite, train_loss)) or end(train_loss) > 1.05 * first:
        return "learning rate too high"
    if max(abs(loss - first) for loss in train_loss) < 0.015 * first:
        return "flat from the start"
    if end(train_acc) - end(val_acc) > 0.11:
        return "overfitting"
    jumps = [abs(b - a) for a, b in zip(val_acc[third:-1], val_acc[third + 1 :], strict=True)]
    if sum(jumps) / len(jumps) > 0.035:
        return "unstable validation"
    fall_at_first = first - train_loss[third]
    fall_at_last = train_loss[-third - 1] - train_loss[-1]
    if fall_at_last > 0.1 * fall_at_first:
        return "learning rate too low"
    return "underfitting" if end(train_acc) < 0.55 else "healthy"
    ### END SOLUTION


# %% [markdown]
# Each case of the check holds several curves of two or more stories. One wrong diagnosis per case is allowed. The table names the first curve with a wrong diagnosis: `curve_03` is the third curve of its case. (One public case holds curves that a hasty rule gets wrong.)


# %% nbgrader={"grade": true, "grade_id": "diagnoses", "locked": true, "points": 12, "schema_version": 3, "solution": false, "task": false}
check.public("diagnoses", diagnose)
### BEGIN HIDDEN TESTS
check.hidden("diagnoses", diagnose)
### END HIDDEN TESTS

# %% [markdown]
# ### Real runs
#
# Real curves are less tidy. `curves.real()` gives you runs of `train` on the drawn images, each with its word. We did not read the words off the curves. We trained each setting again with one thing changed. If one change raised validation accuracy more than all others, it decides the word:
#
# - a larger rate helps most: `"learning rate too low"`;
# - a smaller rate helps most, or the loss explodes: `"learning rate too high"`;
# - more hidden units or less regularisation helps most: `"underfitting"`;
# - no change helps, and the gap, on average over several seeds, is 12 points or more (one curve may have a little less): `"overfitting"`;
# - `"flat from the start"` is defined as in the table.
#
# Runs with two defensible words are left out, and so is `"healthy"`: we could not be sure of it for any run.
#
# **Task** (20 min, medium). See where your rule and the experiments disagree, and improve `diagnose`. It must still pass the check above.
#
# - In real runs the first entry is measured after a whole epoch of training, so it is no longer the loss of a net that knows nothing.
# - No rule is always right, since the experiments show more than the curves do.
# - A real loss that falls too slowly bends as well: expect 0.1 to 0.4 where the table has a half. And a gap in accuracy is a clearer sign than a loss that turned.
# - Your points depend on how often you agree with the words, on settings that you have not seen: **half** of the points from 60 %, **all** from 80 %.

# %%
# not run when graded
runs = curves.real()
plots.histories({word: history for word, history in reversed(runs)})  # one of each word
said = [(word, diagnose(history)) for word, history in runs]
for word, answer in sorted(set(said)):
    print(f"{said.count((word, answer)):3} × {word}: you say {answer}")

# %% nbgrader={"grade": true, "grade_id": "real_diagnoses", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check.public("real_diagnoses", diagnose)
### BEGIN HIDDEN TESTS
check.hidden("real_diagnoses", diagnose)
### END HIDDEN TESTS

# %%
# not run when graded
print("the bad run:", diagnose(bad_history))

# %% [markdown]
# What does your rule say about the bad run? Its loss is flat from the start, and the curves can tell you no more. The cause may be a learning rate that is too low by a factor of a thousand, too much regularisation, dead units, or a gradient that never arrives. Curves suggest; an experiment decides.
#
# **Question 2** (3 points). The table says how to recognise underfitting and overfitting. What do you do about each? Apply it to the ResNet-152 above. *A full answer gives three cures for each, and says for one of the cures why it would make the other problem worse. For the ResNet it gives the signs in its curves, two likely causes, and the cure you would try first, with a reason.* (about 10 min)

# %% [markdown] nbgrader={"grade": true, "grade_id": "question_fitting", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer.** Underfitting: a larger or deeper model, less regularisation (weight decay, dropout), longer training or a better learning rate, better features or initialisation. Overfitting: more data, augmentation, a smaller model, L2, dropout, early stopping, transfer learning. A smaller model makes a net that underfits worse, because it can represent even less of the training set. The ResNet-152 overfits: training accuracy is 100 % and validation accuracy 85 %, and validation loss turns and rises while training loss falls. Its validation is a little unstable, too. Causes: 60 million parameters for 1,000 images; a validation set so small that a few faces are several points; perhaps a learning rate that is still high. First cure: a pretrained and smaller network whose features are kept (transfer learning) with augmentation, because the lack of data is the cause and both bring in information; early stopping at the lowest validation loss costs nothing and is done anyway.
#
# **Marking.** 1 point: three cures for each (half for two). 0.5 points: a cure of one that makes the other worse, and why. 0.5 points: the gap or the turn of validation loss in the ResNet's curves. 0.5 points: two causes (too little data, too large a model, a small validation set). 0.5 points: a first cure with a reason.
# ### END SOLUTION

# %% [markdown]
# ## 6 · Turning the knobs
#
# Start from a setting that works, and turn one knob at a time: hidden size, regularisation, learning rate. (In the bad run several knobs were wrong at once.)
#
# **Predict first.** Sketch, for each of the three knobs, how training and validation accuracy will go as its value grows. Which knob has a cliff? *My prediction:* …


# %%
# not run when graded
BASE = {"hidden": 128, "lr": 0.01, "momentum": 0.9, "decay": 0.85, "epochs": 8}
KNOBS = {
    "hidden": [8, 32, 128, 512],
    "reg": [1e-4, 1e-2, 1e-1, 1.0],
    "lr": [1e-4, 1e-3, 1e-2, 1e-1],
}
sweeps = {}
for knob, values in KNOBS.items():
    runs = [
        train(some, **{**BASE, knob: value})[1] for value in tqdm(values, desc=knob, leave=False)
    ]
    sweeps[knob] = (
        values,
        [run["train_acc"][-1] for run in runs],
        [run["val_acc"][-1] for run in runs],
    )
    for value, *accuracies in zip(*sweeps[knob], strict=True):
        print("{} {:g}: training {:.1%}, validation {:.1%}".format(knob, value, *accuracies))
plots.sweeps(sweeps)

# %% [markdown]
# Look at the gap between the two lines. More hidden units raise both lines, training more than validation. (After such sweeps, one report took 128 hidden units, no penalty, a rate of 1 and 3,000 steps: 53.18 % on the real images.)
#
# **Question 3** (5 points). Read your own sweeps of `reg` and `lr`. About the bad run of section 2, with a penalty of 0.25 ‖W‖², a student wrote: "The loss does not fall because the regularisation was too small." *A full answer, with figures that your cell printed,*
#
# - *says what too little and too much regularisation do to training accuracy, to validation accuracy and to the gap; decides whether the student is right; and names another change to the bad run that you would have to try before you blame the penalty alone;*
# - *gives the range of learning rates that you would search next: both ends, how many values, how they are spaced, and why not higher or lower;*
# - *says what validation accuracy cannot tell you any more once you have chosen the best of these twelve runs, and of many more. Compute the standard error √(p(1 − p) / n) of an accuracy p that is measured on your n validation images. What do you do about it?*
#
# (about 20 min)

# %% [markdown] nbgrader={"grade": true, "grade_id": "question_sweeps", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer** (drawn images). *Regularisation.* Training / validation accuracy: 69.7 / 45.2 % at 10⁻⁴, 67.0 / 46.3 % at 10⁻², 43.4 / 37.7 % at 10⁻¹, 12.4 / 11.9 % at 1. Too little leaves a gap of 24 points (overfitting). More closes the gap, at first at no cost; too much takes both lines down to chance with no gap at all (underfitting). The bad run has no gap and is at chance, and its penalty of 0.25 is between 0.1 and 1, where both lines fall. So the opposite is true: the regularisation was too large. The weights say the same: the penalty alone takes 2 · 0.25 · 0.01 = 0.5 % off each weight in each step, and they shrank. But the initial weights of 10⁻⁴ and the small rate are suspects, too: set reg to 0 and leave the rest, then the same with weights of a sensible size. (55 epochs: without the penalty 9 %, with sensible weights and the penalty 21 %, with both changes 25 %.)
#
# *Learning rate.* 16.1 % at 10⁻⁴, 33.6 % at 10⁻³, 45.8 % at 10⁻², 16.4 % at 10⁻¹, where the loss has exploded. The best value has a neighbour on each side, so the best rate is between 0.001 and 0.1; near the lower end the net is still learning too slowly (41.3 % in training), near the upper end is the cliff. Next: five rates from 0.003 to 0.05, each twice the one before, with three seeds each. If the best were at an end, the range would have to move. The range holds for momentum 0.9 and eight epochs only.
#
# *Validation.* With 1,000 images and 45 %, the standard error is √(0.45 · 0.55 / 1000) = 1.6 points, and six seeds of one setting gave us 43.8 to 47.1 %. So 45.2 and 46.3 % do not differ. The best of many runs is the one that was good *and* lucky on these 1,000 images: its accuracy is too high as an estimate, the more so the more runs there were, and validation cannot say by how much. It cannot rank the best few either. So: repeat the best few with several seeds, prefer differences larger than their spread, limit the number of runs, and measure the chosen net once on images that chose nothing (the test set).
#
# **Marking.** 1 point: both ends of the sweep of `reg` with figures and the gap. 0.5 points: too large, not too small. 0.5 points: another suspect of the bad run, and an experiment that changes one thing. 1 point: a range with both ends inside the peak and the cliff, spaced by a factor, with a reason (half without the reason; none if the values are evenly spaced over a factor of ten or more). 0.5 points: standard error of 1.4 to 1.7 points (0.7 with the 4,500 real images). 1 point: the best of many is too high, and by how much is unknown (half for "it overfits the validation set" alone). 0.5 points: seeds, and the test set once. Other figures are right if the student's own cell printed them.
# ### END SOLUTION

# %% [markdown]
# Now let the bad run itself answer. Each line changes one thing, the last one two. **Predict first.** Which of the three runs learns? *My prediction:* …

# %%
# not run when graded
for change in ({"reg": 0.0}, {"scale": None}, {"reg": 0.0, "scale": None}):  # None: as usual
    _, history = train(centred, **(BAD | change), epochs=epochs)
    print(f"{change!s:32} validation accuracy {history['val_acc'][-1]:.1%}")

# %% [markdown]
# How to read it: no single change repairs the run. With weights of 0.0001 and this small rate nothing is learned in 500 steps, with the penalty or without; with weights of a usual size the penalty still costs some points. We measured 9, 21 and 25 %. And the decay of 0.95 after each of the 55 epochs makes the 495 steps worth about 170.

# %% [markdown]
# ### Searching
#
# A search is a simple loop: train a net with each set of parameters, and keep the net with the best **validation** accuracy. Not training accuracy: that rewards learning by heart. Not test accuracy: once the test set has been used to choose a net, it can no longer judge that net fairly.
#
# **Task** (8 min, easy). Write `find_best_net`.
#
# - `get_param_set_fn()` takes no arguments and returns a list of at least one dict. Train a net with each, by `train(data_dict, **params)`.
# - The accuracy of a net is its validation accuracy **after its last epoch**: the last entry of `history["val_acc"]`, from 0 to 1.
# - Return the best net, *its* history and *its* accuracy; in a tie, the first of the best.
# - Always return a net, even if every accuracy is 0.
#
# (`data_dict` may also hold `X_test` and `y_test`.)
#
# <details><summary>Hint</summary>Keep the net, its history and its accuracy together, and replace all three when a strictly better net comes.</details>


# %% nbgrader={"grade": false, "grade_id": "find_best_net", "locked": false, "schema_version": 3, "solution": true, "task": false}
def find_best_net(data_dict: dict[str, torch.Tensor], get_param_set_fn):
    """Train a net with each set of parameters and choose by validation accuracy.

    data_dict holds X_train, y_train, X_val, y_val. Returns (net, stats, accuracy): the chosen net,
    its training history, and its validation accuracy, a Python number from 0 to 1.
    """
    ### BEGIN SOLUTION
    best_net, best_stats, best_accuracy = None, None, -1.0
    for params in tqdm(get_param_set_fn(), desc="sets", leave=False):
        net, history = train(data_dict, **params)
        accuracy = history["val_acc"][-1]
        if accuracy > best_accuracy:
            best_net, best_stats, best_accuracy = net, history, accuracy
    return best_net, best_stats, best_accuracy
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "search_values", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check.public("search_values", find_best_net)
### BEGIN HIDDEN TESTS
check.hidden("search_values", find_best_net)
### END HIDDEN TESTS

# %% [markdown]
# ### Your net
#
# Now search. List the sets of parameters that you want to try, as keywords of `train`. Besides the knobs you have turned, there are these:
#
# - `momentum=0.9` makes each step continue in the direction of the previous steps.
# - `dropout=0.3` switches off 30 % of the hidden units at random in each training step.
# - `flip=True` mirrors half of the batches; a mirrored frog is still a frog. Like dropout, this makes it harder to learn images by heart, so give such nets more epochs.
# - `scale` is the standard deviation of the initial weights of both layers. Smaller initial weights than the default leave less noise in the templates and allow a larger learning rate.
#
# **Task** (25 min, open). Search for a good net and save it. Two searches of about four sets each are enough. Your points depend on the accuracy of the saved net on hidden images. (The check has 200 of its own: run it once, at the end.)
#
# | | pass | good | excellent |
# |---|---|---|---|
# | points | half | 80 % | all |
# | a net trained on drawn images | 50 % | 56 % | 60 % |
# | on the real CIFAR-10, if your teacher grades with it | 48 % | 53 % | 56 % |
#
# There are 800 hidden images, so your own measurement and the graded one may differ by 4 points: aim above the level you want.
#
# <details><summary>Hint 1: where to begin</summary>Take the best setting of the sweeps, with more hidden units and more epochs. Then look at the gap: does the net underfit or overfit?</details>
# <details><summary>Hint 2: nearly the answer</summary>If the gap is large: flip, dropout, and twice the epochs. If the loss is still falling at the end, the decay is too strong for the number of epochs: decay ** epochs should be about 0.05.</details>


# %% nbgrader={"grade": false, "grade_id": "nn_get_search_params", "locked": false, "schema_version": 3, "solution": true, "task": false}
def nn_get_search_params() -> list[dict]:
    """Return the sets of parameters to search, each a dict of keywords of train."""
    ### BEGIN SOLUTION
    base = {"momentum": 0.9, "flip": True, "epochs": 20, "decay": 0.86, "scale": 0.01}
    if REAL:
        base |= {"hidden": 1024, "reg": 5e-5}
        return [{**base, "lr": lr, "dropout": 0.3} for lr in (0.01, 0.02)]
    base |= {"hidden": 128, "reg": 1e-4}
    return [{**base, "lr": lr, "dropout": share} for lr in (0.03, 0.05) for share in (0.1, 0.2)]
    ### END SOLUTION


# %%
# not run when graded
best_net, stats, accuracy = find_best_net(data, nn_get_search_params)
print(f"validation accuracy {accuracy:.1%}")
plots.training(stats)

# %% [markdown]
# The net is saved with its mean image and standard deviation: a net without its preprocessing is worthless. Half precision halves the size of the file, and no score changes enough to matter.

# %%
# not run when graded
saved = {name: value.half() for name, value in best_net.state_dict().items()}
saved |= {"mean_image": mean_image.half(), "std": torch.tensor(std)}
save_artifact("best_net.safetensors", saved, "real" if REAL else "drawn")


# %% nbgrader={"grade": true, "grade_id": "best_net_accuracy", "locked": true, "points": 9, "schema_version": 3, "solution": false, "task": false}
check.public("best_net_accuracy", prepare, TwoLayerNet)
### BEGIN HIDDEN TESTS
check.hidden("best_net_accuracy", prepare, TwoLayerNet)
### END HIDDEN TESTS

# %% [markdown]
# Now, once, use the test images. If you go back after this cell to try another setting, your test set has become a validation set.

# %%
# not run when graded
X_test = prepare(test_images, mean_image, std).to(DEVICE)
with torch.no_grad():
    predicted = best_net.eval()(X_test).argmax(dim=1).cpu()
print(f"test accuracy {(predicted == test_labels).double().mean():.1%}")
plots.confusions(predicted, test_labels, cifar10.CLASSES)

# %% [markdown]
# Read the table row by row, without the diagonal. The brightest squares are the pairs of classes that your net confuses most. Would you confuse them, too, at this size?

# %% [markdown]
# ### Your own experiment
#
# Now you write one page of your own. Choose a question about the knobs, or ask another one:
#
# - How do learning rate and momentum depend on each other?
# - Does a net with dropout need more hidden units, or more epochs?
# - How many training images does another point of validation accuracy cost?
#
# **Task** (45 min, open, no check). Write the script in the cell below, and in more cells if you like.
#
# - Change one thing, or two that you expect to depend on each other, and keep all the others.
# - Run each setting with at least three seeds (`train(…, seed=…)`). A difference smaller than the spread of the seeds is not a finding.
# - Write one line per run to `runs.csv`: the setting, the seed, the accuracy, the seconds. You will be glad of it when the notebook has been restarted.
# - `some` has half of the training images, and a run with 8 epochs takes a few seconds.
#
# **Predict first**, in the first line of your report.

# %% nbgrader={"grade": false, "grade_id": "own_experiment", "locked": false, "schema_version": 3, "solution": true, "task": false}
# not run when graded
### BEGIN SOLUTION
import csv
import time
from pathlib import Path

with open("runs.csv", "w", newline="") as file:
    lines = csv.writer(file)
    lines.writerow(["momentum", "lr", "seed", "val_acc", "seconds"])
    for momentum, rates in ((0.0, (0.01, 0.03, 0.1, 0.3)), (0.9, (0.001, 0.003, 0.01, 0.03))):
        for lr in rates:
            for seed in range(3):
                start = time.perf_counter()
                setting = {**BASE, "momentum": momentum, "lr": lr, "seed": seed}
                accuracy = train(some, **setting)[1]["val_acc"][-1]
                lines.writerow([momentum, lr, seed, accuracy, time.perf_counter() - start])
print(Path("runs.csv").read_text())
### END SOLUTION

# %% [markdown]
# **Report** (10 points). 150 to 300 words, one figure and one table of your own. (Matplotlib's `plt.savefig("figure.png")` saves a figure; drag the file into the cell.) This is how it is marked:
#
# | | points |
# |---|---:|
# | the claim, in one sentence that could have turned out wrong, and your prediction | 1 |
# | what was changed and what was kept; numbers of images, epochs and seeds | 2 |
# | the table: mean and spread over the seeds | 2 |
# | the figure: axes, units, readable without the text | 1 |
# | validation accuracy only; the test images were not touched | 1 |
# | doubt: another explanation, how sure you are, what you would do next | 2 |
# | the script does what the text says | 1 |
#
# (about 35 min)

# %% [markdown] nbgrader={"grade": true, "grade_id": "report_own_experiment", "locked": false, "points": 10, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer.** *Prediction and claim.* Momentum 0.9 adds up about ten steps, so a run with rate 0.01 and momentum 0.9 should do the same as one with rate 0.1 without momentum. The best accuracy should be equal, at rates a factor of ten apart.
#
# *What was done.* 128 hidden units, 8 epochs, decay 0.85, batches of 200, 4,500 drawn images to train on and 1,000 to validate. Only rate and momentum changed; three seeds each. Validation accuracy, mean (smallest to largest):
#
# | rate / (1 − momentum) | momentum 0 | momentum 0.9 |
# |---|---|---|
# | 0.01 | 33.6 % (32.1–35.9) | 33.6 % (32.1–35.1) |
# | 0.03 | 40.8 % (40.4–41.1) | 41.3 % (40.6–42.1) |
# | 0.1 | 42.0 % (41.1–42.9) | 46.3 % (45.8–47.1) |
# | 0.3 | 9.2 %, diverged | 45.4 % (44.2–47.3) |
#
# *Figure.* Both columns over rate / (1 − momentum), on a logarithmic axis, with bars from the smallest to the largest seed: the curves coincide on the left and part at 0.1.
#
# *Finding.* For small rates the claim holds: the two agree within the spread. For large ones it is wrong. Without momentum, accuracy flattens at 0.1 and the loss explodes at 0.3; with momentum the same total step is safe and four points better, far outside the spread.
#
# *Doubt.* Eight epochs favour whatever learns fast; with 30 epochs the gap may shrink. Between 0.1 and 0.3 there may be a better rate without momentum. Averaged gradients are less noisy, which I did not measure. Next: the same table with 30 epochs and with batches of 1,000.
#
# **Marking.** As in the table above; half points are allowed. A result that contradicts the claim is as good as one that supports it, if the text says so. Without several seeds: at most 1 point for the table, and 1 for the doubt. If two things changed at once, without a reason: at most 1 point for what was changed.
# ### END SOLUTION

# %% [markdown]
# ## 7 · One template, or many
#
# A linear classifier has exactly one row of weights for each class, and the score of the class is the dot product of the image with that row. So it compares each image with **one template per class**. A support vector machine shows what good templates look like.

# %%
# not run when graded
from sklearn.svm import LinearSVC

svm = LinearSVC(C=1e-4, tol=0.1, random_state=0)
svm.fit(data["X_train"][:3000].cpu().numpy(), data["y_train"][:3000].cpu().numpy())
on_validation = svm.score(data["X_val"].cpu().numpy(), data["y_val"].cpu().numpy())
print(f"linear SVM: validation accuracy {on_validation:.1%}; your net: {accuracy:.1%}")
plots.templates(torch.tensor(svm.coef_), cifar10.CLASSES)

# %%
# not run when graded
importance = best_net.second.weight.abs().sum(dim=0)  # how much the scores listen to each unit
heard = importance.argsort(descending=True)[:20]
plots.templates(best_net.first.weight[heard])

# %% [markdown]
# The first figure shows the templates of the SVM, one per class; the second, the 20 hidden units that your net's scores depend on most. The SVM's are mostly noise, and so are those of a net with weights of the usual size; look for a few large shapes that several images of a class share, such as the frog, the ship and the horse's legs; on real photographs the horse has two heads. A net that was trained with `flip` has units that are nearly their own mirror images.
#
# The SVM has seen only 3,000 images; with all 9,000 it reaches 42 % instead of 40 % on the drawn ones.
#
# **Question 4** (3 points). What can a classifier with one template per class not do, and how does a hidden layer help? What can your two-layer net still not do? *A full answer gives two things that a single template cannot do, with an example from these classes; says how the hidden units and the second layer overcome this; and names one limit that remains, with the type of layer that removes it.* (about 10 min)

# %% [markdown] nbgrader={"grade": true, "grade_id": "question_templates", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer.** One template is one weighted sum: it must average all the appearances of its class. A horse that faces left and one that faces right become a horse with two heads; red and blue cars become a car of mixed colour; what the images share is often the background (blue for ships and airplanes), so a ship on grass is missed. It also cannot express "either … or": a weighted sum rises with every matching feature, and one plane cannot separate a class that consists of two separate groups. Hidden units are many templates, each for one appearance or one part of an object, and the ReLU lets each respond only when it fits; the second layer adds those that support a class, and subtracts those that count against it, so a class has as many templates as it needs. What remains: every template is tied to one position. The same frog a few pixels further left, smaller or rotated needs other units and other training images. Convolution shares a small template across all positions, and pooling makes the answer depend less on the position.
#
# **Marking.** 1 point: two failures of a single template, with an example (half each). 1 point: many templates, made selective by the ReLU, combined by the second layer (half without the role of the ReLU or the second layer). 1 point: position (or scale, rotation) as the remaining limit, and convolution.
# ### END SOLUTION

# %% [markdown]
# ## What you have now
#
# **How far can one hidden layer go?** With 2,048 units, dropout, mirrored images that are moved by up to two pixels, and 60 epochs, your `TwoLayerNet` gets 61.9 % of the 10,000 real test images right (95 % interval 60.9 to 62.8 %; 24 minutes on one processor core). A student's report on the same task reached 55.1 %, the teaching staff 56 %.
#
# **What the field does today.** The experiments are the same, only larger. A big model is tuned on small ones first, and the settings are carried over by rules for how they scale with width and batch size. Searches are random or Bayesian rather than on a grid, and bad runs are stopped early. Every run is logged with its settings, its seed and its curves. Swish, as SiLU, is in many current language models and detectors.
#
# - [A recipe for training neural networks](https://karpathy.github.io/2019/04/25/recipe/) (Karpathy 2019): this notebook's list, from somebody who has needed it often.
# - [Deep learning tuning playbook](https://github.com/google-research/tuning_playbook) (Godbole et al. 2023): how to plan a search when runs are expensive.
# - [Searching for activation functions](https://arxiv.org/abs/1710.05941) (Ramachandran et al. 2017): where Swish comes from, and how it was tested.
#
# The next notebook uses convolutions: templates that slide over the image.

# %%
# not run when graded
# Save the notebook first. This runs it in a fresh process, shows what is missing, and writes the
# zip to hand in; check.progress() shows how far you are in the whole course.
check.hand_in()
