"""`cp`: files between a container and here, as tar streams.

Both directions agree on one rule: what is copied lands below a directory that exists, under a name chosen
here. What comes out of a container is written by `unpack`, which trusts no name in it.
"""

from __future__ import annotations

import os

from hakobu.cli.failure import Failure
from hakobu.cli.kind import BOOL
from hakobu.cli.session import STDIN_FD, STDOUT_FD, write_all
from hakobu.cli.table import Command, Flag
from hakobu.client.error import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hakobu.cli.session import Session
    from hakobu.cli.table import Values
    from hakobu.client.codec import Json

CP = Command(
    "cp",
    "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n[OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH\n"
    "[OPTIONS] CONTAINER:SRC_PATH CONTAINER:DEST_PATH",
    "Copy files between containers and this machine",
    least=2,
    most=2,
    aliases=("container cp", "cp"),
    about="With - as the source, a tar archive from standard input is unpacked in a directory of the container;\n"
    "with - as the destination, a tar archive is written to standard output.",
    flags=(
        Flag("archive", "a", BOOL, "Keep user and group of the files"),
        Flag("follow-link", "L", BOOL, "Copy what a link in SRC_PATH leads to"),
        Flag("quiet", "q", BOOL, "Do not tell how much was copied"),
    ),
)
# The directory bit of Go's file modes, and the symbolic link's.
_GO_DIR, _GO_SYMLINK = 1 << 31, 1 << 27


def cp(session: Session, values: Values, arguments: list[str]) -> int:
    source_container, source = _split(arguments[0])
    target_container, target = _split(arguments[1])
    if not source:
        raise Failure("source can not be empty")
    if not target:
        raise Failure("destination can not be empty")
    if source_container and target_container:
        _between(session, values, (source_container, source), (target_container, target))
    elif source_container:
        _from_container(session, values, source_container, source, target)
    elif target_container:
        _to_container(session, values, source, target_container, target)
    else:
        raise Failure("must specify at least one container source")
    return 0


def _split(argument: str) -> tuple[str, str]:
    """Container and path; a path that begins with `/`, `.` or has a slash before its colon is a local one."""
    if argument.startswith(("/", ".")):
        return "", argument
    container, colon, path = argument.partition(":")
    return (container, path) if colon and "/" not in container else ("", argument)


def _is_dir(stat: Json) -> bool:
    return bool(int(stat.get("mode", 0)) & _GO_DIR)


def _told(session: Session, values: Values, size: int, where: str) -> None:
    if not values.on("quiet") and os.isatty(2):
        from hakobu.cli.text.size import decimal

        session.error(f"Successfully copied {decimal(size, 3)} to {where}")


# From a container


def _from_container(session: Session, values: Values, container: str, source: str, target: str) -> None:
    containers = session.engine.containers
    if values.on("follow-link"):
        source = _followed(session, container, source)
    response, stat = containers.get_archive(container, source)
    with response:
        if target == "-":
            for data in response:
                write_all(STDOUT_FD, data)
            return
        folder, name = _local_target(target, stat, source)
        from hakobu.cli.unpack import unpack

        size = unpack(iter(response), folder, name, keep_ids=values.on("archive"))
    _told(session, values, size, target)


def _followed(session: Session, container: str, source: str) -> str:
    stat = session.engine.containers.stat_archive(container, source)
    if not int(stat.get("mode", 0)) & _GO_SYMLINK:
        return source
    link = str(stat.get("linkTarget") or "")
    tail = "/." if source.endswith("/.") else "/" if source.endswith("/") else ""
    return (link if link.startswith("/") else os.path.join(os.path.dirname(source.rstrip("/")), link)) + tail


def _local_target(target: str, stat: Json, source: str) -> tuple[str, str]:
    """The directory to unpack in, and the name for the first component (empty: its contents, without it)."""
    if os.path.isdir(target):
        contents = source.endswith("/.") or source == "."
        return target, "" if contents else str(stat.get("name") or os.path.basename(source.rstrip("/")))
    if os.path.lexists(target):
        if _is_dir(stat):
            raise Failure("cannot copy directory")
        if target.endswith("/"):
            raise Failure(f"not a directory: {target}")
    elif target.endswith("/") and not _is_dir(stat):
        raise Failure("no such directory")
    plain = target.rstrip("/")
    folder = os.path.dirname(plain) or "."
    if not os.path.isdir(folder):
        raise Failure(f'invalid output path: directory "{os.path.abspath(folder)}" does not exist')
    return folder, os.path.basename(plain)


# From one container to another


def _between(session: Session, values: Values, source: tuple[str, str], target: tuple[str, str]) -> None:
    """One stream through this process; nothing is unpacked here. Rules of names as to and from this machine."""
    from hakobu.cli.retar import with_root

    containers = session.engine.containers
    path = _followed(session, *source) if values.on("follow-link") else source[1]
    place, found = _resolved(session, *target)
    response, stat = containers.get_archive(source[0], path)
    with response:
        is_dir = _is_dir(stat)
        if found is not None and _is_dir(found):
            folder = place
            base = str(stat.get("name") or os.path.basename(path.rstrip("/")))
            name = "." if is_dir and _ends_with_dot(path) else base
        else:
            folder, name = _new_place(place, found, is_dir)
        containers.put_archive(target[0], folder, with_root(iter(response), name, keep_ids=values.on("archive")))
    _told(session, values, int(stat.get("size") or 0), ":".join(target))


# To a container


def _to_container(session: Session, values: Values, source: str, container: str, target: str) -> None:
    containers = session.engine.containers
    target, found = _resolved(session, container, target)
    if source == "-":
        if found is not None and not _is_dir(found):
            raise Failure(f'destination "{container}:{target}" must be a directory')
        containers.put_archive(
            container, target, _stdin(), keep_ids=values.on("archive"), overwrite_dir_with_file=False
        )
        return
    path = os.path.realpath(source) if values.on("follow-link") else source
    if not os.path.lexists(path.rstrip("/") or "/"):
        raise Failure(f"lstat {os.path.abspath(source)}: no such file or directory")
    folder, name = _remote_target(path, source, target, found)
    from hakobu.cli.pack import pack

    packed = pack(path, name)
    containers.put_archive(container, folder, packed, keep_ids=values.on("archive"))
    _told(session, values, packed.size, f"{container}:{target}")


def _stdin() -> Iterator[bytes]:
    while data := os.read(STDIN_FD, 1 << 20):
        yield data


def _resolved(session: Session, container: str, target: str) -> tuple[str, Json | None]:
    """The target with a link at its end followed, and what stands there."""
    try:
        stat = session.engine.containers.stat_archive(container, target)
        if int(stat.get("mode", 0)) & _GO_SYMLINK:
            link = str(stat["linkTarget"])
            target = link if link.startswith("/") else os.path.join(os.path.dirname(target), link)
            stat = session.engine.containers.stat_archive(container, target)
    except EngineError as e:
        if e.status != 404 or "no such container" in e.message.lower():
            raise
        return target, None
    return target, stat


def _remote_target(path: str, source: str, target: str, found: Json | None) -> tuple[str, str]:
    """The container's directory to unpack in, and the name of what is packed (`.`: its contents)."""
    is_dir = os.path.isdir(path) and (not os.path.islink(path) or path.endswith("/"))
    base = os.path.basename(os.path.abspath(path.rstrip("/") or "/")) or "/"
    if found is not None and _is_dir(found):
        return target, "." if is_dir and _ends_with_dot(source) else base
    return _new_place(target, found, is_dir)


def _new_place(target: str, found: Json | None, is_dir: bool) -> tuple[str, str]:
    """Directory and name of a target that is no directory yet."""
    if found is not None:
        if is_dir:
            raise Failure("cannot copy directory")
    elif target.endswith("/") and not is_dir:
        raise Failure("no such directory")
    plain = target.rstrip("/") or "/"
    absolute = plain if plain.startswith("/") else f"/{plain}"
    return os.path.dirname(absolute), os.path.basename(absolute)


def _ends_with_dot(path: str) -> bool:
    return path.endswith("/.") or path == "."
