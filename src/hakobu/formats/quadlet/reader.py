"""Quadlet units as documents of services, networks and volumes. Pure.

A name that ends in `.network`, `.volume`, `.pod` or `.container` is another unit's; where that unit is not among those
read, its engine's name is the one that its own unit would give it by default.
"""

import re
from collections.abc import Iterable, Mapping

from hakobu.compose.failure import BadComposeFile, raise_mistakes
from hakobu.formats.document import joined
from hakobu.formats.note import Note, UnsupportedField
from hakobu.formats.pod import ANCHOR_SUFFIX
from hakobu.formats.quadlet.entry import (
    CONTAINER,
    ReadContainer,
    add_pairs,
    mark_of,
    read_bool,
    read_container,
    read_pod,
    refused_unit,
    texts_of,
    value_of,
)
from hakobu.formats.quadlet.key import (
    NETWORK,
    POOLS,
    VOLUME,
    VOLUME_OPTIONS,
)
from hakobu.formats.quadlet.unit import Unit, split_words
from hakobu.spec.step import Json


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
    notes += [Note(f"{CONTAINER}.PodmanArgs", f"{word} is not known", mark_of(unit)) for word in read.unknown_args]
    service = dict(read.service)
    mounts = [_named_volume(text, units, sections) for text in texts_of(service.pop("volumes", []))]
    mounts += [_long_mount(str(text), sections) for text in texts_of(service.pop("mounts", []))]
    if mounts:
        service["volumes"] = mounts
    if files := service.pop("env_files", None):
        service["env_file"] = [{"path": path, "format": "raw"} for path in texts_of(files)]
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
            aliases = [a for a in (*texts_of(common.get("aliases")), *texts_of(own.get("aliases"))) if a != own_name]
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
    return "service_healthy" if unit.last(CONTAINER, "Notify") == "healthy" else "service_started"


def _resource(
    unit: Unit, section: str, keys: Mapping[str, str], others: Iterable[str], notes: list[Note]
) -> dict[str, Json]:
    """A network's or volume's document by the table; keys that nothing reads are noted."""
    document: dict[str, Json] = {"name": default_name(unit.name)}
    for entry in unit.of(section):
        value = value_of(entry)
        name = keys.get(entry.key, "")
        if name in ("labels", "driver_opts"):
            add_pairs(document, name, split_words(value))
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


def _pod_unit(unit: Unit, units: Mapping[str, Unit], sections: dict[str, dict[str, Json]], notes: list[Note]) -> None:
    read = read_pod(unit)
    service = dict(read.service)
    if mounts := [_named_volume(text, units, sections) for text in texts_of(service.pop("volumes", []))]:
        service["volumes"] = mounts
    service |= {"pull_policy": "never", "restart": "always", **_placed(read, units, sections)}
    sections["services"][f"{unit.stem}{ANCHOR_SUFFIX}"] = service


def _kube_unit(unit: Unit, units: Mapping[str, Unit], sections: dict[str, dict[str, Json]], notes: list[Note]) -> None:
    yaml = unit.last("Kube", "Yaml", "its Yaml=")
    raise UnsupportedField(mark_of(unit), unit.name, f"convert {yaml} itself")


_READERS = {
    "container": _container,
    "network": _network_unit,
    "volume": _volume_unit,
    "pod": _pod_unit,
    "kube": _kube_unit,
}
