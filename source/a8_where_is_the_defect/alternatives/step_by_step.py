"""Step by step: loops, counters, and NumPy where it is plainest."""

import math

import torch
from torch import nn


class UNet(nn.Module):
    def __init__(self, channels):
        super().__init__()
        c = channels
        self.a1, self.a2 = self.layer(3, c), self.layer(c, c)
        self.b1, self.b2 = self.layer(c, 2 * c), self.layer(2 * c, 2 * c)
        self.c1, self.c2 = self.layer(2 * c, 4 * c), self.layer(4 * c, 4 * c)
        self.d1, self.d2 = self.layer(4 * c, 8 * c), self.layer(8 * c, 8 * c)
        self.up_c = nn.ConvTranspose2d(8 * c, 4 * c, kernel_size=2, stride=2)
        self.c3, self.c4 = self.layer(8 * c, 4 * c), self.layer(4 * c, 4 * c)
        self.up_b = nn.ConvTranspose2d(4 * c, 2 * c, kernel_size=2, stride=2)
        self.b3, self.b4 = self.layer(4 * c, 2 * c), self.layer(2 * c, 2 * c)
        self.up_a = nn.ConvTranspose2d(2 * c, c, kernel_size=2, stride=2)
        self.a3, self.a4 = self.layer(2 * c, c), self.layer(c, c)
        self.out = nn.Conv2d(c, 1, kernel_size=1)
        self.pool = nn.AvgPool2d(2)

    @staticmethod
    def layer(c_in, c_out):
        convolution = nn.Conv2d(c_in, c_out, 3, padding="same", bias=False)
        return nn.Sequential(convolution, nn.BatchNorm2d(c_out), nn.LeakyReLU(0.1, inplace=True))

    def forward(self, x):
        a = self.a2(self.a1(x))
        b = self.b2(self.b1(self.pool(a)))
        c = self.c2(self.c1(self.pool(b)))
        d = self.d2(self.d1(self.pool(c)))
        c = self.c4(self.c3(torch.cat((self.up_c(d), c), 1)))
        b = self.b4(self.b3(torch.cat((self.up_b(c), b), 1)))
        a = self.a4(self.a3(torch.cat((self.up_a(b), a), 1)))
        return self.out(a)


def segmentation_loss(logits, masks, weight):
    t = masks.to(logits)
    entropies = torch.clamp(logits, min=0) - logits * t + torch.log1p(torch.exp(-logits.abs()))
    dice = []
    for z, mask in zip(logits, t):
        p = torch.sigmoid(z)
        dice.append((2 * torch.sum(p * mask) + 1) / (torch.sum(p) + torch.sum(mask) + 1))
    return torch.mean(entropies) + weight * (1 - sum(dice) / len(dice))


def cut_paste(images, generator):
    """Draw areas, ratios and places with the methods of a tensor."""
    N, C, H, W = images.shape
    new, masks = [], []
    for k in range(N):
        share = torch.empty(()).uniform_(0.02, 0.15, generator=generator).item()
        logarithm = torch.empty(()).uniform_(math.log(0.3), math.log(3.3), generator=generator)
        height = math.sqrt(share * H * W * math.exp(logarithm.item()))
        width = share * H * W / height
        height, width = max(1, min(H, round(height))), max(1, min(W, round(width)))
        cut_y = torch.randint(0, H - height + 1, (1,), generator=generator).item()
        cut_x = torch.randint(0, W - width + 1, (1,), generator=generator).item()
        to_y = torch.randint(0, H - height + 1, (1,), generator=generator).item()
        to_x = torch.randint(0, W - width + 1, (1,), generator=generator).item()
        piece = images[k, :, cut_y : cut_y + height, cut_x : cut_x + width].clone()
        image = images[k].clone()
        image[:, to_y : to_y + height, to_x : to_x + width] = piece
        mask = torch.zeros(1, H, W)
        mask[0, to_y : to_y + height, to_x : to_x + width] = 1
        new.append(image)
        masks.append(mask > 0)
    return torch.stack(new), torch.stack(masks)


def boxes_of(mask, least=1):
    H, W = mask.shape
    number = torch.arange(1, H * W + 1).reshape(H, W) * mask
    while True:  # the largest number of a piece spreads over it
        padded = F.pad(number, (1, 1, 1, 1))
        around = [padded[i : i + H, j : j + W] for i in range(3) for j in range(3)]
        spread = torch.stack(around).amax(dim=0) * mask
        if spread.equal(number):
            break
        number = spread
    rows = []
    for k in number[mask].unique():
        ys, xs = (number == k).nonzero(as_tuple=True)
        if len(ys) < least:
            continue
        y1, x1, y2, x2 = ys.min(), xs.min(), ys.max() + 1, xs.max() + 1
        rows.append([int(v) for v in (y1, x1, y2, x2)])
    found = torch.zeros(len(rows), 4, dtype=torch.int64)
    for n, (y1, x1, y2, x2) in enumerate(sorted(rows)):
        found[n] = torch.tensor([x1, y1, x2, y2])
    return found


def to_coco(boxes):
    coco = boxes.clone()
    for box in coco:
        box[2] -= box[0]
        box[3] -= box[1]
    return coco


def to_yolo(boxes, height, width):
    rows = torch.zeros(len(boxes), 4, dtype=torch.float64)
    for row, (x1, y1, x2, y2) in zip(rows, boxes.tolist()):
        row[:] = torch.tensor(
            [0.5 * (x1 + x2) / width, 0.5 * (y1 + y2) / height,
             (x2 - x1) / width, (y2 - y1) / height], dtype=torch.float64,
        )  # fmt: skip
    return rows


def from_yolo(rows, height, width):
    boxes = torch.zeros(len(rows), 4, dtype=torch.int64)
    for n, (x, y, w, h) in enumerate(rows.tolist()):
        x1, y1 = round(x * width - w * width / 2), round(y * height - h * height / 2)
        boxes[n] = torch.tensor([x1, y1, x1 + round(w * width), y1 + round(h * height)])
    return boxes


def run_lengths(mask):
    lengths, current, n = [], False, 0
    for column in range(mask.shape[1]):
        for row in range(mask.shape[0]):
            if bool(mask[row, column]) != current:
                lengths.append(n)
                current, n = not current, 0
            n += 1
    lengths.append(n)
    return lengths
