"""`--mount type=bind,source=/a,target=/b,readonly`: comma-separated fields, in CSV's quoting, to a Mount."""

from __future__ import annotations

import os

from hakobu.cli.kind import parse_bool, parse_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.client.codec import Json

_RECURSIVE = ("enabled", "disabled", "writable", "readonly")
_PROPAGATIONS = ("private", "rprivate", "shared", "rshared", "slave", "rslave")
# Keys that stand alone for `=true`.
_BARE = ("readonly", "ro", "volume-nocopy", "bind-nonrecursive", "bind-create-src", "idmap")
IDMAP = "Idmap"
"""Of a mount that our own key `idmap` is in: `true`, or ids. Docker's API has no such field; it becomes a label."""


def split_fields(text: str) -> list[str]:
    """One CSV record: quotes around a field protect its commas, doubled ones mean themselves."""
    fields: list[str] = []
    field, inside, position = "", False, 0
    while position < len(text):
        letter = text[position]
        position += 1
        if inside:
            if letter != '"':
                field += letter
            elif text[position : position + 1] == '"':
                field += '"'
                position += 1
            else:
                inside = False
        elif letter == '"' and not field:
            inside = True
        elif letter == '"':
            raise ValueError(f'parse error on line 1, column {position}: bare " in non-quoted-field')
        elif letter == ",":
            fields.append(field)
            field = ""
        else:
            field += letter
    if inside:
        raise ValueError(f'parse error on line 1, column {position + 1}: extraneous or missing " in quoted-field')
    fields.append(field)
    return fields


def parse_mount(text: str) -> Json:
    """The API's Mount; ValueError with docker's words."""
    mount: Json = {"Type": "volume"}
    for field in split_fields(text):
        key, equals, value = field.partition("=")
        key = key.lower()
        if not equals:
            if key not in _BARE:
                raise ValueError(f"invalid field '{field}' must be a key=value pair")
            value = "true"
        _set(mount, key, value, field)
    _check(mount)
    return mount


def _flag(key: str, value: str) -> bool:
    try:
        return parse_bool(value)
    except ValueError:
        raise ValueError(f"invalid value for {key}: {value}") from None


def _options(mount: Json, name: str) -> Json:
    return mount.setdefault(name, {})


def _set(mount: Json, key: str, value: str, field: str) -> None:
    if key == "type":
        mount["Type"] = value.lower()
    elif key in ("source", "src"):
        mount["Source"] = os.path.abspath(value) if value.startswith(".") else value
    elif key in ("target", "dst", "destination"):
        mount["Target"] = value
    elif key in ("readonly", "ro"):
        mount["ReadOnly"] = _flag(key, value)
    elif key == "consistency":
        mount["Consistency"] = value.lower()
    elif key.startswith("bind-"):
        _set_bind(mount, key, value)
    elif key.startswith("volume-"):
        _set_volume(mount, key, value)
    elif key == "idmap":
        mount[IDMAP] = value
    elif key == "image-subpath":
        _options(mount, "ImageOptions")["Subpath"] = value
    elif key == "tmpfs-size":
        try:
            _options(mount, "TmpfsOptions")["SizeBytes"] = parse_bytes(value)
        except ValueError:
            raise ValueError(f"invalid value for {key}: {value}") from None
    elif key == "tmpfs-mode":
        try:
            _options(mount, "TmpfsOptions")["Mode"] = int(value, 8)
        except ValueError:
            raise ValueError(f"invalid value for {key}: {value}") from None
    else:
        raise ValueError(f"unexpected key '{key}' in '{field}'")


def _set_bind(mount: Json, key: str, value: str) -> None:
    options = _options(mount, "BindOptions")
    if key == "bind-propagation":
        options["Propagation"] = value.lower()
    elif key == "bind-nonrecursive":
        options["NonRecursive"] = _flag(key, value)
    elif key == "bind-create-src":
        options["CreateMountpoint"] = _flag(key, value)
    elif key == "bind-recursive":
        _set_recursive(options, value)
    else:
        raise ValueError(f"unexpected key '{key}' in '{key}={value}'")


def _set_recursive(options: Json, value: str) -> None:
    if value not in _RECURSIVE:
        message = (
            f'invalid value for bind-recursive: {value} (must be "enabled", "disabled", "writable", or "readonly")'
        )
        raise ValueError(message)
    if value == "disabled":
        options["NonRecursive"] = True
    elif value == "writable":
        options["ReadOnlyNonRecursive"] = True
    elif value == "readonly":
        options["ReadOnlyForceRecursive"] = True


def _set_volume(mount: Json, key: str, value: str) -> None:
    options = _options(mount, "VolumeOptions")
    name, _, item = value.partition("=")
    if key == "volume-subpath":
        options["Subpath"] = value
    elif key == "volume-nocopy":
        options["NoCopy"] = _flag("volume-nocopy", value)
    elif key == "volume-label":
        options.setdefault("Labels", {})[name] = item
    elif key == "volume-driver":
        options.setdefault("DriverConfig", {})["Name"] = value
    elif key == "volume-opt":
        options.setdefault("DriverConfig", {}).setdefault("Options", {})[name] = item
    else:
        raise ValueError(f"unexpected key '{key}' in '{key}={value}'")


def _check(mount: Json) -> None:
    kind = str(mount["Type"])
    if not kind:
        raise ValueError("type is required")
    if not mount.get("Target"):
        raise ValueError("target is required")
    for name, owner in (
        ("BindOptions", "bind"),
        ("VolumeOptions", "volume"),
        ("TmpfsOptions", "tmpfs"),
        ("ImageOptions", "image"),
    ):
        if name in mount and kind != owner:
            raise ValueError(f"cannot mix '{owner}-*' options with mount type '{kind}'")
    _check_read_only(mount)
    if IDMAP in mount and kind not in ("bind", "volume"):
        raise ValueError(f"idmap goes with mounts of type bind and volume, not {kind}")


def _check_read_only(mount: Json) -> None:
    options: Json = mount.get("BindOptions", {})
    if options.get("ReadOnlyForceRecursive"):
        if not mount.get("ReadOnly"):
            raise ValueError("option 'bind-recursive=readonly' requires 'readonly' to be specified in conjunction")
        if options.get("Propagation") != "rprivate":
            message = (
                "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction"
            )
            raise ValueError(message)
    if options.get("ReadOnlyNonRecursive") and not mount.get("ReadOnly"):
        raise ValueError("option 'bind-recursive=writable' requires 'readonly' to be specified in conjunction")
