"""Kubernetes files: read to a project, written from one, and played on the engine."""
