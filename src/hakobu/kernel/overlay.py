"""What overlayfs needs of whoever mounts it: the namespace of its attributes, and the options that go with it.

Root of the host has `trusted.overlay.*`; root of a user namespace cannot set those, and overlayfs then keeps its
marks as `user.overlay.*` (`userxattr`, Linux 5.11). Whiteouts are devices (0, 0) for both.
"""

from hakobu.kernel import probe
from hakobu.kernel.probe import Feature

RESERVED_XATTRS = ("trusted.overlay.", "user.overlay.")
"""Never taken from an archive, nor written into one."""

# whatever the host's module parameters say: an upper directory holds whole files and whole directories, because
# commit and diff read it by itself
_UPPER_IS_WHOLE: tuple[tuple[str, str | None], ...] = (("redirect_dir", "nofollow"), ("metacopy", "off"))


def _uses_trusted() -> bool:
    return probe.has(Feature.TRUSTED_XATTRS)


def opaque_xattr() -> str:
    """The attribute that hides what lies below a directory; its value is `y`."""
    return "trusted.overlay.opaque" if _uses_trusted() else "user.overlay.opaque"


def options() -> tuple[tuple[str, str | None], ...]:
    """Mount options beside the directories; None is a flag without a value."""
    return _UPPER_IS_WHOLE if _uses_trusted() else (*_UPPER_IS_WHOLE, ("userxattr", None))


def options_text() -> str:
    """The same as mount(2) takes them."""
    return ",".join(key if value is None else f"{key}={value}" for key, value in options())
