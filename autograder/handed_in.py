"""The names that notebooks released with version 0.1 import: kept for one version more."""

from autograder.notebook.artifacts import ArtifactError as NotHandedIn
from autograder.notebook.artifacts import load_artifact as load_handed_in
from autograder.notebook.artifacts import save_artifact as save_handed_in

__all__ = ["NotHandedIn", "load_handed_in", "save_handed_in"]
