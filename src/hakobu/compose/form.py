"""A service as `docker run` and as a quadlet unit for systemd. Pure."""

import shlex
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from hakobu.spec.step import Json

_Service: TypeAlias = "Mapping[str, Json]"

# attribute → flag of `docker run`, and key of a quadlet's [Container] section
_RUN = {
    "container_name": "--name",
    "hostname": "--hostname",
    "domainname": "--domainname",
    "user": "--user",
    "working_dir": "--workdir",
    "stop_signal": "--stop-signal",
    "environment": "--env",
    "labels": "--label",
    "sysctls": "--sysctl",
    "cap_add": "--cap-add",
    "cap_drop": "--cap-drop",
    "cgroup_parent": "--cgroup-parent",
    "cpu_period": "--cpu-period",
    "cpu_quota": "--cpu-quota",
    "cpu_shares": "--cpu-shares",
    "cpus": "--cpus",
    "cpuset": "--cpuset-cpus",
    "devices": "--device",
    "dns": "--dns",
    "dns_opt": "--dns-option",
    "dns_search": "--dns-search",
    "extra_hosts": "--add-host",
    "group_add": "--group-add",
    "mem_limit": "--memory",
    "mem_reservation": "--memory-reservation",
    "network_mode": "--network",
    "networks": "--network",
    "oom_score_adj": "--oom-score-adj",
    "pid": "--pid",
    "pids_limit": "--pids-limit",
    "ports": "--publish",
    "restart": "--restart",
    "security_opt": "--security-opt",
    "shm_size": "--shm-size",
    "tmpfs": "--tmpfs",
    "userns_mode": "--userns",
    "uts": "--uts",
    "volumes": "--volume",
    "volumes_from": "--volumes-from",
}
_SWITCHES = {
    "init": "--init",
    "oom_kill_disable": "--oom-kill-disable",
    "privileged": "--privileged",
    "read_only": "--read-only",
    "stdin_open": "--interactive",
    "tty": "--tty",
}
_QUADLET = {
    "container_name": "ContainerName",
    "image": "Image",
    "hostname": "HostName",
    "user": "User",
    "working_dir": "WorkingDir",
    "stop_signal": "StopSignal",
    "environment": "Environment",
    "labels": "Label",
    "sysctls": "Sysctl",
    "cap_add": "AddCapability",
    "cap_drop": "DropCapability",
    "devices": "AddDevice",
    "dns": "DNS",
    "dns_opt": "DNSOption",
    "dns_search": "DNSSearch",
    "extra_hosts": "AddHost",
    "group_add": "GroupAdd",
    "network_mode": "Network",
    "networks": "Network",
    "pids_limit": "PidsLimit",
    "ports": "PublishPort",
    "read_only": "ReadOnly",
    "init": "RunInit",
    "shm_size": "ShmSize",
    "tmpfs": "Tmpfs",
    "ulimits": "Ulimit",
    "volumes": "Volume",
}
_ELSEWHERE = ("restart", "command", "entrypoint", "healthcheck", "stop_grace_period", "mem_limit")


def _values(value: Json) -> Iterator[str]:
    """Each as one text: items of a list, `name=value` of a mapping."""
    if isinstance(value, list):
        yield from (str(item) for item in value)
    elif isinstance(value, dict):
        yield from (f"{name}={_limit(item)}" for name, item in value.items())
    elif isinstance(value, bool):
        yield "true" if value else "false"
    elif value is not None:
        yield f"{value:g}" if isinstance(value, float) else str(value)


def _limit(value: Json) -> str:
    return f"{value['soft']}:{value['hard']}" if isinstance(value, dict) else "" if value is None else str(value)


def _words(value: Json) -> list[str]:
    return [str(word) for word in value] if isinstance(value, list) else []


def run_argv(service: _Service) -> list[str]:
    """`docker run --detach … IMAGE COMMAND…`; it says everything that a service of `portrait` holds."""
    argv = ["docker", "run", "--detach"]
    for attribute, flag in _RUN.items():
        argv += [word for value in _values(service.get(attribute)) for word in (flag, value)]
    argv += [flag for attribute, flag in _SWITCHES.items() if service.get(attribute)]
    argv += [word for value in _values(service.get("ulimits")) for word in ("--ulimit", value)]
    if isinstance(grace := service.get("stop_grace_period"), str):
        argv += ["--stop-timeout", grace.removesuffix("s")]
    argv += [*_logging(service.get("logging")), *_health(service.get("healthcheck"))]
    entrypoint = _words(service.get("entrypoint"))
    argv += ["--entrypoint", entrypoint[0]] if entrypoint else []
    return [*argv, str(service["image"]), *entrypoint[1:], *_words(service.get("command"))]


def _logging(value: Json) -> list[str]:
    if not isinstance(value, dict):
        return []
    options = value.get("options")
    return ["--log-driver", str(value["driver"]), *(w for o in _values(options) for w in ("--log-opt", o))]


def _health(value: Json) -> list[str]:
    if not isinstance(value, dict):
        return []
    test = _words(value.get("test"))
    if test[:1] == ["NONE"]:
        return ["--no-healthcheck"]
    command = test[1] if test[:1] == ["CMD-SHELL"] else shlex.join(test[1:])
    argv = ["--health-cmd", command] if test else []
    for key in ("interval", "timeout", "start_period", "retries"):
        argv += [f"--health-{key.replace('_', '-')}", str(value[key])] if value.get(key) else []
    return argv


def quadlet(service: _Service) -> tuple[str, list[str]]:
    """The text of a `.container` unit, and the attributes it has no key for."""
    container: list[str] = []
    for attribute, key in _QUADLET.items():
        container += [f"{key}={_quoted(attribute, value)}" for value in _values(service.get(attribute))]
    entrypoint, command = _words(service.get("entrypoint")), _words(service.get("command"))
    container += [f"Entrypoint={entrypoint[0]}"] if entrypoint else []
    container += [f"Exec={shlex.join([*entrypoint[1:], *command])}"] if entrypoint[1:] or command else []
    check = _health(service.get("healthcheck"))
    names = {"--health-cmd": "HealthCmd", "--health-interval": "HealthInterval", "--health-timeout": "HealthTimeout"}
    names |= {"--health-start-period": "HealthStartPeriod", "--health-retries": "HealthRetries"}
    container += [f"{names[flag]}={value}" for flag, value in zip(check[::2], check[1::2], strict=False)]
    container += [f"PodmanArgs=--memory={service['mem_limit']}"] if service.get("mem_limit") else []
    unit = f"[Unit]\nDescription={service['container_name']}\n\n[Container]\n" + "".join(
        f"{line}\n" for line in container
    )
    unit += "\n[Service]\n" + "".join(f"{line}\n" for line in _service_section(service))
    unit += "\n[Install]\nWantedBy=default.target\n"
    return unit, sorted(key for key in service if key not in _QUADLET and key not in _ELSEWHERE)


def _quoted(attribute: str, value: str) -> str:
    """systemd splits these at spaces."""
    return shlex.quote(value) if attribute in ("environment", "labels") and " " in value else value


def _service_section(service: _Service) -> Iterator[str]:
    policy = str(service.get("restart") or "no").split(":")[0]
    yield f"Restart={'always' if policy == 'unless-stopped' else policy}"
    if isinstance(grace := service.get("stop_grace_period"), str):
        yield f"TimeoutStopSec={grace.removesuffix('s')}"
