"""JSON bodies into wire shapes, with Docker's checks before and errors that name the field.

Unknown fields are let through unseen, as Docker does; a known field of the wrong type is refused.
"""

from email.message import Message
from functools import cache
from typing import Any, TypeVar

import msgspec

from hakobu.api.http.exchange import Request
from hakobu.errors import Invalid

T = TypeVar("T")


def json_body(request: Request, shape: type[T]) -> T:
    """The body as `shape`; raises `Invalid`."""
    check_json(request)
    if not request.body.strip():
        raise Invalid("invalid JSON: got EOF while reading request body")
    return decode(request.body, shape)


def optional_json_body(request: Request, shape: type[T]) -> T | None:
    """As `json_body`, but None where there is no body at all."""
    if not request.body.strip() or request.body.strip() == b"null":
        return None
    return json_body(request, shape)


def decode(raw: bytes, shape: type[T]) -> T:
    try:
        return _decoder(shape).decode(raw)
    except msgspec.ValidationError as error:
        raise _wrong_type(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"invalid JSON: {error}") from error
    except RecursionError as error:
        raise Invalid("invalid JSON: nested too deeply") from error


def check_json(request: Request) -> None:
    """Docker's rule: a body must say that it is JSON; no body needs to say nothing."""
    content_type = request.header("content-type")
    if not content_type:
        if not request.body:
            return
        raise Invalid("malformed Content-Type header (): mime: no media type")
    if content_type == "application/json":
        return
    parsed = Message()
    parsed["content-type"] = content_type
    if parsed.get_content_type() != "application/json":
        raise Invalid(f"unsupported Content-Type header ({content_type}): must be 'application/json'")


@cache
def _decoder(shape: type[T]) -> "msgspec.json.Decoder[Any]":
    return msgspec.json.Decoder(shape, strict=True)


def _wrong_type(error: msgspec.ValidationError) -> Invalid:
    text, at, path = str(error).rpartition(" - at `")
    if not at:
        return Invalid(f"invalid JSON: {error}")
    field = path.rstrip("`").removeprefix("$").removeprefix(".")
    return Invalid(f"invalid JSON: field {field}: {text[:1].lower()}{text[1:]}", field=field)
