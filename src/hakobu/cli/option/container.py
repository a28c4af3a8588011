"""From the flags of `run` and `create` to the body of `POST /containers/create`.

Only what was set is sent: what is absent has the same meaning to every engine as the zero that docker's
own client writes out, and a request says what the user said.
"""

from __future__ import annotations

import os

from hakobu.cli.failure import Failure
from hakobu.cli.option.environment import read_environment, read_labels
from hakobu.cli.option.mount import IDMAP
from hakobu.cli.option.value import parse_device, parse_gpus, parse_mac, parse_restart
from hakobu.client.codec import list_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.table import Values
    from hakobu.client.codec import Json

# Flags whose value goes to a field of the HostConfig as it is.
HOST_FIELDS = {
    "blkio-weight": "BlkioWeight",
    "blkio-weight-device": "BlkioWeightDevice",
    "cap-add": "CapAdd",
    "cap-drop": "CapDrop",
    "cgroup-parent": "CgroupParent",
    "cgroupns": "CgroupnsMode",
    "cpu-count": "CpuCount",
    "cpu-percent": "CpuPercent",
    "cpu-period": "CpuPeriod",
    "cpu-quota": "CpuQuota",
    "cpu-rt-period": "CpuRealtimePeriod",
    "cpu-rt-runtime": "CpuRealtimeRuntime",
    "cpu-shares": "CpuShares",
    "cpus": "NanoCpus",
    "cpuset-cpus": "CpusetCpus",
    "cpuset-mems": "CpusetMems",
    "device-cgroup-rule": "DeviceCgroupRules",
    "device-read-bps": "BlkioDeviceReadBps",
    "device-read-iops": "BlkioDeviceReadIOps",
    "device-write-bps": "BlkioDeviceWriteBps",
    "device-write-iops": "BlkioDeviceWriteIOps",
    "dns": "Dns",
    "dns-option": "DnsOptions",
    "dns-search": "DnsSearch",
    "add-host": "ExtraHosts",
    "group-add": "GroupAdd",
    "io-maxbandwidth": "IOMaximumBandwidth",
    "io-maxiops": "IOMaximumIOps",
    "ipc": "IpcMode",
    "isolation": "Isolation",
    "memory": "Memory",
    "memory-reservation": "MemoryReservation",
    "memory-swap": "MemorySwap",
    "memory-swappiness": "MemorySwappiness",
    "mount": "Mounts",
    "oom-kill-disable": "OomKillDisable",
    "oom-score-adj": "OomScoreAdj",
    "pid": "PidMode",
    "pids-limit": "PidsLimit",
    "privileged": "Privileged",
    "publish-all": "PublishAllPorts",
    "read-only": "ReadonlyRootfs",
    "rm": "AutoRemove",
    "runtime": "Runtime",
    "shm-size": "ShmSize",
    "ulimit": "Ulimits",
    "userns": "UsernsMode",
    "uts": "UTSMode",
    "volume-driver": "VolumeDriver",
    "volumes-from": "VolumesFrom",
}
_CONFIG_FIELDS = {
    "domainname": "Domainname",
    "hostname": "Hostname",
    "stop-signal": "StopSignal",
    "stop-timeout": "StopTimeout",
    "user": "User",
    "workdir": "WorkingDir",
}


def build(values: Values, arguments: list[str], *, detached: bool = False) -> Json:
    """The request's body; Failure with status 125 where flags contradict each other."""
    try:
        return _build(values, arguments, detached)
    except ValueError as e:
        raise Failure(str(e), 125) from None


def _build(values: Values, arguments: list[str], detached: bool) -> Json:
    config: Json = {"Image": arguments[0], **_streams(values, detached)}
    if len(arguments) > 1:
        config["Cmd"] = arguments[1:]
    for flag, field in _CONFIG_FIELDS.items():
        if flag in values.given:
            config[field] = values.raw(flag)
    if "entrypoint" in values.given:
        config["Entrypoint"] = [values.text("entrypoint")]
    environment = read_environment(values.texts("env-file"), values.texts("env"))
    if environment:
        config["Env"] = environment
    labels = {**read_labels(values.texts("label-file"), values.texts("label")), **own_labels(values)}
    if labels:
        config["Labels"] = labels
    health = _health(values)
    if health:
        config["Healthcheck"] = health
    host = _host_config(values)
    _ports(values, config, host)
    _volumes(values, config, host)
    _networks(values, config, host)
    config["HostConfig"] = host
    return config


_OWN_FLAGS = ("bandwidth", "bandwidth-in", "bandwidth-out", "on-unhealthy")


def own_labels(values: Values) -> dict[str, str]:
    """Flags of ours, which Docker's API has no fields for, as the labels that the engine acts on."""
    labels = {f"hakobu.{flag}": values.text(flag) for flag in _OWN_FLAGS if flag in values.given}
    if "timeout" in values.given:
        labels["hakobu.timeout"] = f"{values.number('timeout') // 1_000_000}ms"
    mapped = [_idmap(mount) for mount in list_of(values.raw("mount")) if IDMAP in mount]
    if mapped:
        labels["hakobu.idmap"] = ",".join(mapped)
    if "publish-mode" in values.given:
        labels["hakobu.publish-mode"] = ",".join(values.texts("publish-mode"))
    return labels


def _idmap(mount: Json) -> str:
    ids = str(mount[IDMAP])
    return str(mount["Target"]) + ("" if ids == "true" else f"={ids}")


def _streams(values: Values, detached: bool) -> Json:
    attached = values.texts("attach")
    stdin = values.on("interactive")
    if detached:
        attach_in = attach_out = attach_err = False
    else:
        attach_in = stdin or "stdin" in attached
        attach_out = not attached or "stdout" in attached
        attach_err = not attached or "stderr" in attached
    return {
        "AttachStdin": attach_in,
        "AttachStdout": attach_out,
        "AttachStderr": attach_err,
        "Tty": values.on("tty"),
        "OpenStdin": stdin,
        "StdinOnce": stdin and attach_in,
    }


def _host_config(values: Values) -> Json:
    host: Json = {}
    for flag, field in HOST_FIELDS.items():
        if flag in values.given:
            host[field] = values.raw(flag)
    if "Mounts" in host:
        host["Mounts"] = [{k: v for k, v in mount.items() if k != IDMAP} for mount in host["Mounts"]]
    _check_modes(values)
    if "init" in values.given:
        host["Init"] = values.on("init")
    restart = parse_restart(values.text("restart"))
    if values.on("rm") and restart["Name"] not in ("", "no"):
        raise ValueError("conflicting options: cannot specify both --restart and --rm")
    host["RestartPolicy"] = restart
    for flag, field in (("sysctl", "Sysctls"), ("annotation", "Annotations")):
        if flag in values.given:
            host[field] = values.pairs(flag)
    if "link" in values.given:
        host["Links"] = values.texts("link")
    if "device" in values.given:
        host["Devices"] = [parse_device(item) for item in values.texts("device")]
    if "gpus" in values.given:
        host["DeviceRequests"] = [parse_gpus(item) for item in values.texts("gpus")]
    if "cidfile" in values.given:
        host["ContainerIDFile"] = values.text("cidfile")
    host.update(_logging(values))
    host.update(_security(values))
    if "storage-opt" in values.given:
        if any("=" not in item for item in values.texts("storage-opt")):
            raise ValueError("invalid storage option")
        host["StorageOpt"] = values.pairs("storage-opt")
    return host


def _check_modes(values: Values) -> None:
    """What docker's client refuses itself; the engine knows the rest."""
    pid, uts, userns = values.text("pid"), values.text("uts"), values.text("userns")
    if pid not in ("", "host") and not (pid.startswith("container:") and pid != "container:"):
        raise ValueError("--pid: invalid PID mode")
    if uts not in ("", "host"):
        raise ValueError("--uts: invalid UTS mode")
    if userns not in ("", "host"):
        raise ValueError("--userns: invalid USER mode")
    if values.text("cgroupns") not in ("", "host", "private"):
        raise ValueError("--cgroupns: invalid CGROUP mode")
    swappiness = values.number("memory-swappiness")
    if swappiness != -1 and not 0 <= swappiness <= 100:
        raise ValueError(f"invalid value: {swappiness}. Valid memory swappiness range is 0-100")


def _logging(values: Values) -> Json:
    if not {"log-driver", "log-opt"} & values.given:
        return {}
    options = values.pairs("log-opt")
    if values.text("log-driver") == "none" and options:
        raise ValueError("invalid logging opts for driver none")
    return {"LogConfig": {"Type": values.text("log-driver"), "Config": options}}


def _security(values: Values) -> Json:
    if "security-opt" not in values.given:
        return {}
    from hakobu.cli.option.security import security_options

    options, paths = security_options(values.texts("security-opt"))
    return {"SecurityOpt": options, **paths}


def _health(values: Values) -> Json:
    names = ("cmd", "interval", "retries", "start-interval", "start-period", "timeout")
    given = [name for name in names if f"health-{name}" in values.given]
    if values.on("no-healthcheck"):
        if given:
            raise ValueError("--no-healthcheck conflicts with --health-* options")
        return {"Test": ["NONE"]}
    if not given:
        return {}
    for name in given:
        number = values.raw(f"health-{name}")
        if isinstance(number, int) and number < 0:
            raise ValueError(f"--health-{name} cannot be negative")
    health: Json = {
        "Interval": values.number("health-interval"),
        "Timeout": values.number("health-timeout"),
        "StartPeriod": values.number("health-start-period"),
        "StartInterval": values.number("health-start-interval"),
        "Retries": values.number("health-retries"),
    }
    if values.text("health-cmd"):
        health["Test"] = ["CMD-SHELL", values.text("health-cmd")]
    return {name: value for name, value in health.items() if value}


def _ports(values: Values, config: Json, host: Json) -> None:
    if not {"publish", "expose"} & values.given:
        return
    from hakobu.cli.option.port import parse_expose, parse_publish

    exposed: Json = {}
    bindings: dict[str, list[Json]] = {}
    for item in values.texts("publish"):
        for port, binding in parse_publish(item):
            exposed[port] = {}
            bindings.setdefault(port, []).append(binding)
    for item in values.texts("expose"):
        exposed.update({port: {} for port in parse_expose(item)})
    config["ExposedPorts"] = exposed
    if bindings:
        host["PortBindings"] = bindings


def _volumes(values: Values, config: Json, host: Json) -> None:
    binds: list[str] = []
    anonymous: Json = {}
    for item in values.texts("volume"):
        source, colon, rest = item.partition(":")
        if not colon or source == "":
            anonymous[item] = {}
        elif source.startswith("."):
            binds.append(f"{os.path.abspath(source)}:{rest}")
        else:
            binds.append(item)
    if values.on("use-api-socket"):
        raise ValueError("--use-api-socket is not supported: mount the engine's socket with -v")
    if binds:
        host["Binds"] = binds
    if anonymous:
        config["Volumes"] = anonymous
    if "tmpfs" in values.given:
        host["Tmpfs"] = _tmpfs(values.texts("tmpfs"))


def _tmpfs(items: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in items:
        path, _, options = item.partition(":")
        found[path] = options
    return found


def _networks(values: Values, config: Json, host: Json) -> None:
    flags = {"network", "network-alias", "ip", "ip6", "link-local-ip", "mac-address"}
    if not flags & values.given:
        host["NetworkMode"] = "default"
        return
    from hakobu.cli.option.network import attachments

    if values.text("mac-address"):
        config["MacAddress"] = parse_mac(values.text("mac-address"))
    networks = attachments(values)
    host["NetworkMode"] = networks[0].target
    config["NetworkingConfig"] = {"EndpointsConfig": {n.target: n.to_json() for n in networks}}
