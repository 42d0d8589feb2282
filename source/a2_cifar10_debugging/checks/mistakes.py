"""Named wrong solutions of CIFAR-10 debugging: one change each to the instructor's.

The first mistake that fits is the one a student is told, so the narrower ones come first.
"""

from autograder.checks import Mistake

SCALED = "scaled = images.float() / 255"
PREPARED = "((images.float() / 255 - mean_image) / std)"
SWISH_BETA = ("swish_gradient_beta", "swish_graph_gradients")
SWISH_X = ("swish_gradient_x", "swish_graph_gradients")
BETA_SUM = "grad_beta = (grad_output * x * x * slope).sum()"
BETTER = "if accuracy > best_accuracy:"

MISTAKES = (
    # preparing images
    Mistake("statistics_not_scaled", "image_statistics", {SCALED: "scaled = images.float()"},
            ("statistics_values",), 0.5,
            "the statistics are of pixels from 0 to 255. Scale the images to 0…1 first."),
    Mistake("mean_of_channels", "image_statistics",
            {"mean_image = scaled.mean(dim=0)":
             "mean_image = scaled.mean(dim=(0, 2, 3), keepdim=True)[0].expand(scaled.shape[1:])"},
            ("statistics_values",), 0.4,
            "one mean for each channel. The mean image has a value of its own at every pixel: average "
            "over the images only."),
    Mistake("std_not_centred", "image_statistics", {"(scaled - mean_image)": "scaled"},
            ("statistics_values",), 0.5,
            "the root of the mean square of the images themselves. Subtract the mean image first."),
    Mistake("std_of_everything", "image_statistics",
            {"(scaled - mean_image).square().mean().sqrt()": "scaled.std()"},
            ("statistics_values",), 0.5,
            "the standard deviation around one common mean. Subtract the mean image, at every pixel its "
            "own mean, and then measure."),
    Mistake("variance_for_std", "image_statistics", {".mean().sqrt()": ".mean()"},
            ("statistics_values",), 0.5, "this is the variance. Take its root."),
    Mistake("own_mean", "prepare", {PREPARED: "((images.float() / 255 - images.float().mean(0) / 255) / std)"},
            ("prepare_values",), 0.2,
            "the images were centred with their own mean. Use the mean image that is given: it comes "
            "from the training images, and a single image would become all zeros."),
    Mistake("prepare_not_scaled", "prepare", {PREPARED: "((images.float() - mean_image) / std)"},
            ("prepare_values",), 0.4,
            "a mean image of 0…1 was subtracted from pixels of 0…255. Divide the images by 255 first."),
    Mistake("channels_last_rows", "prepare", {".flatten(1)": ".permute(0, 2, 3, 1).flatten(1)"},
            ("prepare_values",), 0.5,
            "the rows have red, green and blue of each pixel side by side. The order is all of red, all "
            "of green, all of blue: flatten without permute."),
    Mistake("std_forgotten", "prepare", {PREPARED: "(images.float() / 255 - mean_image)"},
            ("prepare_values",), 0.5, "the images were not divided by the standard deviation."),
    # weights as images
    Mistake("reshaped_to_channels_last", "weight_images",
            {".reshape(-1, 3, 32, 32).permute(0, 2, 3, 1)": ".reshape(-1, 32, 32, 3)"},
            ("weight_image_values",), 0.3,
            "the numbers were reshaped to (H, 32, 32, 3), which mixes pixels and channels. A row is "
            "channel, row, column: reshape to (H, 3, 32, 32), then permute."),
    Mistake("rows_and_columns_swapped", "weight_images", {".permute(0, 2, 3, 1)": ".permute(0, 3, 2, 1)"},
            ("weight_image_values",), 0.5, "rows and columns of the images are swapped."),
    Mistake("one_scale_for_all", "weight_images",
            {"W.min(dim=1, keepdim=True).values": "W.min()", "W.max(dim=1, keepdim=True).values": "W.max()"},
            ("weight_image_values",), 0.4,
            "one scale was used for all units. Scale each image by itself, with the smallest and largest "
            "weight of its own row."),
    Mistake("constant_row_divides_by_zero", "weight_images",
            {"height = torch.where(height == 0, torch.ones_like(height), height)": "pass"},
            ("weight_image_values",), 0.7,
            "a unit whose weights are all equal gives 0 / 0. Its image is all zeros."),
    Mistake("small_number_added", "weight_images",
            {"height = torch.where(height == 0, torch.ones_like(height), height)": "height = height + 1e-8"},
            ("weight_image_values",), 0.7,
            "a small number was added to what is divided by, and beside tiny weights it is not small: "
            "their largest value does not become 1. Look for rows of equal weights, and only for them."),
    # knowing nothing
    Mistake("log_of_missing_class", "know_nothing",
            {"-torch.xlogy(share, share).sum()": "-(share * share.log()).sum()"},
            ("know_nothing_values",), 0.5,
            "a class without samples gives 0 · ln 0 = NaN. It adds nothing: leave it out, or use "
            "torch.xlogy."),
    Mistake("base_2", "know_nothing",
            {"-torch.xlogy(share, share).sum()": "(-torch.xlogy(share, share).sum() / math.log(2))",
             "math.log(num_classes)": "math.log2(num_classes)"},
            ("know_nothing_values",), 0.4, "logarithms of base 2. The loss uses the natural logarithm."),
    Mistake("classes_that_occur", "know_nothing",
            {"math.log(num_classes)": "math.log(int((share > 0).sum()))"},
            ("know_nothing_values",), 0.6,
            "the uniform loss counts only classes that occur. A net has a score for each of num_classes."),
    Mistake("average_class", "know_nothing", {"share.max()": "share.mean()"},
            ("know_nothing_values",), 0.6,
            "the majority accuracy is the share of the most frequent class, not the average share."),
    # overfitting a handful
    Mistake("gradients_pile_up", "overfit", {"        sgd.zero_grad()\n": ""}, ("overfit_values",), 0.3,
            "the gradients of all steps pile up: backward adds to what is there. Clear them in every "
            "step."),
    Mistake("loss_after_the_step", "overfit", {"losses.append(loss.item())":
            "losses.append(cross_entropy(net(X), y).item())"}, ("overfit_values",), 0.5,
            "the losses were measured after each update. Record the loss that the step started from."),
    Mistake("momentum_in_descent", "overfit", {"lr=lr)": "lr=lr, momentum=0.9)"},
            ("overfit_values",), 0.5, "the descent has momentum. Plain gradient descent was asked for."),
    Mistake("adam_for_sgd", "overfit", {"torch.optim.SGD(": "torch.optim.Adam("},
            ("overfit_values",), 0.4, "this is Adam. Plain gradient descent was asked for."),
    Mistake("loss_summed", "overfit", {"cross_entropy(net(X), y)": 'cross_entropy(net(X), y, reduction="sum")'},
            ("overfit_values",), 0.4, "the losses of the samples were added up. Average them."),
    # shuffled labels
    Mistake("labels_drawn_anew", "shuffle_labels", {"torch.randperm(len(y), generator=generator)":
            "torch.randint(len(y), (len(y),), generator=generator)"}, ("shuffle_values",), 0.3,
            "the labels were drawn with replacement, so the counts of the classes change. Put the same "
            "labels into another order."),
    Mistake("generator_ignored", "shuffle_labels", {", generator=generator": ""}, ("shuffle_values",), 0.5,
            "the given generator was not used, so nobody can repeat the experiment."),
    Mistake("shuffled_in_place", "shuffle_labels",
            {"return y[torch.randperm(len(y), generator=generator)]":
             "y[:] = y[torch.randperm(len(y), generator=generator)]\n    return y"}, ("shuffle_values",), 0.0,
            "the labels that were given are shuffled too, and the right ones are lost. Return a new "
            "tensor."),
    # activations
    Mistake("dead_samples", "activation_statistics", {"zero.all(dim=0)": "zero.all(dim=1)"},
            ("activation_values",), 0.5,
            "this counts samples for which no unit is on. A unit is a column: it is dead if it is 0 for "
            "all samples."),
    Mistake("dead_if_ever_zero", "activation_statistics", {"zero.all(dim=0)": "zero.any(dim=0)"},
            ("activation_values",), 0.5,
            "a unit that is 0 for some sample is not dead. It is dead if it is 0 for every sample."),
    Mistake("std_by_one_less", "activation_statistics", {"hidden.std(correction=0)": "hidden.std()"},
            ("activation_values",), 0.7,
            "torch.std divides by one less than the number of entries. Pass correction=0."),
    Mistake("share_that_is_on", "activation_statistics",
            {"zero.double().mean()": "(~zero).double().mean()"}, ("activation_values",), 0.6,
            "this is the share of entries that are on. Asked for is the share that is zero."),
    # the learning rate
    Mistake("linear_rates", "learning_rates",
            {"torch.logspace(math.log10(start), math.log10(stop), steps": "torch.linspace(start, stop, steps"},
            ("learning_rate_values",), 0.2,
            "the rates are evenly spaced themselves. Space their logarithms evenly: each is larger than "
            "the last by the same factor."),
    Mistake("natural_exponents", "learning_rates", {"math.log10(start), math.log10(stop)":
            "math.log(start), math.log(stop)"}, ("learning_rate_values",), 0.5,
            "torch.logspace takes exponents of 10, and got natural logarithms."),
    Mistake("stop_left_out", "learning_rates", {"steps, dtype=torch.float64)":
            "steps + 1, dtype=torch.float64)[:-1]"}, ("learning_rate_values",), 0.5,
            "the last rate is missing: both ends are included."),
    Mistake("nan_is_smallest", "suggest_learning_rate",
            {"losses = torch.where(losses.isfinite(), losses, torch.inf)": "pass"},
            ("suggestion_values",), 0.4,
            "argmin takes NaN, or minus infinity, for the smallest. Replace what is not finite before you look."),
    Mistake("not_a_tenth", "suggest_learning_rate", {".item() / 10": ".item()"}, ("suggestion_values",), 0.5,
            "this is the rate at the bottom of the curve. Return a tenth of it."),
    Mistake("place_among_the_finite", "suggest_learning_rate",
            {"losses = torch.where(losses.isfinite(), losses, torch.inf)": "losses = losses[losses.isfinite()]"},
            ("suggestion_values",), 0.5,
            "the place of the smallest among the finite losses was looked up among all rates. Leave out "
            "the rates of the other losses too, or replace these losses by infinity."),
    Mistake("first_valley", "suggest_learning_rate",
            {"losses = torch.where(losses.isfinite(), losses, torch.inf)":
             "losses = torch.where(losses.isfinite(), losses, torch.inf)\n"
             "    rising = [i for i in range(1, len(losses)) if losses[i] >= losses[i - 1]]\n"
             "    losses = losses[: rising[0]] if rising else losses"},
            ("suggestion_values",), 0.3,
            "the search ends where the loss first rises. Look for the smallest of all losses that are "
            "finite."),
    Mistake("stops_at_nan", "suggest_learning_rate",
            {"losses = torch.where(losses.isfinite(), losses, torch.inf)":
             "losses = torch.where(losses.isfinite().cumprod(0) == 1, losses, torch.inf)"},
            ("suggestion_values",), 0.6,
            "the search ends at the first loss that is not finite. Leave that one out, and look on."),
    Mistake("last_finite_rate", "suggest_learning_rate",
            {"rates[losses.argmin()]": "rates[losses.isfinite().nonzero().max()]"},
            ("suggestion_values",), 0.3,
            "this is a tenth of the largest rate that did not explode. Take the one with the smallest loss."),
    # Swish
    Mistake("beta_gradient_not_summed", "Swish", {BETA_SUM: "grad_beta = grad_output * x * x * slope"},
            ("swish_gradient_beta",), 0.5,
            "the gradient by β has the shape of x. There is one β for all entries, so add them up."),
    Mistake("beta_gradient_averaged", "Swish", {BETA_SUM: BETA_SUM.replace(".sum()", ".mean()")},
            SWISH_BETA, 0.5, "the gradient by β is an average. β collects from every entry: add them up."),
    Mistake("beta_gradient_one_x", "Swish", {BETA_SUM: "grad_beta = (grad_output * x * slope).sum()"},
            SWISH_BETA, 0.5,
            "one factor x is missing in the gradient by β: one x stands in front of σ, and the inner "
            "derivative of βx by β is x too."),
    Mistake("beta_gradient_times_beta", "Swish",
            {BETA_SUM: "grad_beta = (grad_output * beta * x * x * slope).sum()"}, SWISH_BETA, 0.5,
            "the gradient by β has a factor β too many. The inner derivative of βx by β is x."),
    Mistake("upstream_ignored", "Swish", {"grad_x = grad_output * (gate + beta * x * slope)":
            "grad_x = gate + beta * x * slope", BETA_SUM: "grad_beta = (x * x * slope).sum()"},
            (*SWISH_X, "swish_gradient_beta"), 0.4,
            "these are the derivatives of the layer alone. Multiply by the gradient that arrives, "
            "grad_output, entry by entry."),
    Mistake("product_rule_forgotten", "Swish", {"(gate + beta * x * slope)": "gate"}, SWISH_X, 0.4,
            "x stands in front of σ and inside it. Only the first part is differentiated: the product "
            "rule has two terms."),
    Mistake("inner_beta_forgotten", "Swish", {"(gate + beta * x * slope)": "(gate + x * slope)"}, SWISH_X, 0.5,
            "the inner derivative of σ(βx) by x is β. It is missing in the gradient by x."),
    Mistake("slope_without_one_minus", "Swish", {"slope = gate * (1 - gate)": "slope = gate"},
            (*SWISH_X, "swish_gradient_beta"), 0.4, "the derivative of σ is σ (1 − σ)."),
    Mistake("gradients_swapped", "Swish", {"return grad_x, grad_beta": "return grad_beta, grad_x"},
            ("swish_gradient_x", "swish_gradient_beta"), 0.6,
            "the gradients come in the wrong order: first by x, then by β, as the inputs of forward."),
    Mistake("no_gradient_for_beta", "Swish", {"return grad_x, grad_beta": "return grad_x, None"},
            SWISH_BETA, 0.0,
            "backward returns None for β, so β is never learned. Return its gradient."),
    Mistake("beta_left_out", "Swish", {"return x * torch.sigmoid(beta * x)": "return x * torch.sigmoid(x)"},
            ("swish_forward",), 0.4, "β is not in the value: y = x · σ(βx)."),
    Mistake("gate_without_x", "Swish", {"return x * torch.sigmoid(beta * x)": "return torch.sigmoid(beta * x)"},
            ("swish_forward",), 0.4, "this is the gate σ(βx) alone. Multiply it by x."),
    Mistake("naive_sigmoid", "Swish", {"return x * torch.sigmoid(beta * x)":
            "return x * (beta * x).exp() / (1 + (beta * x).exp())"}, ("swish_forward",), 0.7,
            "exp overflows for large βx, and infinity / infinity is NaN. torch.sigmoid is safe."),
    Mistake("naive_slope", "Swish", {"slope = gate * (1 - gate)":
            "slope = (-beta * x).exp() / (1 + (-beta * x).exp()) ** 2"},
            ("swish_gradient_x", "swish_gradient_beta"), 0.7,
            "exp overflows where βx is large and negative, and infinity / infinity is NaN. σ' = σ (1 − σ), "
            "with torch.sigmoid, is safe."),
    # curves
    Mistake("no_look_at_jumps", "diagnose",
            {'return "unstable validation" if sum(jumps) / len(jumps) > 0.035 else "healthy"':
             'return "healthy"'}, ("diagnoses",), 0.5,
            "curves whose validation jumps are called healthy. Measure how much the validation accuracy "
            "moves from one epoch to the next."),
    Mistake("gap_not_seen", "diagnose", {"end(train_acc) - end(val_acc) > 0.11": "False"}, ("diagnoses",), 0.4,
            "overfitting is not found. Compare training and validation accuracy at the end."),
    Mistake("last_entry_only", "diagnose",
            {"end(train_acc) - end(val_acc) > 0.11": 'history["val_loss"][-1] > 1.2 * min(history["val_loss"])'}, ("diagnoses",), 0.5,
            "a jumping curve is called overfitting: there the last entry, or the lowest, says nothing. "
            "Average over the last quarter, and look at the gap in accuracy."),
    Mistake("flat_or_falling", "diagnose", {"if fall_at_last > 0.3 * fall_at_first:": "if False:"},
            ("diagnoses",), 0.4,
            "a learning rate that is too low is called underfitting: ask whether the training loss is "
            "still falling at the end."),
    Mistake("nan_not_seen", "diagnose",
            {"not all(map(math.isfinite, train_loss)) or end(train_loss) > 0.95 * train_loss[0]":
             "end(train_loss) > 0.95 * train_loss[0]"}, ("diagnoses",), 0.5,
            "losses that become NaN are not seen: every comparison with NaN is false. Ask math.isfinite."),
    # the search
    Mistake("chosen_by_training", "find_best_net", {'history["val_acc"][-1]': 'history["train_acc"][-1]'},
            ("search_values",), 0.2,
            "the net was chosen by training accuracy, which rewards learning by heart. Choose by "
            "validation accuracy."),
    Mistake("chosen_by_test", "find_best_net", {'history["val_acc"][-1]':
            'measure(net, data_dict["X_test"], data_dict["y_test"])[1] if "X_test" in data_dict '
            'else history["val_acc"][-1]'}, ("search_values",), 0.0,
            "the net was chosen by test accuracy. The test set can no longer judge what it has chosen."),
    Mistake("best_epoch_instead_of_last", "find_best_net",
            {'history["val_acc"][-1]': 'max(history["val_acc"])'}, ("search_values",), 0.6,
            "the best accuracy of any epoch was taken. The net that is returned is that of the last "
            "epoch, so its accuracy counts."),
    Mistake("chosen_by_loss", "find_best_net",
            {"accuracy > best_accuracy:": 'best_net is None or history["val_loss"][-1] < best_stats["val_loss"][-1]:'},
            ("search_values",), 0.4,
            "the net was chosen by validation loss. Choose by validation accuracy."),
    Mistake("first_net", "find_best_net", {BETTER: "if best_net is None:"}, ("search_values",), 0.2,
            "the first set was kept, whatever came after it. Does a return stand inside of the loop?"),
    Mistake("last_of_equals", "find_best_net", {BETTER: "if accuracy >= best_accuracy:"}, ("search_values",), 0.7,
            "at a tie the later net was kept. Replace the best only by something strictly better."),
    Mistake("last_net", "find_best_net", {"return best_net, best_stats, best_accuracy":
            "return net, history, best_accuracy"}, ("search_values",), 0.3,
            "the last net is returned with the accuracy of the best. Remember net, history and "
            "accuracy together."),
    Mistake("history_of_the_last", "find_best_net", {"return best_net, best_stats, best_accuracy":
            "return best_net, history, best_accuracy"}, ("search_values",), 0.5,
            "the history belongs to the last net, not to the best one."),
    Mistake("worst_net", "find_best_net", {"-1.0": "2.0", BETTER: "if accuracy < best_accuracy:"},
            ("search_values",), 0.2, "the net with the lowest accuracy was kept."),
)  # fmt: skip
