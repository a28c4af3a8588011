"""What has changed in a service's configuration since its container was made, in the words of the Compose file. Pure.

A hash only says that something is different. What, is found by holding the body that would be sent now against what
the engine keeps of the container; what the engine or the image filled in is no change.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from hakobu.client.codec import list_of, object_of
from hakobu.compose.label import PREFIX

_Document: TypeAlias = "Mapping[str, Any]"
_Facts: TypeAlias = "dict[str, str]"
_SHOWN = 60
_FILLED = ("memswap_limit", "runtime", "init", "security_opt", "network_mode", "stop_grace_period")
"""What the engine puts in by itself."""


def changes(wanted: _Document, made: _Document, image: _Document) -> tuple[str, ...]:
    """`environment.DEBUG 0 → 1` and the like; `made` is the container's inspection, `image` its image's `Config`."""
    now = dict(_facts(wanted))
    before = dict(_facts({**made["Config"], "HostConfig": made["HostConfig"]}))
    filled = {**dict(_facts(image)), **{name: before[name] for name in _FILLED if name in before}}
    for name, value in filled.items():
        if name not in now and before.get(name) == value:
            del before[name]
    names = [name for name in dict.fromkeys([*now, *before]) if now.get(name, "") != before.get(name, "")]
    return tuple(f"{name} {_quoted(before.get(name))} → {_quoted(now.get(name))}" for name in names)


def _quoted(value: str | None) -> str:
    if value is None:
        return "(none)"
    short = value if len(value) <= _SHOWN else f"{value[: _SHOWN - 1]}…"
    return short if short and " " not in short else f'"{short}"'


def _facts(document: _Document) -> Iterator[tuple[str, str]]:
    """Name and value of each thing a container is made with, those alone that say something."""
    host: _Document = object_of(document.get("HostConfig"))
    for pair in list_of(document.get("Env")):
        name, _, value = pair.partition("=")
        yield f"environment.{name}", value
    for name, value in object_of(document.get("Labels")).items():
        if not name.startswith(PREFIX):
            yield f"labels.{name}", value
    for name, key, text in _PLAIN:
        value = (host if key.startswith("HostConfig.") else document).get(key.removeprefix("HostConfig."))
        if value and (shown := text(value)):
            yield name, shown
    for place, bound in object_of(host.get("PortBindings")).items():
        yield f"ports.{place}", ",".join(f"{b.get('HostIp') or ''}:{b.get('HostPort') or ''}" for b in bound or ())
    for bind in list_of(host.get("Binds")):
        source, _, rest = bind.partition(":")
        target, _, mode = rest.partition(":")
        yield f"volumes.{target}", f"{source}:{mode or 'rw'}"
    for mount in list_of(host.get("Mounts")):
        yield f"volumes.{mount['Target']}", f"{mount.get('Type')}:{mount.get('Source', '')}"
    for name, value in object_of(host.get("Sysctls")).items():
        yield f"sysctls.{name}", value
    for limit in list_of(host.get("Ulimits")):
        yield f"ulimits.{limit['Name']}", f"{limit['Soft']}:{limit['Hard']}"


def _words(value: list[str]) -> str:
    return " ".join(value)


def _restart(value: _Document) -> str:
    name, count = value.get("Name") or "no", value.get("MaximumRetryCount") or 0
    return "" if name == "no" else f"{name}:{count}" if count else str(name)


def _check(value: _Document) -> str:
    test = " ".join(list_of(value.get("Test")))
    times = (
        f"{key.lower()}={value[key]}" for key in ("Interval", "Timeout", "Retries", "StartPeriod") if value.get(key)
    )
    return " ".join([test, *times])


def _sorted(value: list[str]) -> str:
    return " ".join(sorted(value))


def _logging(value: _Document) -> str:
    options = " ".join(f"{k}={v}" for k, v in sorted(object_of(value.get("Config")).items()))
    kind = value.get("Type") or ""
    return f"{'' if kind == 'json-file' else kind} {options}".strip()


_PLAIN: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("command", "Cmd", _words),
    ("entrypoint", "Entrypoint", _words),
    ("user", "User", str),
    ("working_dir", "WorkingDir", str),
    ("tty", "Tty", str),
    ("stdin_open", "OpenStdin", str),
    ("stop_signal", "StopSignal", str),
    ("stop_grace_period", "StopTimeout", str),
    ("healthcheck", "Healthcheck", _check),
    ("network_mode", "HostConfig.NetworkMode", str),
    ("restart", "HostConfig.RestartPolicy", _restart),
    ("cap_add", "HostConfig.CapAdd", _sorted),
    ("cap_drop", "HostConfig.CapDrop", _sorted),
    ("security_opt", "HostConfig.SecurityOpt", _sorted),
    ("privileged", "HostConfig.Privileged", str),
    ("read_only", "HostConfig.ReadonlyRootfs", str),
    ("dns", "HostConfig.Dns", _words),
    ("dns_search", "HostConfig.DnsSearch", _words),
    ("dns_opt", "HostConfig.DnsOptions", _words),
    ("extra_hosts", "HostConfig.ExtraHosts", _sorted),
    ("group_add", "HostConfig.GroupAdd", _sorted),
    ("mem_limit", "HostConfig.Memory", str),
    ("mem_reservation", "HostConfig.MemoryReservation", str),
    ("memswap_limit", "HostConfig.MemorySwap", str),
    ("cpus", "HostConfig.NanoCpus", str),
    ("cpu_shares", "HostConfig.CpuShares", str),
    ("cpuset", "HostConfig.CpusetCpus", str),
    ("pids_limit", "HostConfig.PidsLimit", str),
    ("logging", "HostConfig.LogConfig", _logging),
    ("runtime", "HostConfig.Runtime", lambda value: "" if value in ("runc", "hakobu") else str(value)),
    ("init", "HostConfig.Init", str),
)
