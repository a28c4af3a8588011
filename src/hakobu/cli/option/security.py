"""`--security-opt`: a seccomp profile's file is read here, for the engine may be elsewhere."""

from __future__ import annotations

from hakobu.cli.failure import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.client.codec import Json


def security_options(given: list[str]) -> tuple[list[str], Json]:
    """The options to send, and the host configuration's fields that `systempaths=unconfined` sets."""
    options: list[str] = []
    paths: Json = {}
    for item in given:
        if item == "systempaths=unconfined":
            paths = {"MaskedPaths": [], "ReadonlyPaths": []}
            continue
        options.append(_one(item))
    return options, paths


def _one(item: str) -> str:
    if item == "no-new-privileges":
        return item
    name, equals, value = item.partition("=")
    if not equals and ":" in item:
        name, _, value = item.partition(":")
    elif not equals:
        raise Failure(f'Invalid --security-opt: "{item}"', 125)
    if name == "seccomp" and value not in ("unconfined", "builtin"):
        return f"seccomp={_read_profile(value)}"
    return item


def _read_profile(path: str) -> str:
    from hakobu.client.codec import decode, encode

    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as e:
        reason = (e.strerror or str(e)).lower()
        raise Failure(f"opening seccomp profile ({path}) failed: open {path}: {reason}", 125) from None
    try:
        return encode(decode(data)).decode()
    except ValueError as e:
        raise Failure(f"compacting json for seccomp profile ({path}) failed: {e}", 125) from None
