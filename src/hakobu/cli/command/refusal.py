"""Commands of docker's that are not part of this program: refused by name, with what to do instead."""

from __future__ import annotations

from hakobu.cli.failure import Failure
from hakobu.cli.table import MANY, Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values

TRUST = Command("", "[OPTIONS] [ARG...]", "Of Notary signatures, which are no more", most=MANY, raw=True)


def trust(session: Session, values: Values, arguments: list[str]) -> int:
    raise Failure(
        f"`{session.name}` is not supported: signatures by Notary are no part of this program (nor of docker since 29)"
    )
