"""`compose up`: what watches files is loaded only for --watch."""

from hakobu.compose.context import Context
from hakobu.compose.failure import ActionFailed
from hakobu.compose.verb import lifecycle


def up(context: Context) -> int:
    """`up`, and with --watch the same as `watch` beside it, until its containers have ended."""
    if not context.on("watch"):
        return lifecycle.up(context)
    if context.on("detach"):
        raise ActionFailed("--detach and --watch cannot be combined")
    from hakobu.compose.verb.watching import watched

    with watched(context):
        return lifecycle.up(context)
