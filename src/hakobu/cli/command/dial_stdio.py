"""`system dial-stdio`: the engine's connection on standard input and output; the far end of `ssh://` addresses."""

from __future__ import annotations

from hakobu.cli.table import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values

DIAL_STDIO = Command("system dial-stdio", "", "Connect standard input and output with the engine")


def dial_stdio(session: Session, values: Values, arguments: list[str]) -> int:
    from hakobu.cli.pump import pump
    from hakobu.client.socket_door import connect
    from hakobu.client.transport import Hijacked

    stream = Hijacked(connect(session.endpoint), b"", "")
    try:
        pump(stream, stdin=True, tty=True)
    finally:
        stream.close()
    return 0
