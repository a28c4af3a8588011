"""Readers of strangers' bytes, each as one function: for properties (tests/property) and for coverage-guided runs."""
