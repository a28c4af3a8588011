"""Layers: streams of changes that become directories of an overlay, and directories that become streams."""
