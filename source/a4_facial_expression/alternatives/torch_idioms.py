"""What torch has for it, in as few lines as possible."""


def class_counts(y, num_classes):
    counts = (y[:, None] == torch.arange(num_classes)).sum(dim=0)
    present = counts[counts > 0].float()
    return counts, present.max() / present.min()


def find_duplicates(first, second):
    flat = torch.cat([first.flatten(1), second.flatten(1)])
    _, kind = torch.unique(flat, dim=0, return_inverse=True)
    one, other = kind[: len(first)].tolist(), kind[len(first) :].tolist()
    return [(i, j) for i, a in enumerate(one) for j, b in enumerate(other) if a == b]


class ReportCNN(nn.Module):
    def __init__(self):
        super().__init__()
        layers = [
            nn.Sequential(
                nn.LazyConv2d(width, 3, padding=1),
                nn.LazyBatchNorm2d(),
                nn.RReLU(inplace=True) if width == 64 else nn.ReLU(inplace=True),
                nn.MaxPool2d(kernel_size=2, stride=2),
                nn.Dropout(p=0.25),
            )
            for width in (64, 128, 256, 512)
        ]
        self.blocks = nn.Sequential(*layers)
        sizes = [512 * 4 * 4, 4096, 1024, 256]
        head = [nn.Flatten()]
        for n in range(3):
            if n < 2:
                head.append(nn.Dropout())
            head += [nn.Linear(*sizes[n : n + 2]), nn.RReLU(inplace=True)]
        self.head = nn.Sequential(*head, nn.Linear(256, len(CLASSES)))

    def forward(self, x):
        return self.head(self.blocks(x))


def make_augmentation():
    sometimes = v2.RandomApply([v2.GaussianBlur(3), v2.GaussianNoise(sigma=0.02)], p=0.3)
    return v2.Compose([
        v2.RandomRotation(10, interpolation=v2.InterpolationMode.BILINEAR, fill=0.5),
        v2.RandomPerspective(0.1, p=0.2),
        sometimes,
        v2.RandomHorizontalFlip(),
        v2.RandomErasing(p=0.2, scale=(0.02, 0.06)),
    ])  # fmt: skip


def training_batches(X, y, batch_size, augmentation=None, weights=None, group=10):
    data = torch.utils.data.TensorDataset(X, y)
    sampler = None
    if weights is not None:
        sampler = torch.utils.data.WeightedRandomSampler(weights.tolist(), len(weights))
    loader = torch.utils.data.DataLoader(
        data, batch_size=batch_size, sampler=sampler, shuffle=sampler is None
    )
    for images, labels in loader:
        x = v2.functional.to_dtype(images, torch.float32, scale=True)
        if augmentation is not None:
            x = torch.cat(list(map(augmentation, x.chunk(-(-len(x) // group)))), dim=0)
        yield normalise(x), labels


def grad_cam(model, x, classes):
    training = model.training
    kept = {}

    def keep(module, inputs, output):
        kept["maps"] = output

    handle = model.features.register_forward_hook(keep)
    model.eval()
    logits = model(x)
    handle.remove()
    model.train(training)
    chosen = logits[torch.arange(len(x), device=x.device), classes].sum()
    (gradient,) = torch.autograd.grad(chosen, kept["maps"])
    found = torch.einsum("nkij,nk->nij", kept["maps"], gradient.mean(dim=(-2, -1))).relu()
    found = v2.functional.resize(found.detach(), list(x.shape[-2:]), antialias=False)
    return found / (found.amax(dim=(1, 2), keepdim=True) + 1e-8)


def confusion_matrix(y, predictions, num_classes):
    truth, said = (F.one_hot(labels, num_classes) for labels in (y, predictions))
    return truth.T @ said


def normalise_rows(confusion):
    return F.normalize(confusion.to(torch.float64), p=1, dim=1)


def class_scores(confusion):
    n = confusion.double()
    tp = n.diag()
    precision = (tp / n.sum(0)).nan_to_num(0)
    recall = (tp / n.sum(1)).nan_to_num(0)
    f1 = 2 * precision * recall / (precision + recall)
    f1[torch.isnan(f1)] = 0
    return torch.stack([precision, recall, f1])


def macro_f1(confusion):
    fp = confusion.sum(dim=0) - confusion.diag()
    fn = confusion.sum(dim=1) - confusion.diag()
    return torch.mean(2 * confusion.diag() / (2 * confusion.diag() + fp + fn).clamp(min=1))


def inverse_frequency(counts):
    weights = torch.zeros(len(counts), dtype=torch.float64)
    there = counts > 0
    weights[there] = 1 / counts[there].double()
    return weights / weights[there].mean()


def effective_number(counts, beta):
    there = counts > 0
    n = counts[there].double()
    value = torch.ones_like(n) if beta == 0 else -torch.expm1(n * math.log(beta))
    weights = torch.zeros(len(counts), dtype=torch.float64)
    weights[there] = value.mean() / value
    return weights / weights[there].mean()


def sample_weights(y, num_classes):
    one_hot = F.one_hot(y, num_classes).double()
    weights = one_hot @ (1 / one_hot.sum(dim=0).clamp(min=1))
    return weights / weights.sum()


def adjust_logits(logits, counts, tau):
    log_prior = torch.log(counts / counts.sum())
    log_prior[counts == 0] = 0
    return (logits - tau * log_prior).to(logits.dtype)


def average_probabilities(logits_of_all):
    log_p = torch.stack([F.log_softmax(z, dim=1) for z in logits_of_all])
    return torch.exp(torch.logsumexp(log_p, dim=0) - math.log(len(log_p)))


def flip_probabilities(model, x):
    mode = model.training
    model.train(False)
    with torch.inference_mode():
        both = model(torch.cat([x, torch.flip(x, dims=[3])])).softmax(1)
    model.train() if mode else model.eval()
    first, second = both.chunk(2)
    return (first + second) / 2
