"""Request bodies: what a service, a network and a volume of a project are in the Docker Engine API's words. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from hakobu.compose import label
from hakobu.compose.model.attachment import NetworkAttachment
from hakobu.compose.model.healthcheck import Healthcheck
from hakobu.compose.model.project import FileObject, Network, Project, Volume
from hakobu.compose.model.resource import FileReference
from hakobu.compose.model.service import Service
from hakobu.compose.model.volume import ServiceVolume
from hakobu.spec.step import Json

_API_SOCKET = "/var/run/docker.sock"
"""Where clients in a container look for the engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One container to create. `inherited` are nameless volumes of the container it replaces.

    `container_of` gives the container of a service whose namespace is shared, `names_of` those of a linked one by
    their number; `read_file` a file's text. `socket` is the engine's own.
    """

    project: Project
    service: Service
    number: int
    name: str
    image_id: str
    replaces: str = ""
    inherited: Mapping[str, str]
    container_of: Callable[[str], str]
    names_of: Callable[[str], Mapping[int, str]] = lambda _: {}
    socket: str = ""
    read_file: Callable[[str], str]
    all_networks: bool = True
    aliases: bool = True


def container_body(wanted: Wanted) -> dict[str, Json]:
    """The body of `containers/create`. Without `all_networks` it joins only the first (older APIs take one)."""
    service = wanted.service
    config: dict[str, Json] = {
        "Hostname": service.hostname,
        "Domainname": service.domainname,
        "User": service.user,
        "AttachStdin": False,
        "AttachStdout": True,
        "AttachStderr": True,
        "Tty": service.tty,
        "OpenStdin": service.stdin_open,
        "StdinOnce": False,
        "Env": [name if value is None else f"{name}={value}" for name, value in service.environment.items()],
        "Image": wanted.project.image_of(service),
        "WorkingDir": service.working_dir,
        "Entrypoint": None if service.entrypoint is None else [*service.entrypoint],
        "Cmd": None if service.command is None else [*service.command],
        "Labels": dict[str, Json](_labels(wanted)),
        "StopSignal": service.stop_signal,
        "ExposedPorts": _exposed(service),
    }
    if service.entrypoint == ():
        config["Entrypoint"] = [""]  # an empty list would leave the image's
    if service.healthcheck:
        config["Healthcheck"] = _healthcheck(service.healthcheck)
    if service.stop_grace_period is not None:
        config["StopTimeout"] = -(-service.stop_grace_period // 10**9)
    if targets := _anonymous_targets(wanted):
        config["Volumes"] = {target: {} for target in targets}
    networks = endpoints(wanted)
    if service.mac_address and not wanted.all_networks:
        config["MacAddress"] = service.mac_address
    kept = networks if wanted.all_networks else dict([*networks.items()][:1])
    config["HostConfig"] = _host_config(wanted, next(iter(networks), ""))
    config["NetworkingConfig"] = {"EndpointsConfig": dict[str, Json](kept)}
    return config


def _labels(wanted: Wanted) -> dict[str, str]:
    return label.container_labels(
        wanted.project, wanted.service, wanted.number, wanted.image_id, replaces=wanted.replaces
    )


def _exposed(service: Service) -> Json:
    ports: dict[str, Json] = {}
    for text in service.expose:
        port, _, protocol = text.partition("/")
        first, _, last = port.partition("-")
        for number in range(int(first), int(last or first) + 1):
            ports[f"{number}/{protocol or 'tcp'}"] = {}
    return ports | {f"{port.target}/{port.protocol}": {} for port in service.ports}


def _bindings(service: Service) -> Json:
    bindings: dict[str, list[Json]] = {}
    for port in service.ports:
        bound: Json = {"HostIp": port.host_ip, "HostPort": port.published}
        bindings.setdefault(f"{port.target}/{port.protocol}", []).append(bound)
    return dict[str, Json](bindings)


def _healthcheck(check: Healthcheck) -> Json:
    if check.disable:
        return {"Test": ["NONE"]}
    document: dict[str, Json] = {
        "Test": [*check.test] or None,
        "Interval": check.interval,
        "Timeout": check.timeout,
        "Retries": check.retries,
        "StartPeriod": check.start_period,
        "StartInterval": check.start_interval,
    }
    return {name: value for name, value in document.items() if value is not None}


def _anonymous_targets(wanted: Wanted) -> list[str]:
    volumes = wanted.service.volumes
    return [v.target for v in volumes if v.type == "volume" and not v.source and v.target not in wanted.inherited]


def endpoints(wanted: Wanted) -> dict[str, Json]:
    """The networks by their engine's name, that of the highest priority first."""
    service, networks = wanted.service, wanted.project.networks
    ordered = sorted(service.networks.items(), key=lambda item: (-item[1].priority, item[0]))
    found: dict[str, Json] = {}
    for i, (key, attachment) in enumerate(ordered):
        mac = attachment.mac_address or (service.mac_address if i == 0 else "")
        found[networks[key].name] = _endpoint(wanted, attachment, mac)
    return found


def _endpoint(wanted: Wanted, attachment: NetworkAttachment, mac: str) -> Json:
    addresses: dict[str, Json] = {}
    if attachment.ipv4_address:
        addresses["IPv4Address"] = attachment.ipv4_address
    if attachment.ipv6_address:
        addresses["IPv6Address"] = attachment.ipv6_address
    if attachment.link_local_ips:
        addresses["LinkLocalIPs"] = [*attachment.link_local_ips]
    names = dict.fromkeys([wanted.name, *((wanted.service.name, *attachment.aliases) if wanted.aliases else ())])
    document: dict[str, Json] = {"IPAMConfig": addresses or None, "Aliases": [*names], "MacAddress": mac}
    options = dict(attachment.driver_opts)
    if attachment.interface_name:
        options["com.docker.network.endpoint.ifname"] = attachment.interface_name
    if options:
        document["DriverOpts"] = dict[str, Json](options)
    if links := _links(wanted):
        document["Links"] = [*links]
    if attachment.gw_priority:
        document["GwPriority"] = attachment.gw_priority
    return document


def _links(wanted: Wanted) -> list[str]:
    """Each container of a linked service under the names it is known by, then containers of other projects."""
    found: list[str] = []
    for text in wanted.service.links:
        service, _, alias = text.partition(":")
        for number, name in wanted.names_of(service).items():
            names = (alias or service, f"{service}-{number}", f"{wanted.project.name}-{service}-{number}")
            found += [f"{name}:{other}" for other in names]
    for text in wanted.service.external_links:
        name, _, alias = text.partition(":")
        found.append(f"{name}:{alias or name}")
    return found


def _host_config(wanted: Wanted, first_network: str) -> Json:
    service = wanted.service
    binds, mounts = _mounts(wanted)
    config: dict[str, Json] = {
        "Binds": binds,
        "Mounts": mounts,
        "NetworkMode": _shared(service.network_mode, wanted.container_of) or first_network or "none",
        "PortBindings": _bindings(service),
        "RestartPolicy": _restart(service),
        "VolumesFrom": [_volumes_from(text, wanted.container_of) for text in service.volumes_from],
        "CapAdd": [*service.cap_add],
        "CapDrop": [*service.cap_drop],
        "CgroupnsMode": service.cgroup,
        "Dns": [*service.dns],
        "DnsOptions": [*service.dns_opt],
        "DnsSearch": [*service.dns_search],
        "ExtraHosts": [f"{host}:{ip}" for host, ip in service.extra_hosts],
        "GroupAdd": [*service.group_add],
        "IpcMode": _shared(service.ipc, wanted.container_of),
        "PidMode": _shared(service.pid, wanted.container_of),
        "UTSMode": service.uts,
        "UsernsMode": service.userns_mode,
        "OomScoreAdj": service.oom_score_adj,
        "Privileged": service.privileged,
        "ReadonlyRootfs": service.read_only,
        "SecurityOpt": [_security_option(text, wanted) for text in service.security_opt] + _credentials(service),
        "Isolation": service.isolation,
        "Tmpfs": dict[str, Json](_tmpfs(service)),
        "ShmSize": service.shm_size,
        "Sysctls": dict[str, Json](service.sysctls),
        "Runtime": service.runtime,
        "LogConfig": {"Type": "", "Config": None},
    }
    if service.logging:
        config["LogConfig"] = {"Type": service.logging.driver, "Config": dict[str, Json](dict(service.logging.options))}
    if service.init is not None:
        config["Init"] = service.init
    if service.annotations:
        config["Annotations"] = dict[str, Json](service.annotations)
    if service.storage_opt:
        config["StorageOpt"] = dict[str, Json](service.storage_opt)
    return config | _limits(service)


def _limits(service: Service) -> dict[str, Json]:
    """Resource limits; those under `deploy` fill what the older attributes leave open."""
    limits = service.deploy.limits if service.deploy else None
    reserved = service.deploy.reservations if service.deploy else None
    cpus = service.cpus or (limits.cpus if limits else 0)
    config: dict[str, Json] = {
        "CgroupParent": service.cgroup_parent,
        "CpuPeriod": service.cpu_period,
        "CpuQuota": service.cpu_quota,
        "CpuShares": service.cpu_shares,
        "CpusetCpus": service.cpuset,
        "NanoCpus": round(cpus * 10**9),
        "Memory": service.mem_limit or (limits.memory if limits else 0),
        "MemoryReservation": service.mem_reservation or (reserved.memory if reserved else 0),
        "MemorySwap": service.memswap_limit,
        "OomKillDisable": service.oom_kill_disable,
        "Devices": [
            {"PathOnHost": d.source, "PathInContainer": d.target, "CgroupPermissions": d.permissions}
            for d in service.devices
        ],
        "DeviceCgroupRules": [*service.device_cgroup_rules],
        "Ulimits": [{"Name": name, "Soft": u.soft, "Hard": u.hard} for name, u in service.ulimits.items()],
    }
    if pids := service.pids_limit or (limits.pids if limits else 0):
        config["PidsLimit"] = pids
    if service.mem_swappiness:
        config["MemorySwappiness"] = service.mem_swappiness
    return config | _rare_limits(service)


def _rare_limits(service: Service) -> dict[str, Json]:
    """What few services ask for: block devices, real time, accelerators, Windows; only what is said."""
    limits = service.blkio_config or {}
    reserved = service.deploy.reservations if service.deploy else None
    requests = [_device_request(r, "gpu") for r in service.gpus]
    requests += [_device_request(r) for r in (reserved.devices if reserved else ())]
    found: dict[str, Json] = {
        "BlkioWeight": limits.get("weight"),
        "BlkioWeightDevice": limits.get("weight_device"),
        "BlkioDeviceReadBps": _rates(limits.get("device_read_bps")),
        "BlkioDeviceReadIOps": _rates(limits.get("device_read_iops")),
        "BlkioDeviceWriteBps": _rates(limits.get("device_write_bps")),
        "BlkioDeviceWriteIOps": _rates(limits.get("device_write_iops")),
        "CpuCount": service.cpu_count,
        "CpuPercent": service.cpu_percent,
        "CpuRealtimePeriod": service.cpu_rt_period,
        "CpuRealtimeRuntime": service.cpu_rt_runtime,
        "DeviceRequests": requests,
    }
    return {name: value for name, value in found.items() if value}


def _rates(limits: Json) -> Json:
    """The API takes the rate as a number."""
    listed = limits if isinstance(limits, list) else []
    return [{"Path": item["Path"], "Rate": int(str(item["Rate"]))} for item in listed if isinstance(item, dict)]


def _device_request(request: Json, *more: str) -> Json:
    assert isinstance(request, dict)
    capabilities = request.get("capabilities")
    named = [*capabilities] if isinstance(capabilities, list) else []
    return {
        "Driver": request.get("driver", ""),
        "Count": request.get("count", 0),
        "DeviceIDs": request.get("device_ids"),
        "Capabilities": [[*named, *(name for name in more if name not in named)]],
        "Options": request.get("options"),
    }


def _credentials(service: Service) -> list[Json]:
    """Where a Windows service's credentials come from."""
    kinds = {"config": "config", "file": "file", "registry": "registry"}
    spec = service.credential_spec or {}
    return [f"credentialspec={kinds[key]}://{value}" for key, value in spec.items()]


def _restart(service: Service) -> Json:
    name, _, tries = service.restart.partition(":")
    policy = service.deploy.restart_policy if service.deploy else None
    if not name and policy:
        name = {"none": "no", "any": "always", "": "always"}.get(policy.condition, policy.condition)
        tries = str(policy.max_attempts or "") if name == "on-failure" else ""
    return {"Name": name, "MaximumRetryCount": int(tries or 0)}


def _shared(mode: str, container_of: Callable[[str], str]) -> str:
    if mode.startswith("service:"):
        return f"container:{container_of(mode.removeprefix('service:'))}"
    return mode


def _volumes_from(text: str, container_of: Callable[[str], str]) -> str:
    if text.startswith("container:"):
        return text.removeprefix("container:")
    service, colon, mode = text.partition(":")
    return f"{container_of(service)}{colon}{mode}"


def _security_option(text: str, wanted: Wanted) -> str:
    """A seccomp profile travels by its content, as the API wants it."""
    key, separator, value = text.partition("=") if "=" in text else text.partition(":")
    if key == "seccomp" and separator and value not in ("unconfined", "builtin"):
        return f"seccomp={wanted.read_file(value)}"
    return f"{key}={value}" if separator and key != "label" else text


def _tmpfs(service: Service) -> dict[str, str]:
    pairs = [text.partition(":") for text in service.tmpfs]
    return {path: options for path, _, options in pairs}


def _mounts(wanted: Wanted) -> tuple[Json, Json]:
    """`Binds` for what a bind string can say (and the engine creates missing sources), `Mounts` for the rest."""
    binds: list[Json] = [f"{name}:{target}" for target, name in sorted(wanted.inherited.items())]
    mounts: list[Json] = []
    for volume in wanted.service.volumes:
        if volume.type == "volume" and not volume.source:
            continue
        if _needs_mount(volume):
            mounts.append(_mount(volume, wanted.project.volumes))
        else:
            binds.append(_bind(volume, wanted.project.volumes))
    if wanted.service.use_api_socket:
        binds.append(f"{wanted.socket}:{_API_SOCKET}:rw")
    return binds, mounts + _file_mounts(wanted)


def _needs_mount(volume: ServiceVolume) -> bool:
    """A bind string creates a missing source, and knows neither subpaths nor labels nor recursion."""
    special = volume.type in ("tmpfs", "image") or volume.subpath or volume.labels or volume.recursive
    return bool(special) or (volume.type == "bind" and volume.has_options and not volume.create_host_path)


def _bind(volume: ServiceVolume, volumes: Mapping[str, Volume]) -> str:
    source = volumes[volume.source].name if volume.type == "volume" else volume.source
    options = ["ro" if volume.read_only else "rw", volume.selinux, volume.propagation]
    options.append("nocopy" if volume.no_copy else "")
    return f"{source}:{volume.target}:{','.join(o for o in options if o)}"


def _mount(volume: ServiceVolume, volumes: Mapping[str, Volume]) -> Json:
    document: dict[str, Json] = {"Type": volume.type, "Target": volume.target, "ReadOnly": volume.read_only}
    if volume.type == "tmpfs":
        sizes: dict[str, Json] = {"SizeBytes": volume.tmpfs_size, "Mode": volume.tmpfs_mode}
        document["TmpfsOptions"] = {name: value for name, value in sizes.items() if value}
        return document
    if volume.type == "image":
        image: dict[str, Json] = {"Subpath": volume.subpath} if volume.subpath else {}
        return {**document, "Source": volume.source, "ImageOptions": image}
    if volume.type == "volume":
        options: dict[str, Json] = {"NoCopy": volume.no_copy, "Labels": dict[str, Json](dict(volume.labels))}
        if volume.subpath:
            options["Subpath"] = volume.subpath
        document |= {"Source": volumes[volume.source].name, "VolumeOptions": options}
        return document
    bind: dict[str, Json] = {"Propagation": volume.propagation} if volume.propagation else {}
    if volume.recursive == "disabled":
        bind["NonRecursive"] = True
    if volume.recursive == "writable":
        bind["ReadOnlyNonRecursive"] = True
    if volume.recursive == "readonly":
        bind["ReadOnlyForceRecursive"] = True
    document |= {"Source": volume.source, "BindOptions": bind}
    return document


def _file_mounts(wanted: Wanted) -> list[Json]:
    """Secrets and configs that are files of the host."""
    return [
        {"Type": "bind", "Source": o.file, "Target": r.target, "ReadOnly": True, "BindOptions": {}}
        for r, o in placed_files(wanted.project, wanted.service)
        if o.file and not has_owner(r)
    ]


_SECRETS, _CONFIGS = "/run/secrets", ""
"""What a target that is not absolute is below."""


def placed_files(project: Project, service: Service) -> list[tuple[FileReference, FileObject]]:
    """A service's secrets and configs, each with its absolute place in the container, and what it is."""
    found = [(_placed(r, _SECRETS), project.secrets[r.source]) for r in service.secrets]
    return found + [(_placed(r, _CONFIGS), project.configs[r.source]) for r in service.configs]


def _placed(reference: FileReference, folder: str) -> FileReference:
    target = reference.target or reference.source
    return reference if target.startswith("/") and reference.target else replace(reference, target=f"{folder}/{target}")


def has_owner(reference: FileReference) -> bool:
    """Whether a secret or config asks for an owner or a mode, which a mounted file cannot be given."""
    return bool(reference.uid or reference.gid or reference.mode is not None)


def network_body(project: Project, network: Network) -> dict[str, Json]:
    pools: list[Json] = []
    for pool in network.pools:
        document: dict[str, Json] = {"Subnet": pool.subnet, "IPRange": pool.ip_range, "Gateway": pool.gateway}
        document["AuxiliaryAddresses"] = dict[str, Json](dict(pool.aux_addresses))
        pools.append({name: value for name, value in document.items() if value})
    body: dict[str, Json] = {
        "Name": network.name,
        "Driver": network.driver or "bridge",
        "Options": dict[str, Json](network.driver_opts),
        "Internal": network.internal,
        "Attachable": network.attachable,
        "Labels": dict[str, Json](label.network_labels(project, network)),
        "CheckDuplicate": True,
    }
    if pools or network.ipam_driver:
        body["IPAM"] = {"Driver": network.ipam_driver, "Config": pools}
    if network.enable_ipv4 is not None:
        body["EnableIPv4"] = network.enable_ipv4
    if network.enable_ipv6 is not None:
        body["EnableIPv6"] = network.enable_ipv6
    return body


def volume_body(project: Project, volume: Volume) -> dict[str, Json]:
    return {
        "Name": volume.name,
        "Driver": volume.driver,
        "DriverOpts": dict[str, Json](volume.driver_opts),
        "Labels": dict[str, Json](label.volume_labels(project, volume)),
    }
