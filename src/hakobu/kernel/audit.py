"""The closed door between the interpreter and a container's files.

After `seal` this process imports nothing, opens nothing by path outside /proc and loads no library: each attempt
ends it at once with status 70. Codecs, linecache and NSS would otherwise read the container's files as root.
What a start still opens goes through openat2 by descriptor, which is no event to Python.
Must not: be called in a process that lives on as anything but a container's child; a hook cannot be removed.
"""

import codecs
import os
import sys
from importlib.machinery import BuiltinImporter, FrozenImporter
from typing import Any, Final

EXIT_STATUS: Final = 70

_FORBIDDEN: Final = frozenset(
    (
        "import",
        "compile",
        "marshal.loads",
        "pickle.find_class",
        "ctypes.dlopen",
        "os.posix_spawn",
        "os.system",
        "subprocess.Popen",
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "sqlite3.connect",
    )
)


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if event == "open":
        path = args[0]
        if isinstance(path, int):
            return
        if isinstance(path, bytes | bytearray):
            allowed = bytes(path).startswith(b"/proc/") and b".." not in path
        else:
            text = str(path)
            allowed = text.startswith("/proc/") and ".." not in text
        if not allowed:
            os._exit(EXIT_STATUS)
    elif event in _FORBIDDEN:
        os._exit(EXIT_STATUS)


def close_import_paths() -> None:
    """Leaves nothing to find a module by but what is compiled into the interpreter."""
    sys.dont_write_bytecode = True
    sys.path[:] = []
    sys.path_hooks[:] = []
    sys.path_importer_cache.clear()
    sys.meta_path[:] = [BuiltinImporter, FrozenImporter]


def touch_codecs() -> None:
    """Loads, while it is safe, the codecs that the interpreter looks up lazily.

    By the registry: encoding some text is not enough, because the common codecs have a short cut around it.
    """
    for name in ("utf-8", "ascii", "latin-1", sys.getfilesystemencoding()):
        codecs.lookup(name)


def seal() -> None:
    """From here on an import or an open outside /proc ends the process.

    A process whose parent has called `close_import_paths` saves half a millisecond: letting go of what the
    importers hold writes to many pages that a fork shares.
    """
    if sys.path or sys.path_hooks:
        touch_codecs()
        close_import_paths()
    sys.addaudithook(_hook)
