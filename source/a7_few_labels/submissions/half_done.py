# from blank
# %% card_from_disk
def card_from_disk(folder):
    images, heights, widths, covered = {}, [], [], {}
    for path in sorted(folder.glob("t*/*/*.png")):
        name = f"{path.parent.parent.name}/{path.parent.name}"
        images[name] = images.get(name, 0) + 1
        width, height = Image.open(path).size
        widths.append(width)
        heights.append(height)
    for kind in (folder / "ground_truth").iterdir():
        shares = [(np.array(Image.open(path)) > 0).mean() for path in kind.glob("*.png")]
        covered[kind.name] = sum(shares) / len(shares)
    return {"images": images, "heights": (min(heights), max(heights)),
            "widths": (min(widths), max(widths)), "covered": covered}


# %% focal_loss
def focal_loss(logits, y, gamma, weights):
    p = logits.softmax(dim=1)[torch.arange(len(y)), y]
    return (-weights[y] * (1 - p) ** gamma * p.log()).mean()


# %% [markdown] question_differences
# 57 and 59 of 66 are the same: the intervals overlap nearly wholly. 65 % of 16 is not possible.
