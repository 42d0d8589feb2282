"""How several training runs went, side by side."""

from collections.abc import Mapping, Sequence

from autograder.notebook.plots import COLOURS, figure, for_people


@for_people
def training_runs(histories: Mapping[str, Sequence[Mapping[str, float]]]) -> None:
    """Draw the losses of each training run, and the scores of all; a dot marks the epoch kept.

    A history has a dict for each epoch, with train_loss, loss (in validation) and score.
    """
    top = 1.05 * max(max(h[0]["train_loss"], h[0]["loss"]) for h in histories.values())
    width = 3.6 * (len(histories) + 1)
    with figure(width, 3.4, columns=len(histories) + 1) as (*left, right):
        for axes, colour, (name, history) in zip(left, COLOURS, histories.items(), strict=False):
            epochs = range(1, len(history) + 1)
            best = max(epochs, key=lambda epoch: history[epoch - 1]["score"])
            axes.plot(epochs, [h["train_loss"] for h in history], label="training")
            axes.plot(epochs, [h["loss"] for h in history], label="validation")
            axes.set(xlabel="epoch", ylabel="cross-entropy", title=name, ylim=(0, top))
            axes.legend()
            scores = [h["score"] for h in history]
            right.plot(epochs, scores, color=colour, label=name)
            right.plot(best, scores[best - 1], "o", color=colour)
        right.set(xlabel="epoch", ylabel="macro-F1", title="validation", ylim=(0, 1))
        right.legend()
        for axes in (*left, right):
            axes.xaxis.get_major_locator().set_params(integer=True)
