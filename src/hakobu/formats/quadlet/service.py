"""Quadlet units as systemd services that drive this program. Pure.

A container's service creates it, starts it attached, so that its output is the journal's and its end the service's, and
removes it afterwards; with `Notify=healthy` the service counts as started when the container is healthy. Networks and
volumes are made once and stay. Values keep their `%` specifiers, which systemd replaces in its command lines.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from hakobu.compose.failure import BadComposeFile
from hakobu.formats.note import Note, UnsupportedField
from hakobu.formats.pod import ANCHOR_SUFFIX
from hakobu.formats.quadlet.entry import ReadContainer, read_bool, read_container, read_pod, refused_unit
from hakobu.formats.quadlet.key import KUBE, SECTIONS, VOLUME_OPTIONS
from hakobu.formats.quadlet.reader import default_name
from hakobu.formats.quadlet.unit import Unit, UnitText, escape_percent, quote_word, split_words
from hakobu.formats.run import grace_s, run_words
from hakobu.spec.step import Json

_SUFFIXES = {"container": "", "kube": "", "network": "-network", "volume": "-volume", "pod": "-pod"}
_STOP_SLACK_S = 15
_OWN_TYPE = ("notify", "forking", "dbus")


@dataclass(frozen=True, slots=True)
class Program:
    """The words every command line begins with: the program's absolute path, and which engine it speaks to."""

    argv: tuple[str, ...]

    def line(self, *words: str) -> str:
        """A command line as systemd reads it: `$` is no variable's, `%` begins a specifier."""
        return " ".join(quote_word(word).replace("$", "$$") for word in (*self.argv, *words))


@dataclass(slots=True)
class Service:
    """`name` is the service's, `web.service`; `wanted_by` and the like come from [Install]."""

    name: str
    source: str
    text: str
    links: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    notes: list[Note] = field(default_factory=list[Note])


def service_name(unit: Unit) -> str:
    """`web.service`, `data-volume.service`; or what ServiceName= says."""
    own = unit.last(SECTIONS[unit.kind], "ServiceName")
    return f"{own or unit.stem + _SUFFIXES[unit.kind]}.service"


def object_name(unit: Unit) -> str:
    """What the engine calls the unit's container, network, volume or pod."""
    keys = {"container": "ContainerName", "network": "NetworkName", "volume": "VolumeName", "pod": "PodName"}
    own = unit.last(SECTIONS[unit.kind], keys[unit.kind])
    return own or default_name(unit.name)


def make_service(unit: Unit, units: Mapping[str, Unit], program: Program) -> Service:
    """The service of a unit; `BadComposeFile` names what is wrong with it."""
    if refusal := refused_unit(unit):
        raise refusal
    text = UnitText()
    source = f"{unit.directory}/{unit.name}" if unit.directory else unit.name
    made = Service(service_name(unit), source, "")
    _pass_on(unit, text, "Unit", ())
    if not unit.values("Unit", "Description"):
        text.add("Unit", "Description", escape_percent(f"{unit.name} by hakobu"))
    text.add("Unit", "SourcePath", escape_percent(source))
    text.add("Unit", "Wants", "network-online.target")
    text.add("Unit", "After", "network-online.target")
    _MAKERS[unit.kind](unit, units, program, text, made)
    _pass_on(unit, text, "Install", ())
    made.links = [*_links(unit, made.name)]
    made.text = f"# Made by `hakobu quadlet install` of {source}\n{text}"
    return made


def _pass_on(unit: Unit, text: UnitText, section: str, besides: tuple[str, ...]) -> None:
    for entry in unit.of(section):
        if entry.key not in besides:
            text.add(section, entry.key, entry.value)


def _links(unit: Unit, name: str) -> Iterator[tuple[str, str]]:
    """What `systemctl enable` would link: folder below systemd's, and name."""
    for key, suffix in (("WantedBy", "wants"), ("RequiredBy", "requires"), ("UpheldBy", "upholds")):
        for value in unit.values("Install", key):
            for target in value.split():
                yield f"{target}.{suffix}", name
    for value in unit.values("Install", "Alias"):
        for alias in value.split():
            yield "", alias


def _needs(text: UnitText, service: str, *, bound: bool = False) -> None:
    text.add("Unit", "BindsTo" if bound else "Requires", service)
    text.add("Unit", "After", service)


def _other(reference: str, units: Mapping[str, Unit]) -> tuple[str, str]:
    """Service and engine's name of a unit that is named by its file; it may be installed already."""
    if unit := units.get(reference):
        return service_name(unit), object_name(unit)
    stem, _, kind = reference.rpartition(".")
    return f"{stem}{_SUFFIXES[kind]}.service", default_name(reference)


def _container(unit: Unit, units: Mapping[str, Unit], program: Program, text: UnitText, made: Service) -> None:
    read = read_container(unit, raw=True)
    made.notes += read.notes
    name = object_name(unit)
    _run_in_service(unit, read, name, units, program, text)
    if read.notify_healthy:
        text.add("Service", "ExecStartPost", program.line("wait", "--condition", "healthy", name))


def _run_in_service(
    unit: Unit, read: ReadContainer, name: str, units: Mapping[str, Unit], program: Program, text: UnitText
) -> None:
    """The lines that create, start, stop and remove a container."""
    words = _create_words(read, name, units, text)
    kind = unit.last("Service", "Type")
    _pass_on(unit, text, "Service", ("Type",))
    text.add("Service", "Type", "exec" if not kind or kind in _OWN_TYPE else kind)
    if not unit.values("Service", "SuccessExitStatus"):
        text.add("Service", "SuccessExitStatus", "137 143" if unit.kind == "pod" else "143")
    if not unit.values("Service", "TimeoutStopSec"):
        grace = read.service.get("stop_grace_period")
        text.add("Service", "TimeoutStopSec", str(_STOP_SLACK_S + (grace_s(grace) if isinstance(grace, str) else 10)))
    text.add("Service", "ExecStartPre", f"-{program.line('rm', '--force', name)}")
    text.add("Service", "ExecStartPre", program.line("create", *words))
    text.add("Service", "ExecStart", program.line("start", "--attach", name))
    text.add("Service", "ExecStop", program.line("stop", name))
    text.add("Service", "ExecStopPost", f"-{program.line('rm', '--force', '--volumes', name)}")


def _create_words(read: ReadContainer, name: str, units: Mapping[str, Unit], text: UnitText) -> list[str]:
    """The words behind `create`, with the names of other units' objects, whose services are required."""
    service: dict[str, Json] = {**read.service, "container_name": name}
    service.pop("restart", None)
    if read.pod:
        pod_service, pod = _other(f"{read.pod}.pod", units)
        _needs(text, pod_service, bound=True)
        service["network_mode"] = f"container:{pod}{ANCHOR_SUFFIX}"
        service.setdefault("ipc", f"container:{pod}{ANCHOR_SUFFIX}")
    mode = str(service.get("network_mode") or "")
    if mode.startswith("service:"):
        other_service, other = _other(f"{mode.removeprefix('service:')}.container", units)
        _needs(text, other_service, bound=True)
        service["network_mode"] = f"container:{other}"
    if "network_mode" not in service and any(read.networks):
        service["networks"] = [_network_words(n, read, units, text) for n in read.networks if n]
    for key in ("volumes", "mounts"):
        if isinstance(mounts := service.get(key), list):
            service[key] = [_mount_words(str(mount), units, text) for mount in mounts]
    return [*read.unknown_args, *run_words(service)]


def _network_words(name: str, read: ReadContainer, units: Mapping[str, Unit], text: UnitText) -> str:
    said = {**read.networks.get("", {}), **read.networks[name]}
    aliases = [str(a) for own in (read.networks.get("", {}), read.networks[name]) for a in _listed(own.get("aliases"))]
    engine_name = name
    if name.endswith(".network"):
        service, engine_name = _other(name, units)
        _needs(text, service)
    keys = {"ipv4_address": "ip", "ipv6_address": "ip6", "mac_address": "mac-address"}
    words = [f"{option}={said[key]}" for key, option in keys.items() if said.get(key)]
    words += [f"alias={alias}" for alias in dict.fromkeys([read.unit.stem, *aliases])]
    return ",".join([f"name={engine_name}", *words])


def _listed(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _mount_words(mount: str, units: Mapping[str, Unit], text: UnitText) -> str:
    """A mount whose source may be another unit's volume."""
    words = mount.replace("source=", "source=\0").split("\0") if "source=" in mount else ["", mount]
    head, rest = words[0], words[-1]
    end = min((i for i in (rest.find(":"), rest.find(",")) if i >= 0), default=len(rest))
    source = rest[:end]
    if not source.endswith(".volume"):
        return mount
    service, name = _other(source, units)
    _needs(text, service)
    return f"{head}{name}{rest[end:]}"


def _once(unit: Unit, text: UnitText) -> None:
    """A service that does something once and then counts as running."""
    _pass_on(unit, text, "Service", ("Type", "RemainAfterExit"))
    text.add("Service", "Type", "oneshot")
    text.add("Service", "RemainAfterExit", "yes")


def _network(unit: Unit, units: Mapping[str, Unit], program: Program, text: UnitText, made: Service) -> None:
    name = object_name(unit)
    words: list[str] = []
    plain = {"Driver": "--driver", "Subnet": "--subnet", "Gateway": "--gateway", "IPRange": "--ip-range"}
    plain |= {"IPAMDriver": "--ipam-driver"}
    for entry in unit.of("Network"):
        if entry.key in plain:
            words += [plain[entry.key], entry.value]
        elif entry.key in ("Label", "Options"):
            flag = "--label" if entry.key == "Label" else "--opt"
            words += [word for value in split_words(entry.value) for word in (flag, value)]
        elif entry.key in ("Internal", "IPv6"):
            words += [f"--{entry.key.lower()}"] if read_bool(entry) else []
        elif entry.key == "PodmanArgs":
            words += split_words(entry.value)
        elif entry.key == "DisableDNS" and not read_bool(entry):
            pass
        elif entry.key not in ("NetworkName", "ServiceName"):
            raise UnsupportedField(entry.mark, entry.path, "a network of the engine's has no such thing")
    _once(unit, text)
    text.add("Service", "ExecStart", _unless_there(program, "network", name, words))


def _volume(unit: Unit, units: Mapping[str, Unit], program: Program, text: UnitText, made: Service) -> None:
    name = object_name(unit)
    words: list[str] = []
    for entry in unit.of("Volume"):
        if entry.key in VOLUME_OPTIONS:
            words += ["--opt", f"{VOLUME_OPTIONS[entry.key]}={entry.value}"]
        elif entry.key == "Driver":
            words += ["--driver", entry.value]
        elif entry.key == "Label":
            words += [word for value in split_words(entry.value) for word in ("--label", value)]
        elif entry.key == "PodmanArgs":
            words += split_words(entry.value)
        elif entry.key not in ("VolumeName", "ServiceName"):
            raise UnsupportedField(entry.mark, entry.path, "a volume of the engine's has no such thing")
    _once(unit, text)
    text.add("Service", "ExecStart", _unless_there(program, "volume", name, words))


def _unless_there(program: Program, kind: str, name: str, words: list[str]) -> str:
    """A command line that makes a network or volume where there is none of the name."""
    import shlex

    look = shlex.join([*program.argv, kind, "inspect", name])
    make = shlex.join([*program.argv, kind, "create", *words, name])
    return Program(("/bin/sh",)).line("-c", f"{look} >/dev/null 2>&1 || exec {make}")


def _pod(unit: Unit, units: Mapping[str, Unit], program: Program, text: UnitText, made: Service) -> None:
    """The pod's anchor; containers of the pod are bound to this service."""
    read = read_pod(unit, raw=True)
    name = f"{object_name(unit)}{ANCHOR_SUFFIX}"
    text.add("Service", "ExecStartPre", program.line("kube", "pause-image"))
    _run_in_service(unit, read, name, units, program, text)


def _kube(unit: Unit, units: Mapping[str, Unit], program: Program, text: UnitText, made: Service) -> None:
    for entry in unit.of("Kube"):
        if entry.key not in KUBE:
            raise UnsupportedField(entry.mark, entry.path, "`kube play` has no such option")
        if entry.key in ("AutoUpdate", "GlobalArgs"):
            made.notes.append(Note(entry.path, "it is Podman's", entry.mark))
    files = unit.values("Kube", "Yaml")
    if len(files) != 1:
        raise BadComposeFile(unit.entries[0].mark, "needs one Yaml=", path="Kube.Yaml")
    yaml = _placed(files[0], unit.directory)
    maps = [_placed(file, unit.directory) for file in unit.values("Kube", "ConfigMap")]
    options = [word for file in maps for word in ("--configmap", file)]
    more = [word for value in unit.values("Kube", "PodmanArgs") for word in split_words(value)]
    force = ["--force"] if unit.last("Kube", "KubeDownForce") == "true" else []
    _once(unit, text)
    text.add("Service", "ExecStart", program.line("kube", "play", "--replace", *options, *more, yaml))
    text.add("Service", "ExecStop", program.line("kube", "down", *force, *options, yaml))


def _placed(path: str, directory: str) -> str:
    """A path as the unit's file means it."""
    return path if path.startswith(("/", "%")) else f"{directory}/{path.removeprefix('./')}"


_MAKERS = {"container": _container, "network": _network, "volume": _volume, "pod": _pod, "kube": _kube}
