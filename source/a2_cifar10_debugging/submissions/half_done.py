# from blank
# %% image_statistics
def image_statistics(images):
    images = images.float() / 255
    mean_image = images.mean(0)
    return mean_image, (images - mean_image).std().item()


# %% prepare
def prepare(images, mean_image, std):
    return ((images / 255 - mean_image) / std).reshape(len(images), -1)


# %% weight_images
def weight_images(W):
    W = W - W.min(1, keepdim=True).values
    return (W / W.max(1, keepdim=True).values.clamp(min=1e-30)).view(-1, 3, 32, 32).permute(0, 2, 3, 1)


# %% shuffle_labels
def shuffle_labels(y, generator):
    return y[torch.randperm(len(y), generator=generator)]


# %% [markdown] question_regularisation
# Too large, not too small: the weights get smaller in every step. 0.995 to the 500 is 8 %.
