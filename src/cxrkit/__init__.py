"""Train, evaluate and question chest X-ray models on MIMIC-CXR."""

from cxrkit.version import __version__

__all__ = ["__version__"]
