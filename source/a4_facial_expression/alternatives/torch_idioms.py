"""What torch has for it, in as few lines as possible."""


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


def class_scores(confusion):
    n = confusion.double()
    tp = n.diag()
    precision = (tp / n.sum(0)).nan_to_num(0)
    recall = (tp / n.sum(1)).nan_to_num(0)
    f1 = 2 * precision * recall / (precision + recall)
    f1[torch.isnan(f1)] = 0
    fp, fn = n.sum(dim=0) - tp, n.sum(dim=1) - tp
    return precision, recall, f1, torch.mean(2 * tp / (2 * tp + fp + fn).clamp(min=1))


def balanced_weights(y, num_classes):
    one_hot = F.one_hot(y, num_classes).double()
    counts = one_hot.sum(dim=0)
    weights = torch.zeros_like(counts)
    weights[counts > 0] = 1 / counts[counts > 0]
    drawn = one_hot @ weights
    return weights / weights[counts > 0].mean(), drawn / drawn.sum()


def adjust_logits(logits, counts, tau):
    log_prior = torch.log(counts / counts.sum())
    log_prior[counts == 0] = 0
    return (logits - tau * log_prior).to(logits.dtype)


def average_probabilities(models, x):
    import math

    both, log_p = torch.cat([x, torch.flip(x, dims=[3])]), []
    for model in models:
        mode = model.training
        model.train(False)
        with torch.inference_mode():
            log_p += F.log_softmax(model(both), dim=1).chunk(2)
        model.train() if mode else model.eval()
    return torch.exp(torch.logsumexp(torch.stack(log_p), dim=0) - math.log(len(log_p)))
