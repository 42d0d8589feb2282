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
# # Few labels: a split, a test and a long tail
#
# **After this notebook you can** split a small data set so that nothing leaks, name defects with a small residual network and with pretrained features, say whether one classifier is better than another or only luckier, and train with a long tail of rare classes.
#
# **Time** about 6 hours · **Hardware** any laptop; with a GPU, also the categories of MVTec AD · **Points** 100: 75 for code, graded by hidden checks, 15 for two written answers and 10 for a report of one page · **Hand in** the zip that the last cell writes
#
# | section | what you write | minutes |
# |---|---|---:|
# | 1 A card and a split | `card_from_disk`, `stratified_split` | 75 |
# | 2 Which defect is it? | a small ResNet, `paired_difference`; Question 1 | 105 |
# | 3 The long tail | focal loss and its gradient, class weights; Question 2 | 95 |
# | 4 Your own experiment | a training script and a report | 85 |
#
# The minutes include reading, predictions, waiting and written answers.
#
# You may use all of `torch`, `scikit-learn` and `scipy`, unless a task says otherwise. After each task comes a **check** on a few cases; when your work is graded, the same check runs on cases you have not seen. A cell that begins with `# not run when graded` is for you only: it loads data, trains or draws, and the grader skips it. Graded functions must not need anything from such a cell. Locked cells are given: skim them, and read closely only what your experiment needs.

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
import time
from collections import OrderedDict
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from scipy import stats
from torch import nn
from tqdm.auto import tqdm

from autograder import Checker
from autograder.assignments.a7_few_labels.lesson import lora, plots
from data_scripts import mvtec_ad, pretrained

check = Checker("a7_few_labels")

# %%
REAL = False  # True: a category of MVTec AD; False: a drawn one
CATEGORY = "screw" if REAL else "capsule"  # drawn: "capsule" or "bottle"; real: any of the 15
BACKBONE = "mobilenet_v2" if REAL else "resnet_drawn"  # whose features section 3 uses
SIZE = 192  # pixels: images are squares of this side, a multiple of 32
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
check.set_up(DEVICE, f"{'real' if REAL else 'drawn'} parts: {CATEGORY}")

# %% [markdown]
# You work with parts drawn by this course: capsules with five types of defect, or bottles with three. `REAL = True` takes a category of MVTec AD: photographs of industrial parts, 5.3 GB for all fifteen (`python -m data_scripts.mvtec_ad` says how to get them), best with a GPU. The training set holds good parts only, the test set good and defective ones, with a mask of each defect. `train` and `test` each have `X`, the images, (N, 3, 192, 192), `uint8`; `masks`, (N, 1, 192, 192), `bool`; and `y`, the classes, (N,), with 0 for good.
#
# Much of this notebook comes from **two reports** by students, about capsules and about bottles.

# %% [markdown]
# ## 1 · A card and a split

# %% nbgrader={"grade": false, "grade_id": "load_parts", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
train, DEFECTS = mvtec_ad.load_parts(CATEGORY, "train", real=REAL, size=SIZE)
test, _ = mvtec_ad.load_parts(CATEGORY, "test", real=REAL, size=SIZE)

# %% [markdown]
# ### What is on the disk
#
# Look at the files first. All categories, real and drawn, have this layout:
#
# ```
# capsule/train/good/000.png                  good parts to train on
# capsule/test/good/000.png                   good parts to test on
# capsule/test/crack/000.png                  defective ones, a folder for each type of defect
# capsule/ground_truth/crack/000_mask.png     where the defect of test/crack/000.png is
# capsule/license.txt, capsule/readme.txt     and other files
# ```
#
# - A mask has the size of its image, and one channel; every pixel that is not 0 belongs to the defect.
# - Grey images have one channel, not three. The images of a category may have several sizes.
# - Files are numbered, but some numbers may be missing.
# - Classes are named after their folders, and one name may begin like another (`broken`, `broken_large`).
#
# **Task** (25 min, medium). Write `card_from_disk`. It returns a dictionary with four keys:
#
# - `"images"`: the number of images in each split and class: `{"train/good": 219, "test/good": 23, "test/crack": 23, …}`. Masks do not count as images.
# - `"heights"`: the smallest and the largest height of all images, training and test together.
# - `"widths"`: the same for the widths.
# - `"covered"`: for each type of defect, the mean share of the image that is defective, from 0 to 1. For *each mask* take the share of pixels that are not 0, then average over the masks of this type.
#
# <details><summary>Hint 1: finding files</summary><code>folder.glob("*/*/*.png")</code> yields all images and masks, and <code>path.parts[-3:-1]</code> are the two folders that each one is in.</details>
# <details><summary>Hint 2: a size without pixels</summary><code>with Image.open(path) as image:</code> reads only the header at first; <code>image.size</code> is (width, height), the shape of an array the other way round.</details>
# <details><summary>Hint 3: a mask as numbers</summary><code>np.asarray(image) &gt; 0</code> is an array of Booleans; its mean is the share of true ones. Collect the shares in a list for each type.</details>


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
# The check writes small categories, with a gap in the numbers, and asks for their cards. If a check surprises you, `check.show_code("card_values")` shows how it calls your code.


# %% nbgrader={"grade": true, "grade_id": "card_values", "locked": true, "points": 12, "schema_version": 3, "solution": false, "task": false}
check.public("card_values", card_from_disk)
### BEGIN HIDDEN TESTS
check.hidden("card_values", card_from_disk)
### END HIDDEN TESTS

# %% nbgrader={"grade": false, "grade_id": "print_card", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
card = card_from_disk(mvtec_ad.kept(f"{mvtec_ad.place(REAL, SIZE)}/{CATEGORY}"))
for name in ("heights", "widths"):
    print("{} of {} to {} pixels".format(name, *card[name]))
for part, number in sorted(card["images"].items()):
    share = card["covered"].get(part.removeprefix("test/"), 0)
    defect = f"{share:8.2%} is defect: {share * SIZE**2:,.0f} of {SIZE**2:,} pixels"
    print(f"{part:24}{number:5} images{defect if share else ''}")

# %% [markdown]
# How to read it: the last column decides how far you may shrink the images. A defect of 500 pixels at 192 × 192 has 14 at 32 × 32.

# %% nbgrader={"grade": false, "grade_id": "draw_defects", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
three = {name: (test.y == kind).nonzero().flatten()[:3] for kind, name in enumerate(DEFECTS)}
plots.defect_rows({name: (test.X[rows], test.masks[rows]) for name, rows in three.items()})

# %% [markdown]
# How to read it: each row is a class. Each part appears twice, the second time with a line along the edge of its mask.
#
# ### A stratified split without leakage
#
# To *classify* defects, you need examples of each class. They are all in the test set, so the report about capsules split it into two halves of 66 images, one to learn from and one to measure with. Two things can go wrong.
#
# The first is bad luck: of 20 images of a class, one half may get 14. So the split is **stratified**: each class is split separately.
#
# The second is **leakage**. It is worse, because the result looks so good. A part may be photographed three times. If one photograph is in the training half and another in the test half, the network need not know what a crack is; it only has to recognise the part. So we divide not images but **groups**: all photographs of one part go to the same side.
#
# **Task** (35 min, hard). Write `stratified_split`. `y` (N,) holds the class of each image, and `groups` (N,) the group it belongs to; both are `int64`, with any whole numbers in any order, N ≥ 1. All images of a group have the same class.
#
# The function returns two index tensors, `first` and `second`, `int64` and sorted in ascending order, with these properties:
#
# 1. Every index from 0 to N − 1 is in exactly one of them. (One of the two may be empty: then it has the shape (0,).)
# 2. A group is never on both sides.
# 3. A class with at least two groups is on both sides. A class with only one group is on whichever side you like.
# 4. Of the $n$ images of a class, about `share` · $n$ are on the first side, with 0 < `share` < 1. The difference is at most the number of images in the largest group of this class.
# 5. Within each class the groups are assigned at random, and `seed` determines the random numbers: the same seed gives the same split whatever was drawn before, and other seeds give other splits, unless there are too few groups.
# 6. If a class has two or more groups, all of the same size, each is sometimes on one side and sometimes on the other; and if there are three or more, any two are sometimes together and sometimes apart.
#
# <details><summary>Hint 1: groups first</summary>For each class, <code>groups[y == kind].unique(return_counts=True)</code> returns its groups and their sizes. Take one after the other, in random order.</details>
# <details><summary>Hint 2: how many groups?</summary>In that order, <code>sizes.cumsum(dim=0)</code> says how many images there are after 1, 2, 3, … groups. Stop where this comes closest to share · n.</details>
# <details><summary>Hint 3: a generator of your own</summary><code>generator = torch.Generator().manual_seed(seed)</code>, and then <code>torch.randperm(n, generator=generator)</code>. No other code draws from it.</details>


# %% nbgrader={"grade": false, "grade_id": "stratified_split", "locked": false, "schema_version": 3, "solution": true, "task": false}
def stratified_split(
    y: torch.Tensor, groups: torch.Tensor, share: float, seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Divide images into two sides, class by class, and never divide a group.

    y (N,) holds classes, groups (N,) say which images belong together; both int64. About `share`
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
# The check makes several splits and says for each property whether all of them have it: 1 for yes, 0 for no.


# %% nbgrader={"grade": true, "grade_id": "split_values", "locked": true, "points": 14, "schema_version": 3, "solution": false, "task": false}
check.public("split_values", stratified_split)
### BEGIN HIDDEN TESTS
check.hidden("split_values", stratified_split)
### END HIDDEN TESTS

# %% [markdown]
# Does leakage matter that much? Photograph each part of the test set three times: the light flickers a little, and each photograph has its own noise. Then predict the class of the most similar training image, pixel by pixel.
#
# **Predict first.** Guessing gives 17 %. What share will this classifier have right if the photographs are split one by one, and what share if whole parts are split?
#
# *My prediction:* …

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
# How to read it: with three photographs of each of the 132 drawn capsules and ten seeds for the split, we measured 91 to 100 % by photograph, and 11 to 32 % by part. It is the same classifier. If a result of yours is too good, look at the nearest neighbours of a few test images.
#
# From here on each image is its own group, and we use scikit-learn's stratified split, so that you measure on the same images as we did. Every model below learns from `learn` and is measured on `held_out`: two lists of indices into `test`.

# %% nbgrader={"grade": false, "grade_id": "learn_and_held_out", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
learn, held_out = mvtec_ad.halves(test.y)
for kind, name in enumerate(DEFECTS):
    both = [int((test.y[side] == kind).sum()) for side in (learn, held_out)]
    print("{:20}{:4} to learn from{:4} held out".format(name, *both))
print("{:20}{:4} {:17}".format("together", len(learn), len(held_out)))

# %% [markdown]
# ## 2 · Which defect is it?
#
# The report about capsules trained three networks to tell six classes apart: a ResNet of its own from scratch, a ResNet and a vision transformer pretrained on ImageNet. The results: **74.24 %**, **86.36 %** and **89.39 %** of 66 images, which are 49, 57 and 59 right. The report about bottles tried four improvements. Before and after them, it measured 31.25 %, 37.5 %, 37.5 %, 65 % and 56.25 % of 16 images. You will repeat both, and then ask how much of it to believe.
#
# ### A small residual network
#
# In a **residual block** (He et al., CVPR 2016) the input passes through unchanged, and the layers only learn what to add.
#
# $$\text{block}(x) = \mathrm{relu}\big(\text{residual}(x) + \text{shortcut}(x)\big)$$
#
# **Task** (40 min, medium). Write two classes. `ResidualBlock(c_in, c_out, stride)` computes the formula above, with two sub-modules:
#
# - `residual`: convolution 3 × 3 with this stride, batch norm, ReLU, convolution 3 × 3 with stride 1, batch norm. Both convolutions have padding 1 and no bias. There is no dropout.
# - The scale (`weight`) of the *second* batch norm is 0 at the beginning, so a new block adds nothing to its shortcut, but can learn to (Goyal et al. 2017). Only this scale and the shifts begin at 0.
# - `shortcut`: where `c_in == c_out` and the stride is 1, the identity, without any parameters. Elsewhere it is a convolution 1 × 1 with this stride and without bias, and a batch norm.
# - `forward` does not modify its input `x`.
#
# `SmallResNet(num_classes)` takes normalised images (N, 3, H, W) to logits (N, `num_classes`). The layers are up to you, within these rules:
#
# 1. It has two sub-modules: `features`, from images to maps (N, K, h, w), with at least three `ResidualBlock`s in it, and `head`, from maps to logits. The output is `head(features(x))`. Nothing is pooled over all positions before the head: for images of 128 × 128 or more, maps have more than one row and column.
# 2. `head` takes the mean of each map over all its positions (global average pooling), and then a single linear layer, with or without bias. Images may have any size from 32 × 32 on.
# 3. It has at most **150,000** parameters, all of which affect the output.
# 4. In evaluation mode it gives the same answer every time, and for each image whatever else is in the batch. The answers are logits.
#
# <details><summary>Hint 1: a scale of 0</summary><code>nn.init.zeros_(self.residual[-1].weight)</code>, once the layer exists.</details>
# <details><summary>Hint 2: a plan that works</summary>Features: convolution 5 × 5, stride 2, to 16 channels, batch norm, ReLU; then blocks 16 → 16, 16 → 32 and 32 → 64, each with stride 2. Head: <code>nn.AdaptiveAvgPool2d(1)</code>, <code>nn.Flatten()</code>, <code>nn.Linear(64, num_classes)</code>. With six classes these are 78,838 parameters.</details>


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
# The check trains a new block for three steps, fills a block with given numbers and compares the output, and tests the rules above: 1 means kept, 0 means broken.


# %% nbgrader={"grade": true, "grade_id": "small_resnet", "locked": true, "points": 13, "schema_version": 3, "solution": false, "task": false}
check.public("small_resnet", ResidualBlock, SmallResNet)
### BEGIN HIDDEN TESTS
check.hidden("small_resnet", ResidualBlock, SmallResNet)
### END HIDDEN TESTS

# %% [markdown]
# Now train it on 66 images. Two choices of the next cell matter. At 128 × 128 pixels a scratch still shows; of a capsule, only the third of the rows where it lies is kept. And each batch is **augmented**: flipped and shifted at random, which does not change a class.

# %% nbgrader={"grade": false, "grade_id": "prepare_images", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
ROWS = (1 / 3, 2 / 3) if CATEGORY == "capsule" and not REAL else (0, 1)  # where the part lies


def prepared(images, size):
    """Make normalised images of uint8 ones, `size` pixels wide, cut to ROWS."""
    normalised = pretrained.preprocessing(None)(images.to(DEVICE))
    resized = F.interpolate(normalised, (size, size), mode="bilinear", antialias=True)
    top, bottom = (round(size * share) for share in ROWS)
    return resized[:, :, top:bottom]


def augmented(x):
    """Flip half of the images, either way, and move the batch by up to four pixels."""
    for side in (-1, -2):
        chosen = torch.rand(len(x), 1, 1, 1, device=x.device) < 0.5
        x = torch.where(chosen, x.flip(side), x)
    return x.roll(tuple(torch.randint(-4, 5, (2,)).tolist()), (2, 3))


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
class Run(NamedTuple):
    right: torch.Tensor  # (N,), bool: which of the images of `held_out` are right
    in_training: int  # how many of those of `learn` are right
    seconds: float  # for an epoch
    epochs: int
    converged: int  # the epoch in which 95 % of the fall of the training loss was done


@one_thread()
def trained(net, peaks, size=128, epochs=100, augment=True, dropout=0.0) -> Run:
    """Train on `learn` the features and the head of a network, each with its peak of the rate."""
    net, x, y = net.to(DEVICE), prepared(test.X, size), test.y.to(DEVICE)
    groups = [{"params": part.parameters()} for part in (net.features, net.head)]
    optimiser = torch.optim.AdamW(groups, weight_decay=5e-3)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimiser, peaks, total_steps=3 * epochs)
    losses, start = torch.zeros(epochs), time.perf_counter()
    for epoch in tqdm(range(epochs), f"{size} px"):
        net.train()
        for rows in learn[torch.randperm(len(learn))].chunk(3):
            maps = net.features(augmented(x[rows]) if augment else x[rows])
            logits = net.head(F.dropout2d(maps, dropout) if dropout else maps)
            loss = F.cross_entropy(logits, y[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            rates.step()
            losses[epoch] += loss.item()
    seconds = (time.perf_counter() - start) / epochs
    with torch.no_grad():
        right = (net.eval()(x).argmax(dim=1) == y).cpu()
    low = losses <= losses[-1] + 0.05 * (losses[0] - losses[-1])
    converged = int(low.int().argmax()) + 1
    return Run(right[held_out], int(right[learn].sum()), seconds, epochs, converged)


def train_resnet(seed=0, **settings):
    """Train a new SmallResNet."""
    torch.manual_seed(seed)
    return trained(SmallResNet(len(DEFECTS)), (1e-2, 1e-2), **settings)

# %% [markdown]
# **Predict first.** Guessing has 11 of the 66 held-out images right. How many will your network have, how many a linear classifier on the features of a pretrained network, and how many a pretrained network whose layers all train on? (The table comes below.)
#
# *My prediction:* …

# %% nbgrader={"grade": false, "grade_id": "train_first", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
runs = {"own ResNet": train_resnet()}
print(f"own ResNet: {runs['own ResNet'].in_training} of {len(learn)} right in training")

# %% [markdown]
# ### Pretrained: frozen, or trained on
#
# The alternative is a network that others have trained. **Frozen**, it only describes images, and a linear classifier learns from the descriptions. A first description is the mean of each map of features, a few hundred numbers. A second one uses the good parts: how far is each position from their mean there? For each map, keep the mean of the eight positions that are furthest away. (a5 calls this idea PaDiM.) **Fine-tuned**, all its layers train on, with a new head. With **LoRA**, each matrix $W$ of a transformer stays, and learns a correction $BA$ of rank 4: here 41,000 numbers learn, and 1.1 million do not. (Both training runs together take about a minute. `resnet_drawn` and `vit_drawn`, a small vision transformer, were trained on the same drawn shapes, textures and colours.)

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


@one_thread()
def linear_probe(x) -> Run:
    """Train a linear classifier on descriptions x (N, D) of the images of `test`."""
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    start = time.perf_counter()
    classifier.fit(x[learn], test.y[learn])
    steps = int(classifier[-1].n_iter_[0])  # each looks at all images of `learn`: an epoch
    seconds = (time.perf_counter() - start) / steps
    right = torch.tensor(classifier.predict(x)) == test.y
    return Run(right[held_out], int(right[learn].sum()), seconds, steps, steps)


# %% nbgrader={"grade": false, "grade_id": "try_backbones", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
from data_scripts.storage import DataNotFound

names = ["resnet_drawn", "vit_drawn", "mobilenet_v2"]
names += REAL * ["resnet18", "vit_b_16", "dinov2_small"]  # 45, 330 and 88 MB; the last needs timm
descriptions = {}  # by name of the network: of the test parts, and of the good ones
for name in names:
    try:
        network = pretrained.backbone(name)
    except DataNotFound as reason:
        print(f"left out: {str(reason).partition('(')[0]}")
        continue
    maps, good = maps_of(network, test.X), maps_of(network, train.X[:100])
    runs[f"{name}, means"] = linear_probe(means_of_maps(maps))
    if network.stages:
        descriptions[name] = distances_from_good(maps, good), distances_from_good(good, good)
        runs[f"{name}, against good"] = linear_probe(descriptions[name][0])

# %% nbgrader={"grade": false, "grade_id": "fine_tune", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
def fine_tuned(seed=0):
    """Train all layers of resnet_drawn on, with a new head."""
    torch.manual_seed(seed)
    network = pretrained.backbone("resnet_drawn")
    head = nn.Linear(network.width, len(DEFECTS))
    net = nn.Sequential(OrderedDict(features=network.module, head=head))
    return trained(net, (2e-3, 1e-2), epochs=60)


def tuned_by_lora(seed=0):
    """Train low-rank corrections of the matrices of vit_drawn, with a new head."""
    torch.manual_seed(seed)
    network = pretrained.backbone("vit_drawn")
    head = nn.Linear(network.width, len(DEFECTS))
    net = nn.Sequential(OrderedDict(features=lora.with_lora(network.module, rank=4), head=head))
    return trained(net, (5e-3, 1e-2), epochs=30)


runs["resnet_drawn, fine-tuned"] = fine_tuned()
runs["vit_drawn, LoRA"] = tuned_by_lora()

# %% [markdown]
# Before you read the results, you need a tool.
#
# ### Is one better than the other?
#
# Two networks have seen the *same* images. Only those count where exactly one of them is right: $b$ where only the first is, $c$ where only the second is. If the two were equally good, each of these $n = b + c$ images would be a coin toss. How likely is a $b$ at least this far from $n / 2$? That is **McNemar's test** in its exact, binomial form:
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
# <details><summary>Hint 2: large numbers</summary><code>0.5 ** 1100</code> is 0 for a computer, and <code>math.comb(1100, 550)</code> fits into no float. But Python's whole numbers have no limit: add them up first, and divide by <code>2**n</code> at the end.</details>


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


# %% nbgrader={"grade": true, "grade_id": "paired_difference_values", "locked": true, "points": 9, "schema_version": 3, "solution": false, "task": false}
check.public("paired_difference_values", paired_difference)
### BEGIN HIDDEN TESTS
check.hidden("paired_difference_values", paired_difference)
### END HIDDEN TESTS

# %% [markdown]
# A small p says: two equally good networks would seldom differ so much. A large p does *not* say that they are equally good. The table also shows the 95 % interval of each accuracy, by Wilson's formula.

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


print_answers({name: run.right for name, run in runs.items()})

# %% nbgrader={"grade": false, "grade_id": "print_runs", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
print(f"{'':29}ms per epoch  epochs  converged   " + "  ".join(DEFECTS))
for name, run in runs.items():
    found = [f"{int(run.right[test.y[held_out] == kind].sum()):{len(defect)}}"
             for kind, defect in enumerate(DEFECTS)]  # fmt: skip
    cost = f"{1000 * run.seconds:12.1f}{run.epochs:8}{run.converged:11}"
    print(f"{name:29}{cost}   " + "  ".join(found))
counts = test.y[held_out].bincount().tolist()
of_each = [f"{count:{len(name)}}" for name, count in zip(DEFECTS, counts, strict=True)]
print(f"{'held out':63}" + "  ".join(of_each))

# %% [markdown]
# How to read it: each bar is the interval of one accuracy; the columns on the right compare image by image. The last table has the cost of each training run, and how many images of each class are right. On the 66 capsules we measured, in five splits with seed 0 (the first split is yours):
#
# | | right | converged in epoch (of a probe: of its solver) |
# |---|---|---|
# | own ResNet | 25, 24, 19, 27, 21 | 75 to 84 of 100 |
# | `resnet_drawn`, fine-tuned | 34, 32, 34, 35, 36 | 40 to 51 of 60 |
# | `resnet_drawn`, against good | 33, 33, 32, 36, 31 | 59 to 78 |
# | `vit_drawn`, LoRA | 28, 22, 23, 25, 28 | 18 to 29 of 30 |
# | `vit_drawn`, against good | 38, 31, 37, 36, 36 | 69 to 84 |
# | MobileNetV2, against good | 55, 49, 53, 49, 49 | 39 to 73 |
#
# Yours will differ, even with the same seed: another processor rounds differently, layers created in another order get other weights, and we saw 8 images more or fewer from that. In the first split our own ResNet hardly ever recognised three classes: 1 of 12 good parts was right, 2 of 12 cracks and 2 of 10 squeezed capsules. It is 8 to 15 images worse than the fine-tuned ResNet, in every split, but in a single split p is between 0.003 and 0.24. Five splits say more than one, although they share the same 132 images. LoRA gains nothing here: the same transformer, frozen and compared with good parts, has 8 to 14 images more right. Its description is worth more than another training run. MobileNetV2 is ahead of our ResNet by 22 to 34 images, with p of 2e-4 at most.
#
# ### Four attempts
#
# The report about bottles tried things. Do the same. Each attempt changes *one* thing: no augmentation, dropout, twice as many epochs, images of 64 pixels. (Half a minute to two minutes.)

# %% [markdown]
# **Predict first.** Which attempt helps most, by how many of the 66 images, and will its p be below 0.05?
#
# *My prediction:* …

# %% nbgrader={"grade": false, "grade_id": "four_attempts", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
attempts = {"own ResNet": runs["own ResNet"].right}
for name, change in (("no augmentation", {"augment": False}), ("dropout 0.5", {"dropout": 0.5}),
                     ("twice as long", {"epochs": 200}), ("64 pixels", {"size": 64})):  # fmt: skip
    attempts[name] = train_resnet(**change).right
print_answers(attempts)

# %% [markdown]
# How to read it: look at the columns on the right first. Your layers and your machine are your own, so trust your table. With the plan of Hint 2 we measured 14 without augmentation (all 66 training images right: it learned them by heart), 15 with dropout, 20 with twice the epochs, and 15 with 64 pixels, against 25; p was 0.04, 0.01, 0.33 and 0.04. In two other splits it was 14, 20, 24 and 12 against 24, and 12, 11, 26 and 11 against 19. Which differences are real?
#
# Before you answer, change only the seed:

# %%
# not run when graded
again = train_resnet(seed=1).right
print(f"own ResNet, seed 1: {int(again.sum())} of {len(again)} right")

# %% [markdown]
# <details><summary>What we measured with other seeds</summary>Seeds 0 to 5 had 25, 18, 20, 19, 19 and 20 right: on our machine seed 0 was lucky, and all four attempts were compared with it. (On another one, seeds 0 to 3 had 17, 21, 17 and 17, and no attempt had a p below 0.1.) The same seeds had 14, 16, 14, 14, 14 and 14 without augmentation, 15, 16, 11, 16, 15 and 20 with dropout, 15, 10, 9, 9, 12 and 13 with 64 pixels, and 20, 20, 11, 17, 16 and 23 with twice the epochs.</details>

# %% [markdown]
# **Question 1** (9 points). Which differences are real? (about 20 min)
#
# *A full answer*
#
# - *says for the report about capsules whether 57 and 59 of 66 differ, with a number (intervals, or the smallest p that any $b$ and $c$ allow), and what the report should have published besides accuracies;*
# - *says for the bottles what is wrong with 65 % of 16 images, and what the five accuracies show;*
# - *says which attempts helped or harmed in your own table, and whether the lead of pretrained features could be luck, with p and with another seed;*
# - *says why it would be wrong to choose the best of your ResNet and its variants on the held-out half and to report its accuracy there, and what to do instead.*

# %% [markdown] nbgrader={"grade": true, "grade_id": "question_differences", "locked": false, "points": 9, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer.** *Capsules.* 57 against 59: the two differ by two images. Even if the transformer was right wherever the ResNet was (b = 0, c = 2), p = 0.5; with more disagreement it is larger. The intervals are 76 to 93 % and 80 to 95 %. No difference has been shown. (49 against 57 depends on the disagreements: p = 0.008 for b = 0, c = 8, and 0.13 for b = 7, c = 15.) The report should have published the predictions for each image (or a table of which network was right where), or accuracies of several training runs and splits.
#
# *Bottles.* Of 16 images 10 right are 62.5 % and 11 are 68.75 %: 65 % is impossible, so it was measured on something else or written down wrongly, and this very number was called the best. The others lie between 5 and 9 of 16, with intervals of 14 to 56 % and 33 to 77 %; even 5 against 9 has p = 0.125 at best. Five training runs on 16 images show nothing.
#
# *My attempts.* Nothing helped. Without augmentation, with dropout and at 64 pixels fewer images were right, with p of 0.04, 0.01 and 0.04. After four comparisons one such p is weak evidence, and all four were made with the same lucky run: with five other seeds the network had 18 to 20 right instead of 25. But without augmentation each of six seeds had fewer right (14 to 16), and 66 of 66 right in training explains it. Twice the epochs had 20 against 25 (p = 0.33), and elsewhere 24 against 24 and 26 against 19: no difference has been shown. The pretrained features are another matter: for MobileNetV2 p is so small (2e-4 at most, in five splits) that it survives having compared several.
#
# *Choosing.* The best of five equally good networks is better than each of them by chance alone: with 66 images and a true accuracy of 30 % it has 37 % on average. If you choose by the held-out half, you have used it for training, in a way, and its accuracy is no longer that of new images. Choose by a validation set or by cross-validation within the images to learn from, average over seeds, and use the held-out half once, for the network that was chosen.
#
# **Marking.** *Capsules:* 1 point: two images are no difference, with a number (p ≥ 0.5, or intervals that overlap nearly wholly). 1 point: predictions by image, or several runs and splits, are missing. *Bottles:* 1 point: 65 % is no whole number of 16, shown by 10 and 11. 1 point: 16 images cannot tell five attempts apart, with a number (without one: half). *Attempts:* 1 point: the student's own table read by p or by another seed, not by rank. 1 point: pretrained features against the own ResNet, with a p that is small even after several comparisons. *Choosing:* 1 point: the best of several is too good by chance. 1 point: the held-out half is used up once it has chosen. 1 point: a validation set or cross-validation within `learn`, and the held-out half once.
# ### END SOLUTION

# %% [markdown]
# ## 3 · The long tail
#
# In a factory some defects come every Monday, and of others there are two photographs. Sort the classes by how often they occur, and the curve has a **long tail**. (a4 fights it, too.) We use the **focal loss** (Lin et al., ICCV 2017) and the weights of the **class-balanced loss** (Cui et al., CVPR 2019).
#
# ### The focal loss
#
# Lin et al. were training a detector, which looks at a hundred thousand places in an image. At nearly all of them there is nothing, and the detector is sure of it. Each has a tiny cross-entropy, but together they drown the few that matter. So the loss is multiplied by a factor that is small where the network is already right. With $p_y$ the probability of the true class $y$:
#
# $$L = -\,\alpha_y \, (1 - p_y)^\gamma \, \log p_y$$
#
# γ = 0 is cross-entropy. With γ = 2, an image with $p_y = 0.9$ counts a hundredth, and one with $p_y = 0.1$ still 81 %. $\alpha_y$ is the weight of the class.
#
# **Task** (20 min, easy). Write `focal_loss`, with $\gamma \ge 0$.
#
# - The inputs are `logits` (N, C), `y` (N,), `int64`, and `weights` (C,) of the dtype of the logits.
# - Take the **mean over the N images**: the sum of the losses divided by N, even if the weights do not average 1. (`F.cross_entropy(…, weight=w)` divides by the sum of the images' weights instead.)
# - Return a tensor of shape (), with the dtype of the logits.
# - The loss must be right and finite for logits of ±10,000, even in `float32`, where a number of that size keeps only three decimals: use a function that subtracts the largest logit first.
# - Gradients must flow through it, because a network will learn from it. (For γ < 1 and $p_y = 1$ exactly, that of autograd may be NaN. The next task does better.)
#
# <details><summary>Hint 1: the logarithm first</summary><code>softmax</code> of such logits is exactly 0, and its logarithm −∞. <code>log_softmax</code> computes the logarithm directly.</details>
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


# %% nbgrader={"grade": true, "grade_id": "focal_loss_value", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}
check.public("focal_loss_value", focal_loss)
### BEGIN HIDDEN TESTS
check.hidden("focal_loss_value", focal_loss)
### END HIDDEN TESTS

# %% [markdown]
# ### Its gradient
#
# Take one image, and write $p = p_y$.
#
# 1. The softmax. The probability of the true class depends on *all* logits:
#    $$\frac{\partial p}{\partial z_c} = p \, ([c = y] - p_c)$$
#    where $[c = y]$ is 1 for the true class, and 0 otherwise.
# 2. The loss. It contains $p$ twice, in the factor and in the logarithm, so the product rule gives two terms:
#    $$\frac{\partial L}{\partial p} = \alpha_y \Big( \gamma \, (1 - p)^{\gamma - 1} \log p \; - \; \frac{(1 - p)^\gamma}{p} \Big)$$
# 3. Multiply the two (chain rule), and take $-(1 - p)^\gamma$ out of the brackets. What remains in them is 1 for γ = 0, and the whole gradient is then $\alpha_y (p_c - [c = y])$, the gradient of cross-entropy.
#
# Do step 3 on paper. Then look at the two limits. At $p \to 0$ the logarithm goes to −∞, but it is multiplied by $p$, and $p \log p \to 0$. At $p \to 1$ there is $\log p / (1 - p)$ in the brackets, 0 divided by 0, with the limit −1. The brackets go to $1 + \gamma$, and the product of the others goes to 0. So **at $p = 1$ the gradient is 0**, and your computer will say NaN unless you handle this case.
#
# **Task** (35 min, hard). Write `focal_gradient`: the gradient of `focal_loss` with respect to the logits, (N, C), of their dtype, with the same arguments.
#
# - Write it by hand: no autograd, and nothing from `torch.nn` except `F.one_hot`. (`torch.softmax`, `torch.log_softmax` and `torch.where` are allowed.)
# - It must be right even for logits of ±10,000, at $p = 1$ and $p = 0$, for every γ ≥ 0.
# - The inputs are not modified.
#
# <details><summary>Hint 1: step 3</summary>([c = y] − p<sub>c</sub>) is the last factor; the number before it is the same for all c. Multiply both terms of step 2 by the p of step 1: it cancels in one of them. Check γ = 0 and p → 1. And the loss is a mean over N images.</details>
# <details><summary>Hint 2: 0 divided by 0</summary><code>torch.where(miss &gt; 0, p * log_p / miss, -1.0)</code> with <code>miss = 1 - p</code> computes both and chooses entry by entry. A NaN that is not chosen does no harm here. Do not write (1 − p)<sup>γ − 1</sup>: for γ &lt; 1 that is infinite at p = 1.</details>


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


# %% nbgrader={"grade": true, "grade_id": "focal_loss_gradient", "locked": true, "points": 13, "schema_version": 3, "solution": false, "task": false}
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
# How to read it: on the left is the loss, on the right how hard an image pulls at the logit of its class. Where the network is wrong, the pull is even a bit *stronger* than that of cross-entropy: that is the other term of the product rule.
#
# ### What a class is worth
#
# Which α? Cui et al. take the **effective number** of images: if each further image of a class adds β times as much as the one before, $n$ images are worth $E_n = (1 - \beta^n) / (1 - \beta)$, and the weight of a class is proportional to $1 / E_n$. That leaves the size of the weights open, and with it the length of every step: you could not say whether the weights helped or the learning rate. So here they average 1 **over the training images**:
#
# $$\sum_c n_c \, w_c = \sum_c n_c$$
#
# **Task** (15 min, easy). Write `class_balanced_weights` with this normalisation.
#
# - `counts` (C,), `int64`, holds the number of training images of each class, at least one of them above 0; $0 \le \beta < 1$.
# - A class without images has the weight 0.
# - The result is (C,), `float64`, and precise for β = 0.999999 as well.
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


# %% nbgrader={"grade": true, "grade_id": "class_balanced_weight_values", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
check.public("class_balanced_weight_values", class_balanced_weights)
### BEGIN HIDDEN TESTS
check.hidden("class_balanced_weight_values", class_balanced_weights)
### END HIDDEN TESTS

# %% [markdown]
# ### Does it help?
#
# Now make a long tail: 60 good parts, then 11, 7, 5, 3 and 2 images of the types of defect. The images are described by their distances from good parts (section 2), as `BACKBONE` sees them. (The 60 good parts are among those that the mean was taken from; with others, macro-F1 changes by less than 1.5 points.) A linear classifier is trained with each of four losses, and measured on `held_out`, where all classes are about equally frequent. Two images are a very small sample, so we repeat everything ten times, with other images in the tail.
#
# All that happens twice: with a penalty on large weights, the same for all four losses, and without one.
#
# **Predict first.** Which of the four losses has the highest macro-F1 (the mean of F1 over the classes), and by how many points is it ahead of cross-entropy? How much of that is left without the penalty?
#
# *My prediction:* …

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
    """Train with each loss on one tail.

    Returns accuracy, macro-F1, the share called good, and the accuracy on the training images.
    """
    torch.manual_seed(draw)
    described, good = descriptions[BACKBONE]
    x, y = draw_tail(described, good)
    mean, spread, found = x.mean(dim=0), x.std(dim=0) + 1e-6, []
    for gamma, beta in LOSSES.values():
        linear = train_linear((x - mean) / spread, y, gamma, beta, penalty)
        learned = (linear((x - mean) / spread).argmax(dim=1) == y).double().mean()
        said = linear((described[held_out] - mean) / spread).argmax(dim=1)
        right = (said == test.y[held_out]).double().mean()
        found.append([right, f1_score(test.y[held_out], said, average="macro"),
                      (said == 0).double().mean(), learned])  # fmt: skip
    return found


@one_thread()
def compare_losses(penalty):
    """Print means over ten tails, and by how much macro-F1 differs, tail by tail."""
    found = 100 * torch.tensor([measured_on_tail(n, penalty) for n in tqdm(range(10), "tails")])
    differences = found[:, :, 1] - found[:, :1, 1]
    errors = differences.std(dim=0) / len(found) ** 0.5
    head = "   accuracy   macro-F1   called good   in training   macro-F1, against cross-entropy"
    print(f"{'penalty ' + str(penalty):20}{head}")
    for loss, means, mean, error in zip(
        LOSSES, found.mean(dim=0).tolist(), differences.mean(dim=0), errors, strict=True
    ):
        against = f"{mean:+12.1f} ± {error:.1f} points" if loss != "cross-entropy" else ""
        print("{:20}{:9.1f} %{:9.1f} %{:12.1f} %{:12.1f} %".format(loss, *means) + against)


compare_losses(penalty=0.3)
compare_losses(penalty=0.0)

# %% [markdown]
# How to read it: the last column is the mean of the ten differences, with its standard error.
#
# On the drawn capsules, with the penalty, cross-entropy had an accuracy of 36 % and a macro-F1 of 26 %; 58 % of all images were called good, where 18 % are. Class-balanced weights add 12 points of macro-F1, ten times the error; with four other splits of the capsules it was 8 to 13, for the bottles 3.3 ± 1.2. The focal loss alone changed nothing: it was made for a hundred thousand easy places, and here are 88 images.
#
# Is that a success for the weights? Nobody has asked whether the penalty suited cross-entropy. Without it, cross-entropy had a macro-F1 of 40 %, as much as the weights had reached before. Of their 12 points, 1.5 ± 1.4 are left; with other splits 0 to 3.
#
# The reason is known (Byrd & Lipton, ICML 2019): a classifier that can get *all* training images right does so with any weights (the column *in training*). Weights matter where it has to compromise: because of a penalty, early stopping, or more images than it can fit. And look at the numbers of images: a class has about eleven in `held_out`, so one image is nine points of its recall.

# %% [markdown]
# **Question 2** (6 points). Did the class weights help? (about 15 min)
#
# *A full answer*
#
# - *says what cross-entropy does with the tail in your first table, with accuracy, macro-F1 and the share called good;*
# - *says how much of the gain of class-balanced weights is left without the penalty, in your table, and why;*
# - *names two things that you would check before you believe that a remedy works for a class with two images.*

# %% [markdown] nbgrader={"grade": true, "grade_id": "question_long_tail", "locked": false, "points": 6, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer.** With the penalty, plain cross-entropy calls 58 % of the held-out images good, where 18 % are. Most of its training images are good, so *good* is the cheapest guess; accuracy (36 %) still looks like twice the chance level, but macro-F1 (26 %) shows that the rare classes are hardly ever named. Class-balanced weights add 12 points of macro-F1 there, ten times the standard error; the focal loss alone changes nothing: there is no crowd of easy images that could drown out the rest.
#
# Without the penalty cross-entropy reaches 40 % by itself, and 1.5 ± 1.4 points of the gain are left, which may be nothing. A linear classifier on several hundred numbers can get all 88 images right, and then it does so with any weights. Weights matter only where it has to compromise, and the penalty was the compromise.
#
# Before believing a remedy: tune the ordinary loss as carefully as the new one (penalty, learning rate, length), on images that do not measure; repeat with other images in the tail and give the error of the *difference*, since two images are a small sample; look at the recall of each class with its number of test images (eleven here, so one image is nine points); and use pretrained features or collect images before a new loss.
#
# **Marking.** 2 points: what cross-entropy does (1: called good far too often; 1: accuracy hides it, macro-F1 shows it). 2 points: the gain that is left, with its error (1), and the reason (1). 2 points: two checks (1 each), such as a tuned baseline, several tails with an error of the difference, the number of images of a class.
# ### END SOLUTION

# %% [markdown]
# ## 4 · Your own experiment
#
# Now a question of your own, with few labels. For example:
#
# - How many labels does a fine-tuned network need to beat a frozen one?
# - What is another label worth: how does a frozen probe improve from 2 to 8 images of each class?
# - Which augmentation helps, and which one harms? (A turned capsule has a turned imprint.)
# - Do your results hold for bottles?
#
# **Task** (50 min, open, no check). Write the training script in the cell below, and in more cells if you like.
#
# - Write a `Dataset`, which returns one image, augmented, with its class (for a probe, its description), and let a `DataLoader` shuffle it and make batches.
# - Change one thing, or two that you expect to depend on each other, and keep all the others; also the number of training steps.
# - Run each setting with at least three seeds, and redraw the labelled images with each. (`learn` has 10 to 12 of each class: with 10 of them there is nothing to redraw.)
# - A training run of the small ResNet takes 6 to 20 seconds, fine-tuning 15 to 45: plan for it. `augmented` shifts a whole batch; for one image, `augmented(x[None])[0]`.
# - Learn from images of `learn` only, and measure on `held_out`, for all settings. You choose nothing there: you compare.

# %% nbgrader={"grade": false, "grade_id": "own_experiment", "locked": false, "schema_version": 3, "solution": true, "task": false}
# not run when graded
### BEGIN SOLUTION
import csv
from itertools import chain, islice, repeat

from torch.utils.data import DataLoader, Dataset


class Labelled(Dataset):
    """Images of `test` with their classes, flipped and moved at random."""

    def __init__(self, rows):
        self.X, self.y = prepared(test.X[rows], 128).cpu(), test.y[rows]

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        x = self.X[i].flip([side for side in (1, 2) if torch.rand(()) < 0.5])
        return x.roll(tuple(torch.randint(-4, 5, (2,)).tolist()), (1, 2)), self.y[i]


@one_thread()
def tune(rows, seed, steps=120):
    """Fine-tune resnet_drawn. Returns how many images of `held_out` are right."""
    torch.manual_seed(seed)
    module = pretrained.backbone("resnet_drawn").module
    net = nn.Sequential(module, nn.Linear(128, len(DEFECTS))).to(DEVICE)
    loader = DataLoader(Labelled(rows), batch_size=22, shuffle=True)
    optimiser = torch.optim.AdamW([{"params": p.parameters()} for p in net], weight_decay=5e-3)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimiser, (2e-3, 1e-2), total_steps=steps)
    net.train()
    for x, y in islice(chain.from_iterable(repeat(loader)), steps):
        optimiser.zero_grad()
        F.cross_entropy(net(x.to(DEVICE)), y.to(DEVICE)).backward()
        optimiser.step()
        rates.step()
    with torch.no_grad():
        said = net.eval()(prepared(test.X[held_out], 128)).argmax(dim=1).cpu()
    return int((said == test.y[held_out]).sum())


def freeze(rows):
    x = descriptions["resnet_drawn"][0]
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    said = torch.tensor(classifier.fit(x[rows], test.y[rows]).predict(x[held_out]))
    return int((said == test.y[held_out]).sum())


with open("runs.csv", "w", newline="") as file:
    lines = csv.writer(file)
    for labels, seed in ((n, seed) for n in (3, 6, 10) for seed in range(3)):
        order = learn[torch.randperm(len(learn), generator=torch.Generator().manual_seed(seed))]
        rows = torch.cat([order[test.y[order] == k][:labels] for k in range(len(DEFECTS))])
        lines.writerow([labels, seed, freeze(rows), tune(rows, seed)])
print("labels, seed, frozen, fine-tuned\n" + Path("runs.csv").read_text())
### END SOLUTION

# %% [markdown]
# **Report** (10 points). 150 to 300 words, one figure and one table of your own. (Matplotlib's `plt.savefig("figure.png")` saves a figure; drag the file into the cell.) This is how it is marked:
#
# | | points |
# |---|---:|
# | the claim, in one sentence that could have turned out wrong, and your prediction | 1 |
# | what was changed and what was kept; numbers of images, steps and seeds | 2 |
# | the table: mean and spread over the seeds | 2 |
# | the figure: axes, units, readable without the text | 1 |
# | the script: `Dataset` and `DataLoader`, and it does what the text says | 2 |
# | doubt: how many images make the difference, another explanation, what you would do next | 2 |
#
# (about 30 min)

# %% [markdown] nbgrader={"grade": true, "grade_id": "report_own_experiment", "locked": false, "points": 10, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer.** *Prediction and claim.* On a frozen network only a classifier of 1,350 numbers learns, in a fine-tuned one all weights do. So with 3 labels of each class frozen should win, and with 10 fine-tuned.
#
# *What was done.* `resnet_drawn`; images of each class drawn from `learn`; 3, 6 or 10 labels of each, three seeds. Frozen: logistic regression on distances from good parts. Fine-tuned: 128 pixels, flips and shifts, 120 steps of at most 22 images. The 66 held-out images were only measured on. Right, mean (smallest to largest):
#
# | labels of each class | frozen | fine-tuned |
# |---|---|---|
# | 3 | 28.3 (21–32) | 22.7 (21–24) |
# | 6 | 28.7 (22–32) | 23.3 (22–25) |
# | 10 | 33.7 (32–36) | 29.3 (29–30) |
#
# *Figure.* Right of 66 over the number of labels, two lines with bars from the smallest to the largest seed, and a line at 11, which is chance.
#
# *Finding.* The first half of the claim holds on average; the second is wrong: with 10 labels frozen is still ahead in every seed, by 3 to 7 images. Both improve with labels, mostly from 6 to 10.
#
# *Doubt.* For few labels, which images were drawn matters more than the way: frozen has 21 or 32 with the same 3 labels of each class. Four images of 66 are six points, and all seeds share one held-out half. The comparison favours frozen: its descriptions have seen 100 good parts and images of 192 pixels. And 120 steps may be too few: the notebook's run of 180 steps had 34 right. Next: 240 steps, five splits, and fine-tuning at 192 pixels.
#
# **Marking.** As in the table above; half points are allowed. A result that contradicts the claim is as good as one that supports it, if the text says so. Without several seeds: at most 1 point for the table, and 1 for the doubt. If two things changed at once, without a reason: at most 1 point for what was changed.
# ### END SOLUTION

# %% [markdown]
# ## What you have now
#
# - **Split parts, not photographs**, and compare image by image. The best of several is too good by chance.
# - **With few labels, begin with a network that others have trained**, and tune the ordinary loss before you buy a remedy.
#
# **On real screws**, in three splits: 256 pixels, six classes, 80 images to learn from, 80 to measure on.
#
# | | right of 80 | p against the own, first split |
# |---|---|---|
# | own ResNet | 44, 44, 44 | |
# | … without augmentation | 39, 43, 41 | 0.4 |
# | … with dropout 0.5 | 44, 45, 45 | 1 |
# | … trained twice as long | 50, 47, 43 | 0.2 |
# | … at half the size | 41, 40, 38 | 0.6 |
# | `vit_drawn`, frozen, means | 45, 47, 45 | 1 |
# | MobileNetV2, frozen, means | 46, 45, 41 | 0.8 |
# | … frozen, against good | 37, 40, 38 | 0.3 |
# | … fine-tuned | 60, 60, 51 | 0.002 |
#
# Here, frozen features brought nothing clear; fine-tuning did. Eighty images are too few to judge the four attempts.
#
# **What the field does today.** With few labels one takes a frozen foundation model (CLIP, DINOv2) and a linear classifier or nearest neighbours: your probe, with a better backbone. For long tails such models are fine-tuned lightly; heavy fine-tuning hurts the rare classes. Careful comparisons vary seeds *and* splits. Where defects are too rare for any classifier, one learns from good parts alone: that is a5.
#
# - Bouthillier et al., [Accounting for variance in machine learning benchmarks](https://arxiv.org/abs/2103.03098), MLSys 2021.
# - Kapoor and Narayanan, [Leakage and the reproducibility crisis in machine-learning-based science](https://doi.org/10.1016/j.patter.2023.100804), Patterns 2023: eight forms of leakage.
# - Shi et al., [Long-tail learning with foundation models: heavy fine-tuning hurts](https://arxiv.org/abs/2309.10019), ICML 2024.

# %%
# not run when graded
# Save the notebook first. This runs it in a fresh process, shows what is missing, and writes the
# zip to hand in; check.progress() shows how far you are in the whole course.
check.hand_in()
