"""Without loops, in the idioms of PyTorch."""

import math

import torch
import torch.nn.functional as F
from torch import nn


class UNet(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.layers = nn.ModuleDict()
        widths = {1: channels, 2: 2 * channels, 4: 4 * channels, 8: 8 * channels}
        before = 3
        for factor, c in widths.items():
            self.layers[f"down{factor}"] = self.block(before, c)
            before = c
        for factor in (4, 2, 1):
            c = widths[factor]
            self.layers[f"enlarge{factor}"] = nn.ConvTranspose2d(2 * c, c, (2, 2), (2, 2))
            self.layers[f"up{factor}"] = self.block(2 * c, c)
        self.layers["last"] = nn.Conv2d(channels, 1, 1)
        nn.init.zeros_(self.layers["last"].weight)  # a half is as good a start as any

    def block(self, c_in, c_out):
        first = nn.Conv2d(c_in, c_out, 3, 1, 1, bias=False)
        second = nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False)
        return nn.ModuleList([first, nn.BatchNorm2d(c_out), second, nn.BatchNorm2d(c_out)])

    def run(self, name, x):
        first, norm, second, other = self.layers[name]
        return F.gelu(other(second(F.gelu(norm(first(x))))))

    def forward(self, x):
        maps = {1: self.run("down1", x)}
        for factor in (2, 4, 8):
            halved = F.interpolate(maps[factor // 2], scale_factor=0.5, mode="area")
            maps[factor] = self.run(f"down{factor}", halved)
        x = maps[8]
        for factor in (4, 2, 1):
            x = torch.hstack([self.layers[f"enlarge{factor}"](x), maps[factor]])
            x = self.run(f"up{factor}", x)
        return self.layers["last"](x)


def segmentation_loss(logits, masks, weight):
    signed = torch.where(masks, logits, -logits)
    cross_entropy = -F.logsigmoid(signed).mean()
    p = (1 + torch.tanh(logits / 2)) / 2
    both = (p * masks).mean(dim=(1, 2, 3))
    total = (p + masks.float()).mean(dim=(1, 2, 3))
    smooth = 1 / logits[0].numel()
    return cross_entropy + weight * (1 - (2 * both + smooth) / (total + smooth)).mean()


def cut_paste(images, generator):
    """Draw for all images at once, and gather every pixel from where it comes from."""
    N, _, H, W = images.shape

    def uniform(low, high):
        return low + (high - low) * torch.rand(N, generator=generator, dtype=torch.float64)

    area, ratio = uniform(0.02, 0.15) * H * W, uniform(math.log(0.3), math.log(3.3)).exp()
    h = (area * ratio).sqrt().round().clamp(1, H)
    w = (area / ratio).sqrt().round().clamp(1, W)
    y, Y, x, X = ((uniform(0, 1) * (room + 1)).floor() for room in (H - h, H - h, W - w, W - w))
    rows, columns = torch.arange(H)[None, :, None], torch.arange(W)[None, None, :]
    y, Y, x, X, h, w = (v.long()[:, None, None] for v in (y, Y, x, X, h, w))
    mask = (rows >= Y) & (rows < Y + h) & (columns >= X) & (columns < X + w)
    row = torch.where(mask, rows + y - Y, rows)
    column = torch.where(mask, columns + x - X, columns)
    pasted = images[torch.arange(N)[:, None, None], :, row, column]  # (N, H, W, 3)
    return pasted.permute(0, 3, 1, 2).contiguous(), mask[:, None]


def boxes_of(mask, least=1):
    """Flood from one pixel by growing a mask until it no longer grows."""
    left, boxes = mask.clone(), []
    while left.any():
        piece = torch.zeros_like(mask)
        piece[tuple(left.nonzero()[0])] = True
        while True:
            grown = F.max_pool2d(piece[None, None].float(), 3, 1, 1)[0, 0].bool() & mask
            if torch.equal(grown, piece):
                break
            piece = grown
        left &= ~piece
        rows, columns = piece.any(dim=1).nonzero(), piece.any(dim=0).nonzero()
        if int(piece.sum()) >= least:
            ends = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
            boxes.append([end.item() for end in ends])
    boxes.sort(key=lambda b: (b[1], b[0], b[3], b[2]))
    return torch.tensor(boxes, dtype=torch.int32).view(len(boxes), 4)


def to_coco(boxes):
    return torch.cat([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], dim=-1)


def to_yolo(boxes, height, width):
    corners = boxes.reshape(-1, 2, 2) / torch.tensor([width, height], dtype=torch.float64)
    return torch.cat([corners.mean(dim=1), corners[:, 1] - corners[:, 0]], dim=1)


def from_yolo(rows, height, width):
    size = torch.tensor([width, height])
    centre, half = rows[:, :2] * size, rows[:, 2:] * size / 2
    return torch.cat([(centre - half), (centre + half)], dim=1).add(0.5).floor().to(torch.int64)


def run_lengths(mask):
    from itertools import groupby

    pixels = mask.t().reshape(-1).tolist()
    lengths = [sum(1 for _ in run) for _, run in groupby(pixels)]
    return [0, *lengths] if pixels[0] else lengths
