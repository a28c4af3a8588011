"""The lines of `.container` and `.pod` units, as a service in short words. Pure."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from hakobu.compose.failure import BadComposeFile, Mark, raise_mistakes
from hakobu.formats.note import Note, UnsupportedField
from hakobu.formats.pod import PAUSE_IMAGE
from hakobu.formats.quadlet.key import (
    EXTENSIONS,
    HEALTH,
    KNOWN,
    LABEL_OPTIONS,
    MANY,
    ONE,
    PAIRS,
    POD,
    PULL,
    REFUSED,
    SECTIONS,
    SWITCHES,
    TOLD,
    WORDS,
)
from hakobu.formats.quadlet.unit import Entry, Unit, split_words
from hakobu.formats.run import RUN_FLAGS, RUN_SWITCHES
from hakobu.spec.step import Json

CONTAINER = "Container"
_MODES = ("host", "none", "bridge")
_TRUE = {"true", "yes", "on", "1"}
_FALSE = {"false", "no", "off", "0"}
_LISTS = frozenset(
    "cap_add cap_drop devices device_cgroup_rules dns dns_opt dns_search expose extra_hosts group_add mounts ports "
    "security_opt tmpfs volumes volumes_from".split()
)
_MAPPINGS = {"environment", "labels", "annotations", "sysctls", "storage_opt"}
_NUMBERS = {
    "cpus": float,
    "cpu_shares": int,
    "cpu_quota": int,
    "cpu_period": int,
    "oom_score_adj": int,
    "pids_limit": int,
}
_ATTRIBUTES = {flag: attribute for attribute, flag in RUN_FLAGS.items()}
_SWITCHED = {flag: attribute for attribute, flag in RUN_SWITCHES.items()}


@dataclass(slots=True)
class ReadContainer:
    """A `.container` unit: the service in short words, how it is on networks, and arguments that nobody knows.

    `raw`: percent signs are left as they stand, for systemd to read.
    """

    unit: Unit
    service: dict[str, Json] = field(default_factory=dict[str, Json])
    networks: dict[str, dict[str, Json]] = field(default_factory=dict[str, dict[str, Json]])
    pod: str = ""
    raw: bool = False
    notify_healthy: bool = False
    unknown_args: list[str] = field(default_factory=list[str])
    notes: list[Note] = field(default_factory=list[Note])


def refused_unit(unit: Unit) -> BadComposeFile | None:
    """The refusal of a unit of another kind, or without its section."""
    if unit.kind not in EXTENSIONS:
        known = ", ".join(f".{name}" for name in EXTENSIONS)
        return BadComposeFile(mark_of(unit), f"is no quadlet that is supported: {unit.name}", hint=f"kinds are {known}")
    if not unit.of(SECTIONS[unit.kind]):
        return BadComposeFile(mark_of(unit), f"has no section [{SECTIONS[unit.kind]}]")
    return None


def mark_of(unit: Unit) -> Mark:
    return unit.entries[0].mark if unit.entries else Mark(unit.name)


def read_container(unit: Unit, *, raw: bool = False) -> ReadContainer:
    """The unit's [Container] section; `BadComposeFile` with all keys that are unknown or refused."""
    read = ReadContainer(unit, raw=raw)
    mistakes: list[BadComposeFile] = []
    for entry in unit.of(CONTAINER):
        if entry.key in REFUSED:
            mistakes.append(UnsupportedField(entry.mark, entry.path, REFUSED[entry.key]))
        elif entry.key not in KNOWN:
            mistakes.append(_unknown(entry, KNOWN))
        elif TOLD.get(entry.key):
            read.notes.append(Note(entry.path, TOLD[entry.key], entry.mark))
        else:
            try:
                _read_entry(entry, read)
            except BadComposeFile as e:
                mistakes.append(e)
    if "image" not in read.service:
        mistakes.append(BadComposeFile(mark_of(unit), "missing key Image", path=CONTAINER))
    raise_mistakes(mistakes)
    return read


def _unknown(entry: Entry, known: Iterable[str]) -> BadComposeFile:
    import difflib

    near = difflib.get_close_matches(entry.key, list(known), 1)
    hint = f"did you mean {near[0]!r}?" if near else ""
    return BadComposeFile(entry.mark, "is no key of a quadlet", path=entry.path, hint=hint)


def read_bool(entry: Entry) -> bool:
    text = entry.value.lower()
    if text not in _TRUE | _FALSE:
        raise BadComposeFile(entry.mark, f"must be true or false; it is {entry.value!r}", path=entry.path)
    return text in _TRUE


def _read_entry(entry: Entry, read: ReadContainer) -> None:
    try:
        _take_entry(entry, read)
    except ValueError as e:
        raise BadComposeFile(entry.mark, f"cannot be {entry.value!r}", path=entry.path) from e


def _take_entry(entry: Entry, read: ReadContainer) -> None:
    key, value, service = entry.key, value_of(entry, read.raw), read.service
    if key in ONE:
        service[ONE[key]] = _one(entry, value)
    elif key in MANY:
        listed = split_words(value) if key in WORDS else [value]
        add_values(service, MANY[key], *listed)
    elif key in PAIRS:
        add_pairs(service, PAIRS[key], split_words(value))
    elif key in SWITCHES:
        service[SWITCHES[key]] = read_bool(entry)
    elif key in HEALTH:
        _health(service, HEALTH[key], value)
    else:
        _read_own(entry, key, value, read)


def value_of(entry: Entry, raw: bool = False) -> str:
    """A value without systemd's doubled percent signs; specifiers are refused where nobody replaces them."""
    if raw:
        return entry.value
    if match := re.search(r"%(.)", entry.value.replace("%%", "")):
        raise UnsupportedField(entry.mark, entry.path, f"%{match[1]} is systemd's to replace; write what it stands for")
    return entry.value.replace("%%", "%")


def _one(entry: Entry, value: str) -> Json:
    if entry.key == "Pull":
        if value not in PULL:
            raise BadComposeFile(entry.mark, f"must be one of {', '.join(PULL)}; it is {value!r}", path=entry.path)
        return PULL[value]
    if entry.key == "PidsLimit":
        return int(value) if value.lstrip("-").isdigit() else value
    return value


def add_values(service: dict[str, Json], attribute: str, *values: str) -> None:
    found = service.setdefault(attribute, [])
    assert isinstance(found, list)
    found.extend(values)


def add_pairs(service: dict[str, Json], attribute: str, words: list[str]) -> None:
    found = service.setdefault(attribute, {})
    assert isinstance(found, dict)
    for word in words:
        name, equals, value = word.partition("=")
        found[name] = value if equals or attribute != "environment" else None


def _health(service: dict[str, Json], name: str, value: str) -> None:
    check = service.setdefault("healthcheck", {})
    assert isinstance(check, dict)
    if name == "test":
        check[name] = _health_test(value)
        if value == "none":
            check["disable"] = True
            del check["test"]
    elif name == "retries":
        check[name] = int(value) if value.isdigit() else value
    elif value != "disable":
        check[name] = value if not value.isdigit() else f"{value}s"


def _health_test(value: str) -> Json:
    if value.startswith("["):
        from hakobu.client.codec import decode

        try:
            words = list[Json](decode(value))
        except ValueError:
            return ["CMD-SHELL", value]
        return words if words[:1] in (["CMD"], ["CMD-SHELL"], ["NONE"]) else ["CMD", *words]
    return ["CMD-SHELL", value]


def _read_own(entry: Entry, key: str, value: str, read: ReadContainer) -> None:
    service = read.service
    if key == "Exec":
        service["command"] = list[Json](split_words(value))
    elif key == "Entrypoint":
        service["entrypoint"] = _entrypoint(value)
    elif key == "Volume":
        add_values(service, "volumes", _volume(value, read.unit.directory))
    elif key == "EnvironmentFile":
        add_values(service, "env_files", _absolute(value, read.unit.directory))
    elif key == "Network":
        _network(entry, value, read)
    elif key in ("NetworkAlias", "IP", "IP6"):
        names = {"NetworkAlias": "aliases", "IP": "ipv4_address", "IP6": "ipv6_address"}
        own = read.networks.setdefault("", {})
        if key == "NetworkAlias":
            own["aliases"] = [*texts_of(own.get("aliases")), value]
        else:
            own[names[key]] = value
    elif key == "Pod":
        read.pod = value.removesuffix(".pod")
    elif key == "Group":
        service["user"] = f"{service.get('user') or 0}:{value}"
    elif key == "Ulimit":
        _ulimit(service, value)
    elif key in ("LogDriver", "LogOpt"):
        _logging(service, key, value)
    elif key == "Notify":
        read.notify_healthy = value == "healthy"
        if value.lower() in _TRUE:
            raise UnsupportedField(entry.mark, entry.path, "a container does not speak to systemd; write healthy")
    elif key == "StopTimeout":
        service["stop_grace_period"] = f"{value}s"
    elif key == "PodmanArgs":
        _podman_args(split_words(value), read)
    else:
        _security(entry, key, value, service)


def texts_of(value: Json) -> list[Json]:
    return [*value] if isinstance(value, list) else []


def _entrypoint(value: str) -> Json:
    if value.startswith("["):
        from hakobu.client.codec import decode

        words = decode(value)
        if not isinstance(words, list):
            raise ValueError(value)
        return [*words]
    return [value]


def _absolute(path: str, directory: str) -> str:
    return os.path.normpath(os.path.join(directory or ".", path)) if path.startswith(".") else path


def _volume(value: str, directory: str) -> str:
    source, colon, rest = value.partition(":")
    return f"{_absolute(source, directory)}:{rest}" if colon else value


def _network(entry: Entry, value: str, read: ReadContainer) -> None:
    name, _, options = value.partition(":")
    if name == "container" or name in _MODES:
        read.service["network_mode"] = value if name == "container" else name
        return
    if name.endswith(".container"):
        read.service["network_mode"] = f"service:{name.removesuffix('.container')}"
        return
    if name in ("slirp4netns", "pasta", "private", "ns"):
        raise UnsupportedField(entry.mark, entry.path, f"{name}: networks are the engine's")
    attachment = read.networks.setdefault(name, {})
    keys = {"ip": "ipv4_address", "ip6": "ipv6_address", "mac": "mac_address", "interface_name": "interface_name"}
    for option in options.split(",") if options else ():
        key, _, text = option.partition("=")
        if key == "alias":
            attachment["aliases"] = [*texts_of(attachment.get("aliases")), text]
        elif key in keys:
            attachment["ipv6_address" if key == "ip" and ":" in text else keys[key]] = text
        else:
            raise UnsupportedField(entry.mark, entry.path, f"option {key!r} of a network")


def _ulimit(service: dict[str, Json], value: str) -> None:
    name, _, limits = value.partition("=")
    soft, _, hard = limits.partition(":")
    found = service.setdefault("ulimits", {})
    assert isinstance(found, dict)
    found[name] = {"soft": int(soft), "hard": int(hard or soft)}


def _logging(service: dict[str, Json], key: str, value: str) -> None:
    found = service.setdefault("logging", {})
    assert isinstance(found, dict)
    if key == "LogDriver":
        found["driver"] = {"k8s-file": "json-file", "passthrough": "json-file"}.get(value, value)
        return
    options = found.setdefault("options", {})
    assert isinstance(options, dict)
    name, _, text = value.partition("=")
    options[name] = text


def _security(entry: Entry, key: str, value: str, service: dict[str, Json]) -> None:
    if key == "NoNewPrivileges":
        if read_bool(entry):
            add_values(service, "security_opt", "no-new-privileges:true")
    elif key == "SeccompProfile":
        add_values(service, "security_opt", f"seccomp={value}")
    elif key == "AppArmor":
        add_values(service, "security_opt", f"apparmor={value}")
    elif key == "SecurityLabelDisable":
        if read_bool(entry):
            add_values(service, "security_opt", "label=disable")
    elif key in LABEL_OPTIONS:
        add_values(service, "security_opt", f"{LABEL_OPTIONS[key]}{value}")
    elif key == "SecurityLabelNested" and read_bool(entry):
        raise UnsupportedField(entry.mark, entry.path, "labels are not nested")


def _podman_args(words: list[str], read: ReadContainer) -> None:
    """Flags that `docker run` has too."""
    rest = list(words)
    while rest:
        flag, equals, value = rest.pop(0).partition("=")
        if flag in _SWITCHED and not equals:
            read.service[_SWITCHED[flag]] = True
        elif flag in _ATTRIBUTES and (equals or rest):
            _set(read.service, _ATTRIBUTES[flag], value if equals else rest.pop(0))
        elif flag == "--security-opt" and (equals or rest):
            add_values(read.service, "security_opt", value if equals else rest.pop(0))
        else:
            read.unknown_args.append(flag + equals + value)


def _set(service: dict[str, Json], attribute: str, value: str) -> None:
    if attribute in _LISTS:
        add_values(service, attribute, value)
    elif attribute in _MAPPINGS:
        add_pairs(service, attribute, [value])
    elif attribute in _NUMBERS and re.fullmatch(r"-?[0-9.]+", value):
        service[attribute] = _NUMBERS[attribute](value)
    else:
        service[attribute] = value


def read_pod(unit: Unit, *, raw: bool = False) -> ReadContainer:
    """A `.pod` unit as its pause container."""
    read = ReadContainer(unit, {"image": PAUSE_IMAGE, "ipc": "shareable", "stop_signal": "SIGKILL"}, raw=raw)
    mistakes: list[BadComposeFile] = []
    for entry in unit.of("Pod"):
        value = value_of(entry, raw)
        if entry.key not in POD:
            refusal = "is not supported of a pod" if entry.key in KNOWN else "is no key of a pod"
            mistakes.append(BadComposeFile(entry.mark, refusal, path=entry.path))
        elif entry.key in ("Network", "NetworkAlias", "IP", "IP6", "PodmanArgs", "StopTimeout", "Volume"):
            _read_own(entry, entry.key, value, read)
        elif entry.key == "Label":
            add_pairs(read.service, "labels", split_words(value))
        elif POD[entry.key] in _LISTS:
            add_values(read.service, POD[entry.key], value)
        elif POD[entry.key]:
            read.service[POD[entry.key]] = value
    raise_mistakes(mistakes)
    return read
