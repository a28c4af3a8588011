"""What a request body is on docker's command line: the arguments that make the same container, network or volume.

Used to show a plan as commands, and a container as the command that would make it. Pure.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from hakobu.client.codec import list_of, object_of

_Body: TypeAlias = "Mapping[str, Any]"
_Argv: TypeAlias = "Iterator[str]"

_LISTS = {
    "CapAdd": "--cap-add",
    "CapDrop": "--cap-drop",
    "DeviceCgroupRules": "--device-cgroup-rule",
    "Dns": "--dns",
    "DnsOptions": "--dns-option",
    "DnsSearch": "--dns-search",
    "ExtraHosts": "--add-host",
    "GroupAdd": "--group-add",
    "SecurityOpt": "--security-opt",
    "Binds": "--volume",
    "VolumesFrom": "--volumes-from",
    "Links": "--link",
}
_PAIRS = {
    "Annotations": "--annotation",
    "StorageOpt": "--storage-opt",
    "Sysctls": "--sysctl",
}
_VALUES = {
    "CgroupParent": "--cgroup-parent",
    "CgroupnsMode": "--cgroupns",
    "CpuPeriod": "--cpu-period",
    "CpuQuota": "--cpu-quota",
    "CpuShares": "--cpu-shares",
    "CpuRealtimePeriod": "--cpu-rt-period",
    "CpuRealtimeRuntime": "--cpu-rt-runtime",
    "CpusetCpus": "--cpuset-cpus",
    "IpcMode": "--ipc",
    "Isolation": "--isolation",
    "Memory": "--memory",
    "MemoryReservation": "--memory-reservation",
    "MemorySwap": "--memory-swap",
    "MemorySwappiness": "--memory-swappiness",
    "NetworkMode": "--network",
    "OomScoreAdj": "--oom-score-adj",
    "PidMode": "--pid",
    "PidsLimit": "--pids-limit",
    "Runtime": "--runtime",
    "ShmSize": "--shm-size",
    "UTSMode": "--uts",
    "UsernsMode": "--userns",
    "BlkioWeight": "--blkio-weight",
}
_SWITCHES = {
    "Init": "--init",
    "OomKillDisable": "--oom-kill-disable",
    "Privileged": "--privileged",
    "PublishAllPorts": "--publish-all",
    "ReadonlyRootfs": "--read-only",
    "AutoRemove": "--rm",
}
_CONFIG = {
    "Hostname": "--hostname",
    "Domainname": "--domainname",
    "User": "--user",
    "WorkingDir": "--workdir",
    "StopSignal": "--stop-signal",
    "StopTimeout": "--stop-timeout",
    "MacAddress": "--mac-address",
}


def create_argv(name: str, body: _Body, *, verb: str = "create") -> list[str]:
    """`docker create --name … IMAGE COMMAND…` for the body of `containers/create`."""
    host: _Body = object_of(body.get("HostConfig"))
    argv = ["docker", verb, "--name", name]
    for part in (_config(body), _host(host), _network(body, host), _health(body.get("Healthcheck") or {})):
        argv += part
    entrypoint: list[str] = [*list_of(body.get("Entrypoint"))]
    if body.get("Entrypoint") is not None:
        argv += ["--entrypoint", entrypoint[0] if entrypoint else ""]
    return [*argv, str(body.get("Image") or ""), *entrypoint[1:], *list_of(body.get("Cmd"))]


def _config(body: _Body) -> _Argv:
    for key, flag in _CONFIG.items():
        if body.get(key):
            yield from (flag, str(body[key]))
    for variable in list_of(body.get("Env")):
        yield from ("--env", variable)
    for key, value in object_of(body.get("Labels")).items():
        yield from ("--label", f"{key}={value}")
    for place in list_of(body.get("ExposedPorts")):
        yield from ("--expose", place)
    for target in list_of(body.get("Volumes")):
        yield from ("--volume", target)
    yield from (flag for key, flag in (("Tty", "--tty"), ("OpenStdin", "--interactive")) if body.get(key))


def _host(host: _Body) -> _Argv:
    for key, flag in _LISTS.items():
        for value in list_of(host.get(key)):
            yield from (flag, str(value))
    for key, flag in _PAIRS.items():
        for name, value in object_of(host.get(key)).items():
            yield from (flag, f"{name}={value}")
    for key, flag in _VALUES.items():
        if host.get(key):
            yield from (flag, str(host[key]))
    yield from (flag for key, flag in _SWITCHES.items() if host.get(key))
    if host.get("NanoCpus"):
        yield from ("--cpus", f"{host['NanoCpus'] / 10**9:g}")
    for write in (_ports, _restart, _logging, _mounts, _devices):
        yield from write(host)


def _ports(host: _Body) -> _Argv:
    for place, bindings in object_of(host.get("PortBindings")).items():
        for bound in bindings or ():
            ip = bound.get("HostIp") or ""
            ip = f"[{ip}]" if ":" in ip else ip
            yield from ("--publish", f"{ip}:{bound.get('HostPort') or ''}:{place}".removeprefix(":").removeprefix(":"))


def _restart(host: _Body) -> _Argv:
    policy = object_of(host.get("RestartPolicy"))
    if policy.get("Name") not in (None, "", "no"):
        count = policy.get("MaximumRetryCount")
        yield from ("--restart", f"{policy['Name']}:{count}" if count else str(policy["Name"]))


def _logging(host: _Body) -> _Argv:
    config = object_of(host.get("LogConfig"))
    if config.get("Type"):
        yield from ("--log-driver", config["Type"])
    for key, value in object_of(config.get("Config")).items():
        yield from ("--log-opt", f"{key}={value}")


def _mounts(host: _Body) -> _Argv:
    for path, options in object_of(host.get("Tmpfs")).items():
        yield from ("--tmpfs", f"{path}:{options}" if options else path)
    for mount in list_of(host.get("Mounts")):
        pairs = [f"type={mount['Type']}", f"source={mount.get('Source', '')}", f"target={mount['Target']}"]
        bind, volume = object_of(mount.get("BindOptions")), object_of(mount.get("VolumeOptions"))
        tmpfs = object_of(mount.get("TmpfsOptions"))
        more = {
            "bind-propagation": bind.get("Propagation"),
            "volume-subpath": volume.get("Subpath"),
            "tmpfs-size": tmpfs.get("SizeBytes"),
            "tmpfs-mode": f"{tmpfs['Mode']:o}" if tmpfs.get("Mode") else None,
        }
        pairs += [f"{key}={value}" for key, value in more.items() if value]
        pairs += ["readonly"] if mount.get("ReadOnly") else []
        pairs += ["volume-nocopy"] if volume.get("NoCopy") else []
        yield from ("--mount", ",".join(p for p in pairs if p != "source="))


def _devices(host: _Body) -> _Argv:
    for device in list_of(host.get("Devices")):
        parts = (device["PathOnHost"], device["PathInContainer"], device["CgroupPermissions"] or "rwm")
        yield from ("--device", ":".join(parts))
    for limit in list_of(host.get("Ulimits")):
        yield from ("--ulimit", f"{limit['Name']}={limit['Soft']}:{limit['Hard']}")
    for request in list_of(host.get("DeviceRequests")):
        yield from ("--gpus", "all" if request.get("Count") == -1 else str(request.get("Count")))


def _network(body: _Body, host: _Body) -> _Argv:
    """The network that `--network` names; others are connected by commands of their own."""
    endpoints: _Body = object_of(body.get("NetworkingConfig")).get("EndpointsConfig") or {}
    endpoint: _Body = endpoints.get(host.get("NetworkMode") or "") or {}
    for alias in list_of(endpoint.get("Aliases")):
        yield from ("--network-alias", alias)
    addresses = object_of(endpoint.get("IPAMConfig"))
    for key, flag in (("IPv4Address", "--ip"), ("IPv6Address", "--ip6")):
        if addresses.get(key):
            yield from (flag, addresses[key])


def connect_argvs(name: str, body: _Body) -> list[list[str]]:
    """`docker network connect …` for each network beyond the first."""
    first = object_of(body.get("HostConfig")).get("NetworkMode")
    endpoints: _Body = object_of(body.get("NetworkingConfig")).get("EndpointsConfig") or {}
    found: list[list[str]] = []
    for network, endpoint in endpoints.items():
        if network != first:
            aliases = [word for alias in list_of(object_of(endpoint).get("Aliases")) for word in ("--alias", alias)]
            found.append(["docker", "network", "connect", *aliases, network, name])
    return found


def _health(check: _Body) -> _Argv:
    test: list[str] = [*list_of(check.get("Test"))]
    if test[:1] == ["NONE"]:
        yield "--no-healthcheck"
    elif test:
        yield from ("--health-cmd", " ".join(test[1:]))
    times = {
        "Interval": "interval",
        "Timeout": "timeout",
        "StartPeriod": "start-period",
        "StartInterval": "start-interval",
    }
    for key, flag in times.items():
        if check.get(key):
            yield from (f"--health-{flag}", f"{check[key] / 10**9:g}s")
    if check.get("Retries"):
        yield from ("--health-retries", str(check["Retries"]))


def network_argv(body: _Body) -> list[str]:
    """`docker network create …` for the body of `networks/create`."""
    argv = ["docker", "network", "create", "--driver", str(body["Driver"])]
    switches: dict[str, str] = {"Internal": "--internal", "Attachable": "--attachable", "EnableIPv6": "--ipv6"}
    argv += [flag for key, flag in switches.items() if body.get(key)]
    argv += [word for pool in object_of(body.get("IPAM")).get("Config") or () for word in _pools(pool)]
    argv += [word for k, v in object_of(body.get("Options")).items() for word in ("--opt", f"{k}={v}")]
    argv += [word for k, v in object_of(body.get("Labels")).items() for word in ("--label", f"{k}={v}")]
    return [*argv, str(body["Name"])]


def _pools(pool: _Body) -> _Argv:
    for key, flag in (("Subnet", "--subnet"), ("IPRange", "--ip-range"), ("Gateway", "--gateway")):
        if pool.get(key):
            yield from (flag, pool[key])


def volume_argv(body: _Body) -> list[str]:
    """`docker volume create …` for the body of `volumes/create`."""
    argv = ["docker", "volume", "create"]
    argv += ["--driver", str(body["Driver"])] if body.get("Driver") else []
    argv += [word for k, v in object_of(body.get("DriverOpts")).items() for word in ("--opt", f"{k}={v}")]
    argv += [word for k, v in object_of(body.get("Labels")).items() for word in ("--label", f"{k}={v}")]
    return [*argv, str(body["Name"])]
