"""Naming defects: a small residual network, and which differences are real."""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
import torch.nn.functional as F
from scipy import stats

from autograder.checks import Check, Kind, Mistake, number, public_and_hidden

Tensors = dict[str, torch.Tensor]
BLOCK = "begins_as_shortcut", "every_part_learns", "nothing_dropped"
KEPT = ("three_blocks", "head_of_features", "any_size", "maps_have_places", "places_do_not_matter",
        "mean_of_each_map", "one_linear_layer", "within_budget", "same_answer_twice",
        "image_for_itself", "some_below_0", "no_probabilities", "no_logarithms")  # fmt: skip
EPS = 1e-5  # of batch norm


def checks(seed: int) -> Iterator[Check]:
    """Yield the checks of this part; `seed` draws the hidden cases."""
    names = (*BLOCK, "parameters", "block", "shape", *KEPT, "without_gradient")
    yield Check(
        name="small_resnet",
        title="a residual block, and a network of them",
        records={name: f"return.{name}" for name in names},
        cases=public_and_hidden(blocks, seed),
        oracle=resnet_properties,
        pure=True,
    )
    yield Check(
        name="right_count_values",
        title="how many were right, from a printed percentage",
        records={"numbers": "return"},
        cases=public_and_hidden(percentages, seed),
        oracle=possible_counts,
    )
    yield Check(
        name="paired_difference_values",
        title="two classifiers on the same images",
        records={"b": "return.0", "c": "return.1", "p": "return.2"},
        cases=public_and_hidden(answers, seed),
        oracle=mcnemar,
        pure=True,
    )


# The network


def blocks(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield maps for a block, the numbers to fill it with, and the size of a network's images."""
    for name, about, c_in, c_out, stride, places, N, size, C in (
        ("same", "5 channels to 5, stride 1", 5, 5, 1, (6, 7), 3, [40, 57], 6),
        ("wider", "3 channels to 7, stride 1", 3, 7, 1, (5, 4), 2, [37, 41], 4),
        ("strided", "6 channels to 6, stride 2", 6, 6, 2, (7, 8), 1, [48, 37], 3),
    ):
        share = 0.0
        while not 0.3 < share < 0.8:  # of numbers that are not 0 behind the last ReLU
            x = torch.tensor(rng.randn(N, c_in, *places).round(2))
            sequence = torch.tensor(rng.randn(9 * max(c_in, c_out) + c_out).round(3))
            share = (filled_block(x, c_out, stride, sequence) > 0).double().mean()
        inputs = {"x": x, "c_out": c_out, "stride": stride, "sequence": sequence}
        yield name, about, {**inputs, "size": size, "num_classes": C}


def filled_norm(x: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
    """Normalise by the running statistics that a filled batch norm has."""
    scale, shift, mean = (row.view(-1, 1, 1) for row in s.flip(0)[: 3 * x.shape[1]].view(3, -1))
    variance = 0.5 + s[: x.shape[1]].view(-1, 1, 1) ** 2
    return (x - mean) / (variance + EPS) ** 0.5 * scale + shift


def filled_convolution(
    x: torch.Tensor, s: torch.Tensor, c_out: int, side: int, stride: int
) -> torch.Tensor:
    """Multiply every neighbourhood, written as a row, with windows of the sequence."""
    padding = side // 2
    rows = F.unfold(x, side, padding=padding, stride=stride)
    windows = torch.stack([s[k : k + rows.shape[1]] for k in range(c_out)])
    out = [(length + 2 * padding - side) // stride + 1 for length in x.shape[2:]]
    return (windows @ rows / rows.shape[1] ** 0.5).reshape(len(x), c_out, *out)


def filled_block(x: torch.Tensor, c_out: int, stride: int, s: torch.Tensor) -> torch.Tensor:
    """Compute a filled residual block by matrix products."""
    hidden = filled_norm(filled_convolution(x, s, c_out, 3, stride), s).clamp(min=0)
    residual = filled_norm(filled_convolution(hidden, s, c_out, 3, 1), s)
    if stride != 1 or c_out != x.shape[1]:
        x = filled_norm(filled_convolution(x, s, c_out, 1, stride), s)
    return (residual + x).clamp(min=0)


def resnet_properties(
    x: torch.Tensor, c_out: int, stride: int, sequence: torch.Tensor, size: list[int],
    num_classes: int,
) -> Tensors:  # fmt: skip
    """Say what a right block computes, and that a network keeps its promises."""
    c_in = x.shape[1]
    projects = stride != 1 or c_in != c_out
    sizes = [9 * c_out * (c_in + c_out) + 4 * c_out, projects * c_out * (c_in + 2)]
    return {
        **dict.fromkeys(BLOCK, number(1)),
        "parameters": torch.tensor(sizes),
        "block": filled_block(x, c_out, stride, sequence),
        "shape": torch.tensor([2, num_classes]),
        **dict.fromkeys(KEPT, number(1)),
        "without_gradient": number(0),
    }


# Percentages


def percentages(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield printed percentages. Where a total is odd, or twice an odd number, none is halfway."""

    def drawn(total: int, digits: int) -> tuple[str, int]:
        return f"{100 * rng.randint(1, total) / total:.{digits}f}", total

    odd = [2 * int(n) + 1 for n in rng.randint((40, 90, 200), (60, 130, 400))]
    printed = [(f"{100 * k / n:.2f}", n) for n in (35, 66, 81, 119) for k in range(1, n)]
    ending = [pair for pair in printed if pair[0].endswith("0")]
    possible = {f"{100 * k / 49:.0f}" for k in range(50)}
    impossible = [str(p) for p in range(20, 80) if str(p) not in possible]
    for name, about, (reported, total) in (
        ("two_digits", "two digits", drawn(66, 2)),
        ("one_digit", "one digit", drawn(odd[0], 1)),
        ("no_digits", "no digit behind the point", drawn(odd[1], 0)),
        ("several", "several numbers come into question", drawn(3 * odd[2], 0)),
        ("none", "a percentage that cannot be", (str(rng.choice(impossible)), 49)),
        ("zero", "nothing behind the point, but a digit",
         (f"{rng.randint(20, 80)}.0", 1001)),
        ("all", "100 %, rounded", ("100", 2 * int(rng.randint(150, 300)) + 1)),
        ("nothing", "0 %, rounded", ("0", 2 * int(rng.randint(150, 300)) + 1)),
        ("single", "one image", ("100.0", 1)),
        ("ends_in_0", "two digits, the last of them 0", ending[rng.randint(len(ending))]),
    ):  # fmt: skip
        yield name, f"{about}: {reported} % of {total}", {"reported": reported, "total": total}


def possible_counts(reported: str, total: int) -> Tensors:
    """Solve |100 k / total - reported| <= half a unit of the last digit, in whole numbers."""
    digits = len(reported) - reported.index(".") - 1 if "." in reported else 0
    unit, value = 10**digits, int(reported.replace(".", ""))
    found = [k for k in range(total + 1) if 2 * abs(100 * unit * k - value * total) <= total]
    return {"numbers": torch.tensor(found, dtype=torch.int64)}


# Pairs


def answers(rng: np.random.RandomState) -> Iterator[Kind]:
    """Yield which images two classifiers have right, from how many only one, or none, has."""
    b, c = (int(n) for n in rng.permutation([5, 13]))
    large = 520 + int(rng.randint(60)), 595 + int(rng.randint(60))
    for name, about, only_a, only_b, neither, N in (
        ("some", "66 images", b, c, 4, 66),
        ("two", "two images make the difference", 0, 2, 5, 66),
        ("all_on_one_side", "the second is never better", int(rng.randint(5, 9)), 0, 3, 41),
        ("even", "as many on both sides", 4, 4, 9, 30),
        ("none", "no image makes a difference", 0, 0, 6, 25),
        ("three", "one image against two", 1, 2, 1, 17),
        ("single", "one image", 1, 0, 0, 1),
        ("large", "3,589 images", *large, 400, 3589),
    ):
        both = N - only_a - only_b - neither
        pairs = np.repeat([[1, 0], [0, 1], [0, 0], [1, 1]], [only_a, only_b, neither, both], axis=0)
        a, b_ = rng.permutation(pairs).T.astype(bool)
        yield name, about, {"right_a": torch.tensor(a), "right_b": torch.tensor(b_)}


def mcnemar(right_a: torch.Tensor, right_b: torch.Tensor) -> Tensors:
    """Count in Python, and let SciPy test."""
    pairs = list(zip(right_a.tolist(), right_b.tolist(), strict=True))
    b, c = pairs.count((True, False)), pairs.count((False, True))
    p = stats.binomtest(b, b + c).pvalue if b + c else 1
    return {"b": number(b), "c": number(c), "p": number(p)}


FIRST = "nn.Conv2d(c_in, c_out, 3, stride, padding=1, bias=False)"
SECOND = "nn.Conv2d(c_out, c_out, 3, padding=1, bias=False)"
ZERO = "nn.init.zeros_(self.residual[-1].weight)"
SUM = "return F.relu(self.residual(x) + self.shortcut(x))"
NEEDED = "if stride != 1 or c_in != c_out:"
PROJECTED = "nn.Sequential(projection, nn.BatchNorm2d(c_out))"
LAST = "ResidualBlock(32, 64, 2)"
HEAD = "nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, num_classes)"
FORWARD = "return self.head(maps)"
DIGITS = 'digits = len(reported.partition(".")[2])'
EVERY = "every = range(total + 1)"
PRINTED = 'f"{100 * k / total:.{digits}f}" == reported'
P = "min(1.0, 2 * ways / 2 ** (b + c))"
WAYS = "sum(math.comb(b + c, i) for i in range(min(b, c) + 1))"


def wrong(
    cell: str, check: str, name: str, change: Mapping[str, str], share: float, hint: str
) -> Mistake:
    """Build a mistake that one check catches."""
    return Mistake(name, cell, change, (check,), share, hint)


def block(name: str, change: Mapping[str, str], share: float, hint: str) -> Mistake:
    """Build a mistake in `ResidualBlock`."""
    return wrong("ResidualBlock", "small_resnet", name, change, share, hint)


def net(name: str, change: Mapping[str, str], share: float, hint: str) -> Mistake:
    """Build a mistake in `SmallResNet`."""
    return wrong("SmallResNet", "small_resnet", name, change, share, hint)


def counts(name: str, change: Mapping[str, str], share: float, hint: str) -> Mistake:
    """Build a mistake in `right_counts`."""
    return wrong("right_counts", "right_count_values", name, change, share, hint)


def paired(name: str, change: Mapping[str, str], share: float, hint: str) -> Mistake:
    """Build a mistake in `paired_difference`."""
    return wrong("paired_difference", "paired_difference_values", name, change, share, hint)


MISTAKES: tuple[Mistake, ...] = (
    block("relu_before_the_sum", {SUM: "return F.relu(self.residual(x)) + self.shortcut(x)"}, 0.6,
          "the ReLU comes before the sum: relu(residual(x)) + shortcut(x). It comes behind it."),
    block("no_relu_at_the_end", {SUM: "return self.residual(x) + self.shortcut(x)"}, 0.6,
          "the block returns negative numbers: the ReLU of the sum is missing."),
    block("no_shortcut", {SUM: "return F.relu(self.residual(x))"}, 0.3,
          "the shortcut is not added."),
    block("no_relu_in_the_residual", {"nn.ReLU(),": ""}, 0.6,
          "there is no ReLU between the two convolutions, so together they are only one."),
    block("stride_in_the_second_convolution",
          {FIRST: FIRST.replace("stride, ", ""), SECOND: SECOND.replace("3, ", "3, stride, ")}, 0.7,
          "the stride is in the second convolution. It is in the first."),
    block("scale_begins_at_one", {ZERO: ""}, 0.7,
          "a new block is not relu(shortcut(x)). Let the scale (weight) of the second batch norm "
          "begin at 0."),
    block("first_scale_begins_at_zero", {ZERO: "nn.init.zeros_(self.residual[1].weight)"}, 0.5,
          "the scale of the first batch norm begins at 0. The ReLU behind it gives 0 and passes no "
          "gradient on, so the block would never learn. It is the second whose scale is 0, and no "
          "other."),
    block("dropout_in_the_residual", {"nn.ReLU(),": "nn.ReLU(), nn.Dropout2d(0.1),"}, 0.7,
          "in training mode two passes through the block differ. There is no dropout in it."),
    block("shortcut_in_place",
          {SUM: "out = self.shortcut(x)\n        out += self.residual(x)\n"
                "        return F.relu(out)"}, 0.6,
          "the block overwrites its input. With the identity, self.shortcut(x) is x itself, and "
          "out += … changes it: write out = out + …"),
    block("always_projected", {NEEDED: "if True:"}, 0.6,
          "the shortcut has parameters where the shapes agree. There it is the identity."),
    block("projected_without_norm", {PROJECTED: "projection"}, 0.7,
          "the 1 × 1 convolution of the shortcut has no batch norm behind it."),
    block("block_with_biases",
          {FIRST: FIRST.replace(", bias=False", ""), SECOND: SECOND.replace(", bias=False", "")},
          0.8, "the convolutions have a bias. The batch norm behind each has one already."),
    net("two_blocks", {"ResidualBlock(16, 16, 2)": "nn.MaxPool2d(2)"}, 0.6,
        "features has fewer than three blocks of the class ResidualBlock."),
    net("places_flattened",
        {HEAD: "nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * 64, num_classes)"}, 0.6,
        "the head looks at where in a map something is. Take the mean of each map over all its "
        "places."),
    net("largest_instead_of_mean", {HEAD: HEAD.replace("Avg", "Max")}, 0.6,
        "the head takes the largest number of each map, not the mean."),
    net("pooled_in_the_features",
        {"nn.ReLU(), *blocks)": "nn.ReLU(), *blocks, nn.AdaptiveMaxPool2d(1))",
         HEAD: "nn.Flatten(), nn.Linear(64, num_classes)"}, 0.6,
        "features pools over all places already, so there is nothing left to average. Let it "
        "return maps, and take their means in the head."),
    net("hidden_layer_in_the_head",
        {HEAD: "nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 40), nn.ReLU(), "
         "nn.Linear(40, num_classes)"}, 0.7,
        "behind the means the head has more than a single linear layer: another one, an activation "
        "or a norm."),
    net("one_size_only",
        {HEAD: "nn.Flatten(), nn.LazyLinear(num_classes)"}, 0.3,
        "only images of one size can be computed. Global average pooling makes one number of each "
        "map, whatever its size."),
    net("over_budget", {LAST: "ResidualBlock(32, 64, 2), ResidualBlock(64, 64)"}, 0.6,
        "the network has more than 150,000 parameters. A block from 64 to 64 channels alone has "
        "73,984."),
    net("class_probabilities", {FORWARD: "return self.head(maps).softmax(dim=1)"}, 0.5,
        "forward is not head(features(x)), or its outputs are probabilities. Return logits."),
    net("softmax_in_the_head", {HEAD: HEAD + ", nn.Softmax(dim=1)"}, 0.6,
        "the outputs are probabilities. Return logits: cross_entropy does the softmax."),
    net("largest_and_softmax", {HEAD: HEAD.replace("Avg", "Max") + ", nn.Softmax(dim=1)"}, 0.4,
        "the head takes the largest number of each map, not the mean, and its outputs are "
        "probabilities. Take the mean, and return logits: cross_entropy does the softmax."),
    net("negative_logits_cut_off", {HEAD: HEAD + ", nn.ReLU()"}, 0.6,
        "no output is ever negative: there is something behind the linear layer, a ReLU perhaps."),
    net("logarithms_of_probabilities", {HEAD: HEAD + ", nn.LogSoftmax(dim=1)"}, 0.6,
        "the outputs are logarithms of probabilities. Return logits: cross_entropy does the "
        "softmax and the logarithm."),
    net("dropout_without_mode", {FORWARD: "return self.head(F.dropout(maps, 0.5))"},
        0.4, "in evaluation mode two passes differ. nn.Dropout knows the mode; F.dropout has to be "
        "told: training=self.training."),
    net("statistics_of_the_batch", {"nn.BatchNorm2d(16)":
                                    "nn.BatchNorm2d(16, track_running_stats=False)"}, 0.5,
        "in evaluation mode the answer for an image depends on the others in its batch."),
    net("layer_never_used", {LAST: LAST + "\n        self.more = nn.Linear(64, 64)"}, 0.7,
        "there are parameters that the output does not depend on: a layer that is never used, or "
        "cut off from the gradient."),
    net("six_classes", {HEAD: HEAD.replace("num_classes", "6")}, 0.5,
        "there are six logits, whatever num_classes is."),
    counts("nearest_number_only",
           {f"[k for k in every if {PRINTED}]": "[round(float(reported) * total / 100)]"}, 0.4,
           "one number comes back for every percentage: the nearest. Test whether it would have "
           "been printed like that; there may be none, or several."),
    counts("digits_not_looked_at", {DIGITS: "digits = 0", "== reported":
                                    '== f"{float(reported):.0f}"'}, 0.4,
           "the percentage was compared without the digits behind the point."),
    counts("cut_off_instead_of_rounded",
           {PRINTED: "int(100 * k * 10**digits / total) == int(reported.replace('.', ''))"}, 0.5,
           "the digits were cut off. They are rounded."),
    counts("a_unit_of_tolerance",
           {PRINTED: "abs(100 * k / total - float(reported)) < 10**-digits"}, 0.5,
           "numbers up to a whole unit of the last digit away were taken. Rounding moves a number "
           "by half a unit at most."),
    counts("exact_percentages_only", {PRINTED: "100 * k / total == float(reported)"}, 0.3,
           "only percentages that need no rounding were found."),
    counts("always_two_digits",
           {DIGITS: "digits = 2",
            PRINTED: "round(100 * k / total, digits) == float(reported)"}, 0.4,
           "everything was rounded to two digits. Round to as many as this percentage shows: 100 % "
           "without a point may be 99.6 %."),
    counts("zeros_at_the_end_lost",
           {PRINTED: "str(round(100 * k / total, digits or None)) == reported"}, 0.7,
           "a percentage such as 50.00 was not found: the text of a rounded number loses the zeros "
           "at its end. Format it instead, with a fixed number of digits."),
    counts("digits_by_the_length", {DIGITS: "digits = max(len(reported) - 3, 0)"}, 0.7,
           "the digits were counted as if two always stood before the point. 100.0 has three."),
    counts("none_missing", {EVERY: "every = range(1, total + 1)"}, 0.7,
           "no image right at all is a possibility, too: begin at 0."),
    counts("all_missing", {EVERY: "every = range(total)"}, 0.7,
           "all images right is a possibility, too: range(total) ends one before total."),
    counts("shares_for_percentages", {"100 * k / total": "k / total"}, 0.3,
           "the percentage was compared with a share: 74.24 % is 0.7424."),
    paired("one_sided", {P: "min(1.0, ways / 2 ** (b + c))"}, 0.5,
           "p is one-sided. The test asks for as much difference in either direction: twice that."),
    paired("first_better_only",
           {P: "stats.binomtest(b, b + c, alternative='greater').pvalue if b + c else 1.0"}, 0.4,
           "p is one-sided: it only asks whether the first is better. The test asks for as much "
           "difference in either direction."),
    paired("larger_than_one", {P: "2 * ways / 2 ** (b + c)"}, 0.7,
           "p is larger than 1 where both sides are equal: min(1, …)."),
    paired("equal_case_left_out", {"range(min(b, c) + 1)": "range(min(b, c))"}, 0.5,
           "what was observed is not counted itself. The sum goes up to and including min(b, c)."),
    paired("this_number_only", {WAYS: "math.comb(b + c, min(b, c))"}, 0.4,
           "p is the probability of exactly this difference. Add those of all larger ones."),
    paired("all_images_tossed", {"math.comb(b + c, i)": "math.comb(len(right_a), i)",
                                 "2 ** (b + c)": "2 ** len(right_a)"}, 0.4,
           "images that do not tell the two apart took part. n is b + c."),
    paired("sides_of_the_pair_swapped", {"return b, c,": "return c, b,"}, 0.6,
           "the two numbers are swapped: first what only the first has right."),
    paired("numbers_of_right_images", {"(right_a & ~right_b)": "right_a",
                                       "(~right_a & right_b)": "right_b"}, 0.3,
           "b and c are the numbers of right images. Count those that only one of them has right."),
    paired("chi_squared", {P: "float(stats.chi2.sf((b - c) ** 2 / max(b + c, 1), 1))"}, 0.5,
           "this is the approximation by chi squared, which is not good for few images. Compute "
           "the exact sum."),
    paired("corrected_chi_squared",
           {P: "float(stats.chi2.sf(max(abs(b - c) - 1, 0) ** 2 / max(b + c, 1), 1))"}, 0.5,
           "this is the approximation by chi squared with a correction for continuity. Compute "
           "the exact sum."),
    paired("half_of_the_observed",
           {P: "min(1.0, (2 * ways - math.comb(b + c, min(b, c))) / 2 ** (b + c))"}, 0.6,
           "this is the mid-p value, which counts what was observed by half. Count it in full."),
)  # fmt: skip
