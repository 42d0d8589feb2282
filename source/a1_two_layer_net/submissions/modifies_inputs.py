# %% nn_forward_backward
def nn_forward_backward(params, X, y=None, reg=0.0):
    scores, hidden = nn_forward_pass(params, X)
    if y is None:
        return scores
    loss = nn_loss(params, scores, y, reg)
    N = X.shape[0]
    dscores = torch.softmax(scores, dim=1)
    dscores[torch.arange(N), y] -= 1
    dscores /= N
    dhidden = dscores @ params["W2"].T
    dhidden[hidden == 0] = 0
    grads = {"b2": dscores.sum(0), "b1": dhidden.sum(0)}
    grads["W1"] = X.T @ dhidden + 2 * reg * params["W1"]
    params["W2"] *= 2 * reg  # "no longer needed"
    grads["W2"] = hidden.T @ dscores + params["W2"]
    return loss, grads
