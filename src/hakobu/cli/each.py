"""Commands that do one thing to each of several names, tell each success, and go on after a failure."""

from __future__ import annotations

from hakobu.cli.failure import Silent
from hakobu.client.error import CannotConnect, ClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hakobu.cli.session import Session


def for_each(session: Session, names: list[str], call: Callable[[str], str | None]) -> int:
    """Calls for every name and prints what comes back (the name, where it is None)."""
    failed = False
    for name in names:
        try:
            told = call(name)
        except CannotConnect:
            raise
        except ClientError as e:
            session.error(str(e))
            failed = True
            continue
        session.line(name if told is None else told)
    if failed:
        raise Silent(1)
    return 0
