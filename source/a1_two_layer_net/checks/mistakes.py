"""Named wrong solutions of the two-layer net: one change each to the instructor's.

The first mistake that fits is the one a student is told, so the narrower ones come first.
"""

from autograder.checks import Mistake

FORWARD = ("forward_scores",)
LOSS = ("loss_data", "loss_regularised")
PENALTY = ("loss_regularised",)
GRADIENTS = ("gradient_W2", "gradient_b2", "gradient_W1", "gradient_b1")


def forward(name: str, change: dict, checks: tuple, share: float, hint: str) -> Mistake:
    return Mistake(name, "nn_forward_pass", change, checks, share, hint)


def loss(name: str, change: dict, checks: tuple, share: float, hint: str) -> Mistake:
    return Mistake(name, "nn_loss", change, checks, share, hint)


def backward(name: str, change: dict, checks: tuple, share: float, hint: str) -> Mistake:
    return Mistake(name, "nn_forward_backward", change, checks, share, hint)


def train(name: str, change: dict, checks: tuple, share: float, hint: str) -> Mistake:
    return Mistake(name, "nn_train", change, checks, share, hint)


RELU = "hidden = pre_activation.clamp(min=0)"
SCORES = 'scores = hidden @ params["W2"] + params["b2"]'
SHIFT = "shifted = scores - scores.max(dim=1, keepdim=True).values"
LOG_PROBABILITY = "log_probability = shifted - shifted.exp().sum(dim=1, keepdim=True).log()"
DATA_LOSS = "data_loss = -log_probability[torch.arange(len(y)), y].mean()"
PENALTY_SUM = 'penalty = (params["W1"] ** 2).sum() + (params["W2"] ** 2).sum()'
SOFTMAX = "dscores = torch.softmax(scores, dim=1)"
MEAN = "dscores = dscores / N"
MASK = "dpre_activation = dhidden * (hidden > 0)"
EPOCH = "if (step + 1) % steps_per_epoch == 0:"
UPDATE = "params[name] -= learning_rate * grads[name]"
DECAY = "            learning_rate *= learning_rate_decay"

MISTAKES = (
    # gradients
    backward("scores_as_tuple", {"        return scores\n": "        return scores, hidden\n"},
             ("scores_without_labels",), 0.5,
             "without labels the function returned a tuple. Return the scores alone."),
    backward("probabilities_without_labels",
             {"        return scores\n": "        return torch.softmax(scores, dim=1)\n"},
             ("scores_without_labels",), 0.5,
             "without labels the function returned probabilities. Return the plain scores."),
    backward("gradient_not_averaged", {MEAN: "dscores = dscores"}, GRADIENTS, 0.5,
             "a gradient that was not divided by N. The loss is an average over N samples, and so "
             "is its gradient."),
    backward("one_hot_forgotten", {"dscores[torch.arange(N), y] -= 1": "pass"}, GRADIENTS, 0.3,
             "the gradient of the scores is the probabilities only. Subtract 1 at the right class "
             "of each sample."),
    backward("gradient_sign", {MEAN: "dscores = -dscores / N"}, GRADIENTS, 0.5,
             "the gradient of the scores has the wrong sign: it is probabilities minus one-hot "
             "labels."),
    backward("naive_softmax", {SOFTMAX: "dscores = scores.exp() / scores.exp().sum(1, keepdim=True)"},
             GRADIENTS, 0.8,
             "exp overflows in your probabilities for large scores. Subtract the largest score of "
             "each row first, or use torch.softmax."),
    backward("penalty_gradient_halved",
             {" + 2 * reg * W2": " + reg * W2", " + 2 * reg * W1": " + reg * W1"},
             ("gradient_W2", "gradient_W1"), 0.6,
             "the gradient of the regularisation lacks its factor 2: the derivative of λW² is 2λW."),
    backward("penalty_gradient_missing", {" + 2 * reg * W2": "", " + 2 * reg * W1": ""},
             ("gradient_W2", "gradient_W1"), 0.5,
             "the gradient of the regularisation is missing. The loss has a penalty, so its "
             "gradient has one too."),
    backward("penalty_gradient_on_biases",
             {"dscores.sum(dim=0)": 'dscores.sum(dim=0) + 2 * reg * params["b2"]',
              "dpre_activation.sum(dim=0)": 'dpre_activation.sum(dim=0) + 2 * reg * params["b1"]'},
             ("gradient_b2", "gradient_b1"), 0.6,
             "the gradients of the biases contain a regularisation. Biases are not penalised."),
    backward("relu_mask_missing", {MASK: "dpre_activation = dhidden"}, ("gradient_W1", "gradient_b1"),
             0.4, "the ReLU was passed as if it were not there. Where the hidden unit is 0, no "
             "gradient goes through."),
    backward("relu_mask_of_gradient", {MASK: "dpre_activation = dhidden * (dhidden > 0)"},
             ("gradient_W1", "gradient_b1"), 0.4,
             "the ReLU's mask was taken from the gradient. It comes from the forward pass: where "
             "the hidden unit is positive."),
    backward("relu_mask_inverted", {MASK: "dpre_activation = dhidden * (hidden <= 0)"},
             ("gradient_W1", "gradient_b1"), 0.4,
             "the ReLU's mask is the wrong way round: gradients pass where the hidden unit is "
             "positive."),
    backward("hidden_for_mask", {MASK: "dpre_activation = dhidden * hidden"},
             ("gradient_W1", "gradient_b1"), 0.4,
             "the gradient was multiplied by the hidden units. The derivative of the ReLU is 1 or "
             "0, not the unit itself."),
    backward("W2_not_transposed",
             {"dscores @ W2.T": "dscores @ (W2 if W2.shape[0] == W2.shape[1] else W2.T)"},
             ("gradient_W1", "gradient_b1"), 0.7,
             "W2 was used without its transpose where H = C makes it fit. The gradient of the "
             "hidden layer is dscores · W2ᵀ."),
    backward("bias_gradient_averaged",
             {"dscores.sum(dim=0)": "dscores.mean(dim=0)",
              "dpre_activation.sum(dim=0)": "dpre_activation.mean(dim=0)"},
             ("gradient_b2", "gradient_b1"), 0.5,
             "the gradients of the biases were divided by N a second time. Add up over the samples: "
             "the average is already in dscores."),
    backward("bias_gradient_not_summed",
             {"dscores.sum(dim=0)": "dscores", "dpre_activation.sum(dim=0)": "dpre_activation"},
             ("gradient_b2", "gradient_b1"), 0.4,
             "the gradient of a bias has one row for each sample. Add up over the samples, to the "
             "shape of the bias."),
    backward("bias_gradient_keeps_dimension",
             {"dscores.sum(dim=0)": "dscores.sum(dim=0, keepdim=True)",
              "dpre_activation.sum(dim=0)": "dpre_activation.sum(dim=0, keepdim=True)"},
             ("gradient_b2", "gradient_b1"), 0.8,
             "the gradient of a bias has one dimension too many. Leave keepdim out."),
    backward("grads_before_loss", {"return loss, grads": "return grads, loss"},
             ("forward_backward_loss", *GRADIENTS), 0.5,
             "you returned (grads, loss). The order is (loss, grads)."),
    backward("input_for_hidden",
             {"hidden.T @ dscores": '(X @ W1 + params["b1"]).T @ dscores'}, ("gradient_W2",), 0.5,
             "the gradient of W2 uses the hidden layer as it was before the ReLU."),
    # forward pass
    forward("hidden_before_relu", {"return scores, hidden": "return scores, pre_activation"},
            ("forward_hidden",), 0.4,
            "you returned the hidden layer as it was before the ReLU."),
    forward("no_relu", {RELU: "hidden = pre_activation"}, ("forward_scores", "forward_hidden"), 0.4,
            "the hidden layer has no ReLU, so the two layers are one linear layer. Set its "
            "negative entries to 0."),
    forward("sigmoid_for_relu", {RELU: "hidden = torch.sigmoid(pre_activation)"},
            ("forward_scores", "forward_hidden"), 0.4,
            "the hidden layer goes through a sigmoid. The task asks for a ReLU."),
    forward("absolute_for_relu", {RELU: "hidden = pre_activation.abs()"},
            ("forward_scores", "forward_hidden"), 0.4,
            "negative entries of the hidden layer change their sign. A ReLU sets them to 0."),
    forward("relu_on_scores", {SCORES: SCORES.replace(SCORES[9:], f"({SCORES[9:]}).clamp(min=0)")},
            FORWARD, 0.5,
            "the scores went through a ReLU as well. Scores may be negative: the ReLU belongs to "
            "the hidden layer only."),
    forward("softmax_on_scores",
            {SCORES: SCORES.replace(SCORES[9:], f"torch.softmax({SCORES[9:]}, dim=1)")}, FORWARD, 0.5,
            "these are probabilities. The forward pass returns the plain scores; the softmax is "
            "part of the loss."),
    forward("first_bias_forgotten", {' + params["b1"]': ""}, ("forward_scores", "forward_hidden"), 0.5,
            "the hidden layer was computed without b1."),
    forward("second_bias_forgotten", {' + params["b2"]': ""}, FORWARD, 0.5,
            "the scores were computed without b2."),
    forward("results_swapped", {"return scores, hidden": "return hidden, scores"},
            ("forward_scores", "forward_hidden"), 0.6,
            "you returned (hidden, scores). The order is (scores, hidden)."),
    # loss
    loss("loss_summed", {"y].mean()": "y].sum()"}, LOSS, 0.5,
         "the losses of the samples were added up. Average them: divide by N."),
    loss("loss_over_all_entries", {DATA_LOSS: DATA_LOSS.replace(".mean()", ".sum() / scores.numel()")},
         LOSS, 0.5, "the loss was divided by N · C. Average over the N samples only."),
    loss("mean_before_log",
         {DATA_LOSS: "data_loss = -log_probability[torch.arange(len(y)), y].exp().mean().log()"},
         LOSS, 0.4,
         "the probabilities were averaged and then the logarithm was taken. Take the logarithm for "
         "each sample, then average."),
    loss("loss_sign", {"data_loss = -log": "data_loss = log"}, LOSS, 0.5,
         "the sign of the loss is wrong: it is minus the logarithm of a probability, so it is never "
         "negative."),
    loss("softmax_over_samples",
         {"scores.max(dim=1, ": "scores.max(dim=0, ", "sum(dim=1, ": "sum(dim=0, "}, LOSS, 0.3,
         "the softmax was taken down the columns, over the samples. It runs along each row, over "
         "the classes."),
    loss("log_base_2", {"keepdim=True).log()": "keepdim=True).log2()"}, LOSS, 0.5,
         "the logarithm has base 2. The loss uses the natural logarithm."),
    loss("no_max_subtraction", {SHIFT: "shifted = scores"}, ("loss_extreme",), 0.2,
         "exp overflows, because the largest score of each sample was not subtracted first."),
    loss("log_of_softmax", {LOG_PROBABILITY: "log_probability = torch.softmax(scores, dim=1).log()"},
         ("loss_extreme",), 0.2,
         "the logarithm of a probability that was stored as 0. Simplify log p on paper: the logarithm "
         "of a fraction is a difference."),
    loss("one_max_for_all", {SHIFT: "shifted = scores - scores.max()"}, ("loss_extreme",), 0.3,
         "one maximum was subtracted from all samples, so that the others underflow to probability "
         "0. Each row has a maximum of its own (dim=1)."),
    loss("penalty_on_W2_only", {PENALTY_SUM: 'penalty = (params["W2"] ** 2).sum()'}, PENALTY, 0.5,
         "only W2 is in the regularisation. W1 belongs there too."),
    loss("penalty_on_W1_only", {PENALTY_SUM: 'penalty = (params["W1"] ** 2).sum()'}, PENALTY, 0.5,
         "only W1 is in the regularisation. W2 belongs there too."),
    loss("penalty_on_biases", {PENALTY_SUM: "penalty = sum((p**2).sum() for p in params.values())"},
         PENALTY, 0.6, "the biases are in the regularisation. Only W1 and W2 belong there."),
    loss("penalty_missing", {"return data_loss + reg * penalty": "return data_loss"}, PENALTY, 0.3,
         "the regularisation is missing from the loss."),
    loss("penalty_halved", {"reg * penalty": "0.5 * reg * penalty"}, PENALTY, 0.7,
         "the regularisation has a factor ½. This course leaves it out."),
    loss("penalty_averaged", {"reg * penalty": "reg * penalty / len(y)"}, PENALTY, 0.6,
         "the regularisation was divided by N. Only the loss of the samples is averaged."),
    loss("penalty_not_squared", {PENALTY_SUM: PENALTY_SUM.replace(" ** 2).sum()", ").norm()")},
         PENALTY, 0.5,
         "the regularisation uses the norms themselves. It uses their squares: the sum of the "
         "squared entries."),
    loss("penalty_squares_in_place", {'(params["W1"] ** 2)': '(params["W1"].pow_(2))'},
         ("inputs_untouched",), 0.0,
         "params was changed in place: an operation whose name ends in _ (pow_, clamp_, …), or "
         "-= and *= on a tensor that you were given. Use the ones that return a new tensor."),
    # numeric gradient check
    Mistake("absolute_error", "relative_error",
            {"return (difference / size).item()": "return difference.item()"},
            ("relative_error_values",), 0.3,
            "this is the absolute error. Divide by the size of the two tensors."),
    Mistake("signed_error", "relative_error", {"(a - b).abs().max()": "(a - b).max()"},
            ("relative_error_values",), 0.5,
            "a difference below zero counts as no error. Take absolute values."),
    Mistake("mean_error", "relative_error", {"(a - b).abs().max()": "(a - b).abs().mean()"},
            ("relative_error_values",), 0.5,
            "the mean of the differences. One wrong entry among thousands would not show: take the "
            "largest."),
    Mistake("no_epsilon", "relative_error", {".max().clamp(min=1e-10)": ".max()"},
            ("relative_error_values",), 0.7,
            "two tensors of zeros give 0 / 0. That is what ε is for."),
    Mistake("error_entry_by_entry", "relative_error",
            {"(difference / size)": "((a - b).abs() / (a.abs() + b.abs()).clamp(min=1e-10)).max()"},
            ("relative_error_values",), 0.6,
            "each entry was divided by its own size. Here one size serves all: the largest |a| + |b|."),
    Mistake("size_of_two_entries", "relative_error",
            {"(a.abs() + b.abs()).max()": "(a.abs().max() + b.abs().max())"},
            ("relative_error_values",), 0.6,
            "the two largest entries were added. Add |a| + |b| entry by entry, then take the largest."),
    Mistake("forward_difference", "numeric_gradient",
            {"f(below.reshape(W.shape))": "f(W)", "/ (2 * h)": "/ h"},
            ("numeric_gradient_values",), 0.5,
            "a one-sided difference, (f(W + h) − f(W)) / h. The central one is far more exact."),
    Mistake("divided_by_h", "numeric_gradient", {"/ (2 * h)": "/ h"},
            ("numeric_gradient_values",), 0.6,
            "the difference was divided by h. From W − h to W + h it is 2h."),
    Mistake("difference_sign", "numeric_gradient",
            {"change = f(above.reshape(W.shape)) - f(below.reshape(W.shape))":
             "change = f(below.reshape(W.shape)) - f(above.reshape(W.shape))"},
            ("numeric_gradient_values",), 0.6,
            "the difference is the wrong way round: f(W + h) − f(W − h)."),
    Mistake("step_ignored", "numeric_gradient", {"gradient = torch": "h = 1e-5\n    gradient = torch"},
            ("numeric_gradient_values",), 0.6,
            "the step is always 1e-5. Use the argument h."),
    Mistake("perturbation_kept", "numeric_gradient",
            {"above, below = W.clone().flatten(), W.clone().flatten()":
             "above, below = W.view(-1), W.clone().flatten()"},
            ("numeric_gradient_values",), 0.4,
            "an entry that was moved was not moved back, so the next ones are measured at another "
            "place."),
    # training
    train("uphill", {UPDATE: UPDATE.replace("-=", "+=")}, ("train_update",), 0.4,
          "the parameters move along the gradient, uphill. Subtract it."),
    train("only_weights", {"for name in params:": 'for name in ("W1", "W2"):'}, ("train_update",), 0.5,
          "the biases were never updated."),
    train("decay_every_step",
          {DECAY: "            pass", UPDATE: f"{UPDATE}\n        learning_rate *= learning_rate_decay"},
          ("train_update",), 0.6,
          "the learning rate decays after every step. It decays once an epoch."),
    train("decay_never", {DECAY: "            pass"}, ("train_update",), 0.6,
          "the learning rate never decays."),
    train("decay_after_first_step", {EPOCH: "if step % steps_per_epoch == 0:"}, ("train_update",), 0.7,
          "the epoch ends too early: accuracy and decay come after the first step of each epoch. "
          "They come after the last."),
    train("epoch_rounded_up", {"max(len(X) // batch_size, 1)": "-(-len(X) // batch_size)"},
          ("train_update",), 0.7,
          "an epoch has one step too many: N / batch_size is rounded down, and at least 1."),
    train("params_copied", {UPDATE: UPDATE.replace("-= l", "= params[name] - l"),
                            "steps_per_epoch = max": "params = dict(params)\n    steps_per_epoch = max"},
          ("train_update",), 0.0,
          "params is as it was before the training. If the steps went into a new dict, change the "
          "one you were given."),
    train("accuracy_at_the_start",
          {"    for step in tqdm": "    start = accuracy(X, y), accuracy(X_val, y_val)\n    for step in tqdm",
           "append(accuracy(X, y))": "append(start[0])",
           "append(accuracy(X_val, y_val))": "append(start[1])"},
          ("train_histories",), 0.5,
          "the accuracies are those from before the training. Measure them after each epoch."),
    train("learning_rate_ignored", {UPDATE: "params[name] -= grads[name]"}, ("train_update",), 0.4,
          "the step is the whole gradient. Multiply it by the learning rate."),
    train("reg_not_passed", {"y_batch, reg)": "y_batch)"}, ("train_update",), 0.6,
          "reg was not passed on to loss_func, so the training is not regularised."),
    train("whole_data_each_step", {"X_batch, y_batch = sample_batch(X, y, batch_size)":
                                   "X_batch, y_batch = X, y"}, ("train_histories",), 0.4,
          "each step uses all the data. Draw a mini-batch with sample_batch."),
    train("accuracy_every_step", {f"        {EPOCH}\n": "        if True:\n",
                                  DECAY: f"            {EPOCH}\n    {DECAY}"},
          ("train_histories",), 0.6,
          "accuracies were recorded after every step. Record them once an epoch."),
    # predicting
    Mistake("argmin", "nn_predict", {"argmax": "argmin"}, ("predictions",), 0.3,
            "the class with the smallest score was chosen."),
    Mistake("argmax_over_samples", "nn_predict", {"argmax(dim=1)": "argmax(dim=0)"},
            ("predictions",), 0.3,
            "the maximum was taken down the columns. There is one prediction for each row."),
    Mistake("largest_score", "nn_predict", {"argmax(dim=1)": "amax(dim=1)"}, ("predictions",), 0.4,
            "these are the largest scores. The class is the place where the largest score stands."),
    Mistake("prediction_from_hidden", "nn_predict",
            {"scores = loss_func(params, X)": "scores = nn_forward_pass(params, X)[1]"},
            ("predictions",), 0.3,
            "the prediction comes from the hidden layer. It comes from the scores."),
    Mistake("own_forward_pass", "nn_predict",
            {"scores = loss_func(params, X)": "scores = nn_forward_pass(params, X)[0]"},
            ("predictions",), 0.6,
            "the prediction uses nn_forward_pass and not the loss_func it was given."),
)  # fmt: skip
