"""`--dry-run` of commands that change something: the request is shown and not sent.

What only reads goes to the engine as ever, so names that do not exist are refused as they would be. The first request
that would change something ends the command: what it would do afterwards depends on the answer.
"""

from __future__ import annotations

from hakobu.client.codec import decode, encode, pretty
from hakobu.client.transport import Transport
from hakobu.client.url import target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hakobu.cli.session import Session

_KINDS = {"containers": "/json", "images": "/json", "networks": "", "volumes": ""}
_VERBS = frozenset({"create", "prune", "load"})


class Rehearsed(Exception):
    """Nothing was sent; what would have been."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class Rehearsal(Transport):
    """Sends what reads, and raises `Rehearsed` instead of sending anything else."""

    def open(self, method: str, path: str, query: Any = None, body: Any = None, **how: Any) -> Any:
        if method in ("GET", "HEAD"):
            return super().open(method, path, query, body, **how)
        self._look_up(path)
        raise Rehearsed(_shown(method, target(path, query), body))

    def hijack(self, path: str, query: Any = None, body: Any = None) -> Any:
        self._look_up(path)
        raise Rehearsed(_shown("POST", target(path, query), None if body is None else encode(body)))

    def _look_up(self, path: str) -> None:
        """Raises as the engine does where the object of the request is not there."""
        parts = path.strip("/").split("/")
        if len(parts) >= 2 and parts[0] in _KINDS and parts[1] not in _VERBS:
            super().open("GET", f"/{parts[0]}/{parts[1]}{_KINDS[parts[0]]}").close()


def _shown(method: str, address: str, body: bytes | object | None) -> str:
    if not body:
        return f"{method} {address}"
    return f"{method} {address}\n{pretty(decode(body), 2) if isinstance(body, bytes) else '(an archive)'}"


def rehearse(session: Session, run: Callable[[list[str]], int], arguments: list[str], *, apart: bool) -> int:
    """`apart`: each argument is a target of its own, so each has requests of its own."""
    session.rehearses = True
    status = 0
    for part in [[argument] for argument in arguments] if apart else [arguments]:
        try:
            status = run(part) or status
        except Rehearsed as told:
            session.line(told.text)
    return status
