"""Where `hakobu compose` comes in: the quick answer where there is one, else the whole command line."""

from __future__ import annotations

from hakobu.compose import quick

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.client.endpoint import Endpoint


def main(argv: list[str], endpoint: Endpoint | str) -> int:
    """One command's exit status."""
    status = quick.up(argv, endpoint)
    if status is not None:
        return status
    from hakobu.compose import command

    return command.main(argv, endpoint)
