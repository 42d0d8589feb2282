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
# # Layers by hand
#
# **After this notebook you can** derive and write what your library computes: the size of a convolution's output, the convolution itself and its gradients, batch norm and its gradients, the gradient of softmax with cross-entropy, and the steps of Adam and Adagrad.
#
# **Time** about 5½ hours, two and a half of them with paper and pencil · **Hardware** any laptop, no GPU · **Points** 100: 80 for code, graded by hidden checks, and 20 for five derivations · **Hand in** the zip that the last cell writes
#
# | section | what you write | minutes |
# |---|---|---:|
# | 1 The size of a convolution's output | `conv_output_shape`; Derivation 1 | 30 |
# | 2 The convolution and its gradients | `conv_forward`, `conv_backward`; Derivation 2 | 110 |
# | 3 Batch norm | `batchnorm_forward`, `batchnorm_backward`, `identity_parameters`; Derivation 3 | 90 |
# | 4 Softmax with cross-entropy | `softmax_cross_entropy`; Derivation 4 | 35 |
# | 5 Adam and Adagrad | `adam`, `adagrad`, `adagrad_gap`; Derivation 5 | 55 |
#
# Section 2 is the largest. The sections do not use each other's functions, so do them in any order.
#
# Everybody uses these formulas, and few have derived them. Each comes twice: as a function on tensors, with a check, and as a **derivation** on paper, which a person reads.
#
# **By hand** means tensor operations only:
#
# - **Allowed**: loops, `torch.softmax`, `torch.logsumexp`, `torch.log_softmax`, `torch.einsum`, `x.unfold(…)`, `x.var(…)` and so on.
# - **Not allowed**: `torch.nn`, `torch.optim`, autograd, and any operation that is the whole answer, such as `torch.batch_norm` or `torch.conv2d`. If your function uses one of these, its check says so and fails.
# - Your functions must not modify their inputs. Results have the dtype of the inputs.
#
# **For the derivations**, type LaTeX between dollar signs (`$\frac{a}{b}$`) or plain text (`a/b`, `sum over n`): clear beats pretty. Say in half a sentence why each step holds. Double-click the answer cell to write, and run it to see it set; double-click a text to see how its formulas are typed, and copy what you need.
#
# Each task is followed by a **check** on a few cases whose answers ship with the course. When your work is graded, the same check runs on cases you have not seen. A cell that begins with `# not run when graded` is for you only: it computes or draws, and the grader skips it. Graded functions must not need anything from such a cell.

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

import torch
import torch.nn.functional as F

from autograder import Checker
from autograder.assignments.a6_layers_by_hand.lesson import plots

check = Checker("a6_layers_by_hand")
check.set_up("cpu", "random tensors")

# %% [markdown]
# ## 1 · The size of a convolution's output
#
# A network does not run until the sizes fit. Frameworks differ in the order of the axes; in this section the input has shape $(B, W, H, C)$, channels last and *width before height*. So the first entry of every pair belongs to $W$, the second to $H$: kernel $(k_1, k_2)$, zeros added on **both** sides $(p_1, p_2)$, stride $(s_1, s_2)$, and dilation $(d_1, d_2)$: the distance between neighbouring taps of the kernel, 1 for an ordinary one.
#
# **Task** (10 min, easy). Write `conv_output_shape`. The shape and the pairs arrive as lists of whole numbers. The check only has cases in which the kernel fits into the padded input (where it does not, libraries raise an error).
#
# <details><summary>Hint 1: how long is the kernel?</summary>Five taps with dilation 1 cover 5 cells. Three taps with dilation 2 also cover 5. Draw it.</details>
# <details><summary>Hint 2: count the positions</summary>Put the kernel at the left end. How many cells remain to its right? Each stride uses up s of them and gives one more position. The first position needs no stride.</details>
# <details><summary>Hint 3: whole numbers</summary><code>7 // 2</code> is 3: division that rounds down.</details>


# %% nbgrader={"grade": false, "grade_id": "conv_output_shape", "locked": false, "schema_version": 3, "solution": true, "task": false}
def conv_output_shape(
    shape: list[int],
    filters: int,
    kernel: list[int],
    padding: list[int],
    stride: list[int],
    dilation: list[int],
) -> tuple[int, int, int, int]:
    """Compute the shape (B, W', H', filters) of a convolution's output.

    shape is [B, W, H, C]; each pair is [its value along W, its value along H].
    """
    ### BEGIN SOLUTION
    sizes = []
    for size, k, p, s, d in zip(shape[1:3], kernel, padding, stride, dilation, strict=True):
        extent = d * (k - 1) + 1  # cells from the first tap to the last
        sizes.append((size + 2 * p - extent) // s + 1)
    return shape[0], sizes[0], sizes[1], filters
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "conv_sizes", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
check.public("conv_sizes", conv_output_shape)
### BEGIN HIDDEN TESTS
check.hidden("conv_sizes", conv_output_shape)
### END HIDDEN TESTS

# %% [markdown]
# **Predict first.** Along one axis of 11 cells, with one cell of padding at each end, a kernel has 3 taps, stride 3 and dilation 2. How many positions are there, and which cells of the input are never read? *My prediction:* …

# %%
# not run when graded
W, k, p, s, d = 11, 3, 1, 3, 2
places = conv_output_shape([1, W, W, 1], 1, [k, k], [p, p], [s, s], [d, d])[1]
plots.kernel_places(W, k, p, s, d, places)

# %% [markdown]
# How to read it: each row is one position of the kernel, and there are as many as your function says; the grey cells are padding. At the right end two cells are left over, one of them a cell of the input: too few for another stride. Two more cells of the input are never read: why? Change the numbers until you can predict the picture.
#
# <details><summary>Which two, and why?</summary>Cells 0 and 8 (cell 10 is the one at the end). With dilation 2 the taps skip every second cell, and a stride of 3 does not fill all the gaps.</details>

# %% [markdown]
# **Derivation 1** (4 points). Derive the shape of the output for an input of shape $(B, W, H, C)$. (about 20 min)
#
# A full answer
#
# - says how many cells a kernel of $k$ taps with dilation $d$ covers,
# - says at which positions of the padded input it may begin, counts them, and says where the rounding down and the $+1$ come from,
# - gives all four entries of the shape,
# - says for which padding an odd kernel with stride 1 keeps the size, and why an even one without dilation cannot.

# %% [markdown] nbgrader={"grade": true, "grade_id": "derivation_convolution", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer.** Take the axis $W$; the other one is the same with index 2. Neighbouring taps are $d_1$ cells apart, and between $k_1$ taps there are $k_1 - 1$ distances. So from the first tap to the last, both counted, the kernel covers
#
# $$e_1 = d_1 (k_1 - 1) + 1 \text{ cells.}$$
#
# The padded input has $W + 2 p_1$ cells, numbered from 0. The kernel begins at $i\,s_1$ with $i = 0, 1, 2, \dots$, and its last tap must lie inside:
#
# $$i\,s_1 + e_1 - 1 \le W + 2 p_1 - 1 \quad\Longleftrightarrow\quad i \le \frac{W + 2 p_1 - e_1}{s_1}.$$
#
# $i$ is a whole number, so the largest one allowed is this fraction rounded down: a remainder shorter than a stride gives no further position. $i$ runs from 0 to this number, so there is one position more than the number says, because $i = 0$ counts as well:
#
# $$W' = \left\lfloor \frac{W + 2 p_1 - d_1 (k_1 - 1) - 1}{s_1} \right\rfloor + 1, \qquad H' = \left\lfloor \frac{H + 2 p_2 - d_2 (k_2 - 1) - 1}{s_2} \right\rfloor + 1.$$
#
# Every sample is treated separately, so $B$ stays. Every filter covers all $C$ input channels and gives one number at each position, so the last entry is the number of filters and $C$ is gone: the shape is $(B, W', H', \text{filters})$.
#
# With $s = 1$, $W' = W + 2p - d(k-1)$, and this is $W$ for $p = d(k-1)/2$. For odd $k$ that is a whole number, $(k-1)/2$ without dilation, 1 for a $3 \times 3$ kernel. For even $k$ and $d = 1$ the total padding would have to be the odd number $k - 1$, which cannot be split equally between two sides. (With an even dilation it can.)
#
# **Marking.** 1 point: the extent of the kernel, with its reason. 1.5 points: the condition for a position, the rounding down and the $+1$, each with its reason (half of it for a right formula without). 0.5 points: $B$ and the number of filters. 1 point: padding $d(k-1)/2$ (or $(k-1)/2$ for $d = 1$), and why not for even $k$. No deduction for another way of counting (last position minus first position, by stride), or for $i$ from 1.
# ### END SOLUTION

# %% [markdown]
# ## 2 · The convolution and its gradients
#
# Now the layer itself, in torch's order of axes: images $x$ of shape $(N, C, H, W)$, a weight $w$ of shape $(F, C, k_1, k_2)$ and a bias $b$ of shape $(F,)$. With $\tilde x$ for the images with $p$ zeros on all four sides, and stride $s$:
#
# $$y_{n,f,u,v} = b_f + \sum_{c} \sum_{i=0}^{k_1-1} \sum_{j=0}^{k_2-1} w_{f,c,i,j}\; \tilde x_{n,c,\,su+i,\,sv+j}$$
#
# (Mathematicians call this cross-correlation. In their convolution the kernel is turned by 180°.)
#
# You could loop over the four indices of $y$ and slide a window. For 16 images, 16 filters and 32 × 32 positions that takes 262,144 steps of Python, and each adds up a whole window. **Turn the loops around:** loop over the few **taps** $(i, j)$ of the kernel. Over all positions $(u, v)$, tap $(i, j)$ meets the pixels $\tilde x_{\dots,\,su+i,\,sv+j}$: a regular grid, which is *one slice* of the padded images. So each tap is one slice and one product of matrices over the channels.
#
# **Task** (30 min, medium). Write `conv_forward`, by hand, for any kernel size, padding and stride. The kernel fits into the padded images, and a remainder shorter than a stride is ignored, as in section 1.
#
# <details><summary>Hint 1: zeros around the images</summary><code>F.pad</code> belongs to <code>torch.nn</code>. Make the larger tensor with <code>x.new_zeros(N, C, H + 2 * padding, W + 2 * padding)</code> and write the images into its middle.</details>
# <details><summary>Hint 2: what a tap sees</summary>A slice that begins at i, takes every <code>stride</code>-th row, and has as many rows as the output: <code>slice(i, i + stride * rows, stride)</code>.</details>
# <details><summary>Hint 3: one product for each tap</summary>From (N, C, rows, columns) and (F, C) to (N, F, rows, columns), with the sum over c: <code>torch.einsum("nchw,fc->nfhw", seen, weight[:, :, i, j])</code>.</details>


# %% nbgrader={"grade": false, "grade_id": "conv_forward", "locked": false, "schema_version": 3, "solution": true, "task": false}
def conv_forward(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, padding: int, stride: int
) -> torch.Tensor:
    """Convolve images x (N, C, H, W) with weight (F, C, k1, k2), and add bias (F,).

    Returns y (N, F, rows, columns).
    """
    ### BEGIN SOLUTION
    N, C, H, W = x.shape
    k1, k2 = weight.shape[2:]
    padded = x.new_zeros(N, C, H + 2 * padding, W + 2 * padding)
    padded[:, :, padding : padding + H, padding : padding + W] = x
    rows = (H + 2 * padding - k1) // stride + 1
    columns = (W + 2 * padding - k2) // stride + 1
    y = bias[:, None, None]
    for i in range(k1):
        for j in range(k2):
            below = slice(i, i + stride * rows, stride)
            beside = slice(j, j + stride * columns, stride)
            seen = padded[:, :, below, beside]  # by tap (i, j), at all positions
            y = y + torch.einsum("nchw,fc->nfhw", seen, weight[:, :, i, j])
    return y
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "conv_forward_values", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}
check.public("conv_forward_values", conv_forward)
### BEGIN HIDDEN TESTS
check.hidden("conv_forward_values", conv_forward)
### END HIDDEN TESTS

# %% [markdown]
# You now have a layer without a library. How much slower is it than the library's own, which was written by experts for this processor?
#
# **Predict first.** The next cell convolves 16 images of 32 × 32 pixels with 8 channels, by 16 filters of 3 × 3. How many times slower is yours: 2, 10 or 100 times? *My prediction:* …

# %%
# not run when graded
images, filters, offsets = torch.randn(16, 8, 32, 32), torch.randn(16, 8, 3, 3), torch.randn(16)
ways = {"yours": lambda: conv_forward(images, filters, offsets, 1, 1),
        "torch": lambda: F.conv2d(images, filters, offsets, padding=1)}  # fmt: skip
for name, convolve in ways.items():
    convolve()  # the first call is slower
    start = time.perf_counter()
    for _ in range(50):
        convolve()
    print(f"{name}: {(time.perf_counter() - start) / 50 * 1e3:.2f} ms for a batch")
print(f"largest difference {(ways['yours']() - ways['torch']()).abs().max():.0e}, in float32")

# %% [markdown]
# Nine slices and nine products are not much for Python: in our runs the loop over taps took about ten times as long as torch, depending on the machine. A loop over positions would need 1,024 windows for each image.
#
# Now backwards. Given is `dout` $= \partial L / \partial y$, of the shape of $y$. Apart from the bias, the forward pass is linear in $w$ and in $x$, so everything you need is already in the formula above. Ask of each number which outputs it takes part in:
#
# - $b_f$ is added to filter $f$'s output at *every* position of *every* image.
# - $w_{f,c,i,j}$ is multiplied by one pixel at every position: by what tap $(i, j)$ sees.
# - a pixel is seen by several taps, each at another position. It collects a gradient from each of them.
#
# **Task** (40 min, hard). Write `conv_backward`, by hand. It returns a dict of three gradients of $L$:
#
# | key | shape | gradient of $L$ with respect to … |
# |---|---|---|
# | `"dx"` | (N, C, H, W) | the images, without the padding |
# | `"dweight"` | (F, C, k1, k2) | the weight |
# | `"dbias"` | (F,) | the bias |
#
# A pixel that no tap ever sees (because of the stride) has the gradient 0.
#
# <details><summary>Hint 1: the weight</summary>For each tap, sum over images and positions: <code>torch.einsum("nfhw,nchw->fc", dout, seen)</code>, with the same slice <code>seen</code> as in the forward pass.</details>
# <details><summary>Hint 2: the images</summary>Start from zeros of the padded shape. Each tap <em>adds</em> to the slice it has seen: <code>dout</code> times its weights, summed over the filters. At the end cut the padding off.</details>
# <details><summary>Hint 3: nearly the answer</summary><code>dpadded[:, :, below, beside] += torch.einsum("nfhw,fc->nchw", dout, weight[:, :, i, j])</code></details>


# %% nbgrader={"grade": false, "grade_id": "conv_backward", "locked": false, "schema_version": 3, "solution": true, "task": false}
def conv_backward(
    dout: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, padding: int, stride: int
) -> dict[str, torch.Tensor]:
    """Compute the gradients of a convolution from dout (N, F, rows, columns), that of its output.

    x is (N, C, H, W), weight (F, C, k1, k2). Returns dx, dweight and dbias by name.
    """
    ### BEGIN SOLUTION
    N, C, H, W = x.shape
    rows, columns = dout.shape[2:]
    padded = x.new_zeros(N, C, H + 2 * padding, W + 2 * padding)
    padded[:, :, padding : padding + H, padding : padding + W] = x
    dpadded, dweight = torch.zeros_like(padded), torch.zeros_like(weight)
    for i in range(weight.shape[2]):
        for j in range(weight.shape[3]):
            below = slice(i, i + stride * rows, stride)
            beside = slice(j, j + stride * columns, stride)
            seen = padded[:, :, below, beside]  # by tap (i, j), at all positions
            dweight[:, :, i, j] = torch.einsum("nfhw,nchw->fc", dout, seen)
            dpadded[:, :, below, beside] += torch.einsum("nfhw,fc->nchw", dout, weight[:, :, i, j])
    dx = dpadded[:, :, padding : padding + H, padding : padding + W]
    return {"dx": dx, "dweight": dweight, "dbias": dout.sum(dim=(0, 2, 3))}
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "conv_gradient_bias", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.public("conv_gradient_bias", conv_backward)
### BEGIN HIDDEN TESTS
check.hidden("conv_gradient_bias", conv_backward)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "conv_gradient_weight", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}
check.public("conv_gradient_weight", conv_backward)
### BEGIN HIDDEN TESTS
check.hidden("conv_gradient_weight", conv_backward)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "conv_gradient_x", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}
check.public("conv_gradient_x", conv_backward)
### BEGIN HIDDEN TESTS
check.hidden("conv_gradient_x", conv_backward)
### END HIDDEN TESTS

# %% [markdown]
# Let your layer learn something. Somebody has filtered 20 noise images with a secret 3 × 3 filter, and you see only the images and the results. Gradient descent with *your* two functions looks for a filter that does the same.
#
# **Predict first.** Will it find the secret filter itself, or one of many others that fit as well? (The filter has nine numbers and a bias. How many equations do 20 images of 8 × 8 pixels give?) *My prediction:* …

# %%
# not run when graded
secret = torch.tensor([[[[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]]]])  # Sobel's
noise = torch.randn(20, 1, 8, 8)
results = conv_forward(noise, secret, torch.tensor([0.5]), 1, 1)
w, b = torch.zeros(1, 1, 3, 3), torch.zeros(1)
for step in range(1, 31):
    error = conv_forward(noise, w, b, 1, 1) - results
    if step in (1, 10, 30):
        print(f"step {step:2}: mean squared error {error.square().mean():.1e}")
    found = conv_backward(2 * error / error.numel(), noise, w, 1, 1)
    w, b = w - 0.4 * found["dweight"], b - 0.4 * found["dbias"]
print(f"bias {b.item():.2f}, filter\n{w[0, 0].numpy().round(2)}")

# %% [markdown]
# 1,280 equations for ten unknowns: there is only one answer, and your layer found it within 30 steps. It is Sobel's filter, which people designed in 1968 to find vertical edges. A CNN learns its first layer in the same way, and filters that look like this one appear there by themselves.
#
# **Derivation 2** (4 points). Derive the three gradients of a convolution with stride 1, and show that the gradient with respect to the padded images is itself a convolution. Write for one image, one channel and one filter: $y_{u,v} = b + \sum_{i,j} w_{i,j}\, \tilde x_{u+i,\,v+j}$, with $g_{u,v} = \partial L / \partial y_{u,v}$. (about 40 min)
#
# A full answer
#
# - derives those with respect to $b$ and $w_{i,j}$, each with the reason for its sum,
# - says which outputs a pixel $\tilde x_{a,b}$ takes part in, and with which weight,
# - writes the pixel's gradient as a sum over $i, j$, and says what was turned, and by how many zeros the gradient was padded on each side,
# - says for many images, channels and filters which gradient is summed over which of the three, and over which of them no gradient is summed.

# %% [markdown] nbgrader={"grade": true, "grade_id": "derivation_convolution_gradients", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer.** $L$ depends on $b$, $w$ and $\tilde x$ through the outputs $y_{u,v}$ only, so each gradient is a sum over outputs of $g_{u,v}$ times a derivative of $y_{u,v}$.
#
# *Bias.* $\partial y_{u,v} / \partial b = 1$ at every position, so
#
# $$\frac{\partial L}{\partial b} = \sum_{u,v} g_{u,v} .$$
#
# *Weight.* The same $w_{i,j}$ is used at every position, there with the factor $\tilde x_{u+i,\,v+j}$:
#
# $$\frac{\partial L}{\partial w_{i,j}} = \sum_{u,v} g_{u,v}\, \tilde x_{u+i,\,v+j} .$$
#
# (This has the form of the forward pass: the padded image is convolved with $g$ as the kernel.)
#
# *Images.* The pixel $\tilde x_{a,b}$ occurs in $y_{u,v}$ where $u + i = a$ and $v + j = b$ for a tap $(i, j)$. So it takes part in the output at $(a - i,\, b - j)$ with the weight $w_{i,j}$, for each tap for which that position exists:
#
# $$\frac{\partial L}{\partial \tilde x_{a,b}} = \sum_{i=0}^{k_1-1} \sum_{j=0}^{k_2-1} w_{i,j}\; g_{a-i,\,b-j}, \qquad g = 0 \text{ outside of the output.}$$
#
# Set $i' = k_1 - 1 - i$ and $j' = k_2 - 1 - j$, and let $\bar g$ be $g$ with $k_1 - 1$ rows of zeros above and below and $k_2 - 1$ columns of zeros at the left and right, so that $g_{r,c} = \bar g_{r + k_1 - 1,\, c + k_2 - 1}$. Then
#
# $$\frac{\partial L}{\partial \tilde x_{a,b}} = \sum_{i',\,j'} w_{k_1-1-i',\,k_2-1-j'}\; \bar g_{a+i',\,b+j'} :$$
#
# the convolution of $g$, padded by the kernel size minus 1, with the kernel turned by 180°. (The padded $g$ has $H + 2p - k_1 + 1 + 2(k_1 - 1)$ rows, and a kernel of $k_1$ leaves $H + 2p$: the size of $\tilde x$.) The gradient with respect to $x$ is its middle, because the zeros around $x$ are constants.
#
# *More than one.* All images use the same $w$ and $b$: sum over $n$. A filter has its own weights for each channel, so $\partial L / \partial w_{f,c}$ pairs $g_f$ with $\tilde x_c$ and no further sum is needed. Each channel feeds all filters, so the gradient with respect to $\tilde x_c$ is summed over $f$.
#
# **Marking.** 1 point: $b$ and $w$, with the sum over positions and its reason (half each). 1.5 points: the outputs that a pixel takes part in, their weights, and the sum (half of it for a formula without reason). 1 point: the turned kernel (half) and the padding by $k - 1$ (half). 0.5 points: the sums over images and over filters.
# ### END SOLUTION

# %% [markdown]
# ## 3 · Batch norm
#
# For a batch $x$ of shape $(N, D)$, batch norm (Ioffe & Szegedy 2015) normalises each column separately, and then lets the network undo this:
#
# $$\mu = \frac1N \sum_n x_n \qquad \sigma^2 = \frac1N \sum_n (x_n - \mu)^2 \qquad \hat x_n = \frac{x_n - \mu}{\sqrt{\sigma^2 + \varepsilon}} \qquad y_n = \gamma\,\hat x_n + \beta$$
#
# All of $\mu, \sigma^2, \gamma, \beta$ have shape $(D,)$. (In a CNN, a column is a channel, and its $N$ numbers are that channel at all positions of all images of the batch.) The variance divides by $N$, and $\varepsilon > 0$ is inside the root. A batch of one has the variance 0, and its output is $\beta$.
#
# **Task** (10 min, easy). Write `batchnorm_forward`, by hand, for $N \ge 1$.
#
# <details><summary>Hint: which axis, which variance</summary><code>x.mean(dim=0)</code> averages over the batch. <code>x.var(dim=0)</code> divides by N − 1 unless you tell it <code>correction=0</code>.</details>


# %% nbgrader={"grade": false, "grade_id": "batchnorm_forward", "locked": false, "schema_version": 3, "solution": true, "task": false}
def batchnorm_forward(
    x: torch.Tensor, gamma: torch.Tensor, beta: torch.Tensor, eps: float
) -> torch.Tensor:
    """Normalise the columns of x (N, D) by the batch, then scale by gamma (D,) and add beta (D,).

    Returns y (N, D).
    """
    ### BEGIN SOLUTION
    centred = x - x.mean(dim=0)
    std = (centred.square().mean(dim=0) + eps).sqrt()  # (D,)
    return gamma * (centred / std) + beta
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "batchnorm_forward_values", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
check.public("batchnorm_forward_values", batchnorm_forward)
### BEGIN HIDDEN TESTS
check.hidden("batchnorm_forward_values", batchnorm_forward)
### END HIDDEN TESTS

# %% [markdown]
# Now backwards, on paper first. Given is `dout` $= \partial L / \partial y$. A sample $x_n$ reaches the loss by three paths: through its own $\hat x_n$, through $\mu$, and through $\sigma^2$. By the last two it changes the output of *every* sample in the batch.
#
# **Task** (30 min, hard). Write `batchnorm_backward`, by hand. It returns a dict of six gradients of $L$:
#
# | key | shape | gradient of $L$ with respect to … |
# |---|---|---|
# | `"dx_hat"` | (N, D) | $\hat x$, as it enters $y$ |
# | `"dvar"` | (D,) | $\sigma^2$, as it enters $\hat x$, with $x$ and $\mu$ held fixed |
# | `"dmean"` | (D,) | $\mu$, as it enters $\hat x$ directly and through $\sigma^2$, with $x$ held fixed |
# | `"dx"` | (N, D) | $x$, by all three paths |
# | `"dgamma"` | (D,) | $\gamma$ |
# | `"dbeta"` | (D,) | $\beta$ |
#
# All of them follow the formulas above to the letter, with $\varepsilon$ inside the root and no approximation. For $N = 1$ `dx` is 0: the one sample is its own mean.
#
# <details><summary>Hint 1: a parameter that all samples use</summary>γ and β have shape (D,), and each sample uses them. A parameter that is used N times collects N gradients: sum over the batch.</details>
# <details><summary>Hint 2: the order</summary>Go back step by step: with respect to x̂ first, then σ², then μ, then x. Each needs only those before it.</details>
# <details><summary>Hint 3: σ² and μ</summary>The derivative of (σ² + ε)<sup>−1/2</sup> with respect to σ² is −½ (σ² + ε)<sup>−3/2</sup>. In the gradient with respect to μ, the path through σ² contains Σ(x − μ). What is that?</details>
# <details><summary>Hint 4: nearly the answer</summary>dx is a sum of three: dx̂ over the root; dvar times ∂σ²/∂x<sub>n</sub> = 2(x<sub>n</sub> − μ)/N; dmean times ∂μ/∂x<sub>n</sub> = 1/N.</details>


# %% nbgrader={"grade": false, "grade_id": "batchnorm_backward", "locked": false, "schema_version": 3, "solution": true, "task": false}
def batchnorm_backward(
    dout: torch.Tensor, x: torch.Tensor, gamma: torch.Tensor, eps: float
) -> dict[str, torch.Tensor]:
    """Compute the gradients of batch norm from dout (N, D), that with respect to its output.

    x is (N, D), gamma (D,). Returns dx_hat, dvar, dmean, dx, dgamma and dbeta by name.
    """
    ### BEGIN SOLUTION
    N = len(x)
    centred = x - x.mean(dim=0)
    std = (centred.square().mean(dim=0) + eps).sqrt()  # (D,)
    x_hat = centred / std
    dx_hat = dout * gamma
    dvar = (dx_hat * centred).sum(dim=0) * (-0.5 / std**3)
    dmean = -dx_hat.sum(dim=0) / std  # through σ² comes nothing: x - μ sums to 0
    dx = dx_hat / std + dvar * 2 * centred / N + dmean / N
    gradients = {"dx_hat": dx_hat, "dvar": dvar, "dmean": dmean, "dx": dx}
    return gradients | {"dgamma": (dout * x_hat).sum(dim=0), "dbeta": dout.sum(dim=0)}
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "batchnorm_gradients_parameters", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.public("batchnorm_gradients_parameters", batchnorm_backward)
### BEGIN HIDDEN TESTS
check.hidden("batchnorm_gradients_parameters", batchnorm_backward)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "batchnorm_gradients_inside", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
check.public("batchnorm_gradients_inside", batchnorm_backward)
### BEGIN HIDDEN TESTS
check.hidden("batchnorm_gradients_inside", batchnorm_backward)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "batchnorm_gradient_x", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}
check.public("batchnorm_gradient_x", batchnorm_backward)
### BEGIN HIDDEN TESTS
check.hidden("batchnorm_gradient_x", batchnorm_backward)
### END HIDDEN TESTS

# %% [markdown]
# See for yourself, on a random batch: your gradients beside those of autograd through torch's own batch norm. The last two lines add up `dx` over the batch, once as it is and once weighted by $\hat x$.
#
# **Predict first.** How large are the two sums? (Think of what happens to the output if the whole batch moves by 1, and if it is stretched by 1 %.) *My prediction:* …

# %%
# not run when graded
x, dout = torch.randn(2, 6, 4, dtype=torch.float64)
gamma, beta = torch.randn(2, 4, dtype=torch.float64)
yours = batchnorm_backward(dout, x, gamma, eps=1e-5)
leaves = {"dx": x, "dgamma": gamma, "dbeta": beta}
a, g, b = (leaf.clone().requires_grad_() for leaf in leaves.values())
out = F.batch_norm(a, None, None, g, b, training=True, eps=1e-5)
for name, right in zip(leaves, torch.autograd.grad(out, (a, g, b), dout), strict=True):
    print(f"{name:>6}: largest difference {(yours[name] - right).abs().max():.0e}")
x_hat = (x - x.mean(dim=0)) / x.std(dim=0, correction=0)
print(f"Σ dx = {yours['dx'].sum(dim=0).abs().max():.0e} at most, over the batch")
print(f"Σ dx · x̂ = {(yours['dx'] * x_hat).sum(dim=0).abs().max():.0e} at most")

# %% [markdown]
# Differences of about 1e-15 are rounding: the two agree. The last two lines are worth a thought. In every column `dx` sums to 0: if the whole batch moves, its mean moves along and the output stays, so no gradient can point that way. And it is nearly orthogonal to $\hat x$: if the whole batch is stretched, the output stays as well, up to a term of the size of $\varepsilon / \sigma^2$ times the gradients, here 1e-5 to 1e-3, and more where a column hardly varies. Batch norm takes these two directions out of every gradient that passes through it.
#
# What it takes out of the activations, $\gamma$ and $\beta$ can put back.
#
# **Task** (5 min, easy). Write `identity_parameters`: the $\gamma$ and $\beta$ for which batch norm of this very batch returns it unchanged, $y = x$ exactly. $N \ge 2$, and no column is constant, so there is one answer.
#
# <details><summary>Hint</summary>Solve γ x̂ + β = x for every sample. Which ε did the division use?</details>


# %% nbgrader={"grade": false, "grade_id": "identity_parameters", "locked": false, "schema_version": 3, "solution": true, "task": false}
def identity_parameters(x: torch.Tensor, eps: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Find gamma (D,) and beta (D,) for which batch norm returns the batch x (N, D) unchanged.

    Returns (gamma, beta).
    """
    ### BEGIN SOLUTION
    mean = x.mean(dim=0)
    var = (x - mean).square().mean(dim=0)
    return (var + eps).sqrt(), mean
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "batchnorm_identity", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.public("batchnorm_identity", identity_parameters)
### BEGIN HIDDEN TESTS
check.hidden("batchnorm_identity", identity_parameters)
### END HIDDEN TESTS

# %% [markdown]
# **Derivation 3** (4 points). Derive the six gradients, and say when batch norm is the identity. Write for one column; $g_n$ may stand for $\partial L / \partial y_n$. (about 45 min)
#
# A full answer
#
# - derives those with respect to $\gamma$, $\beta$ and $\hat x_n$,
# - derives those with respect to $\sigma^2$ and $\mu$, with the reason why the path from $\mu$ through $\sigma^2$ adds nothing,
# - derives that with respect to $x_n$ as the sum of three paths,
# - gives the $\gamma$ and $\beta$ that make batch norm the identity for a batch in training mode, and those in evaluation mode (where running statistics take the place of $\mu$ and $\sigma^2$), and says which *other* inputs come back unchanged with the same $\gamma$ and $\beta$: which whole batches in training mode, and which inputs in evaluation mode.

# %% [markdown] nbgrader={"grade": true, "grade_id": "derivation_batchnorm", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer.** One column, $g_n = \partial L / \partial y_n$, and $r = \sqrt{\sigma^2 + \varepsilon}$.
#
# *Parameters and $\hat x$.* $y_n = \gamma \hat x_n + \beta$; every sample uses the same $\gamma$ and $\beta$, so their gradients are sums:
#
# $$\frac{\partial L}{\partial \gamma} = \sum_n g_n \hat x_n, \qquad \frac{\partial L}{\partial \beta} = \sum_n g_n, \qquad \frac{\partial L}{\partial \hat x_n} = g_n \gamma .$$
#
# *Variance.* $\hat x_n = (x_n - \mu)(\sigma^2 + \varepsilon)^{-1/2}$ for every $n$, so
#
# $$\frac{\partial L}{\partial \sigma^2} = \sum_n \frac{\partial L}{\partial \hat x_n}\,(x_n - \mu) \cdot \left(-\tfrac12\right)(\sigma^2 + \varepsilon)^{-3/2} .$$
#
# *Mean.* $\mu$ enters every $\hat x_n$, with derivative $-1/r$, and $\sigma^2 = \frac1N \sum_n (x_n - \mu)^2$:
#
# $$\frac{\partial L}{\partial \mu} = -\frac1r \sum_n \frac{\partial L}{\partial \hat x_n} + \frac{\partial L}{\partial \sigma^2} \cdot \frac{-2}{N} \sum_n (x_n - \mu) = -\frac1r \sum_n \frac{\partial L}{\partial \hat x_n},$$
#
# because the deviations from the mean sum to 0: $\sum_n x_n - N\mu = 0$.
#
# *Input.* With $\partial \hat x_n / \partial x_n = 1/r$ directly, $\partial \sigma^2 / \partial x_n = 2(x_n - \mu)/N$ and $\partial \mu / \partial x_n = 1/N$,
#
# $$\frac{\partial L}{\partial x_n} = \frac{\partial L}{\partial \hat x_n} \frac1r + \frac{\partial L}{\partial \sigma^2} \frac{2(x_n - \mu)}{N} + \frac{\partial L}{\partial \mu} \frac1N = \frac{\gamma}{N r} \Big( N g_n - \sum_m g_m - \hat x_n \sum_m g_m \hat x_m \Big).$$
#
# *Identity.* $y_n = x_n$ for all $n$ means $\frac{\gamma}{r}(x_n - \mu) + \beta = x_n$. If the $x_n$ are not all equal, comparing two of them gives $\gamma = r$, and then $\beta = \mu$:
#
# $$\gamma = \sqrt{\sigma^2 + \varepsilon}, \qquad \beta = \mu .$$
#
# In **training mode** $\mu$ and $\sigma^2$ are those of the batch, so given $\gamma > 0$ and $\beta$ do it only for batches whose mean is $\beta$ and whose variance is $\gamma^2 - \varepsilon$ (and, with any $\gamma$, for a column that is $\beta$ throughout). The next batch has another mean and variance, and there batch norm changes it. (With $\gamma = 1$, $\beta = 0$: batches of mean 0 and variance $1 - \varepsilon$.) In **evaluation mode** the running mean $m$ and variance $v$ are constants, batch norm is one fixed affine map, and with $\gamma = \sqrt{v + \varepsilon}$, $\beta = m$ it is the identity for every input.
#
# **Marking.** 1.5 points: the gradients with respect to $\gamma$, $\beta$, $\hat x$, $\sigma^2$ and $\mu$, with sums over the batch and the reason why $\sum (x_n - \mu) = 0$ removes a term (0.75 if a sum, the factor $-\frac12$ or that reason is missing). 1.5 points: the three paths from $x_n$ and their derivatives; the last simplification is not needed. 1 point: $\gamma$ and $\beta$ of the identity (0.5), and that it holds for such batches only in training but for all inputs in evaluation (0.5). "Never, because it normalises" earns nothing; $\varepsilon$ forgotten costs 0.25, once.
# ### END SOLUTION

# %% [markdown]
# ## 4 · Softmax with cross-entropy
#
# The gradient of softmax with cross-entropy is famous for being short: $\hat y - y$. It is usually derived for a single right class. With smoothed labels, or when two images are mixed, the target is a whole distribution. For $N$ samples with logits $z$ and targets $y$, each row of which is $\ge 0$ and sums to 1:
#
# $$\hat y_{n,k} = \frac{e^{z_{n,k}}}{\sum_j e^{z_{n,j}}} \qquad L = -\frac1N \sum_n \sum_k y_{n,k} \log \hat y_{n,k}$$
#
# **Task** (15 min, medium). Write `softmax_cross_entropy`, by hand. It returns the loss, of shape (), and its gradient with respect to `z`. Both stay finite for logits of ±10,000, whatever the targets.
#
# <details><summary>Hint 1: stay with logarithms</summary>A probability can be so small that it is stored as 0. Then its logarithm is −∞, and 0 · (−∞) is NaN. The logarithm of a fraction is a difference.</details>
# <details><summary>Hint 2: the mean</summary>The loss is a mean over N samples. What does that do to the gradient of each?</details>
# <details><summary>Hint 3: nearly the answer</summary>log ŷ = z − <code>torch.logsumexp(z, dim=1, keepdim=True)</code>, and its exp is ŷ.</details>


# %% nbgrader={"grade": false, "grade_id": "softmax_cross_entropy", "locked": false, "schema_version": 3, "solution": true, "task": false}
def softmax_cross_entropy(
    z: torch.Tensor, targets: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute the cross-entropy of logits z (N, C) with targets (N, C), rows of which sum to 1.

    Returns (loss, dz): the mean over the N samples, shape (), and its gradient with respect to z,
    (N, C).
    """
    ### BEGIN SOLUTION
    log_y = z - torch.logsumexp(z, dim=1, keepdim=True)  # (N, C)
    loss = -(targets * log_y).sum(dim=1).mean()
    dz = (log_y.exp() - targets) / len(z)
    return loss, dz
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "softmax_loss", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.public("softmax_loss", softmax_cross_entropy)
### BEGIN HIDDEN TESTS
check.hidden("softmax_loss", softmax_cross_entropy)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "softmax_gradient", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.public("softmax_gradient", softmax_cross_entropy)
### BEGIN HIDDEN TESTS
check.hidden("softmax_gradient", softmax_cross_entropy)
### END HIDDEN TESTS

# %% [markdown]
# Gradient descent ends where the gradient is 0. Follow your gradient for one sample of seven classes, with more and more smoothing.
#
# Smoothing by $s$ turns a one-hot target into $(1 - s)$ times itself, plus $s / 7$ for each of the seven classes. The cell follows $s = 0$, 0.1 and 0.3.
#
# **Predict first.** For which of the three targets does the largest logit move away from the others for ever? Where does it stop for the two others? ($\hat y = y$ there.) *My prediction:* …

# %%
# not run when graded
right = torch.eye(7, dtype=torch.float64)[3:4]
for smoothing in (0.0, 0.1, 0.3):
    targets = (1 - smoothing) * right + smoothing / 7
    z, gaps = torch.zeros_like(right), []
    for step in range(1, 10_001):
        z = z - softmax_cross_entropy(z, targets)[1]
        if step in (100, 1000, 10_000):
            gaps.append(f"{(z.max() - z.min()).item():.2f}")
    print(f"smoothing {smoothing}: largest logit above the others by {' → '.join(gaps)}")

# %% [markdown]
# With a one-hot target the gap keeps growing, ever more slowly: ten times as many steps add $2.3 \approx \log 10$, and $\hat y$ comes as close to 1 as you like and never reaches it. So the logits, and the weights that make them, never stop growing. With a smoothed target the gap stops where $\hat y = y$: at the logarithm of the largest target over one of the others, which is $\log 64 = 4.16$ for a smoothing of 0.1. That is one reason why smoothed networks are less sure of themselves.
#
# **Derivation 4** (4 points). Derive the gradient of the cross-entropy of *one* sample with respect to its logits, for any target distribution $y$. (about 20 min)
#
# A full answer
#
# - writes the loss in terms of $z$ and differentiates it with every step shown,
# - says at which step $\sum_k y_k = 1$ is used, and what the gradient would be without it,
# - says why the entries of the gradient sum to 0,
# - says what the mean over $N$ samples adds.

# %% [markdown] nbgrader={"grade": true, "grade_id": "derivation_softmax", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer.** The logarithm of the fraction is a difference, $\log \hat y_k = z_k - \log \sum_j e^{z_j}$. So
#
# $$L = -\sum_k y_k \log \hat y_k = -\sum_k y_k z_k + \Big(\sum_k y_k\Big) \log \sum_j e^{z_j},$$
#
# where the logarithm could be taken out of the sum because it does not depend on $k$. Differentiate with respect to $z_i$. The first sum gives $-y_i$. For the second,
#
# $$\frac{\partial}{\partial z_i} \log \sum_j e^{z_j} = \frac{e^{z_i}}{\sum_j e^{z_j}} = \hat y_i ,$$
#
# so that, without any assumption about $y$,
#
# $$\frac{\partial L}{\partial z_i} = \Big(\sum_k y_k\Big)\, \hat y_i - y_i .$$
#
# **Here** $\sum_k y_k = 1$ is used, and only here: $\partial L / \partial z_i = \hat y_i - y_i$. That $y$ is one-hot is not needed. If the targets summed to $S \ne 1$, the gradient would be $S \hat y - y$, and the minimum would lie at $\hat y = y / S$.
#
# The entries sum to $\sum_i \hat y_i - \sum_i y_i = 1 - 1 = 0$ (and to $S - S = 0$ in general): adding the same number to all logits cancels in the softmax and does not change $L$, so the gradient has no component in the direction $(1, \dots, 1)$.
#
# For a mean over $N$ samples, the logits of sample $n$ occur in its own term only, which has the factor $1/N$: $\partial L / \partial z_{n,i} = (\hat y_{n,i} - y_{n,i}) / N$.
#
# (A derivation by the Jacobian is just as good: $\partial \hat y_k / \partial z_i = \hat y_k(\delta_{ki} - \hat y_i)$, hence $\partial L / \partial z_i = -\sum_k \frac{y_k}{\hat y_k}\, \hat y_k (\delta_{ki} - \hat y_i) = -y_i + \hat y_i \sum_k y_k$.)
#
# **Marking.** 2 points: the derivation, by log-sum-exp or by the Jacobian (1 if only the case $i = k$ of the Jacobian, or only a one-hot target, is done). 1 point: where $\sum y = 1$ is used and what the gradient is without it. 1 point: why the entries sum to 0, and the factor $1/N$ (half each).
# ### END SOLUTION

# %% [markdown]
# ## 5 · Adam and Adagrad
#
# These two optimisers give every weight its own step size. **Adagrad** (Duchi et al. 2011) divides by the root of *all* squared gradients so far. **Adam** (Kingma & Ba 2015) divides by the root of a moving average of them, and replaces the gradient by a moving average too. For $t = 1, 2, \dots, T$, entry by entry, starting from $s_0 = m_0 = v_0 = 0$:
#
# $$\text{Adagrad:} \qquad s_t = s_{t-1} + g_t^2 \qquad w_t = w_{t-1} - \eta\, \frac{g_t}{\sqrt{s_t} + \varepsilon}$$
#
# $$\text{Adam:} \qquad m_t = \beta_1 m_{t-1} + (1 - \beta_1)\, g_t \qquad v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, g_t^2$$
#
# $$\hat m_t = \frac{m_t}{1 - \beta_1^t} \qquad \hat v_t = \frac{v_t}{1 - \beta_2^t} \qquad w_t = w_{t-1} - \eta_t\, \frac{\hat m_t}{\sqrt{\hat v_t} + \varepsilon}$$
#
# The divisions by $1 - \beta^t$ are the **bias correction**: they make up for the start from 0. Note that $\varepsilon$ is outside the root here, not inside as in batch norm.
#
# **Task** (20 min, medium). Write `adam` and `adagrad`, by hand.
#
# - To keep it short, the gradients are given: row $t$ of `gradients`, counted from 1, is $g_t$, whatever the weights are.
# - Adam's `rates` has a step size $\eta_t$ for each step; Adagrad's `rate` is one number.
# - Return all iterates: row $t$ of the result is $w_t$. The last row is the final one, and the $w$ you were given is not included.
# - `beta1` and `beta2` are in $[0, 1)$. If `eps` is not 0, a gradient may be 0.
#
# <details><summary>Hint 1: counting from 1</summary><code>for t, g in enumerate(gradients, start=1):</code></details>
# <details><summary>Hint 2: every row is the same?</summary><code>w -= …</code> changes a tensor that you have already put into your list, and the input too. <code>w = w - …</code> makes a new one.</details>


# %% nbgrader={"grade": false, "grade_id": "adam", "locked": false, "schema_version": 3, "solution": true, "task": false}
def adam(
    w: torch.Tensor,
    gradients: torch.Tensor,
    rates: torch.Tensor,
    beta1: float,
    beta2: float,
    eps: float,
) -> torch.Tensor:
    """Make T steps of Adam from w (D,), with gradients (T, D) and step sizes rates (T,).

    Returns the iterates w_1 ... w_T as (T, D).
    """
    ### BEGIN SOLUTION
    m, v = torch.zeros_like(w), torch.zeros_like(w)
    iterates = []
    for t, (g, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
        w = w - rate * m_hat / (v_hat.sqrt() + eps)
        iterates.append(w)
    return torch.stack(iterates)
    ### END SOLUTION


# %% nbgrader={"grade": false, "grade_id": "adagrad", "locked": false, "schema_version": 3, "solution": true, "task": false}
def adagrad(w: torch.Tensor, gradients: torch.Tensor, rate: float, eps: float) -> torch.Tensor:
    """Make T steps of Adagrad from w (D,), with gradients (T, D).

    Returns the iterates w_1 ... w_T as (T, D).
    """
    ### BEGIN SOLUTION
    squares = torch.zeros_like(w)
    iterates = []
    for g in gradients:
        squares = squares + g**2
        w = w - rate * g / (squares.sqrt() + eps)
        iterates.append(w)
    return torch.stack(iterates)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "adam_values", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check.public("adam_values", adam)
### BEGIN HIDDEN TESTS
check.hidden("adam_values", adam)
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "adagrad_values", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.public("adagrad_values", adagrad)
### BEGIN HIDDEN TESTS
check.hidden("adagrad_values", adagrad)
### END HIDDEN TESTS

# %% [markdown]
# Adam forgets, Adagrad does not. So let Adam forget less and less, without momentum and with steps that become smaller: $\beta_1 = 0$, $\beta_2 \to 1$, $\eta_t = \eta_0\, t^{-1/2}$.
#
# **Task** (5 min, easy). Write `adagrad_gap`: run your `adam` with $\beta_1 = 0$, the given `beta2` and the step sizes $\eta_t = \texttt{rate} \cdot t^{-1/2}$, run your `adagrad` with `rate`, both from `torch.zeros_like(gradients[0])` with $\varepsilon = 0$ (no gradient is 0 here), and return the largest absolute difference between the two, over all iterates and entries.
#
# <details><summary>Hint: the step sizes</summary><code>t = torch.arange(1, len(gradients) + 1)</code> counts the steps, and <code>t.to(gradients.dtype) ** -0.5</code> is one number for each.</details>


# %% nbgrader={"grade": false, "grade_id": "adagrad_gap", "locked": false, "schema_version": 3, "solution": true, "task": false}
def adagrad_gap(gradients: torch.Tensor, rate: float, beta2: float) -> float:
    """Measure how far Adam, without momentum and with falling steps, is from Adagrad.

    gradients is (T, D). Returns the largest absolute difference over all iterates.
    """
    ### BEGIN SOLUTION
    w, steps = torch.zeros_like(gradients[0]), torch.arange(1, len(gradients) + 1)
    rates = rate * steps.to(w.dtype) ** -0.5
    forgetting = adam(w, gradients, rates, beta1=0.0, beta2=beta2, eps=0.0)
    difference = forgetting - adagrad(w, gradients, rate, eps=0.0)
    return difference.abs().max().item()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "adagrad_limit", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.public("adagrad_limit", adagrad_gap)
### BEGIN HIDDEN TESTS
check.hidden("adagrad_limit", adagrad_gap)
### END HIDDEN TESTS

# %% [markdown]
# **Predict first.** The next cell measures the gap for $1 - \beta_2$ from 0.1 down to $10^{-8}$. If $\beta_2$ comes ten times nearer to 1, by which factor does the gap fall? *My prediction:* …

# %%
# not run when graded
gradients = torch.randn(30, 5, dtype=torch.float64)
distances = [10 ** (-k / 2) for k in range(2, 17)]
plots.adagrad_gap(distances, [adagrad_gap(gradients, 0.1, 1 - d) for d in distances])

# %% [markdown]
# How to read it. From right to left $\beta_2$ goes to 1, and the gap falls along the dashed line, in proportion to $1 - \beta_2$: ten times nearer to 1, ten times nearer to Adagrad. That holds for few steps, 30 here, as long as $1 / (1 - \beta_2)$ is much larger. In practice $\beta_2$ is 0.999 and a training run has many thousands of steps: Adam forgets after about $1/(1 - \beta_2)$ of them, that is 1,000, and Adagrad never forgets.
#
# **Derivation 5** (4 points). Show that Adam with $\beta_1 = 0$ and $\eta_t = \eta_0\, t^{-1/2}$ becomes Adagrad for $\beta_2 \to 1$. (about 30 min)
#
# A full answer
#
# - solves the recursion of $v_t$ for a sum over $g_1^2, \dots, g_t^2$,
# - finds the limit of $\hat v_t$, with $t$ fixed, by way of $(1 - \beta_2^t)/(1 - \beta_2)$,
# - combines it with the step size, taking $\varepsilon = 0$,
# - says what would go wrong without the bias correction, and what $\varepsilon$ turns into in the limit if it is not 0.

# %% [markdown] nbgrader={"grade": true, "grade_id": "derivation_adagrad", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# **Model answer.** With $\beta_1 = 0$: $m_t = g_t$, $1 - \beta_1^t = 1$, so $\hat m_t = g_t$. Put the recursion of $v$ into itself until $v_0 = 0$ (or by induction):
#
# $$v_t = (1 - \beta_2) \sum_{s=1}^{t} \beta_2^{\,t-s} g_s^2 .$$
#
# The bias correction divides by $1 - \beta_2^t = (1 - \beta_2)(1 + \beta_2 + \dots + \beta_2^{t-1})$, the geometric series, so the factor $1 - \beta_2$ cancels:
#
# $$\hat v_t = \frac{v_t}{1 - \beta_2^t} = \frac{\sum_{s=1}^t \beta_2^{\,t-s} g_s^2}{\sum_{k=0}^{t-1} \beta_2^{\,k}} .$$
#
# Numerator and denominator are finite sums. For $\beta_2 \to 1$ and fixed $t$ every power goes to 1, the denominator $(1 - \beta_2^t)/(1 - \beta_2)$ to $t$, and
#
# $$\hat v_t \;\to\; \frac1t \sum_{s=1}^t g_s^2 ,$$
#
# a plain average instead of a moving one. With the step size,
#
# $$\eta_t \frac{\hat m_t}{\sqrt{\hat v_t}} \;\to\; \frac{\eta_0}{\sqrt t} \cdot \frac{g_t}{\sqrt{\frac1t \sum_{s \le t} g_s^2}} = \eta_0\, \frac{g_t}{\sqrt{\sum_{s \le t} g_s^2}} ,$$
#
# which is the step of Adagrad with $\eta = \eta_0$ (where the sum is not 0). The steps agree for every $t$, hence so do the iterates, for the same gradients.
#
# Without the bias correction $v_t = (1 - \beta_2) \sum_s \beta_2^{t-s} g_s^2 \to 0$ while $g_t$ stays: the steps grow like $(1 - \beta_2)^{-1/2}$, without bound.
#
# With $\varepsilon \ne 0$ the limit is $\frac{\eta_0}{\sqrt t}\, g_t \big/ \big(\sqrt{\tfrac1t \sum g_s^2} + \varepsilon\big) = \eta_0\, g_t \big/ \big(\sqrt{\sum g_s^2} + \varepsilon \sqrt t\big)$: Adagrad with an $\varepsilon$ that grows like $\sqrt t$, and the same one only for $\varepsilon = 0$.
#
# **Marking.** 1 point: $v_t$ as a sum. 1.5 points: the limit of $\hat v_t$ by way of $(1 - \beta_2^t)/(1 - \beta_2) \to t$ (by the geometric series or l'Hôpital; 0.5 if the limit is only claimed), and the step that follows. 0.75 points: the steps without bias correction. 0.75 points: $\varepsilon \sqrt t$, or a clear statement that the two $\varepsilon$ are not the same.
# ### END SOLUTION

# %% [markdown]
# ## What you have now
#
# You can take a layer that somebody describes in a paper, write it, and derive its gradients. One rule did nearly all of the work: *follow every path from a number to the loss, and add up what comes back*. A weight that is used at many positions collects many gradients. A pixel that many windows see collects them too. And a sample that changes the mean of its batch reaches the loss of every other sample.
#
# **What the field does today.** Nobody writes these gradients in daily work: autograd does. But those who write fast kernels, new optimisers or layers for unusual data still derive them first, exactly as you did. Convolutions run as one large matrix product or by fast transforms, chosen for each size. Transformers replaced batch norm by layer norm or RMS norm, which need no other samples. AdamW, which is Adam with the weight decay kept out of the moving averages, trains most large models.
#
# - Dumoulin & Visin 2016, [*A guide to convolution arithmetic for deep learning*](https://arxiv.org/abs/1603.07285): the pictures of section 1, moving, for many paddings and strides.
# - Ioffe & Szegedy 2015, [*Batch Normalization*](https://arxiv.org/abs/1502.03167): short, and you have just derived its section 3.
# - Loshchilov & Hutter 2019, [*Decoupled Weight Decay Regularization*](https://arxiv.org/abs/1711.05101): what L2 regularisation does to Adam, and how AdamW repairs it.

# %%
# not run when graded
# Save the notebook first. This runs it in a fresh process, shows what is missing, and writes the
# zip to hand in; check.progress() shows how far you are in the whole course.
check.hand_in()
