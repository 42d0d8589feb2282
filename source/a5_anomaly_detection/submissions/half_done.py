# from blank
# %% mask_overlap
def mask_overlap(predicted, truth):
    both = torch.logical_and(predicted, truth).sum()
    either = torch.logical_or(predicted, truth).sum()
    if not either:
        return 1.0, 1.0
    return float(both / either), float(2 * both / (predicted.sum() + truth.sum()))


# %% error_maps
def error_maps(model, x, cell):
    training = model.training
    model.eval()
    with torch.no_grad():
        error = ((x - model(x)) ** 2).mean(1)
    model.train(training)
    N, H, W = error.shape
    return error.view(N, H // cell, cell, W // cell, cell).mean((2, 4))


# %% fit_gaussians
def fit_gaussians(features, epsilon):
    N, C, H, W = features.shape
    x = features.permute(2, 3, 1, 0)  # (H, W, C, N)
    mean = x.mean(dim=3, keepdim=True)
    covariance = (x - mean) @ (x - mean).mT / (N - 1)
    factor = torch.linalg.cholesky(covariance + epsilon * torch.eye(C, dtype=x.dtype))
    return mean[..., 0].permute(2, 0, 1), factor


# %% mahalanobis
def mahalanobis(features, mean, factor):
    difference = (features - mean).permute(2, 3, 1, 0)
    return torch.linalg.solve_triangular(factor, difference, upper=False).norm(dim=2).permute(2, 0, 1)


# %% [markdown] which_setting
# Train on the good parts only: nine defects are not enough for anything else.
