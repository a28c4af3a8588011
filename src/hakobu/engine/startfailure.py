"""What went wrong below, in the words that Docker's clients look for.

The docker command line decides between exit codes 125, 126 and 127 by these words: `executable file not
found`, `no such file or directory` and `permission denied` in the daemon's message.
"""

from hakobu.engine.failures import StartFailed
from hakobu.errors import HakobuError, Kind

_CREATE = (
    "failed to create task for container: failed to create shim task: OCI runtime create failed: "
    "hakobu create failed: unable to start container process: "
)
_EXEC = "OCI runtime exec failed: exec failed: unable to start container process: "


def translate(error: HakobuError, what: str = "create") -> StartFailed:
    """A failure of the runtime as the engine reports it; `what` is `create` or `exec`."""
    if isinstance(error, StartFailed):
        return error
    code = int(getattr(error, "exit_code", 128 if what == "create" else 126))
    prefix = _EXEC if what == "exec" else _CREATE
    if code in (126, 127):
        return StartFailed(f"{prefix}{error.message}: unknown", code, kind=Kind.INVALID, hint=error.hint)
    return StartFailed(error.message, code, kind=error.kind, hint=error.hint)
