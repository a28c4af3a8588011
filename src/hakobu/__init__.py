"""Hakobu (運ぶ, "to carry"): a container engine in Python.

The layers of this package are drawn in ARCHITECTURE.md and held by import-linter.
"""

__version__ = "0.1.0"
