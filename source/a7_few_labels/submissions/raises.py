# %% ResidualBlock
class ResidualBlock(nn.Module):
    def __init__(self, c_in, c_out, stride=1):
        super().__init__()
        self.residual = nn.Sequential(
            nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU(),
            nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False), nn.BatchNorm2d(c_out),
        )
        self.shortcut = nn.Identity()

    def forward(self, x):
        return (self.residual(x) + self.shortcut(x)).relu()


# %% paired_difference
def paired_difference(right_a, right_b):
    b, c = (right_a - right_b > 0).sum(), (right_b - right_a > 0).sum()
    return b, c, stats.binomtest(b, b + c).pvalue
