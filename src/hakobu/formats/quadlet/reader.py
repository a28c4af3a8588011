"""Quadlet units as documents of services, networks and volumes. Pure.

A name that ends in `.network`, `.volume`, `.pod` or `.container` is another unit's; where that unit is not among those
read, its engine's name is the one that its own unit would give it by default.
"""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hakobu.compose.failure import BadComposeFile, Mark, raise_mistakes
from hakobu.formats.document import joined
from hakobu.formats.note import Note, UnsupportedField
from hakobu.formats.pod import ANCHOR_SUFFIX, PAUSE_IMAGE
from hakobu.formats.quadlet.key import (
    EXTENSIONS,
    HEALTH,
    KNOWN,
    LABEL_OPTIONS,
    MANY,
    NETWORK,
    ONE,
    PAIRS,
    POD,
    POOLS,
    PULL,
    REFUSED,
    SECTIONS,
    SWITCHES,
    TOLD,
    VOLUME,
    VOLUME_OPTIONS,
    WORDS,
)
from hakobu.formats.quadlet.unit import Entry, Unit, split_words
from hakobu.formats.run import RUN_FLAGS, RUN_SWITCHES
from hakobu.spec.step import Json

_CONTAINER = "Container"
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
        return BadComposeFile(_mark(unit), f"is no quadlet that is supported: {unit.name}", hint=f"kinds are {known}")
    if not unit.of(SECTIONS[unit.kind]):
        return BadComposeFile(_mark(unit), f"has no section [{SECTIONS[unit.kind]}]")
    return None


def _mark(unit: Unit) -> Mark:
    return unit.entries[0].mark if unit.entries else Mark(unit.name)


def read_container(unit: Unit, *, raw: bool = False) -> ReadContainer:
    """The unit's [Container] section; `BadComposeFile` with all keys that are unknown or refused."""
    read = ReadContainer(unit, raw=raw)
    mistakes: list[BadComposeFile] = []
    for entry in unit.of(_CONTAINER):
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
        mistakes.append(BadComposeFile(_mark(unit), "missing key Image", path=_CONTAINER))
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
    key, value, service = entry.key, _value(entry, read.raw), read.service
    if key in ONE:
        service[ONE[key]] = _one(entry, value)
    elif key in MANY:
        listed = split_words(value) if key in WORDS else [value]
        _append(service, MANY[key], *listed)
    elif key in PAIRS:
        _pairs(service, PAIRS[key], split_words(value))
    elif key in SWITCHES:
        service[SWITCHES[key]] = read_bool(entry)
    elif key in HEALTH:
        _health(service, HEALTH[key], value)
    else:
        _read_own(entry, key, value, read)


def _value(entry: Entry, raw: bool = False) -> str:
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


def _append(service: dict[str, Json], attribute: str, *values: str) -> None:
    found = service.setdefault(attribute, [])
    assert isinstance(found, list)
    found.extend(values)


def _pairs(service: dict[str, Json], attribute: str, words: list[str]) -> None:
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
        _append(service, "volumes", _volume(value, read.unit.directory))
    elif key == "EnvironmentFile":
        _append(service, "env_files", _absolute(value, read.unit.directory))
    elif key == "Network":
        _network(entry, value, read)
    elif key in ("NetworkAlias", "IP", "IP6"):
        names = {"NetworkAlias": "aliases", "IP": "ipv4_address", "IP6": "ipv6_address"}
        own = read.networks.setdefault("", {})
        if key == "NetworkAlias":
            own["aliases"] = [*_texts(own.get("aliases")), value]
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


def _texts(value: Json) -> list[Json]:
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
            attachment["aliases"] = [*_texts(attachment.get("aliases")), text]
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
            _append(service, "security_opt", "no-new-privileges:true")
    elif key == "SeccompProfile":
        _append(service, "security_opt", f"seccomp={value}")
    elif key == "AppArmor":
        _append(service, "security_opt", f"apparmor={value}")
    elif key == "SecurityLabelDisable":
        if read_bool(entry):
            _append(service, "security_opt", "label=disable")
    elif key in LABEL_OPTIONS:
        _append(service, "security_opt", f"{LABEL_OPTIONS[key]}{value}")
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
            _append(read.service, "security_opt", value if equals else rest.pop(0))
        else:
            read.unknown_args.append(flag + equals + value)


def _set(service: dict[str, Json], attribute: str, value: str) -> None:
    if attribute in _LISTS:
        _append(service, attribute, value)
    elif attribute in _MAPPINGS:
        _pairs(service, attribute, [value])
    elif attribute in _NUMBERS and re.fullmatch(r"-?[0-9.]+", value):
        service[attribute] = _NUMBERS[attribute](value)
    else:
        service[attribute] = value


def read_units(units: Iterable[Unit]) -> tuple[dict[str, Json], list[Note]]:
    """All units together as one Compose file; what it does not say."""
    by_name = {unit.name: unit for unit in units}
    raise_mistakes([refusal for unit in by_name.values() if (refusal := refused_unit(unit))])
    document: dict[str, Json] = {}
    sections: dict[str, dict[str, Json]] = {"services": {}, "networks": {}, "volumes": {}}
    notes: list[Note] = []
    mistakes: list[BadComposeFile] = []
    for unit in by_name.values():
        try:
            _READERS[unit.kind](unit, by_name, sections, notes)
        except BadComposeFile as e:
            mistakes.append(e)
    raise_mistakes(mistakes)
    document |= {key: dict[str, Json](value) for key, value in sections.items() if value or key == "services"}
    return document, notes


def default_name(unit: str) -> str:
    """What a network or volume is called whose unit gives it no name."""
    return f"systemd-{unit.rpartition('.')[0]}"


def _container(unit: Unit, units: Mapping[str, Unit], sections: dict[str, dict[str, Json]], notes: list[Note]) -> None:
    read = read_container(unit)
    notes += read.notes
    notes += [Note(f"{_CONTAINER}.PodmanArgs", f"{word} is not known", _mark(unit)) for word in read.unknown_args]
    service = dict(read.service)
    mounts = [_named_volume(text, units, sections) for text in _texts(service.pop("volumes", []))]
    mounts += [_long_mount(str(text), sections) for text in _texts(service.pop("mounts", []))]
    if mounts:
        service["volumes"] = mounts
    if files := service.pop("env_files", None):
        service["env_file"] = [{"path": path, "format": "raw"} for path in _texts(files)]
    service |= _placed(read, units, sections)
    service |= _relations(unit, units, notes)
    sections["services"][unit.stem] = service


def _placed(read: ReadContainer, units: Mapping[str, Unit], sections: dict[str, dict[str, Json]]) -> dict[str, Json]:
    """Which networks the container is on, or whose."""
    if read.pod:
        anchor = f"{read.pod}{ANCHOR_SUFFIX}"
        return {"network_mode": f"service:{anchor}", "ipc": f"service:{anchor}"}
    if "network_mode" in read.service:
        return {}
    common = read.networks.get("", {})
    own_name = read.unit.stem if read.unit.kind == "container" else ""  # a service has its name anyway
    networks: dict[str, Json] = {}
    for name, own in read.networks.items():
        if name:
            key = _network_key(name, units, sections)
            aliases = [a for a in (*_texts(common.get("aliases")), *_texts(own.get("aliases"))) if a != own_name]
            merged = {**common, **own, "aliases": aliases}
            networks[key] = {k: v for k, v in merged.items() if v} or None
    return {"networks": networks} if networks else {"network_mode": "bridge"}


def _network_key(name: str, units: Mapping[str, Unit], sections: dict[str, dict[str, Json]]) -> str:
    if not name.endswith(".network"):
        sections["networks"].setdefault(name, {"name": name, "external": True})
        return name
    key = name.removesuffix(".network")
    if name not in units:
        sections["networks"].setdefault(key, {"name": default_name(name), "external": True})
    return key


def _named_volume(text: Json, units: Mapping[str, Unit], sections: dict[str, dict[str, Json]]) -> Json:
    source, colon, rest = str(text).partition(":")
    if not colon or source.startswith("/"):
        return text
    key = source.removesuffix(".volume")
    if key == source:
        sections["volumes"].setdefault(key, {"name": key, "external": True})
    elif source not in units:
        sections["volumes"].setdefault(key, {"name": default_name(source), "external": True})
    return f"{key}:{rest}"


def _long_mount(text: str, sections: dict[str, dict[str, Json]]) -> Json:
    """`--mount`'s words as a mount of a Compose file."""
    words = {key: value for key, _, value in (word.partition("=") for word in text.split(","))}
    kind = words.get("type", "volume")
    source = words.get("source") or words.get("src") or ""
    document: dict[str, Json] = {
        "type": kind,
        "target": words.get("target") or words.get("destination") or words.get("dst"),
    }
    if source:
        document["source"] = source.removesuffix(".volume")
    if kind == "volume" and source:
        sections["volumes"].setdefault(str(document["source"]), {"name": source, "external": True})
    if {"readonly", "ro"} & {*words}:
        document["read_only"] = True
    options: dict[str, Json] = {}
    if subpath := words.get(f"{kind}-subpath") or words.get("subpath"):
        options["subpath"] = subpath
    if "volume-nocopy" in words:
        options["nocopy"] = True
    if "tmpfs-size" in words:
        options["size"] = words["tmpfs-size"]
    if "tmpfs-mode" in words:
        mode = words["tmpfs-mode"]
        options["mode"] = int(mode, 8) if re.fullmatch("[0-7]+", mode) else mode
    return joined(document, {kind: options} if options else {})


_REQUIRE = {"Requires": {}, "BindsTo": {"restart": True}, "Wants": {"required": False}}
_UNIT_SAID = {"Description", "After", *_REQUIRE, "Documentation", "SourcePath", "PartOf"}
_SERVICE_SAID = {"Restart", "Type", "RemainAfterExit", "TimeoutStartSec", "TimeoutStopSec", "RestartSec"}


def _relations(unit: Unit, units: Mapping[str, Unit], notes: list[Note]) -> dict[str, Json]:
    """`depends_on` and `restart`, of [Unit] and [Service]; what else these say is noted."""
    found: dict[str, Json] = {}
    for entry in unit.of("Unit"):
        if entry.key in _REQUIRE:
            for name in entry.value.split():
                other = units.get(f"{name.removesuffix('.service')}.container")
                if other is None:
                    notes.append(Note(entry.path, f"{name} is no container of these units", entry.mark))
                else:
                    found[other.stem] = {"condition": _condition(other), **_REQUIRE[entry.key]}
        elif entry.key not in _UNIT_SAID:
            notes.append(Note(entry.path, "is systemd's alone", entry.mark))
    service: dict[str, Json] = {"depends_on": found} if found else {}
    for entry in unit.of("Service"):
        if entry.key == "Restart":
            policies = {"no": "no", "always": "always", "on-failure": "on-failure"}
            service["restart"] = policies.get(entry.value, "on-failure")
            if entry.value not in policies:
                notes.append(Note(entry.path, f"{entry.value} becomes on-failure", entry.mark))
        elif entry.key not in _SERVICE_SAID:
            notes.append(Note(entry.path, "is systemd's alone", entry.mark))
    for entry in unit.of("Install"):
        if (entry.key, entry.value) not in (("WantedBy", "default.target"), ("WantedBy", "multi-user.target")):
            notes.append(Note(entry.path, "is systemd's alone", entry.mark))
    return service


def _condition(unit: Unit) -> str:
    if unit.last("Service", "Type") == "oneshot":
        return "service_completed_successfully"
    return "service_healthy" if unit.last(_CONTAINER, "Notify") == "healthy" else "service_started"


def _resource(
    unit: Unit, section: str, keys: Mapping[str, str], others: Iterable[str], notes: list[Note]
) -> dict[str, Json]:
    """A network's or volume's document by the table; keys that nothing reads are noted."""
    document: dict[str, Json] = {"name": default_name(unit.name)}
    for entry in unit.of(section):
        value = _value(entry)
        name = keys.get(entry.key, "")
        if name in ("labels", "driver_opts"):
            _pairs(document, name, split_words(value))
        elif name in ("internal", "enable_ipv6"):
            document[name] = read_bool(entry)
        elif name:
            document[name] = value
        elif entry.key not in others:
            notes.append(Note(entry.path, "has no word in a Compose file", entry.mark))
    return document


def _network_unit(
    unit: Unit, units: Mapping[str, Unit], sections: dict[str, dict[str, Json]], notes: list[Note]
) -> None:
    document = _resource(unit, "Network", NETWORK, {*POOLS, "IPAMDriver", "ServiceName"}, notes)
    lists = {name: unit.values("Network", key) for key, name in POOLS.items()}
    count = max(map(len, lists.values()))
    pools: list[Json] = [{name: some[i] for name, some in lists.items() if i < len(some)} for i in range(count)]
    driver = unit.last("Network", "IPAMDriver")
    ipam = joined({"driver": driver} if driver else {}, {"config": pools} if pools else {})
    sections["networks"][unit.stem] = joined(document, {"ipam": ipam} if ipam else {})


def _volume_unit(
    unit: Unit, units: Mapping[str, Unit], sections: dict[str, dict[str, Json]], notes: list[Note]
) -> None:
    document = _resource(unit, "Volume", VOLUME, {*VOLUME_OPTIONS, "ServiceName"}, notes)
    options: dict[str, Json] = {}
    for key, name in VOLUME_OPTIONS.items():
        if value := unit.last("Volume", key):
            options[name] = value
    sections["volumes"][unit.stem] = joined(document, {"driver_opts": options} if options else {})


def read_pod(unit: Unit, *, raw: bool = False) -> ReadContainer:
    """A `.pod` unit as its pause container."""
    read = ReadContainer(unit, {"image": PAUSE_IMAGE, "ipc": "shareable", "stop_signal": "SIGKILL"}, raw=raw)
    mistakes: list[BadComposeFile] = []
    for entry in unit.of("Pod"):
        value = _value(entry, raw)
        if entry.key not in POD:
            refusal = "is not supported of a pod" if entry.key in KNOWN else "is no key of a pod"
            mistakes.append(BadComposeFile(entry.mark, refusal, path=entry.path))
        elif entry.key in ("Network", "NetworkAlias", "IP", "IP6", "PodmanArgs", "StopTimeout", "Volume"):
            _read_own(entry, entry.key, value, read)
        elif entry.key == "Label":
            _pairs(read.service, "labels", split_words(value))
        elif POD[entry.key] in _LISTS:
            _append(read.service, POD[entry.key], value)
        elif POD[entry.key]:
            read.service[POD[entry.key]] = value
    raise_mistakes(mistakes)
    return read


def _pod_unit(unit: Unit, units: Mapping[str, Unit], sections: dict[str, dict[str, Json]], notes: list[Note]) -> None:
    read = read_pod(unit)
    service = dict(read.service)
    if mounts := [_named_volume(text, units, sections) for text in _texts(service.pop("volumes", []))]:
        service["volumes"] = mounts
    service |= {"pull_policy": "never", "restart": "always", **_placed(read, units, sections)}
    sections["services"][f"{unit.stem}{ANCHOR_SUFFIX}"] = service


def _kube_unit(unit: Unit, units: Mapping[str, Unit], sections: dict[str, dict[str, Json]], notes: list[Note]) -> None:
    yaml = unit.last("Kube", "Yaml", "its Yaml=")
    raise UnsupportedField(_mark(unit), unit.name, f"convert {yaml} itself")


_READERS = {
    "container": _container,
    "network": _network_unit,
    "volume": _volume_unit,
    "pod": _pod_unit,
    "kube": _kube_unit,
}
