"""A service as `docker run`. Pure."""

import shlex
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from hakobu.spec.step import Json

_Service: TypeAlias = "Mapping[str, Json]"

RUN_FLAGS = {
    "container_name": "--name",
    "hostname": "--hostname",
    "domainname": "--domainname",
    "user": "--user",
    "working_dir": "--workdir",
    "stop_signal": "--stop-signal",
    "environment": "--env",
    "labels": "--label",
    "annotations": "--annotation",
    "sysctls": "--sysctl",
    "cap_add": "--cap-add",
    "cap_drop": "--cap-drop",
    "cgroup": "--cgroupns",
    "cgroup_parent": "--cgroup-parent",
    "cpu_period": "--cpu-period",
    "cpu_quota": "--cpu-quota",
    "cpu_shares": "--cpu-shares",
    "cpus": "--cpus",
    "cpuset": "--cpuset-cpus",
    "devices": "--device",
    "device_cgroup_rules": "--device-cgroup-rule",
    "dns": "--dns",
    "dns_opt": "--dns-option",
    "dns_search": "--dns-search",
    "expose": "--expose",
    "extra_hosts": "--add-host",
    "group_add": "--group-add",
    "ipc": "--ipc",
    "mac_address": "--mac-address",
    "mem_limit": "--memory",
    "mem_reservation": "--memory-reservation",
    "mem_swappiness": "--memory-swappiness",
    "memswap_limit": "--memory-swap",
    "mounts": "--mount",
    "network_mode": "--network",
    "networks": "--network",
    "network_aliases": "--network-alias",
    "oom_score_adj": "--oom-score-adj",
    "pid": "--pid",
    "pids_limit": "--pids-limit",
    "platform": "--platform",
    "ports": "--publish",
    "pull_policy": "--pull",
    "restart": "--restart",
    "runtime": "--runtime",
    "security_opt": "--security-opt",
    "shm_size": "--shm-size",
    "storage_opt": "--storage-opt",
    "tmpfs": "--tmpfs",
    "userns_mode": "--userns",
    "uts": "--uts",
    "volumes": "--volume",
    "volumes_from": "--volumes-from",
}
"""Attribute of a service → flag of `docker run`."""
RUN_SWITCHES = {
    "oom_kill_disable": "--oom-kill-disable",
    "privileged": "--privileged",
    "read_only": "--read-only",
    "stdin_open": "--interactive",
    "tty": "--tty",
}
RUN_ELSEWHERE = frozenset(
    ["command", "entrypoint", "env_files", "healthcheck", "image", "init", "logging", "stop_grace_period", "ulimits"]
)


def values_of(value: Json) -> Iterator[str]:
    """Each as one text: items of a list, `name=value` of a mapping, a name alone where it has no value."""
    if isinstance(value, list):
        yield from (str(item) for item in value)
    elif isinstance(value, dict):
        yield from (name if item is None else f"{name}={_limit(item)}" for name, item in value.items())
    elif isinstance(value, bool):
        yield "true" if value else "false"
    elif value is not None:
        yield f"{value:g}" if isinstance(value, float) else str(value)


def _networks(value: Json) -> Iterator[str]:
    """A network's name, or `name=…,alias=…` where something is said of it."""
    if not isinstance(value, dict):
        yield from values_of(value)
        return
    for name, said in value.items():
        aliases = words_of(said.get("aliases")) if isinstance(said, dict) else []
        yield ",".join([f"name={name}", *(f"alias={alias}" for alias in aliases)]) if aliases else name


def _limit(value: Json) -> str:
    return (
        f"{value.get('soft', 0)}:{value.get('hard', 0)}"
        if isinstance(value, dict)
        else ""
        if value is None
        else str(value)
    )


def words_of(value: Json) -> list[str]:
    return [str(word) for word in value] if isinstance(value, list) else []


def run_argv(service: _Service) -> list[str]:
    """`docker run --detach … IMAGE COMMAND…`; it says everything that a service of `portrait` holds."""
    return ["docker", "run", "--detach", *run_words(service)]


def run_words(service: _Service) -> list[str]:
    """What stands behind `docker run` or `docker create`: flags, image, command."""
    argv: list[str] = []
    for attribute, flag in RUN_FLAGS.items():
        value = service.get(attribute)
        texts = _networks(value) if attribute == "networks" else values_of(value)
        argv += [word for text in texts for word in (flag, text)]
    argv += [word for file in words_of(service.get("env_files")) for word in ("--env-file", file)]
    argv += [flag for attribute, flag in RUN_SWITCHES.items() if service.get(attribute)]
    if service.get("init") is not None:
        argv.append("--init" if service["init"] else "--init=false")
    argv += [word for value in values_of(service.get("ulimits")) for word in ("--ulimit", value)]
    if isinstance(grace := service.get("stop_grace_period"), str):
        argv += ["--stop-timeout", str(grace_s(grace))]
    argv += [*_logging(service.get("logging")), *_health(service.get("healthcheck"))]
    entrypoint, cleared = words_of(service.get("entrypoint")), service.get("entrypoint") == []
    argv += ["--entrypoint", entrypoint[0]] if entrypoint else ["--entrypoint", ""] if cleared else []
    return [*argv, str(service["image"]), *entrypoint[1:], *words_of(service.get("command"))]


def grace_s(text: str) -> int:
    """Whole seconds of a grace period as Go writes it (`1m30s`), rounded up."""
    from hakobu.compose.model.reading import read_duration
    from hakobu.compose.node import string

    return -(-read_duration(string(text), "stop_grace_period") // 10**9)


def _logging(value: Json) -> list[str]:
    if not isinstance(value, dict):
        return []
    driver = ["--log-driver", str(value["driver"])] if value.get("driver") else []
    return [*driver, *(w for o in values_of(value.get("options")) for w in ("--log-opt", o))]


def health_command(test: list[str]) -> str:
    """The one line that `--health-cmd` takes, which a shell reads."""
    return test[1] if test[:1] == ["CMD-SHELL"] else shlex.join(test[1:])


def _health(value: Json) -> list[str]:
    if not isinstance(value, dict):
        return []
    test = words_of(value.get("test"))
    if test[:1] == ["NONE"] or value.get("disable"):
        return ["--no-healthcheck"]
    argv = ["--health-cmd", health_command(test)] if test else []
    for key in ("interval", "timeout", "start_period", "start_interval", "retries"):
        argv += [f"--health-{key.replace('_', '-')}", str(value[key])] if value.get(key) else []
    return argv


def run_unsaid(service: _Service) -> list[str]:
    """The attributes that the command has no flag for."""
    known = {*RUN_FLAGS, *RUN_SWITCHES, *RUN_ELSEWHERE}
    return sorted(key for key, value in service.items() if key not in known and value)
