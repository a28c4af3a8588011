"""Which ids of the host a user's namespace has: subordinate ranges by newuidmap and newgidmap, else one id. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Line = tuple[int, int, int]
"""First id inside, first id outside, count: a line of uid_map (user_namespaces(7))."""


@dataclass(frozen=True, slots=True)
class Maps:
    """`subordinate` is False for the map of a single id, which the user may write without a helper."""

    uid: tuple[Line, ...]
    gid: tuple[Line, ...]
    subordinate: bool


def ranges(lines: Iterable[str], name: str, uid: int) -> tuple[tuple[int, int], ...]:
    """(first, count) of a user's lines in /etc/subuid or /etc/subgid (subuid(5)), which name them or their uid."""
    found: list[tuple[int, int]] = []
    for line in lines:
        owner, _, rest = line.strip().partition(":")
        first, _, count = rest.partition(":")
        if owner in (name, str(uid)) and first.isdecimal() and count.isdecimal() and int(count):
            found.append((int(first), int(count)))
    return tuple(found)


def plan_maps(
    uid: int, gid: int, uids: Sequence[tuple[int, int]], gids: Sequence[tuple[int, int]], *, helpers: bool
) -> Maps:
    """Root inside is the user; the subordinate ids follow from 1 on, in the order of the file."""
    if not (uids and gids and helpers):
        return Maps(((0, uid, 1),), ((0, gid, 1),), subordinate=False)
    return Maps(_map(uid, uids), _map(gid, gids), subordinate=True)


def _map(own: int, given: Sequence[tuple[int, int]]) -> tuple[Line, ...]:
    lines: list[Line] = [(0, own, 1)]
    inside = 1
    for first, count in given:
        lines.append((inside, first, count))
        inside += count
    return tuple(lines)
