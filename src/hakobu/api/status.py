"""From what went wrong to an HTTP reply: the one place that knows both error kinds and status codes."""

import logging
from http import HTTPStatus
from typing import assert_never

import msgspec

from hakobu.api.http.body import BodyLost
from hakobu.api.http.exchange import Reply
from hakobu.api.http.head import BadRequest
from hakobu.errors import HakobuError, Kind

log = logging.getLogger("hakobu.api")

CLIENT_CLOSED_REQUEST = 499


def status_of(kind: Kind) -> int:
    """Docker's status for an error kind."""
    match kind:
        case Kind.INVALID:
            return HTTPStatus.BAD_REQUEST
        case Kind.UNAUTHORIZED:
            return HTTPStatus.UNAUTHORIZED
        case Kind.DENIED:
            return HTTPStatus.FORBIDDEN
        case Kind.NOT_FOUND:
            return HTTPStatus.NOT_FOUND
        case Kind.CONFLICT:
            return HTTPStatus.CONFLICT
        case Kind.NOT_MODIFIED:
            return HTTPStatus.NOT_MODIFIED
        case Kind.NOT_IMPLEMENTED:
            return HTTPStatus.NOT_IMPLEMENTED
        case Kind.UNAVAILABLE:
            return HTTPStatus.SERVICE_UNAVAILABLE
        case Kind.EXHAUSTED | Kind.DATA_LOSS | Kind.INTERNAL:
            # dockerd answers a full disk or an exhausted pool so, and clients know nothing finer.
            return HTTPStatus.INTERNAL_SERVER_ERROR
    assert_never(kind)


def failure(error: Exception) -> Reply:
    """The reply for an exception. Unexpected ones are logged with their traceback, and said without it."""
    if isinstance(error, HakobuError):
        return message(status_of(error.kind), error.message, error.hint)
    if isinstance(error, BadRequest):
        return message(error.status, error.message)
    if isinstance(error, BodyLost):
        return message(CLIENT_CLOSED_REQUEST, str(error))
    log.error("unexpected error", exc_info=error)
    return message(HTTPStatus.INTERNAL_SERVER_ERROR, f"{type(error).__name__}: {error}")


def code_of(error: Exception) -> int:
    """The status that `failure` answers with, without its log line."""
    if isinstance(error, HakobuError):
        return status_of(error.kind)
    if isinstance(error, BadRequest):
        return error.status
    return CLIENT_CLOSED_REQUEST if isinstance(error, BodyLost) else HTTPStatus.INTERNAL_SERVER_ERROR


def message(status: int, text: str, hint: str = "") -> Reply:
    """Docker's error body; a hint rides along for clients that know it."""
    if status == HTTPStatus.NOT_MODIFIED:
        return Reply(status)
    body = {"message": text, "hint": hint} if hint else {"message": text}
    return Reply(status, msgspec.json.encode(body) + b"\n")
