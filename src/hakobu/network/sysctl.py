"""Settings of the host's network below /proc/sys/net, written only where they differ.

Each change is returned as a sentence for the log: nothing of the host is changed unsaid.
"""

from pathlib import Path

_ROOT = Path("/proc/sys/net")


def read(key: str) -> str:
    """`key` as `ipv4/ip_forward`; empty where the kernel has none such."""
    try:
        return (_ROOT / key).read_text().strip()
    except OSError:
        return ""


def write(key: str, value: str) -> bool:
    """True when it changed. A key that is not there is left alone; OSError where it may not be written."""
    if read(key) in ("", value):
        return False
    (_ROOT / key).write_text(value)
    return True


def interfaces(family: str) -> list[str]:
    try:
        return sorted(p.name for p in (_ROOT / family / "conf").iterdir() if p.name not in ("all", "default"))
    except OSError:
        return []


def needs_forwarding(ipv6: bool) -> bool:
    return read("ipv4/ip_forward") == "0" or (ipv6 and read("ipv6/conf/all/forwarding") == "0")


def enable_forwarding(ipv6: bool) -> list[str]:
    """Routing between interfaces, for networks that lead out. Routes the host learns by advertisement stay."""
    notices: list[str] = []
    if write("ipv4/ip_forward", "1"):
        notices.append("net.ipv4.ip_forward was 0 and is now 1: containers reach the network through this host")
    if ipv6 and read("ipv6/conf/all/forwarding") == "0":
        # a forwarding host ignores router advertisements unless accept_ra is 2
        for name in interfaces("ipv6"):
            if read(f"ipv6/conf/{name}/accept_ra") == "1" and write(f"ipv6/conf/{name}/accept_ra", "2"):
                notices.append(f"net.ipv6.conf.{name}.accept_ra was 1 and is now 2: advertised routes stay")
        if write("ipv6/conf/all/forwarding", "1"):
            notices.append("net.ipv6.conf.all.forwarding was 0 and is now 1: containers reach IPv6 through this host")
    return notices
