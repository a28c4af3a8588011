"""The body that makes a service's container, in the words of Docker's API. Pure."""

from hakobu.compose import label
from hakobu.compose.host_config import host_config
from hakobu.compose.model.attachment import NetworkAttachment
from hakobu.compose.model.healthcheck import Healthcheck
from hakobu.compose.model.service import Service
from hakobu.compose.wanted import Wanted
from hakobu.spec.step import Json


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
    config["HostConfig"] = host_config(wanted, next(iter(networks), ""))
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
