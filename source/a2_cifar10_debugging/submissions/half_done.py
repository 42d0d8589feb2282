# from blank
# %% image_statistics
def image_statistics(images):
    images = images.float() / 255
    mean_image = images.mean(0)
    return mean_image, (images - mean_image).std().item()


# %% prepare
def prepare(images, mean_image, std):
    return ((images / 255 - mean_image) / std).reshape(len(images), -1)


# %% [markdown] question_sweeps
# The penalty was too large, not too small: at 1.0 both accuracies are at chance.
