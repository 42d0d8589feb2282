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
# **After this notebook you can** find defects without a single defect to train on (autoencoder, PaDiM, PatchCore, self-supervised features), measure how well you do, and choose a threshold without a defect.
#
# **Time** about 6 hours · **Hardware** any laptop; a GPU helps with the photographs of MVTec AD only · **Points** 100: 85 for code and for your detector, graded by hidden checks, 5 for a written answer and 10 for a report of one page · **Hand in** the zip that the last cell writes: notebook and `detector.safetensors`
#
# | section | what you write | minutes |
# |---|---|---:|
# | Set-up, and 1 The parts | nothing yet | 10 |
# | 2 Good parts only | an autoencoder; PaDiM; PatchCore | 140 |
# | 3 How good is it? | the area under a curve, for AUROC and for per-region overlap | 45 |
# | 4 A threshold without defects | `false_alarm_threshold` | 25 |
# | 5 The detector that you hand in | `fit_detector`, `detect` | 45 |
# | 6 Which way, and why | a written answer | 15 |
# | 7 Your own experiment | a script, and a report of one page | 80 |
#
# The minutes include reading, predictions and waiting; those of a task are for the task alone.
#
# You may use all of `torch`, `scikit-learn` and `scipy`. Each task is followed by a **check**; when your work is graded, it runs on cases you have not seen. The grader skips cells that begin with `# not run when graded`: they load data, train or draw. Use this line in cells of your own. Graded functions must not need anything from such a cell.

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
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from tqdm.auto import tqdm

from autograder import Checker
from autograder.assignments.a5_anomaly_detection.lesson import plots, regions
from autograder.notebook.artifacts import load_artifact, save_artifact
from data_scripts import mvtec_ad, pretrained

check = Checker("a5_anomaly_detection")

# %%
REAL = False  # True: a category of MVTec AD, photographs; False: drawn parts
CATEGORY = "screw" if REAL else "capsule"  # drawn: "capsule" or "bottle"; real: any of the 15
BACKBONE = "mobilenet_v2" if REAL else "resnet_drawn"  # where pretrained features come from
STAGES = (1, 2) if REAL else (0, 1)  # which of its maps: 0 is the finest, and knows least
SIZE = 192  # pixels: images are squares of this side, a multiple of 32
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
check.set_up(DEVICE, f"{'real' if REAL else 'drawn'} parts: {CATEGORY}")

# %% [markdown]
# You work with parts drawn by this course: capsules with five types of defect, or bottles with three. `REAL = True` takes a category of MVTec AD, photographs of industrial parts (`python -m data_scripts.mvtec_ad` says how to get them). The training set holds good parts only. The test set holds good and defective parts, with a mask of each defect. `train` and `test` each have `X`, the images, (N, 3, 192, 192), `uint8`; `masks`, (N, 1, 192, 192), `bool`; and `y`, the classes, (N,), with 0 for good.

# %% [markdown]
# ## 1 · The parts
#
# One of each class, with its defect outlined:

# %% nbgrader={"grade": false, "grade_id": "load_parts", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
train, DEFECTS = mvtec_ad.load_parts(CATEGORY, "train", real=REAL, size=SIZE)
test, _ = mvtec_ad.load_parts(CATEGORY, "test", real=REAL, size=SIZE)
plots.one_of_each(test.X, test.masks, test.y, DEFECTS)

# %% [markdown]
# ## 2 · Good parts only
#
# On a production line, defects are rare, and come in types that nobody has thought of. Good parts are plentiful. So learn what *good* looks like, and call a part defective when it does not look like that. No detector of this notebook learns from a defect.
#
# ### An autoencoder
#
# An **autoencoder** squeezes an image through a narrow code and redraws it: $\hat x = d(e(x))$. Trained on good parts, it has to learn what they have in common: the code is too narrow for more. The hope is that it redraws a scratched part without the scratch, and the squared difference shows it.
#
# **Task** (20 min, medium). Build `Autoencoder`.
#
# - `encode(x)`: images (N, 3, 96, 96), `float32` in 0…1, to a code: one tensor, with N as its first size. The code of an image has **at most a sixteenth** of the image's numbers: 1,728 of 27,648.
# - `decode(code)`: images (N, 3, 96, 96) again, in 0…1 whatever the weights are.
# - `forward(x)` is `decode(encode(x))`: nothing bypasses the code.
# - In evaluation mode the same image gives the same answer, alone or among others.
# - There are at most 400,000 parameters, all of which affect the output.
# - `Autoencoder()` needs no arguments, and works in `float64` after `.double()`.
#
# The check moves all weights at random and looks at what the network does (`check.show_code("autoencoder_structure")`).
#
# <details><summary>Hint 1: down</summary>Give the layers names of their own, such as <code>self.encoder</code>: <code>encode</code> and <code>decode</code> are methods. Four convolutions with stride 2 bring 96 pixels to 6. With 32 channels there, the code has 32 · 6 · 6 = 1,152 numbers.</details>
# <details><summary>Hint 2: up</summary><code>nn.ConvTranspose2d(channels_in, channels_out, 4, stride=2, padding=1)</code> doubles height and width.</details>

# %% nbgrader={"grade": false, "grade_id": "Autoencoder", "locked": false, "schema_version": 3, "solution": true, "task": false}
class Autoencoder(nn.Module):
    """An autoencoder for images (N, 3, 96, 96) in 0..1 with a code of at most 1,728 numbers."""

    def __init__(self):
        super().__init__()
        ### BEGIN SOLUTION

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
        ### END SOLUTION

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        ### BEGIN SOLUTION
        return self.encoder(x)
        ### END SOLUTION

    def decode(self, code: torch.Tensor) -> torch.Tensor:
        ### BEGIN SOLUTION
        return self.decoder(code).sigmoid()
        ### END SOLUTION

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        ### BEGIN SOLUTION
        return self.decode(self.encode(x))
        ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "autoencoder_structure", "locked": true, "points": 9, "schema_version": 3, "solution": false, "task": false}
check.public("autoencoder_structure", Autoencoder)
### BEGIN HIDDEN TESTS
check.hidden("autoencoder_structure", Autoencoder)
### END HIDDEN TESTS

# %% [markdown]
# The squared error of a reconstruction is the heat map. A single pixel is noise, so `error_maps` averages over small squares. You will need `train_autoencoder` again in section 7.

# %% nbgrader={"grade": false, "grade_id": "error_maps", "locked": true, "schema_version": 3, "solution": false, "task": false}
@torch.no_grad()
def error_maps(model: nn.Module, x: torch.Tensor, cell: int) -> torch.Tensor:
    """Average a model's squared error over squares of x (N, 3, H, W): (N, H / cell, W / cell)."""
    model.eval()
    squares = (model(x) - x).square().mean(dim=1, keepdim=True)  # (N, 1, H, W)
    return F.avg_pool2d(squares, cell)[:, 0]


def train_autoencoder(images, steps=500, seed=0, damage=None):
    """Train on images (N, 3, 96, 96) in 0..1, to redraw them, or to repair damage(images)."""
    torch.manual_seed(seed)
    model = Autoencoder().to(DEVICE)
    optimiser = torch.optim.Adam(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps)
    for _ in tqdm(range(steps), desc="autoencoder, steps"):
        batch = images[torch.randperm(len(images))[:16]].to(DEVICE)
        loss = F.mse_loss(model(damage(batch) if damage else batch), batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    print(f"mean squared error of the last batch {loss.item():.5f}")
    return model.eval()

# %% [markdown]
# **Predict first.** Which type of defect will the autoencoder remove, and which will it redraw? Where will a *good* part have a large error? *My prediction:* …
#
# (The next cell trains for one to two minutes on a CPU.)

# %% nbgrader={"grade": false, "grade_id": "train_autoencoder", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
def at_96(X):
    """Return images, uint8, as float32 in 0..1 at 96 pixels."""
    return F.interpolate(X.float() / 255, 96, mode="bilinear", antialias=True)


x = at_96(train.X)
autoencoder = train_autoencoder(x)
autoencoder_maps = error_maps(autoencoder, at_96(test.X).to(DEVICE), 2).cpu()  # (N, 48, 48)

# %% nbgrader={"grade": false, "grade_id": "draw_autoencoder", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
examples = [int((test.y == kind).nonzero()[2]) for kind in range(len(DEFECTS))]
with torch.no_grad():
    drawings = autoencoder(at_96(test.X[examples]).to(DEVICE)).cpu()
plots.drawings(at_96(test.X[examples]), drawings, autoencoder_maps[examples],
               [DEFECTS[kind] for kind in test.y[examples].tolist()])  # fmt: skip

# %% [markdown]
# How to read it: each column is a part, with the reconstruction in the middle and the squared error below. Where a defect is missing from the reconstruction, the error should be bright. Look for two disappointments: a defect that is partly redrawn (in our runs the outline of a squeezed capsule), and edges and prints of good parts that are as bright as a faint scratch or a wrong print, because a blurred reconstruction misses every edge by a little.
#
# ### Pretrained features
#
# An autoencoder compares pixels. But there are networks that have already learned to see: `resnet_drawn` was trained on drawn shapes, textures and colours. The last layers of a classifier have thrown away everything that does not matter for naming an object, such as a scratch. The first layers still describe edges, colours and textures. Two of them give 96 numbers for every 4th pixel in each direction; the mean over 3 × 3 positions turns a position into a **patch**.

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

# %% nbgrader={"grade": false, "grade_id": "features_of_parts", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
train_features, test_features = patch_features(train.X), patch_features(test.X)
N, C, H, W = train_features.shape
print(f"{N} good parts, {C} features at each of {H} × {W} places: "
      f"{train_features.nbytes / 1e6:.0f} MB")  # fmt: skip

# %% [markdown]
# ### PaDiM: a Gaussian at each position
#
# *Is this usual here?* At one position, every good part has its 96 numbers. PaDiM (Defard et al., 2021) fits a Gaussian to them, and asks how far a new part is from it. With the features $x_1, …, x_N$ of N good images at the position:
#
# $$\mu = \frac{1}{N} \sum_n x_n \qquad \Sigma = \frac{1}{N - 1} \sum_n (x_n - \mu)(x_n - \mu)^\top + \epsilon I$$
#
# Directions in which good parts vary much should count less. That is the **Mahalanobis distance** $\sqrt{(x - \mu)^\top \Sigma^{-1} (x - \mu)}$: in one dimension, the number of standard deviations.
#
# You do not need the inverse, which is less accurate. Every symmetric positive definite matrix is $\Sigma = L L^\top$ with a lower triangular **Cholesky factor** $L$, and then
#
# $$(x - \mu)^\top (L L^\top)^{-1} (x - \mu) = \lVert z \rVert^2 \quad \text{with} \quad L z = x - \mu$$
#
# What is $\epsilon$ for? With fewer images than channels there are directions in which good parts do not vary *at all*. Without $\epsilon$, the slightest step there would be infinitely far.
#
# **Task** (25 min, medium). Write `fit_gaussians`.
#
# - It returns the means (C, H, W) and the factors (H, W, C, C): lower triangular, with zeros above the diagonal and positive numbers on it.
# - Dtype and device are those of the features, `float32` or `float64`. N ≥ 2 and ε > 0.
# - The features are not modified. A loop over positions is allowed, but about 100 times slower.
#
# Subtract the mean before you multiply: $E[x^2] - E[x]^2$ loses most of its digits in `float32` if means are several hundred.
#
# <details><summary>Hint 1: all positions at once</summary><code>torch.linalg</code> works on the last two dimensions: <code>permute(2, 3, 1, 0)</code> turns (N, C, H, W) into (H, W, C, N).</details>
# <details><summary>Hint 2: the factor</summary>With deviations D (…, C, N), the sum of products is <code>D @ D.mT</code>. <code>torch.linalg.cholesky</code> factors a matrix.</details>

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

# %% nbgrader={"grade": true, "grade_id": "gaussians_fit", "locked": true, "points": 11, "schema_version": 3, "solution": false, "task": false}
check.public("gaussians_fit", fit_gaussians)
### BEGIN HIDDEN TESTS
check.hidden("gaussians_fit", fit_gaussians)
### END HIDDEN TESTS

# %% [markdown]
# **Task** (20 min, medium). Write `mahalanobis`. From features (n, C, H, W) of any number of images, and the means and factors of `fit_gaussians`, it computes distances (n, H, W).
#
# - Return distances, not their squares, with the dtype of the features.
# - Add nothing more to the covariance.
# - Some Gaussians of the check are a thousand times as wide as they are high: do not compute in a lower precision than that of the features.
#
# <details><summary>Hint: many right sides</summary><code>torch.linalg.solve_triangular(L, B, upper=False)</code> solves for all columns of B at once: bring the deviations to (H, W, C, n).</details>

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

# %% nbgrader={"grade": true, "grade_id": "gaussians_distance", "locked": true, "points": 9, "schema_version": 3, "solution": false, "task": false}
check.public("gaussians_distance", mahalanobis)
### BEGIN HIDDEN TESTS
check.hidden("gaussians_distance", mahalanobis)
### END HIDDEN TESTS

# %% [markdown]
# Now fit it, and look at the test. The score of an image is the largest value of its map. **AUROC** is the probability that a defective part has a higher score than a good one (section 3; until you have written it, scikit-learn's will do).
#
# **Predict first.** PaDiM has never seen a defect. What is its AUROC for images, and which defect type stays darkest? *My prediction:* …

# %% nbgrader={"grade": false, "grade_id": "padim", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
from sklearn.metrics import roc_auc_score

defective = test.y > 0
mean, factor = fit_gaussians(train_features, 0.01)
padim_maps = mahalanobis(test_features, mean, factor)
padim_auroc = roc_auc_score(defective, padim_maps.amax(dim=(1, 2)))
print(f"PaDiM: image AUROC {padim_auroc:.3f}; the factors take {factor.nbytes / 1e6:.0f} MB")
for kind, name in list(enumerate(DEFECTS))[1:]:  # against the good ones
    rows = (test.y == 0) | (test.y == kind)
    ranked = roc_auc_score(defective[rows], padim_maps[rows].amax(dim=(1, 2)))
    print(f"{name:18}{ranked:.3f}")
shown = [int((test.y == kind).nonzero()[0]) for kind in range(len(DEFECTS))]  # one of each class
titles = [DEFECTS[test.y[i]] for i in shown]
plots.heat_maps(test.X[shown], test.masks[shown], {"PaDiM": padim_maps[shown]}, titles)

# %% [markdown]
# How to read it: bright means far from what is usual at that position; the line is the outline of the true defect. For the drawn capsules we measured an AUROC of 0.98, for the bottles 0.998. The print is hardest to find, then the squeezed part.
#
# ### PatchCore: a memory of good patches
#
# *Have I seen this anywhere?* If the parts lie in any orientation, there is no *here*. PatchCore (Roth et al., CVPR 2022) keeps the patches of all good images in one **memory bank**, and the score of a new patch is its distance to the nearest one in the bank.
#
# The difficulty is the size. 219 good parts are 504,576 patches, and 132 test images 304,128. The table of all distances between the two would take 614 GB. So you need a small bank, and a search that never holds more than a slice of the table.
#
# #### A coreset
#
# A random choice keeps a thousand patches of background, and perhaps none of the print. You want *every* patch to have a chosen one nearby. So begin with any patch, then always take the one that is **farthest from all that are chosen**. The largest distance from a patch to its nearest chosen one is then at most twice the smallest possible.
#
# **Task** (20 min, medium). Write `greedy_coreset`.
#
# - It returns the indices (`size`,) of the chosen patches, `int64`, in the order in which they are chosen: `first`, then each time the patch with the largest Euclidean distance to the nearest chosen one.
# - If several are equally far, take the lowest index.
# - `size` is at least 1, and not larger than the number of different patches.
# - The check measures memory: at no time may more than a quarter of the table of all pairs be in use. You need only one column of it.
#
# <details><summary>Hint: what to remember</summary>For each patch, its distance to the nearest chosen one. A new choice can only make it smaller: <code>torch.minimum</code>.</details>

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

# %% nbgrader={"grade": true, "grade_id": "coreset", "locked": true, "points": 9, "schema_version": 3, "solution": false, "task": false}
check.public("coreset", greedy_coreset)
### BEGIN HIDDEN TESTS
check.hidden("coreset", greedy_coreset)
### END HIDDEN TESTS

# %% [markdown]
# #### The search
#
# **Task** (20 min, medium). Write `nearest_patches`: for each query (Q, C), the `k` nearest patches of the bank (M, C) by Euclidean distance.
#
# - **Result.** Return their distances (Q, k), smallest first, in the dtype of the queries, and their indices in the bank (Q, k), `int64`. 1 ≤ k ≤ M.
# - **Memory.** Compute the table for at most `chunk` queries at a time, and free what you do not need. Q need not be a multiple of `chunk`, which may also be larger than Q. The check measures a case with a few hundred queries and `chunk` = 2: at no time may more than a sixth of the whole table be in use.
# - **Accuracy.** Relative errors up to 10⁻⁶ are fine in `float64` and 10⁻³ in `float32`. A query may also be in the bank, at distance 0: in `float64`, up to 3 · 10⁻⁶ is accepted. (With more than 25 patches `cdist` multiplies matrices and loses digits. In `float32` it may say 0.01 instead of 0, which does no harm here.)
#
# <details><summary>Hint 1: three functions</summary><code>queries.split(chunk)</code>, <code>torch.cdist(part, bank)</code> and <code>topk(k, largest=False)</code>.</details>
# <details><summary>Hint 2: the nearest one is missing</summary>With |q|² + |m|² − 2 q·m, rounding can make a square of −10⁻¹⁵. Its root is NaN, which <code>topk</code> and <code>sort</code> put last. <code>clamp(min=0)</code> before the root.</details>
# <details><summary>Hint 3: I split, but memory still grows</summary>A view keeps its base tensor alive. <code>values[:, :k]</code> keeps all of <code>values</code> in memory; its <code>.clone()</code> does not.</details>

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

# %% nbgrader={"grade": true, "grade_id": "nearest_patch_values", "locked": true, "points": 9, "schema_version": 3, "solution": false, "task": false}
check.public("nearest_patch_values", nearest_patches)
### BEGIN HIDDEN TESTS
check.hidden("nearest_patch_values", nearest_patches)
### END HIDDEN TESTS

# %% [markdown]
# Now fill the banks, from 30,000 patches drawn at random. The greedy choice works on a random projection to 16 dimensions, which roughly keeps the distances.
#
# **Predict first.** Order these four banks by their AUROC: 300 patches at random, 3,000 at random, a coreset of 300, a coreset of 3,000. *My prediction:* …

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
    score = roc_auc_score(defective, bank_maps[name].amax(dim=(1, 2)))
    megabytes = bank.nbytes / 1e6, CHUNK * len(bank) * bank.element_size() / 1e6
    print(f"{name:18}{megabytes[0]:10.2f}{megabytes[1]:12.1f}{seconds:12.1f}{score:13.3f}")
patchcore_maps = bank_maps["coreset of 3,000"]

# %% nbgrader={"grade": false, "grade_id": "compare_maps", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
both = {"PaDiM": padim_maps[shown], "PatchCore": patchcore_maps[shown]}
plots.heat_maps(test.X[shown], test.masks[shown], both, titles)

# %% [markdown]
# How to read it: the same number of patches finds far more defects if it was chosen greedily. For the drawn capsules we measured 0.67 for 300 at random and 0.88 for a coreset of 300, which also beats 3,000 at random (0.80). The coreset begins with the rare patches.
#
# PaDiM is still ahead of a coreset of 3,000: 0.98 against 0.93. The difference is the *position*. A squeezed capsule shows background and an edge where there should be capsule. PatchCore has both in its bank, and nothing tells it that they do not belong *there*.
#
# Now move every part by a few positions, differently for each image, in training and in test. (We roll the maps of features, which takes no time, and leave out PatchCore, for which nothing changes: a map that is rolled has the same patches.)
#
# **Predict first.** What will PaDiM's 0.98 become when the capsules lie up to 16 pixels off, and up to 32? *My prediction:* …

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
# How to read it: PaDiM falls from 0.98 to about 0.7 for capsules that lie up to 32 pixels off. At each position it has now seen everything. PatchCore still has its 0.93.
#
# For parts in a holder, use PaDiM; for others, PatchCore.

# %% [markdown]
# ### Features without labels
#
# `resnet_drawn` has learned from labels. **CutPaste** (Li et al. 2021) needs none: cut a piece out of a good image, paste it elsewhere, and train a classifier to tell pasted from good. Then keep the 64 numbers before its last layer, the **embedding**. Your `fit_gaussians` and `mahalanobis` do the rest: an embedding is a feature map of 1 × 1 position. One Gaussian is fitted to the good images, and the distance from it is the score.
#
# **Predict first.** The classifier will tell nearly all pasted images from good ones. What is the AUROC of its embeddings for the real defects, against PaDiM's 0.98? *My prediction:* …
#
# (Training takes about 20 seconds.)

# %% nbgrader={"grade": false, "grade_id": "cut_paste", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
def cut_paste(images):
    """Paste a piece of each image (N, 3, 96, 96) elsewhere, in a slightly different colour."""
    pasted = images.clone()
    for given, image in zip(images, pasted, strict=True):
        h, w = torch.randint(4, 25, (2,)).tolist()
        (y, v), (x, u) = torch.randint(97 - h, (2,)).tolist(), torch.randint(97 - w, (2,)).tolist()
        piece = given[:, v : v + h, u : u + w] + 0.15 * torch.randn(3, 1, 1).to(given)
        image[:, y : y + h, x : x + w] = piece.clamp(0, 1)
    return pasted


torch.manual_seed(0)
layers = []
for inputs, outputs in ((3, 16), (16, 32), (32, 64), (64, 64)):
    convolution = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False)
    layers += [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]
embed = nn.Sequential(*layers, nn.AdaptiveMaxPool2d(1), nn.Flatten()).to(DEVICE)  # (N, 64)
head = nn.Linear(64, 2).to(DEVICE)

# %% nbgrader={"grade": false, "grade_id": "train_on_pasted", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
optimiser, steps = torch.optim.Adam([*embed.parameters(), *head.parameters()]), 400
schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps)
is_pasted, right = torch.arange(2, device=DEVICE).repeat_interleave(16), []
for _ in tqdm(range(steps), desc="good or pasted, steps"):
    batch = x[torch.randperm(len(x))[:16]].to(DEVICE)
    answers = head(embed(torch.cat([batch, cut_paste(batch)])))
    loss = F.cross_entropy(answers, is_pasted)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    schedule.step()
    right.append((answers.argmax(dim=1) == is_pasted).float().mean().item())
embed.eval()
with torch.no_grad():
    good, new = (embed(at_96(part.X).to(DEVICE)).cpu()[:, :, None, None] for part in (train, test))
scores = mahalanobis(new, *fit_gaussians(good, 0.01))[:, 0, 0]
print(f"good or pasted: {sum(right[-50:]) / 50:.0%} right in the last 50 steps; "
      f"real defects: AUROC {roc_auc_score(defective, scores):.3f}")  # fmt: skip
names = [name if kind == 0 else f"defective: {name}" for kind, name in enumerate(DEFECTS)]
plots.score_strips({name: scores[test.y == kind] for kind, name in enumerate(names)},
                   {"largest of good": scores[test.y == 0].max().item()})  # fmt: skip

# %% [markdown]
# How to read it: the dots are test images. The classifier is right for 98 % of good and pasted images, and yet we measured an AUROC of 0.55 and 0.59 for the real defects, in two runs. It has learned to see straight edges and steps in colour, not what a capsule looks like. Features help as far as the made-up task resembles the defects. (The paper trains a deeper network for longer.)

# %% [markdown]
# ## 3 · How good is it?
#
# Does a detector tell defective *parts* from good ones, and does it find the defective *pixels*? The score of a part is the largest value of its map.

# %% nbgrader={"grade": false, "grade_id": "image_scores", "locked": true, "schema_version": 3, "solution": false, "task": false}
def image_scores(maps: torch.Tensor) -> torch.Tensor:
    """Take the largest value of each map (N, h, w): scores (N,)."""
    return maps.flatten(1).amax(dim=1)


def at_full_size(maps: torch.Tensor, size: int) -> torch.Tensor:
    """Enlarge maps (N, h, w), bilinearly, to (N, size, size)."""
    larger = F.interpolate(maps[:, None], (size, size), mode="bilinear", align_corners=False)
    return larger[:, 0]

# %% [markdown]
# Two measures answer these questions, and both are the area under a curve. Let a threshold $t$ fall through *every distinct value* of the scores. What scores **at least** $t$ is called defective. To the right goes the share of the good that is called defective, the false alarms; upwards, the share of the defective that is found. The points, joined by straight lines, make a curve that begins at (0, 0), where $t$ is above everything, and ends at (1, 1).
#
# **AUROC.** Count parts. The area is **the probability that a defective part scores higher than a good one**, when both are drawn at random, and a tie counts half:
#
# $$\text{AUROC} = \frac{1}{n_+ n_-} \sum_{i \text{ defective}}\ \sum_{j \text{ good}} \Big( [s_i > s_j] + \tfrac12\, [s_i = s_j] \Big)$$
#
# **Per-region overlap**, PRO (Bergmann et al. 2019). Pixels can be ranked in the same way, but then one large crack can be worth more than fifty small holes. So count defects. A **region** is a connected component of one image's mask; pixels that touch at a side or at a corner are connected. The *overlap* of a region is the share of its pixels that are called defective. Upwards goes the mean overlap of all regions of all images, whatever their size. To the right goes the share of all good pixels, in defective images and in good ones. The area is taken up to a `limit` only, since nobody can work with many false alarms, and divided by it.
#
# One function computes both, with weights. For the AUROC each part weighs 1; for PRO, each defective pixel weighs 1 / (pixels of its region).
#
# **Task** (35 min, hard). Write `area_under_curve`.
#
# - `values` (P,) are `float32` or `float64`, finite, in any range. Only equal values tie: two that differ by 10⁻⁹ are different.
# - `good` and `defective` (P,), `float64`, are weights. For each value one of them is positive and the other is 0, and each has a positive sum.
# - With threshold $t$, $x$ is the share of the sum of `good` that belongs to values of at least $t$, and $y$ that of `defective`.
# - Return the area under the curve from $x = 0$ to `limit`, divided by `limit`, where 0 < `limit` ≤ 1. If the limit falls between two points, cut the line between them there. A vertical rise at the limit itself adds no area.
# - The result is a Python number or a tensor of shape (). Leave the inputs as they are.
#
# A first test: if all values are equal, the result is `limit` / 2. Below you will call it with a million pixels: sort once and add up.
#
# <details><summary>Hint 1: a sum instead of thresholds</summary>Sort everything by value, the largest first. Then x and y are cumulative sums of the weights, each divided by its last entry.</details>
# <details><summary>Hint 2: equal values</summary>Only the last entry of a group of equal values in the cumulative sums is a point of the curve.</details>
# <details><summary>Hint 3: the limit</summary><code>np.interp(limit, x, y)</code> reads the height at the limit. Keep the points with <code>x &lt;= limit</code>, append this one, and call <code>torch.trapezoid(y, x)</code> with tensors.</details>

# %% nbgrader={"grade": false, "grade_id": "area_under_curve", "locked": false, "schema_version": 3, "solution": true, "task": false}
def area_under_curve(
    values: torch.Tensor, good: torch.Tensor, defective: torch.Tensor, limit: float
) -> float:
    """Compute the area under the curve of what is found over the false alarms, up to a limit.

    values (P,) are scores; good and defective (P,), float64, are weights, one of which is 0.
    The area from 0 to `limit` is divided by `limit`.
    """
    ### BEGIN SOLUTION
    values, order = values.sort(descending=True)
    x, y = (weights[order].cumsum(dim=0) / weights.sum() for weights in (good, defective))
    last = torch.cat([values[1:] != values[:-1], torch.tensor([True])])  # of equal values
    curve = F.pad(torch.stack([x, y])[:, last], (1, 0))  # begins at (0, 0)
    end = torch.tensor([limit, np.interp(limit, *curve)], dtype=torch.float64)
    x, y = torch.cat([curve[:, curve[0] <= limit], end[:, None]], dim=1)
    return (torch.trapezoid(y, x) / limit).item()
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "auroc_values", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}
check.public("auroc_values", area_under_curve)
### BEGIN HIDDEN TESTS
check.hidden("auroc_values", area_under_curve)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "region_overlap_values", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}
check.public("region_overlap_values", area_under_curve)
### BEGIN HIDDEN TESTS
check.hidden("region_overlap_values", area_under_curve)
### END HIDDEN TESTS

# %% [markdown]
# These are the two measures. `regions.weights(masks)` numbers the connected components of each mask, and gives every defective pixel its weight.

# %% nbgrader={"grade": false, "grade_id": "measures", "locked": true, "schema_version": 3, "solution": false, "task": false}
def auroc(scores: torch.Tensor, labels: torch.Tensor) -> float:
    """Compute the AUROC of scores (N,) for labels (N,): 0 or False for good, 1 or True."""
    return float(area_under_curve(scores, (labels == 0).double(), (labels == 1).double(), 1.0))


def region_overlap(maps: torch.Tensor, masks: torch.Tensor, limit: float = 0.3) -> float:
    """Compute the PRO up to `limit` of maps (N, H, W) for masks (N, H, W), bool."""
    values, weights = maps.flatten(), regions.weights(masks).flatten()
    return float(area_under_curve(values, (weights == 0).double(), weights, limit))

# %% nbgrader={"grade": false, "grade_id": "compare_pixels", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
MAPS = {"autoencoder": autoencoder_maps, "PaDiM": padim_maps, "PatchCore": patchcore_maps}
half_masks = test.masks[:, 0, ::2, ::2].contiguous()  # every second row and column
print(f"{'':12}{'AUROC of images':>16}{'AUROC of pixels':>17}{'PRO':>8}")
for name, maps in MAPS.items():
    large = at_full_size(maps.cpu(), SIZE)[:, ::2, ::2].contiguous()
    ranked = auroc(image_scores(maps.cpu()), defective)
    pixels = auroc(large.flatten(), half_masks.flatten())
    print(f"{name:12}{ranked:16.3f}{pixels:17.3f}{region_overlap(large, half_masks):8.3f}")

# %% [markdown]
# How to read it: the pixel AUROC is high for all of them. One good part of 23 that scores above all defective parts instead of below costs 0.043 in the first column.
#
# ### A detector that misses half of the regions
#
# Here are two detectors, constructed from the true masks. *Large only* marks the larger half of all regions, and nothing of the smaller half. *A bit of each* marks half of the pixels of every region. Everything else is noise.
#
# **Predict first.** Which of the two has the higher pixel AUROC, and which the higher PRO? *My prediction:* …

# %% nbgrader={"grade": false, "grade_id": "made_up_detectors", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
weights, noise = regions.weights(half_masks), torch.Generator().manual_seed(0)
sizes = regions.sizes(half_masks)  # of all regions, in pixels
middle = np.median(sizes)
print(f"{len(sizes)} regions of {min(sizes)} to {max(sizes)} pixels, half of them up to {middle:g}")
large = (weights > 0) & (weights < 1 / middle)
nothing = int((half_masks.flatten(1).any(dim=1) & ~large.flatten(1).any(dim=1)).sum())
print(f"large only: {nothing} of {int(defective.sum())} defective parts have nothing marked")
made_up = {
    "large only": large,
    "a bit of each": half_masks & (torch.rand(half_masks.shape, generator=noise) < 0.5),
}
for name, marked in made_up.items():
    maps = marked + torch.rand(half_masks.shape, generator=noise)
    share = (marked.sum() / half_masks.sum()).item()
    ranked, pro = auroc(maps.flatten(), half_masks.flatten()), region_overlap(maps, half_masks)
    print(f"{name:15} marks {share:4.0%} of the pixels: AUROC {ranked:.3f}, PRO {pro:.3f}")

# %% [markdown]
# How to read it: with the capsule, *large only* had a pixel AUROC of 0.961 and a PRO of 0.556, *a bit of each* 0.750 and 0.576. The larger half of the regions has 92 % of the defective pixels. These win against every good pixel, and the others half of the time: 0.92 · 1 + 0.08 · ½ = 0.96. By the AUROC, the detector that misses half of the regions, and in 14 parts everything, is by far the better one. So "pixel AUROC 0.96" does not mean that 96 % of the defects are found.
#
# PRO has its price too. The smallest regions here are single pixels, specks beside a larger defect, and each counts as much as the largest region, which has 508.

# %% [markdown]
# ## 4 · A threshold without defects
#
# You must choose a threshold, and there are no defects to choose it with. But you can make a promise about good parts: *at most so many of them raise a false alarm*. (To read more, look for **conformal prediction**.)
#
# **Task** (15 min, easy). Write `false_alarm_threshold`. An image raises an alarm if its score is **greater than** the threshold.
#
# - `scores` (N,) are the scores of good images, N ≥ 1, `float32` or `float64`, in any order, and 0 ≤ `rate` < 1.
# - At most `rate` · N of these images may raise an alarm. (Whether 0.29 · 100 is 29 or 28.999… is not tested.) If `rate` · N is less than 1, none may.
# - Return the smallest *of the scores* that can be the threshold, with all its digits, as a Python number or a tensor of shape ().
#
# <details><summary>Hint: how many</summary>With 44 images and a rate of 0.05, 2.2 images may raise an alarm: that is 2. Which score has exactly two above it?</details>

# %% nbgrader={"grade": false, "grade_id": "false_alarm_threshold", "locked": false, "schema_version": 3, "solution": true, "task": false}
def false_alarm_threshold(scores: torch.Tensor, rate: float) -> float:
    """Find the smallest of the scores (N,) that at most rate * N of them exceed."""
    ### BEGIN SOLUTION
    ascending = scores.sort().values
    alarms = math.floor(rate * len(scores))
    return ascending[len(scores) - 1 - alarms].item()
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "false_alarm_values", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
check.public("false_alarm_values", false_alarm_threshold)
### BEGIN HIDDEN TESTS
check.hidden("false_alarm_values", false_alarm_threshold)
### END HIDDEN TESTS

# %% [markdown]
# The training images are a trap: the Gaussians were fitted to them, so they lie closer to the mean than any new part will. Set a fifth of them aside, and compare.
#
# **Predict first.** A threshold promises 5 % false alarms. How many of the 23 good test parts will raise one, if it comes from the images that the Gaussians were fitted to? *My prediction:* …

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
# How to read it: each dot is an image. We measured: the threshold from the fitted parts promises 5 % false alarms and gives 10 of 23 for the capsule. The threshold from the parts set aside gives 3 of 23.
#
# Is 3 of 23 a broken promise? No. With few images you cannot promise much:
#
# - If $k$ of N good images exceed the threshold, the next good part does so with probability $(k + 1)/(N + 1)$ on average: for $k = 2$ of 43 that is 6.8 %.
# - *Your* threshold may be unlucky. If the true rate is $p$, the probability of no alarm among N good parts is $(1 - p)^N$, which is 5 % at $p \approx 3/N$. To be 95 % sure of at most 1 %, you need **300 good parts**, none of which raises an alarm.

# %% [markdown]
# ## 5 · The detector that you hand in
#
# Your detector has to fit into the camera's computer: **one megabyte**, 1,000,000 bytes of tensors. It is for drawn capsules. If it uses a backbone, use `patch_features(images, "resnet_drawn", (0, 1))`: only that one is available when your notebook is graded.
#
# **Task** (40 min, hard; 16 points, depending on what it finds). Write two functions.
#
# - `fit_detector(good)` gets the good capsules of the training set (N, 3, 192, 192), `uint8`, and returns a dictionary with any tensors you like. It runs on your machine only; its result is saved in `detector.safetensors`, **which you hand in with the notebook**.
# - `detect(images, detector)` gets images (n, 3, 192, 192), `uint8`, and that dictionary, and returns maps (n, h, w), `float32`, finite, of a size you choose: the larger a number, the more defective the part looks at that position. It takes at most seconds for a hundred images. Its only data are these two arguments and the backbone; it may call your other functions.
#
# The check enlarges your maps to 48 × 48 positions. The score of a capsule is the largest number of its map. A position is defective if one of its 4 × 4 pixels is.
#
# | 65 hidden capsules, 45 of them defective | pass: half of the points | good: 80 % | excellent: all |
# |---|---:|---:|---:|
# | 8 points: image AUROC | 85 % | 92 % | 94.5 % |
# | 8 points: pixel AUROC, 48 × 48 positions each | 93 % | 95 % | 96.5 % |
#
# A full PaDiM has 98 % and takes 85 megabytes; the autoencoder of section 2 passes neither row (at 48 × 48 positions its pixel AUROC is about 0.91, lower than in section 3). Keep what matters: fewer positions, fewer features, fewer bits, or a coreset. How small can it be? The graded result may differ from yours by two points.
#
# <details><summary>Hint 1: where the megabytes are</summary>The factors of C features take C² numbers for each position. With C = 96 and 48 · 48 positions these are 21 million. Which of the two would you rather cut, and how often can you halve each before the AUROC falls?</details>
# <details><summary>Hint 2: fewer features</summary>Some of the 96 at random, as the authors of PaDiM do; or better, the principal components: the last columns of <code>torch.linalg.eigh(covariance)[1]</code>.</details>
# <details><summary>Hint 3: half precision</summary><code>.half()</code>, and <code>.float()</code> before you compute.</details>

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

# %% nbgrader={"grade": true, "grade_id": "detector_images", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}
check.public("detector_images", detect)
### BEGIN HIDDEN TESTS
check.hidden("detector_images", detect)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "detector_pixels", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}
check.public("detector_pixels", detect)
### BEGIN HIDDEN TESTS
check.hidden("detector_pixels", detect)
### END HIDDEN TESTS

# %% [markdown]
# ## 6 · Which way, and why
#
# **Question** (5 points). A plant makes 2,000 parts a day. In the first month it has collected 3,000 good photographs and 9 defective ones, of 4 types, without masks. Do you train a detector on good parts only, a classifier of defect types (a7) or a network that predicts masks (a8)? And after a year? *A full answer names the approach and what it is trained on; says what the 9 defective parts are for; and says what has to be collected or labelled during the year, and what for. A number from your own tables is worth more than an adjective.* (about 13 min)

# %% [markdown] nbgrader={"grade": true, "grade_id": "which_setting", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer.** Anomaly detection on good parts only: PaDiM if the parts always lie the same way, PatchCore if they do not, on pretrained features, trained with about 2,500 of the good photographs. Nine defects of four types are too few to train a classifier or a segmenter (some types occur once or twice), and the types of the coming months are not among them. The nine, with the other 500 good ones, are for testing: the good ones set the threshold at a false-alarm rate (1 % of 2,000 parts are 20 alarms a day), the defective ones say, roughly, whether anything is found at all (9 of 9 still leaves an interval that begins at 70 %).
#
# During the year somebody looks at every alarm: so the types of defect are labelled, and masks can be drawn in the regions that were found. With some dozens of a frequent type, a classifier (balanced or focal loss, pretrained) can name the types, or a U-Net can find their outlines. The anomaly detector stays for whatever is new.
#
# **Marking.** 1½ points: trained on good parts only, with a reason from the numbers (½ without). 1 point: the nine are kept for testing, not for training. 1½ points: what is collected and labelled, and what for. 1 point: supervised methods are added when there are enough examples of a type.
# ### END SOLUTION

# %% [markdown]
# ## 7 · Your own experiment
#
# Choose a question, or ask another one:
#
# - Does an autoencoder find more defects if it learns to *remove* something, such as noise, or a pasted piece (`cut_paste`)? Pass it to `train_autoencoder` as `damage`.
# - Does a narrower code find more, or longer training?
# - How many good parts does an autoencoder need?
#
# If anything is chosen by looking at defects, choose it on one half of the test set, `learn`, and measure on the other, `held_out`. Both are lists of indices into `test`.

# %% nbgrader={"grade": false, "grade_id": "learn_and_held_out", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
learn, held_out = mvtec_ad.halves(test.y)
for name, half in (("learn", defective[learn]), ("held_out", defective[held_out])):
    print(f"{name:9}{int((~half).sum()):4} good {int(half.sum()):4} defective")

# %% [markdown]
# **Task** (45 min, open, no check). Write the script in the cell below; add cells if you like.
#
# - Change one thing, and keep all the others. Run each setting with at least three seeds. `train_autoencoder` takes one to two minutes: plan for it. A dozen good parts are few: one of them can move the AUROC by 0.08, which the spread over seeds does not show.
# - Report what you measure on `held_out`.
# - Write one line per run to `runs.csv`: setting, seed, AUROC, seconds.
#
# **Predict first**, in the first line of your report.

# %% nbgrader={"grade": false, "grade_id": "own_experiment", "locked": false, "schema_version": 3, "solution": true, "task": false}
# not run when graded
### BEGIN SOLUTION
import csv

new = at_96(test.X[held_out]).to(DEVICE)
with open("runs.csv", "w", newline="") as file:
    lines = csv.writer(file)
    lines.writerow(["damage", "seed", "image AUROC", "seconds"])
    for name, damage in {"none": None, "pasted": cut_paste}.items():
        for seed in range(3):
            start = time.perf_counter()
            maps = error_maps(train_autoencoder(x, 150, seed, damage), new, 2).cpu()
            found = auroc(image_scores(maps), defective[held_out])
            lines.writerow([name, seed, found, time.perf_counter() - start])
print(Path("runs.csv").read_text())
### END SOLUTION

# %% [markdown]
# **Report** (10 points). 150 to 300 words, one figure and one table of your own. (Matplotlib's `plt.savefig("figure.png")` saves a figure; drag the file into the cell.) This is how it is marked:
#
# | | points |
# |---|---:|
# | a claim that could have turned out wrong, and your prediction | 1 |
# | what was changed and what was kept; numbers of images, steps and seeds | 2 |
# | the table: mean and spread over the seeds | 2 |
# | the figure: axes, units, readable without the text | 1 |
# | nothing was chosen on the images that are reported | 1 |
# | doubt: another explanation, how sure you are, what next | 2 |
# | the script does what the text says | 1 |
#
# (about 30 min)

# %% [markdown] nbgrader={"grade": true, "grade_id": "report_own_experiment", "locked": false, "points": 10, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer.** *Prediction and claim.* An autoencoder that learns to repair good capsules, with a piece pasted elsewhere (`cut_paste`), redraws real defects less well. So its image AUROC should rise by at least 0.03.
#
# *What was done.* Only the damage to the training images changed: none, or a pasted piece in all of them. Always 219 good capsules at 96 pixels, 150 steps of 16 images, Adam with one cycle up to 0.004, three seeds. The score of an image is the largest number of its error map. Nothing was chosen with defects; measured once on `held_out`, 12 good and 54 defective parts.
#
# | damage | image AUROC, mean (smallest to largest) | seeds 0, 1, 2 |
# |---|---|---|
# | none | 0.674 (0.616–0.708) | 0.698, 0.616, 0.708 |
# | pasted | 0.697 (0.691–0.701) | 0.699, 0.691, 0.701 |
#
# *Figure.* AUROC without and with damage, a line for each seed: one line rises, one is flat, one falls a little.
#
# *Finding.* The claim fails: the mean rises by 0.023, not by 0.03, and all of it comes from seed 1. The other two seeds change by 0.001 and −0.007.
#
# *Doubt.* Twelve good parts are few: one of them above all defective ones costs 0.08, and all six runs share these twelve, so the spread over the seeds does not show that error. Seed 1 without damage may just be an unlucky start, which the pasted pieces repaired. And 150 steps are few: the network of section 2, trained for 500, has 0.91 on the whole test set, so the length of training matters far more than the damage. Next: ten seeds with 1,000 steps, and scars instead of rectangles.
#
# **Marking.** As in the table above; half points are allowed. A result that contradicts the claim is as good as one that supports it, if the text says so. Without several seeds: at most 1 point for the table, and 1 for the doubt. If two things changed at once, without a reason: at most 1 point for what was changed.
# ### END SOLUTION

# %% [markdown]
# ## What you have now
#
# You now have three detectors that have never seen a defect: an autoencoder, PaDiM for parts that lie in place, and PatchCore for parts that do not.
#
# **Larger photographs help.** On the real screws, your PatchCore had an image AUROC of 0.92 at 256 pixels, 0.97 at 384 and 0.99 at 512 (95 % interval 0.97 to 1.00). We used patches of MobileNetV2, looked only at positions on the screw, and averaged distances over 3 × 3 positions. Take the 0.99 with a grain of salt: we chose these settings by looking at the same 160 test images.
#
# **What the field does today.** The recipe is yours, with better features: patches of a frozen foundation model such as DINOv2, compared with those of a few good images. Small students that imitate a teacher on good parts run in milliseconds. Many detectors are near 99 % on MVTec AD, so newer data sets ask for more: changing light, a part that is missing, one model for all categories.
#
# - [PatchCore](https://arxiv.org/abs/2106.08265) (Roth et al. 2022): you have built most of it.
# - [EfficientAD](https://arxiv.org/abs/2303.14535) (Batzner et al. 2023): a student and a teacher.
# - [Anomalib](https://github.com/open-edge-platform/anomalib): these methods and dozens of others.
#
# In `a7_few_labels` some defects have labels, and in `a8_where_is_the_defect` some have masks.

# %%
# not run when graded
# Save the notebook first. This runs it in a fresh process, shows what is missing, and writes the
# zip to hand in; check.progress() shows how far you are in the whole course.
check.hand_in()
