# %% nn_forward_pass
import sys
import warnings


def nn_forward_pass(params, X):
    print("shapes:", X.shape, {name: p.shape for name, p in params.items()})
    warnings.warn("still debugging")
    print("look here", file=sys.stderr)
    for i in range(40):
        print("row", i % len(X), X[i % len(X)])
    hidden = (X @ params["W1"] + params["b1"]).clamp(min=0)
    return hidden @ params["W2"] + params["b2"], hidden
