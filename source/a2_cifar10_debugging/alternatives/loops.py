"""Plain Python and NumPy: loops, lists, and rules in another order."""


def image_statistics(images):
    import numpy as np

    array = images.numpy().astype("float64") / 255
    mean = sum(array) / len(array)
    squares = [((image - mean) ** 2).mean() for image in array]
    return torch.from_numpy(mean).float(), float(np.sqrt(np.mean(squares)))


def prepare(images, mean_image, std):
    rows = [((image.to(torch.float32) / 255.0 - mean_image) / std).reshape(-1) for image in images]
    return torch.stack(rows)


def know_nothing(y, num_classes):
    labels = y.tolist()
    shares = [labels.count(k) / len(labels) for k in range(num_classes)]
    loss = -sum(p * math.log(p) for p in shares if p > 0)
    return -math.log(1 / num_classes), loss, max(shares)


def overfit(net, X, y, lr, steps):
    losses = []
    for _ in range(steps):
        for p in net.parameters():
            p.grad = None
        logs = torch.log_softmax(net(X), dim=1)
        loss = -logs[torch.arange(len(y)), y].mean()
        losses.append(float(loss))
        loss.backward()
        with torch.no_grad():
            for p in net.parameters():
                p -= lr * p.grad
    return losses


def activation_statistics(hidden):
    values = hidden.flatten().tolist()
    mean = sum(values) / len(values)
    columns = hidden.T.tolist()
    return {
        "dead": sum(max(column) == 0 for column in columns) / len(columns),
        "zero": values.count(0.0) / len(values),
        "std": math.sqrt(sum((v - mean) ** 2 for v in values) / len(values)),
        "mean": mean,
    }


def suggest_learning_rate(rates, losses):
    pairs = [
        (loss, rate) for rate, loss in zip(rates.tolist(), losses.tolist()) if math.isfinite(loss)
    ]
    return min(pairs)[1] * 0.1


class Swish(torch.autograd.Function):
    @staticmethod
    def forward(x, beta):
        return x / (1 + torch.exp(-beta * x))

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, beta = inputs
        ctx.save_for_backward(x, beta, output)

    @staticmethod
    def backward(ctx, grad_output):
        x, beta, y = ctx.saved_tensors
        gate = 1 / (1 + torch.exp(-beta * x))
        by_x = beta * y + gate * (1 - beta * y)
        by_beta = torch.zeros((), dtype=x.dtype)
        for g, a, value in zip(grad_output.flatten(), x.flatten(), y.flatten()):
            by_beta += g * value * (a - value)
        return grad_output * by_x, by_beta


def diagnose(history):
    import statistics

    loss, acc, gap_at_end = history["train_loss"], history["train_acc"], []
    last = len(loss) * 3 // 4
    for t, v in zip(acc[last:], history["val_acc"][last:]):
        gap_at_end.append(t - v)
    lost = any(math.isnan(x) or math.isinf(x) for x in loss)
    if lost or statistics.mean(loss[last:]) >= 1.1 * loss[0]:
        return "learning rate too high"
    if all(0.99 <= x / loss[0] <= 1.01 for x in loss):
        return "flat from the start"
    val = history["val_acc"][last // 2 :]
    turns = [abs(c - 2 * b + a) for a, b, c in zip(val, val[1:], val[2:])]
    if statistics.mean(gap_at_end) > 0.11:
        return "overfitting"
    if statistics.mean(turns) > 0.05:
        return "unstable validation"
    middle = loss[len(loss) // 2]
    if middle - loss[-1] > 0.15 * (loss[0] - middle):
        return "learning rate too low"
    return "healthy" if statistics.mean(acc[last:]) > 0.54 else "underfitting"


def find_best_net(data_dict, get_param_set_fn):
    results = [train(data_dict, **params) for params in get_param_set_fn()]
    accuracies = [history["val_acc"][-1] for _, history in results]
    best = accuracies.index(max(accuracies))
    return *results[best], accuracies[best]
