"""Those of torch.nn.functional that are fine; accuracies in float32."""


def nn_forward_pass(params, X):
    hidden = torch.nn.functional.relu(X @ params["W1"] + params["b1"])
    return hidden @ params["W2"] + params["b2"], hidden


def nn_loss(params, scores, y, reg=0.0):
    picked = torch.nn.functional.one_hot(y, scores.shape[1]) * torch.nn.functional.log_softmax(
        scores, dim=1
    )
    penalty = params["W1"].norm() ** 2 + params["W2"].norm() ** 2
    return -picked.sum() / len(y) + reg * penalty


def nn_forward_backward(params, X, y=None, reg=0.0):
    scores, hidden = nn_forward_pass(params, X)
    if y is None:
        return scores
    right = torch.nn.functional.one_hot(y, scores.shape[1])
    delta = (torch.nn.functional.softmax(scores, dim=1) - right) / len(y)
    back = delta @ params["W2"].T
    back[hidden == 0] = 0
    return nn_loss(params, scores, y, reg), {
        "W1": X.T @ back + 2 * reg * params["W1"],
        "b1": back.sum(0),
        "W2": hidden.T @ delta + 2 * reg * params["W2"],
        "b2": delta.sum(0),
    }


def relative_error(a, b):
    size = torch.maximum((a.abs() + b.abs()).max(), torch.tensor(1e-10))
    return float((a - b).abs().max() / size)


def numeric_gradient(f, W, h=1e-5):
    gradient, flat = torch.zeros_like(W), W.view(-1)
    for i in range(W.numel()):
        flat[i] += h
        above = f(W)
        flat[i] -= 2 * h
        gradient.view(-1)[i] = (above - f(W)) / (2 * h)
        flat[i] += h
    return gradient


def nn_train(
    params, loss_func, pred_func, X, y, X_val, y_val, learning_rate=1e-3,
    learning_rate_decay=0.95, reg=5e-6, num_iters=100, batch_size=200, verbose=False,
):  # fmt: skip
    stats = {"loss_history": [], "train_acc_history": [], "val_acc_history": []}
    per_epoch = max(len(X) // batch_size, 1)
    for step in range(1, num_iters + 1):
        loss, grads = loss_func(params, *sample_batch(X, y, batch_size), reg)
        stats["loss_history"].append(loss.item())
        for name, gradient in grads.items():
            params[name] -= learning_rate * gradient
        if step % per_epoch == 0:
            for name, inputs, labels in (("train", X, y), ("val", X_val, y_val)):
                right = pred_func(params, loss_func, inputs) == labels
                stats[f"{name}_acc_history"].append(right.float().mean().item())
            learning_rate *= learning_rate_decay
    return stats
