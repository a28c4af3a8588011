"""Idmapped mounts: files that their owner on the host and the container's user take for their own.

The owner's id and the user's change places, all others stay: nothing on disk is changed, what the user makes is the
owner's outside, and no id is without a counterpart.
"""

import os
from collections.abc import Sequence

from hakobu.errors import Invalid
from hakobu.runtime.passwd import resolve_in
from hakobu.spec.own_label import IdPairs
from hakobu.spec.runtime_config import IdMap

_LAST_ID = (1 << 32) - 2

ALL_IDS = (IdMap(container_id=0, host_id=0, size=_LAST_ID + 1),)
"""Every id is itself."""

Maps = tuple[tuple[IdMap, ...], tuple[IdMap, ...]]
"""Of user ids and of group ids."""


def swapped(on_disk: int, seen: int) -> tuple[IdMap, ...]:
    """The map by which `on_disk` is seen as `seen` and the other way round; empty where they are one."""
    if on_disk == seen:
        return ()
    low, high = sorted((on_disk, seen))
    parts = ((0, 0, low), (low, high, 1), (low + 1, low + 1, high - low - 1), (high, low, 1))
    rest = (high + 1, high + 1, _LAST_ID - high)
    return tuple(IdMap(container_id=a, host_id=b, size=size) for a, b, size in (*parts, rest) if size)


def maps_for(source: str, user: str, pairs: IdPairs, root: Sequence[str]) -> Maps:
    """`pairs` as asked for, or, where empty, the source's owner and the container's `user`, whose name the image's
    files explain (`root`: its directories from the top)."""
    if pairs:
        (uid, gid) = pairs
        return swapped(*uid), swapped(*gid)
    try:
        owner = os.stat(source)
    except OSError as error:
        raise Invalid(f"the owner of {source} is not known: {error.strerror}", field="hakobu.idmap") from error
    identity = resolve_in(root, user)
    return swapped(owner.st_uid, identity.uid), swapped(owner.st_gid, identity.gid)
