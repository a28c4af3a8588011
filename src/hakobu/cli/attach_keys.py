"""Detach keys from flag or configuration, with the message for a sequence that names no key."""

from __future__ import annotations

from hakobu.cli.failure import Failure
from hakobu.client.detach import BadDetachKeys, DetachKeys, parse_keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session


def keys_text(session: Session, given: str) -> str:
    """The sequence as text: the flag's, else that of docker's configuration, else empty."""
    return given or str(session.config().get("detachKeys") or "")


def detach_keys(text: str) -> DetachKeys:
    try:
        return DetachKeys(parse_keys(text))
    except BadDetachKeys as e:
        raise Failure(str(e)) from None
