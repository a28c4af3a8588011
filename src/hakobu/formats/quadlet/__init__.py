"""Quadlets: `.container`, `.network`, `.volume`, `.pod` and `.kube` units, read, written, made into services."""
