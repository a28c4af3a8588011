"""Every flag of dockerd and every key of its `daemon.json`, as data: it works here, or is refused by name.

`hakobu daemon --help` and docs/daemon.md are printed from this table; a test holds each row.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["bool", "int", "str", "list", "map"]


@dataclass(frozen=True, slots=True)
class Flag:
    """`key` is the name in daemon.json (empty: command line only); `refused` says why it does not exist here."""

    name: str
    kind: Kind
    help: str
    short: str = ""
    key: str = ""
    refused: str = ""
    accepts: tuple[str, ...] = ()


def _w(
    name: str, kind: Kind, help: str, *, short: str = "", key: str | None = None, accepts: tuple[str, ...] = ()
) -> Flag:
    return Flag(name, kind, help, short, name if key is None else key, "", accepts)


def _no(name: str, kind: Kind, why: str, key: str | None = None) -> Flag:
    return Flag(name, kind, "", "", name if key is None else key, why)


_SWARM = "there is no swarm mode"

FLAGS: tuple[Flag, ...] = (
    _w("bip", "str", "Address and prefix of the default bridge"),
    _w(
        "bridge",
        "str",
        "Attach containers to a network bridge: 'none' disables the default one",
        short="b",
        accepts=("", "none"),
    ),
    _w("cdi-spec-dir", "list", "Directories of CDI specifications (/etc/cdi, /var/run/cdi)", key="cdi-spec-dirs"),
    _w("cgroup-parent", "str", "Parent cgroup for all containers"),
    _w("config-file", "str", "Daemon configuration file", key=""),
    _w("data-root", "str", "Root directory of persistent state"),
    _w("debug", "bool", "Enable debug mode", short="D"),
    _w("default-address-pool", "list", "Address pools for networks: base=CIDR,size=N", key="default-address-pools"),
    _w("default-cgroupns-mode", "str", "Cgroup namespace mode of containers", accepts=("", "host", "private")),
    _w("default-gateway", "str", "Gateway of the default bridge network"),
    _w("default-ipc-mode", "str", "IPC mode of containers", accepts=("private", "shareable")),
    _w("default-runtime", "str", "OCI runtime for containers", accepts=("", "hakobu", "runc")),
    _w("default-shm-size", "str", "Size of /dev/shm"),
    _w("default-ulimit", "map", "Default ulimits", key="default-ulimits"),
    _w("dns", "list", "DNS servers"),
    _w("dns-opt", "list", "DNS options", key="dns-opts"),
    _w("dns-search", "list", "DNS search domains"),
    _w("exec-opt", "list", "Runtime execution options", key="exec-opts", accepts=("native.cgroupdriver=cgroupfs",)),
    _w("exec-root", "str", "Root directory of execution state"),
    _w("fixed-cidr", "str", "IPv4 subnet for the addresses of the default bridge"),
    _w("fixed-cidr-v6", "str", "IPv6 subnet for the addresses of the default bridge"),
    _w("group", "str", "Group for the unix socket", short="G"),
    _w(
        "host",
        "list",
        "Where to listen: unix://PATH, fd://, or tcp://HOST:PORT with --tlsverify",
        short="H",
        key="hosts",
    ),
    _w("icc", "bool", "Communication between containers of the default bridge"),
    _w("image-gc-age", "str", "Remove pulled images unused for this long, such as 720h (default: never)"),
    _w("image-gc-interval", "str", "Time between looks for images to remove (default 1h)"),
    _w("image-gc-size", "str", "Remove the longest unused pulled images above this size of all (default: never)"),
    _w("init", "bool", "Run an init in containers by default"),
    _w("init-path", "str", "Path of the init binary"),
    _w("insecure-registry", "list", "Registries that may be spoken to without TLS", key="insecure-registries"),
    _w("ip", "str", "Default host address of published ports"),
    _w("ip-forward", "bool", "Enable forwarding where it is needed"),
    _w("ip-masq", "bool", "Masquerade what leaves the bridges"),
    _w("ip6tables", "bool", "Filter rules for IPv6", accepts=("true",)),
    _w("iptables", "bool", "Write firewall rules"),
    _w("ipv6", "bool", "IPv6 on the default bridge"),
    _w("label", "list", "Labels of the engine", key="labels"),
    _w("live-restore", "bool", "Leave containers running when the daemon ends (default true)"),
    _w(
        "log-driver",
        "str",
        "Default driver of container logs",
        accepts=("fluentd", "gelf", "journald", "json-file", "local", "none", "syslog"),
    ),
    _w("log-format", "str", "Format of the daemon's own log", accepts=("text", "json")),
    _w(
        "log-level",
        "str",
        "Level of the daemon's own log",
        short="l",
        accepts=("debug", "info", "warn", "error", "fatal"),
    ),
    _w("log-opt", "map", "Default options of container logs", key="log-opts"),
    _w("max-concurrent-downloads", "int", "Layers pulled at once"),
    _w("max-concurrent-uploads", "int", "Layers pushed at once"),
    _w("max-download-attempts", "int", "Attempts for each layer"),
    _w("metrics-addr", "str", "Address and port at which /metrics is served to Prometheus"),
    _w("mtu", "int", "MTU of the default bridge"),
    _w("no-new-privileges", "bool", "Set no-new-privileges for containers by default"),
    _w("oom-score-adjust", "int", "OOM score of the daemon"),
    _w("pidfile", "str", "File for the daemon's pid", short="p"),
    _w("raw-logs", "bool", "Timestamps of the daemon's log without colours"),
    _w("registries", "str", "File that names mirrors of registries (default /etc/hakobu/registries.toml)"),
    _w("registry-mirror", "list", "Mirror of Docker Hub", key="registry-mirrors"),
    _w("rootless", "bool", "Run as an ordinary user, in namespaces of their own (what a user's engine does anyway)"),
    _w(
        "rootless-network",
        "str",
        "Program that connects a user's engine to the network",
        accepts=("", "slirp4netns", "pasta"),
    ),
    _w("seccomp-profile", "str", "Path of the seccomp profile, or 'unconfined'"),
    _w("shutdown-timeout", "int", "Seconds that containers get to stop, without live-restore"),
    _w("storage-driver", "str", "Storage driver", short="s", accepts=("", "overlay2", "overlayfs")),
    _w("tls", "bool", "Has no meaning of its own: TCP wants --tlsverify"),
    _w("tlscacert", "str", "Authority that clients' certificates must be of (for --tlsverify)"),
    _w("tlscert", "str", "Certificate of the engine (for --tlsverify)"),
    _w("tlskey", "str", "Key of that certificate (for --tlsverify)"),
    _w("tlsverify", "bool", "Listen on TCP, for clients that prove themselves by a certificate"),
    _w("userland-proxy", "bool", "Forward in user space what the kernel cannot", accepts=("true",)),
    _w("validate", "bool", "Check the configuration and leave", key=""),
    _w("version", "bool", "Print the version and leave", short="v", key=""),
    _w("debug-failpoints", "str", "Named points at which to fail, for tests", key=""),
    _w("on-demand", "bool", "Leave when nothing has needed the engine for a while", key=""),
    _w("idle-timeout", "int", "Seconds without need until an on-demand engine leaves", key=""),
    _w("ready-fd", "int", "Descriptor to write a line to when the API listens", key=""),
    _w(
        "publish-mode",
        "str",
        "How ports are published: by the kernel, or by a proxy that the host's firewall governs",
        accepts=("kernel", "proxy"),
    ),
    _no("add-runtime", "map", "containers run on the engine's own runtime", "runtimes"),
    _no("allow-nondistributable-artifacts", "list", "foreign layers are not pushed"),
    _no("api-cors-header", "str", "no browser may speak to the engine"),
    _no("authorization-plugin", "list", "there are no plugins", "authorization-plugins"),
    _no("containerd", "str", "the engine does not use containerd"),
    _no("containerd-namespace", "str", "the engine does not use containerd"),
    _no("containerd-plugins-namespace", "str", "the engine does not use containerd"),
    _no("cpu-rt-period", "int", "realtime scheduling is not set for all containers"),
    _no("cpu-rt-runtime", "int", "realtime scheduling is not set for all containers"),
    _no("cri-containerd", "bool", "the engine does not use containerd"),
    _no("default-gateway-v6", "str", "the gateway of an IPv6 bridge is its own address"),
    _no("default-network-opt", "map", "options are given with each network", "default-network-opts"),
    _no("experimental", "bool", "nothing hides behind it"),
    _no("host-gateway-ip", "str", "host-gateway is the bridge's own address"),
    _no("http-proxy", "str", "set HTTP_PROXY in the daemon's environment"),
    _no("https-proxy", "str", "set HTTPS_PROXY in the daemon's environment"),
    _no("ip-forward-no-drop", "bool", "the policy of the host's forward chain is never changed"),
    _no("network-control-plane-mtu", "int", _SWARM),
    _no("no-proxy", "str", "set NO_PROXY in the daemon's environment"),
    _no("node-generic-resource", "list", _SWARM, "node-generic-resources"),
    _no("selinux-enabled", "bool", "no SELinux labels are set"),
    _no("storage-opt", "list", "the overlay driver has no options here", "storage-opts"),
    _no("swarm-default-advertise-addr", "str", _SWARM),
    _no("userland-proxy-path", "str", "the shim forwards; there is no proxy program"),
    _no("userns-remap", "str", "user namespaces are chosen for each container"),
)

BY_NAME: dict[str, Flag] = {f.name: f for f in FLAGS}
BY_SHORT: dict[str, Flag] = {f.short: f for f in FLAGS if f.short}
BY_KEY: dict[str, Flag] = {f.key: f for f in FLAGS if f.key}
