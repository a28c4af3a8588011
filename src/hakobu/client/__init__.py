"""The client of the Docker Engine API, ours and Docker's own: `from hakobu.client import Engine, AsyncEngine`.

Importing this package loads nothing; a name is looked up when it is used.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.client.endpoint import Endpoint, choose
    from hakobu.client.engine import Engine
    from hakobu.client.error import CannotConnect, ClientError, EngineError
    from hakobu.client.readiness import NotReady
    from hakobu.client.running import ExecResult, RunningContainer
    from hakobu.client.threaded import AsyncEngine

_HOME = {
    "AsyncEngine": "threaded",
    "Engine": "engine",
    "ExecResult": "running",
    "NotReady": "readiness",
    "RunningContainer": "running",
    "Endpoint": "endpoint",
    "choose": "endpoint",
    "CannotConnect": "error",
    "ClientError": "error",
    "EngineError": "error",
}

__all__ = [
    "AsyncEngine",
    "CannotConnect",
    "ClientError",
    "Endpoint",
    "Engine",
    "EngineError",
    "ExecResult",
    "NotReady",
    "RunningContainer",
    "choose",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = __import__(f"{__name__}.{_HOME[name]}", fromlist=[name])
    return getattr(module, name)
