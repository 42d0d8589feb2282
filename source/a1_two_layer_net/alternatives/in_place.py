"""Operations in place, on tensors of the function's own."""


def nn_forward_pass(params, X):
    hidden = X @ params["W1"]
    hidden += params["b1"]
    hidden.clamp_(min=0)
    scores = hidden.mm(params["W2"])
    scores.add_(params["b2"])
    return scores, hidden


def nn_loss(params, scores, y, reg=0.0):
    t = scores.clone()
    t.sub_(t.amax(1, keepdim=True))
    picked = t[range(len(y)), y]
    t.exp_()
    loss = (t.sum(1).log_() - picked).sum()
    loss /= len(y)
    loss += reg * params["W1"].pow(2).sum()
    loss += reg * params["W2"].pow(2).sum()
    return loss


def nn_forward_backward(params, X, y=None, reg=0.0):
    scores, hidden = nn_forward_pass(params, X)
    if y is None:
        return scores
    loss = nn_loss(params, scores, y, reg)
    scores -= scores.max(1, keepdim=True)[0]
    scores.exp_()
    scores /= scores.sum(1, keepdim=True)
    scores[torch.arange(X.size(0)), y] -= 1.0
    scores /= X.size(0)
    grads = dict(W2=hidden.T @ scores, b2=scores.sum(0))
    grads["W2"].add_(params["W2"], alpha=2 * reg)
    back = scores @ params["W2"].T
    back.mul_((hidden > 0).to(back.dtype))
    grads["W1"] = X.T @ back
    grads["W1"].add_(params["W1"], alpha=2 * reg)
    grads["b1"] = back.sum(0)
    return loss, grads


def numeric_gradient(f, W, h=1e-5):
    moved, gradient = W.clone(), torch.empty_like(W)
    for place in torch.cartesian_prod(*[torch.arange(n) for n in W.shape]).reshape(-1, W.dim()):
        place = tuple(place)
        moved[place] += h
        gradient[place] = f(moved)
        moved[place] -= 2 * h
        gradient[place] -= f(moved)
        moved[place] = W[place]
    return gradient.div_(2 * h)


def nn_predict(params, loss_func, X):
    return loss_func(params, X).max(dim=1)[1]
