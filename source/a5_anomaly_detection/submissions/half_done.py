# from blank
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
