"""The client of the Docker Engine API, ours and Docker's own: `from hakobu.client import Engine`.

Importing this package loads nothing; a name is looked up when it is used.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.client.endpoint import Endpoint, choose
    from hakobu.client.engine import Engine
    from hakobu.client.error import CannotConnect, ClientError, EngineError

_HOME = {
    "Engine": "engine",
    "Endpoint": "endpoint",
    "choose": "endpoint",
    "CannotConnect": "error",
    "ClientError": "error",
    "EngineError": "error",
}

__all__ = ["CannotConnect", "ClientError", "Endpoint", "Engine", "EngineError", "choose"]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = __import__(f"{__name__}.{_HOME[name]}", fromlist=[name])
    return getattr(module, name)
