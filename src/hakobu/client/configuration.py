"""Writes docker's `config.json` and our `hakobu.json` beside it, with every key that is not ours kept as it was."""

from __future__ import annotations

import os

from hakobu.client.codec import decode, object_of
from hakobu.client.error import ClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hakobu.client.codec import Json


class BrokenConfiguration(ClientError):
    """A configuration that is no JSON object: it is left alone, whatever was to be changed."""


def change(path: str, edit: Callable[[Json], None], *, secret: bool = False) -> None:
    """Reads a JSON file, has it edited, and puts the new one in its place, whole; a link stays a link.

    It may hold logins: what is made anew, or gets a `secret`, is the owner's alone. OSError where it is not written.
    """
    import json
    import tempfile

    target = os.path.realpath(path)
    document = _read(target)
    edit(document)
    folder = os.path.dirname(target)
    os.makedirs(folder, 0o700, exist_ok=True)
    fd, temporary = tempfile.mkstemp(dir=folder, prefix=os.path.basename(target))
    try:
        with open(fd, "w") as file:
            # Tabs, as docker indents its own.
            file.write(json.dumps(document, indent="\t", ensure_ascii=False))
            file.flush()
            os.fsync(fd)
        if os.path.exists(target) and not secret:
            os.chmod(temporary, os.stat(target).st_mode & 0o7777)
        os.rename(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def _read(path: str) -> Json:
    try:
        with open(path, "rb") as file:
            text = file.read()
        value: object = decode(text) if text.strip() else {}
    except FileNotFoundError:
        return {}
    except ValueError as e:
        raise BrokenConfiguration(f"{path} is not JSON: {e}", "repair or remove it") from e
    if not isinstance(value, dict):
        raise BrokenConfiguration(f"{path} is not a JSON object", "repair or remove it")
    return object_of(value)
