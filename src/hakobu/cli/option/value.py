"""Small values of `run`'s flags: each parser takes what was typed and gives the API's shape of it.

ValueError carries docker's words; the flag parser puts the flag's name before them.
"""

from __future__ import annotations

from hakobu.cli.kind import parse_bytes, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.client.codec import Json

ULIMITS = [
    "as",
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
]


def parse_stream(text: str) -> str:
    name = text.lower()
    if name not in ("stdin", "stdout", "stderr"):
        raise ValueError("valid streams are STDIN, STDOUT and STDERR")
    return name


def parse_env(text: str) -> str:
    """`NAME=value`, or `NAME` alone: the caller's own value, and nothing where it has none."""
    import os

    name, equals, _ = text.partition("=")
    if not name:
        raise ValueError(f"invalid environment variable: {text}")
    if equals:
        return text
    return f"{name}={os.environ[name]}" if name in os.environ else text


def parse_extra_host(text: str) -> str:
    """`host:ip` or `host=ip`, given on as `host:ip`."""
    equals, colon = text.find("="), text.find(":")
    cut = equals if equals >= 0 and (colon < 0 or equals < colon) else colon
    host, address = text[:cut], text[cut + 1 :]
    if cut <= 0 or not address:
        raise ValueError(f"bad format for add-host: {quoted(text)}")
    address = address[1:-1] if address.startswith("[") and address.endswith("]") else address
    if address != "host-gateway" and not is_ip(address):
        raise ValueError(f"invalid IP address in add-host: {quoted(address)}")
    return f"{host}:{address}"


def is_ip(text: str) -> bool:
    """Whether it is an IPv4 or IPv6 address, as the kernel's own parser reads them."""
    from _socket import AF_INET, AF_INET6, inet_pton

    for family in (AF_INET, AF_INET6):
        try:
            inet_pton(family, text)
        except (OSError, ValueError):
            continue
        return True
    return False


def parse_ip(text: str) -> str:
    if not is_ip(text.strip()):
        raise ValueError(f"IP address is not correctly formatted: {text}")
    return text.strip()


_SYSCTLS = frozenset(
    [
        "kernel.msgmax",
        "kernel.msgmnb",
        "kernel.msgmni",
        "kernel.sem",
        "kernel.shmall",
        "kernel.shmmax",
        "kernel.shmmni",
        "kernel.shm_rmid_forced",
    ]
)


def parse_sysctl(text: str) -> str:
    """Only parameters that are namespaced; the engine checks again, and checks the namespaces."""
    name, equals, _ = text.partition("=")
    if equals and (name in _SYSCTLS or name.startswith(("net.", "fs.mqueue."))):
        return text
    raise ValueError(f"sysctl '{text}' is not allowed")


def parse_ulimit(text: str) -> Json:
    """`nofile=1024:2048` with the soft limit first, `-1` for none."""
    name, equals, limits = text.partition("=")
    if not equals:
        raise ValueError(f"invalid ulimit argument: {text}")
    if name not in ULIMITS:
        raise ValueError(f"invalid ulimit type: {name}")
    soft, colon, hard = limits.partition(":")
    try:
        soft_value = int(soft)
        hard_value = int(hard) if colon else soft_value
    except ValueError:
        bad = hard if colon and _is_int(soft) else soft
        raise ValueError(f"strconv.ParseInt: parsing {quoted(bad)}: invalid syntax") from None
    if hard_value != -1 and (soft_value == -1 or soft_value > hard_value):
        message = f"ulimit soft limit must be less than or equal to hard limit: {soft_value} > {hard_value}"
        raise ValueError(message)
    return {"Name": name, "Hard": hard_value, "Soft": soft_value}


def _is_int(text: str) -> bool:
    return text.lstrip("-").isdigit()


def _device_and_value(text: str) -> tuple[str, str]:
    device, colon, value = text.rpartition(":")
    if not colon or not device:
        raise ValueError(f"bad format: {text}")
    if not device.startswith("/dev/"):
        raise ValueError(f"bad format for device path: {text}")
    return device, value


def parse_throttle_bytes(text: str) -> Json:
    device, value = _device_and_value(text)
    unit = (
        "<device-path>:<number>[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb"
    )
    try:
        return {"Path": device, "Rate": parse_bytes(value)}
    except ValueError:
        raise ValueError(f"invalid rate for device: {text}. The correct format is {unit}") from None


def parse_throttle_count(text: str) -> Json:
    device, value = _device_and_value(text)
    if not value.isdigit():
        form = "<device-path>:<number>. Number must be a positive integer"
        raise ValueError(f"invalid rate for device: {text}. The correct format is {form}")
    return {"Path": device, "Rate": int(value)}


def parse_weight_device(text: str) -> Json:
    device, value = _device_and_value(text)
    if not value.isdigit() or (int(value) and not 10 <= int(value) <= 1000):
        raise ValueError(f"invalid weight for device: {text}")
    return {"Path": device, "Weight": int(value)}


def parse_device_rule(text: str) -> str:
    kind, _, rest = text.partition(" ")
    numbers, _, access = rest.partition(" ")
    major, colon, minor = numbers.partition(":")
    numeric = all(part == "*" or part.isdigit() for part in (major, minor))
    if kind in ("a", "b", "c") and colon and numeric and access and set(access) <= set("rwm"):
        return text
    raise ValueError(f"invalid device cgroup format '{text}'")


def parse_link(text: str) -> str:
    parts = text.split(":")
    if not parts[0] or len(parts) > 2:
        raise ValueError(f"bad format for links: {text}")
    return text


def parse_device(text: str) -> Json:
    """`/dev/a:/dev/b:rwm`."""
    parts = text.split(":")
    source, target, access = parts[0], "", "rwm"
    if len(parts) == 2:
        if parts[1] and set(parts[1]) <= set("rwm"):
            access = parts[1]
        else:
            target = parts[1]
    elif len(parts) == 3:
        target, access = parts[1], parts[2]
    if not source or len(parts) > 3 or not access or not set(access) <= set("rwm"):
        raise ValueError(f"bad format for path: {text}" if len(parts) > 3 else f"bad mode specified: {access}")
    return {"PathOnHost": source, "PathInContainer": target or source, "CgroupPermissions": access}


def parse_gpus(text: str) -> Json:
    """docker's device request; the engine decides whether there is anybody to serve it."""
    request: Json = {"Driver": "", "Count": 0, "DeviceIDs": None, "Capabilities": [["gpu"]], "Options": {}}
    for field in text.split(","):
        key, equals, value = field.partition("=")
        if not equals:
            key, value = "count", field
        if key == "count":
            request["Count"] = -1 if value == "all" else _count(value)
        elif key == "device":
            request["DeviceIDs"] = value.strip('"').split(",")
        elif key == "driver":
            request["Driver"] = value
        elif key == "capabilities":
            request["Capabilities"] = [[*value.strip('"').split(","), "gpu"]]
        else:
            raise ValueError(f"unexpected key '{key}' in '{field}'")
    if not request["Count"] and not request["DeviceIDs"]:
        request["Count"] = 1
    return request


def _count(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f'invalid count ({text}): value must be either "all" or an integer') from None


def parse_mac(text: str) -> str:
    parts = text.replace("-", ":").split(":")
    hexadecimal = all(len(p) == 2 and set(p.lower()) <= set("0123456789abcdef") for p in parts)
    if len(parts) not in (6, 8, 20) or not hexadecimal:
        raise ValueError(f"{text} is not a valid mac address")
    return text.strip()


def parse_restart(text: str) -> Json:
    """`on-failure:3`; the engine knows the names of the policies."""
    name, colon, count = text.partition(":")
    if colon and not name:
        raise ValueError("invalid restart policy format: no policy provided before colon")
    try:
        return {"Name": name, "MaximumRetryCount": int(count) if count else 0}
    except ValueError:
        raise ValueError("invalid restart policy format: maximum retry count must be an integer") from None


def parse_platform(text: str) -> str:
    """Given on as typed; what cannot be one is refused here, as docker does."""
    known = [
        "linux",
        "windows",
        "darwin",
        "freebsd",
        "amd64",
        "x86_64",
        "arm64",
        "aarch64",
        "arm",
        "386",
        "i386",
        "ppc64le",
        "s390x",
        "riscv64",
        "mips64le",
    ]
    parts = text.split("/")
    if text and len(parts) == 1 and parts[0].lower() not in known:
        raise ValueError(
            f'error parsing specified platform: "{text}": unknown operating system or architecture: invalid argument'
        )
    return text
