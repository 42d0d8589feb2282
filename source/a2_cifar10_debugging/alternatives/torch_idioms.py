"""Dense torch: in-place where it is safe, einsum, reductions, a rule by straight lines."""


def image_statistics(images):
    X = images.to(torch.float64).div_(255)
    mean_image = torch.einsum("nchw->chw", X) / len(X)
    std = (X - mean_image).norm() / math.sqrt(X.numel())
    return mean_image.float(), float(std)


def prepare(images, mean_image, std):
    X = images.flatten(start_dim=1).float()
    return X.div_(255).sub_(mean_image.flatten()).div_(std)


def know_nothing(y, num_classes):
    shares = torch.nn.functional.one_hot(y, num_classes).double().mean(dim=0)
    present = shares[shares > 0]
    entropy = torch.distributions.Categorical(probs=present).entropy()
    return torch.tensor(num_classes).double().log(), entropy, shares.amax()


def overfit(net, X, y, lr, steps):
    criterion = torch.nn.CrossEntropyLoss()
    optimiser = torch.optim.SGD(params=list(net.parameters()), lr=lr)
    history = torch.zeros(steps, dtype=torch.float64)
    for step in range(steps):
        optimiser.zero_grad(set_to_none=False)
        loss = criterion(net(X), y)
        history[step] = loss.detach()
        loss.backward()
        optimiser.step()
    return history.tolist()


def activation_statistics(hidden):
    mean = hidden.mean()
    on = (hidden > 0).double()
    return {
        "mean": mean.item(),
        "std": (hidden - mean).pow(2).mean().sqrt().item(),
        "zero": 1 - on.mean().item(),
        "dead": (on.sum(0) == 0).sum().item() / hidden.shape[1],
    }


def suggest_learning_rate(rates, losses):
    finite = torch.isfinite(losses)
    return float(rates[finite][torch.argmin(losses[finite])] / 10)


class Swish(torch.autograd.Function):
    @staticmethod
    @torch.no_grad()
    def forward(ctx, x, beta):
        gate = torch.sigmoid(beta * x)
        ctx.save_for_backward(x, gate)
        ctx.beta = beta.item()
        return x.mul(gate)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad_output):
        x, gate = ctx.saved_tensors
        slope = torch.addcmul(gate, gate, gate, value=-1)
        grad_x = grad_beta = None
        if ctx.needs_input_grad[0]:
            grad_x = torch.addcmul(gate, x, slope, value=ctx.beta).mul_(grad_output)
        if ctx.needs_input_grad[1]:
            grad_beta = torch.dot((grad_output * x).reshape(-1), (x * slope).reshape(-1))
        return grad_x, grad_beta


def diagnose(history):
    import numpy as np

    train_loss, val_loss, train_acc, val_acc = (
        np.array(history[f"{part}_{name}"]) for name in ("loss", "acc") for part in ("train", "val")
    )
    n = len(train_loss)
    tail = slice(n - n // 4, n)
    relative = train_loss / train_loss[0]
    if not np.all(np.isfinite(relative)) or np.median(relative[tail]) > 1.04:
        return curves.WORDS[2]
    if np.ptp(relative) < 0.02:
        return curves.WORDS[6]
    half = val_acc[n // 2 :]
    wobble = half - np.polyval(np.polyfit(np.arange(len(half)), half, 1), np.arange(len(half)))
    if np.median(train_acc[tail]) - val_acc[tail].mean() > 0.11:
        return curves.WORDS[1]
    if wobble.std() > 0.03:
        return curves.WORDS[4]
    late, early = (
        np.polyfit(np.arange(len(some)), some, 1)[0]
        for some in (train_loss[-n // 2 :], train_loss[: n // 2])
    )
    if late < 0.2 * early:
        return curves.WORDS[3]
    return curves.WORDS[5] if train_acc[tail].mean() > 0.55 else curves.WORDS[0]


def find_best_net(data_dict, get_param_set_fn):
    best = None
    for params in get_param_set_fn():
        candidate = train(data_dict, **params)
        if best is None or candidate[1]["val_acc"][-1] > best[1]["val_acc"][-1]:
            best = candidate
    net, stats = best
    return net, stats, stats["val_acc"][-1]
