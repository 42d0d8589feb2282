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
# # Where is the defect? Boxes, masks and defects of your own making
#
# **After this notebook you can** turn a heat map into boxes, write boxes and masks in the formats of YOLO and COCO, build and train a U-Net with a loss that sees small defects, make synthetic defects and say when they help, and decide which labels and which model a task is worth.
#
# **Time** about 6 hours · **Hardware** any laptop; a GPU helps with real photographs only · **Points** 100: 75 for code, graded by hidden checks, 15 for three written answers and 10 for a report of one page · **Hand in** the zip that the last cell writes
#
# | section | what you write | minutes |
# |---|---|---:|
# | 1 From a heat map to boxes | `boxes_of` | 45 |
# | 2 Three ways to write it down | `to_coco`, `to_yolo`, `from_yolo`, `run_lengths` | 45 |
# | 3 When there are masks: U-Net | `UNet`, `segmentation_loss` | 80 |
# | 4 Defects of your own making | `cut_paste` | 60 |
# | 5 Which labels, which model | Questions 1 to 3 | 40 |
# | 6 Your own experiment | a training script, and a report of one page | 80 |
#
# You may use all of `torch` here, and `scipy` and `torchvision` too, unless a task says otherwise. Each task is followed by a **check** on a few cases whose answers ship with the course; when your work is graded, the same check runs on cases you have not seen. `check.show_code("unet_structure")` shows how a check calls your code. A cell that begins with `# not run when graded` is for you only: it loads data, trains or draws, and the grader skips it. You may use this line in cells of your own. Graded functions must not need anything from such a cell.

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

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import nn
from tqdm.auto import tqdm

from autograder import Checker
from autograder.assignments.a8_where_is_the_defect.lesson import plots, rcnn
from autograder.assignments.a8_where_is_the_defect.lesson.detector import (
    at_full_size,
    one_thread,
    padim,
)
from autograder.assignments.a8_where_is_the_defect.lesson.tiles import (
    SIDE,
    TILE,
    draw_tiles,
    shrunk,
)
from data_scripts import mvtec_ad

check = Checker("a8_where_is_the_defect")

# %%
REAL = False  # True: photographs of a category of MVTec AD; False: drawn parts
CATEGORY = "screw" if REAL else "capsule"  # drawn: "capsule" or "bottle"; real: any of the 15
BACKBONE = "mobilenet_v2" if REAL else "resnet_drawn"  # where pretrained features come from
STAGES = (1, 2) if REAL else (0, 1)  # which of its maps: 0 is the finest, and knows least
SIZE = 192  # pixels: images are squares of this side, a multiple of 32
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
check.set_up(DEVICE, f"{'real' if REAL else 'drawn'} parts, {CATEGORY}")

# %% [markdown]
# You work with parts drawn by this course: capsules with five types of defect, or bottles with three. `REAL = True` takes a category of MVTec AD: photographs of industrial parts, 5.3 GB for all fifteen (`python -m data_scripts.mvtec_ad` says how to get them). In every category the training set holds good parts only. The test set holds good and defective parts, with a mask of each defect. `train` and `test` each have `X`, the images, (N, 3, 192, 192), `uint8`; `masks`, (N, 1, 192, 192), `bool`; and `y`, the classes, (N,), with 0 for good.
#
# Half of the test set, `learn`, is for whatever has to see a defect; the other half, `held_out`, is for measuring.

# %% nbgrader={"grade": false, "grade_id": "load_parts", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
train, DEFECTS = mvtec_ad.load_parts(CATEGORY, "train", real=REAL, size=SIZE)
test, _ = mvtec_ad.load_parts(CATEGORY, "test", real=REAL, size=SIZE)

# %% nbgrader={"grade": false, "grade_id": "learn_and_held_out", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
learn, held_out = mvtec_ad.halves(test.y)
print(f"{len(train.y)} good parts; test: {len(learn)} to learn from, {len(held_out)} held out")
print("classes:", ", ".join(DEFECTS))

# %% [markdown]
# ## 1 · From a heat map to boxes
#
# You are given a detector that has never seen a defect: PaDiM (Defard et al., 2021), the one of `a5_anomaly_detection`. It fits a Gaussian to the features of good parts at each position; its map says how far a part is from what is usual there. Four fifths of the good parts are for fitting. The others choose the threshold: at most 5 % of them may raise an alarm.
#
# **Predict first.** Which type of defect (the set-up printed their names) will the map show too large, and which one will it hardly show? *My prediction:* …

# %% nbgrader={"grade": false, "grade_id": "given_maps", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
order = torch.randperm(len(train.X), generator=torch.Generator().manual_seed(0))
fitted, aside = order.split([len(order) - len(order) // 5, len(order) // 5])
maps_of = padim(train.X[fitted], BACKBONE, STAGES)
padim_maps, scores = maps_of(test.X), maps_of(train.X[aside]).amax(dim=(1, 2))
threshold = float(scores.quantile(0.95, interpolation="higher"))
alarms, defective = padim_maps.amax(dim=(1, 2)) > threshold, test.y > 0
print(f"alarms: {int(alarms[defective].sum())} of {int(defective.sum())} defective parts, "
      f"{int(alarms[~defective].sum())} of {int((~defective).sum())} good ones")  # fmt: skip
shown = [int((test.y == kind).nonzero()[0]) for kind in range(len(DEFECTS))]  # one of each class
titles = [DEFECTS[test.y[n]] for n in shown]
plots.heat_maps(test.X[shown], test.masks[shown], {"PaDiM": padim_maps[shown]}, titles)

# %% [markdown]
# How to read it: bright means unusual at that position, on one scale for all rows; the line is the outline of the true defect.
#
# ### Boxes
#
# A factory does not want a heat map. It wants a decision, and the spot: this part goes back, and here is why. So give a box for each connected component of a mask. A detector such as YOLO is trained with the same boxes, one for each *instance*.
#
# **Task** (30 min, medium). Write `boxes_of` for a `mask` (H, W), `bool`.
#
# - Pixels that touch at a side or at a corner belong to the same connected component, or *piece*. Drop pieces of fewer than `least` pixels.
# - Every other piece gives a row (x1, y1, x2, y2): `x1` is its first column and `y1` its first row, and `x2` and `y2` are the first column and row **after** it, so that x2 − x1 is its width.
# - Sort the rows by y1, then x1, then y2, then x2.
# - The result is a tensor (n, 4), `int64`, even for n = 0.
# - Boxes may overlap. A piece inside the hole of another piece still counts as a piece.
#
# <details><summary>Hint 1: pieces</summary><code>ndimage.label</code> numbers the pieces of a mask; its <code>structure</code> says which neighbours touch. <code>ndimage.find_objects(labels)</code> returns a pair of slices, rows and columns, for each piece. (Writing your own flood fill is fine. Use a list of pixels to visit: Python gives up a recursion after 1,000 steps.)</details>
# <details><summary>Hint 2: the end</summary>A slice already ends after the last pixel. <code>torchvision.ops.masks_to_boxes</code> returns the last pixel itself, so add 1.</details>
# <details><summary>Hint 3: order, and nothing</summary><code>sorted(boxes, key=lambda b: (b[1], b[0], b[3], b[2]))</code>; the order of the labels is different. <code>torch.tensor([])</code> is a float tensor of shape (0,): add <code>dtype=torch.int64</code>, and <code>.reshape(-1, 4)</code>.</details>

# %% nbgrader={"grade": false, "grade_id": "boxes_of", "locked": false, "schema_version": 3, "solution": true, "task": false}
def boxes_of(mask: torch.Tensor, least: int = 1) -> torch.Tensor:
    """Find the box of each connected piece (8 neighbours) of a mask (H, W), bool.

    Pieces of fewer than `least` pixels are dropped. Returns (n, 4), int64: x1, y1, x2, y2, the
    ends exclusive, sorted by y1, x1, y2, x2.
    """
    ### BEGIN SOLUTION
    labels, _ = ndimage.label(mask.numpy(), structure=np.ones((3, 3)))
    pixels = np.bincount(labels.ravel())
    boxes = []
    for piece, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
        if pixels[piece] >= least:
            boxes.append((columns.start, rows.start, columns.stop, rows.stop))
    boxes.sort(key=lambda box: (box[1], box[0], box[3], box[2]))
    return torch.tensor(boxes, dtype=torch.int64).reshape(-1, 4)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "boxes_of_masks", "locked": true, "points": 14, "schema_version": 3, "solution": false, "task": false}
check.public("boxes_of_masks", boxes_of)
### BEGIN HIDDEN TESTS
check.hidden("boxes_of_masks", boxes_of)
### END HIDDEN TESTS

# %% [markdown]
# Now draw the masks and boxes of the detector, with the threshold from the good parts that were set aside. The threshold was chosen for the largest value of a map, so an image raises an alarm exactly if some pixel of its mask is true. Pieces of fewer than 20 pixels are dropped from the boxes.
#
# **Predict first.** Of the true boxes, how many per cent meet a box that was found, and how many are matched with an IoU (intersection over union) above 0.5? Are the boxes found too large or too small, and why? *My prediction:* …

# %% nbgrader={"grade": false, "grade_id": "draw_boxes", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
found, truth = padim_maps > threshold, test.masks[:, 0]
found_at, truth_at = ([boxes_of(mask, 20) for mask in masks] for masks in (found, truth))
drawn_rows = [int((test.y == k).nonzero()[1]) for k in range(1, len(DEFECTS))][:5]
plots.found_boxes(
    test.X[drawn_rows],
    (truth[drawn_rows], [truth_at[n] for n in drawn_rows]),
    (found[drawn_rows], [found_at[n] for n in drawn_rows]),
    [DEFECTS[test.y[n]] for n in drawn_rows],
)

# %% [markdown]
# How to read it: cyan is the truth, magenta is what was found; solid lines outline masks, dashed lines are boxes. Nearly all boxes meet a defect, and most are too large (of the capsule's 124, 119 meet one, and 80 are more than a quarter larger than the true box): the maps have one value for 4 × 4 pixels, it is averaged with its neighbours, and the features look at even more of the image.
#
# How good is a box? Measure it by the IoU of two boxes. A detector's box usually counts as right from 0.5 on.

# %% nbgrader={"grade": false, "grade_id": "score_boxes", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
from torchvision.ops import box_iou


def score_boxes(name, truth_at, found_at):
    """Compare the boxes found in some images with the true ones."""
    best = []  # for each true box, the largest IoU with a box that was found in its image
    for true, here in zip(truth_at, found_at, strict=True):
        some = torch.cat([here.double(), torch.zeros(1, 4)])  # and one that covers nothing
        best += box_iou(true.double(), some).amax(dim=1).tolist()
    touched, half = (sum(iou > least for iou in best) / len(best) for least in (0, 0.5))
    print(f"{name}: {sum(map(len, found_at))} boxes found; of the {len(best)} true ones of 20 "
          f"pixels or more, {touched:.0%} meet one, {half:.0%} with an IoU above 0.5")  # fmt: skip


score_boxes("PaDiM", truth_at, found_at)

# %% [markdown]
# How to read it: the detector nearly always knows *that* there is something, mostly *where* it is, and seldom how far it reaches. It has never seen a defect. Section 3 shows what you gain if you have masks to learn from. Compare with your prediction.

# %% [markdown]
# ## 2 · Three ways to write it down
#
# If you label these images for a detector, or pass your boxes to another program, you write them to files, and every format has its own idea of a box:
#
# | | a box is | in |
# |---|---|---|
# | here, torchvision (Pascal VOC counts from 1, last pixel included) | x1, y1, x2, y2 (*xyxy*): two corners | pixels |
# | COCO | x, y, width, height: the first corner and the size | pixels |
# | YOLO | centre x, centre y, width, height | shares of the image's width (x, width) and height (y, height), 0…1 |
#
# Four numbers do not say which convention they follow. Most "the detector does not learn" stories begin here.
#
# **Task** (20 min, easy). Write three functions for boxes (n, 4), n ≥ 0; the inputs stay as they are.
#
# - `to_coco(boxes)`: from xyxy, `int64`, to x, y, width, height, `int64`.
# - `to_yolo(boxes, height, width)`: from xyxy, `int64`, to centre and size, `float64`, with `height` and `width` of the image.
# - `from_yolo(rows, height, width)`: back to xyxy, `int64`. The rows, `float64`, were read from a file with six decimals, so that corners come out as 16.9999 or 17.0001. Both are 17.
#
# <details><summary>Hint 1: precision</summary>An <code>int64</code> tensor divided by a Python number becomes <code>float32</code>. Begin with <code>.double()</code>.</details>
# <details><summary>Hint 2: back to whole numbers</summary><code>.long()</code> cuts off: 16.9999 becomes 16. Round first.</details>
# <details><summary>Hint 3: columns</summary><code>x1, y1, x2, y2 = boxes.unbind(dim=1)</code> and <code>torch.stack([…], dim=1)</code>.</details>

# %% nbgrader={"grade": false, "grade_id": "to_coco", "locked": false, "schema_version": 3, "solution": true, "task": false}
def to_coco(boxes: torch.Tensor) -> torch.Tensor:
    """Turn boxes (n, 4), int64, from x1, y1, x2, y2 into x, y, width, height."""
    ### BEGIN SOLUTION
    x1, y1, x2, y2 = boxes.unbind(dim=1)
    return torch.stack([x1, y1, x2 - x1, y2 - y1], dim=1)
    ### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "to_yolo", "locked": false, "schema_version": 3, "solution": true, "task": false}
def to_yolo(boxes: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Turn boxes (n, 4), int64, x1, y1, x2, y2, into shares of an image, float64.

    They are centre x, centre y, width, height.
    """
    ### BEGIN SOLUTION
    x1, y1, x2, y2 = boxes.double().unbind(dim=1)
    across, down = [(x1 + x2) / 2, x2 - x1], [(y1 + y2) / 2, y2 - y1]
    columns = across[0] / width, down[0] / height, across[1] / width, down[1] / height
    return torch.stack(columns, dim=1)
    ### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "from_yolo", "locked": false, "schema_version": 3, "solution": true, "task": false}
def from_yolo(rows: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Turn shares (n, 4), float64, of centre and size back into x1, y1, x2, y2, int64, rounded."""
    ### BEGIN SOLUTION
    x, y, across, down = rows.unbind(dim=1)
    corners = [x - across / 2, y - down / 2, x + across / 2, y + down / 2]
    scale = torch.tensor([width, height, width, height])
    return (torch.stack(corners, dim=1) * scale).round().long()
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "box_formats", "locked": true, "points": 9, "schema_version": 3, "solution": false, "task": false}
check.public("box_formats", to_coco, to_yolo, from_yolo)
### BEGIN HIDDEN TESTS
check.hidden("box_formats", to_coco, to_yolo, from_yolo)
### END HIDDEN TESTS

# %% [markdown]
# A mask of 192 × 192 takes 36,864 numbers, nearly all of them 0. COCO writes down *how many* of each come one after the other: **run lengths**. It goes through the mask **column by column**, from top to bottom, and counts: so many zeros, then so many ones, then zeros, and so on. The first number always counts zeros, and is 0 if the mask begins with a one. No other run has the length 0. (The *compressed* form of COCO packs the same numbers into a string.)
#
# **Task** (15 min, medium). Write `run_lengths`. `mask` (H, W) is `bool`. It returns the list of the lengths, Python integers, or a tensor of them. Their sum is H · W.
#
# <details><summary>Hint 1: the order</summary>PyTorch and NumPy go row by row. The transposed mask, row by row, is the mask column by column.</details>
# <details><summary>Hint 2: runs</summary><code>itertools.groupby</code> collects equal neighbours. Or find the indices where a value differs from the one before: run lengths are the differences between those indices, with 0 before the first and H · W after the last.</details>

# %% nbgrader={"grade": false, "grade_id": "run_lengths", "locked": false, "schema_version": 3, "solution": true, "task": false}
def run_lengths(mask: torch.Tensor) -> list[int]:
    """Encode a mask (H, W), bool, column by column: lengths of runs of 0, 1, 0, …

    COCO's uncompressed run-length encoding.
    """
    ### BEGIN SOLUTION
    pixels = mask.T.flatten().int()
    before = torch.cat([torch.zeros(1, dtype=torch.int32), pixels[:-1]])
    starts = (pixels != before).nonzero().flatten().tolist()  # of every run but the first
    edges = torch.tensor([0, *starts, len(pixels)])
    return edges.diff().tolist()
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "run_length_values", "locked": true, "points": 9, "schema_version": 3, "solution": false, "task": false}
check.public("run_length_values", run_lengths)
### BEGIN HIDDEN TESTS
check.hidden("run_length_values", run_lengths)
### END HIDDEN TESTS

# %% [markdown]
# Here is what one defect looks like in each of the formats. Somebody has to draw and save this, for hundreds of images, before a detector can be trained. (YOLO numbers classes from 0 and has no class *good*: an image without lines is good. COCO keeps run lengths for what it calls a crowd, and outlines for single objects.)

# %% nbgrader={"grade": false, "grade_id": "show_formats", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
import json

n = drawn_rows[-1]
label, boxes, mask = int(test.y[n]), boxes_of(test.masks[n, 0], 20), test.masks[n, 0]
print(f"YOLO, {n:03}.txt, a line for each box: class, centre x, centre y, width, height")
for row in to_yolo(boxes, SIZE, SIZE).tolist():
    print(f"  {label - 1} " + " ".join(f"{value:.6f}" for value in row))
print("\nCOCO, an entry of annotations.json: all pieces together, a 'crowd', with their mask")
lengths = [int(length) for length in run_lengths(mask)]
whole = torch.cat([boxes[:, :2].amin(dim=0), boxes[:, 2:].amax(dim=0)])[None]
entry = {"image_id": n, "category_id": label, "area": int(mask.sum()), "iscrowd": 1}
entry["bbox"] = to_coco(whole)[0].tolist()
print(" ", json.dumps(entry))
print(f"  segmentation: size [{SIZE}, {SIZE}], counts {lengths[:9]}…, {len(lengths)} numbers")

# %% [markdown]
# ## 3 · When there are masks: U-Net
#
# Somebody has taken the time to draw masks for half of the test parts. They are in `learn`, 66 capsules or 41 bottles. That is little, but it shows something that good parts cannot: what a *defect* looks like. The network for it is the **U-Net** (Ronneberger et al., MICCAI 2015), which was made for 30 microscope images.
#
# An answer for every pixel needs two things that conflict. To know *what* it is, a network has to look far around: halve the size several times, and 3 × 3 pixels at the bottom have seen a large part of the image. To know *where* it ends, it needs every pixel. So a U-Net goes down (the **encoder**), up again (the **decoder**), and at every level hands the encoder's maps straight across to the decoder (the **skip connections**):
#
# ```
# full size   3 → c ──────────────────────────────► c + c → c → 1
#                ↓ half                               ↑ double
# 1/2            c → 2c ────────────────────► 2c + 2c → 2c
#                      ↓                        ↑
# 1/4                  2c → 4c ──────► 4c + 4c → 4c
#                            ↓            ↑
# 1/8                        4c ──────► 8c
# ```
#
# **Task** (35 min, medium). Build `UNet` with $c$ = `channels`. It takes images (N, 3, H, W), with H and W divisible by 8, to logits (N, 1, H, W).
#
# - A **block** is the following, twice: convolution 3 × 3 with padding 1, *without* bias; batch norm; an activation. The first of the two convolutions changes the number of channels.
# - **Down:** a block to c channels at full size, then three times: halve height and width by pooling, and a block to 2c, 4c, 8c channels.
# - **Up**, three times: a transposed convolution, 2 × 2 with stride 2, *with* bias, doubles height and width and halves the channels; its maps are concatenated with the encoder's last maps of that size; and a block brings the 2·4c, 2·2c, 2·c channels to 4c, 2c, c.
# - **Out:** a convolution 1 × 1 to one channel, with bias, and nothing after it.
#
# Call no sub-module `double` or `half`: modules have methods of these names.
#
# You may choose the pooling and the activation, as long as they have no parameters; the paper has max pooling and ReLU. Nothing is random, not even in training mode: there is no dropout. (The paper's network also has one more level, c = 64, and no padding, so that its masks are smaller than its images. Ours are not.)
#
# Count by hand before you run anything: how many parameters does `UNet(16)` have? The answer is **482,737**. If you get another number, something differs from the list.
#
# <details><summary>Hint 1: the sum</summary>A convolution 3 × 3 without bias from a to b channels has 9ab, batch norm of b channels 2b, a transposed convolution 2 × 2 from 2c to c has 4 · 2c · c + c. Altogether 1878c² + 123c + 1.</details>
# <details><summary>Hint 2: what to remember</summary>On the way down, append the maps of each level to a list. On the way up, take them in the opposite order. <code>torch.cat([…], dim=1)</code> puts channels side by side.</details>
# <details><summary>Hint 3: lists of layers</summary>Layers in a Python list are not found by <code>parameters()</code>. <code>nn.ModuleList</code> makes them known.</details>

# %% nbgrader={"grade": false, "grade_id": "UNet", "locked": false, "schema_version": 3, "solution": true, "task": false}
class UNet(nn.Module):
    """Images (N, 3, H, W), with H and W divisible by 8 -> logits (N, 1, H, W)."""

    def __init__(self, channels: int):
        super().__init__()
        ### BEGIN SOLUTION

        def block(c_in: int, c_out: int) -> nn.Sequential:
            layers = []
            for c in (c_in, c_out):
                layers += [nn.Conv2d(c, c_out, 3, padding=1, bias=False)]
                layers += [nn.BatchNorm2d(c_out), nn.ReLU()]
            return nn.Sequential(*layers)

        widths = [channels * 2**level for level in range(4)]
        pairs = zip([3, *widths], widths, strict=False)
        self.down = nn.ModuleList(block(*pair) for pair in pairs)
        self.enlarge = nn.ModuleList(nn.ConvTranspose2d(2 * c, c, 2, stride=2) for c in widths[:3])
        self.merge = nn.ModuleList(block(2 * c, c) for c in widths[:3])
        self.last = nn.Conv2d(channels, 1, 1)
        ### END SOLUTION

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        ### BEGIN SOLUTION
        skipped = []
        for level, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if level else x)
            skipped.append(x)
        for level in (2, 1, 0):
            x = self.enlarge[level](x)
            x = self.merge[level](torch.cat([skipped[level], x], dim=1))
        return self.last(x)
        ### END SOLUTION

# %% [markdown]
# How does the check see a skip connection, whatever you call your layers? It cuts your network: all maps of certain sizes become 0 while it runs. With everything below full size cut off, only the top skip connection is left. Then the middle of the output still depends on a strip of the image 9 pixels wide, the view of four convolutions 3 × 3. With the maps of half the size restored, the strip must become wider, and so on down to the bottom. The images for this are long, 16 × 128. The check also looks at the calls: whether there are three transposed convolutions, and whether the output of a batch norm goes into the next layer without an activation between them.

# %% nbgrader={"grade": true, "grade_id": "unet_structure", "locked": true, "points": 17, "schema_version": 3, "solution": false, "task": false}
check.public("unet_structure", UNet)
### BEGIN HIDDEN TESTS
check.hidden("unet_structure", UNet)
### END HIDDEN TESTS

# %% [markdown]
# ### A loss that sees small defects
#
# Pixel by pixel, segmentation is a classification into two classes, and the loss is the cross-entropy. But of all pixels of the test parts only about one in a hundred is defective: a network that says *good* everywhere is nearly always right. **Dice** looks at the overlap instead. With probabilities $p_i = \sigma(z_i)$ and the mask $t_i \in \{0, 1\}$ of *one* image,
#
# $$D = \frac{2 \sum_i p_i t_i + 1}{\sum_i p_i + \sum_i t_i + 1}$$
#
# is 1 for a perfect mask and near 0 for a useless one, unless the defect is only a few pixels. The ones smooth it: for an image without a defect, $D$ is 1 if nothing is predicted, and there is no 0 / 0. Since $p$ is a probability and not a decision, $D$ has a gradient.
#
# $$\mathcal{L} = \underbrace{\text{mean of the cross-entropy}}_{\text{over all pixels of all images}} + \; w \cdot \underbrace{\text{mean of } (1 - D)}_{\text{over the images}}$$
#
# **Task** (20 min, medium). Write `segmentation_loss`, for logits and masks (N, 1, H, W), the masks `bool`. Its `weight` is $w$.
#
# - It returns a tensor of shape () through which gradients flow.
# - Compute Dice for each image, then average.
# - Logits of ±10,000 occur: the loss and its gradient must stay finite and right. (Cross-entropy at −10,000 where there is a defect is 10,000, not the 100 at which some functions cut off.)
#
# <details><summary>Hint 1: the first part</summary><code>F.binary_cross_entropy_with_logits</code> is exact for any logit. It wants targets of the same dtype: <code>masks.to(logits.dtype)</code>.</details>
# <details><summary>Hint 2: for each image</summary><code>sum(dim=(1, 2, 3))</code> leaves (N,).</details>

# %% nbgrader={"grade": false, "grade_id": "segmentation_loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def segmentation_loss(logits: torch.Tensor, masks: torch.Tensor, weight: float) -> torch.Tensor:
    """Compute mean cross-entropy plus weight times the mean over images of 1 - soft Dice.

    `logits` (N, 1, H, W), `masks` of the same shape, bool. Returns a tensor of shape ().
    """
    ### BEGIN SOLUTION
    target = masks.to(logits.dtype)
    cross_entropy = F.binary_cross_entropy_with_logits(logits, target)
    p = logits.sigmoid()
    both = (p * target).sum(dim=(1, 2, 3))
    total = p.sum(dim=(1, 2, 3)) + target.sum(dim=(1, 2, 3))
    dice = (2 * both + 1) / (total + 1)
    return cross_entropy + weight * (1 - dice).mean()
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "dice_loss", "locked": true, "points": 13, "schema_version": 3, "solution": false, "task": false}
check.public("dice_loss", segmentation_loss)
### BEGIN HIDDEN TESTS
check.hidden("dice_loss", segmentation_loss)
### END HIDDEN TESTS

# %% [markdown]
# ### Against PaDiM, which has never seen a defect
#
# A U-Net has nothing but convolutions, so it can be trained on small **tiles** and used on whole images, as in its paper. A tile is cheap, and you choose where it lies: seven of ten around a defect, the others anywhere. Here `draw_tiles` cuts tiles of 32 × 32 pixels (`TILE`), flipped at random, out of images shrunk to 64 × 64 (`SIDE`). The good parts of the training set have masks too, empty ones that cost nothing, so we use them as well. This takes half a minute.
#
# **Predict first.** On the held-out half, which of the two has the higher IoU with the true masks? Which has the higher image AUROC, the probability that a defective part has a higher score (the maximum of its map) than a good one? (Pixel AUROC compares pixels instead.) Which raises fewer false alarms? *My prediction:* …

# %% nbgrader={"grade": false, "grade_id": "train_unet", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
torch.manual_seed(0)
unet, STEPS = UNet(8).to(DEVICE, memory_format=torch.channels_last), 800
optimiser = torch.optim.Adam(unet.parameters())
schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 5e-3, total_steps=STEPS)
images = shrunk(torch.cat([test.X[learn], train.X]))
# a small pixel is defect if one of its pixels is
tile_masks = F.adaptive_max_pool2d(torch.cat([test.masks[learn], train.masks]).float(), SIDE)
with one_thread(), tqdm(range(STEPS), "U-Net", unit="step") as bar:
    for _ in bar:
        tiles, truth = draw_tiles(images, tile_masks, n=16)
        loss = segmentation_loss(unet(tiles.to(DEVICE)), truth.to(DEVICE), 1.0)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        bar.set_postfix(loss=f"{loss.item():.2f}", refresh=False)

# %% nbgrader={"grade": false, "grade_id": "defect_maps", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
@torch.no_grad()
def defect_maps(net, images):
    """Let a U-Net say how probable a defect is at each pixel of images (N, 3, S, S): (N, S, S)."""
    net.eval()
    batches = shrunk(images).split(32)
    found = torch.cat([net(batch.to(DEVICE)).sigmoid().cpu() for batch in batches])
    return at_full_size(found[:, 0], images.shape[-1])


def overlap(said, truth):
    """Compute intersection over union, over all pixels of all images."""
    return ((said & truth).sum() / (said | truth).sum()).item()


levels = padim_maps[learn].flatten()[::50].quantile(torch.linspace(0.9, 0.999, 100))
there = test.masks[:, 0]
level = max(levels, key=lambda level: overlap(padim_maps[learn] > level, there[learn]))
segmented = {"PaDiM": padim_maps[held_out], "U-Net": defect_maps(unet, test.X[held_out])}
said = {"PaDiM": segmented["PaDiM"] > level, "U-Net": segmented["U-Net"] > 0.5}

# %% nbgrader={"grade": false, "grade_id": "compare_unet", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
from sklearn.metrics import roc_auc_score

truth, labels = there[held_out], test.y[held_out]
print(f"{'held-out parts':16}{'IoU':>6}{'pixel AUROC':>14}{'image AUROC':>14}{'false alarms':>15}")
for name, maps in segmented.items():
    by_pixel = roc_auc_score(truth.flatten(), maps.flatten())
    by_image = roc_auc_score(labels > 0, maps.amax(dim=(1, 2)))
    false = said[name][labels == 0].flatten(1).any(dim=1)  # good parts with a single pixel
    print(f"{name:16}{overlap(said[name], truth):6.2f}{by_pixel:14.3f}{by_image:14.3f}"
          f"{false.sum():9} of {len(false)}")  # fmt: skip
rows = [int((labels == kind).nonzero()[0]) for kind in range(len(DEFECTS))]
columns = {"truth": truth[rows]} | {name: masks[rows] for name, masks in said.items()}
headings = [DEFECTS[labels[row]] for row in rows]
plots.masks_beside(test.X[held_out][rows], columns, headings)

# %% [markdown]
# How to read it: white is what each detector calls a defect, and the line is the truth. The threshold of PaDiM is the one with the best overlap on `learn`; the U-Net's is 0.5. A *false alarm* is a good part with a single white pixel.
#
# For the drawn capsules we measured an IoU of 0.42 to 0.47 for the U-Net, in several training runs, and 0.23 for PaDiM; for the bottles about 0.7 and 0.37. The U-Net draws outlines, thanks to its skip connections and to somebody who drew masks. PaDiM's blobs are as coarse as its features. To *sort* parts, the U-Net is no better: its image AUROC was 0.93 to 0.95 against PaDiM's 0.98 for the capsules, and 0.94 to 0.98 against 0.997 for the bottles. And both halves of the test set have the same types of defect. The U-Net was never trained for a type that nobody has seen yet, while PaDiM does not need to know a defect to find it unusual.
#
# Do not trust the second digit of a single training run. In ours, between 1 and 12 of the 12 good capsules had a false alarm. There are few masks and few steps, and seven of ten tiles lie around a defect, so the network thinks that defects are more frequent than they are. Other random numbers are enough to change the result, and so is another number of threads. Change the seed and the threshold, and see which of your numbers stay.

# %% [markdown]
# ### A detector that learns from boxes
#
# Boxes are cheaper to draw than masks. **Faster R-CNN** (Ren et al., 2015) has a backbone, a small network that proposes places that might hold something, and a head that looks at each of them: is it a defect, and how should its box move? Here `torchvision`'s is built on `resnet_drawn` and fine-tuned on the boxes of `learn` (`rcnn.fine_tuned??` shows how). On a CPU this takes one to four minutes, so it waits until you set `TRAIN_RCNN`.
#
# **Predict first.** More boxes met than PaDiM's, or better ones? *My prediction:* …

# %%
# not run when graded
TRAIN_RCNN = DEVICE == "cuda"
score_boxes("PaDiM", [truth_at[n] for n in held_out], [found_at[n] for n in held_out])
if TRAIN_RCNN:
    detector = rcnn.fine_tuned(test.X[learn], [truth_at[n] for n in learn], DEVICE)
    by_rcnn = rcnn.boxes_in(detector, test.X[held_out])
    score_boxes("Faster R-CNN", [truth_at[n] for n in held_out], by_rcnn)

# %% [markdown]
# How to read it: for the drawn capsules, PaDiM's 66 boxes met 87 % of the 98 true ones, 17 % with an IoU above 0.5. Faster R-CNN's 75 to 107 boxes (two machines) met 57 to 73 %, but 34 to 37 % with such an IoU, and at most one good part had one. It has learned how far defects reach, from 66 parts that were shrunk to 128 pixels; many small defects it does not see. A detector that was trained on photographs (`torchvision` has some, trained on COCO) and a thousand boxes do better.
#
# ## 4 · Defects of your own making
#
# The network of section 3 needs masks, and you have none on the first day of production. So make the defects yourself: you know where you put them. **CutPaste** (Li et al. 2021) cuts a rectangle out of a good image and pastes it somewhere else. Its authors then train a *classifier*, good against pasted, and describe the features of good images by one Gaussian (PaDiM has one at each position): labels that cost nothing teach the features, which is **self-supervised** learning. DRAEM (Zavrtanik et al. 2021) pastes foreign textures in shapes of noise and trains a network to segment them. Below you paste as CutPaste does and segment as DRAEM does, so our numbers are not those of either paper. Nothing that you paste looks like a real scratch. The hope is that a network that has learned to find what *does not belong* finds scratches, too.
#
# **Task** (25 min, medium). Write `cut_paste` for images (N, 3, H, W), `uint8`. Treat each image separately:
#
# 1. Draw the area of a rectangle as a share of the image, uniformly from 2 to 15 %.
# 2. Draw its height divided by its width, from 0.3 to 3.3. Draw the logarithm uniformly, so that tall and wide rectangles are equally likely.
# 3. Round height and width to whole pixels, at least 1, at most the image's.
# 4. Draw the position where it is cut, and the position where it is pasted, both in the same image. Draw each uniformly from all positions where the rectangle lies inside the image, the first and the last position as often as any other.
# 5. Paste the rectangle there, as it is.
#
# The result and the random numbers:
#
# - Return the new images and the masks (N, 1, H, W), `bool`. A mask covers the whole pasted rectangle, even where the pixels are the same as before.
# - The input images are not modified.
# - All random numbers come from `generator`, a `torch.Generator`. The same generator state gives the same defects; drawing advances the state, so the next call gives other defects.
# - No other generator (torch's, NumPy's, Python's) is touched.
#
# <details><summary>Hint 1: height and width</summary>With area A (in pixels) and ratio r = h / w: h = √(A r), w = √(A / r).</details>
# <details><summary>Hint 2: numbers from a generator</summary><code>torch.rand((), generator=generator)</code> is uniform in 0…1; <code>torch.randint(high, (), generator=generator)</code> is a whole number below <code>high</code>. There are H − h + 1 positions for the upper edge.</details>
# <details><summary>Hint 3: cut before you paste</summary>Cut from the input image, not from its copy, so that nothing overwrites itself.</details>

# %% nbgrader={"grade": false, "grade_id": "cut_paste", "locked": false, "schema_version": 3, "solution": true, "task": false}
def cut_paste(
    images: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Paste a rectangle of each image (N, 3, H, W), uint8, somewhere else in it.

    Returns new images (N, 3, H, W), uint8, and masks (N, 1, H, W), bool.
    """
    ### BEGIN SOLUTION
    H, W = images.shape[2:]
    pasted, masks = images.clone(), torch.zeros(len(images), 1, H, W, dtype=torch.bool)

    def uniform(low, high):
        return low + (high - low) * torch.rand((), generator=generator).item()

    def place(limit):
        return int(torch.randint(limit + 1, (), generator=generator))

    for image, old, mask in zip(pasted, images, masks, strict=True):
        area, ratio = uniform(0.02, 0.15) * H * W, math.exp(uniform(math.log(0.3), math.log(3.3)))
        h = min(max(round(math.sqrt(area * ratio)), 1), H)
        w = min(max(round(math.sqrt(area / ratio)), 1), W)
        (y, x), (Y, X) = ((place(H - h), place(W - w)) for _ in range(2))
        image[:, Y : Y + h, X : X + w] = old[:, y : y + h, x : x + w]
        mask[:, Y : Y + h, X : X + w] = True
    return pasted, masks
    ### END SOLUTION

# %% [markdown]
# The check gives you images whose pixels encode their position: red is the row, green the column, blue the number of the image. So it can tell where each pasted pixel comes from.
#
# - For each of 1,200 images it computes six numbers: `area`, `ratio`, row and column of the cut, row and column of the paste, scaled so that each should be uniform between 0 and 1. For each number it compares the mean (½), the spread (√(1/12)), the smallest and the largest value, with a wide margin.
# - Then come images of 6 × 9, 3 × 16 and 16 × 3 pixels, where rounding, bounds and the last positions count. For the first size it compares the mean `sides`, as shares of the image, and the `smallest_sides`, 1 pixel each. For the others it compares the `largest_sides`, 3 pixels high and 3 pixels wide.

# %% nbgrader={"grade": true, "grade_id": "cut_paste_statistics", "locked": true, "points": 13, "schema_version": 3, "solution": false, "task": false}
check.public("cut_paste_statistics", cut_paste)
### BEGIN HIDDEN TESTS
check.hidden("cut_paste_statistics", cut_paste)
### END HIDDEN TESTS

# %% nbgrader={"grade": false, "grade_id": "draw_cut_paste", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
made, made_masks = cut_paste(train.X[:6], torch.Generator().manual_seed(1))
plots.pairs(made, made_masks, [f"good part {i}" for i in range(6)])

# %% [markdown]
# How to read it: the top row shows the parts with the pasted rectangles, the bottom row the masks. Look for regions where the mask is white but you see nothing: background pasted onto background is not a defect, although the mask says so. A network that is trained with such labels learns that anything may be a defect. So from here on we call only those pixels defective that pasting has changed by more than 15 of 255 levels.
#
# The authors of CutPaste have a second recipe, the *scar*: a thin piece instead of a wide one. Here is one in the spirit of both papers: a short line of another part, lighter or darker, and half transparent.

# %% nbgrader={"grade": false, "grade_id": "scars", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
def thin_lines(n, size):
    """Draw n masks (n, 1, size, size), bool, of one short line each, 1 to 3 pixels thick."""
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    angle, (y, x) = math.pi * torch.rand(n, 1, 1), size * torch.rand(2, n, 1, 1)
    along = (rows - y) * angle.sin() + (columns - x) * angle.cos()
    across = (columns - x) * angle.sin() - (rows - y) * angle.cos()
    length, thickness = 6 + 18 * torch.rand(n, 1, 1), 1 + 2 * torch.rand(n, 1, 1)
    return ((along.abs() < length / 2) & (across.abs() < thickness / 2))[:, None]


def scars(tiles):
    """Lay a thin line of another tile over each of tiles (n, 3, T, T), uint8."""
    n, light = len(tiles), 0.4 * (2 * torch.rand(len(tiles), 4, 1, 1) - 1)
    opacity = 0.2 + 0.8 * torch.rand(n, 1, 1, 1)
    other = (tiles.roll(1, dims=0) * (1 + light[:, :3]) + 255 * light[:, 3:]).clamp(0, 255)
    mixed = (opacity * other + (1 - opacity) * tiles).round().to(torch.uint8)
    return torch.where(thin_lines(n, TILE), mixed, tiles)

# %% nbgrader={"grade": false, "grade_id": "made_defects", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
pasting = torch.Generator().manual_seed(0)
RECIPES = {"rectangles": lambda tiles: cut_paste(tiles, pasting)[0], "scars": scars}


def made_defects(make, n=16):
    """Draw tiles of good parts (n, 3, T, T), put defects on three of four, and mark them."""
    tiles, _ = draw_tiles(small_parts, no_defects, n, around=0)
    made = make(tiles)
    made[::4] = tiles[::4]  # every fourth stays good
    changed = (made.int() - tiles.int()).abs().amax(dim=1, keepdim=True) > 15
    return made, changed


small_parts = F.interpolate(train.X.float(), SIDE, mode="bilinear", antialias=True)
small_parts = small_parts.round().to(torch.uint8)
no_defects = torch.zeros(len(train.X), 1, SIDE, SIDE, dtype=torch.bool)
for name, make in RECIPES.items():
    torch.manual_seed(3)
    plots.pairs(*made_defects(make, 8), 2 * ["good", *3 * [name]])

# %% [markdown]
# How to read it: these are tiles as the network gets them; the first and the fifth are left good. Every mask now marks what has changed by more than 15 levels; fainter parts of a scar stay unmarked.
#
# Train the U-Net of section 3 twice, on good parts only, with new defects in every batch. Measure it on real defects (those of the test set), and compare it with PaDiM. This takes about a minute.
#
# **Predict first.** Rectangles and scars: which types of defect will each of them find, and which will neither find? *My prediction:* …

# %% nbgrader={"grade": false, "grade_id": "train_on_made", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
def train_on_made(name, steps=500):
    """Train a U-Net on made defects; return its maps of the test parts (N, SIZE, SIZE)."""
    torch.manual_seed(0)
    net = UNet(8).to(DEVICE)
    optimiser = torch.optim.Adam(net.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 5e-3, total_steps=steps)
    for _ in tqdm(range(steps), f"U-Net on {name}", unit="step"):
        made, changed = made_defects(RECIPES[name])
        logits = net(((made / 255 - 0.5) / 0.25).to(DEVICE))
        loss = segmentation_loss(logits, changed.to(DEVICE), 1.0)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return defect_maps(net, test.X)


with one_thread():
    made_maps = {name: train_on_made(name) for name in RECIPES}

# %% nbgrader={"grade": false, "grade_id": "compare_pasted", "locked": true, "schema_version": 3, "solution": false, "task": false}
# not run when graded
found = {"PaDiM": padim_maps, **made_maps}
print(f"{'image/pixel AUROC':18}" + "".join(f"{name:>15}" for name in found))
for number, kind in enumerate(("all", *DEFECTS[1:])):
    keep = (test.y == 0) | (test.y == number) if number else test.y >= 0
    line = f"{kind:18}"
    for maps in found.values():
        image = roc_auc_score(test.y[keep] > 0, maps[keep].amax(dim=(1, 2)))
        pixel = roc_auc_score(test.masks[keep].flatten(), maps[keep].flatten())
        line += f"{image:9.3f}/{pixel:.3f}"
    print(line)

# %% [markdown]
# Read the table one type of defect at a time. Does it help? That depends on the recipe, and on the defect.
#
# In our runs (drawn capsules, several seeds) rectangles reached an image AUROC of 0.57 to 0.80. Scars find cracks, pokes and scratches almost without a fault, 0.92 to 1.0: they are marks on a surface, like the scars. A faulty imprint remains a coin toss, and a squeezed capsule is found less surely, 0.53 to 0.84, because nothing that was pasted looked like them. For bottles the image AUROC is about 0.7 with rectangles and 0.93 to 0.96 with scars.
#
# And how can the pixel AUROC of scars be 0.4 to 0.7 for all defects together, when it is 0.96 and more for cracks? Imprints and squeezed sides have by far the largest masks, so most defective pixels belong to the two types that are not found. A pixel AUROC counts pixels and not defects, whichever way that goes.
#
# *That* a part is defective and *where* are two questions. On the real screws the scars reach an image AUROC of 0.89, and PaDiM 0.91 at the same 192 pixels; but the maximum of the map lies within 8 pixels of a defect on 3.4 % of the defective screws, where chance has 2.5 %, and the pixel AUROC is 0.24. The network raises the right alarms for a reason that has nothing to do with the defect. (On the drawn capsules it is 59 to 76 %, chance 5 %.) Look at the maps before you believe a number.
#
# Synthetic defects help as much as they resemble the defects that will come. You know least about those when you need it most. If you have half an hour, write a recipe for wrong imprints (take a part's own print, and move or smear it), and add it to `RECIPES`.

# %% [markdown]
# ## 5 · Which labels, which model
#
# Write a few sentences for somebody who has to decide: a number from your own tables is worth more than an adjective.

# %% [markdown]
# **Question 1** (5 points). For 1,000 photographs with 100 defects in them: what exactly has to be labelled for classification, for object detection, for semantic segmentation? What does your box of section 1 lose against the mask, and when is that no loss? *A full answer says what one label is in each of the three; compares the effort; says what a box cannot tell; and when it is enough.* (about 13 min)

# %% [markdown] nbgrader={"grade": true, "grade_id": "labels_they_need", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer.** Classification: one class for each photograph (a few seconds each). Detection: for each *instance* a box and a class, x and y of two corners, so two defects in one photograph are two boxes (10 to 30 seconds each); photographs without a defect have an empty list. Semantic segmentation: a class for each *pixel*, a mask of the size of the image (minutes each), which does not say how many instances there are; instance segmentation has a mask for each instance. A box of a thin diagonal scratch is nearly all good surface; its area says nothing about the size of the defect, and it cannot be measured against a limit ("scratches over 0.2 mm²"). It is enough when somebody only has to look there, when parts are thrown away whatever the defect's size, or to cut out the region for a second network.
#
# **Marking.** 2 points: the three types of label, with a box *for each instance* and a class *for each pixel*. 1 point: effort compared. 1 point: what a box loses. 1 point: when that does not matter.
# ### END SOLUTION

# %% [markdown]
# Three models that others have trained on millions of images: **SAM** turns a click or a box into a mask, **YOLO-World** finds what a text names, and **DINOv2** describes each patch of an image.
#
# **Question 2** (5 points). When would you fine-tune such a foundation model instead of training a network of your own, and when not? Say it for segmentation of your part's defects. *A full answer names what such a model brings and what it lacks for industrial defects; gives a condition for fine-tuning and one against; and says how you would find out.* (about 13 min)

# %% [markdown] nbgrader={"grade": true, "grade_id": "foundation_models", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer.** It was trained on millions of images, and brings features and a notion of outlines: SAM draws a sharp mask from a box or a click, YOLO-World finds things by name, DINOv2 describes patches. So a few dozen labelled images are enough where a U-Net from scratch needs hundreds, and labelling gets faster: a click instead of an outline. What it lacks: it knows objects of the everyday world. "Crack" and "faulty imprint" on a capsule are not among them, a hair-thin scratch is smaller than its patches, and it segments *things*, not *deviations*. (Its features can do more than its outlines: frozen DINOv2 patches, compared with those of a single good image, are a strong detector of anomalies, AnomalyDINO, Damm et al., WACV 2025.) I fine-tune (the head, or a small adapter, the encoder frozen) when there are few labels, varied images, and a machine that can run 100 million parameters in the time available for a part. I do not when the view is always the same, the defects are tiny, or the camera's computer has 1 MB: then PaDiM or a small U-Net is enough. How to find out: the same held-out parts, the same IoU, with intervals, zero-shot, fine-tuned, and the small network; and the time per image.
#
# **Marking.** 1 point: what it brings. 1 point: what it lacks here. 2 points: a condition for and one against. 1 point: a fair comparison.
# ### END SOLUTION

# %% [markdown]
# **Question 3** (5 points). Could a GAN or a diffusion model provide the defects that you lack? What could it add to section 4, and what could go wrong? *A full answer says what such a model learns and from what; one use that can help and why; and two dangers, with a way to notice one of them.* (about 13 min)

# %% [markdown] nbgrader={"grade": true, "grade_id": "generated_defects", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer.** A GAN or a diffusion model learns the distribution of its training images and draws new ones. Of good parts there are plenty; of defects it needs examples, or a model that was trained elsewhere, guided by a text, a mask or a few photographs. It can make pasted defects look real: paint a scratch into a given mask of a good photograph (inpainting), so that image and mask fit, in many lights and places; vary a rare type of which there are ten examples; or fill up the long tail of rare types. Dangers: it draws what it has seen, so none of the types that nobody has seen; with ten examples it copies them (look for the nearest training image of each drawn one); it leaves traces of its own, and the network learns to find the traces, not the defects; its mask does not fit what it has drawn; it draws "defects" that are not defects. You notice this by a test on *real* defects only, which were never used for generating, against the network without generated images; and by letting an inspector tell real from generated.
#
# **Marking.** 1 point: what is learned from what. 1 point: a use, with its reason. 2 points: two dangers. 1 point: how one of them is noticed, on real data.
# ### END SOLUTION

# %% [markdown]
# ## 6 · Your own experiment
#
# The reports that this course grew out of end with a table and a claim. Now you write one page of your own. Choose a question, or ask another one:
#
# - What does the weight of Dice in `segmentation_loss` do, and when does it not matter?
# - How many masks does the U-Net need before it overlaps better than PaDiM?
# - What does it lose if its masks are only your boxes, filled?
# - Does a recipe for wrong imprints help, and what does it cost on the other types?
#
# **Task** (50 min, open, no check). Write the training script in the cell below, with a `Dataset` and a `DataLoader` of your own. You may use what this notebook defines.
#
# - Split `learn` into parts to train on and parts to measure on. Do not touch `held_out`.
# - Change one thing, or two that you expect to depend on each other, and keep all the others. Run each setting with at least three seeds. A difference smaller than the spread of the seeds is not a finding.
# - Write one line per run to `runs.csv`: the setting, the seed, the result, the seconds. `UNet(8)` with 400 steps takes about 15 seconds; let most tiles lie around a defect, as in `draw_tiles`. (`UNet(4)` is faster, and some of its runs find nothing.) Look at one run before you start them all.
#
# **Predict first**, in the first line of your report.

# %% nbgrader={"grade": false, "grade_id": "own_experiment", "locked": false, "schema_version": 3, "solution": true, "task": false}
# not run when graded
### BEGIN SOLUTION
import csv
import time
from pathlib import Path

from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, Dataset


class Batches(Dataset):
    """Batches of 16 tiles of some parts of the test set and of all good ones."""

    def __init__(self, parts, number):
        masks = torch.cat([test.masks[parts], train.masks]).float()
        self.images, self.number = shrunk(torch.cat([test.X[parts], train.X])), number
        self.masks = F.adaptive_max_pool2d(masks, SIDE) > 0

    def __len__(self):
        return self.number

    def __getitem__(self, _):
        return draw_tiles(self.images, self.masks, n=16)


def one_run(weight, seed, steps=400):
    """Train on `own`; return the IoU on `val`, and the share of its pixels called defective."""
    torch.manual_seed(seed)
    net = UNet(8).to(DEVICE, memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(net.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 5e-3, total_steps=steps)
    for tiles, masks in DataLoader(Batches(own, steps), batch_size=None):
        loss = segmentation_loss(net(tiles.to(DEVICE)), masks.to(DEVICE), weight)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    called = defect_maps(net, test.X[val]) > 0.5
    return overlap(called, test.masks[val, 0]), called.double().mean().item()


own, val = train_test_split(learn, train_size=44, stratify=test.y[learn], random_state=0)
with open("runs.csv", "w", newline="") as file, one_thread():
    lines = csv.writer(file)
    lines.writerow(["weight", "seed", "iou", "called", "seconds"])
    for seed in range(3):
        for weight in (0.0, 1.0):
            start = time.perf_counter()
            found = one_run(weight, seed)
            lines.writerow([weight, seed, *found, time.perf_counter() - start])
print(Path("runs.csv").read_text())
### END SOLUTION

# %% [markdown]
# **Report** (10 points). 150 to 300 words, one figure and one table of your own. (Matplotlib's `plt.savefig("figure.png")` saves a figure; drag the file into the cell.) This is how it is marked:
#
# | | points |
# |---|---:|
# | the claim, in one sentence that could have turned out wrong, and your prediction | 1 |
# | what was changed and what was kept; numbers of parts, steps and seeds | 2 |
# | the table: mean and spread over the seeds | 2 |
# | the figure: axes, units, readable without the text | 1 |
# | chosen and measured on parts of `learn`; the held-out ones were not touched | 1 |
# | doubt: another explanation, how sure you are, what you would do next | 2 |
# | the script does what the text says | 1 |
#
# (about 25 min)

# %% [markdown] nbgrader={"grade": true, "grade_id": "report_own_experiment", "locked": false, "points": 10, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer.** *Prediction and claim.* One pixel in a hundred is defective, so with cross-entropy alone the network saves most by saying *good* everywhere. Without Dice the IoU is lower with every seed.
#
# *What was done.* `UNet(8)`, 400 steps of 16 tiles, seven of ten around a defect. Trained on 44 parts of `learn` and all good parts, measured on the other 22 parts of `learn`; 0.8 % of their pixels are defective. Only the weight of Dice changed. Three seeds, the same for both weights; a seed draws initial weights and tiles.
#
# | weight | mean IoU | seeds 0, 1, 2 | pixels called defective |
# |---:|---:|---|---|
# | 0 | 0.18 | 0.28, 0.00, 0.27 | 0.3 %, none, 0.3 % |
# | 1 | 0.29 | 0.31, 0.14, 0.40 | 1.7 %, 1.5 %, 0.8 % |
#
# *Figure.* IoU over the weight, a line for each seed: all three rise, one of them from 0.
#
# *Finding.* The claim holds: the gain is 0.03, 0.14 and 0.14. Without Dice the network calls too few pixels defective, once none at all; with it, mostly too many.
#
# *Doubt.* The spread over the seeds is as large as the gain. So I repeated the runs with 600 steps: 0.48, 0.00 and 0.42 without Dice, 0.36, 0.32 and 0.44 with it. Seed 0 now contradicts the claim. Dice saves the run that finds nothing, and may only speed up the others. The threshold 0.5 was kept; a lower one might help the cautious network. Next: ten seeds, 2,000 steps, and thresholds chosen on other parts.
#
# **Marking.** As in the table above; half points are allowed. A result that contradicts the claim is as good as one that supports it, if the text says so. Without several seeds: at most 1 point for the table, and 1 for the doubt. If two things changed at once, without a reason: at most 1 point for what was changed.
# ### END SOLUTION

# %% [markdown]
# ## What you have now
#
# A mask becomes boxes, one for each connected piece, and you know that four numbers mean nothing without their convention: which corners, in which order, and whether the end is included. You have a U-Net that draws sharper outlines than a detector that knows good parts only, is no better at sorting parts, and knows only the types of defect that somebody has labelled. And you have defects of your own making, which help as much as they resemble the real ones. Measure on real defects only, and look at the maps before you believe a number.
#
# **What the field does today.** With masks, a well-tuned U-Net is still hard to beat, on medical images at least; nnU-Net (Isensee et al., 2021) sets its depth, patch size and normalisation from the data. With one or a few good images and no labels, one compares patches of frozen DINOv2 features with those of the good images, as AnomalyDINO does. Promptable models (SAM and its successors) turn a click or a box into a mask: they speed up labelling, and sharpen the outline of what a detector found. Diffusion models paint defects into photographs of good parts; the test on real defects stays.
#
# - [U-Net: Convolutional Networks for Biomedical Image Segmentation](https://arxiv.org/abs/1505.04597) (Ronneberger et al. 2015): eight pages, and you have built most of them.
# - [AnomalyDINO](https://arxiv.org/abs/2405.14529) (Damm et al. 2025): how far frozen features go, with one good image.
# - [RoBiS](https://arxiv.org/abs/2505.21152) (Li et al. 2025): what it takes on the harder MVTec AD 2, from tiles of large images to masks refined by SAM.

# %%
# not run when graded
# Save the notebook first. This runs it in a fresh process, shows what is missing, and writes the
# zip to hand in; check.progress() shows how far you are in the whole course.
check.hand_in()
