"""Former names and the less known methods of torch, and other ways to keep the best."""


def image_statistics(images):
    X = images.float().flatten(1) / 255
    mean = X.mean(0)
    return mean.view(images.shape[1:]), (X - mean).std(unbiased=False)


class Swish(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        ctx.set_materialize_grads(False)
        gate = torch.sigmoid(x * beta)
        y = x * gate
        ctx.save_for_backward(x, beta, gate, y)
        ctx.mark_dirty(y)
        ctx.mark_non_differentiable()
        ctx.shape = x.shape
        return y

    @staticmethod
    def backward(ctx, *grad_outputs):
        (grad_output,) = grad_outputs
        x, beta, gate, y = ctx.saved_variables
        assert ctx.shape == grad_output.shape and len(ctx.needs_input_grad) == 2
        rest = y * (1 - gate)
        return grad_output * (gate + beta * rest), torch.sum(grad_output * x * rest)


def diagnose(history):
    loss = torch.tensor(history["train_loss"], dtype=torch.float64)
    train, val = torch.tensor(history["train_acc"]), torch.tensor(history["val_acc"])
    first, *_, third, last = loss.chunk(4)
    if not loss.isfinite().all() or last.median() > loss[0] * 1.03:
        return "Learning rate too high"
    if (loss / loss[0] - 1).abs().max().le(0.012):
        return "flat from the start"
    size = len(loss) // 4
    if train[-size:].mean() - val[-size:].mean() > 0.11:
        return "overfitting"
    if val[len(val) // 3 :].diff().abs().mean() > 0.035:
        return "unstable validation"
    if third.mean() - last.mean() > 0.1 * (loss[0] - third.mean()):
        return "learning rate too low"
    return "healthy" if train[-size:].median() > 0.55 else "underfitting"


def find_best_net(data_dict, get_param_set_fn):
    best_accuracy = float("-inf")
    for params in get_param_set_fn():
        net, stats = train(data_dict, **params)
        _, accuracy = measure(net, data_dict["X_val"], data_dict["y_val"])
        if accuracy > best_accuracy:
            best_params, best_accuracy = params, accuracy
    return *train(data_dict, **best_params), best_accuracy
