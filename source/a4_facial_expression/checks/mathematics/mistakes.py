"""Named wrong solutions of the section on mathematics: one change each to the instructor's.

The first mistake that fits is the one a student is told, so the narrower ones come first.
"""

from autograder.checks import Mistake


def conv(name: str, share: float, change: dict[str, str], hint: str) -> Mistake:
    return Mistake(name, "conv_output_shape", change, ("conv_sizes",), share, hint)


def forward(name: str, share: float, change: dict[str, str], hint: str) -> Mistake:
    cell, check = "batchnorm_forward", "batchnorm_forward_values"
    return Mistake(name, cell, change, (check,), share, hint)


def backward(name: str, check: str, share: float, change: dict[str, str], hint: str) -> Mistake:
    return Mistake(name, "batchnorm_backward", change, (f"batchnorm_{check}",), share, hint)


def same(name: str, share: float, change: dict[str, str], hint: str) -> Mistake:
    return Mistake(name, "identity_parameters", change, ("batchnorm_identity",), share, hint)


def soft(name: str, check: str, share: float, change: dict[str, str], hint: str) -> Mistake:
    return Mistake(name, "softmax_cross_entropy", change, (f"softmax_{check}",), share, hint)


def optimiser(name: str, cell: str, share: float, change: dict[str, str], hint: str) -> Mistake:
    return Mistake(name, cell, change, (f"{cell}_values",), share, hint)


def limit(name: str, share: float, change: dict[str, str], hint: str) -> Mistake:
    return Mistake(name, "adagrad_gap", change, ("adagrad_limit",), share, hint)


EXTENT, PLACES = "extent = d * (k - 1) + 1", "sizes.append((size + 2 * p - extent) // s + 1)"
STD = "std = (centred.square().mean(dim=0) + eps).sqrt()"
DX = "dx = dx_hat / std + dvar * 2 * centred / N + dmean / N"
ROOT = "return (var + eps).sqrt(), mean"
ADAM_STEP = "w = w - rate * m_hat / (v_hat.sqrt() + eps)"
ADAGRAD_STEP = "w = w - rate * g / (squares.sqrt() + eps)"

MISTAKES = (
    conv("rounded_up", 0.5, {PLACES: "sizes.append(-((extent - size - 2 * p) // s) + 1)"},
         "the fraction was rounded up. A remainder shorter than a stride gives no further place: "
         "round down."),
    conv("dilation_forgotten", 0.4, {EXTENT: "extent = k"},
         "the dilation has no effect. A dilated kernel covers more cells than it has taps."),
    conv("extent_is_dilation_times_taps", 0.5, {EXTENT: "extent = d * k"},
         "the kernel was taken to cover d·k cells. Between k taps there are k - 1 distances."),
    conv("padding_once", 0.4, {"size + 2 * p - extent": "size + p - extent"},
         "the padding was counted once. It is added at both ends."),
    conv("kernel_swapped", 0.4, {"kernel, padding": "kernel[::-1], padding"},
         "the two numbers of the kernel are swapped. Here the width comes first, in the shape and "
         "in every pair."),
    conv("pairs_swapped", 0.4,
         {"kernel, padding, stride, dilation, strict": "*(pair[::-1] for pair in (kernel, padding, stride, dilation)), strict"},
         "the first number of each pair was used for H. Here the width comes first, in the shape "
         "and in every pair."),
    conv("plus_one_forgotten", 0.5, {PLACES: "sizes.append((size + 2 * p - extent) // s)"},
         "each size is one too small. The first place of the kernel needs no stride, and counts too."),
    conv("one_tap_too_many", 0.5, {EXTENT: "extent = d * (k - 1)"},
         "the kernel was taken for one cell too short: k taps, d apart, cover d·(k - 1) + 1 cells."),
    conv("channels_kept", 0.5, {"sizes[1], filters": "sizes[1], shape[3]"},
         "the last entry is the number of input channels. Each filter gives one output channel."),
    conv("sizes_in_torch_order", 0.5,
         {"shape[0], sizes[0], sizes[1], filters": "shape[0], filters, sizes[0], sizes[1]"},
         "the channels come second, as torch has them. Here they come last: (B, W', H', filters)."),
    # batch norm, forward
    forward("variance_over_n_minus_1", 0.3, {STD: "std = (x.var(dim=0) + eps).sqrt()"},
            "the variance was divided by N - 1, as torch.var does by itself (and which is 0 for a "
            "single sample). Batch norm divides by N."),
    forward("eps_outside_the_root", 0.5, {STD: "std = centred.square().mean(dim=0).sqrt() + eps"},
            "eps was added to the root. It stands inside: the root of variance + eps."),
    forward("eps_forgotten", 0.4,
            {STD: "std = centred.square().mean(dim=0).clamp(min=1e-30).sqrt()"},
            "eps is missing. It stands inside the root: variance + eps."),
    forward("divided_by_the_variance", 0.4, {STD: STD.replace(".sqrt()", "")},
            "it was divided by the variance. Divide by its root."),
    forward("rows_normalised", 0.3,
            {"x.mean(dim=0)": "x.mean(dim=1, keepdim=True)",
             "mean(dim=0) + eps": "mean(dim=1, keepdim=True) + eps"},
            "each row was normalised: that is layer norm. Batch norm averages over the batch, dim 0."),
    forward("one_mean_for_all", 0.3,
            {"x.mean(dim=0)": "x.mean()", "square().mean(dim=0)": "square().mean()"},
            "one mean and one variance were used for all columns. Each column has its own."),
    # batch norm, backward
    backward("dgamma_with_x", "gradients_parameters", 0.5, {"(dout * x_hat)": "(dout * x)"},
             "dgamma was computed with x. gamma multiplies x̂."),
    backward("dgamma_with_gamma", "gradients_parameters", 0.5,
             {"(dout * x_hat)": "(dx_hat * x_hat)"},
             "dgamma has a factor gamma. y = gamma · x̂ + beta, so its derivative by gamma is x̂."),
    backward("dbeta_is_a_mean", "gradients_parameters", 0.5,
             {"dout.sum(dim=0)": "dout.mean(dim=0)"},
             "dbeta is a mean over the batch. Each sample uses beta, and their gradients add up."),
    backward("both_are_means", "gradients_parameters", 0.4,
             {"dout.sum(dim=0)": "dout.mean(dim=0)", "(dout * x_hat).sum": "(dout * x_hat).mean"},
             "dgamma and dbeta are means over the batch. Each sample uses gamma and beta, and their "
             "gradients add up."),
    backward("dx_hat_without_gamma", "gradients_inside", 0.3, {"dx_hat = dout * gamma": "dx_hat = dout"},
             "gamma is missing: y = gamma · x̂ + beta, so dx_hat is dout · gamma."),
    backward("dvar_for_the_deviation", "gradients_inside", 0.5, {"-0.5 / std**3": "-1 / std**2"},
             "dvar is the gradient by the standard deviation. By the variance: the power -1/2 of "
             "σ² + eps has the derivative -1/2 times its power -3/2."),
    backward("dvar_without_half", "gradients_inside", 0.5, {"-0.5 / std**3": "-1 / std**3"},
             "dvar is twice too large: the exponent -1/2 comes down as a factor."),
    backward("dvar_sign", "gradients_inside", 0.5, {"(-0.5": "(0.5"},
             "dvar has the wrong sign: a larger variance makes x̂ smaller."),
    backward("dmean_sign", "gradients_inside", 0.5, {"dmean = -dx_hat": "dmean = dx_hat"},
             "dmean has the wrong sign: x̂ = (x - μ) / …"),
    backward("dmean_is_a_mean", "gradients_inside", 0.5,
             {"dmean = -dx_hat.sum(dim=0)": "dmean = -dx_hat.mean(dim=0)", "+ dmean / N": "+ dmean"},
             "dmean is N times too small. μ enters every x̂, so their gradients add up; the 1/N "
             "belongs to the way from x to μ."),
    backward("only_the_direct_way", "gradient_x", 0.2, {DX: "dx = dx_hat / std"},
             "only the way through x̂ itself is there. x also changes the mean and the variance."),
    backward("way_through_the_mean_missing", "gradient_x", 0.4, {" + dmean / N": ""},
             "the way through the mean is missing. In each column dx has to sum to 0."),
    backward("way_through_the_variance_missing", "gradient_x", 0.4,
             {" + dvar * 2 * centred / N": ""},
             "the way through the variance is missing: dvar · 2 (x - μ) / N."),
    backward("factor_two_forgotten", "gradient_x", 0.5, {"dvar * 2 * centred": "dvar * centred"},
             "the derivative of (x - μ)² is 2 (x - μ): a factor 2 is missing."),
    backward("mean_not_shared_out", "gradient_x", 0.5, {"+ dmean / N": "+ dmean"},
             "the gradient by the mean reached every sample in full. The mean changes by 1/N of what "
             "a sample changes."),
    backward("backward_over_n_minus_1", "gradient_x", 0.5,
             {STD: "std = (centred.square().sum(dim=0) / (N - 1) + eps).sqrt()",
              "centred / N": "centred / (N - 1)"},
             "the variance was divided by N - 1, as torch.var does by itself. Batch norm divides by N."),
    backward("backward_variance_half_and_half", "gradient_x", 0.4,
             {STD: "std = (centred.square().sum(dim=0) / (N - 1) + eps).sqrt()"},
             "the variance was divided by N - 1, as torch.var does by itself. Batch norm divides by N."),
    backward("backward_eps_outside", "gradient_x", 0.5,
             {STD: "std = centred.square().mean(dim=0).sqrt() + eps"},
             "eps was added to the root. It stands inside: the root of variance + eps."),
    backward("backward_eps_forgotten", "gradient_x", 0.4,
             {STD: "std = centred.square().mean(dim=0).clamp(min=1e-30).sqrt()"},
             "eps is missing. It stands inside the root: variance + eps."),
    # batch norm as the identity
    same("identity_without_eps", 0.5, {ROOT: "return var.sqrt(), mean"},
         "gamma lacks eps. Batch norm divides by the root of variance + eps, so multiply by it."),
    same("identity_over_n_minus_1", 0.5, {"square().mean(dim=0)": "square().sum(dim=0) / (len(x) - 1)"},
         "gamma comes from a variance divided by N - 1. Batch norm divides by N."),
    same("identity_inverse", 0.3, {ROOT: "return 1 / (var + eps).sqrt(), mean"},
         "gamma is the inverse: this normalises once more. Multiply by what was divided by."),
    same("identity_eps_outside", 0.5, {ROOT: "return var.sqrt() + eps, mean"},
         "eps was added to the root. It stands inside."),
    # softmax with cross-entropy
    soft("loss_of_the_sum", "loss", 0.5, {".sum(dim=1).mean()": ".sum()"},
         "the loss is a sum over the samples. Take the mean."),
    soft("loss_over_classes_too", "loss", 0.4, {".sum(dim=1).mean()": ".mean()"},
         "the loss was averaged over the classes too. Sum over the classes, average over the samples."),
    soft("log_of_zero", "loss", 0.5,
         {"log_y = z - torch.logsumexp(z, dim=1, keepdim=True)": "log_y = torch.softmax(z, dim=1).log()"},
         "the logarithm of a probability that is stored as 0. Take the logarithm on paper: z minus "
         "log-sum-exp."),
    soft("probability_plus_a_bit", "loss", 0.5,
         {"log_y = z - torch.logsumexp(z, dim=1, keepdim=True)": "log_y = (torch.softmax(z, dim=1) + 1e-12).log()"},
         "something was added inside the logarithm (or the probability was clamped), and for large "
         "logits the loss is wrong. Take the logarithm on paper: z minus log-sum-exp."),
    soft("loss_of_hard_labels", "loss", 0.3,
         {"-(targets * log_y).sum(dim=1).mean()": "-log_y.gather(1, targets.argmax(dim=1, keepdim=True)).mean()"},
         "only the largest target of each row was used. The target is a distribution: sum over all "
         "classes."),
    soft("gradient_of_the_sum", "gradient", 0.5, {" / len(z)": ""},
         "dz is that of a sum over the samples. The loss is a mean: divide by N."),
    soft("gradient_sign", "gradient", 0.5, {"log_y.exp() - targets": "targets - log_y.exp()"},
         "dz has the wrong sign: ŷ - y."),
    soft("gradient_of_hard_labels", "gradient", 0.4,
         {"(log_y.exp() - targets)": "(log_y.exp() - torch.eye(z.shape[1], dtype=z.dtype)[targets.argmax(dim=1)])"},
         "only the largest target of each row was used. The gradient is ŷ - y for a distribution y too."),
    soft("softmax_over_the_batch", "gradient", 0.3, {"dim=1, keepdim=True": "dim=0, keepdim=True"},
         "the softmax was taken over the batch. The probabilities of each sample sum to 1: dim 1."),
    # the limit: before Adam's own, some of which show in it
    limit("momentum_left_on", 0.4, {"beta1=0.0": "beta1=0.9"},
          "Adam ran with momentum. Here beta1 is 0."),
    limit("rates_do_not_fall", 0.4, {"rate * steps.to(w.dtype) ** -0.5": "rate * torch.ones_like(steps)"},
          "Adam's step size stays the same. It falls: rate · t^(-1/2), and every step of adam takes "
          "its own."),
    limit("rates_one_ahead", 0.5, {"torch.arange(1, len(gradients) + 1)": "torch.arange(2, len(gradients) + 2)"},
          "the step sizes are one ahead. The first step has t = 1, and the step size `rate`."),
    limit("only_the_last_step", 0.5, {"difference.abs().max()": "difference[-1].abs().max()"},
          "only the last iterates were compared. Take the largest difference over all of them."),
    limit("mean_difference", 0.4, {"difference.abs().max()": "difference.abs().mean()"},
          "this is the mean of the differences. Take the largest."),
    limit("sign_kept", 0.4, {"difference.abs().max()": "difference.max()"},
          "this is the largest difference with its sign. Take the absolute values first."),
    # Adam
    optimiser("no_bias_correction", "adam", 0.4,
              {"m / (1 - beta1**t), v / (1 - beta2**t)": "m, v"},
              "the bias correction is missing: divide m by 1 - beta1^t and v by 1 - beta2^t."),
    optimiser("only_m_corrected", "adam", 0.5, {"v / (1 - beta2**t)": "v"},
              "v was not corrected: divide it by 1 - beta2^t."),
    optimiser("only_v_corrected", "adam", 0.5, {"m / (1 - beta1**t)": "m"},
              "m was not corrected: divide it by 1 - beta1^t."),
    optimiser("correction_without_power", "adam", 0.5,
              {"1 - beta1**t": "1 - beta1", "1 - beta2**t": "1 - beta2"},
              "the correction is the same in every step. It divides by 1 - beta^t, t counted from 1."),
    optimiser("correction_one_ahead", "adam", 0.5,
              {"1 - beta1**t": "1 - beta1**(t + 1)", "1 - beta2**t": "1 - beta2**(t + 1)"},
              "the correction is one step ahead. In the first step t = 1."),
    optimiser("corrected_moments_kept", "adam", 0.4,
              {"m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)":
               "m_hat, v_hat = m, v = m / (1 - beta1**t), v / (1 - beta2**t)"},
              "the corrected m and v went into the next step. The recursion goes on with the "
              "uncorrected ones."),
    optimiser("adam_eps_in_the_root", "adam", 0.5, {"(v_hat.sqrt() + eps)": "(v_hat + eps).sqrt()"},
              "eps was added inside the root. In Adam it stands outside."),
    optimiser("adam_eps_before_correction", "adam", 0.6,
              {ADAM_STEP: "w = w - rate * m_hat / ((v.sqrt() + eps) / (1 - beta2**t) ** 0.5)"},
              "eps was added before the bias correction of v, so that it is corrected too. Add it "
              "to the root of the corrected v."),
    optimiser("first_rate_for_all", "adam", 0.4, {"w - rate * m_hat": "w - rates[0] * m_hat"},
              "every step has the first step size. rates has one for each step."),
    optimiser("start_among_the_iterates", "adam", 0.5, {"iterates = []": "iterates = [w]"},
              "the start is among the iterates. The first row is w after one step."),
    optimiser("adam_rows_alike", "adam", 0.4,
              {"torch.stack(iterates)": "torch.stack([w for _ in iterates])"},
              "all rows are the end. `w -= …` changes the tensor that is already in your list; "
              "`w = w - …` makes a new one."),
    # Adagrad
    optimiser("nothing_accumulated", "adagrad", 0.3, {"squares = squares + g**2": "squares = g**2"},
              "each step was divided by its own gradient only. Adagrad sums up all squares so far."),
    optimiser("adagrad_eps_in_the_root", "adagrad", 0.5,
              {"(squares.sqrt() + eps)": "(squares + eps).sqrt()"},
              "eps was added inside the root. Here it stands outside."),
    optimiser("average_of_squares", "adagrad", 0.4,
              {"(squares.sqrt() + eps)": "((squares / (len(iterates) + 1)).sqrt() + eps)"},
              "it was divided by the root of the mean of the squares. Adagrad takes their sum."),
    optimiser("squares_after_the_step", "adagrad", 0.3,
              {"        squares = squares + g**2\n": "",
               ADAGRAD_STEP: "w, squares = w - rate * g / (squares.sqrt() + eps), squares + g**2"},
              "the step does not know its own gradient. Add g² first, then divide."),
    optimiser("adagrad_starts_with_w", "adagrad", 0.5, {"iterates = []": "iterates = [w]"},
              "the start is among the iterates. The first row is w after one step."),
    optimiser("adagrad_rows_alike", "adagrad", 0.4,
              {"torch.stack(iterates)": "torch.stack([w for _ in iterates])"},
              "all rows are the end. `w -= …` changes the tensor that is already in your list; "
              "`w = w - …` makes a new one."),
)  # fmt: skip
