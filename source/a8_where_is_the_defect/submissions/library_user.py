# %% to_coco
def to_coco(boxes):
    from torchvision.ops import box_convert

    return box_convert(boxes, "xyxy", "xywh")


# %% from_yolo
def from_yolo(rows, height, width):
    from torchvision.ops import box_convert

    size = torch.tensor([width, height, width, height])
    return (box_convert(rows, "cxcywh", "xyxy") * size).int()


# %% run_lengths
def run_lengths(mask):
    from itertools import groupby

    return [len(list(run)) for _, run in groupby(mask.flatten().tolist())]


# %% [markdown] foundation_models
# Always fine-tune, they have seen everything already.
