"""Progress messages of pull, push, load and import: one JSON object a line, errors among them."""

from __future__ import annotations

from hakobu.client.error import StreamError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hakobu.client.codec import Json
    from hakobu.client.transport import Response


def messages(response: Response) -> Iterator[Json]:
    """The messages until the end; StreamError at one that tells of a failure."""
    for message in response.objects():
        detail: Json = message.get("errorDetail") or {}
        error = detail.get("message") or message.get("error")
        if error:
            raise StreamError(str(error), str(detail.get("hint") or ""))
        yield message


def finish(response: Response) -> list[Json]:
    """Reads all messages and closes; for those who only want to know that it went well."""
    with response:
        return list(messages(response))
