"""Named wrong solutions of transfer learning: one change each to the instructor's.

The first mistake that fits is the one a student is told, so the narrower ones come first.
"""

from functools import partial

from autograder.checks import Mistake

IMAGES = ("preprocess_values",)
SEPARABLE = ("separable_output", "separable_gradients")
RESIDUAL = ("residual_output", "residual_gradients")
FREEZE = ("freeze_gradients", "freeze_statistics")


def change(cell: str, name: str, changes: dict, checks: tuple, share: float, hint: str) -> Mistake:
    return Mistake(name, cell, changes, checks, share, hint)


image = partial(change, "preprocess")
residual = partial(change, "ResidualBlock")
features = partial(change, "extract_features")
stopping = partial(change, "EarlyStopping")
plateau = partial(change, "ReduceOnPlateau")
split = partial(change, "split_by_domain")

SCALED = "x = images.float() / 255"
RESIZED = 'x = F.interpolate(x, size=(size, size), mode="bilinear", antialias=True)'
NORMALISED = "return (x - mean) / std"
DEPTHWISE = "nn.Conv2d(c_in, c_in, k, stride, padding, groups=c_in, bias=bias)"
ADDED = "return (residual + self.projection(x)).relu()"
HIDDEN = "hidden = self.bn1(self.conv1(x)).relu()"
COUNT = "count = 9 * c_in * c_out + 9 * c_out * c_out + 2 * 2 * c_out"
BATCHES = "batches = [module(prepare(b.to(device))).cpu() for b in images.split(batch_size)]"
TRAIN = "    module.train = MethodType(lambda self, mode=True: self, module)\n"
GROUPS = '{"params": [p for p in part.parameters() if p.requires_grad], "lr": lr}'
IMPROVED = "if loss < self.best_loss - self.min_delta:"
RATE = 'group["lr"] = max(self.factor * group["lr"], self.min_lr)'
SHUFFLE = "    camera = camera[torch.randperm(len(camera), generator=generator)]\n"
WEIGHTS = "weights = torch.where(present, share / counts.clamp(min=1), 0.0)"
WILSON = "width = z * (rate * (1 - rate) / total + z**2 / (4 * total**2)) ** 0.5"

MISTAKES = (
    # preprocessing
    image("not_scaled", {SCALED: "x = images.float()"}, IMAGES, 0.3,
          "the images are still in 0…255. MEAN and STD are those of images in 0…1: divide by 255."),
    image("not_normalised", {NORMALISED: "return x"}, IMAGES, 0.4,
          "the images are in 0…1 and not normalised. Subtract MEAN and divide by STD, channel by "
          "channel."),
    image("normalised_before_scaling", {SCALED: "x = images.float()", NORMALISED: "return (x - mean) / std / 255"},
          IMAGES, 0.4, "the mean was subtracted from numbers in 0…255. Divide by 255 first."),
    image("std_multiplied", {NORMALISED: "return (x - mean) * std"}, IMAGES, 0.4,
          "the images were multiplied by STD. Divide: the result should have a spread of about 1."),
    image("mean_and_std_swapped", {NORMALISED: "return (x - std) / mean"}, IMAGES, 0.4,
          "MEAN and STD are swapped."),
    image("half_and_half", {NORMALISED: "return (x - 0.5) / 0.5"}, IMAGES, 0.4,
          "the images were brought to -1…1. This backbone wants ImageNet's MEAN and STD."),
    image("nearest_pixel", {RESIZED: "x = F.interpolate(x, size=(size, size))"}, IMAGES, 0.5,
          "the images were resized by repeating pixels (mode=\"nearest\", the default of "
          "F.interpolate). Ask for bilinear, with antialias=True."),
    image("no_antialias", {", antialias=True": ""}, IMAGES, 0.7,
          "images that became smaller were resized without antialiasing. Pass antialias=True."),
    image("resized_before_converting",
          {SCALED: "x = images", NORMALISED: "return (x.float() / 255 - mean) / std"}, IMAGES, 0.6,
          "the images were resized as uint8, which rounds every pixel to a whole number again. "
          "Convert to float32 first."),
    image("corners_aligned", {"antialias=True": "antialias=True, align_corners=True"}, IMAGES, 0.7,
          "the resizing aligns the corners' pixels. Leave align_corners off."),
    # depthwise separable convolution
    change("DepthwiseSeparable", "no_padding", {"padding = k // 2": "padding = 0"}, SEPARABLE, 0.4,
           "the depthwise convolution has no padding: the image shrinks. Use k // 2."),
    change("DepthwiseSeparable", "stride_forgotten", {DEPTHWISE: DEPTHWISE.replace("stride", "1")},
           SEPARABLE, 0.5, "the stride is not used. The depthwise convolution has it."),
    change("DepthwiseSeparable", "relu_between",
           {"self.pointwise(self.depthwise(x))": "self.pointwise(self.depthwise(x).relu())"},
           SEPARABLE, 0.5, "there is a ReLU between the two convolutions. Here there is nothing."),
    change("DepthwiseSeparable", "depthwise_detached",
           {"self.pointwise(self.depthwise(x))": "self.pointwise(self.depthwise(x).detach())"},
           ("separable_gradients",), 0.3,
           "no gradient passes from the pointwise to the depthwise convolution. Something between "
           "them leaves autograd: detach, .data, no_grad or a new tensor."),
    change("separable_parameters", "counted_as_ordinary",
           {"depthwise, pointwise = k * k * c_in, c_in * c_out": "depthwise, pointwise = k * k * c_in * c_out, 0",
            "bias * (c_in + c_out)": "bias * c_out"}, ("separable_counts",), 0.2,
           "this is the number for an ordinary convolution. Count the depthwise one (one filter for "
           "each channel) and the pointwise one, and add."),
    change("separable_parameters", "bias_not_counted", {" + bias * (c_in + c_out)": ""},
           ("separable_counts",), 0.6, "the biases are missing: each of the two convolutions has "
           "one for every channel it puts out."),
    change("separable_parameters", "one_bias_counted", {"bias * (c_in + c_out)": "bias * c_out"},
           ("separable_counts",), 0.6, "the bias of the depthwise convolution is missing."),
    # residual block
    residual("no_skip", {ADDED: "return residual.relu()"}, RESIDUAL, 0.2,
             "the input is not added: the block has no skip connection."),
    residual("relu_before_adding", {ADDED: "return residual.relu() + self.projection(x)"}, RESIDUAL,
             0.5, "the ReLU came before the sum. Add first; the last ReLU is over the sum."),
    residual("no_last_relu", {ADDED: "return residual + self.projection(x)"}, RESIDUAL, 0.5,
             "the sum has no ReLU behind it."),
    residual("no_first_relu", {HIDDEN: "hidden = self.bn1(self.conv1(x))"}, RESIDUAL, 0.5,
             "there is no ReLU between the two convolutions."),
    residual("relu_before_norm", {HIDDEN: "hidden = self.bn1(self.conv1(x).relu())"}, RESIDUAL, 0.5,
             "the first ReLU comes before the batch norm. The order is convolution, norm, ReLU."),
    residual("stride_in_second",
             {"nn.Conv2d(c_in, c_out, 3, stride, padding=1": "nn.Conv2d(c_in, c_out, 3, padding=1",
              "nn.Conv2d(c_out, c_out, 3, padding=1": "nn.Conv2d(c_out, c_out, 3, stride, padding=1"},
             RESIDUAL, 0.6, "the stride is in conv2. It belongs to conv1."),
    residual("projection_not_normalised",
             {ADDED: "skip = self.projection[0](x) if len(self.projection) else x\n        return (residual + skip).relu()"},
             ("residual_output",), 0.6, "the projection was used without its batch norm."),
    residual("skip_detached", {ADDED: "return (residual + self.projection(x).detach()).relu()"},
             ("residual_gradients",), 0.3,
             "no gradient passes through the skip connection: that gradient is what it is for. "
             "Something there leaves autograd: detach, .data or no_grad."),
    residual("residual_detached", {ADDED: "return (residual.data + self.projection(x)).relu()"},
             ("residual_gradients",), 0.3,
             "no gradient passes through the convolutions. Something there leaves autograd: detach, "
             ".data or no_grad."),
    change("residual_parameters", "norms_not_counted",
           {" + 2 * 2 * c_out": "", "c_in * c_out + 2 * c_out\n": "c_in * c_out\n"},
           ("residual_counts",), 0.5, "the batch norms are missing: 2 parameters for each channel."),
    change("residual_parameters", "running_statistics_counted",
           {" + 2 * 2 * c_out": " + 2 * 4 * c_out", "c_in * c_out + 2 * c_out\n": "c_in * c_out + 4 * c_out\n"},
           ("residual_counts",), 0.5, "the running means and variances were counted. They are "
           "statistics: no gradient changes them."),
    change("residual_parameters", "projection_not_counted",
           {"        count += c_in * c_out + 2 * c_out\n": "        pass\n"}, ("residual_counts",), 0.4,
           "the projection is missing where the shapes differ."),
    change("residual_parameters", "projection_for_width_only",
           {"if stride != 1 or c_in != c_out:": "if c_in != c_out:"}, ("residual_counts",), 0.6,
           "with a stride the block needs a projection as well, also if the width stays."),
    # classifier and freezing
    change("make_classifier", "backbone_not_copied", {"deepcopy(backbone.module)": "backbone.module"},
           ("classifier",), 0.5, "training the classifier changes the backbone it was made from. "
           "Put a deepcopy of backbone.module into it."),
    change("make_classifier", "backbone_frozen_already",
           {"Classifier(deepcopy(backbone.module), head)": "Classifier(deepcopy(backbone.module).requires_grad_(False), head)"},
           ("classifier",), 0.5, "the backbone of a new classifier is frozen already. make_classifier "
           "builds; freezing is the next function."),
    change("freeze", "train_moves_statistics", {TRAIN: ""}, ("freeze_statistics",), 0.2,
           "model.train() puts the batch norms back into training mode: the features follow the "
           "batch, and the running statistics move. Evaluation mode has to outlive that call, also in "
           "a deepcopy of the model: a function that remembers the original does nothing for the copy."),
    change("freeze", "gradients_left_on", {"    module.requires_grad_(False)\n": ""},
           ("freeze_gradients",), 0.0,
           "the backbone is still trained: this is the report with 26.3 M trainable parameters. Set "
           "requires_grad to False for every parameter."),
    change("freeze", "evaluation_only", {"    module.requires_grad_(False)\n": "", TRAIN: ""}, FREEZE, 0.0,
           "eval() alone freezes nothing for long: parameters still get gradients, and the next "
           "model.train() undoes it."),
    change("freeze", "norms_left_out",
           {"module.requires_grad_(False)": "[p.requires_grad_(False) for m in module.modules() "
            "if not isinstance(m, nn.BatchNorm2d) for p in m.parameters(recurse=False)]"},
           ("freeze_gradients",), 0.5, "scale and shift of the batch norms are still trained. They "
           "are parameters too."),
    change("freeze", "dropout_left_on",
           {TRAIN: "    for m in module.modules():\n        if isinstance(m, nn.BatchNorm2d):\n            m.train = MethodType(lambda self, mode=True: self, m)\n"},
           ("freeze_statistics",), 0.5, "the batch norms stay put, but model.train() switches the "
           "dropout on again. Everything in the module stays in evaluation mode."),
    change("freeze", "one_level_only",
           {TRAIN: "    for m in module.children():\n        if isinstance(m, nn.BatchNorm2d | nn.Dropout):\n            m.train = MethodType(lambda self, mode=True: self, m)\n"},
           ("freeze_statistics",), 0.3, "only the direct children of the module were looked at. A "
           "batch norm in a block inside still follows the batch."),
    change("freeze", "one_kind_of_dropout",
           {TRAIN: "    for m in module.modules():\n        if isinstance(m, nn.BatchNorm2d | nn.Dropout):\n            m.train = MethodType(lambda self, mode=True: self, m)\n"},
           ("freeze_statistics",), 0.7, "model.train() still switches on some layers, such as "
           "nn.Dropout2d. Everything in the module stays in evaluation mode, of whatever class it is."),
    change("freeze", "class_changed",
           {TRAIN: "    type(module).train = lambda self, mode=True: self\n"}, ("freeze_statistics",), 0.2,
           "the class was changed, and with it every module of that class in the notebook: none can "
           "switch between training and evaluation any more. Give this one object a method."),
    change("freeze", "copy_uses_the_original",
           {TRAIN: "    module.forward = torch.no_grad()(module.forward)\n"}, ("freeze_statistics",), 0.5,
           "a deepcopy of the frozen module computes with the weights of the original. Something in "
           "it remembers that object; types.MethodType and a hook's own argument do not."),
    change("freeze", "nothing_returned", {"    return module": "    return None"}, ("freeze_gradients",), 0.8,
           "freeze does not return the module that it was given."),
    # features
    features("mode_not_restored", {"    module.train(was_training)\n": ""}, ("features_manners",), 0.6,
             "the module stays in evaluation mode afterwards. Put it back into the mode it had."),
    features("always_back_to_training", {"module.train(was_training)": "module.train()"},
             ("features_manners",), 0.6, "the module ends in training mode, whatever it was in "
             "before. Look at module.training first."),
    features("gradients_recorded", {"torch.no_grad()": "torch.enable_grad()"}, ("features_manners",), 0.4,
             "gradients were recorded: that takes the memory of a training step for every batch. "
             "Use torch.no_grad()."),
    features("detached_afterwards",
             {"torch.no_grad()": "torch.enable_grad()", BATCHES: BATCHES.replace(".cpu()", ".detach().cpu()")},
             ("features_manners",), 0.4, "the features were detached, but gradients were recorded "
             "while the module ran. Run it within torch.no_grad()."),
    features("gradients_off_for_good",
             {"with torch.no_grad():": "torch.set_grad_enabled(False)\n    if True:"},
             ("features_manners",), 0.5, "gradients are still switched off after the call: nothing "
             "can be trained any more. `with torch.no_grad():` ends by itself."),
    features("only_the_flag_restored", {"module.train(was_training)": "module.training = was_training"},
             ("features_manners",), 0.7, "only the flag of the module itself was put back; the layers "
             "inside stay in evaluation mode. Call module.train(…)."),
    features("prepared_at_once",
             {BATCHES: "batches = [module(b).cpu() for b in prepare(images.to(device)).split(batch_size)]"},
             ("features_manners",), 0.5, "prepare was given all images at once. Prepared images are "
             "the large ones, so that fills the memory: prepare batch by batch."),
    features("last_batch_dropped",
             {BATCHES: "batches = [module(prepare(images[i : i + batch_size])) for i in range(0, max(len(images) - batch_size + 1, 1), batch_size)]"},
             ("features_values", "features_manners"), 0.3,
             "the last batch is missing where it is smaller than the others."),
    features("all_in_one_batch", {BATCHES: "batches = [module(prepare(images.to(device))).cpu()]"},
             ("features_manners",), 0.3, "all images went through in one batch. At 224 pixels that "
             "fills the memory: use batches of at most batch_size."),
    features("not_prepared", {"module(prepare(b.to(device)))": "module(b.to(device))"},
             ("features_values",), 0.3, "the images were not prepared: call prepare on each batch."),
    features("order_reversed", {"return torch.cat(batches)": "return torch.cat(batches[::-1])"},
             ("features_values",), 0.3, "the batches are in the wrong order: feature i must be that "
             "of image i."),
    # groups, stopping, plateau, checkpoint
    change("parameter_groups", "frozen_in_groups", {" if p.requires_grad": ""}, ("groups",), 0.4,
           "frozen parameters are in the groups. Leave out those that do not require a gradient."),
    change("parameter_groups", "rates_swapped",
           {"(model.backbone, backbone_lr), (model.head, head_lr)": "(model.backbone, head_lr), (model.head, backbone_lr)"},
           ("groups",), 0.3, "the two learning rates are swapped."),
    change("parameter_groups", "one_rate_for_all", {GROUPS: GROUPS.replace('"lr": lr', '"lr": head_lr')},
           ("groups",), 0.2, "the backbone has the head's learning rate."),
    change("parameter_groups", "head_in_both_groups",
           {"((model.backbone, backbone_lr),": "((model, backbone_lr),"}, ("groups",), 0.2,
           "the head's parameters are in both groups. Take those of model.backbone for the first."),
    change("parameter_groups", "head_by_name",
           {GROUPS: '{"params": [p for n, p in model.named_parameters() '
            'if p.requires_grad and ("head" in n) == (lr == head_lr)], "lr": lr}'},
           ("groups",), 0.6, "a layer of the backbone was taken for the head, or the other way round: "
           "it has \"head\" in its name. Take model.backbone.parameters() and model.head.parameters()."),
    stopping("count_not_reset",
             {"waited = self.epoch - self.best_epoch": "self.bad = getattr(self, 'bad', 0) + (self.best_epoch < self.epoch)\n        waited = self.bad"},
             ("stopping",), 0.4, "all epochs without improvement were counted together. They have to "
             "be in a row: an improvement sets the count back to 0."),
    stopping("stops_one_late", {"waited >= self.patience": "waited > self.patience"}, ("stopping",), 0.5,
             "it stops one epoch late. With patience 3, the third epoch in a row without "
             "improvement stops."),
    stopping("tie_is_improvement", {IMPROVED: IMPROVED.replace("<", "<=")}, ("stopping",), 0.5,
             "a loss of exactly best_loss - min_delta counted as an improvement. It has to be "
             "strictly below."),
    stopping("min_delta_ignored", {" - self.min_delta:": ":"}, ("stopping",), 0.4,
             "min_delta is not used: any smaller loss counted as an improvement."),
    stopping("min_delta_added", {"self.best_loss - self.min_delta": "self.best_loss + self.min_delta"},
             ("stopping",), 0.3, "min_delta has the wrong sign: losses above the best one counted as "
             "improvements."),
    stopping("compared_with_the_epoch_before",
             {"            self.best_loss, self.best_epoch = loss, self.epoch\n": "            self.best_epoch = self.epoch\n",
              "        waited = ": "        self.best_loss = loss\n        waited = "},
             ("stopping",), 0.3, "each loss was compared with that of the epoch before. Compare with "
             "the best one, that of the last improvement."),
    stopping("best_loss_drifts",
             {"        waited = ": "        self.best_loss = min(loss, self.best_loss)\n        waited = "},
             ("stopping",), 0.5, "best_loss followed losses that were no improvement, so a slow drift "
             "never adds up to min_delta. Set it only where the epoch counts as an improvement."),
    stopping("nan_is_improvement", {IMPROVED: "if not loss >= self.best_loss - self.min_delta:"},
             ("stopping",), 0.5, "nan counted as an improvement: \"not larger\" is true of nan. Ask "
             "whether the loss is smaller."),
    stopping("epochs_from_zero", {"self.best_loss, self.best_epoch = loss, self.epoch\n": "self.best_loss, self.best_epoch = loss, self.epoch - 1\n",
              "self.epoch - self.best_epoch": "self.epoch - self.best_epoch - 1"},
             ("stopping",), 0.5, "best_epoch is counted from 0. Count from 1."),
    plateau("plateau_count_not_reset", {"self.best_loss, self.waited = loss, 0": "self.best_loss = loss"},
            ("plateau",), 0.4, "all epochs without improvement were counted together. They have to be "
            "in a row: an improvement sets the count back to 0."),
    plateau("plateau_tie_is_improvement", {IMPROVED: IMPROVED.replace("<", "<=")}, ("plateau",), 0.5,
            "a loss of exactly best_loss - min_delta counted as an improvement. It has to be strictly "
            "below."),
    plateau("plateau_min_delta_ignored", {" - self.min_delta:": ":"}, ("plateau",), 0.4,
            "min_delta is not used: any smaller loss counted as an improvement."),
    plateau("plateau_nan_is_improvement", {IMPROVED: "if not loss >= self.best_loss - self.min_delta:"},
            ("plateau",), 0.5, "nan counted as an improvement: \"not larger\" is true of nan. Ask "
            "whether the loss is smaller."),
    plateau("reduces_one_late", {"self.waited == self.patience": "self.waited > self.patience"},
            ("plateau",), 0.5, "the rate falls one epoch late. (torch's own scheduler waits for one "
            "epoch more than its patience says; ours does not.)"),
    plateau("count_goes_on", {"            self.waited = 0\n": "", "self.waited == self.patience": "self.waited >= self.patience"}, ("plateau",), 0.4,
            "after the first reduction the rate falls in every further epoch. Begin to count again "
            "from 0."),
    plateau("reduces_once", {"            self.waited = 0\n": ""}, ("plateau",), 0.4,
            "the rate falls only once on a long plateau. Begin to count again from 0 after it fell."),
    plateau("no_floor", {RATE: 'group["lr"] = self.factor * group["lr"]'}, ("plateau",), 0.6,
            "the rate fell below min_lr."),
    plateau("first_group_only", {"for group in self.optimiser.param_groups:": "for group in self.optimiser.param_groups[:1]:"},
            ("plateau",), 0.4, "only the first group's rate falls. Go through all groups."),
    plateau("factor_subtracted", {"max(self.factor * group": "max((1 - self.factor) * group"},
            ("plateau",), 0.3, "the rate was multiplied by 1 - factor. Multiply by factor."),
    plateau("best_forgotten", {"            self.waited = 0\n": '            self.waited, self.best_loss = 0, float("inf")\n'},
            ("plateau",), 0.5, "after a reduction any loss counted as an improvement. best_loss stays "
            "what it was."),
    change("BestCheckpoint", "live_weights_kept", {"deepcopy(model.state_dict())": "model.state_dict()"},
           ("checkpoint",), 0.2, "restore changes nothing. Either what was kept is not a copy, and went "
           "along when training went on (clone or deepcopy the tensors), or it is not put back."),
    change("BestCheckpoint", "statistics_forgotten",
           {"deepcopy(model.state_dict())": "deepcopy(dict(model.named_parameters()))",
            "model.load_state_dict(self.weights)": "model.load_state_dict(self.weights, strict=False)"},
           ("checkpoint",), 0.5, "the batch-norm statistics were not kept: they are no parameters. "
           "state_dict() has them."),
    change("BestCheckpoint", "last_of_equals", {"if loss < self.loss:": "if loss <= self.loss:"},
           ("checkpoint",), 0.7, "of equal losses the last one was kept. The first one stays."),
    change("BestCheckpoint", "worst_kept", {'float("inf")': '-float("inf")', "if loss < self.loss:": "if loss > self.loss:"},
           ("checkpoint",), 0.2, "the epoch with the largest loss was kept. For a loss, smaller is "
           "better."),
    # two sources
    split("everything_shuffled",
          {"camera = (domains == 1).nonzero().flatten()": "camera = torch.arange(len(domains))",
           "selfies = (domains == 0).nonzero().flatten()": "selfies = camera[:0]"},
          ("split_parts",), 0.0, "dev and test have selfies in them. The network must work on the "
          "camera, so both come from the camera only."),
    split("camera_not_trained_on", {"torch.cat([selfies, rest])": "selfies"},
          ("split_parts",), 0.4, "the rest of the camera's frames is in no part. It belongs to "
          "training."),
    split("dev_twice", {"torch.cat([selfies, rest])": "torch.cat([selfies, rest, dev_part])"},
          ("split_parts",), 0.2, "images of dev are in training as well. No image may be in two parts."),
    split("selfies_dropped", {"torch.cat([selfies, rest])": "rest"}, ("split_parts",), 0.3,
          "the selfies are in no part. They go to training."),
    split("exactly_refused", {"if dev + test > len(camera):": "if dev + test >= len(camera):"},
          ("split_parts",), 0.7, "dev + test may be exactly as many as the camera has."),
    split("dev_and_test_swapped", {"dev_part, test_part, rest = camera.split([dev, test,": "test_part, dev_part, rest = camera.split([test, dev,",
          "return train_part, dev_part, test_part": "return train_part, test_part, dev_part"},
          ("split_parts",), 0.5, "dev and test are swapped. Return (train, dev, test, weights)."),
    split("not_shuffled", {SHUFFLE: ""}, ("split_chance",), 0.2,
          "dev and test are neighbours in the list, and the same ones for every seed. Neighbouring "
          "frames of a camera are nearly the same picture: draw at random."),
    split("seed_ignored", {"torch.Generator().manual_seed(seed)": "torch.Generator().manual_seed(0)"},
          ("split_chance",), 0.4, "every seed gives the same split."),
    split("seed_not_used_at_all", {", generator=generator": ""}, ("split_chance",), 0.4,
          "the same seed gives another split each time. Start a generator with the seed."),
    split("weights_not_normalised", {WEIGHTS: "weights = torch.where(present, 1 / counts.clamp(min=1), 0.0)"},
          ("split_weights",), 0.4, "both sources have the same total weight, but the weights do not "
          "average 1: the loss would be smaller by a large factor, and so would the steps."),
    split("one_source_halved", {"present.sum().clamp(min=1)": "2"}, ("split_weights",), 0.7,
          "with a single source in training its weight is 1."),
    split("weights_by_frequency", {WEIGHTS: "weights = counts / counts.sum().clamp(min=1)"},
          ("split_weights",), 0.2, "the more frequent source has the larger weight. It is the rare "
          "one that would drown."),
    split("weights_of_all_images", {"[len(selfies), len(rest)]": "[len(selfies), len(camera)]"},
          ("split_weights",), 0.5, "the weights were computed from all images. Only those in training "
          "count."),
    # intervals
    change("wilson_interval", "textbook_interval",
           {"middle = rate + z**2 / (2 * total)": "middle = rate",
            WILSON: "width = z * (rate * (1 - rate) / total) ** 0.5", "scale = 1 + z**2 / total": "scale = 1"},
           ("wilson",), 0.4, "this is p ± z·√(p(1-p)/n). It is certain when all answers are right; "
           "use Wilson's formula."),
    change("wilson_interval", "not_rescaled", {"scale = 1 + z**2 / total": "scale = 1"}, ("wilson",), 0.5,
           "the factor 1 / (1 + z²/n) is missing."),
    change("wilson_interval", "middle_not_moved", {"middle = rate + z**2 / (2 * total)": "middle = rate"},
           ("wilson",), 0.5, "the middle of the interval lacks z²/(2n)."),
    change("wilson_interval", "root_without_last_term", {" + z**2 / (4 * total**2)": ""}, ("wilson",), 0.5,
           "the root lacks z²/(4n²)."),
    change("wilson_interval", "z_fixed", {"    rate = correct / total\n": "    rate, z = correct / total, 1.96\n"},
           ("wilson",), 0.6, "z is always 1.96. Use the argument."),
)  # fmt: skip
