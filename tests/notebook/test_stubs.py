import torch

from autograder.notebook.stubs import FUNCTIONS, Stub


def test_the_gradient_of_the_quadratic_loss_is_right():
    target = {"W1": torch.randn(3, 2).double()}
    loss_func = Stub("quadratic_loss", target).function()
    W1 = torch.randn(3, 2).double().requires_grad_()
    X, y = torch.zeros(5, 2), torch.zeros(5)
    loss, grads = loss_func({"W1": W1}, X, y, 0.5)
    (expected,) = torch.autograd.grad(loss, W1)
    assert torch.allclose(grads["W1"], expected)


def test_the_quadratic_loss_shows_the_size_of_the_batch():
    loss_func = Stub("quadratic_loss", {"W1": torch.ones(1)}).function()
    assert loss_func({"W1": torch.ones(1)}, torch.zeros(7, 2), torch.zeros(7))[0] == 7


def test_the_gradient_of_the_cubic_is_what_its_docstring_says():
    W = torch.tensor([[1.0, 2.0], [-3.0, 0.5]], requires_grad=True)
    (gradient,) = torch.autograd.grad(Stub("cubic").function()(W), W)
    W = W.detach()
    expected = torch.tensor([[1.0, 2.0], [3.0, 4.0]]) * W**2 + 2 * W.sum() + 2 * W.sum(dim=0)
    assert torch.allclose(gradient, expected)


def test_every_function_has_a_name_a_file_can_hold():
    assert all(name == builder.__name__ for name, builder in FUNCTIONS.items())
