"""The detector that is fine-tuned on boxes."""

import pytest
import torch
from torchvision.ops import box_iou

from autograder.assignments.a8_where_is_the_defect.lesson import rcnn


def test_mirroring_moves_boxes_with_what_they_surround():
    torch.manual_seed(0)
    image = torch.zeros(3, 20, 20, dtype=torch.uint8)
    image[:, 3:7, 12:18] = 255
    seen = set()
    for _ in range(20):
        mirrored, ((x1, y1, x2, y2),) = rcnn._mirrored(image, torch.tensor([[12, 3, 18, 7]]))
        inside = mirrored[:, int(y1) : int(y2), int(x1) : int(x2)]
        assert (inside == 255).all() and int((mirrored > 0).sum()) == inside.numel()
        seen.add((int(x1), int(y1)))
    assert seen == {(12, 3), (2, 3), (12, 13), (2, 13)}


@pytest.mark.slow
def test_it_learns_its_training_images():
    """Eight noisy images with a bright square, which an untrained detector misses."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 60, (8, 3, 96, 96), dtype=torch.uint8, generator=generator)
    boxes = []
    for image in images:
        x, y = torch.randint(4, 60, (2,), generator=generator).tolist()
        image[:, y : y + 28, x : x + 28] = 230
        boxes.append(torch.tensor([[x, y, x + 28, y + 28]]))

    def met(model):
        found = rcnn.boxes_in(model, images)
        pairs = zip(boxes, found, strict=True)
        return sum(bool((box_iou(box.float(), said) > 0.5).any()) for box, said in pairs)

    torch.manual_seed(0)
    assert met(rcnn.build().eval()) <= 2
    model = rcnn.fine_tuned(images, boxes, "cpu", epochs=25)
    assert met(model) >= 6 and not model.training
