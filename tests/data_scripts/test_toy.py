import torch

from data_scripts import toy


def test_shapes_labels_and_range_are_as_documented():
    data = toy.load()
    assert (data.X.shape, data.y.shape) == ((120, 2), (120,))
    assert (data.X_val.shape, data.y_val.shape) == ((60, 2), (60,))
    assert data.X.dtype is torch.float64 and data.X.norm(dim=1).max() < 1.2
    assert set(data.y.tolist()) == {0, 1, 2}


def test_no_line_separates_the_toy_data():
    """A linear classifier, fitted to the end, leaves the loss above the bar of the last check."""
    data = toy.load()
    W = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
    b = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([W, b], max_iter=200)

    def loss():
        optimiser.zero_grad()
        value = torch.nn.functional.cross_entropy(data.X @ W + b, data.y)
        value.backward()
        return value

    optimiser.step(loss)
    scores = (data.X_val @ W + b).detach()
    assert torch.nn.functional.cross_entropy(scores, data.y_val) > 0.7
    assert (scores.argmax(1) == data.y_val).double().mean() < 0.6
