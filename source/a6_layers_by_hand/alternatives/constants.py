"""Constants as torch makes them, which is in float32."""


def batchnorm_backward(dout, x, gamma, eps):
    """As in CS231n: each mean sends its gradient back over ones."""
    N, D = x.shape
    mu = x.sum(dim=0) / N
    xmu = x - mu
    var = (xmu**2).sum(dim=0) / N
    sqrtvar = torch.sqrt(var + eps)
    xhat = xmu / sqrtvar
    dgamma, dbeta = (dout * xhat).sum(dim=0), dout.sum(dim=0)
    dxhat = dout * gamma
    divar = (dxhat * xmu).sum(dim=0)
    dvar = 0.5 / sqrtvar * divar * -1 / sqrtvar**2
    dxmu = dxhat / sqrtvar + 2 * xmu * (torch.ones((N, D)) / N * dvar)
    dmu = -dxmu.sum(dim=0)
    dx = dxmu + torch.ones((N, D)) / N * dmu
    dmean = -(dxhat / sqrtvar).sum(dim=0)
    return {"dx_hat": dxhat, "dvar": dvar, "dmean": dmean, "dx": dx, "dgamma": dgamma,
            "dbeta": dbeta}  # fmt: skip
