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
# # Transfer learning
#
# **After this notebook you can** take a network that somebody else trained and make it yours: build its blocks, freeze it, train a new head on cached features in seconds, fine-tune it without ruining it, split data from two sources so that the result means something, and say how sure you are of an accuracy.
#
# **Time** about 6 hours · **Hardware** any laptop; with a GPU, also the real CIFAR-10 and a backbone trained on ImageNet · **Points** 100: 75 for code, graded by hidden checks, 15 for three written answers and 10 for a report of one page · **Hand in** the zip that the last cell writes: notebook and `probe.safetensors`
#
# | section | what you write | minutes |
# |---|---|---:|
# | Set-up, 1 What a backbone expects | `preprocess` | 20 |
# | 2 Two building blocks | a separable convolution, a residual block; Question 1 | 55 |
# | 3 A new head on a frozen backbone | `freeze` | 35 |
# | 4 Compute features once | `extract_features`, a probe to hand in | 45 |
# | 5 Fine-tuning | parameter groups; a monitor that keeps the best weights, lowers the rates and stops | 40 |
# | 6 Two sources of data | a split by recordings; Questions 2 and 3 | 65 |
# | 7 How sure are you? | `wilson_interval` | 20 |
# | 8 Your own experiment | a training script, a report | 95 |
#
# The minutes of a section include reading it. Those of a task do not.
#
# You may use all of `torch.nn` here. A cell that begins with `# not run when graded` is for you only: it loads data, trains or draws, and the grader skips it. Graded functions must not need anything from such a cell.

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
import time
from copy import deepcopy
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn
from tqdm.auto import tqdm

from autograder import Checker
from autograder.assignments.a3_transfer_learning.lesson import office, plots
from autograder.notebook.artifacts import save_artifact
from data_scripts import cifar10, pretrained
from data_scripts.synthetic.resnet import ResNetDrawn

check = Checker("a3_transfer_learning")

# %% [markdown]
# The settings. You work with images drawn by this course and with `resnet_drawn`, a small ResNet that was trained on other drawn images: shapes, textures and colours. With `REAL = True` you work with the real CIFAR-10 and with MobileNetV2, trained on ImageNet: best on a GPU, and slow but possible on a CPU.
#
# `SUBSET` is small on purpose. Transfer learning is for those who have few labels: here about 20 for each class.
#
# With an internet connection you can choose other backbones: `resnet18`, `resnet50`, `vit_b_16` (224 pixels only) and `xception` (which needs `backbone.preprocess` instead of `at(SIZE)`).

# %%
REAL = False  # True: real photographs and a backbone trained on ImageNet
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
BACKBONE = "mobilenet_v2" if REAL else "resnet_drawn"  # pretrained.NAMES has others
SIZE = 224 if REAL else 64  # pixels that the backbone sees
SUBSET = (200, 200, 1_000)  # images to train on, to validate and to test
check.set_up(DEVICE, f"{'real' if REAL else 'drawn'} images, {BACKBONE}")

# %% [markdown]
# ## 1 · What a backbone expects
#
# A pretrained network is a function that was fitted to one type of input: numbers with a certain mean and spread, and objects of a certain size. Give it anything else and you get no error. The network is only less accurate, and you will look for the reason elsewhere.
#
# **Task** (12 min, easy). Write `preprocess`. It turns stored images, `uint8` in 0…255, into what ImageNet's networks were trained on, in this order:
#
# 1. to `float32` in 0…1 (divide by 255);
# 2. resized to `size` × `size` pixels, whatever shape they had, bilinearly and with antialiasing (pass `antialias=True` to `F.interpolate` or to torchvision's `Resize`, and leave `align_corners` off);
# 3. normalised channel by channel: subtract `MEAN`, then divide by `STD`.
#
# Convert before you resize: a resized `uint8` image is rounded to whole numbers again. Keep the result on the device of `images`.
#
# <details><summary>Hint 1: broadcasting</summary>A mean of shape (3, 1, 1) is subtracted from every pixel of its channel.</details>
# <details><summary>Hint 2: nearly the answer</summary><code>F.interpolate(x, size=(size, size), mode="bilinear", antialias=True)</code>, or <code>torchvision.transforms.v2.functional.resize</code> on the float tensor.</details>

# %% nbgrader={"grade": false, "grade_id": "imagenet_statistics", "locked": true, "schema_version": 3, "solution": false, "task": false}
MEAN = torch.tensor([0.485, 0.456, 0.406])  # of ImageNet's images: red, green, blue
STD = torch.tensor([0.229, 0.224, 0.225])


# %% nbgrader={"grade": false, "grade_id": "preprocess", "locked": false, "schema_version": 3, "solution": true, "task": false}
def preprocess(images: torch.Tensor, size: int) -> torch.Tensor:
    """Prepare images (N, 3, H, W), uint8 in 0..255, for a backbone trained on ImageNet.

    Returns (N, 3, size, size), float32, normalised by MEAN and STD.
    """
    ### BEGIN SOLUTION
    x = images.float() / 255
    x = F.interpolate(x, size=(size, size), mode="bilinear", antialias=True)
    mean, std = (values.to(x.device).view(3, 1, 1) for values in (MEAN, STD))
    return (x - mean) / std
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "preprocess_values", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check.public("preprocess_values", preprocess)
### BEGIN HIDDEN TESTS
check.hidden("preprocess_values", preprocess)
### END HIDDEN TESTS

# %% [markdown]
# Now the data: ten classes, 32 × 32 pixels, kept as `uint8` and prepared batch by batch. 50,000 images of 224 × 224 pixels in `float32` would be 30 GB.

# %% nbgrader={"grade": false, "grade_id": "load_images", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
class Images(NamedTuple):
    X: torch.Tensor  # (N, 3, 32, 32), uint8
    y: torch.Tensor  # (N,), int64


def load_images() -> tuple[Images, Images, Images]:
    """Load images to train, to validate and to test on: as many as SUBSET says."""
    X, y = cifar10.load("train", real=REAL)
    X_test, y_test = cifar10.load("test", real=REAL)
    first, second, third = SUBSET
    if first + second > len(X):
        raise ValueError(f"SUBSET asks for {first + second} images, and there are {len(X)}.")
    val = slice(len(X) - second, None)
    testing = Images(X_test[:third], y_test[:third])
    return Images(X[:first], y[:first]), Images(X[val], y[val]), testing


train, val, test = load_images()
backbone = pretrained.backbone(BACKBONE)
backbone.module.to(DEVICE, memory_format=torch.channels_last)  # many times faster on some CPUs
print(f"{BACKBONE}: {backbone.width} features, {len(train.y)} images to train on")

# %% nbgrader={"grade": false, "grade_id": "draw_sizes", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
plots.what_a_backbone_sees(test.X[:1], (32, SIZE), preprocess, backbone, DEVICE)

# %% [markdown]
# Each row shows the prepared image, and then one channel of the feature map after every stage. The larger image has no more detail. But the maps shrink from stage to stage: by the last one a small image is down to a few positions, which see mostly padding. And its edges are narrower than those the filters were trained on. The network *works* at 32 pixels. How well? You will measure it in section 7.

# %% [markdown]
# ## 2 · Two building blocks
#
# ### Depthwise separable convolution
#
# An ordinary $k \times k$ convolution combines all positions of the window and all channels at once: $k^2 \cdot C_\text{in} \cdot C_\text{out}$ weights. A **depthwise** convolution gives every channel a $k \times k$ filter of its own and does not mix channels. A **pointwise** convolution, $1 \times 1$, mixes the channels at each position. An Inception module has a few parallel branches; Xception, "extreme Inception", has one for each channel:
#
# ```
# Inception                          Xception, MobileNet
#   ┌─ 1×1 ────────┐                   ┌─ k×k on channel 1 ─┐
# x ├─ 1×1 ── 3×3 ─┤ concatenate     x ├─ k×k on channel 2 ─┤ concatenate ── 1×1
#   ├─ 1×1 ── 5×5 ─┤                   ├─ …                 ─┤
#   └─ pool ─ 1×1 ─┘                   └─ k×k on channel C ─┘
# ```
#
# **Task** (15 min, medium). Write the block.
#
# - The two sub-modules are both `nn.Conv2d`. Name them `depthwise` and `pointwise`: the check puts weights into them by name.
# - The depthwise convolution comes first. It has the stride, and padding `k // 2`.
# - There is nothing between the two.
# - With `bias=True`, both have a bias.
#
# <details><summary>Hint: one filter for each channel</summary><code>nn.Conv2d</code> has an argument <code>groups</code>. With as many groups as channels, each filter sees only its own channel.</details>


# %% nbgrader={"grade": false, "grade_id": "DepthwiseSeparable", "locked": false, "schema_version": 3, "solution": true, "task": false}
class DepthwiseSeparable(nn.Module):
    """A k x k convolution of every channel separately, then a 1 x 1 convolution of all.

    (N, c_in, H, W) -> (N, c_out, H', W'); k is odd, H' = ceil(H / stride).
    Sub-modules: depthwise, pointwise.
    """

    def __init__(self, c_in: int, c_out: int, k: int = 3, stride: int = 1, bias: bool = False):
        super().__init__()
        ### BEGIN SOLUTION
        padding = k // 2
        self.depthwise = nn.Conv2d(c_in, c_in, k, stride, padding, groups=c_in, bias=bias)
        self.pointwise = nn.Conv2d(c_in, c_out, 1, bias=bias)
        ### END SOLUTION

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        ### BEGIN SOLUTION
        return self.pointwise(self.depthwise(x))
        ### END SOLUTION


# %% [markdown]
# The checks put given weights into your block, run it, and differentiate the sum of output × `upstream` with respect to the input and to every weight (in the order of the weights' names). If a check surprises you, `check.show_code("separable_output")` shows how it calls your code.

# %% nbgrader={"grade": true, "grade_id": "separable_output", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.public("separable_output", DepthwiseSeparable)
### BEGIN HIDDEN TESTS
check.hidden("separable_output", DepthwiseSeparable)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "separable_gradients", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check.public("separable_gradients", DepthwiseSeparable)
### BEGIN HIDDEN TESTS
check.hidden("separable_gradients", DepthwiseSeparable)
### END HIDDEN TESTS

# %% [markdown]
# For 3 × 3 filters and many channels the block needs about a ninth of the weights of an ordinary convolution: the exact ratio is $1/C_\text{out} + 1/k^2$. Count yours:

# %% nbgrader={"grade": false, "grade_id": "separable_ratio", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
for c_out in (16, 64, 728):
    count = sum(p.numel() for p in DepthwiseSeparable(64, c_out).parameters())
    ratio = count / (64 * c_out * 3 * 3)
    print(f"64 -> {c_out} channels: ratio {ratio:.3f}; 1/C + 1/k² = {1 / c_out + 1 / 9:.3f}")

# %% [markdown]
# ### Residual block
#
# If a block adds its result to its input, it can easily do nothing: its result only has to be zero. That makes very deep networks possible: $\text{output} = \mathrm{ReLU}(F(x) + x)$, with
#
# $$F(x) = \mathrm{BN}_2(\mathrm{conv}_2(\mathrm{ReLU}(\mathrm{BN}_1(\mathrm{conv}_1(x)))))$$
#
# If $F(x)$ has a different shape from $x$, because the number of channels changes or because of a stride, then $x$ goes through a **projection** first: a 1 × 1 convolution with the same stride, and a batch norm.
#
# **Task** (20 min, medium). Write the block. The sub-modules have these names and settings:
#
# - `conv1` (3 × 3, padding 1, with the stride) and `bn1`;
# - `conv2` (3 × 3, padding 1) and `bn2`;
# - `projection`: if one is needed (`stride != 1 or c_in != c_out`), `nn.Sequential(convolution, norm)`, so that the two are `projection.0` and `projection.1`; otherwise an empty `nn.Sequential()` or an `nn.Identity()`.
#
# Batch norms keep torch's default settings. No convolution has a bias: the batch norm after it has one. Do not change the input.
#
# <details><summary>Hint: in place</summary><code>x += …</code> changes the tensor that the caller still uses, and that autograd still needs.</details>


# %% nbgrader={"grade": false, "grade_id": "ResidualBlock", "locked": false, "schema_version": 3, "solution": true, "task": false}
class ResidualBlock(nn.Module):
    """relu(F(x) + x), or relu(F(x) + projection(x)) where the shapes differ.

    (N, c_in, H, W) -> (N, c_out, ceil(H / stride), ceil(W / stride)).
    Sub-modules: conv1, bn1, conv2, bn2, projection.
    """

    def __init__(self, c_in: int, c_out: int, stride: int = 1):
        super().__init__()
        ### BEGIN SOLUTION
        self.conv1 = nn.Conv2d(c_in, c_out, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(c_out)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(c_out)
        self.projection = nn.Sequential()
        if stride != 1 or c_in != c_out:
            shortcut = nn.Conv2d(c_in, c_out, 1, stride, bias=False)
            self.projection = nn.Sequential(shortcut, nn.BatchNorm2d(c_out))
        ### END SOLUTION

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        ### BEGIN SOLUTION
        hidden = self.bn1(self.conv1(x)).relu()
        residual = self.bn2(self.conv2(hidden))
        return (residual + self.projection(x)).relu()
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "residual_output", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check.public("residual_output", ResidualBlock)
### BEGIN HIDDEN TESTS
check.hidden("residual_output", ResidualBlock)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "residual_gradients", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.public("residual_gradients", ResidualBlock)
### BEGIN HIDDEN TESTS
check.hidden("residual_gradients", ResidualBlock)
### END HIDDEN TESTS

# %% [markdown]
# **Question 1** (5 points). Why do skip connections help a deep network to train? Many textbooks, and a student's report, answer "they solve vanishing gradients". *A full answer says*
#
# - *what the derivative of $F(x) + x$ with respect to $x$ is, and what the ReLU after the sum does to it in your block;*
# - *what a block has to do to be the identity, with and without the connection, and what happens to the training error of plain networks that become deeper (He et al. 2016, [figure 1](https://arxiv.org/abs/1512.03385));*
# - *whether vanishing gradients explain that, when every convolution has a batch norm;*
# - *what the projection is for.*
#
# (a sentence or two each; about 12 min)

# %% [markdown] nbgrader={"grade": true, "grade_id": "question_skip_connections", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer.** The derivative of F(x) + x with respect to x is F′(x) + I. If nothing followed the sum, the gradient would reach every earlier block directly, through a term without any F′. In this block a ReLU follows, so the factor is a mask times (F′ + I): the direct path exists only where the sum was positive. (Blocks that put the ReLU inside F, "pre-activation", have the clean path: He et al. 2016b.) A block with the connection is close to the identity as soon as F is close to zero (small weights, or a last batch-norm scale of 0; exactly the identity where x ≥ 0, as it is after a ReLU). A plain stack has to learn the identity weight by weight, and plain networks that become deeper end with a *higher training error* (He et al. 2016). So the problem is not overfitting but optimisation. Vanishing gradients are not the explanation: those plain networks had batch norm, and the authors checked that signals and gradients kept a healthy size in both directions. Skip connections make the task easier: learn a small correction to x instead of a whole new x. The projection makes the shapes fit where channels or resolution change; it is a learned linear map, used only there, so that most connections stay plain.
#
# **Marking.** 1 point: derivative F′ + I and the direct path. 0.5 points: the ReLU after the sum masks it. 1.5 points: the identity is easy (F = 0), and deeper plain networks have a higher training error. 1 point: with batch norm, vanishing gradients do not explain that (or: "vanishing gradients" claimed with the evidence against it named). 1 point: what the projection is for. "They prevent overfitting" earns nothing.
# ### END SOLUTION

# %% [markdown]
# ## 3 · A new head on a frozen backbone
#
# The backbone computes features; a new last layer, the **head**, turns them into the scores of your classes. `make_classifier` gives a *copy* of the backbone a head: you will start from the same backbone several times, and training must not change it.


# %% nbgrader={"grade": false, "grade_id": "Classifier", "locked": true, "schema_version": 3, "solution": false, "task": false}
class Classifier(nn.Module):
    """A backbone, images -> features (N, D), and a head, features -> scores (N, C)."""

    def __init__(self, backbone: nn.Module, head: nn.Module):
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.backbone(x))


# %% nbgrader={"grade": false, "grade_id": "make_classifier", "locked": true, "schema_version": 3, "solution": false, "task": false}
def make_classifier(backbone: pretrained.Backbone, num_classes: int) -> Classifier:
    """Put a new linear head on a copy of backbone.module."""
    return Classifier(deepcopy(backbone.module), nn.Linear(backbone.width, num_classes))


# %% [markdown]
# The head starts with random weights. Its first gradients are large and nearly meaningless, and they flow into the backbone. So the backbone is often **frozen** first.
#
# That is harder than it looks. A student's report shows the summary of a "frozen" ResNet-50 with a head of five dense layers: *26.3 M trainable parameters*. The head has 2.8 M. Everything else was being trained as well, and nobody had counted.
#
# Even without gradients, a batch norm in training mode still normalises each batch by that batch's own statistics, and updates its running mean and variance. One call of `model.train()`, which every training loop makes, switches this on. The same call switches dropout on.
#
# **Task** (30 min, hard). Write `freeze`. It changes the module in place, and returns it. The module may be a whole backbone or a single layer, such as one batch norm, and it may be in training mode when you get it. A frozen module
#
# 1. has no parameter that requires a gradient;
# 2. computes exactly what it computes in evaluation mode, with dropout off, and keeps its batch-norm statistics, **even when `.train()` is called afterwards on a model that contains it**. (You need not handle `.train()` being called directly on a layer *inside* it.)
#
# Other modules, even of the same class, can still be trained. A `deepcopy` of the frozen module is frozen too.
#
# <details><summary>Hint 1: what train() does</summary><code>nn.Module.train(mode)</code> sets <code>self.training</code> and calls <code>train(mode)</code> of every child. What if the child's <code>train</code> did something else? (And <code>eval()</code> is <code>train(False)</code>: a <code>train</code> that calls <code>eval()</code> never ends.)</details>
# <details><summary>Hint 2: another way</summary>A module can have a hook that runs before each forward pass: <code>register_forward_pre_hook(hook)</code>, with <code>hook(module, inputs)</code>. The hook must return <code>None</code>: any other result replaces the inputs.</details>
# <details><summary>Hint 3: nearly the answer</summary>Put the module in evaluation mode, then give this one object a method <code>train</code> that returns it and does nothing. <code>types.MethodType(function, module)</code>, after <code>import types</code>, binds a function to an object.</details>


# %% nbgrader={"grade": false, "grade_id": "freeze", "locked": false, "schema_version": 3, "solution": true, "task": false}
def freeze(module: nn.Module) -> nn.Module:
    """Freeze a module: no gradients, and evaluation mode for good.

    Returns the module, which is changed in place.
    """
    ### BEGIN SOLUTION
    from types import MethodType

    module.requires_grad_(False)
    module.eval()
    module.train = MethodType(lambda self, mode=True: self, module)
    return module
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "freeze_gradients", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.public("freeze_gradients", freeze)
### BEGIN HIDDEN TESTS
check.hidden("freeze_gradients", freeze)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "freeze_statistics", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}
check.public("freeze_statistics", freeze)
### BEGIN HIDDEN TESTS
check.hidden("freeze_statistics", freeze)
### END HIDDEN TESTS

# %% nbgrader={"grade": false, "grade_id": "count_parameters", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
def trainable(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


model = make_classifier(backbone, 10)
before = trainable(model)
freeze(model.backbone)
print(f"{before:,} trainable parameters before, {trainable(model):,} after freezing")

# %% [markdown]
# Make this a habit: *count before you train*. A head on $D$ features for ten classes has $10 D + 10$ parameters: 1,290 on `resnet_drawn`, 12,810 on MobileNetV2, and 20,490 on a ResNet-50 or Xception.

# %% [markdown]
# ## 4 · Compute features once
#
# A frozen backbone turns the same image into the same features in every epoch. So compute the features once, keep them, and train only a linear head on them. This is called a **linear probe**.
#
# **Task** (20 min, medium). Write `extract_features`.
#
# - Apply `module(prepare(batch))` to the images in batches of `batch_size`, each image exactly once and in order (the last batch may be smaller).
# - Move each batch to `device` before `prepare`; the module is there already.
# - Return the features on the CPU: one tensor for all images, with the dtype of the module's output.
# - Run the module without recording gradients, and restore the previous setting afterwards. Its parameters require gradients as before.
# - Run the module in evaluation mode. Then put it back, with `module.train(…)` or `module.eval()`, into the mode that `module.training` showed before.
#
# <details><summary>Hint 1: batches</summary><code>images.split(batch_size)</code> returns the batches in order; the last one may be smaller.</details>
# <details><summary>Hint 2: no gradients</summary><code>with torch.no_grad():</code>, or the decorator <code>@torch.no_grad()</code> above the function.</details>


# %% nbgrader={"grade": false, "grade_id": "extract_features", "locked": false, "schema_version": 3, "solution": true, "task": false}
def extract_features(
    module: nn.Module, images: torch.Tensor, prepare, batch_size: int = 100, device: str = "cpu"
) -> torch.Tensor:
    """Compute the features (N, D) of images (N, ...), N >= 1, on the CPU.

    `prepare` turns a batch of images into what the module expects.
    """
    ### BEGIN SOLUTION
    was_training = module.training
    module.eval()
    with torch.no_grad():
        batches = [module(prepare(b.to(device))).cpu() for b in images.split(batch_size)]
    module.train(was_training)
    return torch.cat(batches)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "features_values", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.public("features_values", extract_features)
### BEGIN HIDDEN TESTS
check.hidden("features_values", extract_features)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "features_manners", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.public("features_manners", extract_features)
### BEGIN HIDDEN TESTS
check.hidden("features_manners", extract_features)
### END HIDDEN TESTS

# %% [markdown]
# One epoch of training is the same for a head on features and for a whole model on images; only `prepare` differs.


# %% nbgrader={"grade": false, "grade_id": "train_epoch", "locked": true, "schema_version": 3, "solution": false, "task": false}
def train_epoch(model, optimiser, X, y, prepare, batch_size=50, device="cpu"):
    """Take one step of the optimiser for every batch of X, y, in random order."""
    model.train()
    for rows in torch.randperm(len(X)).split(batch_size):
        loss = F.cross_entropy(model(prepare(X[rows].to(device))), y[rows].to(device))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def evaluate(model, X, y, prepare, device="cpu"):
    """Return the mean loss and the number of right answers."""
    scores = extract_features(model, X, prepare, device=device)  # a model is a module too
    return F.cross_entropy(scores, y).item(), int((scores.argmax(dim=1) == y).sum())


# %% [markdown]
# Now a race, with the same head, the same batches and the same steps. One run computes the frozen backbone in every epoch, the other uses cached features.
#
# **Predict first.** How many times faster is an epoch on cached features? And which of the two is more accurate? *My prediction:* …


# %% nbgrader={"grade": false, "grade_id": "race", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
def as_is(batch):
    return batch


def at(size):
    """Return a function that prepares images at a size."""
    return lambda batch: preprocess(batch, size)


def timed_epochs(model, X, X_test, prepare, epochs, device):
    """Train the head for some epochs. Returns seconds per epoch and right answers on test."""
    torch.manual_seed(0)
    head = getattr(model, "head", model)
    optimiser = torch.optim.Adam(head.parameters(), lr=0.01)
    start = time.perf_counter()
    for _ in range(epochs):
        train_epoch(model, optimiser, X, train.y, prepare, device=device)
    seconds = (time.perf_counter() - start) / epochs
    return seconds, evaluate(model, X_test, test.y, prepare, device)[1]


# %% nbgrader={"grade": false, "grade_id": "run_race", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
EPOCHS = 1 if REAL and DEVICE == "cpu" else 5
start = time.perf_counter()
cached, cached_val, cached_test = (
    extract_features(backbone.module, part.X, at(SIZE), device=DEVICE)
    for part in (train, val, test)
)
extraction = time.perf_counter() - start
torch.manual_seed(0)
model = make_classifier(backbone, 10).to(DEVICE)
freeze(model.backbone)
probe = deepcopy(model.head).cpu()  # both begin with the same random head
slow, slow_right = timed_epochs(model, train.X, test.X, at(SIZE), EPOCHS, DEVICE)
fast, fast_right = timed_epochs(probe, cached, cached_test, as_is, EPOCHS, "cpu")
print(f"features of all images, once: {extraction:.1f} s")
print(f"frozen backbone in every epoch: {slow:.2f} s an epoch, {slow_right} of {len(test.y)} right")
print(f"cached features: {fast:.3f} s an epoch, {fast_right} right: {slow / fast:.0f} times faster")

# %% [markdown]
# The two agree, up to rounding, because they *are* the same computation. The cache costs one pass over all images. After that an epoch costs almost nothing. But you cannot use random augmentation, and you cannot train the backbone.
#
# **Task** (15 min, easy; 6 points by the accuracy on hidden images). Choose the recipe of the probe that you hand in. The probe always uses `resnet_drawn` and the drawn images, even if you set `REAL = True` above: no other weights are available when your notebook is graded.
#
# - `{"size": 32, "images": 1_000, "epochs": 5, "rate": 1e-3, "decay": 0.0}` is a valid recipe, but a poor one. Choose a better one by the accuracy on the validation images.
# - Run the second cell: it writes `probe.safetensors` beside the notebook. **Hand that file in with the notebook.**
# - The score has three levels, not a sliding scale: 36 % right gives half of the points, 44 % gives 80 %, 50 % all of them.
# - Extracting 10,000 images takes from a few seconds at 48 pixels to half a minute at 80. A `decay` above 0.1 lowers the accuracy.
# - There are 400 hidden images, so your own measurement and the graded one may differ by 5 points: aim above the level you want.


# %% nbgrader={"grade": false, "grade_id": "probe_recipe", "locked": false, "schema_version": 3, "solution": true, "task": false}
def probe_recipe() -> dict[str, float]:
    """Choose the probe: size in pixels (at most 96), images (at most 9,000), epochs, rate, decay."""
    ### BEGIN SOLUTION
    return {"size": 80, "images": 9_000, "epochs": 40, "rate": 1e-2, "decay": 1e-3}
    ### END SOLUTION


# %% nbgrader={"grade": false, "grade_id": "train_probe", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
recipe = probe_recipe()
Path("probe.safetensors").unlink(missing_ok=True)  # so that no old one is handed in
if recipe["size"] > 96 or recipe["images"] > 9_000:
    raise ValueError("a recipe has at most 96 pixels and 9,000 images (the others validate).")
drawn = pretrained.backbone("resnet_drawn")
X, y = cifar10.load("train")
chosen = range(int(recipe["images"]))
features = extract_features(drawn.module, X[chosen], at(recipe["size"]))
features_val = extract_features(drawn.module, X[9_000:], at(recipe["size"]))
torch.manual_seed(0)
probe = make_classifier(drawn, 10).head
optimiser = torch.optim.AdamW(probe.parameters(), recipe["rate"], weight_decay=recipe["decay"])
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, recipe["epochs"])
for _ in tqdm(range(int(recipe["epochs"])), desc="epochs", leave=False):
    train_epoch(probe, optimiser, features, y[chosen], as_is)
    schedule.step()
loss, right = evaluate(probe, features_val, y[9_000:], as_is)
save_artifact("probe.safetensors", {**probe.state_dict(), "size": torch.tensor(recipe["size"])})
print(f"validation: loss {loss:.3f}, {right / 1000:.1%} right; saved probe.safetensors")


# %% nbgrader={"grade": true, "grade_id": "probe_predictions", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
check.public("probe_predictions", preprocess, extract_features)
### BEGIN HIDDEN TESTS
check.hidden("probe_predictions", preprocess, extract_features)
### END HIDDEN TESTS

# %% [markdown]
# ## 5 · Fine-tuning
#
# Now the backbone may change too, but carefully, because most of what it has learned is useful.
#
# **Small steps for the backbone, large steps for the head.** An optimiser takes parameters in groups, each with its own learning rate.
#
# **Task** (8 min, easy). Write `parameter_groups`.
#
# - The trainable parameters of `model.backbone` get `backbone_lr`, those of `model.head` get `head_lr`.
# - Each trainable parameter is in exactly one group; a frozen parameter is in none.
# - Return the group of the backbone first, then that of the head.
#
# (An optimiser would skip frozen parameters, but then the groups do not tell you what is trained.)


# %% nbgrader={"grade": false, "grade_id": "parameter_groups", "locked": false, "schema_version": 3, "solution": true, "task": false}
def parameter_groups(model: Classifier, backbone_lr: float, head_lr: float) -> list[dict]:
    """List the groups for an optimiser: dicts with "params", a list of parameters, and "lr"."""
    ### BEGIN SOLUTION
    parts = ((model.backbone, backbone_lr), (model.head, head_lr))
    return [
        {"params": [p for p in part.parameters() if p.requires_grad], "lr": lr}
        for part, lr in parts
    ]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "groups", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.public("groups", parameter_groups)
### BEGIN HIDDEN TESTS
check.hidden("groups", parameter_groups)
### END HIDDEN TESTS

# %% [markdown]
# **Watch the validation loss.** When it stops improving, try smaller steps. When that does not help either, stop. By then the model is several epochs past its best one, so keep a copy of the best weights. All three follow from one definition:
#
# > An epoch is an **improvement** if its loss is strictly below `best_loss`, the loss of the last improvement (infinity before the first). A tie is not an improvement, and `nan` never is.
#
# **Task** (25 min, medium). Write `Monitor`. `step(loss)` is called once after each epoch.
#
# - In an epoch that is an improvement, it keeps the weights of the model, including batch-norm statistics. `best_loss` is this loss, `best_epoch` the number of this epoch, counted from 1 (0 before the first improvement).
# - In any other epoch, count how many epochs in a row, with this one, have brought no improvement. When this count is `lower_after`, or a multiple of it, multiply the learning rate of every group in `optimiser.param_groups` by `factor`.
# - It returns `True` if the count has reached `patience`, otherwise `False`. So with patience 3, training stops at the third epoch in a row without an improvement. Lowering a rate does not set the count back.
# - `restore()` puts the kept weights into the model; if there are none, it does nothing. It may be called more than once.
#
# (Libraries decide differently: torch's `ReduceLROnPlateau` waits one epoch longer than its `patience`, and asks for an improvement of at least 0.01 %. When you compare with a paper, find out what it used.)
#
# <details><summary>Hint 1: one number is enough</summary>The count is the number of this epoch minus <code>best_epoch</code>. After an improvement it is 0, and 0 is a multiple of everything.</details>
# <details><summary>Hint 2: is it a copy?</summary><code>model.state_dict()</code> holds the live tensors. The optimiser's next step changes them in place, and so changes the dict that you kept.</details>


# %% nbgrader={"grade": false, "grade_id": "Monitor", "locked": false, "schema_version": 3, "solution": true, "task": false}
class Monitor:
    """Watch the validation loss: keep the best weights, lower the rates, say when to stop."""

    def __init__(
        self, model: nn.Module, optimiser: torch.optim.Optimizer, patience: int,
        lower_after: int, factor: float,
    ):  # fmt: skip
        ### BEGIN SOLUTION
        self.model, self.optimiser = model, optimiser
        self.patience, self.lower_after, self.factor = patience, lower_after, factor
        self.best_loss, self.best_epoch, self.epoch = float("inf"), 0, 0
        self.weights = None
        ### END SOLUTION

    def step(self, loss: float) -> bool:
        """Take the loss of one more epoch. Returns True if training should stop now."""
        ### BEGIN SOLUTION
        self.epoch += 1
        if loss < self.best_loss:
            self.best_loss, self.best_epoch = loss, self.epoch
            self.weights = deepcopy(self.model.state_dict())
        waited = self.epoch - self.best_epoch
        if waited > 0 and waited % self.lower_after == 0:
            for group in self.optimiser.param_groups:
                group["lr"] *= self.factor
        return waited >= self.patience
        ### END SOLUTION

    def restore(self) -> None:
        """Put the weights of the best epoch into the model."""
        ### BEGIN SOLUTION
        if self.weights is not None:
            self.model.load_state_dict(self.weights)
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "monitor_stop", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.public("monitor_stop", Monitor)
### BEGIN HIDDEN TESTS
check.hidden("monitor_stop", Monitor)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "monitor_rates", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.public("monitor_rates", Monitor)
### BEGIN HIDDEN TESTS
check.hidden("monitor_rates", Monitor)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "monitor_weights", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.public("monitor_weights", Monitor)
### BEGIN HIDDEN TESTS
check.hidden("monitor_weights", Monitor)
### END HIDDEN TESTS

# %% [markdown]
# With these you have the training loop of every transfer-learning project:


# %% nbgrader={"grade": false, "grade_id": "fit", "locked": true, "schema_version": 3, "solution": false, "task": false}
def fit(model, parts, groups, prepare, epochs, patience=4, device="cpu"):
    """Train groups of a model's parameters; keep the best epoch. Returns a history by epoch."""
    training, validation = parts
    optimiser = torch.optim.AdamW(groups, weight_decay=0.01)
    monitor = Monitor(model, optimiser, patience, lower_after=2, factor=0.3)
    history = {"loss": [], "accuracy": [], "rate": [], "seconds": []}
    bar = tqdm(range(epochs), desc="epochs", leave=False)
    for _ in bar:
        start = time.perf_counter()
        history["rate"].append(optimiser.param_groups[-1]["lr"])
        train_epoch(model, optimiser, *training, prepare, device=device)
        history["seconds"].append(time.perf_counter() - start)
        loss, right = evaluate(model, *validation, prepare, device)
        history["loss"].append(loss)
        history["accuracy"].append(right / len(validation.y))
        if monitor.step(loss):
            bar.total = bar.n  # stopping early is not a failure
            break
    monitor.restore()
    return history


# %% [markdown]
# Now fine-tune. The head is trained first, on cached features like the probe. On a CPU with real images, the lower layers stay frozen: they are the slowest to train.

# %% nbgrader={"grade": false, "grade_id": "fine_tune", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
STAY_FROZEN = [f"features.{i}" for i in range(14)] if REAL and DEVICE == "cpu" else []
torch.manual_seed(0)
tuned = make_classifier(backbone, 10)
fit(tuned.head, (Images(cached, train.y), Images(cached_val, val.y)),
    [{"params": tuned.head.parameters(), "lr": 1e-2}], as_is, epochs=30)  # fmt: skip
tuned.to(DEVICE, memory_format=torch.channels_last)
for part in STAY_FROZEN:
    freeze(tuned.backbone.get_submodule(part))
rates = (1e-4, 1e-3) if REAL else (5e-4, 2e-3)
groups = parameter_groups(tuned, *rates)
fine_history = fit(tuned, (train, val), groups, at(SIZE), 2 if STAY_FROZEN else 20, device=DEVICE)
seconds = fine_history["seconds"]
print(f"{sum(seconds) / len(seconds):.1f} s an epoch to fine-tune, on {len(train.y)} images")
plots.fit_history(fine_history)

# %% [markdown]
# How to read it. The dot marks the epoch whose weights were kept. After that epoch the validation loss starts to rise, while the accuracy may still rise by some points: the network becomes more confident in the mistakes it still makes. Which epoch you keep depends on what you need, good probabilities or right answers.

# %% [markdown]
# ## 6 · Two sources of data
#
# An office wants to recognise faces with **its own surveillance camera**. There are 100,000 selfies from social media and 1,000 frames from that camera. If you shuffle everything, 99 % of the test images are selfies: you would measure, very precisely, the accuracy on images that the system will never see.
#
# **Dev and test must come from where the system will be used.** All selfies go to training, with the remaining camera frames. Each image gets a weight by its source.
#
# There is a second trap. Neighbouring frames of a camera are nearly the same picture. If you draw *frames* at random, nearly every test frame has a near-duplicate in training, and a high accuracy only shows that the network remembers. This is **leakage**. So split **recordings**: all frames of a recording stay together. (scikit-learn has it as `GroupShuffleSplit`.)
#
# **Task** (25 min, medium). Write `split_by_domain`.
#
# - `domains` (N,) says where each image is from: 0 selfie, 1 camera.
# - `recordings` (N,) is the number of the recording to which each camera frame belongs, and -1 for a selfie. The numbers are in order of time and may have gaps. Recordings may differ in length, and the images may be in any order.
# - `dev` and `test` are *numbers of recordings* of the camera; each may be 0. If the camera has fewer than `dev + test` recordings, raise a `ValueError` that says so. Exactly as many is allowed.
# - All frames of a recording are in the same split. Training has all other images. No image is in two splits, and none is lost.
# - Choose one of two ways to hold recordings out. The order of the images must not change the split.
#   - At random, decided by `seed`: the same seed gives the same split, other seeds give other splits, and over many seeds each recording is sometimes in dev and sometimes in test.
#   - By time: dev is a stretch of successive recordings, and so is test (the latest, for example). Then the seed is not used.
# - `weights` (2,), float64, holds the training weights of one selfie and of one camera frame. Both sources have the same total weight, and the weights of all training images average 1. Count images here, not recordings. If only one source is in training, its weight is 1; a source without training images has weight 0.
#
# Return index tensors (int64, in any order) and the weights: `(train, dev, test, weights)`.
#
# <details><summary>Hint 1: recordings first</summary><code>recordings[domains == 1].unique()</code> lists those of the camera, in order of time. <code>torch.isin</code> leads back to the images.</details>
# <details><summary>Hint 2: a random order</summary><code>torch.randperm(n, generator=torch.Generator().manual_seed(seed))</code></details>
# <details><summary>Hint 3: the weights</summary>Let there be n training images from k sources, n<sub>d</sub> of them from source d. Each source gets a total weight of n / k, shared by its n<sub>d</sub> images.</details>


# %% nbgrader={"grade": false, "grade_id": "split_by_domain", "locked": false, "schema_version": 3, "solution": true, "task": false}
def split_by_domain(
    domains: torch.Tensor, recordings: torch.Tensor, dev: int, test: int, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Split images of two sources: dev and test from the camera (1), all else for training.

    dev and test are numbers of recordings, and no recording is split. Returns indices (train,
    dev, test) and the weights (2,) of a selfie and a camera frame. Raises ValueError if the
    camera has fewer than dev + test recordings.
    """
    ### BEGIN SOLUTION
    names = recordings[domains == 1].unique()
    if dev + test > len(names):
        raise ValueError(f"the camera has {len(names)} recordings, fewer than {dev} + {test}.")
    generator = torch.Generator().manual_seed(seed)
    names = names[torch.randperm(len(names), generator=generator)]
    in_dev = torch.isin(recordings, names[:dev])
    in_test = torch.isin(recordings, names[dev : dev + test])
    in_train = ~(in_dev | in_test)
    counts = torch.bincount(domains[in_train], minlength=2).double()
    present = counts > 0
    share = counts.sum() / present.sum().clamp(min=1)
    weights = torch.where(present, share / counts.clamp(min=1), 0.0)
    train_part, dev_part, test_part = (x.nonzero().flatten() for x in (in_train, in_dev, in_test))
    return train_part, dev_part, test_part, weights
    ### END SOLUTION


# %% [markdown]
# Many splits meet these requirements, so the checks do not compare yours with a model solution. They make several splits, with different seeds, and count the requirements that any of them breaks.

# %% nbgrader={"grade": true, "grade_id": "split_parts", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
check.public("split_parts", split_by_domain)
### BEGIN HIDDEN TESTS
check.hidden("split_parts", split_by_domain)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "split_weights", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check.public("split_weights", split_by_domain)
### BEGIN HIDDEN TESTS
check.hidden("split_weights", split_by_domain)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "split_chance", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check.public("split_chance", split_by_domain)
### BEGIN HIDDEN TESTS
check.hidden("split_chance", split_by_domain)
### END HIDDEN TESTS

# %% nbgrader={"grade": false, "grade_id": "split_of_the_office", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
domains = torch.cat([torch.zeros(100_000), torch.ones(1_000)]).long()
recordings = torch.cat([-torch.ones(100_000), torch.arange(1_000) // 25]).long()  # 40 of 25 frames
*splits, weights = split_by_domain(domains, recordings, dev=10, test=10, seed=0)
for name, part in zip(("train", "dev", "test"), splits, strict=True):
    selfies, frames = torch.bincount(domains[part], minlength=2).tolist()
    print(f"{name:6}{selfies:8,} selfies {frames:6,} camera frames")
print("weights of a selfie and of a camera frame:", [round(w, 2) for w in weights.tolist()])

# %% [markdown]
# A frame counts two hundred times as much as a selfie. That is a lot for 500 images: the network will overfit them. So one often takes two steps: train on the selfies, then fine-tune on the camera.
#
# **A small experiment.** An office has 3,000 photographs of objects from elsewhere and 1,000 frames of its own camera, which is dim, pale, blurred and looks down: 200 recordings of 5 frames each, and a recording shows one object. We train six probes on the features of your backbone. Each gets two numbers: its accuracy on the **dev** images, and its accuracy **in use**, on 1,500 frames, each of another object. No office has the second number. We have it, because these objects are drawn.
#
# | way | trained on | dev |
# |---|---|---|
# | all images shuffled | 3,000 of all 4,000 images | 500 of the others |
# | frames shuffled | 500 frames, drawn one by one | 250 others |
# | recordings | 100 recordings (your split) | 50 others |
# | photographs | the photographs | 50 recordings |
# | both, weighted | photographs and 100 recordings, with your weights | 50 recordings |
# | photographs, then recordings | first the photographs, then 100 recordings with a tenth of the rate | 50 recordings |

# %% [markdown]
# **Predict first.** Write your prediction in this cell: which way has the highest dev accuracy? Which one is best in use? For which of the six is dev accuracy an honest estimate: neither too high nor too low on average, however noisy?
#
# *My prediction:* …
#
# (The next cell takes a few seconds with the drawn images. With `REAL = True` on a CPU it prepares 5,500 images at 224 pixels, which takes about eight minutes.)

# %% nbgrader={"grade": false, "grade_id": "office_features", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
small = office.draw(seed=0)
seen, in_use = (extract_features(backbone.module, images, at(SIZE), device=DEVICE)
                for images in (small.X, small.X_in_use))  # fmt: skip


def train_probe(rows, probe=None, rate=1e-2, weights=(1.0, 1.0)):
    """Train a new probe, or a copy of one, on some images; weights are by source."""
    probe = nn.Linear(seen.shape[1], 10) if probe is None else deepcopy(probe)
    optimiser = torch.optim.AdamW(probe.parameters(), lr=rate, weight_decay=0.01)
    weight = torch.as_tensor(weights, dtype=torch.float32)[small.domains]
    for _ in range(30):
        for batch in rows[torch.randperm(len(rows))].split(50):
            losses = F.cross_entropy(probe(seen[batch]), small.y[batch], reduction="none")
            optimiser.zero_grad()
            (weight[batch] * losses).mean().backward()
            optimiser.step()
    return probe


# %% nbgrader={"grade": false, "grade_id": "office_ways", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
torch.manual_seed(0)
rows, dev_rows, _, by_source = split_by_domain(small.domains, small.recordings, 50, 50, seed=0)
recorded = rows[small.domains[rows] == 1]
photographs, frames = ((small.domains == source).nonzero().flatten() for source in (0, 1))
anything, frames = (some[torch.randperm(len(some))] for some in (torch.arange(4_000), frames))
first = train_probe(photographs)
ways = {
    "all images shuffled": (train_probe(anything[1_000:]), anything[:500]),
    "frames shuffled": (train_probe(frames[500:]), frames[:250]),
    "recordings": (train_probe(recorded), dev_rows),
    "photographs": (first, dev_rows),
    "both, weighted": (train_probe(rows, weights=by_source), dev_rows),
    "photographs, then recordings": (train_probe(recorded, first, rate=1e-3), dev_rows),
}
found = {}
for way, (probe, dev) in ways.items():
    hits = [(probe(features).argmax(dim=1) == y).float().mean().item()
            for features, y in ((seen[dev], small.y[dev]), (in_use, small.y_in_use))]  # fmt: skip
    found[way] = hits
    print(f"{way:30} dev says {hits[0]:4.0%}   in use {hits[1]:4.0%}")
plots.said_and_found(found)

# %% [markdown]
# How to read it. The two highest dev accuracies mislead, for two reasons. (In use, both shuffled ways may do well: they train on frames of nearly all 200 recordings, where the others keep 100 aside. Only their dev accuracy is wrong.) The four others are honest, and far from exact: 250 dev frames show only 50 objects, so dev may even rank them the wrong way round.
#
# **Question 2** (5 points). Write the plan for the office's 101,000 images, now with 200 recordings of 5 frames; the table is your evidence. *A full answer*
#
# - *says what train, dev and test consist of, in selfies and recordings, and why;*
# - *explains the two dev accuracies that are too high, each by its main reason;*
# - *compares the last three ways of the table by their accuracy in use (photographs are here what selfies are there), with numbers, and says whether dev would have chosen the same one;*
# - *says how sure you can be with 50 dev recordings, why you cannot be as sure as with 250 independent images, and what you would therefore collect in one more day.*
#
# (about 15 min)

# %% [markdown] nbgrader={"grade": true, "grade_id": "question_office", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer.** Test and dev are whole recordings of the camera, because the system will work there: 50 recordings each; training has all selfies and the other 100 recordings. (A student's report answers with cures for imbalance only and never says where dev and test come from.) All images shuffled: three quarters of dev are photographs, so it measures an easier task that the system will never have to do. Frames shuffled: dev comes from the camera, but nearly every dev frame has a near-duplicate from the same recording in training: leakage, the probe remembers. On the drawn objects, in five draws: with shuffled frames dev says 50 to 60 %, and 29 to 32 % are right in use; with all images shuffled it says 46 to 49 %, and 33 to 37 % are right. Recordings only: 22 to 28 % in use; photographs only: 25 to 28 %; both with weights: 28 to 34 %; photographs first, then recordings: 32 to 36 %, the best of the fair ways in every draw, sometimes by only one point. Another way: make the photographs look like the camera (darker, blurred, tilted, pale: augmentation), or align the features of both. 50 recordings are 50 independent observations; frames of one recording are right or wrong together. The Wilson interval of 18 right of 50 is 24 to 50 %, so dev cannot rank the fair ways: in our five draws it said anything from 13 to 47 % for them. One more day: more *recordings* (other people, other days, other light), short ones, not more frames of the same recordings; and label them for dev and test first.
#
# **Marking.** 1 point for each of the first three, 2 for the last (1 for how sure, 1 for what to collect); half for the second without both reasons, and for the third without numbers. "Oversample the camera" alone, without saying where dev and test come from: at most 1 point in all.
# ### END SOLUTION

# %% [markdown]
# **Question 3** (5 points). Surveys of transfer learning (Pan and Yang 2010) distinguish, among others, what is transferred from the source to the target:
#
# - *instances*: training samples of the source are used for the target, perhaps weighted;
# - *features*: source and target are mapped into one common space in which they look alike (nothing in this notebook does that; make up an example);
# - *the model*: its weights, all or some of them, are kept, or training starts from them.
#
# Say what is transferred in each case, and give one example of each: from the office with its camera, or from sections 4 and 5. *A full answer says for each what is reused and what is learned again; says to which of the three a frozen backbone with a linear probe belongs, and why one can argue about it; has three examples, and for one of them a reason why it may do harm ("negative transfer").* (about 12 min)

# %% [markdown] nbgrader={"grade": true, "grade_id": "question_kinds_of_transfer", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer.** Instance-based: samples of the source are used to train for the target, weighted or selected by how much they resemble it; here: the selfies in training, with weights. Feature-based: a map is found that brings source and target into one space where their distributions agree (matching means and covariances as CORAL does, minimising MMD, or an adversary that cannot tell the domains apart), and the classifier is learned there; here: features of selfies and frames, aligned before the face classifier. Model-based (parameter-based): weights are reused; here: fine-tuning with a small learning rate. A frozen backbone with a probe reuses *weights* and learns only a head, so it is model-based; one can argue that its features are the common space, but nothing was done to make the two domains agree in it. (Pan and Yang have a fourth category, relational transfer, for data such as networks.) Negative transfer: selfies are frontal, near, well lit and chosen by the person; a model fitted to them may learn cues that the camera, high and dim, never shows; or features of a backbone that sees objects of another size (32 px) drop what the target needs; or fine-tuning at a large rate destroys what was learned.
#
# **Marking.** 1 point for each of the three: what is reused, and what is learned again. The frozen backbone may be placed under features or model if the reason is given; without a reason, half a point less. 1 point: all three examples fit (half for two). 1 point: a reason for harm.
# ### END SOLUTION

# %% [markdown]
# ## 7 · Compare, and know how sure you are
#
# Another report compares three networks on 66 images. One gets 57 right, one 59: "86.4 % against 89.4 %". The difference is two images! An accuracy is a measurement, and it has an error bar.
#
# The **Wilson interval** holds all rates $p$ that are compatible with $k$ right answers out of $n$: those for which $k/n$ lies within $z$ standard deviations of $p$, with $z = 1.96$ for 95 %. With $\hat p = k / n$:
#
# $$\frac{1}{1 + z^2/n} \left( \hat p + \frac{z^2}{2n} \;\pm\; z \sqrt{\frac{\hat p (1 - \hat p)}{n} + \frac{z^2}{4 n^2}} \right)$$
#
# Unlike the textbook's $\hat p \pm z \sqrt{\hat p (1 - \hat p) / n}$ it never leaves 0…1, and it does not claim certainty when all answers are right.
#
# **Task** (8 min, easy). Write `wilson_interval`. Return two Python numbers, or tensors of shape ().


# %% nbgrader={"grade": false, "grade_id": "wilson_interval", "locked": false, "schema_version": 3, "solution": true, "task": false}
def wilson_interval(correct: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """Compute the Wilson interval (low, high) of a rate, for `correct` of `total` >= 1."""
    ### BEGIN SOLUTION
    rate = correct / total
    middle = rate + z**2 / (2 * total)
    width = z * (rate * (1 - rate) / total + z**2 / (4 * total**2)) ** 0.5
    scale = 1 + z**2 / total
    return (middle - width) / scale, (middle + width) / scale
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "wilson", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.public("wilson", wilson_interval)
### BEGIN HIDDEN TESTS
check.hidden("wilson", wilson_interval)
### END HIDDEN TESTS

# %% nbgrader={"grade": false, "grade_id": "draw_three_networks", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
report = {"own ResNet": 49, "pretrained ResNet": 57, "pretrained ViT": 59}
plots.accuracies({name: (right, 66) for name, right in report.items()}, wilson_interval)

# %% [markdown]
# The intervals of the two pretrained networks nearly coincide: 66 images are too few to separate 57 from 59. The interval of the student's own network, with 49, overlaps a little with that of the ViT, and yet Fisher's exact test gives p = 0.04 for 49 against 59: two 95 % intervals may overlap although the difference is significant. So compare *differences*, not intervals. When all networks saw the *same* images, McNemar's test is more sensitive; you will write it in a7.
#
# Now your own comparison, with 200 labelled images: a small network from scratch, the probe on images of 32 pixels, the probe at the size of the backbone, and fine-tuning. The network from scratch always has the architecture of `resnet_drawn`, at 64 pixels at most: MobileNetV2 from scratch would need far more images.
#
# **Predict first.** Put the four in order, and guess the accuracy of the worst and of the best. *My prediction:* …
#
# (The next cell trains for about a minute.)

# %% nbgrader={"grade": false, "grade_id": "compare", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
def probe_at(size):
    """Train a probe on features of images at a size. Returns the right answers on test."""
    torch.manual_seed(0)
    features = [extract_features(backbone.module, part.X, at(size), device=DEVICE)
                for part in (train, val, test)] if size != SIZE else [cached, cached_val, cached_test]  # fmt: skip
    head = make_classifier(backbone, 10).head.cpu()
    parts = Images(features[0], train.y), Images(features[1], val.y)
    fit(head, parts, [{"params": head.parameters(), "lr": 1e-2}], as_is, epochs=60)
    return evaluate(head, features[2], test.y, as_is)[1]


torch.manual_seed(0)
scratch = Classifier(ResNetDrawn(), nn.Linear(128, 10))
scratch.to(DEVICE, memory_format=torch.channels_last)
groups = parameter_groups(scratch, 2e-3, 2e-3)
parts, small_size = (train, val), min(SIZE, 64)
fit(scratch, parts, groups, at(small_size), 3 if STAY_FROZEN else 30, patience=8, device=DEVICE)
right = {"from scratch": evaluate(scratch, test.X, test.y, at(small_size), DEVICE)[1]}
for size in (32, SIZE) if BACKBONE != "vit_b_16" else (SIZE,):
    right[f"frozen, {size} px"] = probe_at(size)
right["fine-tuned"] = evaluate(tuned, test.X, test.y, at(SIZE), DEVICE)[1]

# %% nbgrader={"grade": false, "grade_id": "draw_comparison", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
for name, count in right.items():
    low, high = wilson_interval(count, len(test.y))
    rate = count / len(test.y)
    print(f"{name:16} {count:6} of {len(test.y):,}  {rate:6.1%}  [{low:.1%}, {high:.1%}]")
plots.accuracies({name: (count, len(test.y)) for name, count in right.items()}, wilson_interval)

# %% [markdown]
# How to read it: a point is the accuracy, a bar is the 95 % interval. Our own measurements, with six different draws of 200 training images:
#
# | | drawn images, 200 to train on | `REAL = True` on a CPU, `SUBSET = (1_500, 500, 1_000)` |
# |---|---|---|
# | from scratch | 11 to 25 % | 37.6 % |
# | frozen, 32 pixels | 21 to 28 % | 47.1 % |
# | frozen, 64 or 224 pixels | 30 to 33 % | 81.6 % |
# | fine-tuned | 39 to 44 % | 81.4 % (two epochs, upper layers only) |
#
# With 1,000 test images an interval is about ±3 points. Still, in every draw frozen at 64 pixels beats both rows above it, and fine-tuning beats all. The frozen backbone has seen no animal and no lorry, but its shapes and textures help. Enlarging adds no information; it only makes objects as large as those that the backbone was trained on.
#
# **It depends on the number of labels.** With 1,000 training images the network from scratch (44 to 52 %) overtakes the frozen backbone (43 %): now it can learn what the backbone has never seen. Fine-tuning is still ahead, at 60 %. Try `SUBSET = (1_000, 500, 1_000)`.
#
# **With all of the real CIFAR-10** (45,000 images to train on, 10,000 to test), MobileNetV2 and your functions, on one processor core:
#
# | | right | 95 % interval | time |
# |---|---|---|---|
# | frozen, 32 pixels | 59.4 % | 58.5 to 60.4 | 1 min |
# | frozen, 128 pixels | 85.4 % | 84.7 to 86.1 | 9 min |
# | frozen, 224 pixels | 88.0 % | 87.3 to 88.6 | 28 min |
# | fine-tuned, 128 pixels, four epochs, all but the first four blocks | 94.9 % | 94.4 to 95.3 | 82 min |

# %% [markdown]
# ## 8 · Your own experiment
#
# Choose a question, or ask another one about transfer:
#
# - How much does augmentation bring, with few labels and with many?
# - Which layers should be trained? Freeze the first stages one after the other (`print(backbone.module)` shows their names), and fine-tune the rest.
# - How many labels replace a pretrained backbone? Train from scratch and fine-tune with 100, 300 and 1,000 images (about ten minutes of computing).
# - When does a frozen backbone beat a fine-tuned one? One report reached 86.7 % on CIFAR-10 with a frozen Xception at 224 pixels, another about 78 % with a ResNet-50 trained as a whole at 32 pixels (99 % on its training images). Make a fair comparison.
#
# **Task** (60 min, hard, no check). Write the training script in the cell below, and in more cells if you like.
#
# - A `Dataset` returns one prepared image and its label. Two `DataLoader`s read it: one shuffles, one does not. (On a GPU, `num_workers=4` and `pin_memory=True` keep it busy.)
# - The optimiser is `AdamW`. The learning rate rises from near 0 during the first tenth of the steps (**warm-up**) and then falls along a cosine. `torch.optim.lr_scheduler` has both, and `SequentialLR` joins them. A schedule that counts steps moves after every batch. It decides the rate, so leave `Monitor` out.
# - Each setting runs with at least three seeds. Let a seed draw the training images too, or say in your doubt that all seeds share them. A difference smaller than the spread of the seeds is not a finding.
# - Choose by validation accuracy. The test images come last, for the table; better still, take some that sections 4 and 7 have not used: `cifar10.load("test", real=REAL)` has more than `test`.
#
# On a GPU, `with torch.autocast("cuda", dtype=torch.bfloat16):` around the forward pass and the loss makes training about twice as fast (**mixed precision**).

# %% nbgrader={"grade": false, "grade_id": "own_experiment", "locked": false, "schema_version": 3, "solution": true, "task": false}
# not run when graded
### BEGIN SOLUTION
from torch.utils.data import DataLoader, Dataset


class Pictures(Dataset):
    """Images prepared for the backbone; mirrored and shifted at random if `augment`."""

    def __init__(self, X, y, augment=False):
        self.X, self.y, self.augment = preprocess(X, SIZE), y, augment

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        x = self.X[i]
        if self.augment:
            x = x.flip(2) if torch.rand(()) < 0.5 else x
            dy, dx = torch.randint(-6, 7, (2,)).tolist()
            x = F.pad(x[None], (6, 6, 6, 6), mode="replicate")[0]
            x = x[:, 6 + dy : 6 + dy + SIZE, 6 + dx : 6 + dx + SIZE]
        return x, self.y[i]


def run(labels, augment, seed, epochs=20):
    """Fine-tune with some labels. Returns right answers on val and on test."""
    torch.manual_seed(seed)
    X, y = cifar10.load("train", real=REAL)
    loader = DataLoader(Pictures(X[:labels], y[:labels], augment), 50, shuffle=True)
    model = make_classifier(backbone, 10).to(DEVICE, memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(parameter_groups(model, 5e-4, 5e-3), weight_decay=0.01)
    steps = epochs * len(loader)
    rise = torch.optim.lr_scheduler.LinearLR(optimiser, 0.01, total_iters=steps // 10)
    fall = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps - steps // 10)
    schedule = torch.optim.lr_scheduler.SequentialLR(optimiser, [rise, fall], [steps // 10])
    for _ in range(epochs):
        model.train()
        for x, y in loader:
            loss = F.cross_entropy(model(x.to(DEVICE)), y.to(DEVICE))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return [evaluate(model, part.X, part.y, at(SIZE), DEVICE)[1] for part in (val, test)]


for augment in (False, True):
    print("augmented" if augment else "plain", [run(200, augment, seed) for seed in range(3)])
### END SOLUTION

# %% [markdown]
# **Report** (10 points). 150 to 300 words, one figure and one table of your own. (Matplotlib's `plt.savefig("figure.png")` saves a figure; drag the file into the cell.) This is how it is marked:
#
# | | points |
# |---|---:|
# | the claim, in one sentence that could have turned out wrong | 1 |
# | what was changed and what was kept; numbers of images, epochs and seeds | 2 |
# | the table: mean and spread over the seeds | 2 |
# | the figure: axes, units, readable without the text | 1 |
# | everything chosen by validation images; the test images only in the table | 1 |
# | doubt: another explanation, how sure you are, what you would do next | 2 |
# | the script does what the text says: data set, loaders, schedule | 1 |
#
# (about 25 min)

# %% [markdown] nbgrader={"grade": true, "grade_id": "report_own_experiment", "locked": false, "points": 10, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer.** *Claim.* Augmentation brings more when labels are few: with few images the network can learn them by heart.
#
# *What was done.* `resnet_drawn` was fine-tuned on drawn images at 64 pixels: 20 epochs of AdamW, rates 5e-4 (backbone) and 5e-3 (head), warm-up during the first tenth of the steps, then a cosine. The first 200 or 1,000 training images, plain, or mirrored at random and shifted by up to 6 pixels; three seeds each. Rates and epochs were chosen on 300 validation images; the table is of 1,000 test images, looked at once.
#
# | labels | plain | augmented | gain |
# |---|---|---|---|
# | 200 | 43.5 % (42.2–45.7) | 46.2 % (44.3–48.1) | 2.7 points |
# | 1,000 | 64.0 % (63.0–65.0) | 69.6 % (68.8–71.1) | 5.5 points |
#
# *Figure.* Accuracy over the number of labels, one line for plain and one for augmented, with bars from the smallest to the largest seed.
#
# *Finding.* Augmentation helps in both cases, and the claim is wrong: it helps more with 1,000 labels. With 200 the ranges even overlap.
#
# *Doubt.* With 20 epochs, 200 images make 80 steps, 1,000 make 400. Perhaps augmentation needs steps rather than labels: the network has to see many variants. Next I would give both the same number of steps. All runs share the same images, so the spread does not include the luck of which 200 were labelled; the Wilson interval of 46 % of 1,000 is 43 to 49 %. Drawn objects have no left and right; in photographs of text, mirroring would hurt.
#
# **Marking.** As in the table above; half points are allowed. A result that contradicts the claim is as good as one that supports it, if the text says so. Without several seeds: at most 1 point for the table, and 1 for the doubt. A frozen backbone wins with very few labels, with a task close to the source, or against fine-tuning done badly (rate too large, a random head on top, 32-pixel images whose last map is 1 × 1); fine-tuning wins with more labels or where the images differ from those of the source. A report that compares the two at different image sizes compares two things at once.
# ### END SOLUTION

# %% [markdown]
# ## What you have now
#
# You now have a recipe for pictures with few labels: cache the features of a backbone, train a probe, and you have a baseline within minutes. Then fine-tune with small steps, early stopping and a checkpoint. Test on images from where the system will work, and give the accuracy with its interval.
#
# **What the field does today.** Backbones are larger and trained without labels, on millions of images; DINOv2 is one of them, and a linear probe on its features beats many networks that were trained as a whole. **LoRA** freezes every weight matrix and learns a small correction of low rank, $W + BA$, with a hundredth of the parameters; your `freeze` and `parameter_groups` are half of it. And fine-tuning can do harm: it may distort features that a probe would have used better on images from elsewhere.
#
# - [How transferable are features in deep neural networks?](https://arxiv.org/abs/1411.1792) (Yosinski et al. 2014): which layers are general, and which are specific.
# - [Fine-tuning can distort pretrained features and underperform out-of-distribution](https://arxiv.org/abs/2202.10054) (Kumar et al. 2022): why the head is trained first.
# - [DINOv2: learning robust visual features without supervision](https://arxiv.org/abs/2304.07193) (Oquab et al. 2023): backbones to try next.
#
# A classifier cannot find a fault that nobody has labelled. You will learn how to do that in the fifth notebook.

# %%
# not run when graded
# Save the notebook first. This runs it in a fresh process, shows what is missing, and writes the
# zip to hand in; check.progress() shows how far you are in the whole course.
check.hand_in()
