import pytest
import torch
import torch.nn.functional as F
from torch.autograd import forward_ad

from autograder.notebook.by_hand import LONG, NotByHand, by_hand

x = torch.tensor([[1.0, -2.0], [3.0, 0.5]])
y = torch.tensor([0, 1])
image = x[None, None]


def step(optimiser):
    w = x.clone()
    w.grad = torch.ones_like(x)
    optimiser([w], lr=0.1).step()


def forward_mode():
    with forward_ad.dual_level():
        forward_ad.make_dual(x, x)


@pytest.mark.parametrize(
    "function, name",
    [
        (lambda: F.cross_entropy(x, y), "cross_entropy"),
        (lambda: F.nll_loss(x, y), "nll_loss"),
        (lambda: F.mse_loss(x, x), "mse_loss"),
        (lambda: F.linear(x, x), "linear"),
        (lambda: torch.nn.ReLU()(x), "torch.nn.ReLU was called"),
        (lambda: torch.nn.Softmax(dim=1)(x), "torch.nn.Softmax was called"),
        (lambda: torch.nn.LogSoftmax(dim=1)(x), "torch.nn.LogSoftmax was called"),
        (lambda: torch.nn.CrossEntropyLoss()(x, y), "cross_entropy"),
        (lambda: x.clone().requires_grad_(), "requires_grad_"),
        (lambda: setattr(x.clone(), "requires_grad", True), "requires_grad"),
        (lambda: torch.autograd.grad(x.sum(), x), "autograd"),
        (lambda: x.sum().backward(), "backward"),
        (lambda: torch.batch_norm(x, None, None, None, None, True, 0.1, 1e-5, False), "whole"),
        (lambda: torch.layer_norm(x.T, (2,)), "whole answer"),
        (lambda: torch.conv1d(x[None], x[None]), "whole answer"),
        (lambda: torch.nn.grad.conv2d_weight(image, image.shape, image[..., :1, :1]), "whole"),
        (
            lambda: torch.ops.aten.convolution_backward.default(
                image[..., :1, :1],
                image,
                image,
                None,
                [1, 1],
                [0, 0],
                [1, 1],
                False,
                [0, 0],
                1,
                (True, True, False),
            ),
            "whole answer",
        ),
        (lambda: torch.conv_transpose2d(image, image), "whole answer"),
        (lambda: step(torch.optim.Adam), "without torch.optim"),
        (lambda: step(torch.optim.SGD), "without torch.optim"),
        *(
            (lambda f=f: f(lambda t: (t**2).sum())(x), "without autograd")
            for f in (torch.func.grad, torch.func.jacfwd, torch.func.jacrev, torch.func.hessian)
        ),
        (lambda: torch.func.vjp(torch.sin, x)[1](x), "without autograd"),
        (lambda: torch.func.jvp(torch.sin, (x,), (x,)), "without autograd"),
        (lambda: torch.autograd.functional.jacobian(torch.sin, x), "without autograd"),
        (forward_mode, "without autograd"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")  # torch.func.jvp, of itself
def test_ready_made_functions_are_refused_by_name(function, name):
    with pytest.raises(NotByHand, match=name), by_hand():
        function()


@pytest.mark.parametrize(
    "function",
    [
        lambda: torch.softmax(x, dim=1), lambda: torch.log_softmax(x, dim=1),
        lambda: x.softmax(dim=1), lambda: torch.logsumexp(x, dim=1), lambda: torch.relu(x),
        lambda: torch.relu_(x.clone()), lambda: x.clamp(min=0),
        lambda: F.one_hot(y), lambda: F.softmax(x, dim=1), lambda: F.log_softmax(x, dim=1),
        lambda: F.relu(x), lambda: F.relu_(x.clone()), lambda: F.sigmoid(x), lambda: F.tanh(x),
        lambda: torch.einsum("ij,ij->i", x, x),
        lambda: x.clone().clamp_(min=0), lambda: torch.tensor(3.0), lambda: x.numpy(),
    ],
)  # fmt: skip
def test_tensor_operations_are_fine(function):
    with by_hand():
        function()


def test_autograd_works_again_afterwards():
    with by_hand():
        pass
    assert torch.equal(torch.nn.ReLU()(x), x.clamp(min=0))
    t = x.clone().requires_grad_()
    (t**2).sum().backward()
    assert torch.equal(t.grad, 2 * x)


def test_a_thousand_known_calls_are_enough_and_the_next_function_is_watched_again():
    def loop(calls):
        for _ in range(calls):
            x.abs()

    with by_hand(), pytest.raises(NotByHand):
        loop(LONG - 1)
        F.gelu(x)
    with by_hand():
        loop(LONG + 1)
        F.gelu(x)  # for which a function has to do much else before, in one call
    with by_hand(), pytest.raises(NotByHand):
        F.gelu(x)


def test_autograd_stays_off_however_long_a_function_runs():
    with by_hand():
        for _ in range(LONG + 1):
            x.abs()
        with pytest.raises(RuntimeError):
            x.sum().backward()
