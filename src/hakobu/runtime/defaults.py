"""What confines a container by default: Docker's engine's own lists, as data. Pure.

Source: the defaults of moby's HEAD (capabilities, masked and read-only paths, mounts, devices, init layer).
Changing a line here changes what every container may do; tests/kernel checks each from the inside.
"""

from hakobu.spec.resources import DEFAULT_DEVICE_RULES
from hakobu.spec.rootfs import InitEntry
from hakobu.spec.runtime_config import ConfigMount

CAPABILITIES: tuple[str, ...] = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
)

MASKED_PATHS: tuple[str, ...] = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
)

READONLY_PATHS: tuple[str, ...] = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

DEVICE_RULES = DEFAULT_DEVICE_RULES

LAST_GID = 2147483647


def private_network_sysctls(last_gid: int) -> dict[str, str]:
    """Every port and a ping for everybody; the kernel takes only groups that the user namespace has."""
    return {
        "net.ipv4.ip_unprivileged_port_start": "0",
        "net.ipv4.ping_group_range": f"0 {min(last_gid, LAST_GID)}",
    }


INIT_LAYER: tuple[InitEntry, ...] = (
    InitEntry("/dev/pts", "directory"),
    InitEntry("/dev/shm", "directory"),
    InitEntry("/proc", "directory"),
    InitEntry("/sys", "directory"),
    InitEntry("/.dockerenv", "file"),
    InitEntry("/etc/resolv.conf", "file"),
    InitEntry("/etc/hosts", "file"),
    InitEntry("/etc/hostname", "file"),
    InitEntry("/dev/console", "file"),
    InitEntry("/etc/mtab", "link", "/proc/mounts"),
)


def thermal_throttle_paths(cpus: int) -> tuple[str, ...]:
    """One masked path for each CPU; those that do not exist are skipped like all masked paths."""
    return tuple(f"/sys/devices/system/cpu/cpu{n}/thermal_throttle" for n in range(cpus))


def mounts(*, shm_bytes: int, private_ipc: bool, sysfs_writable: bool = False) -> tuple[ConfigMount, ...]:
    """The mounts every container has, in order. Without a private ipc namespace shm and mqueue come from elsewhere."""
    sys_options = ("nosuid", "noexec", "nodev", "rw" if sysfs_writable else "ro")
    base = (
        ConfigMount(destination="/proc", type="proc", source="proc", options=("nosuid", "noexec", "nodev")),
        ConfigMount(
            destination="/dev",
            type="tmpfs",
            source="tmpfs",
            options=("nosuid", "strictatime", "mode=755", "size=65536k"),
        ),
        ConfigMount(
            destination="/dev/pts",
            type="devpts",
            source="devpts",
            options=("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
        ),
        ConfigMount(destination="/sys", type="sysfs", source="sysfs", options=sys_options),
        ConfigMount(
            destination="/sys/fs/cgroup",
            type="cgroup",
            source="cgroup",
            options=("rw" if sysfs_writable else "ro", "nosuid", "noexec", "nodev"),
        ),
    )
    if not private_ipc:
        return base
    return (
        *base,
        ConfigMount(destination="/dev/mqueue", type="mqueue", source="mqueue", options=("nosuid", "noexec", "nodev")),
        ConfigMount(
            destination="/dev/shm",
            type="tmpfs",
            source="shm",
            options=("nosuid", "noexec", "nodev", "mode=1777", f"size={shm_bytes}"),
        ),
    )
