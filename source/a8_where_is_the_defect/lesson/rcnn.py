"""Faster R-CNN (Ren et al. 2015), torchvision's, fine-tuned on boxes."""

from collections.abc import Sequence

import torch
from torch import nn
from torchvision.models import feature_extraction
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign
from tqdm.auto import tqdm

from data_scripts import pretrained

SIDE = 128  # pixels: images are made as small as this, which costs small boxes their precision
WIDTH = 64  # channels of each level of the pyramid
CERTAIN = 0.5  # the score from which a box counts
BATCH = 6


class Pyramid(nn.Module):
    """The maps of a pretrained backbone, each with what the coarser ones know."""

    out_channels = WIDTH

    def __init__(self) -> None:
        super().__init__()
        network = pretrained.backbone("resnet_drawn")
        levels = {f"layer{level}": str(level) for level in (1, 2, 3)}
        self.body = feature_extraction.create_feature_extractor(network.module, levels)
        self.pyramid = FeaturePyramidNetwork([32, 64, 128], WIDTH)

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return maps with strides 4, 8 and 16."""
        return self.pyramid(self.body(images))


def build() -> FasterRCNN:
    """Build a detector of one class, with a pretrained backbone and all else untrained."""
    levels, size = ["1", "2", "3"], 5
    few = {"rpn_pre_nms_top_n_train": 500, "rpn_post_nms_top_n_train": 200,
           "rpn_pre_nms_top_n_test": 300, "rpn_post_nms_top_n_test": 100,
           "box_batch_size_per_image": 64, "box_detections_per_img": 20}  # fmt: skip
    return FasterRCNN(
        Pyramid(),
        rpn_anchor_generator=AnchorGenerator(((12,), (24,), (48,)), ((0.5, 1.0, 2.0),) * 3),
        box_roi_pool=MultiScaleRoIAlign(levels, size, sampling_ratio=2),
        box_head=TwoMLPHead(WIDTH * size**2, 256), box_predictor=FastRCNNPredictor(256, 2),
        min_size=SIDE, max_size=SIDE, box_score_thresh=0.05, **few,
    )  # fmt: skip


def fine_tuned(
    images: torch.Tensor, boxes: Sequence[torch.Tensor], device: str, epochs: int = 40
) -> FasterRCNN:
    """Train a detector on images (N, 3, S, S), uint8, and the boxes (n, 4) of each, xyxy."""
    torch.manual_seed(0)
    model = build().to(device)
    own = {id(p) for p in model.backbone.body.parameters()}
    groups = [{"params": [p for p in model.parameters() if (id(p) in own) == pretrained_ones]}
              for pretrained_ones in (True, False)]  # fmt: skip
    optimiser = torch.optim.AdamW(groups, weight_decay=1e-2)
    steps = epochs * -(-len(images) // BATCH)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimiser, [5e-4, 2e-3], total_steps=steps)
    for _ in tqdm(range(epochs), "Faster R-CNN, epochs"):
        model.train()
        for layer in model.backbone.modules():  # batches are too small for their own statistics
            if isinstance(layer, nn.BatchNorm2d):
                layer.eval()
        for rows in torch.randperm(len(images)).split(BATCH):
            pairs = [_mirrored(images[i], boxes[i]) for i in rows.tolist()]
            given = [(image / 255).to(device) for image, _ in pairs]
            labels = [torch.ones(len(found), dtype=torch.int64) for _, found in pairs]
            wanted = [
                {"boxes": found.to(device), "labels": label.to(device)}
                for (_, found), label in zip(pairs, labels, strict=True)
            ]
            loss = torch.stack([*model(given, wanted).values()]).sum()
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5)
            optimiser.step()
            rates.step()
    return model.eval()


@torch.no_grad()
def boxes_in(model: FasterRCNN, images: torch.Tensor) -> list[torch.Tensor]:
    """Return the boxes (n, 4) that a detector is certain of, for each image (N, 3, S, S)."""
    device, found = next(model.parameters()).device, []
    for batch in images.split(8):
        for said in model([(image / 255).to(device) for image in batch]):
            found.append(said["boxes"][said["scores"] > CERTAIN].cpu())
    return found


def _mirrored(image: torch.Tensor, boxes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mirror an image and its boxes in each direction, by chance."""
    size, boxes = image.shape[-1], boxes.float()
    for low, dim in ((0, 2), (1, 1)):
        if torch.rand(()) < 0.5:
            image, boxes = image.flip(dim), boxes.clone()
            boxes[:, [low, low + 2]] = size - boxes[:, [low + 2, low]]
    return image, boxes
