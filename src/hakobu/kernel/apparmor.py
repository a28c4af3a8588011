"""Whether this kernel confines by AppArmor: a profile that nobody enforces is no confinement, and is refused."""

from typing import Final

ENABLED: Final = "/sys/module/apparmor/parameters/enabled"


def is_enabled(path: str = ENABLED) -> bool:
    """The module says `Y` where it is built in and was not switched off at boot."""
    try:
        with open(path, "rb") as file:
            return file.read(1) == b"Y"
    except OSError:
        return False
