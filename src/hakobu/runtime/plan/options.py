"""Mount options in mount(8)'s words → attribute flags, propagation and what is left for the file system. Pure.

Constants are MOUNT_ATTR_* of linux/mount.h and MS_* propagation types; unknown words are data of the file system.
"""

from hakobu.spec.dataclass import dataclass

MOUNT_ATTR_RDONLY = 0x01
MOUNT_ATTR_NOSUID = 0x02
MOUNT_ATTR_NODEV = 0x04
MOUNT_ATTR_NOEXEC = 0x08
MOUNT_ATTR__ATIME = 0x70
MOUNT_ATTR_NOATIME = 0x10
MOUNT_ATTR_STRICTATIME = 0x20
MOUNT_ATTR_NODIRATIME = 0x80
MOUNT_ATTR_NOSYMFOLLOW = 0x200000

MS_UNBINDABLE = 1 << 17
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19
MS_SHARED = 1 << 20

_SET = {
    "ro": MOUNT_ATTR_RDONLY,
    "nosuid": MOUNT_ATTR_NOSUID,
    "nodev": MOUNT_ATTR_NODEV,
    "noexec": MOUNT_ATTR_NOEXEC,
    "nosymfollow": MOUNT_ATTR_NOSYMFOLLOW,
    "nodiratime": MOUNT_ATTR_NODIRATIME,
}
_CLEAR = {
    "rw": MOUNT_ATTR_RDONLY,
    "suid": MOUNT_ATTR_NOSUID,
    "dev": MOUNT_ATTR_NODEV,
    "exec": MOUNT_ATTR_NOEXEC,
    "symfollow": MOUNT_ATTR_NOSYMFOLLOW,
    "diratime": MOUNT_ATTR_NODIRATIME,
}
_ATIME = {
    "relatime": 0,
    "norelatime": 0,
    "atime": 0,
    "noatime": MOUNT_ATTR_NOATIME,
    "strictatime": MOUNT_ATTR_STRICTATIME,
}
# for the whole tree: the word with an r before it
_RECURSIVE_SET = {f"r{word}": flag for word, flag in (*_SET.items(), ("noatime", MOUNT_ATTR_NOATIME))}
_RECURSIVE_SET["rstrictatime"] = MOUNT_ATTR_STRICTATIME
_RECURSIVE_CLEAR = {f"r{word}": flag for word, flag in _CLEAR.items()}
_RECURSIVE_ATIME = frozenset({"rnoatime", "rstrictatime", "rrelatime", "ratime"})
_PROPAGATION = {
    "private": (MS_PRIVATE, False),
    "rprivate": (MS_PRIVATE, True),
    "slave": (MS_SLAVE, False),
    "rslave": (MS_SLAVE, True),
    "shared": (MS_SHARED, False),
    "rshared": (MS_SHARED, True),
    "unbindable": (MS_UNBINDABLE, False),
    "runbindable": (MS_UNBINDABLE, True),
}
_IGNORED = frozenset({"defaults", "async", "nofail", "newinstance", "nostrictatime", "loud", "silent", "auto"})


MOUNT_WORDS: frozenset[str] = _IGNORED.union(
    _SET, _CLEAR, _ATIME, _RECURSIVE_SET, _RECURSIVE_CLEAR, _RECURSIVE_ATIME, _PROPAGATION,
    ("bind", "rbind", "idmap", "ridmap", "tmpcopyup"),
)  # fmt: skip
"""Words that are understood here; others go to the file system as they are."""


@dataclass(frozen=True, slots=True)
class MountOptions:
    """`recursive_set` are attributes for the whole tree (`rro`); `bind` and `idmap` are 0, 1 or 2 (recursive).

    `copy_up` (tmpcopyup) fills a tmpfs with what it covers.
    """

    attr_set: int = 0
    attr_clr: int = 0
    recursive_set: int = 0
    recursive_clear: int = 0
    propagation: int = 0
    propagation_recursive: bool = False
    bind: int = 0
    idmap: int = 0
    copy_up: bool = False
    data: tuple[str, ...] = ()


def parse_options(options: tuple[str, ...]) -> MountOptions:
    """Later words win over earlier ones, as for mount(8)."""
    attr_set = attr_clr = recursive = recursive_clear = propagation = bind = idmap = 0
    propagation_recursive = copy_up = False
    data: list[str] = []
    for option in options:
        if option in _SET:
            attr_set |= _SET[option]
            attr_clr &= ~_SET[option]
        elif option in _CLEAR:
            attr_clr |= _CLEAR[option]
            attr_set &= ~_CLEAR[option]
        elif option in _ATIME:
            attr_clr |= MOUNT_ATTR__ATIME
            attr_set = attr_set & ~MOUNT_ATTR__ATIME | _ATIME[option]
        elif option in _RECURSIVE_ATIME:
            recursive_clear |= MOUNT_ATTR__ATIME
            recursive = recursive & ~MOUNT_ATTR__ATIME | _RECURSIVE_SET.get(option, 0)
        elif option in _RECURSIVE_SET:
            recursive |= _RECURSIVE_SET[option]
            recursive_clear &= ~_RECURSIVE_SET[option]
        elif option in _RECURSIVE_CLEAR:
            recursive_clear |= _RECURSIVE_CLEAR[option]
            recursive &= ~_RECURSIVE_CLEAR[option]
        elif option in ("idmap", "ridmap"):
            idmap = 2 if option == "ridmap" else 1
        elif option.startswith("tmpcopyup"):
            copy_up = True
        elif option in _PROPAGATION:
            propagation, propagation_recursive = _PROPAGATION[option]
        elif option in ("bind", "rbind"):
            bind = 2 if option == "rbind" else 1
        elif option not in _IGNORED:
            data.append(option)
    return MountOptions(
        attr_set, attr_clr, recursive, recursive_clear, propagation, propagation_recursive, bind, idmap, copy_up,
        tuple(data),
    )  # fmt: skip
