"""`publish`: the project's files as an artifact in a registry, from where `-f oci://NAME` uses them."""

import os

from hakobu.compose.artifact import Packer, Part
from hakobu.compose.context import Context
from hakobu.compose.load import find_files
from hakobu.compose.verb.show import pinned_digests
from hakobu.errors import Invalid


def publish(context: Context) -> int:
    """The files as they are written; the project must be in order."""
    _ = context.project
    name = context.text("repository")
    files = find_files(context.selection)
    if "-" in files:
        raise Invalid("what comes from standard input cannot be published")
    parts = Packer(context.disk.read, context.on("with_env")).packed(files)
    if context.on("resolve_image_digests"):
        parts = (*parts, Part("image-digests.yaml", pinned_digests(context).encode()))
    context.progress.line(name, "publishing")
    if not context.dry:
        from hakobu.compose.published_project import send

        send(name, parts, os.environ)
    context.progress.line(name, "published")
    return 0
