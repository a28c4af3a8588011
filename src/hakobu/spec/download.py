"""The body of a response in other hands: a worker writes it to the client's socket, and the daemon sees no byte of it.

The daemon sends the head and waits until it has gone out; the worker writes the body, framed where the client wants
it so; the daemon sends what ends it. A body that breaks off has no end: that is how the client knows.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outlet:
    """`fd` is the client's socket, non-blocking, its owner's to close; `chunked` says whether the body is framed."""

    fd: int
    chunked: bool
