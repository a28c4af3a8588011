"""A create body into a `ContainerSpec`: every field is carried over, warned about, or refused by name."""

from collections.abc import Sequence

from hakobu.api.translate import endpoint, limit, mount, port, security
from hakobu.api.translate.limit import NotSupported
from hakobu.errors import Invalid
from hakobu.spec.container import ContainerSpec, Healthcheck
from hakobu.spec.log_config import LogConfig
from hakobu.wire import container as wire
from hakobu.wire.version import ApiVersion

RUNTIMES = frozenset({"", "runc", "hakobu", "io.containerd.runc.v2"})
_MILLISECOND_NS = 1_000_000


def container_spec(body: wire.ContainerCreate, version: ApiVersion) -> tuple[ContainerSpec, list[str]]:
    """The spec, and warnings for what Docker would take silently. Raises `Invalid` or `NotSupported`."""
    host: wire.HostConfigShape = body.get("HostConfig") or {}
    mode = host.get("NetworkMode") or "default"
    _check(body, host, mode)
    rows, columns = size(host.get("ConsoleSize"))
    spec = ContainerSpec(
        image=body.get("Image") or "",
        entrypoint=_entrypoint(body.get("Entrypoint")),
        command=argv(body.get("Cmd")) or None,
        env=_env(body.get("Env")),
        working_dir=_working_dir(body.get("WorkingDir") or ""),
        user=body.get("User") or "",
        groups=tuple(host.get("GroupAdd") or ()),
        hostname=body.get("Hostname") or "",
        domain_name=body.get("Domainname") or "",
        tty=bool(body.get("Tty")),
        open_stdin=bool(body.get("OpenStdin")),
        stdin_once=bool(body.get("StdinOnce")),
        attach_stdin=bool(body.get("AttachStdin")),
        attach_stdout=bool(body.get("AttachStdout")),
        attach_stderr=bool(body.get("AttachStderr")),
        console_rows=rows,
        console_columns=columns,
        labels=dict(body.get("Labels") or {}),
        annotations=dict(host.get("Annotations") or {}),
        healthcheck=_healthcheck(body.get("Healthcheck")),
        stop_signal=body.get("StopSignal") or "",
        stop_timeout_s=body.get("StopTimeout"),
        exposed_ports=port.exposed(body.get("ExposedPorts")),
        volumes=mount.volume_paths(body.get("Volumes")),
        mounts=mount.mounts(host, version),
        volumes_from=tuple(host.get("VolumesFrom") or ()),
        volume_driver=host.get("VolumeDriver") or "",
        restart=limit.restart_policy(host.get("RestartPolicy")),
        log=_log(host.get("LogConfig")),
        auto_remove=bool(host.get("AutoRemove")),
        init=host.get("Init"),
        runtime=host.get("Runtime") or body.get("Runtime") or "",
        isolation=host.get("Isolation") or "",
        limits=limit.limits(host),
        oom_score_adj=host.get("OomScoreAdj") or 0,
        shm_bytes=host.get("ShmSize") or 0,
        sysctls=dict(host.get("Sysctls") or {}),
        storage_options=dict(host.get("StorageOpt") or {}),
        namespaces=security.namespaces(host),
        security=security.security(host),
        network_mode=mode,
        network_disabled=bool(body.get("NetworkDisabled")),
        endpoints=endpoint.endpoints(body, mode, version),
        ports=port.bindings(host.get("PortBindings")),
        publish_all=bool(host.get("PublishAllPorts")),
        links=tuple(host.get("Links") or ()),
        dns=tuple(host.get("Dns") or ()),
        dns_options=tuple(host.get("DnsOptions") or ()),
        dns_search=tuple(host.get("DnsSearch") or ()),
        extra_hosts=_extra_hosts(host.get("ExtraHosts")),
        container_id_file=host.get("ContainerIDFile") or "",
    )
    if spec.auto_remove and spec.restart.name != "no":
        raise Invalid("can't create 'AutoRemove' container with restart policy", field="HostConfig.AutoRemove")
    return spec, limit.warnings(host)


def argv(value: "Sequence[str] | str | None") -> tuple[str, ...]:
    """Docker takes a single string for a list of one."""
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def _entrypoint(value: "Sequence[str] | str | None") -> tuple[str, ...] | None:
    """None keeps the image's; an empty one, and the list of one empty string, clear it."""
    if value is None:
        return None
    given = argv(value)
    return () if given == ("",) else given


def size(value: "Sequence[int] | None") -> tuple[int, int]:
    """`ConsoleSize` as rows and columns."""
    if not value:
        return 0, 0
    if len(value) != 2 or not all(0 <= n <= 0xFFFF for n in value):
        raise Invalid("invalid console size", field="ConsoleSize")
    return value[0], value[1]


def _check(body: wire.ContainerCreate, host: wire.HostConfigShape, mode: str) -> None:
    if (host.get("Isolation") or "default") != "default":
        raise Invalid(f"invalid isolation '{host.get('Isolation')}' on linux", field="HostConfig.Isolation")
    if (host.get("Runtime") or "") not in RUNTIMES:
        raise Invalid(f"unknown or invalid runtime name: {host.get('Runtime')}", field="HostConfig.Runtime")
    if body.get("OnBuild"):
        raise NotSupported("OnBuild", "it is of image builds")
    score = host.get("OomScoreAdj") or 0
    if not -1000 <= score <= 1000:
        raise Invalid(
            f"Invalid value {score}, range for oom score adj is [-1000, 1000]", field="HostConfig.OomScoreAdj"
        )
    if (host.get("ShmSize") or 0) < 0:
        raise Invalid("SHM size can not be less than 0", field="HostConfig.ShmSize")
    if mode == "host" and host.get("UTSMode") == "host" and body.get("Hostname"):
        raise Invalid("conflicting options: hostname and the UTS mode", field="Hostname")
    if mode.startswith("container:"):
        _check_joined(body, host)


def _check_joined(body: wire.ContainerCreate, host: wire.HostConfigShape) -> None:
    """What belongs to a network namespace cannot be set by one who only joins it."""
    conflicts = (
        ("hostname", body.get("Hostname")),
        ("links", host.get("Links")),
        ("dns", host.get("Dns")),
        ("custom host-to-IP mapping", host.get("ExtraHosts")),
        ("mac-address", body.get("MacAddress")),
        ("port publishing", host.get("PortBindings")),
        ("port publishing", host.get("PublishAllPorts")),
        ("port exposing", body.get("ExposedPorts")),
    )
    for name, value in conflicts:
        if value:
            kind = "the container type network mode" if name.startswith("port") else "the network mode"
            raise Invalid(f"conflicting options: {name} and {kind}", field="HostConfig.NetworkMode")


def _env(values: "Sequence[str] | None") -> tuple[str, ...]:
    for value in values or ():
        if not value or value.startswith("="):
            raise Invalid(f"invalid environment variable: {value}", field="Env")
        if "\0" in value:
            raise Invalid("invalid environment variable: it holds a NUL", field="Env")
    return tuple(values or ())


def _working_dir(path: str) -> str:
    if path and not path.startswith("/"):
        raise Invalid(f"the working directory '{path}' is invalid, it needs to be an absolute path", field="WorkingDir")
    return path


def _extra_hosts(values: "Sequence[str] | None") -> tuple[str, ...]:
    for value in values or ():
        name, colon, address = value.partition(":")
        if not (name and colon and address):
            raise Invalid(f'bad format for add-host: "{value}"', field="HostConfig.ExtraHosts")
    return tuple(values or ())


def _log(given: wire.LogConfigShape | None) -> LogConfig:
    return LogConfig(driver=(given or {}).get("Type") or "", options=dict((given or {}).get("Config") or {}))


def _healthcheck(given: wire.HealthcheckShape | None) -> Healthcheck | None:
    if given is None:
        return None
    test = tuple(given.get("Test") or ())
    if test and test[0] not in ("NONE", "CMD", "CMD-SHELL"):
        raise Invalid(f"unknown type {test[0]} in Healthcheck (try CMD)", field="Healthcheck.Test")
    names = ("Interval", "Timeout", "StartPeriod", "StartInterval")
    times = {name: given.get(name) or 0 for name in names}
    for name, value in times.items():
        if value and value < _MILLISECOND_NS:
            raise Invalid(f"{name} in Healthcheck cannot be less than 1ms", field=f"Healthcheck.{name}")
    retries = given.get("Retries") or 0
    if retries < 0:
        raise Invalid("Retries in Healthcheck cannot be negative", field="Healthcheck.Retries")
    return Healthcheck(
        test=test,
        interval_ns=times["Interval"],
        timeout_ns=times["Timeout"],
        start_period_ns=times["StartPeriod"],
        start_interval_ns=times["StartInterval"],
        retries=retries,
    )
