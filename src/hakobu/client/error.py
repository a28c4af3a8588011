"""What can go wrong between a client and an engine.

They stand on their own, not on `hakobu.errors`: the client is also a library and a command line's first
import, and `enum` would cost it more than the whole conversation with the engine.
"""

from __future__ import annotations


class ClientError(Exception):
    """Base of every failure of this client; `hint` says what to do about it, and may be empty."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class EngineError(ClientError):
    """The engine answered with an error: its HTTP status, its own words, and (not Docker's) what to do about it."""

    def __init__(self, status: int, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.status = status

    def __str__(self) -> str:
        return f"Error response from daemon: {self.message}"


class StreamError(ClientError):
    """An error that came inside a stream of progress messages, after a status of 200."""


class CannotConnect(ClientError):
    """Nobody listens at the endpoint, or this user may not speak to it."""

    def __init__(self, url: str, chosen_by: str, cause: OSError) -> None:
        self.url = url
        self.cause = cause
        super().__init__(_cannot_connect(url, cause), f"this endpoint was chosen by {chosen_by}")


def _cannot_connect(url: str, cause: OSError) -> str:
    if isinstance(cause, PermissionError):
        return f"permission denied while trying to connect to the Docker daemon socket at {url}"
    if reason := getattr(cause, "reason", None):  # of TLS, which is imported only where it is spoken
        return f"error during connect to {url}: tls: {str(reason).lower().replace('_', ' ')}"
    return f"Cannot connect to the Docker daemon at {url}. Is the docker daemon running?"


class BadEndpoint(ClientError):
    """An endpoint that cannot be spoken to at all: an unknown scheme, a context that is not there."""
