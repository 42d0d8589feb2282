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
# **After this notebook you can** describe a data set before you trust it, build a convolutional network to a specification and one of your own under a budget, make it generalise, train it so that a lost connection costs nothing, measure what accuracy hides, be fair to a class with few examples, and look at what its answers depend on.
#
# **Time** about 8 hours, training included · **Hardware** any laptop; with a GPU, the real FER2013 and the large network · **Points** 100: 82 for code and for your trained net, graded by hidden checks, and 18 for three written answers
#
# | section | what you do | time | points |
# |---|---|---:|---:|
# | 1 · A card for the data | count, and find faces that appear in two splits | 30 min | 7 |
# | 2 · The network of the report | build one to a specification, and a small one of your own | 80 min | 18 |
# | 3 · Augmentation | new versions of each face, in batches | 50 min | 8 |
# | 4 · Training that survives | a loop that keeps the best epoch and resumes | 70 min | 15 |
# | 5 · What accuracy hides | confusion matrix, recall, macro-F1 | 50 min | 8 |
# | 6 · Fair to the rare | weights, samplers, adjusted predictions | 65 min | 18 |
# | 7 · Two looks and several opinions | mirror images and ensembles | 25 min | 5 |
# | 8 · What was it good for? | an ablation, and the network that you hand in | 35 min, plus training | 16 |
# | 9 · Where does it look? | saliency and Grad-CAM, and whether to believe them | 45 min | 5 |
#
# **You hand in** this notebook and `faces_net.safetensors`, the network of section 8. The sections build on each other: do them in order, over several days.
#
# You may use all of `torch.nn` here. (What these layers compute, and their gradients, is the subject of a6, *Layers by hand*.) Each task is followed by a **check** on a few cases whose answers ship with the course; when your work is graded, the same check runs on cases you have not seen. A cell that begins with `# not run when graded` is for you only: it loads data, trains or draws, and the grader skips it. You may use this line in long cells of your own. Graded functions must not need anything from such a cell.

# %% [markdown]
# ## Set-up
#
# Run this first, in JupyterLab or in Colab. In Colab, upload the file `autograder-….whl` that your teacher gave you with the notebook (folder icon on the left) before you run it.

# %% nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
from importlib.util import find_spec

if find_spec("autograder") is None:  # in Colab, or in a new environment
    # %pip install -q autograder-*.whl

import math
import re
import time
import zlib
from copy import deepcopy
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn
from torchvision.transforms import v2
from tqdm.auto import tqdm

from autograder import Checker
from autograder.assignments.a4_facial_expression.lesson import plots, watch
from autograder.notebook.artifacts import load_artifact, save_artifact
from data_scripts import fer2013

check = Checker("a4_facial_expression")
CLASSES = fer2013.CLASSES  # angry, disgust, fear, happy, sad, surprise, neutral

# %%
REAL = torch.cuda.is_available()  # True: the real FER2013, 35,887 photographs; False: drawn faces
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"

# %% [markdown]
# Without a GPU you work with faces drawn by this course: 6,000 to train on, 800 to validate and 800 to test, with the expressions as frequent as in the real set. `REAL = True` takes FER2013, which you download yourself (it needs a login; `python -m data_scripts.fer2013` says how). Each training run below then takes minutes on a GPU, and hours on a CPU.
#
# Much of what follows comes from **the report**: a student of another course wrote it about FER2013, with a network, tricks and mistakes. FER2013 was a competition on Kaggle. Everybody saw the scores on the *public test*, which is our validation split. The final ranking used the *private test*, which is our test split.

# %% [markdown]
# ## 1 · A card for the data
#
# Before you train on a data set, write its card: how many samples each class has, where they come from, and what is wrong with them. It takes half an hour, and that half hour explains most of the surprises of the following days.
#
# FER2013 was collected in 2013 by searching the web for words of emotion and cropping the faces that were found: 35,887 grey photographs of 48 × 48 pixels, in seven classes, in three splits. People agree with its labels in about two thirds of the cases (65 ± 5 %, Goodfellow et al. 2013). The drawn faces that you work with offline imitate it: they have its size, its classes in the same proportions, and its faults.

# %% nbgrader={"grade": false, "grade_id": "load_faces", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
class Faces(NamedTuple):
    X: torch.Tensor  # (N, 1, 48, 48), uint8
    y: torch.Tensor  # (N,), int64 in 0..6


train, val, test = (Faces(*fer2013.load(s, real=REAL)) for s in ("train", "validation", "test"))

# %% nbgrader={"grade": false, "grade_id": "draw_faces", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
first_ten = {name: train.X[train.y == k][:10] for k, name in enumerate(CLASSES)}
plots.face_rows(first_ten, "the first ten training faces of each class")

# %% [markdown]
# Cover the names on the left and guess a row or two. Which rows do you mix up? Keep your answer: in section 5 you will see which ones your network mixes up.
#
# ### How many of each class
#
# **Task** (10 min, easy). Write `class_counts`. It returns two things:
#
# - the number of labels of each class 0…`num_classes` − 1, as an `int64` tensor,
# - the **imbalance ratio**: the largest count divided by the smallest one *among the classes that occur*.
#
# A class that does not occur has the count 0 and is left out of the ratio. There is at least one label.
#
# <details><summary>Hint: a class without labels</summary><code>torch.bincount(y)</code> ends at the largest label that it finds. It has an argument <code>minlength</code>.</details>


# %% nbgrader={"grade": false, "grade_id": "class_counts", "locked": false, "schema_version": 3, "solution": true, "task": false}
def class_counts(y: torch.Tensor, num_classes: int) -> tuple[torch.Tensor, float]:
    """Count the labels y (N,) of each class. Returns counts (num_classes,), int64, and a ratio.

    The ratio, a Python number or a tensor of shape (), is the largest count divided by the
    smallest one among the classes that occur.
    """
    ### BEGIN SOLUTION
    counts = torch.bincount(y, minlength=num_classes)
    ratio = counts.max() / counts[counts > 0].min()
    return counts, ratio.item()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "card_counts", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.public("card_counts", class_counts)
### BEGIN HIDDEN TESTS
check.hidden("card_counts", class_counts)
### END HIDDEN TESTS

# %% nbgrader={"grade": false, "grade_id": "draw_counts", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
counts = {}
for name, part in (("training", train), ("validation", val), ("test", test)):
    counts[name], ratio = class_counts(part.y, len(CLASSES))
    print(f"{name:11}{len(part.y):7,} faces, imbalance ratio {ratio:.1f}")
plots.class_shares(counts, CLASSES)

# %% [markdown]
# How to read it: each bar is the share of a class in a split. The three splits agree, so they were drawn in the same way. There are more than sixteen happy faces for each disgusted one. A network that never says *disgust* loses hardly anything in accuracy. Sections 5 and 6 are about that.
#
# ### Faces that appear in two splits
#
# A test set is worth something only if its images are new. Web searches find the same photograph under several words, so check for duplicates. Comparing every test image with every training image is 100 million comparisons of 2,304 pixels for FER2013. There is a better way: put all images of one split into a dictionary, with their *bytes* as the key, and look up the images of the other split.
#
# **Task** (20 min, medium). Write `find_duplicates`. It returns the list of all pairs `(i, j)`, two Python integers, such that `first[i]` and `second[j]` are identical in every pixel.
#
# - The list is sorted by `i`, then by `j`.
# - An image may occur several times on either side. *Every* pair is in the list, so an image that is twice in `first` and three times in `second` gives six pairs.
# - Both tensors are `uint8`, on the CPU, with images of the same shape. They may be views of a larger tensor, as when images have been cropped.
# - Do not modify them.
#
# <details><summary>Hint 1: what makes a key</summary>A tensor can be a key of a dictionary, but it only equals itself: its hash is its <code>id</code>. The bytes of its pixels can be compared: <code>image.numpy().tobytes()</code>. To save memory, keep a digest of them instead: <code>hashlib.blake2b(…).digest()</code>.</details>
# <details><summary>Hint 2: more than one position</summary>Let the value be the <em>list</em> of all positions of the image: <code>places.setdefault(key, []).append(i)</code>.</details>


# %% nbgrader={"grade": false, "grade_id": "find_duplicates", "locked": false, "schema_version": 3, "solution": true, "task": false}
def find_duplicates(first: torch.Tensor, second: torch.Tensor) -> list[tuple[int, int]]:
    """List all pairs (i, j) with first[i] and second[j] equal in every pixel, sorted.

    first (N, 1, H, W) and second (M, 1, H, W) are uint8, on the CPU.
    """
    ### BEGIN SOLUTION
    places = {}
    for i, image in enumerate(first):
        places.setdefault(image.numpy().tobytes(), []).append(i)
    pairs = []
    for j, image in enumerate(second):
        pairs += [(i, j) for i in places.get(image.numpy().tobytes(), [])]
    return sorted(pairs)
    ### END SOLUTION


# %% nbgrader={"grade": false, "grade_id": "duplicates_of_crops", "locked": true, "schema_version": 3, "solution": false, "task": false}
def duplicates_of_crops(first, second):
    """Crop a border of one pixel from all images, and look for pairs."""
    pairs = find_duplicates(first[..., 1:-1, 1:-1], second[..., 1:-1, 1:-1])
    return torch.as_tensor(pairs, dtype=torch.int64).reshape(-1, 2)


# %% nbgrader={"grade": true, "grade_id": "duplicate_pairs", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.public("duplicate_pairs", duplicates_of_crops)
### BEGIN HIDDEN TESTS
check.hidden("duplicate_pairs", duplicates_of_crops)
### END HIDDEN TESTS

# %% nbgrader={"grade": false, "grade_id": "print_duplicates", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
pairs_of = {"validation": (val, find_duplicates(train.X, val.X)),
            "test": (test, find_duplicates(train.X, test.X))}  # fmt: skip
for name, (part, pairs) in pairs_of.items():
    differ = [(i, j) for i, j in pairs if train.y[i] != part.y[j]]
    print(f"{name:11}{len({j for _, j in pairs}):4} of {len(part.y):,} faces are in training too: "
          f"{len(pairs)} pairs, {len(differ)} with different labels")  # fmt: skip
    for i, j in differ[:5]:
        print(f"{'':11}face {j}: {CLASSES[part.y[j]]} here, {CLASSES[train.y[i]]} in training")

# %% [markdown]
# For the real FER2013 we counted: 288 of the 3,589 test images appear in the training split too (415 pairs, since some of them appear there several times, and in 22 pairs the two labels differ), and 280 of the validation images (371 pairs, 19 with different labels). The training set has 28,709 images, but only 27,473 different ones; eleven are of one constant colour. Nearly every published result on FER2013 includes them.
#
# **What it must not be used for.** The labels are what strangers read into a face, not what the person felt; the faces were taken from the web without asking; and a model that learned from them works unequally well for different groups of people. In the European Union, article 5 of the AI Act has prohibited systems that infer emotions at work and in education since February 2025, except for medical or safety reasons. Treat this notebook as what it is: a lesson in training on small, noisy, unbalanced data.
#
# What follows from the duplicates? A network with 40 million parameters can remember 28,709 faces. On a test image that it has seen, it repeats the label it was given, so the test measures memory. Where the two labels differ, it even measures which label is wrong.
#
# So the duplicates must be removed, but from which split? If you remove them from the test set, nobody can compare your results with theirs. If you remove them from the *training set*, the test set is still the official one and all of its images are new. And the pairs with two labels? They say something about the labels: somebody looked at the same face twice and saw two expressions.

# %% nbgrader={"grade": false, "grade_id": "remove_duplicates", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
stand_elsewhere = {i for part in (val, test) for i, _ in find_duplicates(train.X, part.X)}
keep = [i for i in range(len(train.y)) if i not in stand_elsewhere]
print(f"{len(train.y) - len(keep)} of {len(train.y):,} training faces removed")
train = Faces(train.X[keep], train.y[keep])  # without those that are in val or test

# %% [markdown]
# From here on you train on these. (An image that occurs twice *within* the training set stays: it just counts double. You have removed exact copies only. The same photograph with another crop or brightness is still there; to find it, you would compare features instead of pixels.)

# %% [markdown]
# ## 2 · The network of the report
#
# A student's report on FER2013 describes its network in enough detail to build it again. That is rarer than it should be. You will do so, line by line, and then build one of your own that fits into a hundredth of its size.
#
# Networks learn best from numbers around zero. In this notebook, images always pass through this function before a network sees them:


# %% nbgrader={"grade": false, "grade_id": "normalise", "locked": true, "schema_version": 3, "solution": false, "task": false}
def normalise(x: torch.Tensor) -> torch.Tensor:
    """Bring float images in 0..1 to mean 0 and spread 1, roughly."""
    return (x - 0.5) / 0.25


# %% [markdown]
# **Task** (35 min, medium). Build `ReportCNN`. Images are 1 × 64 × 64. It has two sub-modules, and its output is `head(blocks(x))`.
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
# where each number after an arrow is the output of a linear layer with bias, and dropout has probability 0.5. The seven outputs are logits: nothing follows them. Everything else is torch's default, including the bounds of `RReLU`. The report counts **39,569,799 parameters**. Make this your first test, before the check: if your number differs, so does your network.
#
# `RReLU` is a leaky ReLU with a random slope for negative values. In training mode, a new slope between 1/8 and 1/3 is drawn for each value. In evaluation mode the slope is the mean of these two bounds.
#
# <details><summary>Hint 1: four times the same</summary>Write a small function that makes one block from <code>c_in</code>, <code>c_out</code> and an activation, and call it four times.</details>
# <details><summary>Hint 2: my number is too small</summary>A 3 × 3 convolution from c to d channels has 9cd + d parameters, a batch norm of d channels 2d, a linear layer from a to b has ab + b. How many are missing: the 960 biases of the convolutions, or the 1,920 parameters of the batch norms?</details>
# <details><summary>Hint 3: layers without parameters</summary>Dropout and RReLU behave differently in training and in evaluation mode. A module knows its mode; a function must be told: <code>F.dropout(x, 0.25, training=self.training)</code>.</details>


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


# %% [markdown]
# There are two checks. Both first fill your network with given numbers: every weight, bias and running statistic takes a stretch of a long sequence. The stretch depends only on its type and shape, so you may define your layers in any order. The first check then looks at how the network is built and how it behaves:
#
# - the shapes and the number of parameters,
# - what dropout drops in each block and before each linear layer (it runs the block twice on the same images: a value that is missing from one result only was dropped),
# - whether the slopes of the first block and of the head's three activations are random,
# - whether the running statistics of each batch norm move by torch's default in a training step,
# - whether every parameter gets a gradient,
# - whether the output in evaluation mode is always the same and does not depend on the other images in the batch.
#
# The second check looks at the logits.

# %% nbgrader={"grade": false, "grade_id": "filled", "locked": true, "schema_version": 3, "solution": false, "task": false}
def report_cnn_logits(*case):
    return watch.report_cnn_logits(ReportCNN, *case)


def report_cnn_properties(*case):
    return watch.report_cnn_properties(ReportCNN, *case)


# %% nbgrader={"grade": true, "grade_id": "report_cnn_structure", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.public("report_cnn_structure", report_cnn_properties)
### BEGIN HIDDEN TESTS
check.hidden("report_cnn_structure", report_cnn_properties)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "report_cnn_output", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.public("report_cnn_output", report_cnn_logits)
### BEGIN HIDDEN TESTS
check.hidden("report_cnn_output", report_cnn_logits)
### END HIDDEN TESTS

# %% nbgrader={"grade": false, "grade_id": "where_parameters_are", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
def parameters_by_layer(model: nn.Module) -> dict[str, int]:
    """Count the parameters of each layer that has any."""
    counted = {}
    for name, layer in model.named_modules():
        own = sum(p.numel() for p in layer.parameters(recurse=False))
        if own:
            counted[f"{name} {type(layer).__name__}"] = own
    return counted


plots.parameter_shares(parameters_by_layer(ReportCNN()))

# %% [markdown]
# How to read it: each bar is the share of all parameters that belong to a layer. The four convolutions, which do the seeing, are hardly visible.
#
# **Question 1** (6 points). What does each type of layer do in this network, and where are the parameters? (about 15 min)
#
# A full answer
#
# - gives one reason for each of convolution, batch norm, activation, max pooling and dropout,
# - names the layer with most of the parameters, their number and their share, with the calculation,
# - says how many parameters that layer would have if the maps were averaged over their positions (global average pooling) before it, and what would be lost.

# %% [markdown] nbgrader={"grade": true, "grade_id": "question_layers", "locked": false, "points": 6, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer.** Convolution: the same small filter at every position, so a mouth corner is learned once and found anywhere, with few weights. Batch norm: keeps the numbers of each channel at a similar mean and spread in every layer, so that larger learning rates work; its noise from batch to batch regularises a little. (It also makes the biases of the convolutions before it useless, because it subtracts them again. The report has them nevertheless.) Activation: without it, all layers together would be one linear map; ReLU is cheap and its gradient does not shrink; RReLU lets a gradient through for negative inputs too, and its random slope is a kind of noise that regularises. Max pooling: halves height and width, so later filters see a larger part of the face, the cost falls, and a shift by a pixel matters less. Dropout: random values are set to zero during training, so no unit can rely on a single other one; it reduces overfitting, which a network of 40 million parameters and 28,709 faces needs. Parameters: the first linear layer has 8192 · 4096 + 4096 = 33,558,528 of 39,569,799, that is 85 %; all four convolutions together have 1,549,824, or 4 %. With global average pooling, the 512 × 4 × 4 maps become 512 numbers: 512 · 4096 + 4096 = 2,101,248 parameters, 31.5 million fewer. What is lost is where something was found: 4 × 4 positions become one. After four blocks each position has seen a good part of the face, and training adapts to the pooling, so it usually costs little.
#
# **Marking.** 2 points: the five types of layer, each with a reason (1 for three or four). 2 points: the first linear layer, 33.6 million, 85 %, calculated. 2 points: 512 inputs instead of 8192, 2.1 million left (or a sixteenth), and that the positions are lost (1 for the number alone).
# ### END SOLUTION

# %% [markdown]
# ### One of your own
#
# Forty million parameters need a GPU, and without dropout everywhere they learn the faces by heart. Can you do it with less than a hundredth? You will train this network from section 4 on, so think about speed as well. The cost of a layer is the number of positions times the number of weights, so a first layer that keeps 48 × 48 positions is expensive.
#
# **Task** (30 min, medium). Build `SmallCNN` for normalised images of 1 × 48 × 48. The layers are up to you. The network must
#
# 1. have two sub-modules: `features` turns images (N, 1, 48, 48) into maps (N, K, h, w), with *at least 3 × 3 positions*, because section 9 asks where your network looks; `head` turns the maps into logits (N, 7). `forward(x)` is `head(features(x))`, and nothing else. (`self.features = nn.Sequential(…)` and `self.head = nn.Sequential(…)` will do.)
# 2. have at most **300,000** parameters, all of which affect the output.
# 3. in evaluation mode give the same answer every time, for any N ≥ 1, and for each image whatever else is in the batch.
#
# The inputs are already normalised. The outputs are logits, not probabilities.
#
# <details><summary>Hint 1: where to save</summary>You have just seen where the 40 million are. With global average pooling (<code>nn.AdaptiveAvgPool2d(1)</code>, then <code>nn.Flatten</code>) the head is a single linear layer.</details>
# <details><summary>Hint 2: counting</summary>Without biases in the convolutions, whose batch norm has one: 3 × 3 from 64 to 128 channels is 73,728; from 128 to 128 it is 147,456.</details>
# <details><summary>Hint 3: a plan that works</summary>5 × 5 with stride 2 to 24 channels, pool; 3 × 3 to 48, pool; 3 × 3 to 96. A batch norm and a ReLU after each convolution. Head: pool to 3 × 3 positions, flatten, dropout, linear. That is 58,831 parameters, and fast on a laptop. With a GPU and the real faces spend the rest of the budget: 32, 64 and 128 channels, two convolutions of each, 295,463.</details>


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


# %% nbgrader={"grade": false, "grade_id": "small_cnn_properties", "locked": true, "schema_version": 3, "solution": false, "task": false}
def small_cnn_properties(*case):
    return watch.small_cnn_properties(SmallCNN, *case)


# %% nbgrader={"grade": true, "grade_id": "small_cnn", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check.public("small_cnn", small_cnn_properties)
### BEGIN HIDDEN TESTS
check.hidden("small_cnn", small_cnn_properties)
### END HIDDEN TESTS

# %% nbgrader={"grade": false, "grade_id": "both_networks", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
for model, side in ((ReportCNN(), 64), (SmallCNN(), 48)):
    images = torch.zeros(32, 1, side, side)
    start = time.perf_counter()
    model(images).sum().backward()
    seconds = time.perf_counter() - start
    count = sum(p.numel() for p in model.parameters())
    print(f"{type(model).__name__}: {count:10,} parameters, {1000 * seconds / 32:.1f} ms an image")

# %% [markdown]
# The time covers one forward and one backward pass, without the optimiser's step. Multiply it by the number of training faces, and by the 300 epochs of the report.

# %% [markdown]
# ## 3 · Augmentation
#
# In the report, validation accuracy stops at 55 % without augmentation and reaches 70 % with it; no other single trick comes near. (Be a little sceptical: the report validated on a random 12 % of the training images, and you know how many of those have a twin. On the private test the same network had 65.3 %.) The idea: a face that is mirrored, tilted by a few degrees or partly covered shows the same expression. If you show the network another version in every epoch, it cannot learn the pixels by heart.
#
# Augmentation is for **training only**. Leave the validation and test images as they are: you want to know how the network does on real images, and you want the same number if you measure twice.
#
# **Task** (20 min, easy). Write `make_augmentation`. It returns a transform built from `torchvision.transforms.v2`, for float images (n, 1, 48, 48) in 0…1. It applies the following, each at random; choose the strengths within these bounds:
#
# | what | how often | how much |
# |---|---|---|
# | mirrored, left and right | half of the images | |
# | rotated | all | by an angle drawn from −a…a degrees, a between 10 and 30 |
# | seen in perspective | 20 % or more | `distortion_scale` between 0.1 and 0.3 |
# | Gaussian blur | 20…50 % | kernel 3 or 5, sigma up to 2 |
# | Gaussian noise | 20…50 % | sigma between 0.02 and 0.1 |
# | a rectangle erased | 20…50 % | black (the default), 2…10 % of the area |
#
# Further rules:
#
# - A face is never upside down.
# - The result has the shape and dtype of the images, and its values stay in 0…1.
# - The images themselves are not modified.
# - Random numbers come from torch's global generator, as they do in `v2`: the same seed gives the same result.
#
# <details><summary>Hint 1: names</summary><code>v2.RandomHorizontalFlip</code>, <code>v2.RandomRotation</code>, <code>v2.RandomPerspective</code>, <code>v2.GaussianBlur</code>, <code>v2.GaussianNoise</code>, <code>v2.RandomErasing</code>; <code>v2.Compose</code> puts them in a row.</details>
# <details><summary>Hint 2: those without a p</summary>Blur and noise have no argument <code>p</code>. <code>v2.RandomApply([transform], p=0.3)</code> has.</details>
# <details><summary>Hint 3: staircases</summary>Rotation takes the nearest pixel by default. <code>interpolation=v2.InterpolationMode.BILINEAR</code> is smoother. Perspective has it already.</details>


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


# %% [markdown]
# How do you check something random? By its statistics. The check applies your transform 600 times to three images: a ramp that gets brighter to the right, one that gets brighter downwards, and a flat grey one. Where the first ramp falls instead of rising, it was mirrored; the angle of the second one says how it was turned; a slope that differs between one half of the image and the other means perspective; the flat image shows patches and noise. The check measures how often and how strongly each happens. Its thresholds lie well outside the bounds above, so a transform within them is safe. (It cannot tell blur from a smooth rotation, so it does not test blur. Your network will.)

# %% nbgrader={"grade": false, "grade_id": "try_augmentation", "locked": true, "schema_version": 3, "solution": false, "task": false}
def try_augmentation(*case):
    return watch.try_augmentation(make_augmentation, *case)


# %% nbgrader={"grade": true, "grade_id": "augmentation_statistics", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.public("augmentation_statistics", try_augmentation)
### BEGIN HIDDEN TESTS
check.hidden("augmentation_statistics", try_augmentation)
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
# Look at each row: could you still tell the expression? If you could not, the label is no longer true, and you would train on a lie. That is the only rule of augmentation: **what you do must not change the label**. It depends on the task, not on the transform:

# %% nbgrader={"grade": false, "grade_id": "draw_spoilt", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
def spoilt(face: torch.Tensor) -> torch.Tensor:
    """Return a face (1, 1, 48, 48), mirrored, upside down, without its mouth, without its eyes."""
    mouth, eyes = face.clone(), face.clone()
    mouth[..., 28:42, 8:40] = 0
    eyes[..., 12:26, 6:42] = 0
    return torch.cat([face, face.flip(-1), face.flip(-2), mouth, eyes])


columns = ("as stored", "mirrored", "upside down", "no mouth", "no eyes")
faces = {name: spoilt(train.X[train.y == k][1:2].float() / 255) for k, name in enumerate(CLASSES)}
plots.face_rows(faces, columns)

# %% [markdown]
# Mirrored, a face is as happy as before. Upside down it is still happy, if you turn the picture. But no test image is upside down, so the network would learn something that it never needs. Without its mouth, a surprised face may look afraid, and a happy face shows no expression at all. (With digits it is the other way round: erasing does little harm, but a mirrored 2 is not a 2.) This is why your patches are small and rare.
#
# ### Batches
#
# A fact that is easy to overlook: a transform of `v2` draws its random numbers **once for each call**. If you call it with 128 images, all 128 are tilted by the same 7 degrees and erased at the same place. If you call it once for each image, every image gets its own random numbers, but the calls themselves take most of the time. Small groups are a compromise. Measure it:

# %% nbgrader={"grade": false, "grade_id": "time_groups", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
images = train.X[:600].float() / 255
for group in (1, 10, 128):
    start = time.perf_counter()
    for part in images.split(group):
        augmentation(part)
    seconds = time.perf_counter() - start
    print(f"groups of {group:3}: {seconds:.2f} s for {len(images):,} faces")

# %% [markdown]
# For 600 faces on one core we measured 2.8 s image by image, 0.45 s in groups of ten, and 0.25 s in batches of 128. Over many epochs, groups of ten are nearly as varied as single images, and they are nearly as fast as whole batches.
#
# **Task** (30 min, medium). Write `training_batches`, a generator that goes through the training set once and yields pairs `(images, labels)`. `X` is `uint8` (N, 1, H, W), `y` is (N,).
#
# 1. **Order.** Without `weights`, every sample comes exactly once, in random order. With `weights` (N,), N samples are drawn *with replacement*, each with a probability in proportion to its weight (you will need it in section 6; `torch.utils.data.WeightedRandomSampler` does it, or `torch.multinomial`). Random numbers come from torch's global generator: the same `torch.manual_seed` gives the same order.
# 2. **Batches** of `batch_size`; the last one has the remaining samples. A label stays with its image.
# 3. **Images** become `float32` in 0…1. If there is an `augmentation`, call it with groups of at most `group` images of the batch, with as few groups as possible, and use what it returns instead. Then the images are normalised with `normalise`.
#
# Prepare each batch only when it is requested: all augmented faces at once would take much memory, and the next epoch needs new ones anyway. Do not modify `X` and `y`, and yield tensors on their device.
#
# <details><summary>Hint 1: a generator</summary>A function with <code>yield</code> in it. Each time the caller requests the next batch, it continues after the last <code>yield</code>.</details>
# <details><summary>Hint 2: order first</summary>Make one tensor of row numbers for the whole epoch, <code>torch.randperm(len(X))</code> or that of the sampler. <code>rows.split(batch_size)</code> are the batches; <code>X[rows]</code> and <code>y[rows]</code> belong together.</details>
# <details><summary>Hint 3: groups</summary><code>torch.cat([augmentation(part) for part in images.split(group)])</code></details>


# %% nbgrader={"grade": false, "grade_id": "training_batches", "locked": false, "schema_version": 3, "solution": true, "task": false}
def training_batches(
    X: torch.Tensor, y: torch.Tensor, batch_size: int, augmentation=None,
    weights: torch.Tensor | None = None, group: int = 10,
):  # fmt: skip
    """Yield (images, labels) of one epoch: normalised float32 images (n, 1, H, W), labels (n,)."""
    ### BEGIN SOLUTION
    if weights is None:
        order = torch.randperm(len(X))
    else:
        order = torch.tensor(list(torch.utils.data.WeightedRandomSampler(weights, len(X))))
    for rows in order.split(batch_size):
        images = X[rows].float() / 255
        if augmentation is not None:
            images = torch.cat([augmentation(part) for part in images.split(group)])
        yield normalise(images), y[rows]
    ### END SOLUTION


# %% [markdown]
# The check hands your generator an augmentation that turns images into their negatives and records its inputs. Most of the check's samples have labels that are all different, so the check can see which image came with which label.

# %% nbgrader={"grade": false, "grade_id": "watch_batches", "locked": true, "schema_version": 3, "solution": false, "task": false}
def watch_batches(*case):
    return watch.watch_batches(training_batches, *case)


# %% nbgrader={"grade": true, "grade_id": "training_batches_values", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.public("training_batches_values", watch_batches)
### BEGIN HIDDEN TESTS
check.hidden("training_batches_values", watch_batches)
### END HIDDEN TESTS

# %% [markdown]
# ## 4 · Training that survives
#
# A real training run takes an hour, and Colab may take the machine away at any time. So this loop has four duties besides learning: show the progress, keep the best epoch rather than the last one, stop when nothing improves any more, and resume after a lost connection *as if nothing had happened*.
#
# ### Two small pieces
#
# **The learning rate.** A high rate is right in the middle of training, but wrong at both ends. In the first steps the batch norms and the optimiser's averages have seen nothing yet; near the end a large step only bounces around a good minimum. The remedy is a linear **warm-up**, then half a **cosine** down to zero. With `steps` steps in all, of which `warmup` warm up, step $s = 0, 1, …, \text{steps} - 1$ has the rate
#
# $$\eta_s = \begin{cases} \eta_\text{peak} \, \dfrac{s + 1}{\text{warmup}} & s < \text{warmup} \\[2ex] \dfrac{\eta_\text{peak}}{2} \left(1 + \cos \pi \, \dfrac{s - \text{warmup}}{\text{steps} - \text{warmup}} \right) & \text{otherwise} \end{cases}$$
#
# **Smooth labels.** Cross-entropy is satisfied only by a probability of 1, which needs a logit of infinity. In FER2013 two people agree on about two faces in three, so nobody should be that certain. **Label smoothing** asks for $1 - \epsilon$ on the label, and distributes $\epsilon$ equally over *all* classes, including the label: $t_c = (1 - \epsilon) \, [c = y] + \epsilon / C$.
#
# **Task** (15 min, easy). Write both. `warmup` may be 0, and is less than `steps`.
#
# <details><summary>Hint 1: the first step</summary>Step 0 has a rate above zero, and with <code>warmup = 5</code> it is step 4 that reaches the peak. Step 5 has the peak too: the cosine begins there.</details>
# <details><summary>Hint 2: the label's own share</summary>A row of targets adds up to 1. The label's entry is 1 − ε + ε/C.</details>


# %% nbgrader={"grade": false, "grade_id": "learning_rate", "locked": false, "schema_version": 3, "solution": true, "task": false}
def learning_rate(step: int, steps: int, peak: float, warmup: int) -> float:
    """Compute the learning rate of step 0, 1, …, steps - 1: linear warm-up, then half a cosine."""
    ### BEGIN SOLUTION
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / (steps - warmup)
    return peak / 2 * (1 + math.cos(math.pi * progress))
    ### END SOLUTION


# %% nbgrader={"grade": false, "grade_id": "smooth_labels", "locked": false, "schema_version": 3, "solution": true, "task": false}
def smooth_labels(y: torch.Tensor, num_classes: int, smoothing: float) -> torch.Tensor:
    """Turn labels y (N,), int64, into target probabilities (N, C), float32.

    The result is on the device of y.
    """
    ### BEGIN SOLUTION
    return (1 - smoothing) * F.one_hot(y, num_classes).float() + smoothing / num_classes
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "schedule_values", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.public("schedule_values", learning_rate)
### BEGIN HIDDEN TESTS
check.hidden("schedule_values", learning_rate)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "smooth_label_values", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check.public("smooth_label_values", smooth_labels)
### BEGIN HIDDEN TESTS
check.hidden("smooth_label_values", smooth_labels)
### END HIDDEN TESTS

# %% [markdown]
# ### What a training run consists of
#
# A `Run` holds everything that a training run needs. The **scaler** is for mixed precision on a GPU. There the network computes in 16 bits, where the smallest gradients would become zero. So the loss is first multiplied by a large number, and the gradients are divided by it before the step. Without a GPU the scaler does nothing.


# %% nbgrader={"grade": false, "grade_id": "run_and_epoch", "locked": true, "schema_version": 3, "solution": false, "task": false}
class Run:
    """A training run: what is trained, with what, and the results so far."""

    def __init__(self, model: nn.Module, weight_decay: float = 0.02):
        self.model = model
        self.optimiser = torch.optim.AdamW(model.parameters(), weight_decay=weight_decay)
        self.scaler = torch.amp.GradScaler(DEVICE, enabled=DEVICE == "cuda")
        self.history: list[dict] = []  # one dict of numbers for each epoch that is done
        self.best = {"epoch": -1, "score": -math.inf, "weights": {}}


def train_epoch(run, batches, rates, smoothing=0.0, class_weights=None):
    """Take one step for every batch, with these rates. Returns the mean loss of a sample."""
    run.model.train()
    losses_of_all = []
    for (x, y), rate in zip(batches, rates, strict=True):
        for group in run.optimiser.param_groups:
            group["lr"] = rate
        targets = smooth_labels(y, len(CLASSES), smoothing)
        with torch.autocast(DEVICE, torch.float16, enabled=DEVICE == "cuda"):
            losses = F.cross_entropy(run.model(x), targets, reduction="none")
        weight = torch.ones_like(losses) if class_weights is None else class_weights.to(losses)[y]
        run.optimiser.zero_grad()
        run.scaler.scale((weight * losses).sum() / weight.sum()).backward()
        run.scaler.step(run.optimiser)
        run.scaler.update()
        losses_of_all.append(losses.detach())
    return torch.cat(losses_of_all).mean().item()


@torch.no_grad()
def predict_logits(model, X):
    """Compute the logits (N, C), on the CPU, of faces X, uint8: as they are, never augmented."""
    model.eval()
    device = next(model.parameters()).device
    batches = (normalise(x.to(device).float() / 255) for x in X.split(500))
    return torch.cat([model(x).float().cpu() for x in batches])


# %% [markdown]
# ### Keep the best, and stop
#
# **Task** (30 min, medium). Write `fit`, the loop itself. Its argument `one_epoch(run, epoch)` trains for one epoch (the first is number 0) and returns a dict of numbers. One of them is `"score"`, measured on the *validation* faces: the higher the better.
#
# - After every epoch the dict is appended to `run.history`. If its score is higher than every one before, `run.best` gets the number of this epoch, its score, and a **copy** of `run.model.state_dict()`.
# - Training ends when `run.history` has `epochs` entries, or when none of the last `patience` epochs brought a new best score.
# - With a `path`, the run is saved after every epoch (when history and best are up to date), by `save_run(run, path)`, which you write next. If the file exists when `fit` begins, call `load_run(run, path)` first; training then continues after the last saved epoch. A finished run does not train again.
# - At the end the model gets the weights of the best epoch; return the model.
#
# Write `fit` first; `save_run` and `load_run` are called only if there is a path.
#
# <details><summary>Hint 1: a copy</summary><code>state_dict()</code> holds the same tensors that the next step will change. Clone each of them, or use <code>copy.deepcopy</code>.</details>
# <details><summary>Hint 2: when to stop, without a counter</summary>The number of the epoch that would come next is <code>len(run.history)</code>. Since the best one, <code>len(run.history) - 1 - run.best["epoch"]</code> epochs have gone by. This is true after loading too, and (with −1) before the first epoch.</details>


# %% nbgrader={"grade": false, "grade_id": "fit", "locked": false, "schema_version": 3, "solution": true, "task": false}
def fit(run: Run, one_epoch, epochs: int, patience: int, path: Path | None = None) -> nn.Module:
    """Train until `epochs` epochs are done, or `patience` in a row brought no new best score.

    Resumes from `path` if that file exists, and saves the run to it after every epoch.
    Returns run.model, with the weights of the best epoch.
    """
    ### BEGIN SOLUTION
    if path is not None and path.exists():
        load_run(run, path)
    while len(run.history) < epochs and len(run.history) - 1 - run.best["epoch"] < patience:
        epoch = len(run.history)
        figures = one_epoch(run, epoch)
        run.history.append(figures)
        if figures["score"] > run.best["score"]:
            weights = {name: w.cpu().clone() for name, w in run.model.state_dict().items()}
            run.best = {"epoch": epoch, "score": figures["score"], "weights": weights}
        if path is not None:
            save_run(run, path)
    run.model.load_state_dict(run.best["weights"])
    return run.model
    ### END SOLUTION


# %% [markdown]
# The check lets `fit` run on a small model whose weights and running statistics are, after each epoch, the number of that epoch; the scores are given. (It is in `lesson/watch/training.py` of the course's package: read it if the check surprises you.)


# %% nbgrader={"grade": false, "grade_id": "watch_fit", "locked": true, "schema_version": 3, "solution": false, "task": false}
def watch_fit(*case):
    return watch.watch_fit(fit, Run, *case)


# %% nbgrader={"grade": true, "grade_id": "fit_keeps_the_best", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check.public("fit_keeps_the_best", watch_fit)
### BEGIN HIDDEN TESTS
check.hidden("fit_keeps_the_best", watch_fit)
### END HIDDEN TESTS

# %% [markdown]
# ### Resume as if nothing had happened
#
# What belongs to a training run, besides the weights? Everything that decides what the next step does:
#
# - the optimiser's averages and the scaler,
# - the history and the best epoch so far,
# - the **generator state**, that is the state of the random numbers, which choose the next batches, the next augmentation and the next dropout.
#
# If you forget one of them, training still continues, only differently. No error message will ever show this mistake.
#
# **Task** (25 min, medium). Write `save_run` and `load_run`. After a lost connection a new process builds a new `Run`, with new random weights; `load_run` turns it into the old one.
#
# - Save with `torch.save`, and load with `torch.load(…, weights_only=True)`, which refuses to run code that somebody hid in a file. Such a file must raise an error, and its code must not run.
# - Put everything into the *one* file: nothing else survives the old machine.
#
# <details><summary>Hint 1: random numbers</summary><code>torch.get_rng_state()</code> is a tensor, and <code>torch.set_rng_state(…)</code> takes it back. With a GPU there is one state for each: <code>torch.cuda.get_rng_state_all()</code>, an empty list without.</details>
# <details><summary>Hint 2: who has a state</summary>The model, the optimiser and the scaler each have <code>state_dict()</code> and <code>load_state_dict(…)</code>. <code>history</code> and <code>best</code> are plain Python data and can be saved as they are. <code>run</code> itself cannot: <code>weights_only</code> refuses objects.</details>
# <details><summary>Hint 3: cut off while saving</summary>A connection can also be lost while the file is being written. Write to another name first, then <code>replace</code> the old file. This way the file is complete at every moment. (Not graded.)</details>


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


# %% [markdown]
# The check trains a small network with dropout and batch norm twice: once without interruption, and once with the connection lost in the middle of the epochs that `lost_in` names. After each loss it continues with new objects and other random numbers, and only the one file is moved to another folder. The two results must be equal, to the last digit. The scaler is switched on even without a GPU, and doubles its factor every few steps. Finally, `load_run` is given a file with code in it, which must not run.


# %% nbgrader={"grade": false, "grade_id": "compare_sessions", "locked": true, "schema_version": 3, "solution": false, "task": false}
def compare_sessions(*case):
    return watch.compare_sessions(fit, load_run, Run, *case)


# %% nbgrader={"grade": true, "grade_id": "fit_resumes", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check.public("fit_resumes", compare_sessions)
### BEGIN HIDDEN TESTS
check.hidden("fit_resumes", compare_sessions)
### END HIDDEN TESTS

# %% [markdown]
# ### The first two networks
#
# Now all the pieces come together: your batches, your augmentation, your schedule and your loop. Unfinished training runs are kept in the folder `runs`. Stop one in the middle (the black square), run the cell again, and watch where it resumes. With other settings, or another network, it starts again. A change that `print(model)` does not show goes unnoticed: then delete the folder. In Colab, set `RUNS` to a folder of your Google Drive, which outlives the machine.


# %% nbgrader={"grade": false, "grade_id": "evaluate", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
from sklearn.metrics import f1_score


def evaluate(logits, y):
    """Measure logits (N, C): loss, accuracy, and the score, which is macro-F1 (section 5)."""
    predictions = logits.argmax(dim=1)
    return {
        "loss": F.cross_entropy(logits, y).item(),
        "accuracy": (predictions == y).double().mean().item(),
        "score": f1_score(y, predictions, average="macro", zero_division=0),
    }


def unfinished(name, *settings):
    """Name the file that keeps a training run: another one for other settings."""
    RUNS.mkdir(parents=True, exist_ok=True)
    text = re.sub(r" at 0x\w+", "", repr(settings))  # where an object lies in memory
    return RUNS / f"{name.replace(' ', '_')}-{zlib.crc32(text.encode()):08x}.pt"


# %% nbgrader={"grade": false, "grade_id": "train_net", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
class Trained(NamedTuple):
    model: nn.Module  # with the weights of the best epoch
    last: dict  # the weights of the last epoch
    history: list  # one dict for each epoch


def train_net(
    name, model, train, val, *, epochs, augmentation=None, peak=4e-3, batch_size=64,
    smoothing=0.0, class_weights=None, weights=None, patience=1_000, seed=0,
):  # fmt: skip
    """Train a model, with a progress bar; the best epoch is chosen by macro-F1 on val."""
    torch.manual_seed(seed)
    model.eval()(torch.zeros(1, 1, 48, 48))  # a lazy layer learns its shape
    model.to(DEVICE, memory_format=torch.channels_last)
    X, y, last = train.X.to(DEVICE), train.y.to(DEVICE), {}
    per_epoch = math.ceil(len(y) / batch_size)

    def one_epoch(run, epoch):
        steps = range(epoch * per_epoch, (epoch + 1) * per_epoch)
        rates = [learning_rate(s, epochs * per_epoch, peak, per_epoch) for s in steps]
        group = 10 if DEVICE == "cpu" else 64
        batches = training_batches(X, y, batch_size, augmentation, weights, group)
        loss = train_epoch(run, batches, rates, smoothing, class_weights)
        measured = evaluate(predict_logits(run.model, val.X), val.y)
        last.update({key: w.clone() for key, w in run.model.state_dict().items()})
        bar.update(epoch + 1 - bar.n)
        bar.set_postfix(loss=f"{loss:.2f}", score=f"{measured['score']:.3f}")
        return {"train_loss": loss, "rate": rates[-1], **measured}

    settings = epochs, augmentation, peak, batch_size, smoothing, class_weights, weights, seed
    path = unfinished(name, model, len(y), *settings)
    with tqdm(total=epochs, desc=name, unit="epoch") as bar:
        run = Run(model)
        fit(run, one_epoch, epochs, patience, path)
    path.unlink(missing_ok=True)  # only what is unfinished is kept
    return Trained(model.eval(), last, run.history)


# %% [markdown]
# Train two networks that differ only in the augmentation. They see few faces, 2,400 drawn ones, so that the difference shows within a minute. `FEW` is for this and the next sections; the network that you hand in learns from all of them.
#
# **Predict first.** Write your prediction in this cell: which of the two has the lower *training* loss at the end, which one the lower *validation* loss, and in which epoch does the plain one stop getting better?

# %%
# not run when graded
RUNS = Path("runs")  # of Google Drive in Colab: Path("/content/drive/MyDrive/runs")
FEW = Faces(train.X[:2_400], train.y[:2_400]) if not REAL else train
EPOCHS = 18


def new_net():
    """Return a SmallCNN, always with the same random weights."""
    torch.manual_seed(0)
    return SmallCNN()


runs = {
    "plain": train_net("plain", new_net(), FEW, val, epochs=EPOCHS),
    "augmented": train_net(
        "augmented", new_net(), FEW, val, epochs=EPOCHS, augmentation=make_augmentation()
    ),
}
nets = {name: run.model for name, run in runs.items()}
net = nets["augmented"]
plots.training_runs({name: run.history for name, run in runs.items()})

# %% [markdown]
# Without augmentation the training loss goes to zero, while the loss on the validation faces stops falling after a few epochs: the network learns its 2,400 faces by heart. With augmentation it never sees the same face twice; its training loss stays higher, and the validation loss lower. In the panel on the right the dots are the epochs that were kept. Now stop one of these training runs in the middle, and resume it.

# %% [markdown]
# ## 5 · What accuracy hides
#
# Of FER2013's 3,589 test images, 55 show disgust. A network that never says *disgust* loses only 1.5 points of accuracy. A network that always says *happy* is right in 24.5 % of all cases. Accuracy is a single number, and it does not say which class pays.
#
# The **confusion matrix** does. `confusion[t, p]` counts the images of class $t$ that were predicted as class $p$: a row for each true class, a column for each prediction, and the correct answers on the diagonal.
#
# **Task** (10 min, easy). Write `confusion_matrix`, with tensor operations or a loop.
#
# - `y` and `predictions` are (N,), `int64`, from 0 to `num_classes` − 1, N ≥ 1.
# - The result is `int64` and always `num_classes` × `num_classes`. A class that never occurs still has its row, and a class that is never predicted still has its column.
#
# (scikit-learn has this function. Yours should give the same numbers.)
#
# <details><summary>Hint 1: a trap</summary><code>table[y, predictions] += 1</code> counts each pair once, however often it occurs: PyTorch reads all entries, adds 1, and writes them back.</details>
# <details><summary>Hint 2: pairs as numbers</summary>t · C + p is a different number for every pair (t, p), from 0 to C² − 1. <code>torch.bincount(…, minlength=…)</code> counts numbers.</details>


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


# %% nbgrader={"grade": true, "grade_id": "confusion_values", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check.public("confusion_values", confusion_matrix)
### BEGIN HIDDEN TESTS
check.hidden("confusion_values", confusion_matrix)
### END HIDDEN TESTS

# %% [markdown]
# With 200 happy faces and 12 disgusted ones, counts cannot be compared between rows. Shares can.
#
# **Task** (5 min, easy). Write `normalise_rows`. It divides each row of a confusion matrix (C, C), `int64`, by its sum; the row of a class that does not occur stays all zeros. Add nothing to the denominator. The result is `float64`. The matrix itself is not changed.
#
# <details><summary>Hint: broadcasting</summary>Dividing by a tensor of shape (C,) divides <em>columns</em>: the last dimension is the one that is matched. With <code>keepdim=True</code> it has shape (C, 1) and belongs to the rows.</details>


# %% nbgrader={"grade": false, "grade_id": "normalise_rows", "locked": false, "schema_version": 3, "solution": true, "task": false}
def normalise_rows(confusion: torch.Tensor) -> torch.Tensor:
    """Turn counts (C, C) into shares of each true class, float64; an empty row stays zero."""
    ### BEGIN SOLUTION
    totals = confusion.sum(dim=1, keepdim=True)
    return confusion.double() / totals.clamp(min=1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "row_share_values", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
check.public("row_share_values", normalise_rows)
### BEGIN HIDDEN TESTS
check.hidden("row_share_values", normalise_rows)
### END HIDDEN TESTS

# %% [markdown]
# Three numbers summarise a class $c$. Its **precision** is the share of the images *predicted* as $c$ that really are $c$. Its **recall** is the share of the images that *are* $c$ that were found. **F1** is the harmonic mean of the two, which is close to the smaller one:
#
# $$P_c = \frac{n_{cc}}{\sum_t n_{tc}} \qquad R_c = \frac{n_{cc}}{\sum_p n_{cp}} \qquad F_c = \frac{2 P_c R_c}{P_c + R_c}$$
#
# **Task** (15 min, medium). Write `class_scores`. It returns the three as tensors (C,), `float64`, in this order. Handle 0 / 0 explicitly; do not add a small constant to the denominator: the check notices even 1e-6. Whatever is not defined is 0:
#
# - the precision of a class that was never predicted,
# - the recall of a class that does not occur,
# - F1 where both are 0.
#
# <details><summary>Hint 1: which sum is which</summary>The images predicted as c are in <em>column</em> c; the images that are c are in <em>row</em> c.</details>
# <details><summary>Hint 2: 0 / 0</summary>A count is 0 or at least 1. If the denominator is 0, so is the numerator: <code>.clamp(min=1)</code> turns 0 / 0 into 0 / 1. And F = 2 n<sub>cc</sub> / (row sum + column sum) needs no P and no R.</details>


# %% nbgrader={"grade": false, "grade_id": "class_scores", "locked": false, "schema_version": 3, "solution": true, "task": false}
def class_scores(confusion: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Compute precision, recall and F1 of each class from counts (C, C).

    Returns three tensors (C,), float64; what is not defined is 0.
    """
    ### BEGIN SOLUTION
    right = confusion.diagonal().double()
    called, there = confusion.sum(dim=0), confusion.sum(dim=1)
    precision = right / called.clamp(min=1)
    recall = right / there.clamp(min=1)
    f1 = 2 * right / (called + there).clamp(min=1)
    return precision, recall, f1
    ### END SOLUTION


# %% nbgrader={"grade": false, "grade_id": "scores_by_name", "locked": true, "schema_version": 3, "solution": false, "task": false}
def scores_by_name(confusion):
    precision, recall, f1 = class_scores(confusion)
    return {"precision": precision, "recall": recall, "F1": f1}


# %% nbgrader={"grade": true, "grade_id": "class_score_values", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check.public("class_score_values", scores_by_name)
### BEGIN HIDDEN TESTS
check.hidden("class_score_values", scores_by_name)
### END HIDDEN TESTS

# %% [markdown]
# **Macro-F1** is the mean of F1 over *all* C classes, each counting the same: disgust is a seventh of it, although it is 1.5 % of the images. A class that neither occurs nor is predicted counts as 0. Two other measures have similar names. The harmonic mean of the mean precision and the mean recall is a different number, and can be far higher (for a class with P = 1, R = 0.1 and another with P = 0.1, R = 1 it is 0.55, and macro-F1 is 0.18). And *micro*-F1 is simply the accuracy.
#
# **Task** (5 min, easy). Write `macro_f1`. Return a Python number, or a tensor of shape ().


# %% nbgrader={"grade": false, "grade_id": "macro_f1", "locked": false, "schema_version": 3, "solution": true, "task": false}
def macro_f1(confusion: torch.Tensor) -> float:
    """Compute the mean of F1 over all C classes from counts (C, C)."""
    ### BEGIN SOLUTION
    precision, recall, f1 = class_scores(confusion)
    return f1.mean().item()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "macro_f1_values", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check.public("macro_f1_values", macro_f1)
### BEGIN HIDDEN TESTS
check.hidden("macro_f1_values", macro_f1)
### END HIDDEN TESTS

# %% [markdown]
# **Task** (15 min, medium). Write `most_confused`. The confusion of a pair $(t, p)$ with $t \neq p$ is the share of class $t$ that was predicted as $p$. It is a share of the *whole* class, correct answers included.
#
# - Return the `k` most confused pairs, the largest share first. Of equal shares, the smaller $t$ comes first, then the smaller $p$.
# - Only pairs that happened count: if fewer than `k` have a share above 0, return only those, and none at all for a perfect network.
# - The result is a tensor (n, 2) of integers, or a list of pairs (t, p).
# - The matrix is not changed.
#
# <details><summary>Hint 1: without the diagonal</summary>Work on the shares, not on <code>confusion</code> itself: <code>fill_diagonal_(0)</code> changes the matrix it is called on. And take shares first: without the diagonal the rows have different sums.</details>
# <details><summary>Hint 2: the order of equals</summary><code>topk</code> does not guarantee any order of equal values. <code>torch.sort(…, descending=True, stable=True)</code> keeps the one they had, and so does Python's <code>sorted</code>.</details>
# <details><summary>Hint 3: back to rows and columns</summary>The flattened matrix has t · C + p as index: divide by C with <code>//</code> and <code>%</code>.</details>


# %% nbgrader={"grade": false, "grade_id": "most_confused", "locked": false, "schema_version": 3, "solution": true, "task": false}
def most_confused(confusion: torch.Tensor, k: int) -> torch.Tensor:
    """Find the k pairs (true, predicted) with the largest share of the true class.

    Returns at most k pairs (n, 2) with a share above 0, the largest first.
    """
    ### BEGIN SOLUTION
    classes = len(confusion)
    shares = normalise_rows(confusion).fill_diagonal_(0).flatten()
    order = shares.sort(descending=True, stable=True).indices
    order = order[shares[order] > 0][:k]
    return torch.stack([order // classes, order % classes], dim=1)
    ### END SOLUTION


# %% nbgrader={"grade": false, "grade_id": "pairs_as_tensor", "locked": true, "schema_version": 3, "solution": false, "task": false}
def pairs_as_tensor(confusion, k):
    """Return the most confused pairs as a tensor (n, 2), whether they came as one or as a list."""
    pairs = [[float(true), float(predicted)] for true, predicted in most_confused(confusion, k)]
    found = torch.tensor(pairs, dtype=torch.float64).reshape(-1, 2)
    whole = found.long()
    return whole if torch.equal(whole.double(), found) else found


# %% nbgrader={"grade": true, "grade_id": "most_confused_pairs", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check.public("most_confused_pairs", pairs_as_tensor)
### BEGIN HIDDEN TESTS
check.hidden("most_confused_pairs", pairs_as_tensor)
### END HIDDEN TESTS

# %% [markdown]
# Now look at your network on the validation faces: its predictions for each class, the scores, and the most confused pairs by name.

# %% nbgrader={"grade": false, "grade_id": "look_at_confusion", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
predictions = predict_logits(net, val.X).argmax(dim=1)
confusion = confusion_matrix(val.y, predictions, len(CLASSES))
plots.confusion_matrix(normalise_rows(confusion), CLASSES)

# %% [markdown]
# How to read it: each row is a true class and adds up to 100 %; its square on the diagonal is the recall. Dark squares off the diagonal are confusions. A column that is tinted from top to bottom is a class that the network predicts too often.

# %% nbgrader={"grade": false, "grade_id": "look_at_classes", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
scores = torch.stack([confusion.sum(dim=1).double(), *class_scores(confusion)], dim=1)
print(f"{'':10}{'faces':>6}{'precision':>11}{'recall':>9}{'F1':>8}")
for name, (faces, *three) in zip(CLASSES, scores.tolist(), strict=True):
    print(f"{name:10}{faces:6.0f}{three[0]:11.1%}{three[1]:9.1%}{three[2]:8.1%}")
right = (confusion.diagonal().sum() / confusion.sum()).item()
print(f"\naccuracy {right:.1%}, macro-F1 {macro_f1(confusion):.1%}")
for true, predicted in most_confused(confusion, 5):
    share = normalise_rows(confusion)[true, predicted]
    print(f"{share:.0%} of {CLASSES[true]} were taken for {CLASSES[predicted]}")

# %% [markdown]
# In the report, *happy* and *surprise* were found best, and *disgust*, *angry*, *fear* and *neutral* in about half of the cases. Compare. Then ask of each of the five pairs whether *you* could tell the two apart, and which part of a face you would look at: brows, eyes or mouth? A network errs where faces are alike, and then in favour of the class it has seen more often. The next section is about the second effect. And do not read too much into the row of *disgust*: only 12 of the 800 drawn faces show it, so one face is eight points of its recall.

# %% [markdown]
# ## 6 · Fair to the rare
#
# Cross-entropy is a mean over images. If 1.5 % of the images show disgust, disgust is 1.5 % of the loss, and the network learns to please the majority. There are three places to intervene: the loss, the batches, and the prediction.
#
# **The loss.** `F.cross_entropy(…, weight=w)` multiplies the loss of each image by the weight of its class. The obvious weight is the inverse of the class's number of images: then each class has the same say.
#
# **Task** (10 min, easy). Write `inverse_frequency`. `counts` (C,), `int64`, holds the number of images of each class; at least one is above 0. The weights (C,), `float64`, are proportional to 1 / count, and their mean is 1 **over the classes that occur**. The weight of a class that does not occur is 0.
#
# <details><summary>Hint: which precision?</summary>A Python number and an <code>int64</code> tensor make a <code>float32</code> tensor. Begin with <code>counts.double()</code>.</details>


# %% nbgrader={"grade": false, "grade_id": "inverse_frequency", "locked": false, "schema_version": 3, "solution": true, "task": false}
def inverse_frequency(counts: torch.Tensor) -> torch.Tensor:
    """Compute class weights (C,), float64, proportional to 1 / counts.

    They average 1 over the classes that occur; the others get 0.
    """
    ### BEGIN SOLUTION
    n = counts.double()
    weights = torch.where(n > 0, 1 / n, 0.0)
    return weights * (n > 0).sum() / weights.sum()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "inverse_frequency_values", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check.public("inverse_frequency_values", inverse_frequency)
### BEGIN HIDDEN TESTS
check.hidden("inverse_frequency_values", inverse_frequency)
### END HIDDEN TESTS

# %% [markdown]
# That may be too much of a good thing. Of FER2013's 4,965 neutral faces, the last thousand hardly add anything new, so *neutral* need not pay for all of them. Cui et al. (CVPR 2019) count with diminishing returns. If the next image adds β times as much as the one before, $n$ images are worth
#
# $$E_n = 1 + \beta + \beta^2 + \dots + \beta^{n-1} = \frac{1 - \beta^n}{1 - \beta}$$
#
# the **effective number** of images; and the weights are proportional to $1 / E_n$. With β = 0 it only matters whether a class occurs at all; with β close to 1 every image counts in full, and we are back at the inverse frequency.
#
# **Task** (15 min, medium). Write `effective_number`, with 0 ≤ β < 1 and counts as before. Again `float64`, mean 1 over the classes that occur, 0 for the others. It has to be right for β = 0 and for β = 0.999999 with 20 images, which it is if you use double precision from the start.
#
# <details><summary>Hint 1: precision</summary><code>beta ** counts</code> with an <code>int64</code> tensor is <code>float32</code>, and 1 − 0.99998 has lost most of its digits there.</details>
# <details><summary>Hint 2: what follows</summary>The same three lines as before, with E<sub>n</sub> in the place of n. For a class without images E<sub>0</sub> = 0: leave it out before you divide, or put 0 there afterwards.</details>


# %% nbgrader={"grade": false, "grade_id": "effective_number", "locked": false, "schema_version": 3, "solution": true, "task": false}
def effective_number(counts: torch.Tensor, beta: float) -> torch.Tensor:
    """Compute class weights (C,), float64, proportional to (1 - beta) / (1 - beta ** counts).

    They average 1 over the classes that occur; the others get 0. Cui et al., CVPR 2019.
    """
    ### BEGIN SOLUTION
    n = counts.double()
    effective = (1 - beta**n) / (1 - beta)
    weights = torch.where(n > 0, 1 / effective, 0.0)
    return weights * (n > 0).sum() / weights.sum()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "effective_number_values", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.public("effective_number_values", effective_number)
### BEGIN HIDDEN TESTS
check.hidden("effective_number_values", effective_number)
### END HIDDEN TESTS

# %% nbgrader={"grade": false, "grade_id": "look_at_weights", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
counts = torch.bincount(train.y, minlength=len(CLASSES))
betas = (0.99, 0.999, 0.9999)
columns = [inverse_frequency(counts), *(effective_number(counts, beta) for beta in betas)]
print(f"{'':10}{'faces':>6}{'1 / n':>8}" + "".join(f"{f'β = {beta}':>12}" for beta in betas))
for name, n, row in zip(CLASSES, counts.tolist(), torch.stack(columns, dim=1), strict=True):
    print(f"{name:10}{n:6}{row[0]:8.2f}" + "".join(f"{weight:12.2f}" for weight in row[1:]))

# %% [markdown]
# How to read it: $E_n$ never exceeds 1 / (1 − β). With β = 0.99 a class cannot be worth more than 100 images, so all classes with a few hundred images get nearly the same weight; with β = 0.9999 it could be worth 10,000, more than any class has, and the column comes close to 1 / n. So β sets how far you go.
#
# **The batches.** Or leave the loss as it is, and *draw* the rare classes more often. `torch.utils.data.WeightedRandomSampler` draws image $i$ with a probability proportional to its weight, with replacement.
#
# **Task** (10 min, easy). Write `sample_weights`: weights (N,), `float64`, one for each image, that add up to 1, such that every class that occurs is drawn equally often, and all images of a class as well. `y` (N,) are labels from 0 to `num_classes` − 1, N ≥ 1.
#
# <details><summary>Hint: from classes to images</summary><code>per_class[y]</code> looks up a number for each image.</details>


# %% nbgrader={"grade": false, "grade_id": "sample_weights", "locked": false, "schema_version": 3, "solution": true, "task": false}
def sample_weights(y: torch.Tensor, num_classes: int) -> torch.Tensor:
    """Compute the probability (N,), float64, of drawing each image, for balanced batches."""
    ### BEGIN SOLUTION
    counts = torch.bincount(y, minlength=num_classes)
    occurring = (counts > 0).sum()
    return 1 / (occurring * counts[y]).double()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "sample_weight_values", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.public("sample_weight_values", sample_weights)
### BEGIN HIDDEN TESTS
check.hidden("sample_weight_values", sample_weights)
### END HIDDEN TESTS

# %% [markdown]
# On average, class weights and the sampler ask for the same. But they do not act in the same way. With a weight, a rare face gives a rare but *large* step. A sampler shows the face often: of 5,900 draws in an epoch each of the seven classes gets 843, so each of the 90 disgusted faces comes about nine times. Only augmentation makes it a different picture each time.
#
# **The prediction.** Or train as usual, and correct the network's predictions. It has learned $p(y \mid x) \propto p(x \mid y)\, \pi_y$, with $\pi_y$ the share of class $y$ in training (Bayes). If the classes later occur with other shares $\pi'_y$, and the faces of each class look as before, the right answer is
#
# $$p'(y \mid x) \;\propto\; p(x \mid y)\, \pi'_y \;\propto\; p(y \mid x)\, \frac{\pi'_y}{\pi_y}$$
#
# The **balanced error**, the mean over classes of each class's error, is the error in a world where all classes are equally frequent. So it asks for $\pi'_y = 1/C$: divide by the prior, which in logits means to subtract its logarithm. Menon et al. (ICLR 2021) do this with a parameter τ: 0 leaves everything as it is, 1 is the formula above, and you may choose any value between them.
#
# **Task** (15 min, medium). Write `adjust_logits`: logits − τ · log π, where π is the counts divided by their sum.
#
# - `counts` (C,) is `int64`, and not all counts are 0.
# - A class with count 0 has no prior to divide by: its logits stay as they are, while the others are adjusted.
# - The result has the shape and dtype of `logits` (N, C).
# - Do not modify `logits`, and do not normalise them before or after.
#
# <details><summary>Hint 1: does the sum matter?</summary>Not for the arg-max: dividing all counts by one number adds the same constant to all logits. But it changes the numbers, and it matters next to a class that is not adjusted. Use shares.</details>
# <details><summary>Hint 2: a count of 0</summary>log 0 = −∞. <code>torch.where(counts &gt; 0, …, 0.0)</code> chooses between two tensors entry by entry.</details>


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
# Now compare three networks, all trained with the same augmentation: the plain one (you have it already), one with class weights by the effective number, and one with the sampler. This takes half a minute.
#
# **Predict first.** Write your prediction in this cell: which of the three finds most of the disgusted faces, and what does it cost the others in accuracy?

# %% nbgrader={"grade": false, "grade_id": "train_fair_runs", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
counts = FEW.y.bincount(minlength=len(CLASSES))
schemes = {
    "class weights": {"class_weights": effective_number(counts, 0.997)},
    "sampler": {"weights": sample_weights(FEW.y, len(CLASSES))},
}
for name, scheme in schemes.items():
    settings = {"epochs": EPOCHS, "augmentation": make_augmentation(), **scheme}
    nets[name] = train_net(name, new_net(), FEW, val, **settings).model

# %% [markdown]
# The adjustment needs no training. It needs a τ, which you choose like everything else: on the validation faces.

# %% nbgrader={"grade": false, "grade_id": "measured", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
rarest = int(counts.argmin())
NAMES = ("accuracy", "macro-F1", f"recall of {CLASSES[rarest]}")


def measured(logits, y):
    """Return accuracy, macro-F1 and the recall of the rarest class."""
    confusion = confusion_matrix(y, logits.argmax(dim=1), len(CLASSES))
    right = (confusion.diagonal().sum() / confusion.sum()).item()
    return right, float(macro_f1(confusion)), class_scores(confusion)[1][rarest].item()


# %% nbgrader={"grade": false, "grade_id": "sweep_tau", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
taus = [tenth / 10 for tenth in range(21)]
logits = predict_logits(nets["augmented"], val.X)
swept = [measured(adjust_logits(logits, counts, tau), val.y) for tau in taus]
tau = max(zip(taus, swept, strict=True), key=lambda found: found[1][1])[0]  # by macro-F1
plots.prior_adjustment(taus, dict(zip(NAMES, zip(*swept, strict=True), strict=True)), tau)

# %% [markdown]
# How to read it: from left to right, τ grows. The recall of the rarest class rises in steps, one for each of its few faces. Accuracy pays for it, slowly at first, then quickly. The dotted line is the τ with the best macro-F1. Where the curve is nearly flat, one or two faces decide, and this τ may not win on the test faces. It is often below 1: τ = 1 gives the best *balanced* error, which is about recall alone; macro-F1 also counts false alarms.

# %% nbgrader={"grade": false, "grade_id": "compare_fairness", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
logits = predict_logits(nets["augmented"], test.X)
table = {"as it is": logits}
for name in ("class weights", "sampler"):
    table[name] = predict_logits(nets[name], test.X)
table["adjusted, τ = 1"] = adjust_logits(logits, counts, 1.0)
table[f"adjusted, τ = {tau:g}"] = adjust_logits(logits, counts, tau)
print(f"{'on the test faces':20}" + "".join(f"{name:>20}" for name in NAMES))
for name, found in table.items():
    print(f"{name:20}" + "".join(f"{value:20.1%}" for value in measured(found, test.y)))

# %% [markdown]
# How to read it: a gain in the last column is mostly paid for in the first. The question is at what rate, and macro-F1 is one opinion on that. Do not rank rows that differ by a point or two: each training run is one throw of the dice, and with drawn faces the last column counts only 12. Do not combine remedies either: a network trained with weights or with the sampler already has balanced priors, and adjusting its logits as well overshoots.
#
# **Question 2** (6 points). Is the class with the largest probability the best prediction? (about 15 min)
#
# A full answer
#
# - says for which measure it is, and under which two conditions,
# - names two situations in which it is not, and what to predict there instead,
# - compares two of the three remedies of this section (loss, batches, prediction) by what each costs.

# %% [markdown] nbgrader={"grade": true, "grade_id": "question_arg_max", "locked": false, "points": 6, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer.** The arg-max of p(y | x) minimises the expected 0–1 loss, so it is best for accuracy, if the probabilities are right (calibrated: among faces that get 0.7, 70 % are that class; only their order matters for the arg-max) and if classes are as frequent where the network is used as in training. It is not best (1) for the balanced error or macro-F1, where every class counts the same: divide by the prior, predict arg max p(y | x) / π_y, that is of logits − log π (for macro-F1 only partly, with a τ chosen on validation images); (2) where the class shares differ from those in training: multiply by π′_y / π_y; (3) where mistakes cost differently: predict the class with the smallest expected cost, Σ_y p(y | x) cost(y, ŷ), or refuse to answer when all are expensive. The remedies: class weights need a new training run, make rare steps large and so training noisier, and their probabilities are no longer those of the data; a sampler needs a new training run too and repeats the few rare images, which overfits without augmentation, or drops many of the frequent ones; adjusting needs no training and can be changed at any time, but needs good probabilities and the priors, and cannot help where the features never learned the class. All of them pay with accuracy and with the precision of the rare classes: more false alarms.
#
# **Marking.** 2 points: best for 0–1 loss / accuracy (half), with both conditions: right probabilities, and the same priors (half). 2 points: two situations, each with what to predict instead (half each). 2 points: two remedies compared by cost (half), and that accuracy or precision is the price (half). "Yes, because it is the most probable" earns 1 point only.
# ### END SOLUTION

# %% [markdown]
# ## 7 · Two looks and several opinions
#
# The third trick of the report is to ask more than once. If several networks err *independently*, their mean errs less than each of them: of the squared error, the bias stays and the variance is divided by the number of networks. They are not independent, since they saw the same faces. But random weights and random batches make them differ. That is enough to help, and to make the probabilities more honest (Lakshminarayanan et al., NeurIPS 2017). The price is plain: M networks cost M times as much, to train and at every prediction.
#
# **Task** (10 min, easy). Write `average_probabilities`. `logits_of_all` is a list of M ≥ 1 tensors (N, C), one from each network. Turn each network's logits into probabilities over the classes, then average over the networks.
#
# - The result is (N, C), with the dtype of the logits.
# - It must be right even for logits of ±10,000.
# - The logits are not modified.
#
# <details><summary>Hint: what to average</summary>Probabilities. The mean of the <em>logits</em> is another rule: a network that shouts (logits of 50) would outvote all the others.</details>


# %% nbgrader={"grade": false, "grade_id": "average_probabilities", "locked": false, "schema_version": 3, "solution": true, "task": false}
def average_probabilities(logits_of_all: list[torch.Tensor]) -> torch.Tensor:
    """Average the probabilities (N, C) of several networks, given their logits (N, C)."""
    ### BEGIN SOLUTION
    return torch.stack(logits_of_all).softmax(dim=-1).mean(dim=0)
    ### END SOLUTION


# %% nbgrader={"grade": false, "grade_id": "average_of_stack", "locked": true, "schema_version": 3, "solution": false, "task": false}
def average_of_stack(logits):
    """Give logits (M, N, C) as a list, as the task has it."""
    return average_probabilities(list(logits))


# %% nbgrader={"grade": true, "grade_id": "ensemble_values", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.public("ensemble_values", average_of_stack)
### BEGIN HIDDEN TESTS
check.hidden("ensemble_values", average_of_stack)
### END HIDDEN TESTS

# %% [markdown]
# A second opinion from the same network costs no training: show it the mirror image. It is a fair second look because a face seen in a mirror has the same expression, and because the network has met such faces if you trained it with flips. It would not be fair for digits or text, where a mirrored image means something else or nothing. Nor would it be fair for a scan that shows the heart on one side.
#
# **Task** (15 min, medium). Write `flip_probabilities`: the mean of the *probabilities* that `model` gives to images `x` (N, 1, H, W) and to their left-right mirror images.
#
# - `x` is what the model expects (already normalised) and is not modified.
# - Run the model in evaluation mode. Then put it back, with `model.train(…)` or `model.eval()`, into the mode that `model.training` showed before.
# - Run it without recording gradients, and restore the previous setting afterwards.
#
# <details><summary>Hint 1: left and right</summary>Columns are the last dimension: <code>x.flip(-1)</code>. <code>flip(-2)</code> is upside down.</details>
# <details><summary>Hint 2: nearly the answer</summary>Two looks are two opinions: you have just written the function that averages them.</details>


# %% nbgrader={"grade": false, "grade_id": "flip_probabilities", "locked": false, "schema_version": 3, "solution": true, "task": false}
def flip_probabilities(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Average the probabilities (N, C) of images x (N, 1, H, W) and of their mirror images.

    The model runs in evaluation mode, without gradients, and gets its mode back.
    """
    ### BEGIN SOLUTION
    was_training = model.training
    model.eval()
    with torch.no_grad():
        looks = [model(x), model(x.flip(-1))]
    model.train(was_training)
    return average_probabilities(looks)
    ### END SOLUTION


# %% nbgrader={"grade": false, "grade_id": "watch_flipping", "locked": true, "schema_version": 3, "solution": false, "task": false}
def watch_flipping(*case):
    return watch.watch_flipping(flip_probabilities, *case)


# %% nbgrader={"grade": true, "grade_id": "flip_values", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check.public("flip_values", watch_flipping)
### BEGIN HIDDEN TESTS
check.hidden("flip_values", watch_flipping)
### END HIDDEN TESTS

# %% [markdown]
# What is it worth? Compare a single network with the three augmented networks together, both with one look and with two.
#
# **Predict first.** Write your prediction in this cell: how many points of accuracy does the mirror image add, and how many the ensemble?

# %% nbgrader={"grade": false, "grade_id": "opinions_of_all", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
several = [nets[name] for name in ("augmented", "class weights", "sampler")]


def one_look(model, X):
    """Compute the probabilities (N, C), on the CPU, of faces X, uint8."""
    return average_probabilities([predict_logits(model, X)])


def two_looks(model, X):
    """Compute the probabilities (N, C), on the CPU, of faces X, uint8, and their mirror images."""
    batches = (normalise(x.to(DEVICE).float() / 255) for x in X.split(500))
    return torch.cat([flip_probabilities(model, x).cpu() for x in batches])


def mean_score(predictions, y):
    """Return accuracy and macro-F1, as a mean over several predictions."""
    return torch.tensor([measured(found, y)[:2] for found in predictions]).mean(dim=0).tolist()


# %% nbgrader={"grade": false, "grade_id": "compare_opinions", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
rows = {}
for X, y in (val, test):
    for looks, look in (("one look", one_look), ("two looks", two_looks)):
        found = [look(model, X) for model in several]
        together = [torch.stack(found).mean(dim=0)]
        for name, predictions in (("one network, ", found), ("all together, ", together)):
            rows.setdefault(name + looks, []).extend(mean_score(predictions, y))
print(f"{'':25}{'validation':>20}{'test':>20}\n{'':25}" + 2 * f"{'accuracy':>10}{'macro-F1':>10}")
for name, found in rows.items():
    print(f"{name:25}" + "".join(f"{value:10.1%}" for value in found))

# %% [markdown]
# How to read it: *one network* is the mean over the networks, what you get if you pick one blindly. A second look costs no training and should help a little. The networks together usually help more, and the more they differ, the more they help. A gain of one point on 800 faces is eight faces: check whether it shows in all four columns before you believe it.

# %% [markdown]
# ## 8 · What was it good for?
#
# An **ablation** removes or adds one ingredient and leaves everything else as it is. Every network in the table below has the same architecture and saw the same faces for the same number of epochs. Each row adds one thing to the row above it; the ensemble is the augmented network with those of section 6 that had class weights and the sampler.
#
# **Predict first.** Write your prediction in this cell: which row gains most in accuracy, and which one in the recall of disgust?


# %% nbgrader={"grade": false, "grade_id": "ablation", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
last = deepcopy(nets["plain"])
last.load_state_dict(runs["plain"].last)
ablation = {
    "nothing: the last epoch": predict_logits(last, test.X),
    "+ the best epoch": predict_logits(nets["plain"], test.X),
    "+ augmentation": predict_logits(nets["augmented"], test.X),
    "+ ensemble of three": sum(one_look(model, test.X) for model in several) / len(several),
    "+ mirror images": sum(two_looks(model, test.X) for model in several) / len(several),
}
print(f"{'on the test faces':25}" + "".join(f"{name:>20}" for name in NAMES))
for name, found in ablation.items():
    print(f"{name:25}" + "".join(f"{value:20.1%}" for value in measured(found, test.y)))

# %% [markdown]
# Read it from the top: which step gains most, and in which column? (If the first two rows are alike, the last epoch was as good as the best one: with a rate that falls to zero it often is.) Then count: how many test faces show disgust, and what does one of them do to the last column, and to macro-F1?
#
# **Question 3** (6 points). Which of the differences in your table would you show to somebody who has to make a decision, and which are noise? And what went wrong in the report? It validated on a random 12 % of the training images and read 70 % there; it stopped training as soon as validation reached 66 %, a threshold that it chose because the strong baseline of the public leaderboard stood at 64.1 %; on the private test it had 65.3 %. (about 15 min)
#
# A full answer
#
# - quantifies the noise of one column from the number of faces,
# - names two other reasons why such a table can mislead, and what to do about each,
# - gives a likely cause for 70 against 65.3 %, from the card of section 1,
# - says what is wrong with the threshold.

# %% [markdown] nbgrader={"grade": true, "grade_id": "what_is_noise", "locked": false, "points": 6, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer.** On 800 faces an accuracy near 75 % has a standard error of √(0.75 · 0.25 / 800) = 1.5 points, so a 95 % interval of ± 3 points. (All rows are measured on the same faces, so a difference is known a little better than that; a paired test would say how much.) Only 12 of them show disgust: one face more or less is 8 points of recall, and the interval reaches from nearly nothing to a half. Its F1 is a seventh of macro-F1, so that macro-F1 jumps by a point or more for a single face. I would show the steps of 3 points and more in accuracy, and disgust only with its counts.
#
# Other reasons: each row is one training run with one seed, and another seed moves it by a point or two: train with several and report mean and spread. The order decides: what an ingredient gains depends on what is there already; take single ones away from the full set too. All settings were found for one of the rows, and suit that one best. The best of many rows is too good, since it was chosen for its luck.
#
# The report: 12 % of 28,709 are 3,445 faces, so noise explains 1.5 points and not 4.7. But those 28,709 images are only 27,473 different ones. Split at random, many a validation face has its twin in training, and is remembered, not recognised: a leak. (Remove duplicates before you split.) The threshold was taken from a leaderboard. So scores on test faces decided when to stop, and served as validation. And the number says when *other* networks were good, not when this network is at its best. Stop at the best validation epoch, and look at the test set only once.
#
# **Marking.** 2 points: a standard error or an interval, or what one face of disgust changes, in numbers. 2 points: two reasons with a remedy each (half for reasons alone). 2 points: the report: duplicates between training and validation (half); a stopping rule that was taken from test scores (half).
# ### END SOLUTION

# %% [markdown]
# ### The network that you hand in
#
# **Task** (20 min, plus training; 10 points, depending on the results on hidden faces). Choose a recipe, train on all faces, and run the cells below. They write `faces_net.safetensors` beside the notebook. **Hand that file in with the notebook.**
#
# - The prediction uses your `SmallCNN`, `flip_probabilities` and `adjust_logits`, so fix those first.
# - `SmallCNN()`, without arguments, must stay what it was when you trained.
#
# An example of a recipe, and a poor one, is `{"epochs": 4, "peak": 1e-3, "smoothing": 0.0, "beta": 0.0, "tau": 0.0}`. `beta` is for class weights by the effective number (0 means none), and `tau` is how far the logits are adjusted by the class priors (0 means not at all). Choose by the validation faces: the last cell before the checks prints what you need.
#
# | | pass: half of the points | good: 80 % | excellent: all |
# |---|---:|---:|---:|
# | 5 points: accuracy, 800 drawn faces with the class shares of the training set (`tau` is not used) | 60 % | 67 % | 73 % |
# | 5 points: macro-F1, 420 drawn faces, 60 of each expression (`tau` is used) | 48 % | 58 % | 67 % |
# | real faces, if your teacher has them: accuracy on the private test | 64.114 % | 65.285 % | 69.914 % |
# | real faces: macro-F1 there | 57 % | 61 % | 66 % |
#
# 64.114 % was called a strong baseline, 65.285 % is the report, 69.914 % the best of its class. Where there are drawn and real faces, the better of the two results counts. Hidden faces are other faces, so your graded result may differ from your own measurement by 3 points: aim above the level you want. Unless your teacher says otherwise, **hand in a network trained on drawn faces** (`REAL = False`): a network only knows the type of faces it has seen.


# %% nbgrader={"grade": false, "grade_id": "my_recipe", "locked": false, "schema_version": 3, "solution": true, "task": false}
def my_recipe() -> dict[str, float]:
    """Choose how to train the network that you hand in: epochs, peak, smoothing, beta, tau."""
    ### BEGIN SOLUTION
    return {"epochs": 20, "peak": 4e-3, "smoothing": 0.05, "beta": 0.999, "tau": 0.5}
    ### END SOLUTION


# %% nbgrader={"grade": false, "grade_id": "train_handed_in", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
recipe, totals = my_recipe(), train.y.bincount(minlength=len(CLASSES))
Path("faces_net.safetensors").unlink(missing_ok=True)  # so that no old one is handed in
handed_in = train_net(
    "handed in",
    SmallCNN(),
    train,
    val,
    augmentation=make_augmentation(),
    epochs=int(recipe["epochs"]),
    peak=recipe["peak"],
    smoothing=recipe["smoothing"],
    class_weights=effective_number(totals, recipe["beta"]) if recipe["beta"] else None,
).model
saved = {f"net.{key}": w for key, w in handed_in.state_dict().items()}
saved = {key: w.half() if w.is_floating_point() else w for key, w in saved.items()}
saved |= {"counts": totals, "tau": torch.tensor(recipe["tau"])}
save_artifact("faces_net.safetensors", saved)


# %% nbgrader={"grade": false, "grade_id": "predict_faces", "locked": true, "schema_version": 3, "solution": false, "task": false}
def handed_in_net():
    """Load SmallCNN, the class counts and tau from faces_net.safetensors."""
    saved = load_artifact("faces_net.safetensors", needs=("counts", "tau"))
    model, image = SmallCNN().eval(), torch.zeros(1, 1, 48, 48)
    model(image)  # a lazy layer learns its shape
    try:  # takes half the time on a CPU
        model.to(memory_format=torch.channels_last)(image)
    except RuntimeError:  # it calls view
        model.to(memory_format=torch.contiguous_format)
    if sum(p.numel() for p in model.parameters()) > 300_000:
        raise ValueError("SmallCNN has more than 300,000 parameters.")
    weights = {key.removeprefix("net."): w for key, w in saved.items() if key.startswith("net.")}
    try:
        model.load_state_dict(weights)  # from half to single precision
    except RuntimeError:
        raise ValueError(
            "faces_net.safetensors is of another SmallCNN than the notebook's: run the cell that "
            "trains it, and hand it in."
        ) from None
    return model, saved["counts"], saved["tau"].item()


def log_probabilities(model, images):
    """Compute the log-probabilities (N, C) of images, uint8, by two looks at each."""
    batches = (normalise(x.float() / 255) for x in images.split(50))
    return torch.cat([flip_probabilities(model, x) for x in batches]).log()


def predict_faces(images):
    """Predict the expressions of faces (N, 1, 48, 48), uint8: the most probable ones."""
    model, _, _ = handed_in_net()
    return log_probabilities(model, images).argmax(dim=1)


def predict_fairly(images):
    """Predict as if all expressions were equally frequent, as far as tau says."""
    model, counts, tau = handed_in_net()
    return adjust_logits(log_probabilities(model, images), counts, tau).argmax(dim=1)


# %% nbgrader={"grade": false, "grade_id": "look_at_handed_in", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
def if_equally_frequent(logits, y):
    """Compute macro-F1 as if there were as many faces of each expression."""
    confusion = confusion_matrix(y, logits.argmax(dim=1), len(CLASSES))
    return float(macro_f1((10_000 * normalise_rows(confusion)).round().long()))


found = log_probabilities(handed_in_net()[0], val.X)
print("validation   accuracy   macro-F1   macro-F1 if all were equally frequent")
for by in sorted({0.0, 0.25, 0.5, 0.75, 1.0, recipe["tau"]}):
    adjusted = adjust_logits(found, totals, by)
    values = *measured(adjusted, val.y)[:2], if_equally_frequent(adjusted, val.y)
    print("tau = {:4}{:11.1%}{:11.1%}{:11.1%}".format(by, *values))

# %% nbgrader={"grade": true, "grade_id": "faces_accuracy", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check.public("faces_accuracy", predict_faces)
### BEGIN HIDDEN TESTS
check.hidden("faces_accuracy", predict_faces)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "faces_macro_f1", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check.public("faces_macro_f1", predict_fairly)
### BEGIN HIDDEN TESTS
check.hidden("faces_macro_f1", predict_fairly)
### END HIDDEN TESTS

# %% [markdown]
# ### The long run
#
# With a GPU and the real faces, the cell below trains the network of the report five times, for 50 epochs each, in mixed precision, and measures one of them, all of them, and all of them with mirror images. The report reached 65.3 % on the private test, the best of its class 69.9 %. It takes a while. If the machine is taken away, run the notebook again: finished networks are read from `RUNS`, and the unfinished one resumes with the epoch that was lost.


# %% nbgrader={"grade": false, "grade_id": "long_run", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
class At64(nn.Module):
    """Show a network its images at 64 pixels, the size the report chose."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return self.network(F.interpolate(x, size=64, mode="bilinear", align_corners=False))


def long_run(seed):
    torch.manual_seed(seed)
    settings = {"epochs": 50, "peak": 1e-3, "batch_size": 128, "smoothing": 0.1, "seed": seed}
    model, finished = At64(ReportCNN()), RUNS / f"report_{seed}.safetensors"
    if finished.exists():
        model.load_state_dict(load_file(finished))
        return model.to(DEVICE).eval()
    settings["augmentation"] = make_augmentation()
    model = train_net(f"report {seed}", model, train, val, **settings).model
    save_file({key: w.cpu().contiguous() for key, w in model.state_dict().items()}, finished)
    return model


if REAL and DEVICE == "cuda":
    five = [long_run(seed) for seed in range(5)]
    found = {
        "one": one_look(five[0], test.X),
        "all five": sum(one_look(model, test.X) for model in five) / 5,
        "with mirror images": sum(two_looks(model, test.X) for model in five) / 5,
    }
    for name, probabilities in found.items():
        print(f"{name:20}" + "".join(f"{v:20.2%}" for v in measured(probabilities, test.y)))

# %% [markdown]
# ## 9 · Where does it look?
#
# A network may have a good score for a bad reason: the frame of the photograph, a watermark, the hand that people hold to their face when they are sad. There are two classic ways to see which pixels a prediction depends on. Both explain one logit of one image, and both only need gradients.
#
# **Saliency** (Simonyan et al. 2014): how much would the logit $s_c$ change if this pixel changed a little?
#
# $$S_{ij} = \left| \frac{\partial s_c}{\partial x_{ij}} \right|$$
#
# **Task** (20 min, medium). Write `saliency` for grey images: one map of the image's size for each image, on the device of `x`, without gradients attached. The rules for both functions of this section:
#
# - Explain the *logit* of `classes[n]` for image n, not a probability. (A probability also depends on all other logits, and where it is nearly 1 its gradient vanishes.)
# - Explain it in evaluation mode, whatever mode the model is in. Afterwards `model.training` is what it was (you may use `model.train(…)` to put it back).
# - Nothing else changes: neither `.grad` nor `requires_grad` of the parameters. `x` needs no gradient, and has none, before and after.
#
# <details><summary>Hint 1: a batch at once</summary>In evaluation mode, image n only affects the logits of image n. So the gradient of the <em>sum</em> of the chosen logits with respect to <code>x</code> holds all maps at once.</details>
# <details><summary>Hint 2: the chosen logits</summary><code>logits.gather(1, classes[:, None])</code>, or <code>logits[torch.arange(len(x)), classes]</code>.</details>
# <details><summary>Hint 3: gradients that leave no trace</summary><code>.backward()</code> adds to the <code>.grad</code> of every parameter. <code>torch.autograd.grad(value, tensor)</code> returns the gradient and touches nothing. Use a copy of x: <code>x.detach().clone().requires_grad_()</code>.</details>


# %% nbgrader={"grade": false, "grade_id": "saliency", "locked": false, "schema_version": 3, "solution": true, "task": false}
def saliency(model: nn.Module, x: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """Compute |d logit of classes[n] / d pixel| for images x (N, 1, H, W): maps (N, H, W)."""
    ### BEGIN SOLUTION
    was_training = model.training
    model.eval()
    x = x.detach().clone().requires_grad_()
    chosen = model(x).gather(1, classes[:, None])
    (gradient,) = torch.autograd.grad(chosen.sum(), x)
    model.train(was_training)
    return gradient[:, 0].abs()
    ### END SOLUTION


# %% [markdown]
# A saliency map is speckled: single pixels stand out by accident. **Grad-CAM** (Selvaraju et al. 2017) asks the last maps of the network instead, which are coarse but say *what* was found *where*. With the maps $A^k$ of `model.features`, $k = 1 \dots K$, of $h \times w$ positions:
#
# $$\alpha_k = \frac{1}{h w} \sum_{ij} \frac{\partial s_c}{\partial A^k_{ij}}, \qquad L = \mathrm{ReLU}\left( \sum_k \alpha_k A^k \right)$$
#
# $\alpha_k$ says how much the class likes what channel $k$ finds; ReLU keeps only what speaks *for* the class.
#
# **Task** (25 min, medium). Write `grad_cam`, by the same rules. The steps, in this order:
#
# 1. Compute $L$, of shape (N, h, w).
# 2. Enlarge it to the size of the image, bilinearly, with `align_corners=False`.
# 3. Divide each image's map by its own largest value, so that the largest number of each result is 1. Add nothing to the denominator, so that this is true for faint maps as well. A map that is zero everywhere stays zero.
#
# <details><summary>Hint 1: the maps</summary>The model has <code>features</code> and <code>head</code>. Compute the maps once, cut them off (<code>.detach().requires_grad_()</code>), and continue with the head from there: you need the gradient with respect to the maps only.</details>
# <details><summary>Hint 2: enlarging</summary><code>F.interpolate</code> wants a channel: (N, 1, h, w).</details>
# <details><summary>Hint 3: 0 divided by 0</summary>Clamp the largest value to at least something tiny before you divide: <code>.clamp(min=1e-12)</code>. <code>amax(dim=(1, 2), keepdim=True)</code> finds it for each image.</details>


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


# %% [markdown]
# The checks use a tiny network with given weights, small enough to compute by hand. It has dropout and batch norm, so that the mode matters, and in some cases it arrives in training mode.

# %% nbgrader={"grade": false, "grade_id": "tiny_net", "locked": true, "schema_version": 3, "solution": false, "task": false}
def try_saliency(*case):
    return watch.watch_explanation(saliency, *case)


def try_grad_cam(*case):
    return watch.watch_explanation(grad_cam, *case)


# %% nbgrader={"grade": true, "grade_id": "saliency_values", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check.public("saliency_values", try_saliency)
### BEGIN HIDDEN TESTS
check.hidden("saliency_values", try_saliency)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "grad_cam_values", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.public("grad_cam_values", try_grad_cam)
### BEGIN HIDDEN TESTS
check.hidden("grad_cam_values", try_grad_cam)
### END HIDDEN TESTS

# %% [markdown]
# Now explain the augmented network of section 4, on three faces it has never seen. The maps explain the answer that it *gave*, right or wrong.

# %% nbgrader={"grade": false, "grade_id": "draw_attention", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
chosen = [CLASSES.index(name) for name in ("happy", "surprise", "angry")]
rows = [int((test.y == k).nonzero()[1]) for k in chosen]
x = normalise(test.X[rows].float() / 255).to(next(net.parameters()).device)
with torch.no_grad():
    probability, answers = net.eval()(x).softmax(dim=1).max(dim=1)
titles = [
    f"is {CLASSES[y]}; answer {CLASSES[c]}, {p:.0%}"
    for y, c, p in zip(test.y[rows], answers, probability, strict=True)
]
maps = {"saliency": saliency(net, x, answers), "Grad-CAM": grad_cam(net, x, answers)}
plots.attention(test.X[rows], maps, titles)

# %% [markdown]
# How to read it: each row is a face. In the middle, the logit reacts most to the bright pixels; on the right, warm regions speak for the class. A network that learned expressions looks at mouth, eyes and brows. If it looks at a corner or at the edge of the hair, it has found something else that goes with the labels: find out what. A Grad-CAM can also be dark everywhere: nothing spoke for the class, but less spoke against it than against the others.
#
# Before you believe such a picture, do what Adebayo et al. (2018, *Sanity checks for saliency maps*) did: draw it for a network that has learned *nothing*.
#
# **Predict first.** Write your prediction in this cell: what will each of the two maps show?

# %% nbgrader={"grade": false, "grade_id": "draw_sanity", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
torch.manual_seed(0)
untrained = SmallCNN().to(x.device)
maps = {"saliency": saliency(untrained, x, answers), "Grad-CAM": grad_cam(untrained, x, answers)}
plots.attention(test.X[rows], maps, ["untrained"] * len(rows))

# %% [markdown]
# Compare the two pictures. In our runs the saliency of the untrained network was speckle all over the image, and its Grad-CAM lit up a corner or the background: so what the first picture showed *was* learned. If your two pictures look alike, the first one showed you the photograph, whose eyes and mouth have the strongest edges, and not your network. Adebayo et al. found popular methods whose maps hardly change when all weights are replaced by random ones; plain gradients and Grad-CAM passed their test.
#
# There are three more ways to be misled. First, you look for what you expect: a warm mouth convinces you, and you overlook a warm forehead. So write down what would surprise you before you look. Second, a map says *where*, not *what*: a bright mouth does not mean that the network sees a smile. Third, three faces are only three faces. Before you claim that a network looks at mouths, hide the mouths of the whole test set and measure what happens to the accuracy.

# %% [markdown]
# ## What you have now
#
# **What was learnt.** A card before the first epoch, because duplicates and rare classes explain most surprises. A loop that keeps the best epoch and survives a lost connection. Measures that say which class pays. And the habit of asking how many faces a difference is: on 800 faces, a point of accuracy is eight of them.
#
# **What the field does today.** Hardly anybody trains such a network from random weights any more: one fine-tunes a backbone trained on many millions of images (a3), with stronger automatic augmentation and weights averaged over training. Rare classes get adjusted logits or a balanced second stage, much as in section 6. Expressions are now labelled by several people, and the network learns the whole distribution of their answers. Whether such systems should be built at all is a question for the card, not for the loss.
#
# **Worth reading**
#
# - Barsoum et al. 2016, [*Training deep networks for facial expression recognition with crowd-sourced label distribution*](https://arxiv.org/abs/1608.01041): FER2013 with ten labels for each face.
# - Menon et al. 2021, [*Long-tail learning via logit adjustment*](https://arxiv.org/abs/2007.07314): why section 6 subtracts log-priors.
# - Adebayo et al. 2018, [*Sanity checks for saliency maps*](https://arxiv.org/abs/1810.03292): the experiment of section 9, for many methods.
