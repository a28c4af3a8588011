"""The image's /etc/passwd and /etc/group, read by our own parser from outside of the image.

Never NSS, never a name that was meant as a number looked up as one of a user (CVE-2016-3697), never more than
a bounded read of a regular file (CVE-2024-9676, CVE-2026-47262). Numbers are ASCII digits up to 2^31 - 1.
"""

import os
import re
from collections.abc import Sequence

from hakobu.kernel.saferoot import read_file
from hakobu.runtime.failure import UserNotFound
from hakobu.spec.dataclass import dataclass

MAX_FILE_BYTES = 10 << 20
MAX_LINE_BYTES = 64 << 10
MAX_ID = 2**31 - 1
_NUMBER = re.compile(rb"[0-9]{1,10}\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Identity:
    """What a `user[:group]` means in an image. `home` is `/` where nothing says otherwise."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str


@dataclass(frozen=True, slots=True)
class _User:
    """A line of /etc/passwd."""

    name: bytes
    uid: int
    gid: int
    home: bytes


@dataclass(frozen=True, slots=True)
class _Group:
    """A line of /etc/group."""

    name: bytes
    gid: int
    members: tuple[bytes, ...]


def resolve(root_fd: int, user: str, extra_groups: tuple[str, ...]) -> Identity:
    """`user` is Docker's `name|uid[:group|gid]`, empty for root; `extra_groups` names or numbers to add."""
    passwd, group_file = _read(root_fd, b"etc/passwd"), _read(root_fd, b"etc/group")
    return _identity(_users(passwd), _groups(group_file), user, extra_groups)


def resolve_in(directories: Sequence[str], user: str) -> Identity:
    """The same for a root that is not mounted: its layers' directories, from the top."""
    passwd, group_file = _read_upmost(directories, b"etc/passwd"), _read_upmost(directories, b"etc/group")
    return _identity(_users(passwd), _groups(group_file), user, ())


def _identity(
    users: tuple[_User, ...], groups: tuple[_Group, ...], user: str, extra_groups: tuple[str, ...]
) -> Identity:
    name, _, group = user.partition(":")
    found, uid = _find_user(users, os.fsencode(name or "0"))
    if group:
        gid = _find_group(groups, os.fsencode(group))
    else:
        gid = found.gid if found else 0
    memberships: tuple[int, ...] = ()
    if not group and found is not None:
        memberships = tuple(g.gid for g in groups if found.name in g.members)
    added = tuple(_find_group(groups, os.fsencode(g)) for g in extra_groups)
    # the primary group is always among the supplementary ones (CVE-2022-36109)
    ordered = tuple(dict.fromkeys((gid, *memberships, *added)))
    home = os.fsdecode(found.home) if found and found.home else "/"
    return Identity(uid, gid, ordered, home)


def _find_user(users: tuple[_User, ...], text: bytes) -> tuple[_User | None, int]:
    number = _as_id(text)
    for user in users:
        if user.name == text if number is None else user.uid == number:
            return user, user.uid
    if number is None:
        raise UserNotFound(f"unable to find user {os.fsdecode(text)}: no matching entries in passwd file")
    return None, number


def _find_group(groups: tuple[_Group, ...], text: bytes) -> int:
    number = _as_id(text)
    if number is not None:
        return number
    for group in groups:
        if group.name == text:
            return group.gid
    raise UserNotFound(f"unable to find group {os.fsdecode(text)}: no matching entries in group file")


def _as_id(text: bytes) -> int | None:
    """A number in range, None for a name; digits out of range are refused, not wrapped (CVE-2024-40635)."""
    if not _NUMBER.match(text):
        return None
    value = int(text)
    if value > MAX_ID:
        raise UserNotFound(f"uids and gids must be in range 0-{MAX_ID}: {value}")
    return value


def _users(content: bytes) -> tuple[_User, ...]:
    found: list[_User] = []
    for fields in _lines(content):
        if len(fields) >= 4 and _NUMBER.match(fields[2]) and _NUMBER.match(fields[3]):
            home = fields[5] if len(fields) > 5 else b""
            found.append(_User(fields[0], int(fields[2]), int(fields[3]), home))
    return tuple(u for u in found if u.uid <= MAX_ID and u.gid <= MAX_ID)


def _groups(content: bytes) -> tuple[_Group, ...]:
    found: list[_Group] = []
    for fields in _lines(content):
        if len(fields) >= 3 and _NUMBER.match(fields[2]) and int(fields[2]) <= MAX_ID:
            members = tuple(m for m in fields[3].split(b",") if m) if len(fields) > 3 else ()
            found.append(_Group(fields[0], int(fields[2]), members))
    return tuple(found)


def _lines(content: bytes) -> list[list[bytes]]:
    lines = (line.strip() for line in content.split(b"\n"))
    return [line.split(b":") for line in lines if line and line[:1] not in b"#+-" and len(line) <= MAX_LINE_BYTES]


def _read_upmost(directories: Sequence[str], path: bytes) -> bytes:
    """From the first layer that says anything of it; a file that a layer took away is none."""
    for directory in directories:
        try:
            root_fd = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            return read_file(root_fd, path, MAX_FILE_BYTES)
        except FileNotFoundError:
            continue
        except OSError:
            return b""
        finally:
            os.close(root_fd)
    return b""


def _read(root_fd: int, path: bytes) -> bytes:
    """The file's content; empty where there is none, or it is no regular file of a sane size."""
    try:
        return read_file(root_fd, path, MAX_FILE_BYTES)
    except OSError:
        return b""
