"""Containers as inspect, list and ps show them."""

import time
from collections.abc import Mapping
from typing import Any

from hakobu.api.render.endpoint import network_settings, networks, port_list
from hakobu.api.render.host_config import Defaults, host_config
from hakobu.api.render.mount import mount_point
from hakobu.api.time import human_span, rfc3339_nano
from hakobu.engine import links
from hakobu.engine.services import ContainerSize, ListedContainer
from hakobu.spec.container import Container, Health, Healthcheck, State, Status
from hakobu.wire.version import ApiVersion, fit


def inspect(
    container: Container,
    version: ApiVersion,
    *,
    defaults: Defaults,
    data_root: str,
    exec_root: str,
    size: ContainerSize | None = None,
    layers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The 27 fields of `/containers/{id}/json`. `layers` has no merged directory: nothing is mounted on the host."""
    home = f"{data_root}/containers/{container.id}"
    argv = container.argv
    value: dict[str, Any] = {
        "Id": container.id,
        "Created": rfc3339_nano(container.created_ns),
        "Path": argv[0] if argv else "",
        "Args": list(argv[1:]),
        "State": state(container.state),
        "Image": container.image_id,
        "ResolvConfPath": f"{home}/resolv.conf",
        "HostnamePath": f"{home}/hostname",
        "HostsPath": f"{home}/hosts",
        "LogPath": container.log_path if container.spec.log.driver == "json-file" else "",
        "Name": f"/{container.name}",
        "RestartCount": container.restart_count,
        "Driver": "overlay2",
        "Platform": container.platform,
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": container.spec.security.apparmor_profile,
        "ExecIDs": list(container.exec_ids) or None,
        "HostConfig": host_config(container.spec, defaults, version)
        | {"Links": list(links.rendered(container)) or None},
        "GraphDriver": {"Data": {"ID": container.id, **(layers or {})}, "Name": "overlay2"},
    }
    if size is not None:
        value |= {"SizeRw": size.writable, "SizeRootFs": size.rootfs}
    value |= {
        "Mounts": [mount_point(m) for m in container.mounts],
        "Config": config(container, version),
        "NetworkSettings": network_settings(container, version, exec_root),
    }
    fit("container", value, version)
    return value


def state(value: State) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "Status": value.status.value,
        "Running": value.status in (Status.RUNNING, Status.PAUSED, Status.RESTARTING),
        "Paused": value.status is Status.PAUSED,
        "Restarting": value.status is Status.RESTARTING,
        "OOMKilled": value.oom_killed,
        "Dead": value.status is Status.DEAD,
        "Pid": value.pid,
        "ExitCode": value.exit_code,
        "Error": value.error,
        "StartedAt": rfc3339_nano(value.started_ns),
        "FinishedAt": rfc3339_nano(value.finished_ns),
    }
    if value.health is not None:
        shown["Health"] = health(value.health)
    return shown


def health(value: Health) -> dict[str, Any]:
    return {
        "Status": value.status,
        "FailingStreak": value.failing_streak,
        "Log": [
            {
                "Start": rfc3339_nano(result.started_ns),
                "End": rfc3339_nano(result.ended_ns),
                "ExitCode": result.exit_code,
                "Output": result.output,
            }
            for result in value.results
        ],
    }


def config(container: Container, version: ApiVersion) -> dict[str, Any]:
    """`Config`: the request with the image's configuration merged in."""
    spec = container.spec
    value: dict[str, Any] = {
        "Hostname": container.hostname,
        "Domainname": spec.domain_name,
        "User": container.user,
        "AttachStdin": spec.attach_stdin,
        "AttachStdout": spec.attach_stdout,
        "AttachStderr": spec.attach_stderr,
        "Tty": spec.tty,
        "OpenStdin": spec.open_stdin,
        "StdinOnce": spec.stdin_once,
        "Env": list(container.env),
        "Cmd": list(container.command) or None,
        "Image": spec.image,
        "Volumes": {path: {} for path in container.volumes} or None,
        "WorkingDir": container.working_dir,
        "Entrypoint": list(container.entrypoint) or None,
        "OnBuild": None,
        "Labels": dict(sorted(container.labels.items())),
    }
    if container.exposed_ports:
        value["ExposedPorts"] = {port: {} for port in container.exposed_ports}
    if container.healthcheck is not None:
        value["Healthcheck"] = healthcheck(container.healthcheck)
    if spec.stop_signal or container.stop_signal not in ("", "SIGTERM"):
        value["StopSignal"] = container.stop_signal
    if spec.stop_timeout_s is not None:
        value["StopTimeout"] = spec.stop_timeout_s
    if spec.network_disabled:
        value["NetworkDisabled"] = True
    fit("config", value, version)
    return value


def healthcheck(value: Healthcheck) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "Test": list(value.test),
        "Interval": value.interval_ns,
        "Timeout": value.timeout_ns,
        "StartPeriod": value.start_period_ns,
        "StartInterval": value.start_interval_ns,
        "Retries": value.retries,
    }
    return {name: held for name, held in shown.items() if held}


def container_summary(listed: ListedContainer, version: ApiVersion, now_ns: int | None = None) -> dict[str, Any]:
    """One row of `docker ps`."""
    container = listed.container
    value: dict[str, Any] = {
        "Id": container.id,
        "Names": [f"/{container.name}", *listed.linked_as],
        "Image": _image_name(container),
        "ImageID": container.image_id,
        "Command": _command(container),
        "Created": container.created_ns // 1_000_000_000,
        "Ports": port_list(container),
    }
    if listed.size is not None:
        value |= {"SizeRw": listed.size.writable, "SizeRootFs": listed.size.rootfs}
    value |= {
        "Labels": dict(sorted(container.labels.items())),
        "State": container.state.status.value,
        "Status": status_text(container.state, time.time_ns() if now_ns is None else now_ns),
        "HostConfig": {"NetworkMode": container.spec.network_mode},
        "NetworkSettings": {"Networks": networks(container, version)},
        "Mounts": [mount_point(m) for m in container.mounts],
    }
    if container.broken:
        value["Status"] = f"Broken: {container.broken}"
    fit("container", value, version)
    return value


def _image_name(container: Container) -> str:
    return container.image_ref or container.spec.image or container.image_id


def _command(container: Container) -> str:
    """Docker's: path and arguments by spaces; arguments that hold spaces or quotes are quoted."""
    argv = container.argv
    shown = [f"'{arg}'" if " " in arg and "'" not in arg else arg for arg in argv[1:]]
    return " ".join([argv[0], *shown]) if argv else ""


def status_text(value: State, now_ns: int) -> str:
    """`Up 3 seconds (healthy)`, `Exited (0) 2 minutes ago`, …"""
    up = human_span(now_ns - value.started_ns)
    match value.status:
        case Status.RUNNING:
            return f"Up {up}{_health_text(value.health)}"
        case Status.PAUSED:
            return f"Up {up} (Paused)"
        case Status.RESTARTING:
            return f"Restarting ({value.exit_code}) {human_span(now_ns - value.finished_ns)} ago"
        case Status.REMOVING:
            return "Removal In Progress"
        case Status.DEAD:
            return "Dead"
        case Status.CREATED:
            return "Created"
        case Status.EXITED:
            if not value.finished_ns:
                return ""
            return f"Exited ({value.exit_code}) {human_span(now_ns - value.finished_ns)} ago"


def _health_text(value: Health | None) -> str:
    if value is None:
        return ""
    return " (health: starting)" if value.status == "starting" else f" ({value.status})"
