"""All figures, in the order of the assignments."""

from bench.figures import cifar10, faces, few_labels, screws

ALL = *cifar10.FIGURES, *faces.FIGURES, *screws.FIGURES, *few_labels.FIGURES
FIGURES = {figure.name: figure for figure in ALL}
