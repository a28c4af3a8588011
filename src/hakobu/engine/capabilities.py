"""Capabilities as users name them: with or without `CAP_`, in any case, or `ALL`. Pure."""

from collections.abc import Iterable

from hakobu.errors import Invalid
from hakobu.kernel import capability


def capability_names(given: Iterable[str], field: str) -> set[str]:
    """The kernel's names, and `ALL` as it is; refuses what the kernel does not know, in Docker's words."""
    names: set[str] = set()
    known = set(capability.names(capability.ALL))
    for text in given:
        name = text.upper()
        if name != "ALL" and not name.startswith("CAP_"):
            name = f"CAP_{name}"
        if name != "ALL" and name not in known:
            raise Invalid(f'invalid {field}: unknown capability: "{name}"', field=field)
        names.add(name)
    return names
