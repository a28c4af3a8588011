"""The few ways in which handlers answer: JSON, nothing, a stream of JSON lines."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

import msgspec

from hakobu.api.http.exchange import Reply, Stream

_encoder = msgspec.json.Encoder()


def json(value: Any, status: int = HTTPStatus.OK) -> Reply:
    """A whole JSON value; the closing line feed is Docker's."""
    return Reply(status, _encoder.encode(value) + b"\n")


def nothing(status: int = HTTPStatus.NO_CONTENT) -> Reply:
    return Reply(status, content_type="")


def lines(values: AsyncIterator[Any]) -> Stream:
    """One JSON value a line, each sent when it comes."""
    return Stream(_lines(values))


async def _lines(values: AsyncIterator[Any]) -> AsyncIterator[bytes]:
    async for value in values:
        yield encode_line(value)


def encode_line(value: Any) -> bytes:
    return _encoder.encode(value) + b"\r\n"
