"""Images from a distribution's own signed packages, for machines that reach no registry.

A recipe (TOML) names packages, users, files and the image's configuration; mmdebstrap resolves, verifies and
installs the packages; this layer turns the result into an image and loads it over the engine's HTTP API.
"""
