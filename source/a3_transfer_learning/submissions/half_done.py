# from blank
# %% preprocess
def preprocess(images, size):
    x = F.interpolate(images.float() / 255, size=(size, size), mode="bilinear", antialias=True)
    return (x - MEAN[:, None, None]) / STD[:, None, None]


# %% DepthwiseSeparable
class DepthwiseSeparable(nn.Module):
    def __init__(self, c_in, c_out, k=3, stride=1, bias=False):
        super().__init__()
        self.depthwise = nn.Conv2d(c_in, c_in, k, stride, k // 2, groups=c_in, bias=bias)
        self.pointwise = nn.Conv2d(c_in, c_out, 1, bias=bias)

    def forward(self, x):
        return self.pointwise(self.depthwise(x))


# %% wilson_interval
def wilson_interval(correct, total, z=1.96):
    p = correct / total
    root = (p * (1 - p) / total + z**2 / (4 * total**2)) ** 0.5
    low, high = (p + z**2 / (2 * total) + sign * z * root for sign in (-1, 1))
    return low / (1 + z**2 / total), high / (1 + z**2 / total)


# %% [markdown] question_skip_connections
# The gradient of F(x) + x is F'(x) + 1, so it does not vanish in early layers.
