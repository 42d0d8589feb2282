"""U-Net, and Dice with cross-entropy."""

from collections.abc import Iterator

import numpy as np
import torch
from scipy.special import expit

from autograder.cases import FLOAT32, Tolerance
from autograder.checks import Check, Kind, Mistake, number, public_and_hidden

Tensors = dict[str, torch.Tensor]
LOSSES = Tolerance(rtol=1e-6, atol=1e-9)
PROMISES = ("finite", "skip_at_full_size", "skip_at_a_half", "skip_at_a_quarter",
            "bottom_matters", "logits", "same_answer_twice", "image_for_itself",
            "batch_norm")  # fmt: skip


COUNTS = {
    "columns_at_full_size": 9,
    "transposed_convolutions": 3,
    "norms_not_activated": 0,
    "without_gradient": 0,
}


def checks(seed: int) -> Iterator[Check]:
    """Yield the checks; `seed` draws the hidden cases."""
    names = ("shape", "parameters", *COUNTS, *PROMISES)
    yield Check(
        name="unet_structure",
        title="how the U-Net is built, and what it does",
        records={name: f"return.{name}" for name in names},
        cases=public_and_hidden(sizes, seed),
        oracle=promised,
    )
    yield Check(
        name="dice_loss",
        title="cross-entropy and Dice: value and gradient",
        records={name: f"return.{name}" for name in ("loss", "dimensions", "gradient")},
        cases=public_and_hidden(mask_cases, seed),
        oracle=loss_by_hand,
        pure=True,
    )


# The network


def sizes(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield numbers of channels, and how many images of which size."""
    for name, N, H, W in (("several", 3, 32, 48), ("single", 1, 24, 16)):
        channels = int(rng.randint(3, 9))
        about = f"{channels} channels, {N} × 3 × {H} × {W}"
        yield name, about, {"channels": channels, "N": N, "H": H, "W": W}


def promised(channels: int, N: int, H: int, W: int) -> Tensors:
    """Count the parameters layer by layer, and say what every such network has."""
    widths = [channels << level for level in range(4)]
    pairs = list(zip([3, *widths], widths, strict=False))
    pairs += [(2 * c, c) for c in widths[:3]]
    parameters = sum(9 * (a * b + b * b) + 4 * b for a, b in pairs)
    parameters += sum(4 * 2 * c * c + c for c in widths[:3]) + channels + 1
    found = {"shape": torch.tensor([N, 1, H, W]), "parameters": number(parameters)}
    found |= {name: number(count) for name, count in COUNTS.items()}
    return found | {name: number(1) for name in PROMISES}


# The loss


def mask_cases(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield logits, masks, and the weight of Dice."""
    for name, about, (N, H, W), shares, weight in (
        ("plain", "3 images of 4 × 5", (3, 4, 5), (0.2, 0.5, 0.3), 0.7),
        ("single", "a single image", (1, 3, 4), (0.4,), 2.0),
        ("empty", "two images without a defect, one that is nothing else", (4, 5, 3),
         (0, 0.3, 1, 0), 1.0),
        ("sizes", "defects of very different sizes", (5, 6, 7), (0.02, 0.9, 0.1, 0.5, 0), 3.0),
        ("unweighted", "a weight of 0", (2, 3, 6), (0.3, 0.6), 0.0),
        ("float32", "float32", (2, 7, 4), (0.1, 0.4), 1.5),
    ):  # fmt: skip
        logits = torch.tensor((2 * rng.randn(N, 1, H, W)).round(3))
        inputs = {"logits": logits, "masks": drawn_masks(rng, shares, H, W), "weight": weight}
        if name == "float32":
            inputs["logits"] = logits.float()
        yield name, about, inputs, 1, FLOAT32 if name == "float32" else LOSSES
    masks = drawn_masks(rng, (0.4, 0, 0.3), 4, 5)
    sign = torch.tensor(rng.choice([-1e4, 1e4], size=masks.shape))
    sign[1] = -1e4
    sign[2] = torch.where(masks[2], 1e4, -1e4)
    inputs = {"logits": sign + torch.tensor(rng.randn(*masks.shape).round(3)), "masks": masks}
    yield "extreme", "logits of ±10,000", {**inputs, "weight": 0.8}, 3, LOSSES


def drawn_masks(
    rng: np.random.RandomState, shares: tuple[float, ...], H: int, W: int
) -> torch.Tensor:
    """Draw a mask (1, H, W) for each share; one above 0 gives at least one pixel."""
    masks = np.zeros((len(shares), 1, H * W), dtype=bool)
    for mask, share in zip(masks, shares, strict=True):
        size = max(round(share * H * W), int(share > 0))
        mask[0, rng.permutation(H * W)[:size]] = True
    return torch.tensor(masks.reshape(-1, 1, H, W))


def loss_by_hand(logits: torch.Tensor, masks: torch.Tensor, weight: float) -> Tensors:
    """Compute value and gradient by formulas, image by image, in double precision."""
    z, t = logits.double().numpy(), masks.double().numpy()
    loss, gradient = (np.logaddexp(0, z) - z * t).mean(), (expit(z) - t) / z.size
    for n in range(len(z)):
        p, true = expit(z[n]), t[n]
        above, below = 2 * (p * true).sum() + 1, p.sum() + true.sum() + 1
        loss += weight * (1 - above / below) / len(z)
        slope = (2 * true * below - above) / below**2  # of Dice by p
        gradient[n] -= weight * slope * p * (1 - p) / len(z)
    gradient = torch.tensor(gradient).to(logits.dtype)
    return {"loss": number(loss), "dimensions": number(0), "gradient": gradient}


CONVOLUTION = "nn.Conv2d(c, c_out, 3, padding=1, bias=False)"
NORM = "nn.BatchNorm2d(c_out)"
WIDTHS = "widths = [channels * 2**level for level in range(4)]"
LARGER = "nn.ConvTranspose2d(2 * c, c, 2, stride=2)"
LAST = "self.last = nn.Conv2d(channels, 1, 1)"
JOINED = "torch.cat([skipped[level], x], dim=1)"
ENLARGED = "x = self.enlarge[level](x)"
OUTPUT = "return self.last(x)"
CROSS_ENTROPY = "F.binary_cross_entropy_with_logits(logits, target)"
BOTH = "both = (p * target).sum(dim=(1, 2, 3))"
TOTAL = "total = p.sum(dim=(1, 2, 3)) + target.sum(dim=(1, 2, 3))"
DICE = "dice = (2 * both + 1) / (total + 1)"
RETURNED = "return cross_entropy + weight * (1 - dice).mean()"


def net(name: str, change: dict[str, str], share: float, hint: str) -> Mistake:
    """Build a mistake in `UNet`."""
    return Mistake(name, "UNet", change, ("unet_structure",), share, hint)


def loss(name: str, change: dict[str, str], share: float, hint: str) -> Mistake:
    """Build a mistake in `segmentation_loss`."""
    return Mistake(name, "segmentation_loss", change, ("dice_loss",), share, hint)


MISTAKES: tuple[Mistake, ...] = (
    net("no_skip_connections", {JOINED: "torch.cat([x, x], dim=1)"}, 0.4,
        "nothing of the encoder reaches the decoder but the bottom. At each level, concatenate "
        "the encoder's maps of that size with the enlarged ones."),
    net("no_skip_at_full_size", {JOINED: JOINED.replace("level]", "level] * (level > 0)")}, 0.6,
        "the maps of full size do not reach the decoder: without them the edges of a mask are "
        "blurred."),
    net("no_skip_at_a_half", {JOINED: JOINED.replace("level]", "level] * (level != 1)")}, 0.6,
        "the encoder's maps of half the size do not reach the decoder."),
    net("no_skip_at_a_quarter", {JOINED: JOINED.replace("level]", "level] * (level < 2)")}, 0.6,
        "the encoder's maps of a quarter of the size do not reach the decoder."),
    net("bottom_left_out", {ENLARGED: f"{ENLARGED} * (level < 2)"}, 0.4,
        "what is found at the bottom, at an eighth of the size, does not reach the output."),
    net("skips_added", {JOINED: "skipped[level] + x", "block(2 * c, c)": "block(c, c)"}, 0.6,
        "the encoder's maps are added to the enlarged ones. Concatenate them: the block then has "
        "2c channels to choose from."),
    net("probabilities_out", {OUTPUT: "return self.last(x).sigmoid()"}, 0.5,
        "there is something behind the last convolution, a sigmoid perhaps. Return logits: the "
        "loss does the sigmoid."),
    net("convolutions_with_bias", {CONVOLUTION: CONVOLUTION.replace(", bias=False", "")}, 0.7,
        "the 3 × 3 convolutions have a bias: batch norm subtracts it again. bias=False."),
    net("no_batch_norm", {NORM: "nn.Identity()"}, 0.4, "the batch norms are missing."),
    net("norm_of_each_image", {NORM: "nn.GroupNorm(1, c_out)"}, 0.5,
        "the norms are of another kind, over all places of one image, so that every pixel depends "
        "on all others. The list asks for batch norm."),
    net("one_convolution_a_block", {"for c in (c_in, c_out):": "for c in (c_in,):"}, 0.5,
        "each block has one convolution. It has two."),
    net("no_activation", {"nn.ReLU()": "nn.Identity()"}, 0.3,
        "the activations are missing: two convolutions in a row are no more than one."),
    net("one_activation_a_block",
        {"nn.BatchNorm2d(c_out), nn.ReLU()]": "nn.BatchNorm2d(c_out)]",
         "return nn.Sequential(*layers)": "return nn.Sequential(*layers, nn.ReLU())"}, 0.6,
        "only the second batch norm of each block has an activation behind it. Both have."),
    net("decoder_without_activations",
        {"c_out: int) ->": "c_out: int, a=nn.ReLU) ->",
         "nn.ReLU()]": "a()]", "(block(2 * c, c) for": "(block(2 * c, c, nn.Identity) for"}, 0.6,
        "the blocks of the decoder have no activations. Every block has two."),
    net("enlarged_without_parameters",
        {LARGER: "nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(2 * c, c, 1))"}, 0.6,
        "the maps are enlarged by another layer than a transposed convolution, 2 × 2 with stride "
        "2: the number of parameters is not the same."),
    net("enlarged_and_convolved",
        {LARGER: "nn.Sequential(nn.Upsample(scale_factor=2), nn.ZeroPad2d((0, 1, 0, 1)), "
                 "nn.Conv2d(2 * c, c, 2))"}, 0.8,
        "as many parameters, and yet no transposed convolution, 2 × 2 with stride 2: the maps are "
        "enlarged by another layer."),
    net("dilated", {CONVOLUTION: CONVOLUTION.replace("padding=1", "padding=2, dilation=2")}, 0.6,
        "with only the uppermost skip connection left, an output depends on a wider strip than the "
        "nine pixels of four convolutions 3 × 3: they are dilated, or there are others."),
    net("skip_from_the_middle_of_a_block",
        {"x = block(F.max_pool2d(x, 2) if level else x)":
         "x = F.max_pool2d(x, 2) if level else x\n            half, x = block[:3](x), block(x)",
         "skipped.append(x)": "skipped.append(half)"}, 0.7,
        "a skip connection begins in the middle of an encoder's block. Hand over the last maps of "
        "each size, behind both convolutions."),
    net("activation_with_parameters", {"nn.ReLU()]": "nn.PReLU()]"}, 0.7,
        "the activations have parameters of their own, one each. Choose one without, as nn.ReLU or "
        "nn.LeakyReLU."),
    net("biases_and_sigmoid", {CONVOLUTION: CONVOLUTION.replace(", bias=False", ""),
                               OUTPUT: "return self.last(x).sigmoid()"}, 0.4,
        "the 3 × 3 convolutions have a bias, which batch norm subtracts again (bias=False), and "
        "there is something behind the last convolution, a sigmoid perhaps. Return logits: the "
        "loss does the sigmoid."),
    net("channels_fixed", {WIDTHS: f"channels = 16\n        {WIDTHS}"}, 0.6,
        "the number of channels is always the same. Use the argument."),
    net("channels_do_not_double", {WIDTHS: "widths = [channels] * 4",
                                   LARGER: LARGER.replace("2 * c", "c")}, 0.5,
        "all levels have the same number of channels. It doubles each time the size is halved."),
    net("two_maps", {LAST: "self.last = nn.Conv2d(channels, 2, 1)"}, 0.6,
        "there are two maps of logits. For defect or not, one is enough: (N, 1, H, W)."),
    net("channel_squeezed", {OUTPUT: f"{OUTPUT}.squeeze(1)"}, 0.6,
        "the dimension of the channel is missing: (N, 1, H, W), like the masks."),
    net("norm_of_the_batch_for_ever",
        {NORM: "nn.BatchNorm2d(c_out, track_running_stats=False)"}, 0.5,
        "in evaluation mode the answer for an image depends on the others in its batch."),
    net("dropped_for_ever", {OUTPUT: "return self.last(F.dropout(x, 0.2))"}, 0.5,
        "in evaluation mode two passes differ. F.dropout is told the mode by "
        "training=self.training; nn.Dropout knows it."),
    net("bottom_cut_off", {ENLARGED: ENLARGED.replace("(x)", "(x.detach())")}, 0.3,
        "parameters get no gradient: something leaves autograd on the way (detach, .data, "
        "no_grad), or a layer is never used."),
    loss("dice_of_the_whole_batch",
         {BOTH: "both = (p * target).sum()", TOTAL: "total = p.sum() + target.sum()"}, 0.5,
         "Dice was computed over the whole batch. Compute it for each image, then average: "
         "otherwise a large defect in one image hides a small one in another."),
    loss("loss_of_one_dimension",
         {RETURNED: "return (cross_entropy + weight * (1 - dice).mean())[None]"}, 0.8,
         "the loss has shape (1,). It is a single number: shape ()."),
    loss("dice_added", {RETURNED: RETURNED.replace("1 - dice", "dice")}, 0.4,
         "Dice was added to the loss, so a better overlap is punished. Add 1 − Dice."),
    loss("dice_not_smoothed", {DICE: "dice = 2 * both / total"}, 0.5,
         "the smoothing is missing. An image without a defect has 2·0 above the line, whatever is "
         "predicted: add 1 above and below."),
    loss("smoothed_below_only", {DICE: "dice = 2 * both / (total + 1)"}, 0.6,
         "1 was added below the line only. Add it above too, so that a perfect mask has Dice 1."),
    loss("hardly_smoothed", {DICE: "dice = (2 * both + 1e-6) / (total + 1e-6)"}, 0.6,
         "another number than 1 was added above and below the line."),
    loss("two_forgotten", {DICE: "dice = (both + 1) / (total + 1)"}, 0.5,
         "the 2 is missing: Dice is twice the overlap, divided by the sum of the sizes."),
    loss("iou_for_dice", {DICE: "dice = (both + 1) / (total - both + 1)"}, 0.5,
         "this is intersection over union. Dice is 2 · intersection over the sum of the sizes."),
    loss("squares_below", {TOTAL: TOTAL.replace("p.sum", "p.square().sum")}, 0.6,
         "the probabilities are squared below the line, as in V-Net. Here they are not."),
    loss("dice_of_logits", {"p = logits.sigmoid()": "p = logits"}, 0.4,
         "Dice was computed of logits. It takes probabilities: sigmoid first."),
    loss("dice_of_a_hard_mask", {"p = logits.sigmoid()": "p = (logits > 0).to(logits.dtype)"}, 0.4,
         "Dice was computed of a mask of zeros and ones, which has no gradient. Use the "
         "probabilities."),
    loss("cross_entropy_summed", {CROSS_ENTROPY: CROSS_ENTROPY[:-1] + ', reduction="sum")'}, 0.5,
         "the cross-entropy was summed. Average it over all pixels of all images."),
    loss("sigmoid_twice", {CROSS_ENTROPY: CROSS_ENTROPY.replace("(logits", "(logits.sigmoid()")},
         0.5, "the cross-entropy was given probabilities and took their sigmoid once more. It "
         "expects logits."),
    loss("weight_on_cross_entropy",
         {RETURNED: "return weight * cross_entropy + (1 - dice).mean()"}, 0.6,
         "the weight belongs to Dice, not to the cross-entropy."),
    loss("weight_ignored", {"weight * (1": "(1"}, 0.5, "the weight has no effect."),
    loss("sigmoid_by_hand", {"p = logits.sigmoid()": "p = 1 / (1 + torch.exp(-logits))"}, 0.7,
         "the loss is right, and at -10,000 its gradient is NaN: exp(10,000) is infinite, and "
         "autograd multiplies it by 0. torch.sigmoid is safe."),
    loss("clamped_at_100",
         {CROSS_ENTROPY: "F.binary_cross_entropy(logits.sigmoid(), target)"}, 0.7,
         "right for ordinary logits. At ±10,000 the sigmoid is 0 or 1, and its logarithm was cut "
         "off at −100. Use the function that takes logits."),
    loss("logarithm_of_zero",
         {CROSS_ENTROPY: "-torch.where(masks, logits.sigmoid().log(), "
                         "(1 - logits.sigmoid()).log()).mean()"}, 0.6,
         "at ±10,000 the sigmoid is 0 or 1, and the logarithm of 0 is −∞. Use the function that "
         "takes logits."),
)  # fmt: skip
