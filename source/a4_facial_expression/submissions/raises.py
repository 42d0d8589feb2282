# %% ReportCNN
class ReportCNN(nn.Module):
    def __init__(self):
        super().__init__()
        sizes = (1, 64, 128, 256, 512)
        self.blocks = nn.Sequential(*[
            nn.Sequential(nn.Conv2d(a, b, 3), nn.BatchNorm2d(b), nn.RReLU() if a == 1 else nn.ReLU(),
                          nn.MaxPool2d(2), nn.Dropout(0.25))
            for a, b in zip(sizes, sizes[1:])
        ])
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(8192, 7))

    def forward(self, x):
        return self.head(self.blocks(x))
