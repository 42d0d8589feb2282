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
# **After this notebook you can** find defects without a single defect to train on (autoencoder, PaDiM, PatchCore), measure how well you find them and where, and choose a threshold without a defect.
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
from contextlib import contextmanager
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from scipy import ndimage, stats  # noqa: F401
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
# ## 1 · The parts, and two halves of the test set

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
# Where something below is chosen or learned with the help of defects (a threshold, a network that has seen masks), that happens on one half of the test set, and the other half measures. Each class is split separately. `learn` and `held_out` are lists of indices into `test`. (In `a7_few_labels` you write such a split yourself.)

# %% nbgrader={"grade": false, "grade_id": "learn_and_held_out", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
from sklearn.model_selection import train_test_split

halves = train_test_split(range(len(test.y)), test_size=0.5, stratify=test.y, random_state=0)
learn, held_out = (torch.tensor(sorted(half)) for half in halves)
for kind, name in enumerate(DEFECTS):
    both = [int((test.y[side] == kind).sum()) for side in (learn, held_out)]
    print("{:20}{:4} to learn from{:4} held out".format(name, *both))
print("{:20}{:4} {:17}".format("together", len(learn), len(held_out)))

# %% nbgrader={"grade": false, "grade_id": "one_thread", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
@contextmanager
def one_thread():
    """Compute with one thread: for small tasks, two threads only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


# %% nbgrader={"grade": false, "grade_id": "watch_block", "locked": true, "schema_version": 3, "solution": false, "task": false}
def number_of_parameters(model, *names):
    """Count the parameters of a model, or of a sub-module."""
    for name in names:
        model = getattr(model, name, None)
        if not isinstance(model, nn.Module):
            raise TypeError(f"{name} is no sub-module, no nn.Module")
    return sum(p.numel() for p in model.parameters())


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
