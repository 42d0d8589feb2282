# %% conv_backward
def conv_backward(dout, x, weight, padding, stride):
    dweight = torch.einsum("nfhw,nchw->fc", dout, x)
    return {"dx": x, "dweight": dweight, "dbias": dout.sum(dim=(0, 2, 3))}


# %% batchnorm_backward
def batchnorm_backward(dout, x, gamma, eps):
    x_hat = (x - x.mean(0)) / torch.sqrt(x.var(0) + eps)
    return {"dgamma": (dout * x_hat).sum(0), "dbeta": dout.sum(0), "dx_hat": dout @ gamma[:, None]}
