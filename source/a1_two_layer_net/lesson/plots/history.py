"""How training went."""

from collections.abc import Mapping, Sequence

from autograder.notebook.plots import figure, for_people


@for_people
def curves(stats: Mapping[str, Sequence[float]]) -> None:
    """Draw the loss of each step, and the accuracies after each epoch."""
    with figure(10, 3.4, columns=2) as (left, right):
        left.plot(stats["loss_history"], lw=1)
        left.set(xlabel="step", ylabel="loss of the mini-batch", title="loss")
        for name, label in (("train_acc_history", "training"), ("val_acc_history", "validation")):
            values = stats[name]
            right.plot(range(1, len(values) + 1), values, label=label)
        right.set(xlabel="epoch", ylabel="accuracy", ylim=(0, 1.02), title="accuracy")
        right.xaxis.get_major_locator().set_params(integer=True)
        right.legend()
