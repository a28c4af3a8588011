"""The flags of `run` and `create`: every one that docker has on Linux, and its old spellings."""

from __future__ import annotations

from hakobu.cli.kind import (
    BOOL,
    BYTES,
    CPUS,
    DURATION,
    INT,
    LIST,
    STRING,
    SWAP_BYTES,
    UINT16,
    parse_map_item,
)
from hakobu.cli.option import value
from hakobu.cli.table import Flag, Kind

ATTACH = Kind("list", value.parse_stream, (), repeats=True)
ENV = Kind("list", value.parse_env, (), repeats=True)
HOST = Kind("list", value.parse_extra_host, (), repeats=True)
ADDRESS = Kind("list", value.parse_ip, (), repeats=True)
SYSCTL = Kind("map", value.parse_sysctl, (), repeats=True)
ULIMIT = Kind("ulimit", value.parse_ulimit, (), repeats=True)
THROTTLE_BYTES = Kind("list", value.parse_throttle_bytes, (), repeats=True)
THROTTLE_COUNT = Kind("list", value.parse_throttle_count, (), repeats=True)
WEIGHT_DEVICE = Kind("list", value.parse_weight_device, (), repeats=True)
DEVICE_RULE = Kind("list", value.parse_device_rule, (), repeats=True)
LINK = Kind("list", value.parse_link, (), repeats=True)
GPUS = Kind("gpu-request", str, (), repeats=True)
ANNOTATION = Kind("map", parse_map_item, (), repeats=True)


def _mount(text: str) -> object:
    from hakobu.cli.option.mount import parse_mount

    return parse_mount(text)


def _network(text: str) -> object:
    from hakobu.cli.option.network import parse_network

    return parse_network(text)


MOUNT = Kind("mount", _mount, (), repeats=True)
NETWORK = Kind("network", _network, (), repeats=True)

IDENTITY = (
    Flag("annotation", "", ANNOTATION, "Annotation for the OCI runtime", since="1.43"),
    Flag("cidfile", "", STRING, "Write the container's ID to this file"),
    Flag("domainname", "", STRING, "The container's NIS domain name"),
    Flag("entrypoint", "", STRING, "Run this instead of the image's ENTRYPOINT"),
    Flag("env", "e", ENV, "Set an environment variable"),
    Flag("env-file", "", LIST, "Read environment variables from a file"),
    Flag("group-add", "", LIST, "Further groups of the process"),
    Flag("hostname", "h", STRING, "The container's host name"),
    Flag("label", "l", LIST, "Set a label"),
    Flag("label-file", "", LIST, "Read labels from a file, one a line"),
    Flag("name", "", STRING, "The container's name"),
    Flag("platform", "", STRING, "Platform of the image, where it has several"),
    Flag("pull", "", STRING, 'When to pull the image: "always", "missing" or "never"', "missing"),
    Flag("quiet", "q", BOOL, "Do not show the progress of a pull"),
    Flag("user", "u", STRING, "User to run as: <name|uid>[:<group|gid>]"),
    Flag("workdir", "w", STRING, "Working directory inside the container"),
)
PROCESS = (
    Flag("attach", "a", ATTACH, "Attach to STDIN, STDOUT or STDERR"),
    Flag("disable-content-trust", "", BOOL, "Accept unsigned images", True, hidden=True),
    Flag("init", "", BOOL, "Run an init as PID 1 that passes signals on and reaps processes"),
    Flag("interactive", "i", BOOL, "Keep STDIN open"),
    Flag("restart", "", STRING, "What to do when the container exits", "no"),
    Flag("rm", "", BOOL, "Remove the container and its anonymous volumes when it exits"),
    Flag("stop-signal", "", STRING, "Signal that stops the container"),
    Flag("stop-timeout", "", INT, "Seconds to wait for that before it is killed"),
    Flag("tty", "t", BOOL, "Give the container a terminal"),
)
RESOURCES = (
    Flag("blkio-weight", "", UINT16, "Weight of its block I/O, 10 to 1000, 0 for none"),
    Flag("blkio-weight-device", "", WEIGHT_DEVICE, "The same for one device: DEVICE:WEIGHT"),
    Flag("cgroup-parent", "", STRING, "Cgroup to put the container's in"),
    Flag("cpu-count", "", INT, "Number of CPUs (Windows)", hidden=True),
    Flag("cpu-percent", "", INT, "Percentage of CPUs (Windows)", hidden=True),
    Flag("cpu-period", "", INT, "Period of the CPU quota in microseconds"),
    Flag("cpu-quota", "", INT, "CPU time in each period in microseconds"),
    Flag("cpu-rt-period", "", INT, "Period of the real-time quota in microseconds"),
    Flag("cpu-rt-runtime", "", INT, "Real-time CPU time in each period in microseconds"),
    Flag("cpu-shares", "c", INT, "Share of CPU time, relative to others'"),
    Flag("cpus", "", CPUS, "Number of CPUs, fractions allowed"),
    Flag("cpuset-cpus", "", STRING, "CPUs it may run on (0-3, 0,1)"),
    Flag("cpuset-mems", "", STRING, "Memory nodes it may use (0-3, 0,1)"),
    Flag("device", "", LIST, "Device of the host: SOURCE[:TARGET[:rwm]]"),
    Flag("device-cgroup-rule", "", DEVICE_RULE, "Rule for the list of allowed devices"),
    Flag("device-read-bps", "", THROTTLE_BYTES, "Limit of reading, bytes a second: DEVICE:RATE"),
    Flag("device-read-iops", "", THROTTLE_COUNT, "Limit of reading, operations a second: DEVICE:RATE"),
    Flag("device-write-bps", "", THROTTLE_BYTES, "Limit of writing, bytes a second: DEVICE:RATE"),
    Flag("device-write-iops", "", THROTTLE_COUNT, "Limit of writing, operations a second: DEVICE:RATE"),
    Flag("gpus", "", GPUS, "GPUs to give the container"),
    Flag("io-maxbandwidth", "", BYTES, "Limit of I/O bandwidth (Windows)", hidden=True),
    Flag("io-maxiops", "", INT, "Limit of I/O operations (Windows)", hidden=True),
    Flag("kernel-memory", "", BYTES, "Limit of kernel memory (without effect)", hidden=True),
    Flag("memory", "m", BYTES, "Limit of memory"),
    Flag("memory-reservation", "", BYTES, "Memory it may keep when there is little"),
    Flag("memory-swap", "", SWAP_BYTES, "Limit of memory and swap together, -1 for none"),
    Flag("memory-swappiness", "", INT, "Tendency to swap, 0 to 100", -1),
    Flag("oom-kill-disable", "", BOOL, "Do not let the OOM killer end it"),
    Flag("oom-score-adj", "", INT, "Adjustment for the OOM killer, -1000 to 1000"),
    Flag("pids-limit", "", INT, "Limit of processes, -1 for none"),
    Flag("shm-size", "", BYTES, "Size of /dev/shm"),
    Flag("ulimit", "", ULIMIT, "Limit of a resource: NAME=SOFT[:HARD]"),
)
ISOLATION = (
    Flag("cap-add", "", LIST, "Add a capability"),
    Flag("cap-drop", "", LIST, "Drop a capability"),
    Flag("cgroupns", "", STRING, "Cgroup namespace: host or private", since="1.41"),
    Flag("ipc", "", STRING, "IPC namespace: none, private, shareable, host or container:NAME"),
    Flag("isolation", "", STRING, "How the container is isolated"),
    Flag("pid", "", STRING, "PID namespace: host or container:NAME"),
    Flag("privileged", "", BOOL, "Give the container all that the engine may do"),
    Flag("read-only", "", BOOL, "Make the container's root file system read-only"),
    Flag("runtime", "", STRING, "OCI runtime to use"),
    Flag("security-opt", "", LIST, "Security option"),
    Flag("sysctl", "", SYSCTL, "Kernel parameter of the container's namespaces"),
    Flag("use-api-socket", "", BOOL, "Mount the engine's API socket into the container"),
    Flag("userns", "", STRING, "User namespace: host or the engine's default"),
    Flag("uts", "", STRING, "UTS namespace: host or its own"),
)
NETWORKING = (
    Flag("add-host", "", HOST, "Line for the hosts file: HOST:IP"),
    Flag("dns", "", ADDRESS, "DNS server"),
    Flag("dns-option", "", LIST, "Option for the resolver", aliases=("dns-opt",)),
    Flag("dns-search", "", LIST, "Domain to search"),
    Flag("expose", "", LIST, "Expose a port or a range of ports"),
    Flag("ip", "", STRING, "IPv4 address"),
    Flag("ip6", "", STRING, "IPv6 address"),
    Flag("link", "", LINK, "Link to another container"),
    Flag("link-local-ip", "", LIST, "Link-local address"),
    Flag("mac-address", "", STRING, "MAC address"),
    Flag("network", "", NETWORK, "Network to connect to", aliases=("net",)),
    Flag("network-alias", "", LIST, "Further name in the network", aliases=("net-alias",)),
    Flag("publish", "p", LIST, "Publish a port: [[IP:]HOST:]CONTAINER[/PROTOCOL]"),
    Flag("publish-all", "P", BOOL, "Publish all exposed ports on free ones"),
)
STORAGE = (
    Flag("mount", "", MOUNT, "Mount a volume, a folder or a file: type=…,source=…,target=…"),
    Flag("storage-opt", "", LIST, "Option of the storage driver"),
    Flag("tmpfs", "", LIST, "Mount a tmpfs: PATH[:OPTIONS]"),
    Flag("volume", "v", LIST, "Mount a volume or a folder: [SOURCE:]TARGET[:OPTIONS]"),
    Flag("volume-driver", "", STRING, "Driver of the container's volumes"),
    Flag("volumes-from", "", LIST, "Mount the volumes of another container"),
)
LOGS_AND_HEALTH = (
    Flag("health-cmd", "", STRING, "Command that tells whether the container is healthy"),
    Flag("health-interval", "", DURATION, "Time between two checks"),
    Flag("health-retries", "", INT, "Failures in a row that make it unhealthy"),
    Flag("health-start-interval", "", DURATION, "Time between checks while it starts", since="1.44"),
    Flag("health-start-period", "", DURATION, "Time to start in, during which failures do not count"),
    Flag("health-timeout", "", DURATION, "Time a check may take"),
    Flag("log-driver", "", STRING, "Driver of the container's log"),
    Flag("log-opt", "", LIST, "Option of that driver"),
    Flag("no-healthcheck", "", BOOL, "Do not check health, whatever the image says"),
)

# Ours: labels that the engine acts on.
OWN = (
    Flag("bandwidth", "", STRING, "Limit of what it receives and sends: 10mbit, 512kbps"),
    Flag("bandwidth-in", "", STRING, "Limit of what it receives"),
    Flag("bandwidth-out", "", STRING, "Limit of what it sends"),
    Flag("on-unhealthy", "", STRING, "What to do when its health check fails: keep, restart, stop or kill"),
    Flag("publish-mode", "", LIST, "How ports are published: kernel, proxy, or for one port 80/tcp=proxy"),
    Flag("timeout", "", DURATION, "Stop it when it has run so long"),
)
# Ours: every step that would be taken, and none of them done.
EXPLAIN = Flag("explain", "", BOOL, "Show each step this would take, down to the system calls, and do nothing")
CREATE_FLAGS = (EXPLAIN, *IDENTITY, *PROCESS, *RESOURCES, *ISOLATION, *NETWORKING, *STORAGE, *LOGS_AND_HEALTH, *OWN)
# Ours: until a container is healthy, or running where it has no health check.
WAIT_FLAGS = (
    Flag("wait", "", BOOL, "Come back when it is ready: healthy, or running where it has no health check"),
    Flag("wait-timeout", "", DURATION, "Give up waiting after this time"),
)
RUN_FLAGS = (
    *CREATE_FLAGS,
    Flag("detach", "d", BOOL, "Run in the background and print the container's ID"),
    Flag("detach-keys", "", STRING, "Keys that leave an attached terminal"),
    Flag("sig-proxy", "", BOOL, "Pass signals on to the container", True),
    *WAIT_FLAGS,
)
