"""The program that joins a user's network namespace to the host's network: slirp4netns, or pasta. Pure but for `find`.

Both carry connections of the namespace out through sockets of their own; nothing comes in through them (ports are
the keeper's). Neither lets the namespace reach the host's loopback.
"""

import shutil
import subprocess
from dataclasses import dataclass
from typing import Literal

from hakobu.errors import HakobuError, Kind

Name = Literal["slirp4netns", "pasta"]

_INTERFACE = "tap0"
_MTU = 65520
_PATH = "/usr/local/bin:/usr/bin:/bin"
_PROGRAMS: tuple[Name, ...] = ("slirp4netns", "pasta")
# Debian 12's pasta (2023-03) connects a namespace and then carries no TCP; of 2024-08 or later is what knows this:
_PASTA_SINCE = "--map-host-loopback"


class NoDriver(HakobuError):
    kind = Kind.UNAVAILABLE

    def __init__(self) -> None:
        super().__init__(
            "an engine without root needs slirp4netns (or pasta of 2024-08 or later), and it is not there",
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
    """The first that is there and works; `wanted` names one. Raises `NoDriver`."""
    for name in _PROGRAMS:
        path = shutil.which(name, path=_PATH) if wanted in ("", name) else None
        if path and (name != "pasta" or _is_new_enough(path)):
            return Driver(name, path, _RESOLVERS[name])
    raise NoDriver


def _is_new_enough(path: str) -> bool:
    said = subprocess.run([path, "--help"], capture_output=True, text=True, check=False)
    return _PASTA_SINCE in said.stdout + said.stderr


def command(driver: Driver, pid: int, ready_fd: int) -> list[str]:
    """Its argv for the namespaces of process `pid`, to run in the foreground.

    slirp4netns says on `ready_fd` when the network is there, pasta does not.
    """
    if driver.name == "slirp4netns":
        return [
            driver.path,
            "--configure",
            f"--mtu={_MTU}",
            "--disable-host-loopback",
            "--enable-sandbox",
            "--enable-seccomp",
            f"--ready-fd={ready_fd}",
            str(pid),
            _INTERFACE,
        ]
    nothing_in = [word for flag in ("-t", "-u", "-T", "-U") for word in (flag, "none")]
    return [
        driver.path,
        "--foreground",
        "--stderr",
        "--config-net",
        "--no-map-gw",
        "--no-netns-quit",  # the process that the namespaces are named by ends
        *("--ns-ifname", _INTERFACE),
        *("--dns-forward", driver.resolver),
        *nothing_in,
        *("--userns", f"/proc/{pid}/ns/user"),
        *("--netns", f"/proc/{pid}/ns/net"),
    ]


def resolver_file(host: str, driver: Driver) -> str:
    """resolv.conf(5) of the namespace: the host's, with the driver's address for its name servers."""
    kept = [line for line in host.splitlines() if line.split() and line.split()[0] in ("search", "domain", "options")]
    return "\n".join([f"nameserver {driver.resolver}", *kept, ""])
