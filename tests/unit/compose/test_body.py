"""Create bodies: a service in the API's words."""

from pathlib import Path

from hakobu.compose.body import Wanted, container_body, network_body, volume_body
from hakobu.compose.load import Selection, load

TEXT = """
name: p
services:
  web:
    image: x
    environment: {A: 1, B: }
    ports: ["127.0.0.1:8080:80", "53/udp"]
    expose: ["9000-9001"]
    volumes: ["./h:/h:ro", "d:/d", "/anon", {type: tmpfs, target: /t, tmpfs: {size: 1m}}]
    networks: {a: {priority: 1}, b: {aliases: [z], ipv4_address: 10.0.0.5, priority: 5}}
    healthcheck: {test: ls, interval: 2s}
    stop_grace_period: 1500ms
    restart: on-failure:3
    extra_hosts: [h=1.2.3.4]
    secrets: [s]
    security_opt: ["seccomp:p.json", "no-new-privileges:true"]
    ulimits: {nofile: 5}
    cpus: 0.5
    command: []
  side: {image: x, network_mode: "service:web", volumes_from: ["web:ro"]}
networks: {a: {}, b: {internal: true, ipam: {config: [{subnet: 10.0.0.0/24}]}}}
volumes: {d: {driver_opts: {type: none}}}
secrets: {s: {file: ./s}}
"""


def wanted(tmp_path: Path, service: str, **changes: object) -> Wanted:
    (tmp_path / "compose.yaml").write_text(TEXT)
    project = load(Selection(working_directory=str(tmp_path)))
    values = {
        "project": project,
        "service": project.services[service],
        "number": 1,
        "name": f"p-{service}-1",
        "image_id": "sha256:i",
        "inherited": {},
        "container_of": lambda name: f"id-of-{name}",
        "read_file": lambda path: "{}",
    }
    return Wanted(**{**values, **changes})  # type: ignore[arg-type]


def test_a_service(tmp_path: Path) -> None:
    body = container_body(wanted(tmp_path, "web"))
    host = body["HostConfig"]
    assert isinstance(host, dict)
    assert body["Env"] == ["A=1", "B"]
    assert body["Cmd"] == []
    assert body["Entrypoint"] is None
    assert set(body["ExposedPorts"]) == {"80/tcp", "53/udp", "9000/tcp", "9001/tcp"}  # type: ignore[arg-type]
    assert host["PortBindings"] == {
        "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}],
        "53/udp": [{"HostIp": "", "HostPort": ""}],
    }
    assert host["Binds"] == [f"{tmp_path}/h:/h:ro", "p_d:/d:rw"]
    assert body["Volumes"] == {"/anon": {}}
    assert [m["Type"] for m in host["Mounts"]] == ["tmpfs", "bind"]  # type: ignore[union-attr, index, call-overload]
    assert body["Healthcheck"] == {"Test": ["CMD-SHELL", "ls"], "Interval": 2 * 10**9}
    assert body["StopTimeout"] == 2
    assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    assert host["SecurityOpt"] == ["seccomp={}", "no-new-privileges=true"]
    assert host["NanoCpus"] == 500_000_000
    assert host["NetworkMode"] == "p_b"
    endpoints = body["NetworkingConfig"]["EndpointsConfig"]  # type: ignore[index, call-overload]
    assert list(endpoints) == ["p_b", "p_a"]  # type: ignore[arg-type]
    assert endpoints["p_b"]["Aliases"] == ["p-web-1", "web", "z"]  # type: ignore[index, call-overload]


def test_older_apis_get_one_network(tmp_path: Path) -> None:
    body = container_body(wanted(tmp_path, "web", all_networks=False))
    assert list(body["NetworkingConfig"]["EndpointsConfig"]) == ["p_b"]  # type: ignore[index, call-overload, arg-type]


def test_a_replacement_keeps_nameless_volumes(tmp_path: Path) -> None:
    body = container_body(wanted(tmp_path, "web", inherited={"/anon": "f" * 64}, replaces="web-1"))
    assert "Volumes" not in body
    assert body["HostConfig"]["Binds"][0] == f"{'f' * 64}:/anon"  # type: ignore[index, call-overload]
    assert body["Labels"]["com.docker.compose.replace"] == "web-1"  # type: ignore[index, call-overload]


def test_shared_namespaces(tmp_path: Path) -> None:
    host = container_body(wanted(tmp_path, "side"))["HostConfig"]
    assert host["NetworkMode"] == "container:id-of-web"  # type: ignore[index, call-overload]
    assert host["VolumesFrom"] == ["id-of-web:ro"]  # type: ignore[index, call-overload]


def test_labels_are_docker_composes(tmp_path: Path) -> None:
    labels = container_body(wanted(tmp_path, "side"))["Labels"]
    assert isinstance(labels, dict)
    prefix = "com.docker.compose."
    assert {key.removeprefix(prefix) for key in labels} == {
        "config-hash",
        "container-number",
        "depends_on",
        "image",
        "oneoff",
        "project",
        "project.config_files",
        "project.working_dir",
        "service",
        "version",
    }
    assert labels[prefix + "depends_on"] == "web:service_started:true"
    assert labels[prefix + "oneoff"] == "False"


def test_networks_and_volumes(tmp_path: Path) -> None:
    project = wanted(tmp_path, "web").project
    network = network_body(project, project.networks["b"])
    assert (network["Name"], network["Internal"]) == ("p_b", True)
    assert network["IPAM"] == {"Driver": "", "Config": [{"Subnet": "10.0.0.0/24"}]}
    volume = volume_body(project, project.volumes["d"])
    assert volume["DriverOpts"] == {"type": "none"}
    assert volume["Labels"]["com.docker.compose.volume"] == "d"  # type: ignore[index, call-overload]
