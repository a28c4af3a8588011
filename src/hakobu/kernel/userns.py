"""The user namespace this process is in: its id maps, and whether it is the host's own.

user_namespaces(7): each line of a map is the first id inside, the first outside, and how many.
"""

import os
from functools import cache

_WHOLE = ((0, 0, 4294967295),)
OVERFLOW_ID = 65534

IdMap = tuple[tuple[int, int, int], ...]


def read_map(kind: str = "uid", pid: str = "self") -> IdMap:
    """The lines of /proc/<pid>/uid_map or gid_map."""
    with open(f"/proc/{pid}/{kind}_map", encoding="ascii") as file:
        return tuple((int(a), int(b), int(c)) for a, b, c in (line.split() for line in file))


@cache
def is_initial() -> bool:
    """Whether ids are the host's own. A namespace whose map is the whole of its parent's is taken for it."""
    return read_map() == _WHOLE


def owner_uid() -> int:
    """The host's id of this namespace's root; this process's own where it is in the host's."""
    if is_initial():
        return os.getuid()
    return next((outside for inside, outside, _ in read_map() if inside == 0), OVERFLOW_ID)


@cache
def may_set_groups() -> bool:
    """False where a user made the namespace without newgidmap: supplementary groups stay what they are."""
    try:
        with open("/proc/self/setgroups", encoding="ascii") as file:
            return file.read().strip() != "deny"
    except FileNotFoundError:
        return True


@cache
def _ids(kind: str) -> IdMap:
    return read_map(kind)


def has_id(kind: str, wanted: int) -> bool:
    """Whether a `uid` or `gid` can own a file, or a process be it, in this namespace."""
    return any(inside <= wanted < inside + count for inside, _, count in _ids(kind))


def last_id(kind: str) -> int:
    """The highest of the ids that follow each other from 0 on."""
    end = 0
    for inside, _, count in sorted(_ids(kind)):
        if inside > end:
            break
        end = max(end, inside + count)
    return end - 1


def find_out() -> None:
    """Once and for all forks: a process whose root is another can no longer ask."""
    is_initial()
    may_set_groups()
    for kind in ("uid", "gid"):
        _ids(kind)


def has_one_id() -> bool:
    """A map of the user alone, made without subordinate ids: everything belongs to root here."""
    return sum(count for _, _, count in _ids("uid")) == 1
