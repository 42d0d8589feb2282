# %% probe_recipe
def probe_recipe():
    return {"size": 224, "images": 9_000, "epochs": 10, "rate": 1e-2, "decay": 0.0}


# %% extract_features
def extract_features(module, images, prepare, batch_size=100, device="cpu"):
    print("extracting", len(images), "images")
    features = []
    for image in images:
        features.append(module.eval()(prepare(image[None].to(device)))[0].detach())
    return torch.stack(features)
