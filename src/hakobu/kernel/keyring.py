"""Session keyrings (keyctl(2)): a container gets one of its own, so that the engine's keys are not in reach.

Constants: linux/keyctl.h.
"""

from ctypes import c_char_p, c_int, c_size_t, c_ulong, cast, create_string_buffer
from typing import Final

from hakobu.kernel.libc import check, syscall

KEY_SPEC_SESSION_KEYRING: Final = -3
KEYCTL_GET_KEYRING_ID: Final = 0
KEYCTL_JOIN_SESSION_KEYRING: Final = 1
KEYCTL_REVOKE: Final = 3
KEYCTL_SETPERM: Final = 5
KEYCTL_DESCRIBE: Final = 6
KEY_USR_ALL: Final = 0x003F0000
KEY_POS_ALL: Final = 0x3F000000

_join = syscall("keyctl", c_int, c_char_p)
_keyctl = syscall("keyctl", c_int, c_ulong, c_ulong)
_describe = syscall("keyctl", c_int, c_int, c_char_p, c_size_t)
_setperm = syscall("keyctl", c_int, c_int, c_ulong)


def join_session_keyring(name: str) -> int:
    """Makes (or joins) the session keyring of this name; gives its serial."""
    return check(_join(KEYCTL_JOIN_SESSION_KEYRING, name.encode()), "keyctl")


def session_keyring() -> int:
    """The serial of the caller's session keyring."""
    return check(_keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING & 0xFFFFFFFFFFFFFFFF, 0), "keyctl")


def describe(serial: int) -> str:
    """`type;uid;gid;permissions;description`."""
    buffer = create_string_buffer(4096)
    size = check(_describe(KEYCTL_DESCRIBE, serial, cast(buffer, c_char_p), len(buffer)), "keyctl")
    return buffer.raw[: size - 1].decode("utf-8", "replace")


def set_permissions(serial: int, permissions: int) -> None:
    check(_setperm(KEYCTL_SETPERM, serial, permissions), "keyctl")


def permissions(serial: int) -> int:
    return int(describe(serial).split(";")[3], 16)
