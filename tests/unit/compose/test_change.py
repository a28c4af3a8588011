"""What a plan says of a container that must be made anew, and the docker commands that stand for a plan."""

from hakobu.compose.change import changes
from hakobu.compose.command_line import connect_argvs, create_argv, network_argv, volume_argv

IMAGE = {"Env": ["PATH=/bin"], "Cmd": ["serve"], "Labels": {"vendor": "x"}, "WorkingDir": "/srv"}
MADE = {
    "Config": {
        "Env": ["DEBUG=0", "GONE=1", "PATH=/bin"],
        "Cmd": ["serve"],
        "WorkingDir": "/srv",
        "Labels": {"vendor": "x", "com.docker.compose.project": "p"},
    },
    "HostConfig": {
        "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
        "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]},
        "Binds": ["/a:/data:rw"],
        "MemorySwap": 1000,
        "Runtime": "runc",
    },
}


def wanted(**more: object) -> dict[str, object]:
    host = {
        "RestartPolicy": {"Name": "always", "MaximumRetryCount": 0},
        "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "9090"}]},
        "Binds": ["/a:/data:rw"],
        "Ulimits": [{"Name": "nofile", "Soft": 1, "Hard": 2}],
    }
    return {"Env": ["DEBUG=1"], "Labels": {"com.docker.compose.project": "p"}, "HostConfig": host, **more}


def test_each_difference_is_named_with_before_and_after() -> None:
    assert changes(wanted(), MADE, IMAGE) == (
        "environment.DEBUG 0 → 1",
        "restart (none) → always",
        "ports.80/tcp :8080 → :9090",
        "ulimits.nofile (none) → 1:2",
        "environment.GONE 1 → (none)",
    )


def test_what_the_image_or_the_engine_filled_in_is_no_change() -> None:
    same = {"Env": ["DEBUG=0", "GONE=1"], "HostConfig": {k: v for k, v in MADE["HostConfig"].items() if k != "Runtime"}}
    assert changes(same, MADE, IMAGE) == ()


def test_a_changed_command_is_shown_whole() -> None:
    found = changes(wanted(Cmd=["sh", "-c", "a b"], Env=["DEBUG=0", "GONE=1"]), MADE, IMAGE)
    assert 'command serve → "sh -c a b"' in found


def test_a_body_as_a_docker_command() -> None:
    body = {
        "Image": "nginx",
        "Cmd": ["-g", "daemon off;"],
        "Entrypoint": ["/entry", "first"],
        "Env": ["A=1"],
        "User": "me",
        "Tty": True,
        "Healthcheck": {"Test": ["CMD-SHELL", "true"], "Interval": 5_000_000_000, "Retries": 3},
        "HostConfig": {
            "NetworkMode": "front",
            "PortBindings": {"80/tcp": [{"HostIp": "::1", "HostPort": "8080"}, {"HostIp": "", "HostPort": ""}]},
            "NanoCpus": 1_500_000_000,
            "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2},
            "Tmpfs": {"/t": "size=1m"},
            "Mounts": [{"Type": "bind", "Source": "/s", "Target": "/d", "ReadOnly": True}],
            "ReadonlyRootfs": True,
        },
        "NetworkingConfig": {"EndpointsConfig": {"front": {"Aliases": ["web"]}, "back": {"Aliases": ["b"]}}},
    }
    assert create_argv("c", body) == [
        *("docker", "create", "--name", "c", "--user", "me", "--env", "A=1", "--tty", "--network", "front"),
        *("--read-only", "--cpus", "1.5", "--publish", "[::1]:8080:80/tcp", "--publish", "80/tcp"),
        *("--restart", "on-failure:2", "--tmpfs", "/t:size=1m"),
        *("--mount", "type=bind,source=/s,target=/d,readonly", "--network-alias", "web"),
        *("--health-cmd", "true", "--health-interval", "5s", "--health-retries", "3"),
        *("--entrypoint", "/entry", "nginx", "first", "-g", "daemon off;"),
    ]
    assert connect_argvs("c", body) == [["docker", "network", "connect", "--alias", "b", "back", "c"]]


def test_networks_and_volumes_as_docker_commands() -> None:
    network = {"Name": "n", "Driver": "bridge", "Internal": True, "IPAM": {"Config": [{"Subnet": "10.0.0.0/24"}]}}
    internal = "docker network create --driver bridge --internal --subnet 10.0.0.0/24 n"
    assert network_argv(network) == internal.split()
    volume = {"Name": "v", "Driver": "local", "DriverOpts": {"o": "bind"}, "Labels": {"a": "b"}}
    assert volume_argv(volume) == "docker volume create --driver local --opt o=bind --label a=b v".split()
