"""From a step's arguments to the values the texts speak of: flags by their names, options joined, lists counted.

`values_for` gives a mapping for `str.format_map`; an argument the texts name but the step lacks is shown as `…`,
so that a text never fails because a step has learned something new.
"""

import base64
import binascii
import shlex
from collections.abc import Callable, Mapping
from typing import TypeAlias, cast

from hakobu.spec.step import Json, Step

Args: TypeAlias = Mapping[str, Json]

_CLONE_FLAGS = {
    "mount": "CLONE_NEWNS",
    "pid": "CLONE_NEWPID",
    "network": "CLONE_NEWNET",
    "ipc": "CLONE_NEWIPC",
    "uts": "CLONE_NEWUTS",
    "user": "CLONE_NEWUSER",
    "cgroup": "CLONE_NEWCGROUP",
    "time": "CLONE_NEWTIME",
}
_LONG = {"network": "net"}
# mount attributes of mount_setattr(2), include/uapi/linux/mount.h
_ATTRIBUTES = {
    0x1: "MOUNT_ATTR_RDONLY",
    0x2: "MOUNT_ATTR_NOSUID",
    0x4: "MOUNT_ATTR_NODEV",
    0x8: "MOUNT_ATTR_NOEXEC",
    0x10: "MOUNT_ATTR_NOATIME",
    0x20: "MOUNT_ATTR_STRICTATIME",
    0x80: "MOUNT_ATTR_NODIRATIME",
}
_PURPOSES = {
    "proc": "its list of processes and the kernel's view of them",
    "sysfs": "what the kernel knows of devices",
    "devpts": "terminals of its own",
    "mqueue": "message queues of its own",
    "tmpfs": "files in memory that vanish with the container",
}
_LONGEST = 160


class Values(dict[str, str]):
    """Missing values are shown as an ellipsis."""

    def __missing__(self, key: str) -> str:
        return "…"


def values_for(step: Step, *, pid: int = 0, language: str = "en") -> Values:
    """All that texts and forms may name for this step."""
    values = Values({name: shown(value) for name, value in step.args.items()})
    values["pid"] = str(pid) if pid else "PID"
    derive = _DERIVED.get(step.name)
    if derive is not None:
        values.update(derive(step.args, language))
    return values


def shown(value: Json) -> str:
    """An argument as text, cut where it would fill the screen."""
    if isinstance(value, list):
        text = ", ".join(shown(item) for item in value)
    elif isinstance(value, dict):
        text = ", ".join(f"{name} {shown(item)}" for name, item in value.items() if item not in (None, "", [], {}))
    else:
        text = str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _list(args: Args, name: str) -> list[Json]:
    value = args.get(name)
    return value if isinstance(value, list) else []


def _int(args: Args, name: str) -> int:
    value = args.get(name)
    return value if isinstance(value, int) else 0


def _text(args: Args, name: str) -> str:
    value = args.get(name)
    return "" if value is None else str(value)


def _flags(mask: int, names: Mapping[int, str]) -> str:
    return " | ".join(name for bit, name in names.items() if mask & bit) or "0"


def _options(types: list[Json]) -> str:
    return " ".join(f"--{_LONG.get(str(t), str(t))}" for t in types)


def _clone(args: Args, _: str) -> dict[str, str]:
    new = _list(args, "new")
    flags = [_CLONE_FLAGS.get(str(t), str(t)) for t in new]
    return {
        "flags": " | ".join(["CLONE_VM", "CLONE_VFORK", "CLONE_PARENT", *flags]),
        "unshare": _options(new),
        "new_shown": ", ".join(str(t) for t in new),
    }


def _join(args: Args, _: str) -> dict[str, str]:
    types = _list(args, "types")
    flags = " | ".join(_CLONE_FLAGS.get(str(t), str(t)) for t in types)
    return {"nsenter": _options(types), "enter_nsenter": _options(types), "enter_flags": flags or "0"}


def _cgroup(args: Args, _: str) -> dict[str, str]:
    """What the engine says of its machine, for the layouts of v1 and v2 differ; else as v2 has it."""
    directories = [str(path) for path in _list(args, "directories")] or [f"/sys/fs/cgroup{_text(args, 'path')}"]
    limits = [(str(item[0]), str(item[1])) for item in _list(args, "limits") if isinstance(item, list)]
    joined_by = [str(path) for path in _list(args, "joined_by")]
    return {
        "directory": next((path for path in directories if "/memory" in path), directories[0]),
        "times": _times(directories),
        "directories": " ".join(directories),
        "limit_writes": "  ·  ".join(f'write("{file}", "{value}")' for file, value in limits) or "write(…)  × 0",
        "limit_lines": "".join(f"; echo {shlex.quote(value)} > {file}" for file, value in limits),
        "join_writes": f'write("{joined_by[0]}", "0")' if joined_by else "–  (clone3: CLONE_INTO_CGROUP)",
        "join_times": _times(joined_by),
        "join_lines": "; ".join(f"echo $$ > {path}/cgroup.procs" for path in directories),
    }


def _times(items: list[str]) -> str:
    return f"  × {len(items)}" if len(items) > 1 else ""


def _idmap(args: Args, _: str) -> dict[str, str]:
    def lines(name: str) -> str:
        return "; ".join(" ".join(str(n) for n in row) for row in _list(args, name) if isinstance(row, list))

    return {"uid_lines": lines("uid"), "gid_lines": lines("gid")}


def _port(args: Args, _: str) -> dict[str, str]:
    host_ip = _text(args, "host_ip")
    first, last = _int(args, "host_port"), _int(args, "host_port_end")
    port = f"{first}-{last}" if last and last != first else str(first) if first else "(any free one)"
    return {
        "host_shown": f"[{host_ip}]" if ":" in host_ip else host_ip or "0.0.0.0",
        "port_shown": port,
        "family": "AF_INET6" if ":" in host_ip else "AF_INET",
        "socktype": "SOCK_DGRAM" if _text(args, "protocol") == "udp" else "SOCK_STREAM",
    }


def _isolate(args: Args, _: str) -> dict[str, str]:
    word = _text(args, "propagation")
    flag = {"private": "MS_PRIVATE", "slave": "MS_SLAVE", "shared": "MS_SHARED"}.get(word.removeprefix("r"), "…")
    return {"propagation_flags": f"{flag} | MS_REC" if word.startswith("r") else flag}


def _rootfs(args: Args, _: str) -> dict[str, str]:
    lower = [str(layer) for layer in _list(args, "lower")]
    few = ":".join(lower if len(lower) <= 3 else [*lower[:2], f"…({len(lower) - 2} more)"])
    return {"lower_count": str(len(lower)), "lower_shown": few}


def _mount(args: Args, _: str) -> dict[str, str]:
    attributes = _flags(_int(args, "attributes"), _ATTRIBUTES)
    options = args.get("data") if "data" in args else args.get("options")
    said = [shown(option) for option in options] if isinstance(options, list) else [shown(options)] if options else []
    words = [name.removeprefix("MOUNT_ATTR_").lower().replace("rdonly", "ro") for name in attributes.split(" | ")]
    every = [word for word in [*words, *said] if word != "0"]
    return {
        "attribute_flags": attributes,
        "options_shown": ", ".join(said) or "…",
        "mount_options": f" -o {','.join(every)}" if every else "",
        "mount_purpose": _PURPOSES.get(_text(args, "type"), "a file system of its own"),
        "source_shown": _text(args, "source") or _text(args, "type"),
    }


def _layers(args: Args, language: str) -> dict[str, str]:
    lower = args.get("lower")
    names = [shown(name) for name in lower] if isinstance(lower, list) else []
    subpath = _text(args, "subpath")
    words = {"en": f" (of it {subpath})", "ja": f"（その {subpath}）"}
    return {
        "layer_count": str(len(names)),
        "lower_shown": ":".join(names),
        "subpath_shown": words[language] if subpath else "",
    }


def _bind(args: Args, language: str) -> dict[str, str]:
    read_only = bool(_int(args, "set") & 1)
    words = {"en": ", read-only", "ja": "（読み取り専用）"}
    recursive = bool(args.get("recursive"))
    return {
        "recursive_flag": " | AT_RECURSIVE" if recursive else "",
        "set_flags": _flags(_int(args, "set"), _ATTRIBUTES),
        "bind_word": "rbind" if recursive else "bind",
        "remount": f"; mount -o remount,bind,ro rootfs{_text(args, 'target')}" if read_only else "",
        "read_only_shown": words.get(language, "") if read_only else "",
    }


def _cgroup_mount(args: Args, _: str) -> dict[str, str]:
    return {
        "cgroup_type": "cgroup2" if _int(args, "version") == 2 else "tmpfs",
        "cgroup_flags": "MOUNT_ATTR_RDONLY" if args.get("read_only") else "0",
        "hierarchy_count": str(len(_list(args, "hierarchies"))),
    }


def _node(args: Args, _: str) -> dict[str, str]:
    kinds = {"c": "S_IFCHR", "u": "S_IFCHR", "b": "S_IFBLK", "p": "S_IFIFO"}
    return {"mode_octal": f"{_int(args, 'mode'):04o}", "node_type": kinds.get(_text(args, "type"), "…")}


def _user(args: Args, _: str) -> dict[str, str]:
    return {"user_shown": _text(args, "user") or str(_int(args, "uid"))}


def _route(args: Args, _: str) -> dict[str, str]:
    destination, prefix, gateway = _text(args, "destination"), _int(args, "prefix"), _text(args, "gateway")
    return {
        "destination_shown": f"{destination}/{prefix}" if prefix else "default",
        "way": gateway or _text(args, "name"),
        "via": f"via {gateway} " if gateway else "",
    }


def _rate(args: Args, _: str) -> dict[str, str]:
    bits = _int(args, "rate_bytes") * 8
    for power, unit in ((9, "Gbit"), (6, "Mbit"), (3, "kbit")):
        if bits >= 10**power:
            return {"rate_shown": f"{bits / 10**power:g} {unit}"}
    return {"rate_shown": f"{bits} bit"}


def _sysctl(args: Args, _: str) -> dict[str, str]:
    name = _text(args, "name") or _text(args, "key")
    return {"key_name": name.replace("/", "."), "key_path": name.replace(".", "/"), "value": _text(args, "value")}


def _name(args: Args, _: str) -> dict[str, str]:
    return {"name_length": str(len(_text(args, "name")))}


def _rlimit(args: Args, _: str) -> dict[str, str]:
    name = _text(args, "type")
    return {"rlimit_name": name, "rlimit_short": name.removeprefix("RLIMIT_").lower()}


def _mask(value: Json) -> str:
    return f"{value:#018x}" if isinstance(value, int) else shown(value)


def _bound(args: Args, _: str) -> dict[str, str]:
    keep = _int(args, "keep")
    count = str(keep.bit_count())
    return {"keep_shown": _mask(keep), "keep_count": count, "keep_names": f"{count} of 41"}


def _capabilities(args: Args, _: str) -> dict[str, str]:
    return {f"{kind}_shown": _mask(args.get(kind)) for kind in ("effective", "permitted", "inheritable", "ambient")}


def _seccomp(args: Args, _: str) -> dict[str, str]:
    try:
        program = base64.b64decode(_text(args, "program"))
    except (binascii.Error, ValueError):
        return {}
    return {"program_length": str(len(program) // 8)}  # struct sock_filter has eight bytes


def _hooks(args: Args, _: str) -> dict[str, str]:
    hooks = [hook for hook in _list(args, "hooks") if isinstance(hook, dict)]
    return {"hook_path": ", ".join(shown(hook.get("path")) for hook in hooks)}


def _execute(args: Args, _: str) -> dict[str, str]:
    argv = [str(word) for word in _list(args, "args")]
    line = shlex.join(argv)
    return {
        "program_shown": f'"{argv[0]}"' if argv else "…",
        "args_shown": shown(cast("Json", ", ".join(f'"{word}"' for word in argv))),
        "command_line": shown(line),
        "env_count": str(len(_list(args, "env"))),
    }


_DERIVED: Mapping[str, Callable[[Args, str], dict[str, str]]] = {
    "cgroup.create": _cgroup,
    "cgroup.join": _cgroup,
    "hooks.run": _hooks,
    "namespaces.clone": _clone,
    "namespaces.join": _join,
    "namespaces.enter": _join,
    "idmap.write": _idmap,
    "port.reserve": _port,
    "port.publish": _port,
    "mounts.isolate": _isolate,
    "rootfs.mount": _rootfs,
    "mount.new": _mount,
    "mount.layers": _layers,
    "mount.bind": _bind,
    "mount.cgroup": _cgroup_mount,
    "device.node": _node,
    "user.resolve": _user,
    "route.add": _route,
    "rate.limit": _rate,
    "sysctl.write": _sysctl,
    "uts.hostname": _name,
    "uts.domainname": _name,
    "rlimit.set": _rlimit,
    "capabilities.bound": _bound,
    "capabilities.set": _capabilities,
    "seccomp.install": _seccomp,
    "program.execute": _execute,
}
