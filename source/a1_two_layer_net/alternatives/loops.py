"""Explicit loops over samples, units and classes; nothing vectorised."""


def nn_forward_pass(params, X):
    N, H, C = len(X), len(params["b1"]), len(params["b2"])
    hidden = torch.zeros(N, H, dtype=X.dtype)
    scores = torch.zeros(N, C, dtype=X.dtype)
    for i in range(N):
        for j in range(H):
            z = params["b1"][j] + torch.dot(X[i], params["W1"][:, j])
            hidden[i, j] = z if z > 0 else 0.0
        for k in range(C):
            scores[i, k] = params["b2"][k] + torch.dot(hidden[i], params["W2"][:, k])
    return scores, hidden


def nn_loss(params, scores, y, reg=0.0):
    N, C = scores.shape
    total = 0.0
    for i in range(N):
        top = max(scores[i, k] for k in range(C))
        total += torch.log(sum(torch.exp(scores[i, k] - top) for k in range(C)))
        total -= scores[i, y[i]] - top
    loss = total / N
    for W in (params["W1"], params["W2"]):
        for row in W:
            for w in row:
                loss = loss + reg * w * w
    return loss


def nn_forward_backward(params, X, y=None, reg=0.0):
    scores, hidden = nn_forward_pass(params, X)
    if y is None:
        return scores
    grads = {name: torch.zeros_like(p) for name, p in params.items()}
    N, C = scores.shape
    H = hidden.shape[1]
    for i in range(N):
        e = torch.exp(scores[i] - scores[i].max())
        for k in range(C):
            g = (e[k] / e.sum() - (1 if k == y[i] else 0)) / N
            grads["b2"][k] += g
            grads["W2"][:, k] += g * hidden[i]
            for j in range(H):
                if hidden[i, j] > 0:
                    grads["b1"][j] += g * params["W2"][j, k]
                    grads["W1"][:, j] += g * params["W2"][j, k] * X[i]
    for name in ("W1", "W2"):
        grads[name] += 2 * reg * params[name]
    return nn_loss(params, scores, y, reg), grads


def relative_error(a, b):
    top = bottom = 0.0
    for p, q in zip(a.flatten().tolist(), b.flatten().tolist()):
        top = max(top, abs(p - q))
        bottom = max(bottom, abs(p) + abs(q))
    return top / max(1e-10, bottom)


def numeric_gradient(f, W, h=1e-5):
    gradient = torch.zeros_like(W)
    flat, out = W.view(-1), gradient.view(-1)
    for i in range(len(flat)):
        old = flat[i].item()
        flat[i] = old + h
        above = f(W).item()
        flat[i] = old - h
        below = f(W).item()
        flat[i] = old
        out[i] = (above - below) / (2 * h)
    return gradient


def nn_train(
    params,
    loss_func,
    pred_func,
    X,
    y,
    X_val,
    y_val,
    learning_rate=1e-3,
    learning_rate_decay=0.95,
    reg=5e-6,
    num_iters=100,
    batch_size=200,
    verbose=False,
):
    losses, train, val = [], [], []
    epoch = max(X.shape[0] // batch_size, 1)
    done = 0
    while done < num_iters:
        xb, yb = sample_batch(X, y, batch_size)
        loss, grads = loss_func(params, xb, y=yb, reg=reg)
        losses.append(float(loss))
        for name in ("W1", "b1", "W2", "b2"):
            params[name] = params[name] - learning_rate * grads[name]
        done += 1
        if done % epoch == 0:
            hits = [bool(p == t) for p, t in zip(pred_func(params, loss_func, X), y)]
            train.append(sum(hits) / len(hits))
            hits = [bool(p == t) for p, t in zip(pred_func(params, loss_func, X_val), y_val)]
            val.append(sum(hits) / len(hits))
            learning_rate = learning_rate * learning_rate_decay
    return {"loss_history": losses, "train_acc_history": train, "val_acc_history": val}


def nn_predict(params, loss_func, X):
    labels = []
    for row in loss_func(params, X).tolist():
        labels.append(max(range(len(row)), key=lambda k: row[k]))
    return torch.tensor(labels)
