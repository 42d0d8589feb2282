# %% conv_forward
def conv_forward(x, weight, bias, padding, stride):
    return F.conv2d(x, weight, bias, padding=padding, stride=stride)


# %% conv_backward
def conv_backward(dout, x, weight, padding, stride):
    x, weight = x.clone().requires_grad_(), weight.clone().requires_grad_()
    F.conv2d(x, weight, padding=padding, stride=stride).backward(dout)
    return {"dx": x.grad, "dweight": weight.grad, "dbias": dout.sum(dim=(0, 2, 3))}


# %% adam
def adam(w, gradients, rates, beta1, beta2, eps):
    w, found = w.clone(), []
    optimiser = torch.optim.Adam([w], betas=(beta1, beta2), eps=eps)
    for w.grad, optimiser.param_groups[0]["lr"] in zip(gradients, rates):
        optimiser.step()
        found.append(w.clone())
    return torch.stack(found)
