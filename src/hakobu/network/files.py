"""A container's /etc/hosts, /etc/hostname and /etc/resolv.conf as text. Pure but for `read_host_resolv_conf`.

Docker's formats: clients and images read these files, and people compare them.
"""

import ipaddress
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from hakobu.errors import Invalid

RESOLVER = "127.0.0.11"
FALLBACK = ("8.8.8.8", "8.8.4.4")
HOST_GATEWAY = "host-gateway"
_ETC = Path("/etc/resolv.conf")
_SYSTEMD = Path("/run/systemd/resolve/resolv.conf")

_HEAD = """127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
"""


@dataclass(frozen=True, slots=True)
class ResolvConf:
    """What a resolv.conf says."""

    nameservers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    def text(self) -> str:
        lines = [f"nameserver {server}" for server in self.nameservers]
        if self.search:
            lines.append("search " + " ".join(self.search))
        if self.options:
            lines.append("options " + " ".join(self.options))
        return "".join(line + "\n" for line in lines)


def parse_resolv_conf(text: str) -> ResolvConf:
    """The last `search` or `domain` and all options count, as in the C library; what is unknown is skipped."""
    servers: list[str] = []
    search: tuple[str, ...] = ()
    options: list[str] = []
    for line in text.splitlines():
        words = line.split("#")[0].split(";")[0].split()
        match words:
            case ["nameserver", server, *_]:
                servers.append(server)
            case ["search" | "domain", *names]:
                search = tuple(names)
            case ["options", *given]:
                options += given
            case _:
                continue
    return ResolvConf(tuple(servers), search, tuple(options))


def is_loopback(server: str) -> bool:
    try:
        return ipaddress.ip_address(server.split("%")[0]).is_loopback
    except ValueError:
        return False


def read_host_resolv_conf() -> ResolvConf:
    """The host's; where it only names systemd-resolved's stub, the file with the real servers behind it."""
    found = _read_resolv_conf(_ETC, _signature(_ETC))
    if found.nameservers and all(server == "127.0.0.53" for server in found.nameservers):
        behind = _read_resolv_conf(_SYSTEMD, _signature(_SYSTEMD))
        if behind.nameservers:
            return behind
    return found


def _signature(path: Path) -> tuple[int, ...]:
    """What tells one content of a file from another; every start asks, hardly any finds a new one."""
    try:
        found = os.stat(path)
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


@lru_cache(maxsize=4)
def _read_resolv_conf(path: Path, signature: tuple[int, ...]) -> ResolvConf:
    return parse_resolv_conf(_read(path))


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


@dataclass(frozen=True, slots=True)
class DnsWishes:
    """What the user (or the daemon's configuration) asked for; empty means the host's."""

    servers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


def upstreams(host: ResolvConf, wishes: DnsWishes) -> tuple[str, ...]:
    """Servers that names of the outside are asked of, as seen from a container: never the host's loopback."""
    servers = wishes.servers or host.nameservers
    return tuple(s for s in servers if not is_loopback(s) or s in wishes.servers) or FALLBACK


def resolv_conf(host: ResolvConf, wishes: DnsWishes, *, embedded: bool, host_network: bool = False) -> str:
    """The file's text. `embedded` for containers on user-defined networks, whose server is the resolver."""
    search = wishes.search or host.search
    if search == (".",):
        search = ()
    options = wishes.options or host.options
    if host_network:
        return ResolvConf(wishes.servers or host.nameservers, search, options).text()
    if embedded:
        if not any(o.startswith("ndots:") for o in options):
            options = (*options, "ndots:0")
        return ResolvConf((RESOLVER,), search, options).text()
    return ResolvConf(upstreams(host, wishes), search, options).text()


def parse_extra_host(entry: str) -> tuple[str, str]:
    """`name:address` or `name=address` to (name, address); the address may be `host-gateway`."""
    at = min((i for i in (entry.find(":"), entry.find("=")) if i > 0), default=-1)
    name, address = entry[:at], entry[at + 1 :].strip("[]")
    if at < 0 or not name or any(c.isspace() for c in entry):
        raise Invalid(f'bad format for add-host: "{entry}"', field="ExtraHosts")
    if address != HOST_GATEWAY:
        try:
            ipaddress.ip_address(address)
        except ValueError:
            raise Invalid(f'invalid IP address in add-host: "{address}"', field="ExtraHosts") from None
    return name, address


def own_names(hostname: str, domain_name: str) -> str:
    return f"{hostname}.{domain_name} {hostname}" if domain_name else hostname


def hosts(
    own: Iterable[tuple[str, str]],
    extra_hosts: Sequence[str] = (),
    links: Iterable[tuple[str, str]] = (),
    gateways: Sequence[str] = (),
) -> str:
    """The hosts file: `own` are addresses with the container's names, `links` addresses with a link's names,
    `gateways` what `host-gateway` stands for. Raises Invalid where nothing does."""
    lines = [_HEAD]
    for entry in extra_hosts:
        name, address = parse_extra_host(entry)
        if address == HOST_GATEWAY and not gateways:
            raise Invalid(
                "unable to derive the IP value for host-gateway: the host has no address for it", field="ExtraHosts"
            )
        lines += [f"{a}\t{name}\n" for a in (gateways if address == HOST_GATEWAY else (address,))]
    lines += [f"{address}\t{names}\n" for address, names in (*links, *own) if address]
    return "".join(lines)


def host_hosts(text: str, extra_hosts: Sequence[str] = (), gateways: Sequence[str] = ()) -> str:
    """For containers in the host's network: the host's own file with the extra hosts behind."""
    added = hosts((), extra_hosts, (), gateways).removeprefix(_HEAD)
    return text + ("" if not text or text.endswith("\n") else "\n") + added


def hostname(name: str) -> str:
    return name + "\n"
