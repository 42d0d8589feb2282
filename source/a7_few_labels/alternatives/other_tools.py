"""With other tools: scikit-learn, SciPy, NumPy and the libraries' own functions."""


def card_from_disk(folder):
    from collections import Counter, defaultdict

    def read(path):
        with Image.open(path) as image:
            return torch.from_numpy(np.array(image))

    paths = [*folder.rglob("train/*/*.png"), *folder.rglob("test/*/*.png")]
    sizes = torch.tensor([read(path).shape[:2] for path in paths])
    shares = defaultdict(list)
    for path in folder.rglob("*_mask.png"):
        shares[path.parent.name].append((read(path) != 0).float().mean())
    heights, widths = sizes.T
    return {
        "images": Counter(f"{path.parent.parent.name}/{path.parent.name}" for path in paths),
        "heights": torch.aminmax(heights),
        "widths": (widths.min(), widths.max()),
        "covered": {kind: torch.stack(found).mean() for kind, found in shares.items()},
    }


def stratified_split(y, groups, share, seed):
    rng = np.random.default_rng(seed)
    kinds, names = y.numpy(), groups.numpy()
    side = np.zeros(len(kinds), dtype=bool)
    for kind in np.unique(kinds):
        members, sizes = np.unique(names[kinds == kind], return_counts=True)
        order = rng.permutation(len(members))
        before = np.cumsum(sizes[order]) - sizes[order]
        taken = before + sizes[order] / 2 <= share * sizes.sum()  # the middle of a group decides
        if len(members) > 1:
            taken[0], taken[-1] = True, False
        side |= np.isin(names, members[order][taken])
    return torch.from_numpy(np.flatnonzero(side)), torch.from_numpy(np.flatnonzero(~side))


class ResidualBlock(nn.Module):
    class Projection(nn.Module):
        def __init__(self, c_in, c_out, stride):
            super().__init__()
            self.norm = nn.BatchNorm2d(c_out)
            self.conv = nn.Conv2d(c_in, c_out, (1, 1), (stride, stride), bias=False)

        def forward(self, x):
            return self.norm(self.conv(x))

    def __init__(self, c_in, c_out, stride=1):
        super().__init__()
        fits = c_in == c_out and stride == 1
        self.shortcut = nn.Identity() if fits else self.Projection(c_in, c_out, stride)
        layers = [nn.BatchNorm2d(c_out), nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False)]
        layers.insert(0, nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False))
        layers.insert(2, nn.Threshold(0, 0))
        self.residual = nn.Sequential(*layers, nn.BatchNorm2d(c_out))
        nn.init.constant_(self.residual[4].weight, 0.0)

    def forward(self, x):
        return torch.clamp(self.shortcut(x) + self.residual(x), min=0)


class SmallResNet(nn.Module):
    class Head(nn.Module):
        def __init__(self, num_classes):
            super().__init__()
            self.linear = nn.LazyLinear(num_classes)

        def forward(self, maps):
            return self.linear(maps.mean(dim=(-2, -1)))

    def __init__(self, num_classes):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 24, 7, 4, 3), nn.GroupNorm(4, 24), nn.GELU(),
            nn.Sequential(ResidualBlock(24, 24), ResidualBlock(24, 48, 2)), nn.Dropout2d(0.2),
            ResidualBlock(48, 64, 1),
        )  # fmt: skip
        self.head = self.Head(num_classes)

    def forward(self, x):
        return self.head(self.features(x))


def paired_difference(right_a, right_b):
    difference = right_a.int() - right_b.int()
    b, c = (difference == 1).sum().item(), (difference == -1).sum().item()
    p = np.minimum(2 * stats.binom.cdf(min(b, c), b + c, 0.5), 1)
    return b, c, p


def focal_loss(logits, y, gamma, weights):
    plain = F.cross_entropy(logits, y, reduction="none")
    miss = -torch.expm1(-plain)
    return torch.dot(weights.take(y), miss.pow(gamma) * plain) / y.numel()


def focal_gradient(logits, y, gamma, weights):
    probabilities = torch.softmax(logits, dim=-1)
    rows = torch.arange(len(y))
    p = probabilities[rows, y]
    miss = (1 - p).clamp(min=1e-30)
    log_p = logits[rows, y] - torch.logsumexp(logits, dim=1)
    scale = weights[y] * miss**gamma * (gamma * p * log_p / miss - 1) / len(logits)
    gradient = -scale[:, None] * probabilities
    gradient[rows, y] += scale
    return gradient


def class_balanced_weights(counts, beta):
    n = counts.numpy().astype(np.float64)
    there = n > 0
    worth = -np.expm1(n * np.log(beta)) if beta > 0 else there.astype(float)
    weights = np.divide(1, worth, out=np.zeros_like(n), where=there)
    return torch.from_numpy(weights / np.average(weights, weights=n))
