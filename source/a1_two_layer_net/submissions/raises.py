# %% nn_forward_backward
def nn_forward_backward(params, X, y=None, reg=0.0):
    scores, hidden = nn_forward_pass(params, X)
    if y is None:
        return scores
    loss = nn_loss(params, scores, y, reg)
    grads = {}
    grads["W2"] = hidden @ (scores - y)
    return loss, grads
