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
# # Anomaly detection: few defects, many good parts
#
# **After this notebook you can** split a small data set so that nothing leaks, say whether one classifier is better than another or only luckier, train with a long tail of rare classes, find defects without a single defect to train on (autoencoder, PaDiM, PatchCore), measure how well you find them and where, and choose a threshold without a defect.
#
# **Time** about 12 hours · **Hardware** any laptop; with a GPU, the categories of MVTec AD · **Points** 100: 85 for code and for the detector that you hand in, graded by hidden checks, and 15 for written answers
#
# You may use all of `torch` here, and `scikit-learn` and `scipy` too, unless a task says otherwise. Each task is followed by a **check** on a few cases whose answers ship with the course; when your work is graded, the same check runs on cases you have not seen. A cell that begins with `# not run when graded` is for you only: it loads data, trains or draws, and the grader skips it. You may use this line in long cells of your own. Graded functions must not need anything from such a cell.

# %% [markdown]
# ## Set-up
#
# Run this first, in JupyterLab or in Colab. In Colab, upload the file `autograder-….whl` that your teacher gave you with the notebook (folder icon on the left) before you run it.

# %% nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
from importlib.util import find_spec

if find_spec("autograder") is None:  # in Colab, or in a new environment
    # %pip install -q autograder-*.whl

import math
from contextlib import contextmanager, suppress
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from scipy import ndimage, stats
from torch import nn
from tqdm.auto import tqdm

from autograder import Checker
from autograder.assignments.a5_anomaly_detection.lesson import plots
from autograder.notebook.artifacts import load_artifact, save_artifact
from data_scripts import mvtec_ad, pretrained

check = Checker("a5_anomaly_detection")

# %%
REAL = torch.cuda.is_available()  # True: a category of MVTec AD; False: a drawn one
CATEGORY = "screw" if REAL else "capsule"  # drawn: "capsule" or "bottle"; real: any of the 15
BACKBONE = "mobilenet_v2" if REAL else "resnet_drawn"  # where pretrained features come from
STAGES = (1, 2) if REAL else (0, 1)  # which of its maps: 0 is the finest, and knows least
SIZE = 192  # pixels: images are squares of this side, a multiple of 32
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"

# %% [markdown]
# Without a GPU you work with parts drawn by this course: capsules with five types of defect, or bottles with three. `REAL = True` takes a category of MVTec AD: photographs of industrial parts, 5.3 GB for all fifteen (`python -m data_scripts.mvtec_ad` says how to get them). In every category the training set holds good parts only. The test set holds good and defective parts, with a mask of each defect.
#
# Much of what follows comes from **two reports** that students of another course wrote, one about the category capsule and one about bottle, including their numbers, findings and mistakes.

# %% [markdown]
# ## 1 · A card and a split

# %% nbgrader={"grade": false, "grade_id": "load_parts", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
class Parts(NamedTuple):
    X: torch.Tensor  # (N, 3, SIZE, SIZE), uint8
    masks: torch.Tensor  # (N, 1, SIZE, SIZE), bool: where the defect is
    y: torch.Tensor  # (N,), int64: which class; 0 is good


def load_parts(split):
    data = mvtec_ad.load(CATEGORY, split, real=REAL, size=SIZE)
    images, masks, _ = zip(*tqdm(data, f"{CATEGORY}, {split}"), strict=True)
    return Parts(torch.stack(images), torch.stack(masks), data.targets), data.defects


(train, DEFECTS), (test, _) = load_parts("train"), load_parts("test")

# %% [markdown]
# ### What is on the disk
#
# Somebody gives you a folder of photographs. Once they are tensors, they all have one size and three channels, so look at the files first. MVTec AD has the same layout for all of its fifteen categories, and the drawn ones are written to disk in the same way:
#
# ```
# capsule/train/good/000.png                  good parts to train on
# capsule/test/good/000.png                   good parts to test on
# capsule/test/crack/000.png                  defective ones, a folder for each type of defect
# capsule/ground_truth/crack/000_mask.png     where the defect of test/crack/000.png is
# capsule/license.txt, capsule/readme.txt     and other files
# ```
#
# A mask has the size of its image, and one channel; every pixel that is not 0 belongs to the defect. Some categories (screw, zipper, grid) are grey: their images have one channel, not three.
#
# Files are numbered, but some numbers may be missing.
#
# **Task** (25 min, medium). Write `card_from_disk`. It returns a dictionary with four keys:
#
# - `"images"`: the number of images in each split and class: `{"train/good": 219, "test/good": 23, "test/crack": 23, …}`. Masks do not count as images.
# - `"heights"`: the smallest and the largest height of all images, training and test together, as two whole numbers.
# - `"widths"`: the same for the widths.
# - `"covered"`: for each type of defect, the mean share of the image that is defective, from 0 to 1. For *each mask* take the share of pixels that are not 0, then average over the masks of this type.
#
# The classes are named after their folders, and one name may begin like another (`broken`, `broken_large`). The images of a category may have several sizes.
#
# <details><summary>Hint 1: finding files</summary><code>folder.glob("*/*/*.png")</code> yields the paths of all images and masks, and <code>path.parts[-3:-1]</code> are the names of the two folders that each one is in.</details>
# <details><summary>Hint 2: a size without pixels</summary><code>with Image.open(path) as image:</code> reads only the header until you access the pixels; <code>image.size</code> is available at once. Mind its order: (width, height). The shape of an array is the other way round.</details>
# <details><summary>Hint 3: a mask as numbers</summary><code>np.asarray(image) &gt; 0</code> is an array of Booleans, and its mean is the share of true ones. Collect these shares in a list for each type of defect.</details>


# %% nbgrader={"grade": false, "grade_id": "card_from_disk", "locked": false, "schema_version": 3, "solution": true, "task": false}
def card_from_disk(folder: Path) -> dict:
    """Describe the files of a category: numbers of images, sizes in pixels, shares of defects.

    Returns {"images": {"train/good": number, …}, "heights": (smallest, largest),
    "widths": (smallest, largest), "covered": {type of defect: mean share in 0..1, …}}.
    """
    ### BEGIN SOLUTION
    images, sizes, shares = {}, [], {}
    for path in folder.glob("*/*/*.png"):
        split, kind = path.parts[-3:-1]
        with Image.open(path) as image:
            if split == "ground_truth":
                shares.setdefault(kind, []).append((np.asarray(image) > 0).mean())
            else:
                images[f"{split}/{kind}"] = images.get(f"{split}/{kind}", 0) + 1
                sizes.append(image.size)
    widths, heights = zip(*sizes, strict=True)
    return {
        "images": images,
        "heights": (min(heights), max(heights)),
        "widths": (min(widths), max(widths)),
        "covered": {kind: np.mean(found).item() for kind, found in shares.items()},
    }
    ### END SOLUTION


# %% [markdown]
# The check writes small categories, with a gap in the numbers, to a folder of its own and asks for their cards. You do not have to change the next cell.


# %% nbgrader={"grade": false, "grade_id": "card_of_small_category", "locked": true, "schema_version": 3, "solution": false, "task": false}
def write_category(folder, sizes, masks):
    """Write images of (height, width, channels) by "test/crack/000", and masks by "crack/000"."""
    for name, (height, width, channels) in sizes.items():
        path = folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L" if channels == 1 else "RGB", (width, height), "gray").save(path)
    for name, mask in masks.items():
        path = folder / "ground_truth" / f"{name}_mask.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask.numpy()).save(path)
    for name in ("license.txt", "readme.txt"):
        (folder / name).write_text("This is no image.")


def card_of_small_category(sizes, masks):
    """Return what your card says of a category, as numbers in the order of the names."""
    with TemporaryDirectory() as root:
        folder = Path(root, "part")
        write_category(folder, sizes, masks)
        card = card_from_disk(folder)
    parts = sorted({name.rpartition("/")[0] for name in sizes})
    kinds = sorted({name.partition("/")[0] for name in masks})
    images = [int(card["images"].get(part, -1)) for part in parts]  # -1: it is not there
    covered = [float(card["covered"].get(kind, -1)) for kind in kinds]
    return {
        "keys_of_images": int(set(card["images"]) == set(parts)),
        "images": torch.tensor(images),
        "heights": torch.tensor([int(height) for height in card["heights"]]),
        "widths": torch.tensor([int(width) for width in card["widths"]]),
        "keys_of_covered": int(set(card["covered"]) == set(kinds)),
        "covered": torch.tensor(covered, dtype=torch.float64),
    }


# %% nbgrader={"grade": true, "grade_id": "card_values", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.public("card_values", card_of_small_category)
### BEGIN HIDDEN TESTS
check.hidden("card_values", card_of_small_category)
### END HIDDEN TESTS

# %% nbgrader={"grade": false, "grade_id": "print_card", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
card = card_from_disk(mvtec_ad.kept(f"{mvtec_ad.place(REAL, SIZE)}/{CATEGORY}"))
for name in ("heights", "widths"):
    print("{} of {} to {} pixels".format(name, *card[name]))
for part, number in sorted(card["images"].items()):
    share = card["covered"].get(part.removeprefix("test/"), 0)
    defect = f"{share:8.2%} is defect, of {SIZE} × {SIZE} pixels {share * SIZE**2:,.0f}"
    print(f"{part:24}{number:5} images{defect if share else ''}")

# %% [markdown]
# How to read it: the last column decides how far you may shrink the images. A defect of 500 pixels at 192 × 192 has 14 at 32 × 32, and a scratch that was two pixels wide is gone.

# %% nbgrader={"grade": false, "grade_id": "draw_defects", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
three = {name: (test.y == kind).nonzero().flatten()[:3] for kind, name in enumerate(DEFECTS)}
plots.defect_rows({name: (test.X[rows], test.masks[rows]) for name, rows in three.items()})

# %% [markdown]
# How to read it: each row is a class. Each part appears twice, the second time with a blue line along the edge of its mask. Which classes could you tell apart without the line?
#
# ### A stratified split without leakage
#
# To *classify* defects, you need examples of each class. In MVTec AD they are all in the test set, so the report about capsules split it into two halves: 66 images to learn from, 66 to measure with. Two things can go wrong with such a split.
#
# The first is bad luck. Split 20 images at random, and one half may get 14 and the other 6. So we split each class separately: the split is **stratified**.
#
# The second is **leakage**. It is worse, because the result looks so good. In a factory a part may pass the camera more than once: somebody takes three photographs of it, turns it a little, changes the light. If one photograph is in the training half and another in the test half, the network need not know what a crack is. It only has to recognise the part. So we divide not images but **groups**: all photographs of one part go to the same side.
#
# **Task** (35 min, hard). Write `stratified_split`. `y` (N,) holds the class of each image, and `groups` (N,) the group it belongs to; both are `int64`, with any whole numbers in any order, N ≥ 1. All images of a group have the same class.
#
# The function returns two index tensors, `first` and `second`, `int64` and sorted in ascending order, with these properties:
#
# 1. Every index from 0 to N − 1 is in exactly one of them. (One of the two may be empty: then it has the shape (0,).)
# 2. A group is never on both sides.
# 3. A class with at least two groups is on both sides. A class with only one group is on whichever side you like.
# 4. Of the $n$ images of a class, about `share` · $n$ are on the first side, with 0 < `share` < 1. The difference is at most the number of images in the largest group of this class.
# 5. Within each class the groups are assigned at random, and `seed` determines the random numbers: the same seed gives the same split whatever was drawn before, and other seeds give other splits. So if all groups of a class have the same size, each of them is sometimes on one side and sometimes on the other; and if there are three or more, any two are sometimes together and sometimes apart.
#
# <details><summary>Hint 1: groups first</summary>For each class, <code>groups[y == kind].unique(return_counts=True)</code> returns its groups and how many images each has. Put the groups in random order and take one after the other.</details>
# <details><summary>Hint 2: how many groups?</summary>In that order, <code>sizes.cumsum(dim=0)</code> says how many images there are after 1, 2, 3, … groups. Stop where this comes closest to share · n. Then make sure that at least one group is taken, and at least one is left, if there are two. That fulfils properties 3 and 4.</details>
# <details><summary>Hint 3: a generator of your own</summary><code>generator = torch.Generator().manual_seed(seed)</code>, and then <code>torch.randperm(n, generator=generator)</code>. No other code draws from it.</details>
# <details><summary>Hint 4: from groups to images</summary><code>torch.isin(groups, chosen)</code> says of each image whether its group is among the chosen ones.</details>


# %% nbgrader={"grade": false, "grade_id": "stratified_split", "locked": false, "schema_version": 3, "solution": true, "task": false}
def stratified_split(
    y: torch.Tensor, groups: torch.Tensor, share: float, seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Divide images into two sides, class by class, and never divide a group.

    y (N,) are kinds, groups (N,) say which images belong together; both int64. About `share`
    of each class is on the first side. Returns two sorted index tensors, int64.
    """
    ### BEGIN SOLUTION
    generator = torch.Generator().manual_seed(seed)
    chosen, missing = [], 0.0  # how many images the first side lacks so far, at most half of one
    for kind in y.unique():
        names, sizes = groups[y == kind].unique(return_counts=True)
        order = torch.randperm(len(names), generator=generator)
        reached = sizes[order].cumsum(dim=0)  # images after 1, 2, 3, … groups
        wanted = share * reached[-1] + missing
        taken = int((reached - wanted).abs().argmin()) + 1
        taken = max(min(taken, len(names) - 1), 1)
        missing = (wanted - reached[taken - 1]).clamp(-0.5, 0.5)
        chosen.append(names[order[:taken]])
    inside = torch.isin(groups, torch.cat(chosen))
    return inside.nonzero().flatten(), (~inside).nonzero().flatten()
    ### END SOLUTION


# %% [markdown]
# Many splits have these properties, so the check does not compare yours with a given one. It makes several splits, with different seeds, and says for each property whether all of them have it: 1 for yes, 0 for no.


# %% nbgrader={"grade": false, "grade_id": "keeps_promises", "locked": true, "schema_version": 3, "solution": false, "task": false}
def keeps_promises(y, groups, share, is_first):
    """Say whether properties 2, 3 and 4 hold; is_first (S, N) is 1 for images of that side."""
    together, both_sides, near = True, True, True
    for kind in y.unique():
        side, of_kind = is_first[:, y == kind].double(), groups[y == kind]
        _, group, sizes = of_kind.unique(return_inverse=True, return_counts=True)
        inside, first = side @ F.one_hot(group).double(), side.sum(dim=1)  # (S, G), (S,)
        together &= bool(((inside == 0) | (inside == sizes)).all())
        both_sides &= len(sizes) == 1 or bool(((first > 0) & (first < len(group))).all())
        near &= bool(((first - share * len(group)).abs() <= sizes.max() + 1e-6).all())
    return together, both_sides, near


def always_apart(y, is_first):
    """Count the pairs of images of one class that no seed puts on the same side."""
    together = (is_first[:, :, None] == is_first[:, None]).any(dim=0)
    return int(((y[:, None] == y) & ~together).sum()) // 2


# %% nbgrader={"grade": false, "grade_id": "promises_of_split", "locked": true, "schema_version": 3, "solution": false, "task": false}
def promises_of_split(y, groups, share, seed, times):
    """Split with `times` seeds in a row. Returns which properties hold, and two counts of 0."""
    every = torch.arange(len(y))
    splits = [stratified_split(y, groups, share, seed + n) for n in range(times)]
    torch.manual_seed(seed + 100)
    np.random.seed(seed + 100)
    splits.append(stratified_split(y, groups, share, seed))
    sides = [side for pair in splits for side in pair]
    forms = [isinstance(s, torch.Tensor) and (s.dtype, s.dim()) == (torch.int64, 1) for s in sides]
    splits = [[torch.as_tensor(side, dtype=torch.int64) for side in pair] for pair in splits]
    whole = [torch.equal(torch.cat(pair).sort().values, every) for pair in splits]
    is_first = torch.stack([torch.isin(every, first) for first, _ in splits])
    together, both_sides, near = keeps_promises(y, groups, share, is_first)
    stay = (is_first == is_first[0]).all(dim=0)  # images that are on the same side every time
    different = len({tuple(side.tolist()) for side in is_first[:-1]})
    many = times >= 64  # then few splits are alike by chance
    changes = different >= (times - 3 if many else 2)
    return {
        "int64_tensors": int(all(forms)),
        "sorted": int(all(bool((side.diff() > 0).all()) for pair in splits for side in pair)),
        "each_image_once": int(all(whole)),
        "groups_together": int(together),
        "kinds_on_both_sides": int(both_sides),
        "close_to_share": int(near),
        "same_seed_same_split": int(torch.equal(is_first[0], is_first[-1])),
        "other_seeds_other_splits": int(changes or len(groups.unique()) == len(y.unique())),
        "images_that_never_move": int(stay.sum()) if many else 0,
        "pairs_always_apart": always_apart(y, is_first) if many else 0,
    }


# %% nbgrader={"grade": true, "grade_id": "split_values", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.public("split_values", promises_of_split)
### BEGIN HIDDEN TESTS
check.hidden("split_values", promises_of_split)
### END HIDDEN TESTS

# %% [markdown]
# Does leakage matter that much? Try it. Each part of the test set stops in front of the camera and is photographed three times: the light flickers a little, and each photograph has its own noise. Then take the simplest classifier there is. It predicts the class of the most similar training image, pixel by pixel.

# %% nbgrader={"grade": false, "grade_id": "try_leakage", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
def photographed(images):
    """Photograph each part (N, 3, H, W), in 0..1, once more."""
    light = torch.empty(len(images), 1, 1, 1).uniform_(0.97, 1.03)
    return images * light + 0.05 * torch.randn_like(images)


torch.manual_seed(0)
y, parts = test.y.repeat(3), torch.arange(len(test.y)).repeat(3)
photographs = torch.cat([photographed(test.X / 255) for _ in range(3)])
pixels = F.avg_pool2d(photographs, 4).flatten(1)
for name, groups in (("by photograph", torch.arange(len(y))), ("by part", parts)):
    ours, theirs = stratified_split(y, groups, 0.8, seed=0)
    nearest = torch.cdist(pixels[theirs], pixels[ours]).argmin(dim=1)
    hits = (y[ours][nearest] == y[theirs]).double().mean().item()
    print(f"split {name:15}{hits:6.1%} of {len(theirs)} photographs on the other side are right")

# %% [markdown]
# How to read it: with three photographs of each of the 132 drawn capsules and ten seeds for the split, we measured 91 to 100 % by photograph, and 11 to 32 % by part, where guessing gives 17 %. It is the same classifier, and it knows next to nothing. Nearly 100 % only says that another photograph of the same part was nearly always on the other side.
#
# MVTec AD does not say which photographs show the same part. If a result is too good, look at the nearest neighbours of a few test images first.
#
# From here on each image shows a different part, so each is its own group, and scikit-learn's stratified split can do what yours does. We use scikit-learn's here, so that you measure on the same images as we did and can compare your numbers with ours. Every model of sections 2, 3 and 5 that learns from defects learns from `learn` and is measured on `held_out`: two lists of indices into `test`.

# %% nbgrader={"grade": false, "grade_id": "learn_and_held_out", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
from sklearn.model_selection import train_test_split

halves = train_test_split(range(len(test.y)), test_size=0.5, stratify=test.y, random_state=0)
learn, held_out = (torch.tensor(sorted(half)) for half in halves)
for kind, name in enumerate(DEFECTS):
    both = [int((test.y[side] == kind).sum()) for side in (learn, held_out)]
    print("{:20}{:4} to learn from{:4} held out".format(name, *both))
print("{:20}{:4} {:17}".format("together", len(learn), len(held_out)))

# %% [markdown]
# ## 2 · Which defect is it?
#
# The report about capsules trained three networks to name the defects, in six classes: a ResNet of its own from scratch, a ResNet and a vision transformer that had been trained on ImageNet. 66 images to learn from, 66 to measure with. The results: **74.24 %**, **86.36 %** and **89.39 %**. The report about bottles had four classes and tried four improvements one after the other. You will repeat both, and then ask how much of it you should believe.
#
# ### A small residual network
#
# In a deep network of plain layers, each layer must pass on everything that the later ones need, and learning to do *nothing* is hard for a convolution. A **residual block** (He et al., CVPR 2016) makes it easy: the input passes through unchanged, and the layers only learn what to add.
#
# $$\text{block}(x) = \mathrm{relu}\big(\text{residual}(x) + \text{shortcut}(x)\big)$$
#
# **Task** (40 min, medium). Write two classes. `ResidualBlock(c_in, c_out, stride)` has two sub-modules, and computes the formula above:
#
# - `residual`: convolution 3 × 3 with this stride, batch norm, ReLU, convolution 3 × 3 with stride 1, batch norm. Both convolutions have padding 1 and no bias. The scale (`weight`) of the *second* batch norm is 0 at the beginning, so a new block adds nothing to its shortcut, but can learn to. (Goyal et al. 2017: a deep network then begins as a shallow one.) Only this scale and the shifts begin at 0. There is no dropout.
# - `shortcut`: where `c_in == c_out` and the stride is 1, the identity, without any parameters. Elsewhere the shapes do not fit, so it is a convolution 1 × 1 with this stride and without bias, and a batch norm. `x` itself stays as it is.
#
# `SmallResNet(num_classes)` takes normalised images (N, 3, H, W) to logits (N, `num_classes`). The layers are up to you, within these rules:
#
# 1. It has two sub-modules: `features`, from images to maps (N, K, h, w), with at least three `ResidualBlock`s in it, and `head`, from maps to logits. The output is `head(features(x))`. For images of 128 × 128 or more, maps have more than one row and column: nothing is pooled over all positions before the head.
# 2. `head` takes the mean of each map over all its positions (global average pooling), and then a single linear layer, with or without bias. So images may have any size from 32 × 32 on.
# 3. It has at most **150,000** parameters, all of which affect the output.
# 4. In evaluation mode it gives the same answer every time, and for each image whatever else is in the batch. The answers are logits, not probabilities.
#
# <details><summary>Hint 1: no shortcut to write</summary><code>nn.Identity()</code> returns what it is given, and is a sub-module, as a <code>lambda</code> is not.</details>
# <details><summary>Hint 2: a scale of 0</summary><code>nn.init.zeros_(norm.weight)</code>, once the layer exists. In an <code>nn.Sequential</code> the last one is <code>self.residual[-1]</code>.</details>
# <details><summary>Hint 3: a plan that works</summary>Features: convolution 5 × 5, stride 2, to 16 channels, batch norm, ReLU; then blocks 16 → 16, 16 → 32 and 32 → 64, each with stride 2. Head: <code>nn.AdaptiveAvgPool2d(1)</code>, <code>nn.Flatten()</code>, <code>nn.Linear(64, num_classes)</code>. With six classes that makes 78,486 parameters.</details>


# %% nbgrader={"grade": false, "grade_id": "ResidualBlock", "locked": false, "schema_version": 3, "solution": true, "task": false}
class ResidualBlock(nn.Module):
    """relu(residual(x) + shortcut(x)): (N, c_in, H, W) -> (N, c_out, H / stride, W / stride)."""

    def __init__(self, c_in: int, c_out: int, stride: int = 1):
        super().__init__()
        ### BEGIN SOLUTION
        self.residual = nn.Sequential(
            nn.Conv2d(c_in, c_out, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(c_out),
            nn.ReLU(),
            nn.Conv2d(c_out, c_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(c_out),
        )
        nn.init.zeros_(self.residual[-1].weight)
        self.shortcut = nn.Identity()
        if stride != 1 or c_in != c_out:
            projection = nn.Conv2d(c_in, c_out, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(c_out))
        ### END SOLUTION

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        ### BEGIN SOLUTION
        return F.relu(self.residual(x) + self.shortcut(x))
        ### END SOLUTION


# %% nbgrader={"grade": false, "grade_id": "SmallResNet", "locked": false, "schema_version": 3, "solution": true, "task": false}
class SmallResNet(nn.Module):
    """A residual network: normalised images (N, 3, H, W) -> logits (N, num_classes).

    Sub-modules: features, images -> maps (N, K, h, w), with at least three residual blocks;
    head, maps -> logits: the mean of each map, and a linear layer. At most 150,000 parameters.
    """

    def __init__(self, num_classes: int):
        super().__init__()
        ### BEGIN SOLUTION
        stem = nn.Conv2d(3, 16, 5, stride=2, padding=2, bias=False)
        blocks = ResidualBlock(16, 16, 2), ResidualBlock(16, 32, 2), ResidualBlock(32, 64, 2)
        self.features = nn.Sequential(stem, nn.BatchNorm2d(16), nn.ReLU(), *blocks)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, num_classes))
        ### END SOLUTION

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        ### BEGIN SOLUTION
        maps = self.features(x)
        return self.head(maps)
        ### END SOLUTION


# %% [markdown]
# The check trains a new block for three steps. It tests whether each parameter gets a gradient, and whether all filters of a convolution begin at 0. Then it fills a block with given numbers, by type and shape, and compares the output. For the network it tests the rules above: 1 means kept, 0 means broken.


# %% nbgrader={"grade": false, "grade_id": "watch_block", "locked": true, "schema_version": 3, "solution": false, "task": false}
def nearly(one, other):
    """Say whether two results are equal, up to rounding in float32 where numbers are large."""
    if one.shape != other.shape:
        return 0
    return int((one - other).abs().max() <= 1e-3 * other.abs().max() + 1e-6)


def number_of_parameters(model, *names):
    """Count the parameters of a model, or of a sub-module."""
    for name in names:
        model = getattr(model, name, None)
        if not isinstance(model, nn.Module):
            raise TypeError(f"{name} is no sub-module, no nn.Module")
    return sum(p.numel() for p in model.parameters())


@torch.enable_grad()
def every_part_learns(block, x):
    """Say whether all parameters of a new block get a gradient in the first training steps."""
    parameters = list(block.parameters())
    optimiser = torch.optim.SGD(parameters, lr=0.1)
    target, has_learned = torch.randn_like(block(x)), [False] * len(parameters)
    for _ in range(3):
        optimiser.zero_grad()
        with suppress(RuntimeError):  # what autograd needs was overwritten
            (block(x) - target).square().mean().backward()
        learns = [p.grad is not None and bool(p.grad.any()) for p in parameters]
        has_learned = [any(pair) for pair in zip(has_learned, learns, strict=True)]
        optimiser.step()
    return int(all(has_learned))


# %% nbgrader={"grade": false, "grade_id": "look_at_block", "locked": true, "schema_version": 3, "solution": false, "task": false}
def fill(block, sequence):
    """Fill a block with given numbers, by type and shape."""
    for name, values in block.state_dict().items():
        C, kind = len(values) if values.dim() else 0, name.rpartition(".")[2]
        if values.dim() == 4:  # filter k is sequence[k : k + fan_in]
            filters = sequence.unfold(0, values[0].numel(), 1)[:C]
            values.copy_(filters.reshape(values.shape) * values[0].numel() ** -0.5)
        elif kind in ("weight", "bias", "running_mean"):
            start = {"weight": 0, "bias": C, "running_mean": 2 * C}[kind]
            values.copy_(sequence.flip(0)[start : start + C])
        elif kind == "running_var":
            values.copy_(0.5 + sequence[:C] ** 2)


@torch.no_grad()
def look_at_block(x, c_out, stride, sequence):
    """Describe a block for x (N, c_in, H, W): how it begins, and what it computes when filled."""
    block = ResidualBlock(x.shape[1], c_out, stride).to(x.dtype).eval()
    found = {"parameters": [number_of_parameters(block, part) for part in ("residual", "shortcut")]}
    found["begins_as_shortcut"] = nearly(block(x), block.shortcut(x).relu())
    filters = [p for p in block.parameters() if p.dim() == 4]
    found["filters_are_not_0"] = int(all(bool(p.any()) for p in filters))
    found["every_part_learns"] = every_part_learns(block, x.clone())
    fill(block, sequence)
    found["block"] = block(x)
    block.train()
    return {**found, "nothing_dropped": nearly(block(x.clone()), block(x.clone()))}


# %% nbgrader={"grade": false, "grade_id": "look_at_resnet", "locked": true, "schema_version": 3, "solution": false, "task": false}
@torch.no_grad()
def shaken(model, begin, strength=1.0):
    """Move all parameters from where they began: a 0 that was set on purpose is no mistake."""
    for parameter, value in zip(model.parameters(), begin, strict=True):
        spread = strength * (0.05 + value.std(correction=0))
        parameter.copy_(value + spread * torch.randn_like(value))


def gradient_is_missing(model, images):
    """Say for each parameter whether the logits do not depend on it."""
    loss = model(images).square().sum()
    parameters = [p for p in model.parameters() if p.requires_grad]
    if not loss.requires_grad:
        return [True] * len(parameters)
    found = torch.autograd.grad(loss, parameters, allow_unused=True)
    return [gradient is None or not bool(gradient.any()) for gradient in found]


def look_at_maps(model, images):
    """Say whether images may have any size, and what of their maps matters for the head."""
    names = "any_size", "maps_have_places", "places_do_not_matter", "mean_of_each_map"
    found = dict.fromkeys((*names, "one_linear_layer"), 0)
    with suppress(RuntimeError):
        found["any_size"] = int(all(len(model(images[..., :n, :n])) == 2 for n in (32, 35)))
    shape = model.features(torch.randn(1, 3, 128, 128)).shape
    found["maps_have_places"] = int(len(shape) == 4 and min(shape[2:]) > 1)
    with suppress(RuntimeError, IndexError):
        maps = torch.randn(2, shape[1], 3, 5)
        logits, means = model.head(maps), maps.mean(dim=(2, 3), keepdim=True).expand_as(maps)
        found["places_do_not_matter"] = nearly(model.head(maps.flip(2).roll(1, 3)), logits)
        found["mean_of_each_map"] = nearly(model.head(means), logits)
        straight = nearly(3 * model.head(0 * maps) - 2 * logits, model.head(-2 * maps))
        size, C = number_of_parameters(model, "head"), logits.shape[1]
        found["one_linear_layer"] = straight * int(size in (shape[1] * C, shape[1] * C + C))
    return found


# %% nbgrader={"grade": false, "grade_id": "resnet_properties", "locked": true, "schema_version": 3, "solution": false, "task": false}
def resnet_properties(x, c_out, stride, sequence, size, num_classes):
    """Describe a block, and a network for two images of noise, of size (height, width)."""
    model, unused, outputs = SmallResNet(num_classes).eval(), [], []
    images = torch.randn(2, 3, *size)
    with torch.no_grad():
        model(images)  # a lazy layer learns its shape
    begin = [parameter.detach().clone() for parameter in model.parameters()]
    for _ in range(5):  # by chance, a unit may be dead in some of them
        shaken(model, begin)
        unused.append(gradient_is_missing(model, images))
        outputs.append(model(images).detach())
    with torch.no_grad():
        logits = outputs[-1]
        head = look_at_maps(model, images)
        alone = torch.cat([model(image[None]) for image in images])
        composed = nearly(model.head(model.features(images)), logits)
    outputs = torch.cat(outputs)
    sums = {"probabilities": outputs.sum(dim=1), "logarithms": outputs.exp().sum(dim=1)}
    add_up = {f"no_{name}": int((total - 1).abs().max() > 1e-3) for name, total in sums.items()}
    blocks = sum(isinstance(part, ResidualBlock) for part in model.features.modules())
    return {
        **look_at_block(x, c_out, stride, sequence),
        "shape": torch.tensor(logits.shape),
        "three_blocks": int(blocks >= 3),
        "head_of_features": composed,
        **head,
        "within_budget": int(number_of_parameters(model) <= 150_000),
        "same_answer_twice": nearly(model(images).detach(), logits),
        "image_for_itself": nearly(alone, logits),
        "some_below_0": int(outputs.min() < 0),
        **add_up,
        "without_gradient": sum(map(all, zip(*unused, strict=True))),
    }


# %% nbgrader={"grade": true, "grade_id": "small_resnet", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.public("small_resnet", resnet_properties)
### BEGIN HIDDEN TESTS
check.hidden("small_resnet", resnet_properties)
### END HIDDEN TESTS

# %% [markdown]
# Train the network. The images are made smaller (64 × 64; you know from the card what that costs), and there are only 66 of them, so an epoch takes almost no time.

# %% nbgrader={"grade": false, "grade_id": "prepare_images", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
def prepared(images, size):
    """Make normalised images (N, 3, size, size) of uint8 ones."""
    normalised = pretrained.preprocessing(None)(images.to(DEVICE))
    return F.interpolate(normalised, (size, size), mode="bilinear", antialias=True)


def mirrored(x):
    """Mirror half of the images, and move each batch by up to four pixels."""
    chosen = torch.rand(len(x), 1, 1, 1, device=x.device) < 0.5
    shift = tuple(torch.randint(-4, 5, (2,)).tolist())
    return torch.where(chosen, x.flip(-1), x).roll(shift, (2, 3))


@contextmanager
def one_thread():
    """Compute with one thread: for small tasks, two threads only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


# %% nbgrader={"grade": false, "grade_id": "train_resnet", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
@one_thread()
def train_resnet(size=64, epochs=30, peak=3e-3, augment=False, dropout=0.0, seed=0):
    """Train on `learn`. Returns which of the images of `held_out` are right, (N,) bool."""
    torch.manual_seed(seed)
    net, x, y = SmallResNet(len(DEFECTS)).to(DEVICE), prepared(test.X, size), test.y.to(DEVICE)
    optimiser = torch.optim.AdamW(net.parameters(), weight_decay=5e-3)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimiser, peak, total_steps=3 * epochs)
    for _ in tqdm(range(epochs), f"{size} px"):
        net.train()
        for rows in learn[torch.randperm(len(learn))].chunk(3):
            maps = net.features(mirrored(x[rows]) if augment else x[rows])
            logits = net.head(F.dropout2d(maps, dropout))
            optimiser.zero_grad()
            F.cross_entropy(logits, y[rows]).backward()
            optimiser.step()
            rates.step()
    with torch.no_grad():
        logits = net.eval()(x)
    right = (logits.argmax(dim=1) == y).cpu()
    print(f"{right[learn].double().mean():.0%} right in training")
    return right[held_out]


# %% nbgrader={"grade": false, "grade_id": "train_first", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
right = {"own ResNet": train_resnet()}

# %% [markdown]
# ### Pretrained features: a linear probe
#
# The alternative is a **linear probe**: take a network that was pretrained on something else, keep it frozen, and train a linear classifier on its features. Each of its stages gives maps; their means over all positions describe an image with a few hundred numbers.
#
# There is a second description, and it uses the good parts, of which we have plenty. The good training parts have a mean and a spread for each map at each position. How far is *this* part from that mean? For each map, keep the mean of the eight positions that are furthest away. (You will meet the same idea again, done properly, as PaDiM.)

# %% nbgrader={"grade": false, "grade_id": "describe_images", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


@torch.no_grad()
def maps_of(network, images):
    """Return what every stage makes of images, a list of (N, C, h, w); a ViT has only its end."""
    found, prepare = [], pretrained.preprocessing(None) if network.stages else network.preprocess
    module = network.module.to(DEVICE)
    for batch in tqdm(images.split(16), network.name):
        x = prepare(batch.to(DEVICE))
        maps = network.maps(x) if network.stages else [module(x)[:, :, None, None]]
        found.append([part.cpu() for part in maps])
    return [torch.cat(stage) for stage in zip(*found, strict=True)]


def means_of_maps(maps):
    return torch.cat([stage.mean(dim=(2, 3)) for stage in maps], dim=1)


def distances_from_good(maps, good):
    """Describe maps by how far they are from those of good parts, where they are furthest."""
    found = []
    for stage, others in zip(maps, good, strict=True):
        away = ((stage - others.mean(dim=0)) / (others.std(dim=0) + 0.1)).abs().flatten(2)
        found.append(away.topk(min(8, away.shape[2]), dim=2).values.mean(dim=2))
    return torch.cat(found, dim=1)


def right_of_linear(x):
    """Train a linear classifier on descriptions x (N, D). Returns which of `held_out` are right."""
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    classifier.fit(x[learn], test.y[learn])
    return torch.tensor(classifier.predict(x[held_out])) == test.y[held_out]


# %% nbgrader={"grade": false, "grade_id": "try_backbones", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
from data_scripts.storage import DataNotFound

names = ["resnet_drawn", "mobilenet_v2"] + REAL * ["resnet18", "vit_b_16"]  # 45 and 330 MB
descriptions = {}  # by name of the network: of the test parts, and of the good ones
for name in names:
    try:
        network = pretrained.backbone(name)
    except DataNotFound as reason:
        print(f"left out: {str(reason).partition('(')[0]}")
        continue
    maps, good = maps_of(network, test.X), maps_of(network, train.X[:100])
    right[f"{name}, means"] = right_of_linear(means_of_maps(maps))
    if network.stages:
        descriptions[name] = distances_from_good(maps, good), distances_from_good(good, good)
        right[f"{name}, against good"] = right_of_linear(descriptions[name][0])

# %% [markdown]
# Before you read the results, you need two tools.
#
# ### How many were right?
#
# The report about bottles, with 16 test images, gives five accuracies: 31.25 %, 37.5 %, 37.5 %, 65 % and 56.25 %. One of them cannot be true. You can find out which without knowing anything about the networks: the number of right images is a whole number out of 16.
#
# **Task** (15 min, easy). Write `right_counts`.
#
# - `reported` is a percentage as it was printed, a string without the sign: `"74.24"`, `"65"`. It was rounded to the digits that it shows.
# - Return all whole numbers $k$ from 0 to `total` such that $k$ right out of `total` would have been printed like that. They are in ascending order, in a list or an `int64` tensor, which may be empty.
#
# (No percentage in the check lies exactly between two printed ones, as 62.5 would with no decimals, so it does not matter which way you round there.)
#
# <details><summary>Hint 1: how many digits?</summary>As many as there are decimals: <code>reported.partition(".")[2]</code> is the text after the point, empty if there is none. <code>"70.0"</code> was printed with one.</details>
# <details><summary>Hint 2: try them all</summary>Format each candidate the same way and compare the <em>texts</em>: <code>f"{value:.{digits}f}"</code>.</details>


# %% nbgrader={"grade": false, "grade_id": "right_counts", "locked": false, "schema_version": 3, "solution": true, "task": false}
def right_counts(reported: str, total: int) -> list[int]:
    """List the numbers of right images, of `total`, that a printed percentage can stand for."""
    ### BEGIN SOLUTION
    digits = len(reported.partition(".")[2])
    every = range(total + 1)
    return [k for k in every if f"{100 * k / total:.{digits}f}" == reported]
    ### END SOLUTION


# %% nbgrader={"grade": false, "grade_id": "counts_as_tensor", "locked": true, "schema_version": 3, "solution": false, "task": false}
def counts_as_tensor(reported, total):
    """Return the numbers as a tensor, whether they came as one or as a list."""
    return torch.tensor([int(k) for k in right_counts(reported, total)], dtype=torch.int64)


# %% nbgrader={"grade": true, "grade_id": "right_count_values", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check.public("right_count_values", counts_as_tensor)
### BEGIN HIDDEN TESTS
check.hidden("right_count_values", counts_as_tensor)
### END HIDDEN TESTS

# %% nbgrader={"grade": false, "grade_id": "unmask", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
reports = {66: ("74.24", "86.36", "89.39"), 16: ("31.25", "37.5", "65", "56.25")}
for total, percentages in reports.items():
    for reported in percentages:
        counts = counts_as_tensor(reported, total).tolist()
        print(f"{reported:>6} % of {total}: {counts or 'cannot be'}")

# %% [markdown]
# How to read it: each of these percentages corresponds to exactly one count out of 66, and the transformer beat the ResNet by two images. But 65 % of 16 is impossible: 10 right are 62.5 %, 11 are 68.75 %. Perhaps it was another test set, perhaps the training images, perhaps a typing error. It was the best of the five, and the report builds on it.
#
# ### Is one better than the other?
#
# Two networks have seen the *same* images. Where both are right, or both wrong, they do not differ. Only the images count where exactly one of them is right: $b$ is the number where only the first is right, $c$ the number where only the second is. If the two were equally good, each of these $n = b + c$ images would be a coin toss, and $b$ would have a binomial distribution with $n$ tosses and probability ½. How surprising is it then to be as far from $n / 2$ as we are, on either side? That is **McNemar's test** in its exact, binomial form:
#
# $$p = \min\Big(1, \; 2 \sum_{i=0}^{\min(b, c)} \binom{n}{i} \frac{1}{2^n}\Big)$$
#
# **Task** (20 min, medium). Write `paired_difference`. `right_a` and `right_b` (N,), `bool`, say for each of the same N images whether a network was right. Return three Python numbers, or tensors of shape ():
#
# - `b`, the number of images that only the first network has right,
# - `c`, the number of images that only the second has right,
# - `p`, which is 1 if b = c = 0. It must be right for thousands of images, too.
#
# <details><summary>Hint 1: only one of them</summary><code>right_a &amp; ~right_b</code></details>
# <details><summary>Hint 2: large numbers</summary><code>0.5 ** 1100</code> is 0 for a computer, and <code>math.comb(1100, 550)</code> fits into no float. But Python's whole numbers have no limit: add up the whole numbers first, and divide by <code>2**n</code> at the end.</details>
# <details><summary>Hint 3: somebody has written it</summary>SciPy's <code>stats</code> has an exact test for tosses of a coin. Read its arguments and its result, whether it is two-sided, and what it does without any toss.</details>


# %% nbgrader={"grade": false, "grade_id": "paired_difference", "locked": false, "schema_version": 3, "solution": true, "task": false}
def paired_difference(right_a: torch.Tensor, right_b: torch.Tensor) -> tuple[int, int, float]:
    """Compare two classifiers on the same images: right_a and right_b (N,), bool.

    Returns how many only the first has right, how many only the second, and the two-sided
    p-value of the exact McNemar test, 1 if there are none.
    """
    ### BEGIN SOLUTION
    b = int((right_a & ~right_b).sum())
    c = int((~right_a & right_b).sum())
    ways = sum(math.comb(b + c, i) for i in range(min(b, c) + 1))
    return b, c, min(1.0, 2 * ways / 2 ** (b + c))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "paired_difference_values", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.public("paired_difference_values", paired_difference)
### BEGIN HIDDEN TESTS
check.hidden("paired_difference_values", paired_difference)
### END HIDDEN TESTS

# %% [markdown]
# A small p says: two equally good networks would seldom differ so much. A large p does *not* say that they are equally good; perhaps there are too few images to tell.
#
# Next to p, the table shows the 95 % interval of each accuracy, by Wilson's formula, which is given here.

# %% nbgrader={"grade": false, "grade_id": "print_answers", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
def wilson(correct, total):
    """Return the 95 % interval of an accuracy."""
    return stats.binomtest(correct, total).proportion_ci(0.95, method="wilson")


def print_answers(right):
    """Compare every classifier with the first, on the same images."""
    (first_name, first), *_ = right.items()
    print(f"{'':28}right of {len(first)}   95 % interval   only it   only {first_name}        p")
    for name, answers in right.items():
        count = int(answers.sum())
        low, high = wilson(count, len(answers))
        only_first, only_it, p = paired_difference(first, answers)
        pair = f"{only_it:10}{only_first:15}{p:14.2g}" if name != first_name else ""
        share = count / len(answers)
        print(f"{name:28}{count:3}  {share:6.1%}   {low:5.1%} to {high:5.1%}{pair}")
    plots.accuracies({name: (int(a.sum()), len(a)) for name, a in right.items()}, wilson)


print_answers(right)

# %% [markdown]
# How to read it: each bar is the interval of one accuracy; the columns on the right compare image by image. On the 66 drawn capsules we measured 12 right for our own ResNet (guessing gives 11). It had 97 % of its 66 training images right: it learned them by heart. `resnet_drawn` had 27 by means and 33 against good parts, MobileNetV2 50 and 55, and neither had ever seen such a capsule.
#
# So even the good capsules of the *training* set, which a classifier alone cannot use, were worth a few images to both backbones.
#
# How much of that depends on this one split? We tried four others. Our own ResNet had 10 to 15 right, `resnet_drawn` 24 to 31 and 31 to 36, MobileNetV2 46 to 51 and 49 to 55. Pretraining beat our own ResNet each time, with p of 0.02 at most for the weakest of the four, and of 6e-8 at most for MobileNetV2. Good parts did not help MobileNetV2 each time: in one split it had 51 right without them and 49 with them.
#
# ### Four attempts
#
# The report about bottles did what everybody does with a bad network: it tried things. Do the same with your own ResNet. Each attempt changes *one* thing in the first training run.

# %% nbgrader={"grade": false, "grade_id": "four_attempts", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
attempts = {"own ResNet": right["own ResNet"]}
attempts["augmentation"] = train_resnet(augment=True)
attempts["dropout 0.5"] = train_resnet(dropout=0.5)
attempts["twice as long"] = train_resnet(epochs=60)
attempts["larger images"] = train_resnet(size=96)
print_answers(attempts)

# %% [markdown]
# How to read it: look at the columns on the right first. We measured 11 to 16 right, and no p below 0.4. An attempt differs from the first run in some ten images, and is better on about as many as it is worse on. (With augmentation, 30 epochs do not even suffice to learn the training images; more might.) Is that the effect of the attempt, or of any other training run? Try `train_resnet(seed=1)`, which only changes the seed.
#
# In four other splits the attempts had from 9 to 19 right, a different one was best nearly each time, and the smallest p of all sixteen was 0.12.
#
# **Question: which differences are real** (3 points). Which of the differences in this section do you believe? *A full answer (1) says for the report about capsules whether 57 against 59 of 66, and 49 against 57 of 66, are differences that you believe, with a number that supports it, and what the report should have published besides accuracies; (2) says for the report about bottles what is wrong with 65 % of 16 images, and what its five accuracies show; (3) says for your own table which attempt helped, why it would be wrong to choose the best of the five on the held-out half and to report its accuracy there, and what to do instead.* (about 20 min)

# %% [markdown] nbgrader={"grade": true, "grade_id": "question_differences", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer.** (1) 57 against 59: the two differ by two images. Even if the transformer was right wherever the ResNet was (b = 0, c = 2), p = 0.5; with more disagreement it is larger. The intervals are 76 to 93 % and 80 to 95 %. No difference has been shown. 49 against 57: eight images; p depends on how often they disagree, which the report does not say. In the best case (b = 0, c = 8) p = 0.008, but already with b = 3, c = 11 it is 0.057, and with b = 7, c = 15, which two networks with independent errors would have, 0.13. It is likely that pretraining helped, but it is not proved. The report should have published the predictions for each image (or a table of which network was right where), or accuracies of several training runs and splits. (2) Of 16 images 10 right are 62.5 % and 11 are 68.75 %: 65 % is impossible, so it was measured on something else or written down wrongly, and this very number was called the best. The others lie between 5 and 9 of 16, with intervals of 14 to 56 % and 33 to 77 %; even 5 against 9 has p = 0.125 at best. Five training runs on 16 images show nothing. (3) None of the four attempts can be told from the first (all p large; another seed changes as much). The best of five equally good networks is better than each of them by chance alone: with 66 images and a true accuracy of 18 % it has 24 % on average. If you choose by the held-out half, you have used it for training, in a way, and its accuracy is no longer that of new images. Choose by a validation set or by cross-validation within the images to learn from, and use the held-out half once, for the network that was chosen. (And average over seeds.) The pretrained features are another matter: there p is so small that it survives having compared several.
#
# **Marking.** 1 point: two images are no difference, with a number (p ≥ 0.5, or intervals that overlap nearly wholly) (half); 49 against 57 depends on the disagreements, so predictions by image are missing (half). 1 point: 65 % is no whole number of 16, shown by 10 and 11 (half); 16 images cannot tell five attempts apart, with a number (half). 1 point: the student's own table read by p or by another seed, not by rank (half); the best of several is too good by chance, or the held-out half is used up, and what to do instead (half).
# ### END SOLUTION

# %% [markdown]
# ## 3 · The long tail
#
# In a factory defects are rare, and some are rarer than others: many good parts, some with the defect that the machine makes every Monday, two photographs of a defect that nobody has seen since. Sort the classes by how often they occur, and the curve has a **long tail**. Assignment a4 fights it with weights, sampling and adjusted logits; you need none of that here. The report about bottles adds one more remedy, a loss "for long tails", from a paper that we could not find. We use the **focal loss** of Lin et al. (ICCV 2017), made for something a little different, and the **class-balanced loss** of Cui et al. (CVPR 2019), which combines the two.
#
# ### The focal loss
#
# Lin et al. were training a detector. It looks at a hundred thousand places in an image. At nearly all of them there is nothing, and the detector says so, with $p = 0.99$. The cross-entropy of each of these is tiny, but there are so many that together they drown the few places that matter. So Lin et al. multiply the loss by a factor that is small where the network is already right. With $p_y$ the probability that the network gives to the true class $y$:
#
# $$L = -\,\alpha_y \, (1 - p_y)^\gamma \, \log p_y$$
#
# γ = 0 is cross-entropy. With γ = 2, an image with $p_y = 0.9$ counts a hundredth, and one with $p_y = 0.1$ still 81 %. $\alpha_y$ is a weight for each class: 1, or more for a class that should count more.
#
# **Task** (20 min, easy). Write `focal_loss`, with $\gamma \ge 0$.
#
# - The inputs are `logits` (N, C), `y` (N,), `int64`, and `weights` (C,) of the dtype of the logits.
# - Take the **mean over the N images**: the sum of the losses divided by N, even if the weights do not average 1. (`F.cross_entropy(…, weight=w)` divides by the sum of the images' weights instead.)
# - Return a tensor of shape (), with the dtype of the logits.
# - The loss must be right and finite for logits of ±10,000, even in `float32`, where a number of that size keeps only three decimals: subtract logits from each other before you do anything else with them.
# - Gradients must flow through it, because a network will learn from it.
# - You may use all of `torch.nn.functional`.
#
# <details><summary>Hint 1: the logarithm first</summary><code>softmax</code> of such logits is exactly 0, and its logarithm −∞. <code>log_softmax</code> computes the logarithm directly, and <code>exp</code> of it is the probability.</details>
# <details><summary>Hint 2: the entry of the true class</summary><code>log_p[torch.arange(len(y)), y]</code>, or <code>log_p.gather(1, y[:, None])</code>, or the negative of <code>F.cross_entropy(logits, y, reduction="none")</code>.</details>


# %% nbgrader={"grade": false, "grade_id": "focal_loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def focal_loss(
    logits: torch.Tensor, y: torch.Tensor, gamma: float, weights: torch.Tensor
) -> torch.Tensor:
    """Compute the focal loss of logits (N, C) and labels y (N,), the mean over N, shape ().

    `weights` (C,) are those of the classes. Lin et al., ICCV 2017.
    """
    ### BEGIN SOLUTION
    log_p = logits.log_softmax(dim=1).gather(1, y[:, None]).squeeze(1)
    factor = (1 - log_p.exp()) ** gamma
    return -(weights[y] * factor * log_p).mean()
    ### END SOLUTION


# %% nbgrader={"grade": false, "grade_id": "focal_loss_and_slope", "locked": true, "schema_version": 3, "solution": false, "task": false}
def focal_loss_and_slope(logits, y, gamma, weights):
    """Return the loss and, where logits are of a usual size, its gradient by autograd."""
    logits = logits.clone().requires_grad_()
    loss, slope = focal_loss(logits, y, gamma, weights), logits.new_zeros(())
    if loss.requires_grad and logits.abs().max() < 100:
        (slope,) = torch.autograd.grad(loss, logits)
    return {"loss": loss.detach(), "slope": slope}


# %% nbgrader={"grade": true, "grade_id": "focal_loss_value", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.public("focal_loss_value", focal_loss_and_slope)
### BEGIN HIDDEN TESTS
check.hidden("focal_loss_value", focal_loss_and_slope)
### END HIDDEN TESTS

# %% [markdown]
# ### Its gradient
#
# The network learns from the gradient of the loss, and there the focal loss does something that its formula does not show. Take one image, write $p = p_y$, and go from the loss back to the logits $z_c$.
#
# 1. The softmax. The probability of the true class depends on *all* logits:
#    $$\frac{\partial p}{\partial z_c} = p \, ([c = y] - p_c)$$
#    where $[c = y]$ is 1 for the true class, and 0 otherwise.
# 2. The loss. It contains $p$ twice, in the factor and in the logarithm, so the product rule gives two terms:
#    $$\frac{\partial L}{\partial p} = \alpha_y \Big( \gamma \, (1 - p)^{\gamma - 1} \log p \; - \; \frac{(1 - p)^\gamma}{p} \Big)$$
# 3. Multiply the two (chain rule), and take $-(1 - p)^\gamma$ out of the brackets. The term left in them is 1 for γ = 0, and the whole gradient is then $\alpha_y (p_c - [c = y])$, the gradient of cross-entropy.
#
# Do step 3 on paper before you continue. Then look at the two limits. At $p \to 0$ the logarithm goes to −∞, but it is multiplied by $p$, and $p \log p \to 0$. At $p \to 1$ there is $\log p / (1 - p)$ in the brackets, 0 divided by 0, with the limit −1. The brackets go to $1 + \gamma$, and the factors before and after them go to 0. So **at $p = 1$ the gradient is 0**, for every γ ≥ 0. Your computer will say NaN, unless you handle this case.
#
# **Task** (35 min, hard). Write `focal_gradient`: the gradient of `focal_loss` with respect to the logits, (N, C), of their dtype, with the same arguments.
#
# - Write it by hand: no autograd, and nothing from `torch.nn` except `F.one_hot`. (`torch.softmax`, `torch.log_softmax` and `torch.where` are allowed.)
# - It must be right even for logits of ±10,000, whether the network is right with $p = 1$ or wrong with $p = 0$, for every γ ≥ 0.
# - The inputs are not modified.
#
# <details><summary>Hint 1: step 3</summary>([c = y] − p<sub>c</sub>) is the last factor; the number before it is the same for all c. Multiply both terms of step 2 by the p of step 1: it cancels in one of them. Check your result: γ = 0 must give α<sub>y</sub> (p<sub>c</sub> − [c = y]), and the brackets must go to 1 + γ as p goes to 1. And remember that the loss is a mean over N images.</details>
# <details><summary>Hint 2: 0 divided by 0</summary><code>torch.where(miss &gt; 0, p * log_p / miss, -1.0)</code> with <code>miss = 1 - p</code> computes both and chooses entry by entry. In a forward pass a NaN that is not chosen does no harm. Do not write (1 − p)<sup>γ − 1</sup>: for γ &lt; 1 that is infinite at p = 1.</details>
# <details><summary>Hint 3: shapes</summary>Everything but the last bracket is one number for each image: keep it as (N, 1), and it broadcasts against (N, C).</details>


# %% nbgrader={"grade": false, "grade_id": "focal_gradient", "locked": false, "schema_version": 3, "solution": true, "task": false}
def focal_gradient(
    logits: torch.Tensor, y: torch.Tensor, gamma: float, weights: torch.Tensor
) -> torch.Tensor:
    """Compute the gradient of the focal loss with respect to the logits (N, C), by hand."""
    ### BEGIN SOLUTION
    log_probabilities = torch.log_softmax(logits, dim=1)
    error = log_probabilities.exp() - F.one_hot(y, logits.shape[1])
    log_p = log_probabilities.gather(1, y[:, None])  # (N, 1)
    p, miss = log_p.exp(), -torch.expm1(log_p)  # miss = 1 - p
    ratio = torch.where(miss > 0, p * log_p / miss, -1.0)
    scale = weights[y][:, None] * miss**gamma * (1 - gamma * ratio)
    return scale * error / len(y)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "focal_loss_gradient", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.public("focal_loss_gradient", focal_gradient)
### BEGIN HIDDEN TESTS
check.hidden("focal_loss_gradient", focal_gradient)
### END HIDDEN TESTS

# %% nbgrader={"grade": false, "grade_id": "draw_focal_loss", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
z = torch.linspace(-5, 5, 201).double()
one = torch.ones(2).double()
y_1 = torch.zeros(1, dtype=torch.int64)
losses, slopes = {}, {}
for gamma in (0, 0.5, 2, 5):
    images = [torch.stack([logit, 0 * logit])[None] for logit in z]  # of the first of two classes
    losses[gamma] = [focal_loss(image, y_1, gamma, one).item() for image in images]
    slopes[gamma] = [-focal_gradient(image, y_1, gamma, one)[0, 0].item() for image in images]
plots.focal_losses(z.sigmoid().tolist(), losses, slopes)

# %% [markdown]
# How to read it: on the left is the loss, on the right how hard an image pulls at the logit of its class. The more certain the network already is (to the right), the less an image pulls for γ > 0: with γ = 2 and $p = 0.9$, a thirty-fifth of the pull of cross-entropy. And where the network is wrong, the pull is even a bit *stronger* than that of cross-entropy: that is the other term of the product rule.
#
# ### What a class is worth
#
# Which α? Cui et al. take the **effective number** of images: if each further image of a class adds β times as much as the one before, $n$ images are worth $E_n = (1 - \beta^n) / (1 - \beta)$, and the weight of a class is proportional to $1 / E_n$. That leaves the size of the weights open. In the paper they add up to the number of classes. That changes the size of our loss, which is divided by N, and with it the length of every step: with 60 images of one class and 5 of another, most *images* have a small weight. You would have to find a new learning rate for each β, and could not say whether the weights helped or the rate. So here the weights average 1 **over the training images**:
#
# $$\sum_c n_c \, w_c = \sum_c n_c$$
#
# **Task** (15 min, easy). Write `class_balanced_weights` with this normalisation. `counts` (C,), `int64`, holds the number of training images of each class, at least one of them above 0; $0 \le \beta < 1$. A class without images has the weight 0. The result is (C,), `float64`, and precise for β = 0.999999 as well.
#
# <details><summary>Hint 1: precision</summary><code>beta ** counts</code> with an <code>int64</code> tensor is <code>float32</code>. Begin with <code>counts.double()</code>.</details>
# <details><summary>Hint 2: the size</summary>The mean over the training images of weights w is <code>(n * w).sum() / n.sum()</code>. Divide by it. With β = 0 all classes that occur have the weight 1.</details>


# %% nbgrader={"grade": false, "grade_id": "class_balanced_weights", "locked": false, "schema_version": 3, "solution": true, "task": false}
def class_balanced_weights(counts: torch.Tensor, beta: float) -> torch.Tensor:
    """Compute class weights (C,), float64, proportional to (1 - beta) / (1 - beta ** counts).

    They average 1 over the training images; a class without any has 0. Cui et al., CVPR 2019.
    """
    ### BEGIN SOLUTION
    n = counts.double()
    effective = (1 - beta**n) / (1 - beta)
    weights = torch.where(n > 0, 1 / effective, 0.0)
    return weights * n.sum() / (n * weights).sum()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "class_balanced_weight_values", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check.public("class_balanced_weight_values", class_balanced_weights)
### BEGIN HIDDEN TESTS
check.hidden("class_balanced_weight_values", class_balanced_weights)
### END HIDDEN TESTS

# %% [markdown]
# ### Does it help?
#
# Now make a long tail: 60 good parts, then 11, 7, 5, 3 and 2 images of the types of defect, as many types as there are. The images are described by their distances from good parts (section 2). A linear classifier is trained with each of four losses, and measured on `held_out`, where all classes are about equally frequent. The images in the tail are chosen at random, and 2 images are a very small sample. So we repeat everything ten times, with other images.

# %% nbgrader={"grade": false, "grade_id": "draw_tail", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
TAIL = (60, 11, 7, 5, 3) + (2,) * 10
LOSSES = {"cross-entropy": (0, 0), "focal": (2, 0), "class-balanced": (0, 0.99),
          "class-balanced focal": (2, 0.99)}  # fmt: skip


def draw_tail(defective, good):
    """Draw a training set with a long tail from descriptions. Returns x and y."""
    x, y = [good[torch.randperm(len(good))[: TAIL[0]]]], [torch.zeros(TAIL[0], dtype=torch.int64)]
    for kind in range(1, len(DEFECTS)):
        rows = learn[test.y[learn] == kind]
        x.append(defective[rows[torch.randperm(len(rows))[: TAIL[kind]]]])
        y.append(torch.full((len(x[-1]),), kind))
    return torch.cat(x), torch.cat(y)


def train_linear(x, y, gamma, beta, penalty):
    """Train a linear classifier, with a penalty on the squares of its weights."""
    linear, counts = nn.Linear(x.shape[1], len(DEFECTS)), y.bincount(minlength=len(DEFECTS))
    weights = class_balanced_weights(counts, beta).float()
    optimiser = torch.optim.Adam(linear.parameters(), lr=1e-2)
    for _ in range(100):
        loss = focal_loss(linear(x), y, gamma, weights) + penalty * linear.weight.square().sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return linear


# %% nbgrader={"grade": false, "grade_id": "compare_losses", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
from sklearn.metrics import f1_score


def measured_on_tail(draw, penalty):
    """Train with each loss on one tail. Returns accuracy, macro-F1 and the share called good."""
    torch.manual_seed(draw)
    described, good = descriptions[BACKBONE]
    x, y = draw_tail(described, good)
    mean, spread, found = x.mean(dim=0), x.std(dim=0) + 1e-6, []
    for gamma, beta in LOSSES.values():
        linear = train_linear((x - mean) / spread, y, gamma, beta, penalty)
        said = linear((described[held_out] - mean) / spread).argmax(dim=1)
        right = (said == test.y[held_out]).double().mean()
        found.append([right, f1_score(test.y[held_out], said, average="macro"),
                      (said == 0).double().mean()])  # fmt: skip
    return found


@one_thread()
def compare_losses(penalty):
    """Print means over ten tails, and by how much macro-F1 differs, tail by tail."""
    found = 100 * torch.tensor([measured_on_tail(n, penalty) for n in tqdm(range(10), "tails")])
    differences = found[:, :, 1] - found[:, :1, 1]
    errors = differences.std(dim=0) / len(found) ** 0.5
    head = "   accuracy   macro-F1   called good   macro-F1, against cross-entropy"
    print(f"{'penalty ' + str(penalty):20}{head}")
    for loss, means, mean, error in zip(
        LOSSES, found.mean(dim=0).tolist(), differences.mean(dim=0), errors, strict=True
    ):
        against = f"{mean:+12.1f} ± {error:.1f} points" if loss != "cross-entropy" else ""
        print("{:20}{:9.1f} %{:9.1f} %{:12.1f} %".format(loss, *means) + against)


compare_losses(penalty=0.3)

# %% [markdown]
# How to read it: all four losses see the same ten tails, so the last column is the mean of the ten differences, with its standard error (section 2).
#
# On the drawn capsules, cross-entropy had an accuracy of 36 % and a macro-F1 of 26 %; 58 % of all images were called good, where 18 % are. Class-balanced weights add 12 points of macro-F1, ten times the error; with four other splits of the capsules it was 8 to 13, for the bottles 3.3 ± 1.2. The focal loss alone changed nothing: there are no hundred thousand easy places here, only 88 images, and hardly one of them is easy.
#
# Is that a success for the weights? The table has a catch. The penalty, which keeps the linear classifier small, was the same for all four losses, and nobody has asked whether it suited the first one.

# %% nbgrader={"grade": false, "grade_id": "compare_without_penalty", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
compare_losses(penalty=0.0)

# %% [markdown]
# How to read it: without the penalty, plain cross-entropy had a macro-F1 of 40 %, as much as the weights had reached before. Of their 12 points, 1.5 ± 1.4 are left; with other splits 0 to 3.
#
# The reason is known (Byrd & Lipton, ICML 2019): a classifier that can get *all* training images right does so with any weights, and ends in nearly the same place. Weights matter where it has to compromise: because of a penalty, early stopping, or more images than it can fit. So before you believe that a remedy for long tails works, yours or that of a paper, check how well the ordinary loss was tuned. And look at the numbers of images: a class has about eleven in `held_out`, so one image more or less is nine points of its recall.

# %% [markdown]
# ## 4 · Good parts only
#
# So far somebody had photographed defects, sorted them and labelled them. On a production line that is the exception: defects are rare, they come in types that nobody has thought of, and labelling each pixel of a defect takes minutes. Good parts, however, are plentiful. So turn the question round. Learn what *good* looks like, from good parts alone, and call a part defective when it does not look like that. From here to section 6 no detector learns from a defect. (One table of section 5 needs masks to choose thresholds, and says so.)
#
# ### An autoencoder
#
# An **autoencoder** squeezes an image through a narrow code and redraws it: $\hat x = d(e(x))$. It is trained on good parts to redraw them well, $\min \lVert x - \hat x \rVert^2$. The code is too narrow for arbitrary images, so the network has to learn what good parts have in common. The hope is that it knows nothing of scratches and redraws the part without them. Then the squared difference shows the scratch.
#
# **Task** (20 min, medium). Build `Autoencoder`, with the methods `encode` and `decode`.
#
# - `encode(x)`: images (N, 3, 96, 96), `float32` in 0…1, to a code: one tensor, with N as its first size. Whatever its shape, the code of an image has **at most a sixteenth** of the image's numbers: 1,728 of 27,648.
# - `decode(code)`: images (N, 3, 96, 96) again, in 0…1 whatever the weights are.
# - `forward(x)` is `decode(encode(x))`: nothing bypasses the code.
# - In evaluation mode the same image gives the same answer, alone or among others.
# - There are at most 400,000 parameters, all of which affect the output.
# - `Autoencoder()` needs no arguments, and after `.double()` it works in `float64`, as every network of layers does.
#
# <details><summary>Hint 1: down</summary>Four convolutions with stride 2 bring 96 pixels to 6. With 32 channels there, the code has 32 · 6 · 6 = 1,152 numbers.</details>
# <details><summary>Hint 2: up</summary><code>nn.ConvTranspose2d(channels_in, channels_out, 4, stride=2, padding=1)</code> doubles height and width. So does <code>nn.Upsample(scale_factor=2)</code> before a convolution of 3 × 3.</details>
# <details><summary>Hint 3: 0 to 1</summary>A sigmoid at the end keeps the output between 0 and 1.</details>
# <details><summary>Hint 4: methods</summary><code>self.encode = nn.Sequential(…)</code> is as good as a method: it can be called.</details>


# %% nbgrader={"grade": false, "grade_id": "Autoencoder", "locked": false, "schema_version": 3, "solution": true, "task": false}
class Autoencoder(nn.Module):
    """An autoencoder for images (N, 3, 96, 96) in 0..1 with a code of at most 1,728 numbers."""

    ### BEGIN SOLUTION
    def __init__(self):
        super().__init__()

        def down(inputs, outputs):
            convolution = nn.Conv2d(inputs, outputs, 4, stride=2, padding=1)
            return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())

        def up(inputs, outputs):
            convolution = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)
            return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())

        widths = down(3, 16), down(16, 32), down(32, 64), down(64, 64)
        self.encoder = nn.Sequential(*widths, nn.Conv2d(64, 32, 1))
        last = nn.ConvTranspose2d(16, 3, 4, stride=2, padding=1)
        self.decoder = nn.Sequential(up(32, 64), up(64, 32), up(32, 16), last)

    def encode(self, x):
        return self.encoder(x)

    def decode(self, code):
        return self.decoder(code).sigmoid()

    def forward(self, x):
        return self.decode(self.encode(x))

    ### END SOLUTION


# %% [markdown]
# The check builds an `Autoencoder()`, moves all its weights at random, by a little and by a lot, and shows it images in `float64`. It tests the shapes, the size of the code, whether anything bypasses the code, and which parameters affect the output.

# %% nbgrader={"grade": false, "grade_id": "describe_autoencoder", "locked": true, "schema_version": 3, "solution": false, "task": false}
@torch.no_grad()
def describe_drawings(model, images):
    """Look at what an Autoencoder with its present weights makes of images."""
    found, code = model(images), model.encode(images)
    drawn, alone = model.decode(code), model(images[:1])
    mixed = model.decode(code.flip(0))
    return {
        "code_is_narrow": int(16 * code.numel() <= images.numel() and len(code) == len(images)),
        "between_0_and_1": int(bool(((found >= 0) & (found <= 1)).all())),
        "nothing_goes_round": int(torch.allclose(found, drawn, atol=1e-5)),
        "drawn_from_the_code": int(torch.allclose(mixed, drawn.flip(0), atol=1e-5)),
        "codes_differ": int((mixed - drawn).abs().max() > 1e-9),
        "image_for_itself": int(torch.allclose(alone, found[:1], atol=1e-5)),
    }


def describe_autoencoder(images):
    """Look at what a new Autoencoder promises, with images (N, 3, 96, 96)."""
    torch.manual_seed(0)
    model, images, seen, unused = Autoencoder().train().double(), images.double(), [], []
    with torch.no_grad():
        shape = model(images).shape  # batch norm meets the images, too
    begin = [parameter.detach().clone() for parameter in model.eval().parameters()]
    for strength in (0.1, 0.2, 0.5, 1.0, 2.0):
        shaken(model, begin, strength)
        seen.append(describe_drawings(model, images[:2]))
        unused.append(gradient_is_missing(model, images[:1]))
    found = {name: min(one[name] for one in seen) for name in seen[0]}
    found["codes_differ"] = max(one["codes_differ"] for one in seen)
    return {
        **found,
        "shape": torch.tensor(shape),
        "within_budget": int(number_of_parameters(model) <= 400_000),
        "unused_parameters": sum(map(all, zip(*unused, strict=True))),
    }


# %% nbgrader={"grade": true, "grade_id": "autoencoder_structure", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check.public("autoencoder_structure", describe_autoencoder)
### BEGIN HIDDEN TESTS
check.hidden("autoencoder_structure", describe_autoencoder)
### END HIDDEN TESTS

# %% [markdown]
# The squared error of a reconstruction, pixel by pixel, is the heat map. A single pixel is noise, so average over small squares.
#
# **Task** (15 min, easy). Write `error_maps`. For images x (N, 3, H, W) in 0…1 and their reconstructions $\hat x$, it returns the mean of $(x - \hat x)^2$ over the three channels and the `cell` × `cell` pixels of each square.
#
# - The result is (N, H / `cell`, W / `cell`), with the dtype of `x`. H and W are multiples of `cell`, and may differ.
# - Run the model in evaluation mode, whatever mode it is in. Afterwards put it back into its previous mode, with all its layers.
# - Return a result without gradients attached.
#
# <details><summary>Hint: squares</summary><code>F.avg_pool2d(…, cell)</code> averages over squares.</details>


# %% nbgrader={"grade": false, "grade_id": "error_maps", "locked": false, "schema_version": 3, "solution": true, "task": false}
def error_maps(model: nn.Module, x: torch.Tensor, cell: int) -> torch.Tensor:
    """Compute the mean squared error of a model's output for x (N, 3, H, W), square by square.

    Returns maps (N, H / cell, W / cell), of the dtype of x.
    """
    ### BEGIN SOLUTION
    was_training = model.training
    model.eval()
    with torch.no_grad():
        squares = (model(x) - x).square().mean(dim=1, keepdim=True)  # (N, 1, H, W)
    model.train(was_training)
    return F.avg_pool2d(squares, cell)[:, 0]
    ### END SOLUTION


# %% nbgrader={"grade": false, "grade_id": "try_error_maps", "locked": true, "schema_version": 3, "solution": false, "task": false}
class TinyDrawer(nn.Module):
    """Draw each pixel from itself, by given weights, with batch norm and dropout on the way."""

    def __init__(self, weights):
        super().__init__()
        convolution = nn.Conv2d(3, 3, 1)
        self.layers = nn.Sequential(convolution, nn.BatchNorm2d(3), nn.Sigmoid(), nn.Dropout(0.4))
        self.to(weights["layers.0.bias"].dtype).load_state_dict(weights)

    def forward(self, x):
        return self.layers(x)


def try_error_maps(weights, x, cell, training):
    """Return the maps of error_maps for a tiny model, and what it left behind."""
    model = TinyDrawer(weights).train(training)
    maps = error_maps(model, x, cell)
    same = [torch.equal(value, weights[name]) for name, value in model.state_dict().items()]
    return {
        "maps": maps,
        "parts_in_training_mode": sum(part.training for part in model.modules()),
        "state_untouched": int(all(same)),
        "needs_gradient": int(maps.requires_grad),
    }


# %% nbgrader={"grade": true, "grade_id": "error_map_values", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check.public("error_map_values", try_error_maps)
### BEGIN HIDDEN TESTS
check.hidden("error_map_values", try_error_maps)
### END HIDDEN TESTS

# %% nbgrader={"grade": false, "grade_id": "train_autoencoder", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
def at_96(X):
    """Return images, uint8, as float32 in 0..1 at 96 pixels."""
    return F.interpolate(X.float() / 255, 96, mode="bilinear", antialias=True)


torch.manual_seed(0)
autoencoder, x = Autoencoder().to(DEVICE), at_96(train.X).to(DEVICE)
optimiser, steps = torch.optim.Adam(autoencoder.parameters()), 500
schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps)
for _ in tqdm(range(steps), desc="autoencoder, steps"):
    batch = x[torch.randperm(len(x), device=DEVICE)[:16]]
    loss = F.mse_loss(autoencoder(batch), batch)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    schedule.step()
print(f"mean squared error of the last batch {loss.item():.5f}")
autoencoder.eval()
autoencoder_maps = error_maps(autoencoder, at_96(test.X).to(DEVICE), 2).cpu()  # (N, 48, 48)

# %% nbgrader={"grade": false, "grade_id": "draw_autoencoder", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
examples = [int((test.y == kind).nonzero()[2]) for kind in range(len(DEFECTS))]
with torch.no_grad():
    drawings = autoencoder(at_96(test.X[examples]).to(DEVICE)).cpu()
plots.drawings(at_96(test.X[examples]), drawings, autoencoder_maps[examples],
               [DEFECTS[kind] for kind in test.y[examples].tolist()])  # fmt: skip

# %% [markdown]
# How to read it: each column is a part, with the photograph at the top, the reconstruction in the middle and the squared error below, all on one scale. Look for a defect that is missing from the reconstruction: there the error is bright. Then look for two disappointments: a defect that *is* reconstructed, more or less, and bright edges of good parts, because a blurred reconstruction misses every edge by a little. Remember one example of each for section 8.

# %% [markdown]
# ### Pretrained features again
#
# An autoencoder has to learn from some 200 images what a part looks like, and then it compares pixels. But other people have already trained networks to see, on a million photographs, or here on drawings. What do their features say about a part?
#
# The last layers of a classifier will not help: they have thrown away everything that does not matter for naming an object, and a scratch never does. The first layers still have it: they describe the edges, colours and textures at every small position. Two of these stages give 96 numbers for every 4th pixel. Nothing is trained here. (`BACKBONE` is `resnet_drawn`, which this course has trained on drawn images. For real parts take one that has seen photographs.)

# %% nbgrader={"grade": false, "grade_id": "patch_features", "locked": true, "schema_version": 3, "solution": false, "task": false}
@lru_cache
def load_backbone(name):
    network = pretrained.backbone(name)
    network.module.to(memory_format=torch.channels_last)  # takes two thirds of the time on a CPU
    return network


@torch.no_grad()
def patch_features(images, backbone=BACKBONE, stages=STAGES):
    """Describe positions of images (N, 3, S, S), uint8: features (N, C, h, w), float32.

    Maps of stages of the backbone, averaged over 3 × 3 positions and stacked, the coarser
    ones resized. With the stages 0 and 1, h = w = S / 4.
    """
    found, prepare = [], pretrained.preprocessing(None)  # of ImageNet; images keep their size
    for batch in images.split(8):
        maps = load_backbone(backbone).maps(prepare(batch), stages)
        maps = [F.avg_pool2d(one, 3, 1, 1) for one in maps]
        sizes = maps[0].shape[-2:]
        maps = [F.interpolate(m, sizes, mode="bilinear", align_corners=False) for m in maps]
        found.append(torch.cat(maps, dim=1).contiguous())
    return torch.cat(found)

# %% [markdown]
# The mean over 3 × 3 positions turns a position into a **patch**: it describes a neighbourhood, so it matters less whether an edge lies one position further on. Both of the following methods build on these features. PaDiM asks *is this usual here?*, PatchCore *have I seen this anywhere?*

# %% nbgrader={"grade": false, "grade_id": "features_of_parts", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
train_features, test_features = patch_features(train.X), patch_features(test.X)
N, C, H, W = train_features.shape
print(f"{N} good parts, {C} features at each of {H} × {W} places: "
      f"{train_features.nbytes / 1e6:.0f} MB")  # fmt: skip

# %% [markdown]
# ### PaDiM: a Gaussian at each position
#
# Take one position, say in the middle of the print. Every good part has its 96 numbers there: 219 points in a space of 96 dimensions. PaDiM (Defard et al., 2021) fits a Gaussian to them, and asks how far a new part is from this Gaussian. Each position has its own Gaussian, so at the edge of a part much is usual, and in its middle little.
#
# At the position $(i, j)$, with the features $x_1, …, x_N$ of N good images there:
#
# $$\mu = \frac{1}{N} \sum_n x_n \qquad \Sigma = \frac{1}{N - 1} \sum_n (x_n - \mu)(x_n - \mu)^\top + \epsilon I$$
#
# How do we measure the distance? A channel that varies much should count less, and so should a direction in which two channels vary together. That is the **Mahalanobis distance** $\sqrt{(x - \mu)^\top \Sigma^{-1} (x - \mu)}$: in one dimension, the number of standard deviations.
#
# You do not need the inverse for it. Every symmetric positive definite matrix is $\Sigma = L L^\top$ with a lower triangular **Cholesky factor** $L$, and then
#
# $$(x - \mu)^\top (L L^\top)^{-1} (x - \mu) = \lVert z \rVert^2 \quad \text{with} \quad L z = x - \mu$$
#
# A triangular system is solved by substitution: cheaper than an inverse, and more accurate. So we keep the factor.
#
# What is $\epsilon$ for? With fewer images than channels, or with a channel that is always 0, there are directions in which good parts do not vary *at all*. $\Sigma$ alone would have no inverse, and the slightest step in such a direction would be infinitely far.
#
# **Task** (25 min, medium). Write `fit_gaussians`.
#
# - It returns the means (C, H, W) and the factors (H, W, C, C): lower triangular, with zeros above the diagonal and positive numbers on it.
# - Dtype and device are those of the features, `float32` or `float64`. N ≥ 2 and ε > 0.
# - The features are not modified.
# - A loop over positions is allowed. Without one, the function is a few lines, and a hundred times as fast.
#
# Subtract the mean before you multiply. $E[x^2] - E[x]^2$ is the same on paper, but in `float32` and with means of several hundred, few of its digits are right, and the check has such a case.
#
# <details><summary>Hint 1: all positions at once</summary><code>torch.linalg</code> works on the last two dimensions and treats those before them as a batch. Bring the positions to the front: <code>permute(2, 3, 1, 0)</code> turns (N, C, H, W) into (H, W, C, N).</details>
# <details><summary>Hint 2: the covariance</summary>With deviations D (…, C, N), the sum of products is <code>D @ D.mT</code>, a matrix C × C at each position.</details>
# <details><summary>Hint 3: the factor</summary><code>torch.linalg.cholesky</code>, of the covariance to which <code>epsilon * torch.eye(C)</code> was added.</details>


# %% nbgrader={"grade": false, "grade_id": "fit_gaussians", "locked": false, "schema_version": 3, "solution": true, "task": false}
def fit_gaussians(features: torch.Tensor, epsilon: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Fit a Gaussian at each position to features (N, C, H, W) of good images.

    Returns the means (C, H, W) and the lower Cholesky factors (H, W, C, C) of the sample
    covariances (divided by N - 1) plus epsilon times the unit matrix.
    """
    ### BEGIN SOLUTION
    N, C, H, W = features.shape
    mean = features.mean(dim=0)
    deviations = (features - mean).permute(2, 3, 1, 0)  # (H, W, C, N)
    covariance = deviations @ deviations.mT / (N - 1)
    covariance = covariance + epsilon * torch.eye(C).to(features)
    return mean, torch.linalg.cholesky(covariance)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "gaussians_fit", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.public("gaussians_fit", fit_gaussians)
### BEGIN HIDDEN TESTS
check.hidden("gaussians_fit", fit_gaussians)
### END HIDDEN TESTS

# %% [markdown]
# **Task** (20 min, medium). Write `mahalanobis`. From features (n, C, H, W) of any number of images, and the means and factors of `fit_gaussians`, it computes distances (n, H, W).
#
# - Return distances, not their squares, with the dtype of the features.
# - Add nothing more to the covariance.
# - Some Gaussians of the check are a thousand times as wide as they are high. A triangular solve is accurate enough for them, and so is an inverse if you compute it in the precision of the features.
#
# <details><summary>Hint 1: many right sides</summary>L is the same for all n images. <code>torch.linalg.solve_triangular(L, B, upper=False)</code> solves for all columns of B at once: bring the deviations to (H, W, C, n).</details>
# <details><summary>Hint 2: back again</summary>The length of z along the channels leaves (H, W, n). <code>permute(2, 0, 1)</code>.</details>


# %% nbgrader={"grade": false, "grade_id": "mahalanobis", "locked": false, "schema_version": 3, "solution": true, "task": false}
def mahalanobis(features: torch.Tensor, mean: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Measure how far features (n, C, H, W) are from the Gaussian at each position: (n, H, W).

    `mean` (C, H, W) and `factor` (H, W, C, C), lower triangular, are those of fit_gaussians.
    """
    ### BEGIN SOLUTION
    deviations = (features - mean).permute(2, 3, 1, 0)  # (H, W, C, n)
    solved = torch.linalg.solve_triangular(factor, deviations, upper=False)
    return solved.square().sum(dim=2).sqrt().permute(2, 0, 1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "gaussians_distance", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.public("gaussians_distance", mahalanobis)
### BEGIN HIDDEN TESTS
check.hidden("gaussians_distance", mahalanobis)
### END HIDDEN TESTS

# %% [markdown]
# Now fit it to the good parts, and look at the test. There is nothing to train and nothing to tune but ε. An image is as anomalous as its most anomalous position, so its score is the largest value of its map. **AUROC** is the probability that a defective part has a higher score than a good one (section 5; until you have written it, scikit-learn's will do).

# %% nbgrader={"grade": false, "grade_id": "padim", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
from sklearn.metrics import roc_auc_score

mean, factor = fit_gaussians(train_features, 0.01)
padim_maps = mahalanobis(test_features, mean, factor)
padim_auroc = roc_auc_score(test.y > 0, padim_maps.amax(dim=(1, 2)))
print(f"PaDiM: image AUROC {padim_auroc:.3f}; the factors take {factor.nbytes / 1e6:.0f} MB")
shown = [int((test.y == kind).nonzero()[0]) for kind in range(len(DEFECTS))]  # one of each class
titles = [DEFECTS[test.y[i]] for i in shown]
plots.heat_maps(test.X[shown], test.masks[shown], {"PaDiM": padim_maps[shown]}, titles)

# %% [markdown]
# How to read it: bright means far from what is usual at that position, on one scale for all rows; the line is the outline of the true defect. Look for two things: a defect that stays dark, and a bright region outside the line. For the drawn capsules we measured an AUROC of 0.98, for the bottles 0.998.

# %% [markdown]
# ### PatchCore: a memory of good patches
#
# PaDiM knows what is usual *here*. If the parts lie in any orientation, as screws on a belt do, there is no *here*. PatchCore (Roth et al., CVPR 2022) forgets the positions: it keeps the patches of all good images in one **memory bank**, and the anomaly score of a new patch is its distance to the nearest one in the bank. That is all. The difficulty is the size.
#
# Do the arithmetic before you write any code. 219 good parts of 48 × 48 positions are 504,576 patches of 96 numbers: 194 MB in `float32`, which is bearable. The 132 test images have 304,128 patches. The table of all distances between the two would have 153 billion entries: 614 GB. So you need two things: a small bank that represents the large one, and a search that never holds more than a slice of the table.
#
# #### A coreset
#
# Which patches to keep? Most of them show background or plain surface, and are nearly the same. A random choice keeps a thousand of those, and perhaps none of the print. You want *every* patch to have a chosen one nearby. The best such choice (k-centre) is too expensive to compute, and a greedy one is not much worse: begin with any patch, then always take the one that is **farthest from all that are chosen**. Its largest gap is at most twice the best possible (Gonzalez, 1985).
#
# **Task** (20 min, medium). Write `greedy_coreset`.
#
# - It returns the indices (`size`,) of the chosen patches, `int64`, in the order in which they are chosen: `first`, then each time the patch with the largest Euclidean distance to the nearest chosen one.
# - If several are equally far, take the lowest index.
# - 1 ≤ `size` ≤ P, and `size` is not larger than the number of different patches.
# - Memory counts: with 50,000 patches the table of all pairs takes 10 GB. The check measures it: at no time may more than a quarter of the table of all pairs be in use. You need only a single column of it.
#
# <details><summary>Hint 1: what to remember</summary>For each patch, its distance to the nearest chosen one, a tensor (P,). A new choice can only make these numbers smaller: <code>torch.minimum(distances, distances_to_the_new_one)</code>.</details>
# <details><summary>Hint 2: which one</summary><code>distances.argmax()</code> returns the first of several equal values. The chosen patches have distance 0, so none is chosen twice. Squares of distances have the same order as distances.</details>


# %% nbgrader={"grade": false, "grade_id": "greedy_coreset", "locked": false, "schema_version": 3, "solution": true, "task": false}
def greedy_coreset(patches: torch.Tensor, size: int, first: int) -> torch.Tensor:
    """Choose `size` of patches (P, C), each as far as possible from those chosen before.

    Returns their indices (size,), int64, in the order of choice, beginning with `first`.
    """
    ### BEGIN SOLUTION

    def to_patch(i):
        return (patches - patches[i]).square().sum(dim=1)

    chosen, distances = [first], to_patch(first)
    for _ in range(size - 1):
        farthest = int(distances.argmax())
        chosen.append(farthest)
        distances = torch.minimum(distances, to_patch(farthest))
    return torch.tensor(chosen)
    ### END SOLUTION


# %% [markdown]
# The next two checks measure memory like this: they add up everything that your function has in use at the same time, in tensors and in NumPy arrays. Its arguments do not count. To make the problem large, the check repeats the patches of a small one.

# %% nbgrader={"grade": false, "grade_id": "watch_memory", "locked": true, "schema_version": 3, "solution": false, "task": false}
import tracemalloc
import weakref

from torch.utils._python_dispatch import TorchDispatchMode


class Watch(TorchDispatchMode):
    """Remember how many bytes all living tensors have together, at most."""

    def __init__(self, *given):
        super().__init__()
        self.known = {tensor.untyped_storage().data_ptr() for tensor in given}
        self.used = self.peak = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for one in result if isinstance(result, tuple | list) else (result,):
            if isinstance(one, torch.Tensor) and one.layout is torch.strided:
                self.remember(one.untyped_storage())
        self.peak = max(self.peak, self.used)
        return result

    def remember(self, storage):
        place, size = storage.data_ptr(), storage.nbytes()
        if place not in self.known:
            self.known.add(place)
            self.used += size
            weakref.finalize(storage, self.forget, place, size)

    def forget(self, place, size):
        self.known.discard(place)
        self.used -= size


# %% nbgrader={"grade": false, "grade_id": "bytes_in_use", "locked": true, "schema_version": 3, "solution": false, "task": false}
def bytes_in_use(function, *arguments):
    """Call a function twice, and measure how much memory tensors and NumPy arrays have in use."""
    with Watch(*(a for a in arguments if isinstance(a, torch.Tensor))) as watch:
        function(*arguments)  # and imports something, perhaps
    tracemalloc.start()  # NumPy's arrays, and Python's own objects
    function(*arguments)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return watch.peak + peak


# %% nbgrader={"grade": false, "grade_id": "watched_coreset", "locked": true, "schema_version": 3, "solution": false, "task": false}
def watched_coreset(patches, size, first, watched):
    """Return the chosen patches and, if asked, whether many fit into little memory."""
    within = True
    if watched:
        many = patches.repeat(30, 1)
        used = bytes_in_use(greedy_coreset, many, size, first)
        within = used <= len(many) ** 2 * many.element_size() / 4
    return {"chosen": greedy_coreset(patches, size, first), "within_memory": int(within)}


# %% nbgrader={"grade": true, "grade_id": "coreset", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.public("coreset", watched_coreset)
### BEGIN HIDDEN TESTS
check.hidden("coreset", watched_coreset)
### END HIDDEN TESTS

# %% [markdown]
# #### The search
#
# **Task** (20 min, medium). Write `nearest_patches`: for each query (Q, C), the `k` nearest patches of the bank (M, C) by Euclidean distance.
#
# - **Result.** Return their distances (Q, k), smallest first, in the dtype of the queries, and their indices in the bank (Q, k), `int64`. 1 ≤ k ≤ M; in the check, no two distances that matter are equal.
# - **Memory.** `chunk` is a number of queries: compute the table for at most that many at a time, and free what you do not need. Q need not be a multiple of `chunk`, which may also be larger than Q. The check measures a case with Q = 500 and `chunk` = 2: at no time may more than a tenth of the whole table be in use, the distances of 50 queries. (Differences (chunk, M, C) fit in there with the 2 channels of the check. With 96 they would be 96 tables: use `torch.cdist`.)
# - **Accuracy.** Relative errors up to 10⁻⁶ are fine in `float64` and 10⁻³ in `float32`. A query may also be in the bank: then its distance is 0, and up to 3 · 10⁻⁶ is accepted (`F.pairwise_distance` adds 10⁻⁶ to every difference).
#
# <details><summary>Hint 1: two functions</summary><code>torch.cdist(part, bank)</code> is a slice of the table; <code>topk(k, largest=False)</code> gives values and indices, sorted. <code>queries.split(chunk)</code> makes the chunks; the last one may be smaller.</details>
# <details><summary>Hint 2: the nearest one is missing</summary>With |q|² + |m|² − 2 q·m, rounding can make a square of −10⁻¹⁵ where the distance is 0. Its root is NaN, and <code>topk</code> and <code>sort</code> put NaN last. <code>clamp(min=0)</code> before the root.</details>
# <details><summary>Hint 3: I split, but memory still grows</summary>A view keeps its base tensor alive. If you sort a slice of the table and keep <code>values[:, :k]</code>, the whole slice stays in memory, for every chunk. <code>values[:, :k].clone()</code> is a tensor of its own; <code>topk</code> makes one anyway.</details>


# %% nbgrader={"grade": false, "grade_id": "nearest_patches", "locked": false, "schema_version": 3, "solution": true, "task": false}
def nearest_patches(
    queries: torch.Tensor, bank: torch.Tensor, k: int, chunk: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Find the k nearest patches in a bank (M, C) for each of queries (Q, C).

    Returns distances (Q, k), the smallest first, and indices (Q, k), int64. Never computes
    distances of more than `chunk` queries at a time.
    """
    ### BEGIN SOLUTION
    found = [torch.cdist(part, bank).topk(k, largest=False) for part in queries.split(chunk)]
    return torch.cat([f.values for f in found]), torch.cat([f.indices for f in found])
    ### END SOLUTION


# %% nbgrader={"grade": false, "grade_id": "watched_search", "locked": true, "schema_version": 3, "solution": false, "task": false}
def watched_search(queries, bank, k, chunk, watched):
    """Return the nearest patches and, if asked, whether a large search fits into little memory."""
    within = True
    if watched:
        many, large = queries.repeat(25, 1), bank.repeat(240, 1)
        used = bytes_in_use(nearest_patches, many, large, k, chunk)
        within = used <= len(many) * len(large) * many.element_size() / 10
    distances, indices = nearest_patches(queries, bank, k, chunk)
    return {"distances": distances, "indices": indices, "within_memory": int(within)}


# %% nbgrader={"grade": true, "grade_id": "nearest_patch_values", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.public("nearest_patch_values", watched_search)
### BEGIN HIDDEN TESTS
check.hidden("nearest_patch_values", watched_search)
### END HIDDEN TESTS

# %% [markdown]
# Now fill the banks. To save a minute, we use 30,000 patches drawn at random instead of all of them. The greedy choice works on a random projection to 16 dimensions, which roughly keeps the distances (the paper projects too). And since each choice depends only on those before it, the first 300 of a coreset of 3,000 *are* the coreset of 300.

# %% nbgrader={"grade": false, "grade_id": "fill_banks", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
import time


def as_patches(features):
    """List features (N, C, H, W) as patches (N · H · W, C)."""
    return features.permute(0, 2, 3, 1).flatten(0, 2)


generator = torch.Generator().manual_seed(0)
every = as_patches(train_features)
pool = every[torch.randperm(len(every), generator=generator)[:30_000]]
projected = pool @ torch.randn(pool.shape[1], 16, generator=generator) / 4
start = time.perf_counter()
order = greedy_coreset(projected, 3_000, 0)
print(f"3,000 of {len(pool):,} patches chosen in {time.perf_counter() - start:.1f} s")
banks = {"300 at random": pool[:300], "coreset of 300": pool[order[:300]],
         "3,000 at random": pool[:3_000], "coreset of 3,000": pool[order]}  # fmt: skip

# %% nbgrader={"grade": false, "grade_id": "patchcore", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
CHUNK, bank_maps = 1_000, {}
queries = as_patches(test_features)
print(f"{'bank':18}{'bank [MB]':>10}{'chunk [MB]':>12}{'search [s]':>12}{'image AUROC':>13}")
for name, bank in banks.items():
    start = time.perf_counter()
    distances, _ = nearest_patches(queries, bank, 1, CHUNK)
    seconds = time.perf_counter() - start
    bank_maps[name] = distances.reshape(len(test.y), *test_features.shape[2:])
    score = roc_auc_score(test.y > 0, bank_maps[name].amax(dim=(1, 2)))
    megabytes = bank.nbytes / 1e6, CHUNK * len(bank) * bank.element_size() / 1e6
    print(f"{name:18}{megabytes[0]:10.2f}{megabytes[1]:12.1f}{seconds:12.1f}{score:13.3f}")
patchcore_maps = bank_maps["coreset of 3,000"]

# %% [markdown]
# How to read it: each row is a bank. The same number of patches finds far more defects if it was chosen greedily: for the drawn capsules we measured 0.67 for 300 at random and 0.88 for a coreset of 300. That also beats 3,000 at random (0.80). A coreset of 3,000 had 0.93. A random bank holds the frequent patches. A rare but good patch is like none of them, so good parts raise alarms. The coreset begins with the rare patches.
#
# Memory stays small: the bank and one chunk take 13 MB, however many images there are to search. The time grows with the size of the bank, and so would the chunk: that is why ten times the patches are not simply better.
#
# #### The score of an image
#
# So far the score of an image is that of its most anomalous patch, $s^* = \lVert m^{test} - m^* \rVert$, where $m^{test}$ is the patch with the largest distance to its nearest patch $m^*$ in the bank. The paper weights this number (its equation 7). If $m^*$ is itself a rare patch, an outlier of the good ones, then a large distance from it means more than a large distance from a patch with many neighbours:
#
# $$s = \left( 1 - \frac{\exp \lVert m^{test} - m^* \rVert}{\sum_{m \in \mathcal{N}_b(m^*)} \exp \lVert m^{test} - m \rVert} \right) s^*$$
#
# $\mathcal{N}_b(m^*)$ are the $b$ patches of the bank that are nearest **to $m^*$**, and $m^*$ is one of them, at distance 0. If the others lie close to it, all $b$ exponentials are about the same, and the weight is about $1 - 1/b$. If they lie far away on the other side of it, the weight is nearly 1. (With $b = 1$ there are no others, and the weight is 0 for every image. That is useless, but the formula says so.)
#
# **Task** (20 min, medium). Write `reweighted_score` for the patches (P, C) of one image, P ≥ 1, with 1 ≤ b ≤ M. Return a single number: a Python number, or a tensor of shape (), not (1,). Distances may be large: $e^{1000}$ is infinite in any precision, but the result must still be right.
#
# <details><summary>Hint 1: two searches</summary>Your <code>nearest_patches</code> does both: once for the patches of the image, with k = 1, and once with the single query m*, with k = b.</details>
# <details><summary>Hint 2: large exponents</summary>The fraction is an entry of a softmax over distances from m<sup>test</sup>. <code>torch.softmax</code> subtracts the largest exponent first; <code>exp(s* − logsumexp(…))</code> does the same.</details>


# %% nbgrader={"grade": false, "grade_id": "reweighted_score", "locked": false, "schema_version": 3, "solution": true, "task": false}
def reweighted_score(patches: torch.Tensor, bank: torch.Tensor, b: int) -> float:
    """Score an image by its patches (P, C) and a bank (M, C); Roth et al., CVPR 2022, eq. 7."""
    ### BEGIN SOLUTION
    distances, indices = nearest_patches(patches, bank, 1, 1_000)
    test = distances[:, 0].argmax()
    star, distance = indices[test, 0], distances[test, 0]
    _, around = nearest_patches(bank[star][None], bank, b, 1)
    to_neighbours = (bank[around[0]] - patches[test]).square().sum(dim=1).sqrt()
    weight = 1 - torch.exp(distance - to_neighbours.logsumexp(dim=0))
    return (weight * distance).item()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "reweighted_score_value", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.public("reweighted_score_value", reweighted_score)
### BEGIN HIDDEN TESTS
check.hidden("reweighted_score_value", reweighted_score)
### END HIDDEN TESTS

# %% nbgrader={"grade": false, "grade_id": "compare_scores", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
bank, defective = banks["coreset of 3,000"], test.y > 0
scores_of = {"PaDiM": padim_maps.amax(dim=(1, 2)), "PatchCore": patchcore_maps.amax(dim=(1, 2))}
patches_of_images = (as_patches(image[None]) for image in tqdm(test_features, "re-weighted"))
again = [float(reweighted_score(patches, bank, 9)) for patches in patches_of_images]
scores_of["re-weighted"] = torch.tensor(again)
print(f"{'image AUROC':16}" + "".join(f"{name:>13}" for name in scores_of))
for kind, name in enumerate(DEFECTS):
    rows = (test.y == 0) | (test.y == kind) if kind else test.y >= 0
    measured = [roc_auc_score(defective[rows], scores[rows]) for scores in scores_of.values()]
    print(f"{name if kind else 'all':16}" + "".join(f"{value:13.3f}" for value in measured))

# %% nbgrader={"grade": false, "grade_id": "compare_maps", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
both = {"PaDiM": padim_maps[shown], "PatchCore": patchcore_maps[shown]}
plots.heat_maps(test.X[shown], test.masks[shown], both, titles)

# %% [markdown]
# How to read it: each of the two methods has one scale for all rows. (The pattern along the border of PatchCore's maps comes from the padding of the convolutions, which is like nothing else on a part.)
#
# For the drawn capsules, PaDiM is ahead: 0.98 against 0.93. Both use the same features, so where is the difference? It is the *position*. The drawn parts all lie the same way, and so do bottles under a camera. A squeezed capsule shows background and an edge where there should be capsule. PatchCore has both in its bank, and nothing tells it that they do not belong *there*. That is where it loses most. Re-weighting changes little here, 0.928 to 0.925; it is a correction for outliers in the bank, not a cure.
#
# What is the price of PaDiM's advantage? Move every part by a few positions, differently for each image, in training and in test. (Moving the features is the same as moving the image, except at the border.)

# %% nbgrader={"grade": false, "grade_id": "parts_that_lie_elsewhere", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
moving = torch.Generator().manual_seed(0)


def moved(features, most):
    """Move every part by up to `most` positions in each direction, around the edge."""
    steps = torch.randint(-most, most + 1, (len(features), 2), generator=moving)
    pairs = zip(features, steps.tolist(), strict=True)
    return torch.stack([one.roll(step, dims=(1, 2)) for one, step in pairs])


for most in (0, 4, 8):
    gaussians = fit_gaussians(moved(train_features, most), 0.01)
    scores = mahalanobis(moved(test_features, most), *gaussians).amax(dim=(1, 2))
    print(f"parts up to {4 * most:2} pixels off: "
          f"PaDiM {roc_auc_score(defective, scores):.3f}")  # fmt: skip

# %% [markdown]
# How to read it: PaDiM falls with every pixel, from 0.98 to 0.79 for capsules that lie up to 32 pixels off, and from 0.998 to 0.84 for bottles. (Here a part that leaves on one side comes in on the other; a real part would not.) At each position it has now seen capsule, edge and background, so everything is usual everywhere. PatchCore is not in this table because nothing changes for it: a moved image has the same patches. Its 0.93 is now ahead.
#
# For parts in a holder, use PaDiM. For parts in any orientation, such as the real screws, use PatchCore, or align the images first. And give PatchCore enough patches. For the real screws we measured, with MobileNetV2 at 256 pixels, 0.89 for PaDiM, 0.90 for a coreset of 1 % of all patches, and 0.95 for one of 10 %.

# %% [markdown]
# ## 5 · How good is it?
#
# You have three detectors and a lot of coloured pictures. Which detector is best? There are two questions in this one: does it tell defective *parts* from good ones, and does it find the defective *pixels*? For the first, a part needs a single number. We take the largest value of its map: a part is as bad as its worst pixel. (A mean would drown a scratch of a hundred pixels among all 36,864.)


# %% nbgrader={"grade": false, "grade_id": "image_scores", "locked": true, "schema_version": 3, "solution": false, "task": false}
def image_scores(maps: torch.Tensor) -> torch.Tensor:
    """Take the largest value of each map (N, h, w): scores (N,)."""
    return maps.flatten(1).amax(dim=1)


def at_full_size(maps: torch.Tensor, size: int) -> torch.Tensor:
    """Enlarge maps (N, h, w), bilinearly, to (N, size, size)."""
    larger = F.interpolate(maps[:, None], (size, size), mode="bilinear", align_corners=False)
    return larger[:, 0]


# %% [markdown]
# ### Is the ranking right?
#
# A score is not a decision. A threshold turns it into one: some share of the defective parts is found, and some share of the good ones is a false alarm. The ROC curve draws the first against the second for all thresholds, and the area under it has a meaning that needs no threshold: it is **the probability that a defective part scores higher than a good one**, when both are drawn at random, and a tie counts half.
#
# $$\text{AUROC} = \frac{1}{n_+ n_-} \sum_{i \text{ defective}}\ \sum_{j \text{ good}} \Big( [s_i > s_j] + \tfrac12\, [s_i = s_j] \Big)$$
#
# **Task** (20 min, medium). Write `auroc`.
#
# - `scores` (N,) are `float32` or `float64`, finite, in any range.
# - `labels` (N,) are `bool`, or `int64` with 0 for good and 1 for defective, and there is at least one of each.
# - Only equal scores tie: two scores that differ by 10⁻⁹ are different.
# - Return a Python number, or a tensor of shape (), and leave the inputs as they are.
#
# Below you will call it with more than a million pixels. The formula as written would compare 10¹⁰ pairs, so sort. (`roc_auc_score` of scikit-learn does all of it, but then you would have nothing of your own to compare with it further down.)
#
# <details><summary>Hint 1: ranks</summary>Number the scores from the smallest, 1, to the largest, N. Add up the ranks of the defective ones. What would the sum be if all of them were at the bottom? The surplus over that is the number of pairs that were won.</details>
# <details><summary>Hint 2: ties</summary>Equal scores share the mean of their ranks: <code>stats.rankdata</code> of SciPy does that. From the sum of the ranks subtract n₊ (n₊ + 1) / 2, and divide by n₊ n₋.</details>
# <details><summary>Hint 3: without ranks</summary><code>scores.unique(return_inverse=True)</code> gives each score the number of its value. Count the good and the defective ones of each value with <code>torch.bincount(…, minlength=…)</code>; a cumulative sum says how many good ones are below.</details>


# %% nbgrader={"grade": false, "grade_id": "auroc", "locked": false, "schema_version": 3, "solution": true, "task": false}
def auroc(scores: torch.Tensor, labels: torch.Tensor) -> float:
    """Compute the area under the ROC curve of scores (N,) for labels (N,), bool or 0 and 1.

    It is the share of pairs in which the defective one scores higher; a tie counts half.
    """
    ### BEGIN SOLUTION
    values, place = scores.unique(return_inverse=True)  # equal scores have the same place
    defective = torch.bincount(place[labels == 1], minlength=len(values)).double()
    good = torch.bincount(place[labels == 0], minlength=len(values)).double()
    below = good.cumsum(dim=0) - good
    won = (defective * (below + good / 2)).sum()
    return (won / (defective.sum() * good.sum())).item()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "auroc_values", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.public("auroc_values", auroc)
### BEGIN HIDDEN TESTS
check.hidden("auroc_values", auroc)
### END HIDDEN TESTS

# %% nbgrader={"grade": false, "grade_id": "compare_image_auroc", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
from sklearn import metrics

MAPS = {"autoencoder": autoencoder_maps, "PaDiM": padim_maps, "PatchCore": patchcore_maps}
for name, maps in MAPS.items():
    scores = image_scores(maps.cpu())
    theirs = metrics.roc_auc_score(defective, scores)
    print(f"{name:12} AUROC of images: yours {auroc(scores, defective):.4f}, theirs {theirs:.4f}")

# %% [markdown]
# How certain are these numbers? There are few good parts in the test set, 23 for the capsule. A single one of them that scores above all defective parts, where it scored below them before, costs 1/23, which is 0.043. So ignore differences in the third digit.
#
# ### Are the pixels right?
#
# The same function can rank pixels instead of parts. But then a defect counts by its size: one large crack can be worth more than fifty small holes. An inspector counts *defects*, and so does the **per-region overlap**, PRO (Bergmann et al. 2019):
#
# - A **region** is a connected component of one image's mask. Pixels that touch at a side *or at a corner* belong together.
# - With threshold $t$, every pixel whose value is **at least** $t$ is called defective. The *overlap* of a region is the share of its pixels that are, and $\mathrm{PRO}(t)$ is the mean over all regions of all images. Each region counts the same, whatever its size.
# - $\mathrm{FPR}(t)$ is the share of all good pixels, in defective images and in good ones, that are called defective.
# - Let $t$ fall through *every distinct value* of the maps. The points (FPR, PRO), joined by straight lines, make a curve that begins at (0, 0), where $t$ is above everything, and ends at (1, 1).
#
# The result is the area below the curve from FPR 0 to a `limit`, divided by `limit`, so that 1 is the best there is. Where the limit falls between two points, the line between them is cut there; a vertical rise at the limit itself adds no area. The usual limit of 0.3 says: nobody will look at a map in which a third of the good pixels light up.
#
# **Task** (40 min, hard). Write `region_overlap`.
#
# - `maps` (N, H, W) are `float32` or `float64` and finite.
# - `masks` (N, H, W) are `bool`, with at least one region and one good pixel. Some images have no region, and a region may fill a whole image.
# - 0 < `limit` ≤ 1.
# - Return a Python number or a tensor of shape (), and leave the inputs as they are.
#
# A first test: a map that has the same value everywhere finds nothing, and gets limit / 2. Below you will call the function with a million different values. One threshold after another would then take days; sort once and add up. In the check the maps are small, and loops are fine.
#
# <details><summary>Hint 1: regions</summary><code>ndimage.label(mask, structure=np.ones((3, 3)))</code> numbers the regions of <em>one</em> image, the background being 0; its default structure knows only sides. If you pass all images at once, a region grows from one image into the next.</details>
# <details><summary>Hint 2: a sum instead of thresholds</summary>Give each defective pixel the weight 1 / (number of pixels of its region) / (number of all regions). Then PRO(t) is the sum of the weights of all pixels with a value of at least t: sort the pixels by value, the largest first, and take a cumulative sum. FPR is one too.</details>
# <details><summary>Hint 3: equal values</summary>Pixels of the same value cross the threshold together. Only the last entry of such a group in the cumulative sums is a point of the curve.</details>
# <details><summary>Hint 4: the limit</summary><code>np.interp(limit, fpr, pro)</code> reads the height at the limit. Keep the points up to the limit (<code>fpr &lt;= limit</code>, since the curve may rise vertically there), append this one, and call <code>torch.trapezoid(pro, fpr)</code>. Do not forget (0, 0) in front, nor to divide.</details>


# %% nbgrader={"grade": false, "grade_id": "region_overlap", "locked": false, "schema_version": 3, "solution": true, "task": false}
def region_overlap(maps: torch.Tensor, masks: torch.Tensor, limit: float = 0.3) -> float:
    """Compute the area under the PRO curve up to a false-positive rate, divided by it.

    maps (N, H, W) are scores of pixels, masks (N, H, W), bool, the true defects.
    Bergmann et al., CVPR 2019; IJCV 2021.
    """
    ### BEGIN SOLUTION
    weights, regions = [], 0
    for mask in masks.numpy():
        labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
        areas = np.bincount(labels.ravel()).clip(min=1)
        weights.append(mask / areas[labels])
        regions += count
    weights = torch.from_numpy(np.stack(weights)).flatten() / regions
    values, order = maps.flatten().sort(descending=True)
    good = (~masks).flatten()[order].double()
    rate, overlap = good.cumsum(dim=0) / good.sum(), weights[order].cumsum(dim=0)
    last = torch.cat([values[1:] != values[:-1], torch.tensor([True])])  # of equal values
    curve = F.pad(torch.stack([rate, overlap])[:, last], (1, 0))  # begins at (0, 0)
    end = torch.tensor([limit, np.interp(limit, *curve)], dtype=torch.float64)
    x, y = torch.cat([curve[:, curve[0] <= limit], end[:, None]], dim=1)
    return (torch.trapezoid(y, x) / limit).item()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "region_overlap_values", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.public("region_overlap_values", region_overlap)
### BEGIN HIDDEN TESTS
check.hidden("region_overlap_values", region_overlap)
### END HIDDEN TESTS

# %% [markdown]
# Compare PRO values only if you know which implementation produced them. The definition above is that of MVTec's own evaluation. A script that is copied from one repository to the next takes 200 equally spaced thresholds, stops at the last one below the limit, and stretches the curve to the full width. Another script adds up pixels instead of regions. All of them print "PRO": for PaDiM's maps of the capsule, at full size, 0.916, 0.910 and 0.944. (The table below takes every second pixel, which makes it 0.922.)
#
# ### Are the decisions right?
#
# AUROC and PRO judge all thresholds together. In use there is only one threshold, and it gives a mask. Two measures compare a mask $P$ with the true one $T$:
#
# $$\mathrm{IoU} = \frac{|P \cap T|}{|P \cup T|} \qquad \mathrm{Dice} = \frac{2\,|P \cap T|}{|P| + |T|}$$
#
# **Task** (5 min, easy). Write `mask_overlap`.
#
# - `predicted` and `truth` are `bool`, of the same shape, with any number of dimensions.
# - It returns IoU and Dice, in this order, each a Python number or a tensor of shape ().
# - If both masks are empty, nothing is wrong: return 1 and 1. Handle this case explicitly. Adding 1 to numerator and denominator, as is often done, also turns 0 / 0 into 1, but it changes all other results too.
#
# <details><summary>Hint: bool is not a number</summary><code>predicted &amp; truth</code> and <code>predicted | truth</code> are masks again, and <code>.sum()</code> counts. |P| + |T| counts common pixels twice, so it is not the union.</details>


# %% nbgrader={"grade": false, "grade_id": "mask_overlap", "locked": false, "schema_version": 3, "solution": true, "task": false}
def mask_overlap(predicted: torch.Tensor, truth: torch.Tensor) -> tuple[float, float]:
    """Compute IoU and Dice of two masks, bool, of one shape; 1 and 1 if both are empty."""
    ### BEGIN SOLUTION
    both = (predicted & truth).sum().item()
    either = (predicted | truth).sum().item()
    if either == 0:
        return 1.0, 1.0
    return both / either, 2 * both / (both + either)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "mask_overlap_values", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check.public("mask_overlap_values", mask_overlap)
### BEGIN HIDDEN TESTS
check.hidden("mask_overlap_values", mask_overlap)
### END HIDDEN TESTS

# %% [markdown]
# Now compute all measures together. To save time we take every second row and column of the maps at full size. AP is the *average precision* of the pixels: the precision, averaged over all levels of recall, which is very sensitive to false alarms.

# %% nbgrader={"grade": false, "grade_id": "compare_pixels", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
half_masks = test.masks[:, 0, ::2, ::2].contiguous()
half_maps = {
    name: at_full_size(maps.cpu(), SIZE)[:, ::2, ::2].contiguous() for name, maps in MAPS.items()
}
print(f"{'':12}{'images':>8}{'pixels':>13}{'':8}{'regions (PRO)':>22}")
print(f"{'':12}{'AUROC':>8}{'AUROC':>13}{'AP':>8}{'to 0.3':>13}{'to 0.05':>9}")
for name, maps in half_maps.items():
    whole, wrong = maps.flatten(), half_masks.flatten()
    row = [auroc(image_scores(MAPS[name].cpu()), defective), auroc(whole, wrong)]
    row += [metrics.average_precision_score(wrong, whole)]
    row += [region_overlap(maps, half_masks, limit) for limit in (0.3, 0.05)]
    widths = 8, 13, 8, 13, 9
    print(f"{name:12}" + "".join(f"{v:{w}.3f}" for v, w in zip(row, widths, strict=True)))

# %% [markdown]
# How to read it: go through the columns from left to right. The pixel AUROC is high for all of them. AP and the narrow PRO look at the pixels that are called defective *first*. They are far lower, and may well prefer a different detector from the image AUROC. Finding *that* a part is defective and finding *where* are two skills.
#
# A curve shows what a number hides. The picture for PRO needs only your function: `limit` × `region_overlap(…, limit)` is the area up to a limit, so the difference between two limits is the area of a strip, and divided by its width it is the mean height there.

# %% nbgrader={"grade": false, "grade_id": "draw_curves", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
limits = np.array([0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3])
ranking, overlaps = {}, {}
for name, maps in half_maps.items():
    false, found, _ = metrics.roc_curve(defective, image_scores(MAPS[name].cpu()))
    ranking[name] = (false, found)
    few = maps[:, ::2, ::2], half_masks[:, ::2, ::2]
    areas = [f * float(region_overlap(*few, float(f))) for f in limits[1:]]
    overlaps[name] = (limits, np.diff(areas, prepend=0) / np.diff(limits))
plots.detection_curves(ranking, overlaps)

# %% [markdown]
# How to read it: the left panel shows the share of defective parts found (vertical axis) against the share of false alarms (horizontal axis); each step to the right is one good part. The right panel shows how much of a region is called defective against the share of good pixels that are; each step is a mean over a strip, from every fourth row and column. The left ends matter: nobody runs a production line at 20 % false alarms.
#
# ### With one threshold
#
# Which threshold gives the best Dice? We can try sixty and take the best. But on which images? If we choose on the images that we measure with, the result is too good: it is the best of sixty attempts. So choose the threshold on one half of the test set and measure on the other, with the halves of section 1.

# %% nbgrader={"grade": false, "grade_id": "compare_masks", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
def dice_for(maps, masks, thresholds):
    return [mask_overlap(maps > t, masks)[1] for t in thresholds]


print(f"{'on the half held out':22}{'IoU':>8}{'Dice':>8}{'Dice, threshold chosen there':>31}")
for name, maps in half_maps.items():
    thresholds = torch.linspace(maps.median().item(), maps.max().item(), 62)[1:-1]
    dice = dice_for(maps[learn], half_masks[learn], thresholds)
    t = thresholds[dice.index(max(dice))]
    iou, fair = mask_overlap(maps[held_out] > t, half_masks[held_out])
    flattered = max(dice_for(maps[held_out], half_masks[held_out], thresholds))
    print(f"{name:22}{float(iou):8.3f}{float(fair):8.3f}{float(flattered):31.3f}")

# %% [markdown]
# How to read it: the right column is what you would have reported without holding out a half. The difference is how much you would have promised too much. One number and sixty candidates overfit little; one threshold for each type of defect would overfit more. But even this choice needed masks of defects. Section 6 does without them.
#
# ### A detector that misses half of the defects
#
# Here are two detectors, constructed from the true masks. *Large only* marks the larger half of all regions completely, and sees nothing at all of the smaller half. *A bit of each* marks half of the pixels of every region: it misses no defect. Everything else is noise.

# %% nbgrader={"grade": false, "grade_id": "made_up_detectors", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
sizes, of_all = torch.zeros(half_masks.shape), []  # sizes: of the region that a pixel belongs to
for n, mask in enumerate(half_masks.numpy()):
    labels, _ = ndimage.label(mask, np.ones((3, 3)))
    counts = np.bincount(labels.ravel())
    counts[0] = 0
    sizes[n] = torch.from_numpy(counts[labels])
    of_all += counts[1:].tolist()
middle, (least, largest) = np.median(of_all), np.sort(of_all)[[0, -1]]
print(f"{len(of_all)} regions of {least} to {largest} pixels, half of them up to {middle:g}")

# %% nbgrader={"grade": false, "grade_id": "measure_made_up", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
noise = torch.Generator().manual_seed(0)
made_up = {
    "large only": sizes > middle,
    "a bit of each": half_masks & (torch.rand(half_masks.shape, generator=noise) < 0.5),
}
for name, marked in made_up.items():
    maps = marked + torch.rand(half_masks.shape, generator=noise)
    share = (marked.sum() / half_masks.sum()).item()
    ranked, pro = auroc(maps.flatten(), half_masks.flatten()), region_overlap(maps, half_masks)
    print(f"{name:15} marks {share:4.0%} of the pixels: AUROC {ranked:.3f}, PRO {pro:.3f}")

# %% [markdown]
# How to read it: with the capsule we measured 0.961 and 0.750 for the pixel AUROC, and 0.556 and 0.576 for PRO. By the AUROC, the detector that misses half of the defects is by far the better one, and many people would be proud of 0.961. By PRO the two are about equal. And a factory that rejects a part as soon as anything lights up would want the second one.
#
# PRO has its price too. The smallest regions here are single pixels, crumbs at the edge of a squeezed spot, and each of them counts as much as the largest region, which has 508. Look at the sizes of the regions before you believe either number.
#
# **Question: small defects** (2 points). "Pixel AUROC 0.96: it finds 96 % of the defects", somebody writes under a table. Why does a pixel AUROC flatter a detector that misses small defects? *A full answer says which probability 0.96 is; calculates, from the share of pixels that "large only" marks, that its AUROC must be about 0.96; says how the many good pixels affect the false-positive rate, with a number from this data set; and says what PRO does differently, and one thing that PRO in turn gets wrong.* (about 15 min)

# %% [markdown] nbgrader={"grade": true, "grade_id": "question_small_defects", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer.** The pixel AUROC is the probability that a defective *pixel*, drawn at random from all defective pixels, has a higher value than a good pixel drawn at random. It is about pixels, so a defect counts by its area. And it is not a share of anything that was found: a detector that knows nothing has 0.5.
#
# In the capsule's test set the larger half of the regions has 92 % of the defective pixels. "Large only" puts those above all good pixels (they win with probability 1) and leaves the rest to chance (they win with probability ½): 0.92 · 1 + 0.08 · ½ = 0.96. Half of the defects cost four points.
#
# And there are very many good pixels: about 99 % of all, most of them far from anything that could be mistaken for a defect. A false-positive rate of 1 % sounds small. It is about 48,000 pixels of the 132 images at full size, as many as all defective pixels together, so precision is at most one half there; yet on the axis of the ROC curve it is a hundredth, and most of the area lies at rates at which nobody could work.
#
# PRO takes the mean over regions, so that half of the regions are half of the score, and stops at a limit. In turn it gives a crumb of one pixel the weight of a large crack, so it depends on how masks were drawn and cut into pieces; it says nothing about how many false alarms a *good part* causes; or: its value depends on the limit, and values with different limits cannot be compared.
#
# **Marking.** Half a point each: the probability, of pixels; the calculation (for another category with its own numbers; "0.92 plus half of the rest"); the many good pixels with a number (share of defective pixels, or pixels at 1 %); what PRO does, with one thing it gets wrong. "Because large defects have more pixels", without more, earns half a point.
# ### END SOLUTION

# %% [markdown]
# ## 6 · A threshold without defects
#
# A factory does not want a heat map. It wants a decision: this part goes out, that one goes back. (Where exactly the defect is, and how its label is written, is the subject of `a8_where_is_the_defect`.) You must choose a threshold, and there are no defects to choose it with. But there are good parts, and you can make a promise about those: *at most so many of them raise a false alarm*. (To read more about such promises, look for **conformal prediction**.)
#
# **Task** (15 min, easy). Write `false_alarm_threshold`. An image raises an alarm if its score is **greater than** the threshold.
#
# - `scores` (N,) are the scores of good images, N ≥ 1, `float32` or `float64`, in any order, and 0 ≤ `rate` < 1.
# - At most `rate` · N of these images may raise an alarm. If `rate` · N is less than 1, none may.
# - Return the smallest *of the scores* that can be the threshold, with all its digits, as a Python number or a tensor of shape ().
#
# (In the check, `rate` · N is a whole number only if it is one in floating point, too.)
#
# <details><summary>Hint 1: how many</summary>With 44 images and a rate of 0.05, 2.2 images may raise an alarm: that is 2. Sort the scores. Which score is the threshold if exactly two are above it?</details>
# <details><summary>Hint 2: equal scores</summary>If several scores equal the threshold, none of them raises an alarm, so fewer alarms are raised than allowed. That is fine: the promise is "at most". An interpolated quantile is not one of the scores.</details>


# %% nbgrader={"grade": false, "grade_id": "false_alarm_threshold", "locked": false, "schema_version": 3, "solution": true, "task": false}
def false_alarm_threshold(scores: torch.Tensor, rate: float) -> float:
    """Find the smallest of the scores (N,) that at most rate * N of them exceed."""
    ### BEGIN SOLUTION
    ascending = scores.sort().values
    alarms = math.floor(rate * len(scores))
    return ascending[len(scores) - 1 - alarms].item()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "false_alarm_values", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check.public("false_alarm_values", false_alarm_threshold)
### BEGIN HIDDEN TESTS
check.hidden("false_alarm_values", false_alarm_threshold)
### END HIDDEN TESTS

# %% [markdown]
# Which good images should you use? You have the training images, and that is the trap: the Gaussians were fitted to them, so they lie closer to the mean than any new part will. Set a fifth of them aside, fit to the others, and compare.

# %% nbgrader={"grade": false, "grade_id": "set_aside", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
order = torch.randperm(len(train.X), generator=torch.Generator().manual_seed(0))
fitted, aside = order.split([len(order) - len(order) // 5, len(order) // 5])
gaussians = fit_gaussians(train_features[fitted], 0.01)


def scores_of_features(features):
    return image_scores(at_full_size(mahalanobis(features, *gaussians), SIZE))


test_maps = at_full_size(mahalanobis(test_features, *gaussians), SIZE)  # (N, SIZE, SIZE)
scores_in = {
    "good, fitted to": scores_of_features(train_features[fitted]),
    "good, set aside": scores_of_features(train_features[aside]),
    "good, test": image_scores(test_maps[test.y == 0]),
    "defective, test": image_scores(test_maps[test.y > 0]),
}

# %% nbgrader={"grade": false, "grade_id": "compare_thresholds", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
RATE = 0.05
alarm_at = {name: false_alarm_threshold(scores_in[name], RATE) for name in list(scores_in)[:2]}
for name, t in alarm_at.items():
    false, found = (scores_in[kind] > t for kind in ("good, test", "defective, test"))
    print(f"promised {RATE:.0%} with images {name:16}: threshold {float(t):5.2f}, false alarms "
          f"{int(false.sum())} of {len(false)} ({false.double().mean():.0%}), "
          f"found {int(found.sum())} of {len(found)} ({found.double().mean():.0%})")  # fmt: skip
plots.score_strips(scores_in, {f"5 % of {name}": float(t) for name, t in alarm_at.items()})

# %% [markdown]
# How to read it: each dot is an image; its height within a row means nothing. The good parts of the test set lie where the parts that were *set aside* lie, and to the right of those that the Gaussians were *fitted to*. We measured: the threshold from the fitted parts promises 5 % false alarms and gives 10 of 23 for the capsule, 13 of 20 for the bottle. The threshold from the parts set aside gives 3 of 23 and 0 of 20.
#
# Is 3 of 23 a broken promise? No. With few images you cannot promise much:
#
# - The next good image from the same line is like these N. If $k$ of N exceed the threshold, the next good part does so with probability $(k + 1)/(N + 1)$ on average: for $k = 2$ of 43 that is 6.8 %. With 43 images even the largest of all scores cannot promise 1 %. You need 99.
# - That is an average; *your* threshold may be unlucky. If the true rate is $p$, the probability of no alarm among N good parts is $(1 - p)^N$. That is still 5 % at $p \approx 3/N$. To be 95 % sure of at most 1 %, you need **300 good parts**, none of which raises an alarm.

# %% [markdown]
# ## 7 · The detector that you hand in
#
# The camera over the production line has a small computer: your detector has to fit into **one megabyte**, 1,000,000 bytes of tensors. It is for drawn capsules, whatever category you have worked on so far. If it uses a backbone, use `resnet_drawn`, because only that one is available when your notebook is graded: `patch_features(images, "resnet_drawn", (0, 1))`.
#
# **Task** (40 min, hard; 7 points, depending on what it finds). Write two functions.
#
# - `fit_detector(good)` gets the good capsules of the training set (N, 3, 192, 192), `uint8`, and returns a dictionary with any tensors you like. It may take a minute. It runs on your machine only; its result is saved in `detector.safetensors`, **which you hand in with the notebook**.
# - `detect(images, detector)` gets images (n, 3, 192, 192), `uint8`, and that dictionary, and returns maps (n, h, w), `float32`, finite, of a size you choose: the larger a number, the more defective the part looks at that position. It may take a few seconds for a hundred images, on a CPU. It uses only these two arguments (and the backbone) and reads no other file.
#
# The locked cell below enlarges your maps to 48 × 48 positions. The score of a capsule is the largest number of its map. A position is defective if one of its 4 × 4 pixels is.
#
# | 65 hidden capsules, 45 of them defective | pass: half of the points | good: 80 % | excellent: all |
# |---|---:|---:|---:|
# | 4 points: image AUROC | 85 % | 92 % | 94.5 % |
# | 3 points: pixel AUROC, 48 × 48 positions each | 93 % | 95 % | 96.5 % |
#
# For comparison:
#
# - The difference of each pixel from the mean good capsule, in standard deviations, reaches an image AUROC of about 80 to 90 % and a pixel AUROC of 70 %.
# - A map that only says where defects usually are, the same for every image, reaches 50 % and 91 %.
# - A full PaDiM from section 4 reaches far more, and takes 85 megabytes.
#
# Keep what matters: fewer positions, fewer features, fewer bits, a coreset; or an autoencoder or a U-Net, saved with their weights. Hidden capsules are other capsules, so your graded result may differ from your own measurement by two points.
#
# <details><summary>Hint 1: where the megabytes are</summary>One covariance (or its factor) of C features takes C² numbers for each of 48 · 48 positions. With C = 96 these are 21 million numbers. With C = 20 and 24 · 24 positions they are 230,400, and in half precision 0.46 MB.</details>
# <details><summary>Hint 2: fewer positions</summary><code>F.avg_pool2d(features, 2)</code> halves both sides.</details>
# <details><summary>Hint 3: fewer features</summary>Some of the 96 at random, as the authors of PaDiM do; or better, the directions in which good parts vary most around the mean of their position (principal components): the last columns of <code>torch.linalg.eigh(covariance)[1]</code>.</details>
# <details><summary>Hint 4: half precision</summary>Numbers up to 65,504 with three digits: <code>.half()</code>, and <code>.float()</code> before you compute. Save the tensors in the form in which you will use them, e.g. the inverse of the factor.</details>


# %% nbgrader={"grade": false, "grade_id": "fit_detector", "locked": false, "schema_version": 3, "solution": true, "task": false}
def fit_detector(good: torch.Tensor) -> dict[str, torch.Tensor]:
    """Learn from good capsules (N, 3, 192, 192), uint8. Returns tensors of at most 1 MB."""
    ### BEGIN SOLUTION
    features = patch_features(good, "resnet_drawn", (0, 1))  # (N, 96, 48, 48)
    around = (features - features.mean(dim=0)).movedim(1, 3).flatten(0, 2)
    directions = torch.linalg.eigh(around.T @ around)[1][:, -20:]  # (96, 20)
    places = F.avg_pool2d(torch.einsum("nchw,ck->nkhw", features, directions), 2)
    mean, factor = fit_gaussians(places, 0.01)
    whitening = torch.linalg.inv(factor)  # (24, 24, 20, 20)
    detector = {"directions": directions, "mean": mean, "whitening": whitening}
    return {name: value.half() for name, value in detector.items()}
    ### END SOLUTION


# %% nbgrader={"grade": false, "grade_id": "detect", "locked": false, "schema_version": 3, "solution": true, "task": false}
def detect(images: torch.Tensor, detector: dict[str, torch.Tensor]) -> torch.Tensor:
    """Say how defective images (n, 3, 192, 192), uint8, look where: maps (n, h, w), float32."""
    ### BEGIN SOLUTION
    directions, mean, whitening = (
        detector[name].float() for name in ("directions", "mean", "whitening")
    )
    features = patch_features(images, "resnet_drawn", (0, 1))
    features = torch.einsum("nchw,ck->nkhw", features, directions)
    difference = F.avg_pool2d(features, 2) - mean
    return torch.einsum("hwkc,nchw->nkhw", whitening, difference).norm(dim=1)
    ### END SOLUTION


# %% nbgrader={"grade": false, "grade_id": "hidden_maps", "locked": true, "schema_version": 3, "solution": false, "task": false}
@lru_cache(maxsize=2)
def hidden_maps(sheet):
    """Detect on a sheet of capsules, the bytes of a PNG file: maps (n, 48, 48)."""
    detector = load_artifact("detector.safetensors")
    if sum(tensor.nbytes for tensor in detector.values()) > 1_000_000:
        raise ValueError("The tensors of detector.safetensors take more than 1,000,000 bytes.")
    pixels = torch.from_numpy(np.array(Image.open(BytesIO(sheet))))  # (n · 192, 192, 3)
    images = pixels.view(-1, 192, 192, 3).permute(0, 3, 1, 2).contiguous()
    maps = detect(images, detector)
    if not (maps.dim() == 3 and len(maps) == len(images) and maps.is_floating_point()):
        raise ValueError(f"detect returned {maps.dtype} of shape {tuple(maps.shape)}, not maps.")
    return at_full_size(maps, 48)


def detect_images(sheet):
    """Return the scores (n,) of the capsules on a sheet."""
    return image_scores(hidden_maps(sheet.numpy().tobytes()))


def detect_pixels(sheet):
    """Return the maps (n, 48, 48) of the capsules on a sheet."""
    return hidden_maps(sheet.numpy().tobytes())


# %% nbgrader={"grade": false, "grade_id": "save_detector", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
Path("detector.safetensors").unlink(missing_ok=True)  # so that no old one is handed in
drawn = {split: mvtec_ad.load("capsule", split, size=192) for split in ("train", "test")}
good = torch.stack([image for image, _, _ in drawn["train"]])
save_artifact("detector.safetensors", fit_detector(good))
detector = load_artifact("detector.safetensors")
size = sum(tensor.nbytes for tensor in detector.values())
print(f"detector.safetensors: {size:,} bytes of tensors, {1_000_000 - size:,} to spare")
parts_of_test, masks_of_test, kinds = zip(*drawn["test"], strict=True)
maps = at_full_size(detect(torch.stack(parts_of_test), detector), 48)
is_defect, places = torch.tensor(kinds) > 0, F.max_pool2d(torch.stack(masks_of_test).float(), 4)
print(f"test capsules: image AUROC {float(auroc(image_scores(maps), is_defect)):.1%}, "
      f"pixel AUROC {float(auroc(maps.flatten(), places.flatten().bool())):.1%}")  # fmt: skip

# %% nbgrader={"grade": true, "grade_id": "detector_images", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.public("detector_images", detect_images)
### BEGIN HIDDEN TESTS
check.hidden("detector_images", detect_images)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "detector_pixels", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.public("detector_pixels", detect_pixels)
### BEGIN HIDDEN TESTS
check.hidden("detector_pixels", detect_pixels)
### END HIDDEN TESTS

# %% [markdown]
# ## 8 · Which way, and why
#
# Here are two questions of two points each. Write a few sentences for somebody who has to decide: a number from your own tables is worth more than an adjective.

# %% [markdown]
# **Question a** (2 points). A plant makes 2,000 parts a day. In the first month it has collected 3,000 good photographs and 9 defective ones, of 4 types, without masks. Which of the settings of this notebook do you choose, and which do you change to after a year? *A full answer names the setting and what it is trained on; says what the 9 defective parts are for; and says what has to be collected or labelled during the year, and what for.* (about 10 min)

# %% [markdown] nbgrader={"grade": true, "grade_id": "which_setting", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer.** Anomaly detection on good parts only: PaDiM if the parts always lie the same way, PatchCore if they do not, on pretrained features, trained with about 2,500 of the good photographs. Nine defects of four types are too few to train a classifier or a segmenter (some types occur once or twice), and the types of the coming months are not among them. The nine, with the other 500 good ones, are for testing: the good ones set the threshold at a false-alarm rate (1 % of 2,000 parts are 20 alarms a day), the defective ones say, roughly, whether anything is found at all (9 of 9 still leaves an interval that begins at 70 %).
#
# During the year somebody looks at every alarm: so the types of defect are labelled, and masks can be drawn in the regions that were found. With some dozens of a frequent type, a classifier (balanced or focal loss, pretrained) can name the types, or a U-Net can find their outlines. The anomaly detector stays for whatever is new.
#
# **Marking.** 1: trained on good parts only, with a reason from the numbers, and the nine kept for testing (not for training). 1: what is collected, and that supervised methods are added when there are enough examples of a type.
# ### END SOLUTION

# %% [markdown]
# **Question b** (2 points). What is the principle of finding defects by an autoencoder, and how does it fail? Use your pictures of section 4. *A full answer states the principle and the assumption in it; names two ways to fail, each with an example or a picture of yours; and a remedy for one.* (about 10 min)

# %% [markdown] nbgrader={"grade": true, "grade_id": "how_autoencoders_fail", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer.** It is trained to reconstruct good parts from a narrow code. The assumption is that it cannot reconstruct what it has never seen, so the error is large where the part is defective. Failures: it generalises too well, and reconstructs the defect too (a large smooth stain, a slight change of colour: a wide code or long training makes it worse), so the defect is missed. Or it reconstructs good parts badly: sharp edges, print and texture are blurred, the error is large on every edge of a good part, and either the threshold rises or there are false alarms. A defect that is dark on dark has a small squared error, however clear its form. Remedies: compare features instead of pixels; compare with the usual error at the position (mean and spread over good parts); structural similarity instead of squared error; a narrower code, noise on the input, or training to remove pasted defects (DRAEM).
#
# **Marking.** ½: principle and assumption. 1: two failures with something seen (½ each). ½: a remedy that fits one of them.
# ### END SOLUTION
