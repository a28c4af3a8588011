"""What a project came to when its files were last read: enough to see that there is nothing to do, without a model.

`up` of what is up already is a question asked often (by scripts, by a shell's history), and nearly all the time it
takes goes into reading YAML and building the model. So `up` leaves a note in the user's cache: every file that was
read or looked for, with its digest, and what the services came to. A note counts only where each of them, the
environment and the program are what they were; it is never more than a reason not to look again (docs/decisions/0018).

Imported before anything else of compose: no dataclasses, no regular expressions, no YAML.
"""

from __future__ import annotations

import os

from hakobu.client import codec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Note = dict[str, Any]

KEPT = 200
"""Notes kept at most; the oldest go."""

VOLATILE = ("_", "COLUMNS", "LINES", "OLDPWD", "SHLVL")
"""Variables that every command or window changes; a project that names one of them is not noted."""

_HERE = os.path.dirname(os.path.abspath(__file__))


def digest(text: str) -> str:
    """Of a text, for comparison: 128 bits of BLAKE2b."""
    try:
        # why: `hashlib` loads OpenSSL, which takes longer than all the rest of this
        from _blake2 import blake2b
    except ImportError:
        from hashlib import blake2b
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def environment_digest(env: Mapping[str, str]) -> str:
    return digest("\0".join(f"{name}={env[name]}" for name in sorted(env) if name not in VOLATILE))


def program() -> str:
    """This very program: a version does not tell one checkout from the next, the folders' times do.

    A file that was changed in its place shows in the folder of what was compiled from it.
    """
    folders = (_HERE, f"{_HERE}/__pycache__", f"{_HERE}/model", f"{_HERE}/model/__pycache__")
    times = [str(os.stat(folder).st_mtime_ns) for folder in folders if os.path.exists(folder)]
    return " ".join([_HERE, *times])


def folder(env: Mapping[str, str]) -> str:
    """Where notes lie."""
    base = env.get("XDG_CACHE_HOME") or f"{env.get('HOME') or '/root'}/.cache"
    return f"{base}/hakobu/compose"


def place(head: list[str], env: Mapping[str, str]) -> str:
    """The file of the note for a command line's words before the verb, given here."""
    return f"{folder(env)}/{digest(chr(0).join([os.getcwd(), *head]))}.json"


def recall(head: list[str], env: Mapping[str, str]) -> Note | None:
    """The note, where there is one of the caller's own and all it rests on is as it was."""
    try:
        with open(place(head, env), "rb") as file:
            if os.fstat(file.fileno()).st_uid != os.geteuid():
                return None
            note = codec.decode(file.read())
        same = note["program"] == program() and note["environment"] == environment_digest(env)
        return note if same and all(_is_same(path, was) for path, was in note["files"].items()) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _is_same(path: str, was: str) -> bool:
    """Whether a file holds what it held; an empty digest stands for no file."""
    if not was:
        return not os.path.exists(path)
    with open(path, encoding="utf-8") as file:
        return digest(file.read()) == was


def keep(head: list[str], env: Mapping[str, str], texts: Mapping[str, str | None], project: Note) -> None:
    """Writes a note, whole or not at all; where it cannot be written there is none, which is no error."""
    files = {path: "" if text is None else digest(text) for path, text in texts.items()}
    note = {"program": program(), "environment": environment_digest(env), "files": files, "project": project}
    path = place(head, env)
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        temporary = f"{path}.{os.getpid()}"
        with open(temporary, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(codec.encode(note))
        os.rename(temporary, path)
        _prune(os.path.dirname(path))
    except OSError:
        return


def _prune(folder: str) -> None:
    entries = sorted(os.scandir(folder), key=lambda entry: entry.stat().st_mtime_ns, reverse=True)
    for entry in entries[KEPT:]:
        os.unlink(entry.path)
