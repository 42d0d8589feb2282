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
# **Time** about 6 hours · **Hardware** any laptop; a GPU helps with the photographs of MVTec AD only · **Points** 100: 75 for code and for your detector, graded by hidden checks, 15 for three written answers and 10 for a report of one page · **Hand in** this notebook and `detector.safetensors`
#
# | section | what you write | minutes |
# |---|---|---:|
# | 1 The parts, and two halves of the test set | nothing yet | 5 |
# | 2 Good parts only | an autoencoder and its error maps; PaDiM; PatchCore; scores of embeddings | 130 |
# | 3 How good is it? | AUROC, per-region overlap, IoU and Dice; Question 1 | 80 |
# | 4 A threshold without defects | `false_alarm_threshold` | 15 |
# | 5 The detector that you hand in | `fit_detector`, `detect` | 40 |
# | 6 Which way, and why | Questions 2 and 3 | 20 |
# | 7 Your own experiment | a training script, and a report of one page | 60 |
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
from glob import glob

places = ".", "..", "/content", "/kaggle/input/*"
wheels = [wheel for place in places for wheel in glob(f"{place}/gradient?check*.whl")]
sys.path[:0] = wheels  # Python can import from them, whatever they are called
try:
    import autograder.set_up
except ImportError:
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", COURSE]
    subprocess.run(pip, capture_output=True)
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
from scipy import ndimage
from torch import nn
from tqdm.auto import tqdm

from autograder import Checker
from autograder.assignments.a5_anomaly_detection.lesson import plots
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
# ## 1 · The parts, and two halves of the test set

# %% nbgrader={"grade": false, "grade_id": "load_parts", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
train, DEFECTS = mvtec_ad.load_parts(CATEGORY, "train", real=REAL, size=SIZE)
test, _ = mvtec_ad.load_parts(CATEGORY, "test", real=REAL, size=SIZE)

# %% [markdown]
# What is chosen with the help of defects is chosen on one half of the test set, and measured on the other. `learn` and `held_out` are lists of indices into `test`.

# %% nbgrader={"grade": false, "grade_id": "learn_and_held_out", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
learn, held_out = mvtec_ad.halves(test.y)
for kind, name in enumerate(DEFECTS):
    both = [int((test.y[side] == kind).sum()) for side in (learn, held_out)]
    print("{:20}{:4} to learn from{:4} held out".format(name, *both))
print("{:20}{:4} {:17}".format("together", len(learn), len(held_out)))

# %% [markdown]
# ## 2 · Good parts only
#
# On a production line, defects are rare, and come in types that nobody has thought of. Good parts are plentiful. So learn what *good* looks like, and call a part defective when it does not look like that. No detector of this notebook learns from a defect.
#
# ### An autoencoder
#
# An **autoencoder** squeezes an image through a narrow code and redraws it: $\hat x = d(e(x))$. Trained on good parts, it has to learn what they have in common: the code is too narrow for more. The hope is that it redraws a scratched part without the scratch, and the squared difference shows it.
#
# **Task** (20 min, medium). Build `Autoencoder`. (If you assign layers to `self.encode` or `self.decode`, delete the methods of these names: they would be called instead.)
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
# <details><summary>Hint 1: down</summary>Four convolutions with stride 2 bring 96 pixels to 6. With 32 channels there, the code has 32 · 6 · 6 = 1,152 numbers.</details>
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

# %% nbgrader={"grade": true, "grade_id": "autoencoder_structure", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check.public("autoencoder_structure", Autoencoder)
### BEGIN HIDDEN TESTS
check.hidden("autoencoder_structure", Autoencoder)
### END HIDDEN TESTS

# %% [markdown]
# The squared error of a reconstruction is the heat map. A single pixel is noise, so average over small squares.
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

# %% nbgrader={"grade": true, "grade_id": "error_map_values", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check.public("error_map_values", error_maps)
### BEGIN HIDDEN TESTS
check.hidden("error_map_values", error_maps)
### END HIDDEN TESTS

# %% [markdown]
# **Predict first.** Which type of defect will the autoencoder remove, and which will it redraw? Where will a *good* part have a large error? *My prediction:* …

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
# How to read it: each column is a part, with the reconstruction in the middle and the squared error below. Where a defect is missing from the reconstruction, the error is bright. Look for two disappointments: a defect that is at least partly redrawn (try the squeezed part and the print), and bright edges of good parts, because a blurred reconstruction misses every edge by a little. Remember one example of each for Question 3.
#
# ### Pretrained features
#
# An autoencoder compares pixels. But there are networks that have already learned to see: `resnet_drawn` was trained on drawn shapes, textures and colours. The last layers of a classifier have thrown away everything that does not matter for naming an object, such as a scratch. The first layers still describe edges, colours and textures. Two of them give 96 numbers for every 4th pixel; the mean over 3 × 3 positions turns a position into a **patch**.

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
# - The features are not modified. A loop over positions is allowed, but a hundred times as slow.
#
# Subtract the mean before you multiply: of $E[x^2] - E[x]^2$, few digits are right in `float32` if means are several hundred.
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

# %% nbgrader={"grade": true, "grade_id": "gaussians_fit", "locked": true, "points": 7, "schema_version": 3, "solution": false, "task": false}
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

# %% nbgrader={"grade": true, "grade_id": "gaussians_distance", "locked": true, "points": 7, "schema_version": 3, "solution": false, "task": false}
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

mean, factor = fit_gaussians(train_features, 0.01)
padim_maps = mahalanobis(test_features, mean, factor)
padim_auroc = roc_auc_score(test.y > 0, padim_maps.amax(dim=(1, 2)))
print(f"PaDiM: image AUROC {padim_auroc:.3f}; the factors take {factor.nbytes / 1e6:.0f} MB")
shown = [int((test.y == kind).nonzero()[0]) for kind in range(len(DEFECTS))]  # one of each class
titles = [DEFECTS[test.y[i]] for i in shown]
plots.heat_maps(test.X[shown], test.masks[shown], {"PaDiM": padim_maps[shown]}, titles)

# %% [markdown]
# How to read it: bright means far from what is usual at that position; the line is the outline of the true defect. For the drawn capsules we measured an AUROC of 0.98, for the bottles 0.998.
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

# %% nbgrader={"grade": true, "grade_id": "coreset", "locked": true, "points": 7, "schema_version": 3, "solution": false, "task": false}
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
# - **Memory.** Compute the table for at most `chunk` queries at a time, and free what you do not need. Q need not be a multiple of `chunk`, which may also be larger than Q. The check measures a case with Q = 500 and `chunk` = 2: at no time may more than a tenth of the whole table be in use.
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

# %% nbgrader={"grade": true, "grade_id": "nearest_patch_values", "locked": true, "points": 7, "schema_version": 3, "solution": false, "task": false}
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
    score = roc_auc_score(test.y > 0, bank_maps[name].amax(dim=(1, 2)))
    megabytes = bank.nbytes / 1e6, CHUNK * len(bank) * bank.element_size() / 1e6
    print(f"{name:18}{megabytes[0]:10.2f}{megabytes[1]:12.1f}{seconds:12.1f}{score:13.3f}")
patchcore_maps = bank_maps["coreset of 3,000"]

# %% [markdown]
# How to read it: the same number of patches finds far more defects if it was chosen greedily. For the drawn capsules we measured 0.67 for 300 at random and 0.88 for a coreset of 300, which also beats 3,000 at random (0.80). A coreset of 3,000 had 0.93. The coreset begins with the rare patches.

# %% nbgrader={"grade": false, "grade_id": "compare_scores", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
defective = test.y > 0
scores_of = {"PaDiM": padim_maps.amax(dim=(1, 2)), "PatchCore": patchcore_maps.amax(dim=(1, 2))}
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
# How to read it: each method has one scale for all rows. For the drawn capsules, PaDiM is ahead: 0.98 against 0.93. The difference is the *position*. A squeezed capsule shows background and an edge where there should be capsule. PatchCore has both in its bank, and nothing tells it that they do not belong *there*.
#
# Now move every part by a few positions, differently for each image, in training and in test.
#
# **Predict first.** What will PaDiM's 0.98 become when the capsules lie up to 16 pixels off, and up to 32? And PatchCore's 0.93? *My prediction:* …

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
# How to read it: PaDiM falls from 0.98 to about 0.7 for capsules that lie up to 32 pixels off. At each position it has now seen everything. Nothing changes for PatchCore: a moved image has the same patches.
#
# For parts in a holder, use PaDiM; for others, PatchCore.

# %% [markdown]
# ### Features without labels
#
# `resnet_drawn` has learned from labels. **CutPaste** (Li et al. 2021) needs none: cut a piece out of a good image, paste it elsewhere, and train a classifier to tell pasted from good. Then keep the 64 numbers before its last layer, the **embedding**. One Gaussian is fitted to the embeddings of good images, and the distance from it is the score.
#
# **Task** (10 min, easy). Write `embedding_scores`. It fits a Gaussian to the embeddings `good` (N, D), with N - 1 and ε as above, and returns the Mahalanobis distances (n,) of `new` (n, D), in their dtype.
#
# <details><summary>Hint: one position</summary><code>good[:, :, None, None]</code> are feature maps of 1 × 1 position.</details>

# %% nbgrader={"grade": false, "grade_id": "embedding_scores", "locked": false, "schema_version": 3, "solution": true, "task": false}
def embedding_scores(good: torch.Tensor, new: torch.Tensor, epsilon: float) -> torch.Tensor:
    """Fit a Gaussian to embeddings (N, D) of good images; return the distances (n,) of new ones."""
    ### BEGIN SOLUTION
    mean, factor = fit_gaussians(good[:, :, None, None], epsilon)
    return mahalanobis(new[:, :, None, None], mean, factor)[:, 0, 0]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "embedding_score_values", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.public("embedding_score_values", embedding_scores)
### BEGIN HIDDEN TESTS
check.hidden("embedding_score_values", embedding_scores)
### END HIDDEN TESTS

# %% [markdown]
# **Predict first.** The classifier will tell nearly all pasted images from good ones. What is the AUROC of its embeddings for the real defects, against PaDiM's 0.98? *My prediction:* …

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
    batch = x[torch.randperm(len(x), device=DEVICE)[:16]]
    answers = head(embed(torch.cat([batch, cut_paste(batch)])))
    loss = F.cross_entropy(answers, is_pasted)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    schedule.step()
    right.append((answers.argmax(dim=1) == is_pasted).float().mean().item())
embed.eval()
with torch.no_grad():
    vectors = [embed(at_96(part.X).to(DEVICE)).cpu() for part in (train, test)]
scores = embedding_scores(*vectors, 0.01)
print(f"good or pasted: {sum(right[-50:]) / 50:.0%} right in the last 50 steps; "
      f"real defects: AUROC {roc_auc_score(defective, scores):.3f}")  # fmt: skip
names = [name if kind == 0 else f"defective: {name}" for kind, name in enumerate(DEFECTS)]
plots.score_strips({name: scores[test.y == kind] for kind, name in enumerate(names)},
                   {"largest of good": scores[test.y == 0].max().item()})  # fmt: skip

# %% [markdown]
# How to read it: the dots are test images. The classifier is right for 98 % of good and pasted images, and yet we measured an AUROC of 0.59 for the real defects. It has learned to see straight edges and steps in colour, not what a capsule looks like. Features help as far as the made-up task resembles the defects. (The paper trains a deeper network for longer.)

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
# ### Is the ranking right?
#
# The ROC curve draws the share of defective parts found against the share of false alarms, for all thresholds. The area under it is **the probability that a defective part scores higher than a good one**, when both are drawn at random, and a tie counts half.
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
# Below you will call it with a million pixels: sort, do not compare pairs.
#
# <details><summary>Hint 1: ranks</summary>Number the scores from the smallest, 1, to the largest, N. Add up the ranks of the defective ones, and subtract what the sum would be if all of them were at the bottom. That is the number of pairs that were won.</details>
# <details><summary>Hint 2: ties</summary><code>scipy.stats.rankdata</code> gives equal scores the mean of their ranks.</details>

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

# %% nbgrader={"grade": true, "grade_id": "auroc_values", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
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
# One good part of 23 that scores above all defective parts instead of below costs 0.043.
#
# ### Are the pixels right?
#
# The same function can rank pixels. But then one large crack can be worth more than fifty small holes. The **per-region overlap**, PRO (Bergmann et al. 2019), counts defects:
#
# - A **region** is a connected component of one image's mask. Pixels that touch at a side *or at a corner* are connected.
# - With threshold $t$, every pixel whose value is **at least** $t$ is called defective. The *overlap* of a region is the share of its pixels that are, and $\mathrm{PRO}(t)$ is the mean over all regions of all images, whatever their size.
# - $\mathrm{FPR}(t)$ is the share of all good pixels, in defective images and in good ones, that are called defective.
# - Let $t$ fall through *every distinct value* of the maps. The points (FPR, PRO), joined by straight lines, make a curve that begins at (0, 0), where $t$ is above everything, and ends at (1, 1).
#
# The result is the area below the curve from FPR 0 to a `limit`, divided by `limit`. Where the limit falls between two points, the line between them is cut there; a vertical rise at the limit itself adds no area.
#
# **Task** (40 min, hard). Write `region_overlap`.
#
# - `maps` (N, H, W) are `float32` or `float64` and finite.
# - `masks` (N, H, W) are `bool`, with at least one region and one good pixel. Some images have no region, and a region may fill a whole image.
# - 0 < `limit` ≤ 1.
# - Return a Python number or a tensor of shape (), and leave the inputs as they are.
#
# A first test: a constant map gets limit / 2. Below there are a million different values: sort once and add up.
#
# <details><summary>Hint 1: regions</summary><code>ndimage.label(mask, structure=np.ones((3, 3)))</code> numbers the regions of <em>one</em> image, the background being 0; its default structure knows only sides.</details>
# <details><summary>Hint 2: a sum instead of thresholds</summary>Give each defective pixel the weight 1 / (pixels of its region) / (number of regions). Then PRO(t) is a cumulative sum of the weights, with the pixels sorted by value, the largest first. FPR is one too.</details>
# <details><summary>Hint 3: equal values</summary>Only the last entry of a group of equal values in the cumulative sums is a point of the curve.</details>
# <details><summary>Hint 4: the limit</summary><code>np.interp(limit, fpr, pro)</code> reads the height at the limit. Keep the points with <code>fpr &lt;= limit</code>, append this one, and call <code>torch.trapezoid(pro, fpr)</code> with tensors.</details>

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

# %% nbgrader={"grade": true, "grade_id": "region_overlap_values", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}
check.public("region_overlap_values", region_overlap)
### BEGIN HIDDEN TESTS
check.hidden("region_overlap_values", region_overlap)
### END HIDDEN TESTS

# %% [markdown]
# ### Are the decisions right?
#
# In use there is only one threshold, and it gives a mask. Two measures compare a mask $P$ with the true one $T$:
#
# $$\mathrm{IoU} = \frac{|P \cap T|}{|P \cup T|} \qquad \mathrm{Dice} = \frac{2\,|P \cap T|}{|P| + |T|}$$
#
# **Task** (5 min, easy). Write `mask_overlap`.
#
# - `predicted` and `truth` are `bool`, of the same shape, with any number of dimensions.
# - It returns IoU and Dice, in this order, each a Python number or a tensor of shape ().
# - If both masks are empty, nothing is wrong: return 1 and 1. Handle this case explicitly.
#
# <details><summary>Hint: bool</summary><code>predicted &amp; truth</code> and <code>predicted | truth</code> are masks again, and <code>.sum()</code> counts.</details>

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

# %% nbgrader={"grade": true, "grade_id": "mask_overlap_values", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.public("mask_overlap_values", mask_overlap)
### BEGIN HIDDEN TESTS
check.hidden("mask_overlap_values", mask_overlap)
### END HIDDEN TESTS

# %% [markdown]
# Now compute all measures, on every second row and column of the maps. AP is the *average precision* of the pixels, which is very sensitive to false alarms.
#
# **Predict first.** By which of these measures will PatchCore be ahead of PaDiM? And by which will the autoencoder look better than it is? *My prediction:* …

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
# How to read it: the pixel AUROC is high for all of them. AP and the narrow PRO look at the pixels that are called defective *first*. They are far lower, and may prefer a different detector: a sharp map, such as an autoencoder's, outlines well what it finds, even if it finds less.
#
# ### With one threshold
#
# Which threshold gives the best Dice? Try sixty on `learn`, and measure the best one on `held_out`.
#
# **Predict first.** How much higher is the best Dice of all sixty on `held_out` itself? *My prediction:* …

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
# How to read it: the right column is what you would have reported without holding out a half. But even this choice needed masks of defects. Section 4 does without them.
#
# ### A detector that misses half of the defects
#
# Here are two detectors, constructed from the true masks. *Large only* marks the larger half of all regions, and nothing of the smaller half. *A bit of each* marks half of the pixels of every region. Everything else is noise.
#
# **Predict first.** Which of the two has the higher pixel AUROC, and which the higher PRO? *My prediction:* …

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
print(f"{int((sizes > 0).sum()):,} defective pixels, {int((sizes == 0).sum()):,} good ones")

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
# How to read it: with the capsule, *large only* had a pixel AUROC of 0.961 and a PRO of 0.556, *a bit of each* 0.750 and 0.576. By the AUROC, the detector that misses half of the defects is by far the better one.
#
# PRO has its price too. The smallest regions here are single pixels, and each counts as much as the largest region, which has 508.
#
# **Question 1** (5 points). "Pixel AUROC 0.96: it finds 96 % of the defects", somebody writes under a table. Why does a pixel AUROC flatter a detector that misses small defects? *A full answer says which probability 0.96 is; calculates, from the share of pixels that "large only" marks, that its AUROC must be about 0.96; says how the many good pixels affect the false-positive rate, with a number from this data set; and says what PRO does differently, and one thing that PRO in turn gets wrong.* (about 15 min)

# %% [markdown] nbgrader={"grade": true, "grade_id": "question_small_defects", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer.** The pixel AUROC is the probability that a defective *pixel*, drawn at random from all defective pixels, has a higher value than a good pixel drawn at random. It is about pixels, so a defect counts by its area. And it is not a share of anything that was found: a detector that knows nothing has 0.5.
#
# In the capsule's test set the larger half of the regions has 92 % of the defective pixels. "Large only" puts those above all good pixels (they win with probability 1) and leaves the rest to chance (they win with probability ½): 0.92 · 1 + 0.08 · ½ = 0.96. Half of the defects cost four points.
#
# And there are very many good pixels: about 99 % of all, most of them far from anything that could be mistaken for a defect. A false-positive rate of 1 % sounds small. It is about 48,000 pixels of the 132 images at full size, as many as all defective pixels together, so precision is at most one half there; yet on the axis of the ROC curve it is a hundredth, and most of the area lies at rates at which nobody could work.
#
# PRO takes the mean over regions, so that half of the regions are half of the score, and stops at a limit. In turn it gives a crumb of one pixel the weight of a large crack, so it depends on how masks were drawn and cut into pieces; it says nothing about how many false alarms a *good part* causes; or: its value depends on the limit, and values with different limits cannot be compared.
#
# **Marking.** 1 point: the probability, of pixels. 1½ points: the calculation (for another category with its own numbers; "0.92 plus half of the rest"). 1 point: the many good pixels with a number (share of defective pixels, or pixels at 1 %). 1 point: what PRO does. ½ point: one thing that it gets wrong. "Because large defects have more pixels", without more, earns 1 point.
# ### END SOLUTION

# %% [markdown]
# ## 4 · A threshold without defects
#
# You must choose a threshold, and there are no defects to choose it with. But you can make a promise about good parts: *at most so many of them raise a false alarm*. (To read more, look for **conformal prediction**.)
#
# **Task** (15 min, easy). Write `false_alarm_threshold`. An image raises an alarm if its score is **greater than** the threshold.
#
# - `scores` (N,) are the scores of good images, N ≥ 1, `float32` or `float64`, in any order, and 0 ≤ `rate` < 1.
# - At most `rate` · N of these images may raise an alarm. If `rate` · N is less than 1, none may.
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

# %% nbgrader={"grade": true, "grade_id": "false_alarm_values", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
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
# **Task** (40 min, hard; 12 points, depending on what it finds). Write two functions.
#
# - `fit_detector(good)` gets the good capsules of the training set (N, 3, 192, 192), `uint8`, and returns a dictionary with any tensors you like. It runs on your machine only; its result is saved in `detector.safetensors`, **which you hand in with the notebook**.
# - `detect(images, detector)` gets images (n, 3, 192, 192), `uint8`, and that dictionary, and returns maps (n, h, w), `float32`, finite, of a size you choose: the larger a number, the more defective the part looks at that position. It takes at most seconds for a hundred images. Its only data are these two arguments and the backbone; it may call your other functions.
#
# The check enlarges your maps to 48 × 48 positions. The score of a capsule is the largest number of its map. A position is defective if one of its 4 × 4 pixels is.
#
# | 65 hidden capsules, 45 of them defective | pass: half of the points | good: 80 % | excellent: all |
# |---|---:|---:|---:|
# | 6 points: image AUROC | 85 % | 92 % | 94.5 % |
# | 6 points: pixel AUROC, 48 × 48 positions each | 93 % | 95 % | 96.5 % |
#
# A full PaDiM reaches far more, and takes 85 megabytes. Keep what matters: fewer positions, fewer features, fewer bits, a coreset; or an autoencoder, saved with its weights. The graded result may differ from yours by two points.
#
# <details><summary>Hint 1: where the megabytes are</summary>The factors of C features take C² numbers for each position. With C = 96 and 48 · 48 positions these are 21 million. With C = 20 and 24 · 24 positions (<code>F.avg_pool2d(features, 2)</code>) they are 230,400, and in half precision 0.46 MB.</details>
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

# %% nbgrader={"grade": true, "grade_id": "detector_images", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
check.public("detector_images", detect)
### BEGIN HIDDEN TESTS
check.hidden("detector_images", detect)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "detector_pixels", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
check.public("detector_pixels", detect)
### BEGIN HIDDEN TESTS
check.hidden("detector_pixels", detect)
### END HIDDEN TESTS

# %% [markdown]
# ## 6 · Which way, and why
#
# A number from your own tables is worth more than an adjective.
#
# **Question 2** (5 points). A plant makes 2,000 parts a day. In the first month it has collected 3,000 good photographs and 9 defective ones, of 4 types, without masks. Do you train a detector on good parts only, a classifier of defect types (a7) or a network that predicts masks (a8)? And after a year? *A full answer names the approach and what it is trained on; says what the 9 defective parts are for; and says what has to be collected or labelled during the year, and what for.* (about 10 min)

# %% [markdown] nbgrader={"grade": true, "grade_id": "which_setting", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer.** Anomaly detection on good parts only: PaDiM if the parts always lie the same way, PatchCore if they do not, on pretrained features, trained with about 2,500 of the good photographs. Nine defects of four types are too few to train a classifier or a segmenter (some types occur once or twice), and the types of the coming months are not among them. The nine, with the other 500 good ones, are for testing: the good ones set the threshold at a false-alarm rate (1 % of 2,000 parts are 20 alarms a day), the defective ones say, roughly, whether anything is found at all (9 of 9 still leaves an interval that begins at 70 %).
#
# During the year somebody looks at every alarm: so the types of defect are labelled, and masks can be drawn in the regions that were found. With some dozens of a frequent type, a classifier (balanced or focal loss, pretrained) can name the types, or a U-Net can find their outlines. The anomaly detector stays for whatever is new.
#
# **Marking.** 1½ points: trained on good parts only, with a reason from the numbers (½ without). 1 point: the nine are kept for testing, not for training. 1½ points: what is collected and labelled, and what for. 1 point: supervised methods are added when there are enough examples of a type.
# ### END SOLUTION

# %% [markdown]
# **Question 3** (5 points). What is the principle of finding defects by an autoencoder, and how does it fail? Use your pictures of section 2. *A full answer states the principle and the assumption in it; names two ways to fail, each with an example or a picture of yours; and a remedy for one.* (about 10 min)

# %% [markdown] nbgrader={"grade": true, "grade_id": "how_autoencoders_fail", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer.** It is trained to reconstruct good parts from a narrow code. The assumption is that it cannot reconstruct what it has never seen, so the error is large where the part is defective. Failures: it generalises too well, and reconstructs the defect too (a large smooth stain, a slight change of colour: a wide code or long training makes it worse), so the defect is missed. Or it reconstructs good parts badly: sharp edges, print and texture are blurred, the error is large on every edge of a good part, and either the threshold rises or there are false alarms. A defect that is dark on dark has a small squared error, however clear its form. Remedies: compare features instead of pixels; compare with the usual error at the position (mean and spread over good parts); structural similarity instead of squared error; a narrower code, noise on the input, or training to remove pasted defects (DRAEM).
#
# **Marking.** 1 point: principle and assumption (½ each). 3 points: two failures (1½ each; 1 without an example or a picture). 1 point: a remedy that fits one of them.
# ### END SOLUTION

# %% [markdown]
# ## 7 · Your own experiment
#
# Choose a question, or ask another one:
#
# - Does an autoencoder find more defects if it learns to *remove* something: noise, or a piece of the image pasted elsewhere?
# - Does a narrower code find more, or longer training?
# - How many good parts does an autoencoder need?
#
# **Task** (40 min, open, no check). Write the script in the cell below; add cells if you like.
#
# - Write a `Dataset` that yields what a training step needs, and load it with a `DataLoader`. An autoencoder trains in about a minute: plan for it.
# - Change one thing, and keep all the others. Run each setting with at least three seeds.
# - Choose on `learn`, if anything is chosen by looking at defects. Report what you measure on `held_out`.
# - Write one line per run to `runs.csv`: setting, seed, AUROC, seconds.
#
# **Predict first**, in the first line of your report.

# %% nbgrader={"grade": false, "grade_id": "own_experiment", "locked": false, "schema_version": 3, "solution": true, "task": false}
# not run when graded
### BEGIN SOLUTION
import csv
from itertools import product

from torch.utils.data import DataLoader, Dataset


class Repairs(Dataset):
    """Good images, a share of them with a piece pasted elsewhere, and each as it should be."""

    def __init__(self, images, share, seed):
        self.images, self.share, self.rng = images, share, np.random.default_rng(seed)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        given = self.images[i].clone()
        if self.rng.random() < self.share:
            h, w = self.rng.integers(4, 25, 2)
            (y, x), (v, u) = self.rng.integers(0, (97 - h, 97 - w), (2, 2))
            given[:, y : y + h, x : x + w] = self.images[i][:, v : v + h, u : u + w]
        return given, self.images[i]


def learn_to_repair(images, share, seed, epochs=10):
    torch.manual_seed(seed)
    model, data = Autoencoder().to(DEVICE), Repairs(images, share, seed)
    batches = DataLoader(data, batch_size=16, shuffle=True, drop_last=True)
    optimiser, steps = torch.optim.Adam(model.parameters()), epochs * len(batches)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps)
    for _ in range(epochs):
        for given, wanted in batches:
            loss = F.mse_loss(model(given.to(DEVICE)), wanted.to(DEVICE))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return model


few, new = at_96(train.X), at_96(test.X[held_out]).to(DEVICE)
with open("runs.csv", "w", newline="") as file:
    lines = csv.writer(file)
    lines.writerow(["share", "seed", "image AUROC", "seconds"])
    for share, seed in product((0.0, 1.0), range(3)):
        start = time.perf_counter()
        maps = error_maps(learn_to_repair(few, share, seed), new, 2).cpu()
        found = float(auroc(image_scores(maps), defective[held_out]))
        lines.writerow([share, seed, found, time.perf_counter() - start])
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
# (about 20 min)

# %% [markdown] nbgrader={"grade": true, "grade_id": "report_own_experiment", "locked": false, "points": 10, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer.** *Prediction and claim.* An autoencoder that learns to repair good capsules, with a piece pasted elsewhere, redraws real defects less well. So its image AUROC should rise by at least 0.03.
#
# *What was done.* Only the share of damaged training images changed: none, or all. Always 219 good capsules at 96 pixels, 130 steps of 16 images, Adam with one cycle up to 0.004, three seeds. The score of an image is the largest number of its error map. Nothing was chosen with defects; measured once on `held_out`, 12 good and 54 defective parts.
#
# | damaged | image AUROC, mean (smallest to largest) | seeds 0, 1, 2 |
# |---|---|---|
# | none | 0.62 (0.55–0.73) | 0.73, 0.55, 0.57 |
# | all | 0.65 (0.60–0.71) | 0.71, 0.60, 0.63 |
#
# *Figure.* AUROC with none and with all images damaged, a line for each seed: two lines rise, one falls.
#
# *Finding.* The mean is 0.03 higher, as claimed, but I do not believe it yet: two seeds gain 0.05 and 0.06, one loses 0.02, and without any damage the seed alone moves the AUROC by 0.17.
#
# *Doubt.* Twelve good parts are few: one of them above all defective ones costs 0.08, and all six runs share these twelve, so the spread over the seeds does not show that error. And 130 steps are few. With 20 epochs instead of 10 the means were 0.80 and 0.82, so the length of training matters far more than the damage, and damage may only help a network that has learned little. Next: ten seeds with 1,000 steps, and scars instead of rectangles.
#
# **Marking.** As in the table above; half points are allowed. A result that contradicts the claim is as good as one that supports it, if the text says so. Without several seeds: at most 1 point for the table, and 1 for the doubt. If two things changed at once, without a reason: at most 1 point for what was changed.
# ### END SOLUTION

# %% [markdown]
# ## What you have now
#
# You now have three detectors that have never seen a defect: an autoencoder, PaDiM for parts that lie in place, and PatchCore for parts that do not.
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
