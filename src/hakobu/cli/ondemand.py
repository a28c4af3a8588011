"""Connects to the caller's own engine, and starts it where nobody listens.

This module is on the path of every command and holds the connecting only; starting is in `daemon_start`.
"""

from __future__ import annotations

from hakobu.client.error import CannotConnect
from hakobu.client.socket_door import connect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.client.endpoint import Endpoint
    from hakobu.client.socket_door import Socket


def dial(endpoint: Endpoint) -> Socket:
    """A connection to the own engine, started first where its socket is dead or missing."""
    try:
        return connect(endpoint)
    except CannotConnect as e:
        if not isinstance(e.cause, (FileNotFoundError, ConnectionRefusedError)):
            raise
    from hakobu.cli.daemon_start import start

    start(endpoint)
    return connect(endpoint)
