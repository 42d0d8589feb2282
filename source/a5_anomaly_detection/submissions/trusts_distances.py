# %% detect
def detect(images, detector):
    """Euclid's distance from the mean of each place, in the principal directions."""
    features = patch_features(images, "resnet_drawn", (0, 1))
    features = torch.einsum("nchw,ck->nkhw", features, detector["directions"].float())
    return (F.avg_pool2d(features, 2) - detector["mean"].float()).norm(dim=1)


# %% mahalanobis
def mahalanobis(features, mean, factor):
    return (features - mean).norm(dim=1)


# %% [markdown] which_setting
# A classifier, trained on the nine defective parts and nine good ones.
