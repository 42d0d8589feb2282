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
# # Facial expressions: a CNN that is fair to rare classes
#
# **After this notebook you can** read a data set's card before you trust it, build a convolutional network to a specification and one of your own under a budget, make it generalise, resume training after a lost connection, measure what accuracy hides, be fair to a class with few examples, and look at what an answer depends on.
#
# **Time** about 6 hours · **Hardware** any laptop; with a GPU, also the real FER2013 and the large network · **Points** 100: 75 for code and for your trained net, graded by hidden checks, 15 for three written answers and 10 for a report of one page · **Hand in** the zip that the last cell writes: notebook and `faces_net.safetensors`
#
# | section | what you write | minutes |
# |---|---|---:|
# | 1 A card for the data | a prediction | 10 |
# | 2 The network of the report | `ReportCNN`, a small network of your own; Question 1 | 68 |
# | 3 Augmentation | a random transform | 19 |
# | 4 Training that survives | checkpoints | 34 |
# | 5 What accuracy hides | confusion matrix, recall, macro-F1; Question 2 | 35 |
# | 6 Fair to the rare | weights, adjusted logits; Question 3 | 41 |
# | 7 Several opinions | an ensemble that also sees mirror images | 18 |
# | 8 The network that you hand in | a recipe | 23 |
# | 9 Where does it look? | Grad-CAM | 31 |
# | 10 Your own experiment | a script, a report | 81 |
#
# The minutes include reading, predictions, answers and waiting.
#
# You may use all of `torch.nn` here. A cell that begins with `# not run when graded` is for you only: the grader skips it, and graded functions must not need anything from it. Use this line in long cells of your own. `check.show_code("fit_resumes")` shows how a check calls your code.

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
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.transforms import v2

from autograder import Checker
from autograder.assignments.a4_facial_expression.lesson import plots, training
from autograder.assignments.a4_facial_expression.lesson.training import (
    Run, normalise, predict_logits,
)  # fmt: skip
from autograder.notebook.artifacts import save_artifact
from data_scripts import fer2013

check = Checker("a4_facial_expression")
CLASSES = fer2013.CLASSES  # angry, disgust, fear, happy, sad, surprise, neutral

# %% [markdown]
# The settings. You work with faces drawn by this course: 6,000 to train on, 800 to validate and 800 to test, with the expressions as frequent as in the real set. `REAL = True` takes FER2013, 35,887 photographs that you download yourself (`python -m data_scripts.fer2013` says how); use a GPU for it.
#
# Unfinished training runs are kept in `RUNS`. In Colab, choose a folder of your Google Drive.

# %%
REAL = False  # True: the real FER2013
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
RUNS = Path("runs")
check.set_up(DEVICE, f"{'real' if REAL else 'drawn'} faces")

# %% [markdown]
# ## 1 · A card for the data
#
# Before you train on a data set, write its card: how many samples each class has, where they come from, and what is wrong with them.
#
# FER2013 was collected by searching the web for words of emotion and cropping the faces that were found. People agree with its labels in about two thirds of the cases (65 ± 5 %, Goodfellow et al. 2013). On Kaggle, everybody saw the scores on the *public test*, our validation split; the *private test*, our test split, decided. The drawn faces have its 48 × 48 pixels, class shares and faults. Much of what follows comes from **the report** that a student of another course wrote about FER2013.
#
# Cover the names on the left of the picture and guess a row or two. Which ones do you mix up?

# %% nbgrader={"grade": false, "grade_id": "load_faces", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
class Faces(NamedTuple):
    X: torch.Tensor  # (N, 1, 48, 48), uint8
    y: torch.Tensor  # (N,), int64 in 0..6


train, val, test = (Faces(*fer2013.load(s, real=REAL)) for s in ("train", "validation", "test"))
first_ten = {name: train.X[train.y == k][:10] for k, name in enumerate(CLASSES)}
plots.face_rows(first_ten, "the first ten training faces of each class")

# %% nbgrader={"grade": false, "grade_id": "draw_counts", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
splits = {"training": train, "validation": val, "test": test}
counts = {name: part.y.bincount(minlength=len(CLASSES)) for name, part in splits.items()}
for name, n in counts.items():
    print(f"{name:11}{n.sum():7,} faces; largest class / smallest class = {n.max() / n.min():.1f}")
plots.class_shares(counts, CLASSES)

# %% [markdown]
# A test set is worth something only if its images are new. Web searches find the same photograph under several words, so we look for copies: all training images go into a dictionary, with their *bytes* as the key, and the images of the other splits are looked up.
#
# **Predict first.** How many of the 800 test faces are in the training set too? *My prediction:* …

# %% nbgrader={"grade": false, "grade_id": "remove_duplicates", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
places, elsewhere = {}, set()
for i, face in enumerate(train.X):
    places.setdefault(face.numpy().tobytes(), []).append(i)
for name in ("validation", "test"):
    part = splits[name]
    copies = [places.get(face.numpy().tobytes(), []) for face in part.X]
    pairs = [(i, j) for j, found in enumerate(copies) for i in found]
    differ = sum(bool(train.y[i] != part.y[j]) for i, j in pairs)
    elsewhere |= {i for i, _ in pairs}
    print(f"{name:11}{sum(map(bool, copies)):4} of {len(part.y):,} faces are in training too: "
          f"{len(pairs)} pairs, {differ} with different labels")  # fmt: skip
keep = [i for i in range(len(train.y)) if i not in elsewhere]
print(f"{len(train.y) - len(keep)} of {len(train.y):,} training faces removed")
train = Faces(train.X[keep], train.y[keep])  # without those that are in val or test

# %% [markdown]
# In the real FER2013 we counted 288 of the 3,589 test images in the training split too (in 22 pairs the two labels differ). On a test image that it has seen, a large network repeats the label it was given, so the test measures memory. Nearly every published result includes these images. The cell above removed the copies from the *training set*: the test set is still the official one, and all of its images are new.
#
# The 28,709 training images are only 27,473 different ones. The report validated on a random 12 % of them, so many a validation face had its twin in training. It measured up to 70 % there, and got 65.3 % on the private test. Are the twins to blame? In a run of ours, 66.3 % of a random 12 % were right, and 65.4 % of those without a twin in training: the twins explain one point of the five (`python -m bench.figures faces_validation`).
#
# **What it must not be used for.** The labels are what strangers read into a face, not what the person felt; the faces were taken from the web without asking; and a model that learned from them works unequally well for different groups of people. In the European Union, article 5 of the AI Act has prohibited systems that infer emotions at work and in education since February 2025, except for medical or safety reasons.

# %% [markdown]
# ## 2 · The network of the report
#
# The report describes its network in enough detail to build it again. In this notebook, images pass through `normalise`, which is $(x - 0.5) / 0.25$, before a network sees them.
#
# **Task** (30 min, medium). Build `ReportCNN`. Images are 1 × 64 × 64. It has two sub-modules, and its output is `head(blocks(x))`.
#
# `blocks` is an `nn.Sequential` of **four blocks** with 64, 128, 256 and 512 output channels. Each of them is, in this order:
#
# 1. a convolution, 3 × 3, padding 1, with bias
# 2. batch norm
# 3. the activation: `RReLU` in the first block, `ReLU` in the other three
# 4. max pooling, 2 × 2
# 5. dropout of single values (not of whole maps) with probability 0.25
#
# `head` takes the maps of the fourth block, flattened in the usual order (`nn.Flatten`):
#
# $$8192 \to \text{Dropout} \to 4096 \to \text{RReLU} \to \text{Dropout} \to 1024 \to \text{RReLU} \to 256 \to \text{RReLU} \to 7$$
#
# where each number after an arrow is the output of a linear layer with bias, and dropout has probability 0.5. The outputs are logits. Everything else is torch's default. The report counts **39,569,799 parameters**: make this your first test.
#
# `RReLU` is a leaky ReLU whose slope for negative values is random in training mode.
#
# Two checks fill your network with given numbers. The first looks at how it is built and behaves, the second at the logits.
#
# <details><summary>Hint: my number is too small</summary>How many are missing: the 960 biases of the convolutions, or the 1,920 parameters of the batch norms?</details>

# %% nbgrader={"grade": false, "grade_id": "ReportCNN", "locked": false, "schema_version": 3, "solution": true, "task": false}
class ReportCNN(nn.Module):
    """The report's network: normalised images (N, 1, 64, 64) -> logits (N, 7).

    Sub-modules: blocks, an nn.Sequential of four, -> maps (N, 512, 4, 4); head -> logits.
    """

    def __init__(self):
        super().__init__()
        ### BEGIN SOLUTION

        def block(c_in: int, c_out: int, activation: nn.Module) -> nn.Sequential:
            convolution = nn.Conv2d(c_in, c_out, 3, padding=1)
            norm = nn.BatchNorm2d(c_out)
            return nn.Sequential(convolution, norm, activation, nn.MaxPool2d(2), nn.Dropout(0.25))

        self.blocks = nn.Sequential(
            block(1, 64, nn.RReLU()),
            block(64, 128, nn.ReLU()),
            block(128, 256, nn.ReLU()),
            block(256, 512, nn.ReLU()),
        )
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(0.5), nn.Linear(8192, 4096), nn.RReLU(),
            nn.Dropout(0.5), nn.Linear(4096, 1024), nn.RReLU(),
            nn.Linear(1024, 256), nn.RReLU(),
            nn.Linear(256, 7),
        )  # fmt: skip
        ### END SOLUTION

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        ### BEGIN SOLUTION
        return self.head(self.blocks(x))
        ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "report_cnn_structure", "locked": true, "points": 7, "schema_version": 3, "solution": false, "task": false}
check.public("report_cnn_structure", ReportCNN)
### BEGIN HIDDEN TESTS
check.hidden("report_cnn_structure", ReportCNN)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "report_cnn_output", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.public("report_cnn_output", ReportCNN)
### BEGIN HIDDEN TESTS
check.hidden("report_cnn_output", ReportCNN)
### END HIDDEN TESTS

# %% [markdown]
# **Question 1** (5 points). What does each type of layer do in this network, and where are the parameters? (about 10 min)
#
# A full answer
#
# - gives one reason for each of convolution, batch norm, activation, max pooling and dropout,
# - names the layer with most of the parameters, their number and their share, with the calculation.

# %% [markdown] nbgrader={"grade": true, "grade_id": "question_layers", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer.** Convolution: the same small filter at every position, so a mouth corner is learned once and found anywhere, with few weights. Batch norm: keeps the numbers of each channel at a similar mean and spread, so that larger learning rates work; its noise from batch to batch regularises a little. (It also makes the biases of the convolutions before it useless, because it subtracts them again.) Activation: without it, all layers together would be one linear map; RReLU lets a gradient through for negative inputs too, and its random slope regularises. Max pooling: halves height and width, so later filters see a larger part of the face, the cost falls, and a shift by a pixel matters less. Dropout: no unit can rely on a single other one; it reduces overfitting, which a network of 40 million parameters and 28,709 faces needs. Parameters: the first linear layer has 8192 · 4096 + 4096 = 33,558,528 of 39,569,799, that is 85 %; all four convolutions together have 1,549,824, or 4 %.
#
# **Marking.** 3 points: the five types of layer, each with a reason (2 for four, 1 for three). 2 points: the first linear layer, 33.6 million, 85 %, calculated (1 without the calculation).
# ### END SOLUTION

# %% [markdown]
# ### One of your own
#
# Can you do it with less than a hundredth? Think about speed as well: the cost of a layer is the number of positions times the number of weights.
#
# **Task** (25 min, medium). Build `SmallCNN` for normalised images of 1 × 48 × 48. The layers are up to you. The network must
#
# 1. have two sub-modules: `features` turns images (N, 1, 48, 48) into maps (N, K, h, w), with *at least 3 × 3 positions*, because section 9 asks where your network looks; `head` turns the maps into logits (N, 7), not probabilities. `forward(x)` is `head(features(x))`, and nothing else.
# 2. have at most **300,000** parameters, all of which affect the output in evaluation mode.
# 3. in evaluation mode give the same answer every time, for any N ≥ 1, and for each image whatever else is in the batch.
#
# <details><summary>Hint: a plan that works</summary>5 × 5 with stride 2 to 24 channels, pool; 3 × 3 to 48, pool; 3 × 3 to 96. Each convolution with padding and without bias, then batch norm and ReLU. Head: pool to 3 × 3 positions, flatten, dropout, linear. That is 58,831 parameters, and fast on a laptop. For the real faces spend the rest: 32, 64 and 128 channels, two convolutions of each, the first 5 × 5: 295,463.</details>

# %% nbgrader={"grade": false, "grade_id": "SmallCNN", "locked": false, "schema_version": 3, "solution": true, "task": false}
class SmallCNN(nn.Module):
    """A network of your own: normalised images (N, 1, 48, 48) -> logits (N, 7).

    Sub-modules: features -> maps (N, K, h, w); head, maps -> logits. At most 300,000 parameters.
    """

    def __init__(self):
        super().__init__()
        ### BEGIN SOLUTION

        def layer(c_in: int, c_out: int, k: int = 3, stride: int = 1) -> list[nn.Module]:
            convolution = nn.Conv2d(c_in, c_out, k, stride, padding=k // 2, bias=False)
            return [convolution, nn.BatchNorm2d(c_out), nn.ReLU()]

        self.features = nn.Sequential(
            *layer(1, 24, k=5, stride=2), nn.MaxPool2d(2),
            *layer(24, 48), nn.MaxPool2d(2),
            *layer(48, 96),
        )  # fmt: skip
        self.head = nn.Sequential(
            nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.3), nn.Linear(9 * 96, 7)
        )
        ### END SOLUTION

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        ### BEGIN SOLUTION
        return self.head(self.features(x))
        ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "small_cnn", "locked": true, "points": 9, "schema_version": 3, "solution": false, "task": false}
check.public("small_cnn", SmallCNN)
### BEGIN HIDDEN TESTS
check.hidden("small_cnn", SmallCNN)
### END HIDDEN TESTS

# %% [markdown]
# ## 3 · Augmentation
#
# In the report, validation accuracy stops at 55 % without augmentation and reaches 70 % with it: a network that sees another version of a face in every epoch cannot learn the pixels by heart. It is for **training only**.
#
# **Task** (15 min, easy). Write `make_augmentation`. It returns a transform built from `torchvision.transforms.v2`, for float images (n, 1, 48, 48) in 0…1. Choose the strengths within these bounds:
#
# | what | how often | how much |
# |---|---|---|
# | mirrored, left and right | half of the images | |
# | rotated | all | by an angle drawn from −a…a degrees, a between 10 and 30 |
# | seen in perspective | 20 % or more | `distortion_scale` between 0.1 and 0.3 |
# | Gaussian blur | 20…50 % | kernel 3 or 5, sigma drawn between 0.1 and at most 2 |
# | Gaussian noise | 20…50 % | sigma between 0.02 and 0.1 |
# | last of all, a rectangle erased | 20…50 % | black (the default), 2…10 % of the area |
#
# A face is never upside down. The result has the shape and dtype of the images, and its values stay in 0…1. The images themselves are not modified. Random numbers come from torch's global generator.
#
# The check applies your transform 600 times and looks at the statistics.
#
# <details><summary>Hint 1: names</summary><code>v2.RandomHorizontalFlip</code>, <code>v2.RandomRotation</code>, <code>v2.RandomPerspective</code>, <code>v2.GaussianBlur</code>, <code>v2.GaussianNoise</code>, <code>v2.RandomErasing</code>; <code>v2.Compose</code> puts them in a row.</details>
# <details><summary>Hint 2: those without a p</summary>Blur and noise have no argument <code>p</code>. <code>v2.RandomApply([transform], p=0.3)</code> has.</details>

# %% nbgrader={"grade": false, "grade_id": "make_augmentation", "locked": false, "schema_version": 3, "solution": true, "task": false}
def make_augmentation() -> v2.Transform:
    """Build a random transform for float images (n, 1, 48, 48) in 0..1."""
    ### BEGIN SOLUTION
    return v2.Compose([
        v2.RandomHorizontalFlip(p=0.5),
        v2.RandomRotation(15, interpolation=v2.InterpolationMode.BILINEAR),
        v2.RandomPerspective(distortion_scale=0.2, p=0.5),
        v2.RandomApply([v2.GaussianBlur(kernel_size=3, sigma=(0.1, 1.0))], p=0.2),
        v2.RandomApply([v2.GaussianNoise(sigma=0.05)], p=0.2),
        v2.RandomErasing(p=0.25, scale=(0.02, 0.1)),
    ])  # fmt: skip
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "augmentation_statistics", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
check.public("augmentation_statistics", make_augmentation)
### BEGIN HIDDEN TESTS
check.hidden("augmentation_statistics", make_augmentation)
### END HIDDEN TESTS

# %% nbgrader={"grade": false, "grade_id": "draw_augmented", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
torch.manual_seed(0)
augmentation = make_augmentation()
rows = {}
for k, name in enumerate(CLASSES):
    face = train.X[train.y == k][:1].float() / 255
    rows[name] = torch.cat([face, *(augmentation(face) for _ in range(9))])
plots.face_rows(rows, "as stored, and nine times augmented")

# %% [markdown]
# Could you still tell the expression in each row? That is the only rule of augmentation: **what you do must not change the label**. It depends on the task: a mirrored face is as happy as before, and a mirrored 2 is not a 2.
#
# A transform of `v2` draws its random numbers **once for each call**. If you call it with 128 images, all are tilted by the same 7 degrees. Image by image, the calls cost more than the work. So `training.training_batches` calls your transform with groups of ten, which takes a fifth of the time.

# %% [markdown]
# ## 4 · Training that survives
#
# In a3 you kept the best epoch and stopped in time; here `training.fit` does both. The rest of the loop, `training.train_net`, has three things that are new:
#
# - The **learning rate** rises linearly during the first epoch, because at first the optimiser's averages have seen nothing. Then it falls along half a cosine to nearly zero.
# - **Label smoothing** takes $\epsilon$ from the label's probability of 1 and distributes it equally over all classes, the label included. Plain cross-entropy is satisfied only by a probability of 1, but people agree on only two faces in three.
# - **Checkpoints**: Colab may take the machine away at any time, and training must resume *as if nothing had happened*.
#
# For its final network, the report stopped training as soon as its own validation reached 66 %, because the strong baseline of the public leaderboard stood at 64.1 %. So scores on Kaggle's test faces decided when to stop. And the threshold says when *other* networks were good, not when this one is at its best: keep the best validation epoch, and choose nothing by the test faces. (The tables of this notebook show them, but never to choose by.)
#
# ### Resume as if nothing had happened
#
# A `Run` holds a training run: its `model`, its `optimiser`, a `scaler` (for 16 bits on a GPU; it does nothing without one), its `history`, a list of dicts, and `best`, a dict with the best epoch and its weights. After a lost connection there is a new `Run`, with new random weights; `load_run` turns it into the old one.
#
# What belongs into the file? Everything that decides what the next step does. That includes the **generator state** of the random numbers, which choose the next batches, augmentation and dropout. If you forget something, training continues differently, and no error message will ever show it.
#
# **Task** (25 min, medium). Write `save_run` and `load_run`.
#
# - Save with `torch.save`, and load with `torch.load(…, weights_only=True)`, which refuses to run code that somebody hid in a file.
# - Put everything into the *one* file.
#
# The check trains a small network without interruption, and again with the connection lost in the middle of some epochs (`lost_in`). The two results must be equal, to the last digit.
#
# <details><summary>Hint 1: random numbers</summary><code>torch.get_rng_state()</code> is a tensor, and <code>torch.set_rng_state(…)</code> takes it back. The GPUs have <code>torch.cuda.get_rng_state_all()</code>.</details>
# <details><summary>Hint 2: who has a state</summary>The model, the optimiser and the scaler each have <code>state_dict()</code> and <code>load_state_dict(…)</code>. <code>history</code> and <code>best</code> can be saved as they are. <code>run</code> itself cannot: <code>weights_only</code> refuses objects.</details>

# %% nbgrader={"grade": false, "grade_id": "save_run", "locked": false, "schema_version": 3, "solution": true, "task": false}
def save_run(run: Run, path: Path) -> None:
    """Write everything that training needs in order to resume into one file."""
    ### BEGIN SOLUTION
    state = {
        "model": run.model.state_dict(),
        "optimiser": run.optimiser.state_dict(),
        "scaler": run.scaler.state_dict(),
        "history": run.history,
        "best": run.best,
        "random": torch.get_rng_state(),
        "random_cuda": torch.cuda.get_rng_state_all(),
    }
    part = path.with_name(path.name + ".part")
    torch.save(state, part)
    part.replace(path)
    ### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "load_run", "locked": false, "schema_version": 3, "solution": true, "task": false}
def load_run(run: Run, path: Path) -> None:
    """Turn a new run, of a model of the same shape, into the one that save_run has written."""
    ### BEGIN SOLUTION
    state = torch.load(path, map_location="cpu", weights_only=True)
    run.model.load_state_dict(state["model"])
    run.optimiser.load_state_dict(state["optimiser"])
    run.scaler.load_state_dict(state["scaler"])
    run.history, run.best = state["history"], state["best"]
    torch.set_rng_state(state["random"])
    torch.cuda.set_rng_state_all(state["random_cuda"])
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "fit_resumes", "locked": true, "points": 9, "schema_version": 3, "solution": false, "task": false}
check.public("fit_resumes", save_run, load_run)
### BEGIN HIDDEN TESTS
check.hidden("fit_resumes", save_run, load_run)
### END HIDDEN TESTS

# %% [markdown]
# ### The first two networks
#
# Stop a training run in the middle (the black square), run the cell again, and watch where it resumes; a run that has ended starts anew. (About a minute each.) `FEW` is for this and the next sections: 600 faces, few enough to be learned by heart.
#
# **Predict first.** Which of the two networks has the lower *training* loss at the end, which one the lower *validation* loss? *My prediction:* …

# %% nbgrader={"grade": false, "grade_id": "train_net", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
def train_net(name, model, train, val, **settings):
    """Train a model; `training.train_net??` shows the settings and the loop."""
    return training.train_net(RUNS, name, model, train, val, save_run, load_run, **settings)

# %%
# not run when graded
FEW = Faces(train.X[:600], train.y[:600]) if not REAL else train
EPOCHS = 40
augmented = {"epochs": EPOCHS, "augmentation": make_augmentation()}


def new_net(seed=0):
    """Return a SmallCNN, always with the same random weights."""
    torch.manual_seed(seed)
    return SmallCNN()


runs = {
    "plain": train_net("plain", new_net(), FEW, val, epochs=EPOCHS),
    "augmented": train_net("augmented", new_net(), FEW, val, **augmented),
}
nets = {name: run.model for name, run in runs.items()}
plots.training_runs({name: run.history for name, run in runs.items()})

# %% [markdown]
# Without augmentation the training loss goes to zero, while the validation loss soon stops falling: the network learns its 600 faces by heart. With augmentation the training loss stays higher, and the validation loss lower. The dots are the epochs kept, by validation macro-F1 (section 5).

# %% [markdown]
# ## 5 · What accuracy hides
#
# Only 1.5 % of the faces show disgust. A network that never says *disgust* loses 1.5 points of accuracy. The **confusion matrix** shows which class pays: `confusion[t, p]` counts the images of class $t$ that were predicted as class $p$.
#
# Three numbers summarise a class $c$. Its **precision** is the share of the images *predicted* as $c$ that really are $c$. Its **recall** is the share of the images that *are* $c$ that were found. **F1** is the harmonic mean of the two, which lies nearer to the smaller one:
#
# $$P_c = \frac{n_{cc}}{\sum_t n_{tc}} \qquad R_c = \frac{n_{cc}}{\sum_p n_{cp}} \qquad F_c = \frac{2 P_c R_c}{P_c + R_c}$$
#
# **Macro-F1** is the mean of F1 over *all* C classes, each counting the same. (The harmonic mean of the mean precision and the mean recall is a different number.)
#
# **Task** (18 min, medium). Write two functions.
#
# 1. `confusion_matrix`: `y` and `predictions` are (N,), `int64`, N ≥ 1. The result is `int64` and always `num_classes` × `num_classes`, also for classes that never occur or are never predicted.
# 2. `class_scores` returns four things: precision, recall and F1 as tensors (C,), `float64`, and macro-F1 as a Python number or a tensor of shape (). Whatever is not defined is 0: the precision of a class that was never predicted, the recall of a class that does not occur, F1 where both are 0. Such zeros count in macro-F1.
#
# Do not change the matrix, and add nothing to a denominator: the check notices even 1e-6.
#
# <details><summary>Hint 1: a trap</summary><code>table[y, predictions] += 1</code> counts each pair once, however often it occurs. t · C + p is a different number for every pair, and <code>torch.bincount(…, minlength=…)</code> counts numbers.</details>
# <details><summary>Hint 2: which sum is which</summary>The images predicted as c are in <em>column</em> c; the images that are c are in <em>row</em> c.</details>
# <details><summary>Hint 3: 0 / 0</summary>A count is 0 or at least 1. If the denominator is 0, so is the numerator: <code>.clamp(min=1)</code> turns 0 / 0 into 0 / 1. And F = 2 n<sub>cc</sub> / (row sum + column sum) needs no P and no R.</details>

# %% nbgrader={"grade": false, "grade_id": "confusion_matrix", "locked": false, "schema_version": 3, "solution": true, "task": false}
def confusion_matrix(y: torch.Tensor, predictions: torch.Tensor, num_classes: int) -> torch.Tensor:
    """Count which true class (row) was predicted as which class (column).

    `y` and `predictions` are labels (N,). Returns (num_classes, num_classes), int64.
    """
    ### BEGIN SOLUTION
    pairs = y * num_classes + predictions
    counts = torch.bincount(pairs, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "confusion_values", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.public("confusion_values", confusion_matrix)
### BEGIN HIDDEN TESTS
check.hidden("confusion_values", confusion_matrix)
### END HIDDEN TESTS

# %% nbgrader={"grade": false, "grade_id": "class_scores", "locked": false, "schema_version": 3, "solution": true, "task": false}
def class_scores(
    confusion: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, float]:
    """Compute precision, recall and F1 of each class, and macro-F1, from counts (C, C).

    Returns three tensors (C,), float64, and a number; what is not defined is 0.
    """
    ### BEGIN SOLUTION
    right = confusion.diagonal().double()
    called, there = confusion.sum(dim=0), confusion.sum(dim=1)
    precision = right / called.clamp(min=1)
    recall = right / there.clamp(min=1)
    f1 = 2 * right / (called + there).clamp(min=1)
    return precision, recall, f1, f1.mean().item()
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "class_score_values", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check.public("class_score_values", class_scores)
### BEGIN HIDDEN TESTS
check.hidden("class_score_values", class_scores)
### END HIDDEN TESTS

# %% nbgrader={"grade": false, "grade_id": "look_at_confusion", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
net = nets["augmented"]
predictions = predict_logits(net, val.X).argmax(dim=1)
confusion = confusion_matrix(val.y, predictions, len(CLASSES))
plots.confusion_matrix(confusion / confusion.sum(dim=1, keepdim=True), CLASSES)
*columns, macro = class_scores(confusion)
print(f"{'':10}{'faces':>6}{'precision':>11}{'recall':>9}{'F1':>8}")
for c, name in enumerate(CLASSES):
    scores = [float(column[c]) for column in columns]
    print("{:10}{:6}{:11.1%}{:9.1%}{:8.1%}".format(name, int(confusion[c].sum()), *scores))
accuracy = (confusion.diagonal().sum() / confusion.sum()).item()
print(f"\naccuracy {accuracy:.1%}, macro-F1 {float(macro):.1%}")

# %% [markdown]
# Each row of the picture is a true class and adds up to 100 %; the diagonal is the recall. Only 12 of the 800 validation faces show *disgust*: one face is eight points of its recall.
#
# Are the expressions that it mixes up those that you mixed up in section 1? Choose a pair, and look at the faces behind the numbers.

# %%
# not run when graded
pair = "happy", "surprise"  # choose yours
rows = {}
for true, other in (pair, pair[::-1]):
    for said in (true, other):
        found = val.X[(val.y == CLASSES.index(true)) & (predictions == CLASSES.index(said))]
        print(f"{len(found):4} {true} faces were taken for {said}")
        if len(found):
            rows[f"{true}, predicted {said}"] = found[:10]
plots.face_rows(rows, "up to ten validation faces in each row")

# %% [markdown]
# **Question 2** (5 points). Which expressions does your network confuse, and why? (about 12 min)
#
# A full answer
#
# - names the pair with the most errors, counted in faces, *in both directions together*, with both numbers of faces and their shares of the true class,
# - says in which direction the network errs more often, and why,
# - gives a reason in the faces (what do the two expressions share?) or in the labels (would people agree?), with a face from the last picture, drawn for this pair,
# - names one thing that would tell the two apart, and how you would find out whether it does.

# %% [markdown] nbgrader={"grade": true, "grade_id": "question_confusions", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer.** Sad and neutral: 50 of 138 neutral faces (36 %) were taken for sad, and 19 of 135 sad ones (14 %) for neutral, 50 % together. (Fear and surprise follow: 31 of 89 and 15 of 114, 48 %.) The network errs more often towards *sad*. The priors do not explain it: the two classes are equally frequent. It rather says *sad* whenever nothing speaks for another class: recall 70 %, but a precision of 56 %; neutral has 37 % recall.
#
# *In the faces.* Both have a closed mouth and no teeth. What differs is the slant of the brows, the lids and the corners of the mouth, by one or two pixels of 48; a weak expression, a tilted head or a shadow hides it. *In the labels.* The web search decided: a relaxed face found under "sad" is called sad. People agree on two faces in three, and a mouth that hangs a little at rest makes a person look sad who is not. Several of the neutral faces in the picture I would have called sad, too.
#
# *What would tell them apart.* More pixels around mouth and brows: train on faces enlarged to 96 pixels, or with fewer strides, and compare the errors of this pair over several seeds. Or several labels for each face: if people split evenly on just these faces, no network can do better. A second image of the same person at rest would help most.
#
# **Marking.** 1 point: the pair, from both directions, with shares and numbers (half with one direction only). 1 point: the direction, with a reason that fits the numbers (class shares, recall against precision). 2 points: a reason in faces or labels (1), shown on a face or tied to what a picture of 48 pixels can show (1). 1 point: one thing that would tell them apart (half), and a measurement that could fail (half). Any pair that the student's own matrix supports is right.
# ### END SOLUTION

# %% [markdown]
# ## 6 · Fair to the rare
#
# Disgust is also 1.5 % of the loss, so the network learns to please the majority. There are three places to intervene: the loss, the batches, and the prediction.
#
# **The loss.** Multiply the loss of each image by the weight of its class: the inverse of the class's number of images.
#
# **The batches.** Or *draw* the rare classes more often.
#
# **Task** (10 min, medium). Write `balanced_weights`. From labels `y` (N,) it returns two `float64` tensors:
#
# 1. *class weights* (C,), proportional to 1 / count. Their mean is 1 **over the classes that occur**; a class that does not occur gets 0.
# 2. *sample weights* (N,), one for each image, that add up to 1, such that every class that occurs is drawn equally often, and all images of a class as well.
#
# <details><summary>Hint: from classes to images</summary><code>per_class[y]</code> looks up a number for each image.</details>

# %% nbgrader={"grade": false, "grade_id": "balanced_weights", "locked": false, "schema_version": 3, "solution": true, "task": false}
def balanced_weights(y: torch.Tensor, num_classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Weigh classes and images of labels y (N,) so that every class that occurs counts the same.

    Returns class weights (num_classes,) that average 1 over the classes that occur, 0 for the
    others, and the probability (N,) of drawing each image; both float64.
    """
    ### BEGIN SOLUTION
    counts = torch.bincount(y, minlength=num_classes).double()
    occurring = (counts > 0).sum()
    per_class = torch.where(counts > 0, 1 / counts, 0.0)
    class_weights = per_class * occurring / per_class.sum()
    sample_weights = per_class[y] / occurring
    return class_weights, sample_weights
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "balanced_weight_values", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.public("balanced_weight_values", balanced_weights)
### BEGIN HIDDEN TESTS
check.hidden("balanced_weight_values", balanced_weights)
### END HIDDEN TESTS

# %% [markdown]
# With a weight, a rare face gives a rare but *large* gradient; a sampler shows it often. Full weights may be too much: few faces are then learned by heart. Section 8 raises the weights to a power between 0 (none) and 1; a7 has another way.
#
# **The prediction.** Or correct the predictions afterwards. The network has learned $p(y \mid x) \propto p(x \mid y)\, \pi_y$, with $\pi_y$ the share of class $y$ in training (Bayes). Where all classes are equally frequent, the right answer is proportional to $p(y \mid x) / \pi_y$; in logits, subtract the logarithm of the prior. Menon et al. (ICLR 2021) subtract τ times as much.
#
# **Task** (10 min, easy). Write `adjust_logits`: logits − τ · log π, where π is the counts divided by their sum.
#
# - The logits of a class with count 0 stay as they are.
# - The result has the shape and dtype of `logits` (N, C).
# - Do not modify `logits`, and do not normalise them.
#
# <details><summary>Hint: a count of 0</summary>log 0 = −∞. <code>torch.where(counts &gt; 0, …, 0.0)</code> chooses between two tensors entry by entry.</details>

# %% nbgrader={"grade": false, "grade_id": "adjust_logits", "locked": false, "schema_version": 3, "solution": true, "task": false}
def adjust_logits(logits: torch.Tensor, counts: torch.Tensor, tau: float) -> torch.Tensor:
    """Subtract tau times the logarithm of the training prior from logits (N, C).

    `counts` (C,) are the numbers of training images; a class without any is left as it is.
    Returns (N, C) of the same dtype. Menon et al., ICLR 2021.
    """
    ### BEGIN SOLUTION
    prior = counts.double() / counts.sum()
    shift = torch.where(counts > 0, tau * prior.log(), 0.0)
    return logits - shift.to(logits.dtype)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "adjusted_logits", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.public("adjusted_logits", adjust_logits)
### BEGIN HIDDEN TESTS
check.hidden("adjusted_logits", adjust_logits)
### END HIDDEN TESTS

# %% [markdown]
# Now compare the augmented network with one that had the sampler too, and with the adjustment, whose τ is chosen on the validation faces. (For class weights, give `train_net` `class_weights=balanced_weights(FEW.y, 7)[0]`.)
#
# **Predict first.** Which of the remedies finds most of the disgusted faces, and what does it cost in accuracy? *My prediction:* …

# %% nbgrader={"grade": false, "grade_id": "train_fair_runs", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
counts = FEW.y.bincount(minlength=len(CLASSES))
drawn_equally = augmented | {"weights": balanced_weights(FEW.y, len(CLASSES))[1]}
nets["sampler"] = train_net("sampler", new_net(), FEW, val, **drawn_equally).model

# %% nbgrader={"grade": false, "grade_id": "compare_fairness", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
NAMES = ("accuracy", "macro-F1", "recall of disgust")
DISGUST = CLASSES.index("disgust")


def measured(logits, y):
    """Return accuracy, macro-F1 and the recall of the rarest class."""
    confusion = confusion_matrix(y, logits.argmax(dim=1), len(CLASSES))
    right = (confusion.diagonal().sum() / confusion.sum()).item()
    _, recall, _, macro = class_scores(confusion)
    return right, float(macro), recall[DISGUST].item()


def show(table, y):
    """Print what was measured for each row of a table of logits."""
    print(f"{'':22}" + "".join(f"{name:>20}" for name in NAMES))
    for name, found in table.items():
        print(f"{name:22}" + "".join(f"{value:20.1%}" for value in measured(found, y)))


taus = [tenth / 10 for tenth in range(21)]
logits = predict_logits(nets["augmented"], val.X)
swept = [measured(adjust_logits(logits, counts, tau), val.y) for tau in taus]
tau = max(zip(taus, swept, strict=True), key=lambda found: found[1][1])[0]  # by macro-F1
plots.prior_adjustment(taus, dict(zip(NAMES, zip(*swept, strict=True), strict=True)), tau)
table = {name: predict_logits(nets[name], test.X) for name in ("augmented", "sampler")}
for by in (1.0, tau):
    table[f"adjusted, τ = {by:g}"] = adjust_logits(table["augmented"], counts, by)
show(table, test.y)
for name in ("plain", "augmented"):
    found = predict_logits(nets[name], test.X).softmax(dim=1)
    right = (found.argmax(dim=1) == test.y).double().mean().item()
    print(f"{name:10} says {found.amax(dim=1).mean():.1%} on average, {right:.1%} are right")

# %% [markdown]
# In the picture, the recall of disgust rises in steps, one for each face. In our runs, with six disgusted faces among the 600, the sampler cost three to ten points of accuracy, class weights eight to thirteen, and they found none to three of the 12 in the test set: the network learns the six by heart. The adjustment with τ = 1 cost nothing to five and found one to three.
#
# With all faces, 90 of them disgusted, it is different. In five runs of 20 epochs with augmentation, the network alone found none of the 12; with the sampler it found two to five, macro-F1 rose by 0 to 6 points, and accuracy changed by −3 to +1. Adjusting the logits found three to eleven; it cost two to four points of accuracy, and gained about one of macro-F1. Whatever repeats faces needs faces that differ. Section 8 lets you try. Do not combine remedies at full strength: a network trained with weights already has balanced priors.
#
# A network is **calibrated** if it is right in 70 % of the cases in which it says 70 %. The last two lines compare the two averages. In our run the plain network, which knows its training faces by heart, said 80 % and was right in 60 %; the augmented one said 65 % and was right in 63 %. Dividing by priors assumes that the probabilities are right.
#
# **Question 3** (5 points). Is the class with the largest probability the best prediction? (about 12 min)
#
# A full answer
#
# - says for which measure it is, and under which two conditions,
# - names two situations in which it is not (equal classes are one; think of what errors cost, or of a place where other people go), and what to predict there instead,
# - compares two of the three remedies of this section by what each costs.

# %% [markdown] nbgrader={"grade": true, "grade_id": "question_arg_max", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer.** The arg-max of p(y | x) minimises the expected 0–1 loss, so it is best for accuracy, if the probabilities are right (calibrated: among faces that get 0.7, 70 % are that class; only their order matters for the arg-max) and if classes are as frequent where the network is used as in training. It is not best (1) for the balanced error or macro-F1, where every class counts the same: divide by the prior, predict arg max p(y | x) / π_y, that is of logits − log π (for macro-F1 only partly, with a τ chosen on validation images); (2) where the class shares differ from those in training: multiply by π′_y / π_y; (3) where mistakes cost differently: predict the class with the smallest expected cost, Σ_y p(y | x) cost(y, ŷ), or refuse to answer when all are expensive. The remedies: class weights need a new training run, make rare steps large and so training noisier, and their probabilities are no longer those of the data; a sampler needs a new training run too and repeats the few rare images, which overfits without augmentation; adjusting needs no training and can be changed at any time, but needs good probabilities and the priors, and cannot help where the features never learned the class. All of them pay with accuracy and with the precision of the rare classes: more false alarms.
#
# **Marking.** 2 points: best for 0–1 loss / accuracy (half), with both conditions: right probabilities, and the same priors (half). 2 points: two situations, each with what to predict instead (half each). 1 point: two remedies compared by cost, and that accuracy or precision is the price. "Yes, because it is the most probable" earns 1 point only.
# ### END SOLUTION

# %% [markdown]
# ## 7 · Several opinions
#
# If several networks are about equally good and err *independently*, their mean errs less than each of them. They saw the same faces, but random weights and batches make them differ. The price: M networks cost M times as much. A second opinion from the same network costs no training: show it the mirror image.
#
# **Task** (12 min, easy). Write `average_probabilities`: the mean of the *probabilities* that all `models` (one or more) give to normalised images `x` (N, 1, H, W) and to their left-right mirror images.
#
# - Run each model in evaluation mode and without recording gradients. Afterwards its `model.training` (set by `model.train(…)`) and the recording of gradients are what they were before.
# - The result has the dtype of the logits, which may be ±10,000.
# - Do not modify `x`.
#
# <details><summary>Hint: what to average</summary>Probabilities. In the mean of the <em>logits</em>, a network that shouts (logits of 50) would outvote all the others.</details>

# %% nbgrader={"grade": false, "grade_id": "average_probabilities", "locked": false, "schema_version": 3, "solution": true, "task": false}
def average_probabilities(models: list[nn.Module], x: torch.Tensor) -> torch.Tensor:
    """Average the probabilities (N, C) of all models for images x (N, 1, H, W) and mirror images.

    The models run in evaluation mode, without gradients, and get their modes back.
    """
    ### BEGIN SOLUTION
    found = []
    for model in models:
        was_training = model.training
        model.eval()
        with torch.no_grad():
            found += [model(x), model(x.flip(-1))]
        model.train(was_training)
    return torch.stack(found).softmax(dim=-1).mean(dim=0)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "opinion_values", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check.public("opinion_values", average_probabilities)
### BEGIN HIDDEN TESTS
check.hidden("opinion_values", average_probabilities)
### END HIDDEN TESTS

# %% [markdown]
# An **ablation** adds one ingredient after the other and leaves everything else as it is. Each row below adds one thing to the row above it; the second network differs in its seed only.
#
# **Predict first.** Which row gains most in accuracy, and how many points? *My prediction:* …

# %% nbgrader={"grade": false, "grade_id": "ablation", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
def two_looks(models, X):
    """Compute the probabilities (N, C), on the CPU, of faces X, uint8, and their mirror images."""
    batches = (normalise(x.to(DEVICE).float() / 255) for x in X.split(500))
    return torch.cat([average_probabilities(models, x).cpu() for x in batches])


second = train_net("augmented 1", new_net(1), FEW, val, seed=1, **augmented).model
show({
    "nothing": predict_logits(nets["plain"], test.X),
    "+ augmentation": predict_logits(nets["augmented"], test.X),
    "+ mirror images": two_looks([net], test.X),
    "+ a second network": two_looks([net, second], test.X),
}, test.y)  # fmt: skip

# %% [markdown]
# In five draws of 600 faces, augmentation changed accuracy by −5 to +6 points, mirror images by −1 to +2, a second network by −1 to +3; together by +4 on average. (Two networks together were better than the average of the two in every draw; than the first alone, they need not be.) How much of your table is noise? Each row is one training run, and another seed may move it by several points. The test faces are the same in all rows, so a difference depends only on those that the two rows answer differently: if there are 60 of them and 36 speak for one row, that is 1.5 points, and 36 of 60 tosses of a coin are nothing unusual.

# %% [markdown]
# ## 8 · The network that you hand in
#
# **Task** (15 min, plus five of training; 10 points, depending on the results on hidden faces). Choose a recipe, and train on all faces. The cell below writes `faces_net.safetensors`. **Hand that file in with the notebook.**
#
# - The prediction uses your `SmallCNN`, `average_probabilities` and `adjust_logits`, so fix those first.
# - `SmallCNN()` must stay what it was when you trained.
#
# A poor recipe is `{"epochs": 4, "peak": 1e-3, "smoothing": 0.0, "weighting": 0.0, "sampling": 0.0, "tau": 0.0}`. `peak` is the highest learning rate, `smoothing` the ε of label smoothing, `weighting` the power that your class weights are raised to (0 means none, 1 all), `sampling` that of the sampler's sample weights, and `tau` how far the logits are adjusted by the class priors; a new `tau` needs no new training. A batch has 64 faces here. Choose `tau` by the last column that the cell prints: the second graded set has equal classes.
#
# | | pass: half of the points | good: 80 % | excellent: all |
# |---|---:|---:|---:|
# | 5 points: accuracy, 800 drawn faces with the class shares of the training set (`tau` is not used) | 60 % | 67 % | 73 % |
# | 5 points: macro-F1, 420 drawn faces, 60 of each expression (`tau` is used) | 48 % | 58 % | 67 % |
# | real faces, if your teacher has them: accuracy on the private test | 64.114 % | 65.285 % | 69.914 % |
# | real faces: macro-F1 there | 57 % | 61 % | 66 % |
#
# 65.285 % is the report, 69.914 % the best of its class. The better of the results on drawn and on real faces counts. Your graded accuracy may differ from your own measurement by 4 points, macro-F1 by more: aim higher. Unless your teacher says otherwise, **hand in a network trained on drawn faces**.

# %% nbgrader={"grade": false, "grade_id": "my_recipe", "locked": false, "schema_version": 3, "solution": true, "task": false}
def my_recipe() -> dict[str, float]:
    """Choose epochs, peak, smoothing, weighting, sampling and tau for the net that you hand in."""
    ### BEGIN SOLUTION
    training_run = {"epochs": 20, "peak": 4e-3, "smoothing": 0.05}
    return {**training_run, "weighting": 0.75, "sampling": 0.0, "tau": 0.25}
    ### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "train_handed_in", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
recipe, totals = my_recipe(), train.y.bincount(minlength=len(CLASSES))
Path("faces_net.safetensors").unlink(missing_ok=True)  # so that no old one is handed in
settings = {key: recipe[key] for key in ("epochs", "peak", "smoothing")}
settings |= {"augmentation": make_augmentation(), "batch_size": 64}
class_weights, sample_weights = balanced_weights(train.y, len(CLASSES))
settings["class_weights"] = class_weights ** recipe["weighting"]
if recipe["sampling"]:
    settings["weights"] = sample_weights ** recipe["sampling"]
made_of = SmallCNN, make_augmentation, {**recipe, "tau": 0.0}
if globals().get("trained_with") != made_of:
    handed_in = train_net("handed in", SmallCNN(), train, val, **settings).model
    trained_with = made_of
saved = {f"net.{key}": w for key, w in handed_in.state_dict().items()}
saved = {key: w.half() if w.is_floating_point() else w for key, w in saved.items()}
saved |= {"counts": totals, "tau": torch.tensor(recipe["tau"])}
save_artifact("faces_net.safetensors", saved, "real" if REAL else "drawn")

found = two_looks([handed_in], val.X).log()
print("validation   accuracy   macro-F1   macro-F1 if all were equally frequent")
for by in sorted({0.0, 0.25, 0.5, 0.75, 1.0, recipe["tau"]}):
    adjusted = adjust_logits(found, totals, by)
    table = confusion_matrix(val.y, adjusted.argmax(dim=1), len(CLASSES))
    equal = (10_000 * table / table.sum(dim=1, keepdim=True)).round().long()
    values = *measured(adjusted, val.y)[:2], float(class_scores(equal)[3])
    print("tau = {:4}{:11.1%}{:11.1%}{:11.1%}".format(by, *values))

# %% nbgrader={"grade": true, "grade_id": "faces_accuracy", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check.public("faces_accuracy", SmallCNN, average_probabilities)
### BEGIN HIDDEN TESTS
check.hidden("faces_accuracy", SmallCNN, average_probabilities)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "faces_macro_f1", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check.public("faces_macro_f1", SmallCNN, average_probabilities, adjust_logits)
### BEGIN HIDDEN TESTS
check.hidden("faces_macro_f1", SmallCNN, average_probabilities, adjust_logits)
### END HIDDEN TESTS

# %% [markdown]
# **The long run.** With a GPU and `REAL = True`, this cell trains the network of the report five times. What can be had without one: on a single processor core, three networks of seven convolutions, trained with the functions of this notebook for 28 epochs each, had 68.0 % of the private test right together, where the report had 65.3 % (`python -m bench.figures faces` in the course's repository).

# %% nbgrader={"grade": false, "grade_id": "long_run", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
def long_run(seed):
    """Train the network of the report, or read it from RUNS."""
    settings = {"epochs": 50, "peak": 1e-3, "batch_size": 128, "smoothing": 0.1, "seed": seed,
                "augmentation": make_augmentation()}  # fmt: skip
    torch.manual_seed(seed)
    model = training.At64(ReportCNN())
    start = lambda: train_net(f"report {seed}", model, train, val, **settings)  # noqa: E731
    return training.once(RUNS / f"report_{seed}.safetensors", model, start)


if REAL and DEVICE == "cuda":
    five = [long_run(seed) for seed in range(5)]
    show({
        "one": predict_logits(five[0], test.X),
        "with mirror images": two_looks(five[:1], test.X),
        "all five": two_looks(five, test.X),
    }, test.y)  # fmt: skip

# %% [markdown]
# ## 9 · Where does it look?
#
# A network may have a good score for a bad reason: a watermark, say. **Grad-CAM** (Selvaraju et al. 2017) asks the last maps of the network, which are coarse but say *what* was found *where*. With the maps $A^k$ of `model.features`, $k = 1 \dots K$, of $h \times w$ positions, and the logit $s_c$ of class $c$:
#
# $$\alpha_k = \frac{1}{h w} \sum_{ij} \frac{\partial s_c}{\partial A^k_{ij}}, \qquad L = \mathrm{ReLU}\left( \sum_k \alpha_k A^k \right)$$
#
# ReLU keeps only what speaks *for* the class.
#
# **Task** (25 min, medium). Write `grad_cam`. It explains the *logit* of `classes[n]` for image n. The steps, in this order:
#
# 1. Compute $L$, of shape (N, h, w).
# 2. Enlarge it to the size of the image, bilinearly, with `align_corners=False`.
# 3. Divide each image's map by its own largest value. Add nothing to the denominator. A map that is zero everywhere stays zero.
#
# Explain the model in evaluation mode. Afterwards `model.training` is what it was, and so are `.grad` and `requires_grad` of the parameters and of `x`. The maps are on the device of `x`, without gradients attached.
#
# <details><summary>Hint 1: the maps</summary>Compute them once, cut them off (<code>.detach().requires_grad_()</code>), and continue with the head.</details>
# <details><summary>Hint 2: gradients that leave no trace</summary><code>torch.autograd.grad(value, tensor)</code> touches no <code>.grad</code>. The gradient of the <em>sum</em> of the chosen logits, <code>logits.gather(1, classes[:, None])</code>, holds all images at once.</details>
# <details><summary>Hint 3: zeros</summary><code>amax(dim=(1, 2), keepdim=True).clamp(min=1e-12)</code></details>

# %% nbgrader={"grade": false, "grade_id": "grad_cam", "locked": false, "schema_version": 3, "solution": true, "task": false}
def grad_cam(model: nn.Module, x: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """Compute Grad-CAM of classes[n] for images x (N, 1, H, W): maps (N, H, W) in 0..1.

    The model has the sub-modules features, images -> maps (N, K, h, w), and head, maps -> logits.
    """
    ### BEGIN SOLUTION
    was_training = model.training
    model.eval()
    maps = model.features(x).detach().requires_grad_()
    chosen = model.head(maps).gather(1, classes[:, None])
    (gradient,) = torch.autograd.grad(chosen.sum(), maps)
    model.train(was_training)
    alpha = gradient.mean(dim=(2, 3), keepdim=True)  # (N, K, 1, 1)
    found = (alpha * maps).sum(dim=1, keepdim=True).relu().detach()
    found = F.interpolate(found, size=x.shape[2:], mode="bilinear", align_corners=False)[:, 0]
    return found / found.amax(dim=(1, 2), keepdim=True).clamp(min=1e-12)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "grad_cam_values", "locked": true, "points": 9, "schema_version": 3, "solution": false, "task": false}
check.public("grad_cam_values", grad_cam)
### BEGIN HIDDEN TESTS
check.hidden("grad_cam_values", grad_cam)
### END HIDDEN TESTS

# %% [markdown]
# Now explain the augmented network on three faces it has never seen. Before you believe such a picture, do what Adebayo et al. (2018) did: draw it also for a network that has learned *nothing*.
#
# **Predict first.** Where will the trained network look, and where the untrained one? *My prediction:* …

# %% nbgrader={"grade": false, "grade_id": "draw_attention", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
chosen = [CLASSES.index(name) for name in ("happy", "surprise", "angry")]
rows = [int((test.y == k).nonzero()[1]) for k in chosen]
x = normalise(test.X[rows].float() / 255).to(DEVICE)
with torch.no_grad():
    probability, answers = net.eval()(x).softmax(dim=1).max(dim=1)
titles = [
    f"is {CLASSES[y]}; answer {CLASSES[c]}, {p:.0%}"
    for y, c, p in zip(test.y[rows], answers, probability, strict=True)
]
untrained = new_net().to(DEVICE)
maps = {"trained": grad_cam(net, x, answers), "untrained": grad_cam(untrained, x, answers)}
plots.attention(test.X[rows], maps, titles)

# %% [markdown]
# Warm regions speak for the answer that the *trained* network gave, right or wrong, in both columns. A network that learned expressions looks at mouth, eyes and brows. A dark map means that nothing speaks for the answer. If the maps of the two networks differ, they depend on what was learned; three faces prove no more than that.
#
# A map says *where*, not *what*. Before you claim that a network looks at mouths, hide the mouths of the whole test set and measure what happens to the accuracy.

# %% [markdown]
# ## 10 · Your own experiment
#
# Each row of the tables above was one training run. Now you measure with several. Choose a question, or ask another one:
#
# - Which of augmentation, class weights, sampler and label smoothing helps, alone and together?
# - Do mirror images help a network that was trained without them?
# - Does augmentation help less with more faces? Try 300, 600 and 2,400.
# - Label noise: replace the labels of 30 % of `FEW` at random. Which remedy helps now?
#
# **Task** (60 min, open, no check). Write the script in the cell below, and in more cells if you like.
#
# - Change one thing, and keep all the others.
# - Run each setting with at least three seeds: `new_net(seed)` and `train_net(…, seed=seed)`. A difference smaller than the spread of the seeds is not a finding.
# - Write one line per run to `runs.csv`: the setting, the seed and the measures.
# - Choose by the validation faces. The test faces come last, for the table.
#
# **Predict first**, in the first line of your report.

# %% nbgrader={"grade": false, "grade_id": "own_experiment", "locked": false, "schema_version": 3, "solution": true, "task": false}
# not run when graded
### BEGIN SOLUTION
import csv

trained = {("plain", 0): nets["plain"], ("augmented", 0): net, ("augmented", 1): second}
with open("runs.csv", "w", newline="") as file:
    lines = csv.writer(file)
    lines.writerow(["setting", "seed", "split", "look", *NAMES])
    for name, setting in (("plain", {"epochs": EPOCHS}), ("augmented", augmented)):
        for seed in range(3):
            model = trained.get((name, seed))
            if model is None:
                fresh = f"{name} {seed}", new_net(seed)
                model = train_net(*fresh, FEW, val, seed=seed, **setting).model
            for split, (X, y) in (("val", val), ("test", test)):
                lines.writerow([name, seed, split, "one", *measured(predict_logits(model, X), y)])
                lines.writerow([name, seed, split, "two", *measured(two_looks([model], X), y)])
print(Path("runs.csv").read_text())
### END SOLUTION

# %% [markdown]
# **Report** (10 points). 150 to 300 words, one figure and one table of your own. (Matplotlib's `plt.savefig("figure.png")` saves a figure; drag the file into the cell.) This is how it is marked:
#
# | | points |
# |---|---:|
# | your prediction, and the claim, in one sentence that could have turned out wrong | 1 |
# | what was changed and what was kept; numbers of images, epochs and seeds | 2 |
# | the table: mean and spread over the seeds | 2 |
# | the figure: axes, units, readable without the text | 1 |
# | everything chosen by validation faces; the test faces only in the table | 1 |
# | doubt: another explanation, how sure you are, what you would do next | 2 |
# | the script does what the text says | 1 |
#
# (about 20 min)

# %% [markdown] nbgrader={"grade": true, "grade_id": "report_own_experiment", "locked": false, "points": 10, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer.** *Prediction and claim.* Mirror images at test time help less if the network was trained with mirror images: it already gives both nearly the same answer.
#
# *What was done.* `SmallCNN`, 600 drawn faces, 40 epochs, batches of 16, warm-up and cosine with peak 3e-3. Only the augmentation changed: none, or all of section 3. Three seeds each. Each network answered once, and once with the mirror image. Nothing was tuned: the validation faces chose the epoch. Accuracy on 800 test faces, looked at once; mean (smallest to largest seed):
#
# | trained | one look | two looks | gain, in points |
# |---|---|---|---|
# | plain | 57.5 % (56.4–58.1) | 62.2 % (61.1–63.5) | 4.7 (3.1–5.8) |
# | augmented | 62.8 % (61.4–64.0) | 64.7 % (63.4–65.8) | 1.9 (1.8–2.0) |
#
# *Figure.* Gain for each seed, two columns of three dots, with the mean as a line: the columns do not overlap.
#
# *Finding.* The claim holds for these seeds: the smallest gain of the plain network is above the largest of the augmented one. Augmentation alone adds 5.3 points, far outside the spread, so the second look replaces most of it.
#
# *Doubt.* On the validation faces the gains are 2.5 and 0.9 and their ranges overlap (1.5–4.1, 0.1–2.2); but there the epoch was chosen by one look. All runs share the same 600 faces, so the spread leaves out the luck of the draw (with five other draws augmentation added −5 to 6 points, 2 on average), and 800 faces give ± 3 points. The augmented network also saw rotations and noise. Next: augmentation by mirroring alone, five other draws of 600 faces, and longer training.
#
# **Marking.** As in the table above; half points are allowed. A result that contradicts the claim is as good as one that supports it, if the text says so. Without several seeds: at most 1 point for the table, and 1 for the doubt. If two things changed at once, without a reason: at most 1 point for what was changed. A setting that was chosen by test accuracy loses that point and one for the doubt. Typical values: augmentation − 5 to + 6 points, depending on the draw, label smoothing nothing more, class weights − 8 to − 13, the sampler − 3 to − 10.
# ### END SOLUTION

# %% [markdown]
# ## What you have now
#
# A card before the first epoch, a training run that survives a lost connection, measures that say which class pays, and the habit of asking how many faces a difference is.
#
# **What the field does today.** Hardly anybody trains such a network from random weights any more: one fine-tunes a backbone trained on many millions of images (a3), with stronger automatic augmentation and weights averaged over training. Rare classes get adjusted logits or a balanced second stage, much as in section 6. Expressions are now labelled by several people, and the network learns the whole distribution of their answers.
#
# - [Training deep networks for facial expression recognition with crowd-sourced label distribution](https://arxiv.org/abs/1608.01041) (Barsoum et al. 2016): FER2013 with ten labels for each face.
# - [Long-tail learning via logit adjustment](https://arxiv.org/abs/2007.07314) (Menon et al. 2021): why section 6 subtracts log-priors.
# - [Sanity checks for saliency maps](https://arxiv.org/abs/1810.03292) (Adebayo et al. 2018): the experiment of section 9, for many methods.
#
# What your layers compute, and their gradients, is the subject of a6, *Layers by hand*.

# %%
# not run when graded
# Save the notebook first. This runs it in a fresh process, shows what is missing, and writes the
# zip to hand in; check.progress() shows how far you are in the whole course.
check.hand_in()
