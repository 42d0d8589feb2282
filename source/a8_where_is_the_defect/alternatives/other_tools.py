"""With other tools: scikit-learn, SciPy, NumPy and the libraries' own functions."""


class UNet(nn.Module):
    class Block(nn.Sequential):
        def __init__(self, c):
            layers = []
            for _ in range(2):
                convolution = nn.LazyConv2d(c, kernel_size=3, padding=1, bias=False)
                layers += [convolution, nn.LazyBatchNorm2d(), nn.SiLU()]
            super().__init__(*layers)

    class Level(nn.Module):
        def __init__(self, c, inner):
            super().__init__()
            self.before, self.after = UNet.Block(c), UNet.Block(c)
            self.inner = nn.Sequential(
                nn.MaxPool2d(2), inner, nn.LazyConvTranspose2d(c, 2, stride=2)
            )

        def forward(self, x):
            x = self.before(x)
            return self.after(torch.cat([x, self.inner(x)], dim=1))

    def __init__(self, channels):
        super().__init__()
        net = UNet.Block(8 * channels)
        for factor in (4, 2, 1):
            net = UNet.Level(factor * channels, net)
        self.net = nn.Sequential(net, nn.LazyConv2d(1, 1))

    def forward(self, x):
        return self.net(x)


def segmentation_loss(logits, masks, weight):
    t = masks.type_as(logits)
    cross_entropy = nn.BCEWithLogitsLoss()(logits, t)
    p, t = F.sigmoid(logits).flatten(1), t.flatten(1)
    dice = (2 * torch.einsum("ni,ni->n", p, t) + 1) / ((p + t).sum(dim=1) + 1)
    return torch.add(cross_entropy, torch.mean(1 - dice), alpha=weight)


def boxes_of(mask, least=1):
    from torchvision.ops import masks_to_boxes

    labels, count = ndimage.label(mask.numpy(), ndimage.generate_binary_structure(2, 2))
    pieces = torch.from_numpy(labels) == torch.arange(1, count + 1)[:, None, None]
    pieces = pieces[pieces.sum(dim=(1, 2)) >= least]
    if not len(pieces):
        return torch.empty((0, 4), dtype=torch.int64)
    boxes = masks_to_boxes(pieces).long()
    boxes[:, 2:] += 1
    order = np.lexsort(boxes[:, [2, 3, 0, 1]].T.numpy())
    return boxes[torch.from_numpy(order)]


def to_coco(boxes):
    from torchvision.ops import box_convert

    return box_convert(boxes, "xyxy", "xywh")


def to_yolo(boxes, height, width):
    from torchvision.ops import box_convert

    size = torch.tensor([width, height, width, height], dtype=torch.float64)
    return box_convert(boxes / size, "xyxy", "cxcywh")


def from_yolo(rows, height, width):
    from torchvision.ops import box_convert

    corners = box_convert(rows, "cxcywh", "xyxy").numpy()
    return torch.from_numpy(np.rint(corners * [width, height, width, height]).astype(np.int64))


def run_lengths(mask):
    pixels = mask.numpy().ravel(order="F").astype(np.int8)
    changes = np.flatnonzero(np.diff(pixels, prepend=0)).tolist()
    return torch.tensor(np.diff([0, *changes, pixels.size]))
