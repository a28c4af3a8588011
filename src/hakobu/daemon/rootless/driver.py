"""The program that joins a user's network namespace to the host's network: slirp4netns, or pasta. Pure but for `find`.

Both carry connections of the namespace out through sockets of their own; nothing comes in through them (ports are
the keeper's). Neither lets the namespace reach the host's loopback.
"""

import shutil
from dataclasses import dataclass
from typing import Literal

from hakobu.errors import HakobuError, Kind

Name = Literal["slirp4netns", "pasta"]

_INTERFACE = "tap0"
_MTU = 65520
_PROGRAMS: tuple[Name, ...] = ("slirp4netns", "pasta")


class NoDriver(HakobuError):
    kind = Kind.UNAVAILABLE

    def __init__(self) -> None:
        super().__init__(
            "an engine without root needs slirp4netns or pasta, and neither is there",
            hint="sudo apt install slirp4netns",
        )


@dataclass(frozen=True, slots=True)
class Driver:
    """`resolver` is the address at which the namespace reaches the host's name servers."""

    name: Name
    path: str
    resolver: str


_RESOLVERS: dict[Name, str] = {"slirp4netns": "10.0.2.3", "pasta": "169.254.1.1"}


def find(wanted: str = "") -> Driver:
    """The first that is installed; `wanted` names one. Raises `NoDriver`."""
    for name in _PROGRAMS:
        if wanted in ("", name) and (path := shutil.which(name, path="/usr/local/bin:/usr/bin:/bin")):
            return Driver(name, path, _RESOLVERS[name])
    raise NoDriver


def command(driver: Driver, user_namespace: str, network_namespace: str, ready_fd: int) -> list[str]:
    """Its argv, to run in the foreground. slirp4netns says on `ready_fd` when the network is there, pasta does not."""
    if driver.name == "slirp4netns":
        return [
            driver.path,
            "--configure",
            f"--mtu={_MTU}",
            "--disable-host-loopback",
            "--enable-seccomp",
            f"--ready-fd={ready_fd}",
            f"--userns-path={user_namespace}",
            "--netns-type=path",
            network_namespace,
            _INTERFACE,
        ]
    nothing_in = [word for flag in ("-t", "-u", "-T", "-U") for word in (flag, "none")]
    return [
        driver.path,
        "--foreground",
        "--quiet",
        "--config-net",
        "--no-map-gw",
        *("--ns-ifname", _INTERFACE),
        *("--dns-forward", driver.resolver),
        *nothing_in,
        *("--userns", user_namespace),
        *("--netns", network_namespace),
    ]


def resolver_file(host: str, driver: Driver) -> str:
    """resolv.conf(5) of the namespace: the host's, with the driver's address for its name servers."""
    kept = [line for line in host.splitlines() if line.split() and line.split()[0] in ("search", "domain", "options")]
    return "\n".join([f"nameserver {driver.resolver}", *kept, ""])
