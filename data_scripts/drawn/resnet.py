"""The name that notebooks released with version 0.1 import: kept for one version more."""

from data_scripts.synthetic.resnet import ResNetDrawn

__all__ = ["ResNetDrawn"]
