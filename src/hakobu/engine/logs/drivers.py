"""Log drivers: which there are, their options, and what a container's options mean. Pure.

Two write a file that is the log itself (`json-file`, `local`), one writes nothing, the others send lines to a
receiver; of what these send a copy is kept on disk, from which `logs` reads and from which nothing is lost while the
receiver is away. Names and texts are Docker's.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from hakobu.engine.size import parse_size
from hakobu.errors import HakobuError, Invalid
from hakobu.spec.container import Container
from hakobu.spec.log_config import LogConfig
from hakobu.spec.plan import LogTarget

_COMMON = frozenset({"mode", "max-buffer-size"})
_FILE = frozenset({"max-size", "max-file", "compress"})
_DETAILS = frozenset({"labels", "labels-regex", "env", "env-regex", "tag"})
_CACHE = frozenset({"cache-disabled", "cache-max-size", "cache-max-file", "cache-compress"})
_TLS = frozenset({"syslog-tls-ca-cert", "syslog-tls-cert", "syslog-tls-key", "syslog-tls-skip-verify"})

OPTIONS: Final[Mapping[str, frozenset[str]]] = {
    "json-file": _FILE | _DETAILS,
    "local": _FILE,
    "none": frozenset(),
    "journald": _DETAILS,
    "syslog": _DETAILS | _TLS | {"syslog-address", "syslog-facility", "syslog-format"},
    "gelf": _DETAILS
    | {"gelf-address", "gelf-compression-type", "gelf-compression-level"}
    | {"gelf-tcp-max-reconnect", "gelf-tcp-reconnect-delay"},
    "fluentd": _DETAILS
    | {"fluentd-address", "fluentd-async", "fluentd-async-reconnect-interval", "fluentd-buffer-limit"}
    | {"fluentd-retry-wait", "fluentd-max-retries", "fluentd-sub-second-precision", "fluentd-request-ack"}
    | {"fluentd-write-timeout"},
}
"""Driver to the options that are its own; `mode` goes with each, the cache's with each that sends."""

DRIVERS: Final = tuple(sorted(OPTIONS))
FORWARDING: Final = frozenset({"journald", "syslog", "gelf", "fluentd"})

FACILITIES: Final[Mapping[str, int]] = {
    name: number
    for number, name in enumerate(
        "kern user mail daemon auth syslog lpr news uucp cron authpriv ftp".split()  # 12 to 15 are nobody's
    )
} | {f"local{n}": 16 + n for n in range(8)}

_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


class NoSuchDriver(Invalid):
    def __init__(self, name: str) -> None:
        super().__init__(
            f"logger: no log driver named '{name}' is registered",
            field="LogConfig",
            hint=f"there are {', '.join(DRIVERS)}",
        )


@dataclass(frozen=True, slots=True)
class Address:
    """`tcp`, `udp`, `tls` with host and port; `unix` (stream) and `unixgram` with a path in `host`."""

    network: str
    host: str
    port: int = 0

    def __str__(self) -> str:
        return f"{self.host}:{self.port}" if self.port else self.host


def check(config: LogConfig) -> None:
    """Raises for a driver that does not exist, an option that is not its own, and a value that makes no sense."""
    if config.driver not in OPTIONS:
        raise NoSuchDriver(config.driver)
    if config.driver == "none":
        return
    allowed = OPTIONS[config.driver] | _COMMON | (_CACHE if config.driver in FORWARDING else frozenset[str]())
    for name, value in config.options.items():
        if name not in allowed:
            raise _refused(f"unknown log opt '{name}' for {config.driver} log driver")
        if (parse := _PARSERS.get(name)) is not None:
            try:
                parse(value)
            except (ValueError, re.error):
                raise _refused(f"invalid value for {name}: {value}") from None
    _check_together(config)


def _check_together(config: LogConfig) -> None:
    options = config.options
    if "max-buffer-size" in options and options.get("mode") != "non-blocking":
        raise _refused("logger: max-buffer-size option is only supported with 'mode=non-blocking'")
    rotates = int(options.get("max-file", "1")) > 1 and "max-size" in options
    if config.driver == "json-file" and not rotates and parse_bool(options.get("compress", "false")):
        raise _refused("compress cannot be true when max-file is less than 2 or max-size is not set")
    match config.driver:
        case "gelf":
            if "gelf-address" not in options:
                raise _refused("gelf: gelf-address is a required parameter")
            udp = address(config).network == "udp"
            if not udp and any(name.startswith("gelf-compression") for name in options):
                raise _refused("gelf: compression is only supported on UDP")
            if udp and any(name.startswith("gelf-tcp") for name in options):
                raise _refused("gelf: gelf-tcp options are only supported on TCP")
        case "syslog" | "fluentd":
            address(config)
        case _:
            pass


def address(config: LogConfig) -> Address:
    """Where a driver sends to; raises for one that it cannot."""
    text = config.options.get(f"{config.driver}-address", "")
    match config.driver:
        case "syslog":
            schemes = {"tcp": "tcp", "udp": "udp", "tcp+tls": "tls", "unix": "unix", "unixgram": "unixgram"}
            return _address(text, schemes, 514) if text else Address("unixgram", "/dev/log")
        case "gelf":
            return _address(text, {"tcp": "tcp", "udp": "udp"}, 12201)
        case "fluentd":
            text = text if "://" in text else f"tcp://{text or '127.0.0.1:24224'}"
            return _address(text, {"tcp": "tcp", "tls": "tls", "unix": "unix"}, 24224)
        case _:
            return Address("unixgram", "/run/systemd/journal/socket")


def _address(text: str, schemes: Mapping[str, str], default_port: int) -> Address:
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in schemes or not rest:
        raise _refused(f"invalid log address: {text!r} (expected one of {', '.join(f'{s}://' for s in schemes)})")
    network = schemes[scheme]
    if network in ("unix", "unixgram"):
        return Address(network, rest)
    host, colon, port = rest.rpartition(":") if not rest.endswith("]") else (rest, "", "")
    if not colon:
        host, port = rest, str(default_port)
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise _refused(f"invalid log address: {text!r}: {port!r} is no port")
    return Address(network, host.removeprefix("[").removesuffix("]") or "127.0.0.1", int(port))


def parse_bool(text: str) -> bool:
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise ValueError(text)


def parse_duration_s(text: str) -> float:
    """Go's durations (`1.5s`, `2m30s`); a bare number is milliseconds, as fluentd's options have it."""
    if text.isascii() and text.isdigit():
        return int(text) / 1000
    parts = _DURATION.findall(text)
    if not parts or "".join(n + u for n, u in parts) != text:
        raise ValueError(text)
    return sum(float(number) * _UNITS_S[unit] for number, unit in parts)


def _one_of(*names: str) -> Callable[[str], object]:
    def parse(text: str) -> str:
        if text not in names:
            raise ValueError(text)
        return text

    return parse


def _limit(parse: Callable[[str], int]) -> Callable[[str], object]:
    """-1 is none; nothing else may be below one."""

    def limited(text: str) -> int:
        value = parse(text)
        if value < 1 and value != -1:
            raise ValueError(text)
        return value

    return limited


def _between(low: int, high: int) -> Callable[[str], object]:
    def parse(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise ValueError(text)
        return value

    return parse


def parse_facility(text: str) -> int:
    if text in FACILITIES:
        return FACILITIES[text]
    value = int(text)
    if not 0 <= value <= 23:
        raise ValueError(text)
    return value


_PARSERS: Final[Mapping[str, Callable[[str], object]]] = {
    "mode": _one_of("", "blocking", "non-blocking"),
    "max-buffer-size": _limit(parse_size),
    "max-size": _limit(parse_size),
    "max-file": _limit(int),
    "compress": parse_bool,
    "labels-regex": re.compile,
    "env-regex": re.compile,
    "tag": lambda text: expand_tag(text, {}),
    "cache-disabled": parse_bool,
    "cache-max-size": _limit(parse_size),
    "cache-max-file": _limit(int),
    "cache-compress": parse_bool,
    "syslog-facility": parse_facility,
    "syslog-format": _one_of("", "rfc3164", "rfc5424", "rfc5424micro"),
    "syslog-tls-skip-verify": parse_bool,
    "gelf-compression-type": _one_of("gzip", "zlib", "none"),
    "gelf-compression-level": _between(-1, 9),
    "gelf-tcp-max-reconnect": _between(0, 2**31),
    "gelf-tcp-reconnect-delay": _between(0, 2**31),
    "fluentd-async": parse_bool,
    "fluentd-async-reconnect-interval": parse_duration_s,
    "fluentd-buffer-limit": parse_size,
    "fluentd-retry-wait": parse_duration_s,
    "fluentd-max-retries": _between(0, 2**31),
    "fluentd-sub-second-precision": parse_bool,
    "fluentd-request-ack": parse_bool,
    "fluentd-write-timeout": parse_duration_s,
}


def _refused(text: str) -> Invalid:
    return Invalid(text, field="LogConfig")


# What a container's options come to


def is_readable(config: LogConfig) -> bool:
    """Whether `logs` has anything to read."""
    return config.driver != "none" and not parse_bool(config.options.get("cache-disabled", "false"))


def target(container: Container) -> LogTarget:
    """What the shim writes; `container.log_path` is empty for the driver `none`."""
    config = container.spec.log
    driver = config.driver or "json-file"
    if driver == "none":
        return LogTarget("none", "")
    prefix = "cache-" if driver in FORWARDING else ""
    own = driver == "json-file"
    return LogTarget(
        "json-file" if own else "local",
        container.log_path,
        max_bytes=parse_size(config.options.get(f"{prefix}max-size", "-1" if own else "20m")),
        max_files=int(config.options.get(f"{prefix}max-file", "1" if own else "5")),
        compress=parse_bool(config.options.get(f"{prefix}compress", "false" if own else "true")),
        attributes=attributes(container) or None,
    )


def attributes(container: Container) -> dict[str, str]:
    """The labels, variables and the tag that go with each line."""
    chosen = details(container)
    if tag := container.spec.log.options.get("tag"):
        chosen["tag"] = expand_tag(tag, facts(container))
    return chosen


def details(container: Container) -> dict[str, str]:
    """The labels and variables that were asked for by name or by pattern; variables win."""
    options = container.spec.log.options
    env = dict(setting.split("=", 1) for setting in container.env if "=" in setting)
    return {
        **_chosen(container.labels, options.get("labels", ""), options.get("labels-regex", "")),
        **_chosen(env, options.get("env", ""), options.get("env-regex", "")),
    }


def _chosen(values: Mapping[str, str], names: str, pattern: str) -> dict[str, str]:
    wanted = {name.strip() for name in names.split(",")}
    return {n: value for n, value in values.items() if n in wanted or (pattern and re.search(pattern, n))}


def facts(container: Container) -> dict[str, str]:
    """What a tag's template may name."""
    image = container.image_id.removeprefix("sha256:")
    return {
        "ID": container.id[:12],
        "FullID": container.id,
        "Name": container.name,
        "ImageID": image[:12],
        "ImageFullID": container.image_id,
        "ImageName": container.image_ref,
        "Hostname": container.hostname,
        "Command": " ".join(container.argv),
        "DaemonName": "hakobu",
    }


_FIELD = re.compile(r"\{\{\s*(.*?)\s*\}\}")
_FACTS = frozenset({"ID", "FullID", "Name", "ImageID", "ImageFullID", "ImageName", "Hostname", "Command", "DaemonName"})


def expand_tag(template: str, values: Mapping[str, str]) -> str:
    """`{{.Name}}` and the like replaced; raises ValueError for what is no fact of a container."""

    def one(match: "re.Match[str]") -> str:
        name = match[1].removeprefix(".")
        if not match[1].startswith(".") or name not in _FACTS:
            raise ValueError(template)
        return values.get(name, "")

    return _FIELD.sub(one, template)


class ReceiverRefused(HakobuError):
    """The receiver of a container's log does not answer, at its start."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"failed to create task for container: failed to initialize logging driver: {reason}")
