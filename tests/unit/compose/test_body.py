"""Create bodies: a service in the API's words."""

from dataclasses import replace
from pathlib import Path

from hakobu.compose.body import container_body
from hakobu.compose.load import Selection, load
from hakobu.compose.mount_body import placed_files
from hakobu.compose.resource_body import network_body, volume_body
from hakobu.compose.wanted import Wanted

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


RARE = """
name: p
services:
  a:
    image: x
    blkio_config: {weight: 20, weight_device: [{path: /dev/a, weight: 30}], device_read_bps: [{path: /dev/a, rate: 1k}]}
    gpus: [{count: 1, driver: d, device_ids: ["0"], options: {o: v}}]
    deploy: {resources: {reservations: {devices: [{capabilities: [tpu], count: all}]}}}
    cpu_rt_runtime: 900
    use_api_socket: true
    links: [b, "b:bee"]
    external_links: ["other:far"]
    networks: {default: {interface_name: eth7}}
    volumes: [{type: image, source: alpine, target: /i, image: {subpath: etc}}]
    secrets: [{source: s, uid: "3"}]
  b: {build: .}
secrets: {s: {file: ./s}}
"""


def test_what_few_services_ask_for(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(RARE)
    project = load(Selection(working_directory=str(tmp_path)))
    base = wanted(tmp_path, "side", project=project, names_of=lambda service: {1: "p-b-1"}, socket="/run/x.sock")
    body = container_body(replace(base, service=project.services["a"]))
    host, networking = body["HostConfig"], body["NetworkingConfig"]
    assert isinstance(host, dict) and isinstance(networking, dict)
    assert host["BlkioWeight"] == 20
    assert host["BlkioWeightDevice"] == [{"Path": "/dev/a", "Weight": 30}]
    assert host["BlkioDeviceReadBps"] == [{"Path": "/dev/a", "Rate": 1024}]
    assert host["CpuRealtimeRuntime"] == 900
    requests = host["DeviceRequests"]
    assert isinstance(requests, list)
    assert [(r["Count"], r["Capabilities"]) for r in requests if isinstance(r, dict)] == [
        (1, [["gpu"]]),
        (-1, [["tpu"]]),
    ]
    assert host["Binds"] == ["/run/x.sock:/var/run/docker.sock:rw"]
    assert host["Mounts"] == [
        {
            "Type": "image",
            "Target": "/i",
            "ReadOnly": False,
            "Source": "alpine",
            "ImageOptions": {"Subpath": "etc"},
        }
    ]  # the secret has an owner, so it is no mount
    endpoint = networking["EndpointsConfig"]
    assert isinstance(endpoint, dict) and isinstance(endpoint["p_default"], dict)
    assert endpoint["p_default"]["DriverOpts"] == {"com.docker.network.endpoint.ifname": "eth7"}
    expected = ["p-b-1:b", "p-b-1:b-1", "p-b-1:p-b-1", "p-b-1:bee", "p-b-1:b-1", "p-b-1:p-b-1", "other:far"]
    assert endpoint["p_default"]["Links"] == expected
    built = container_body(replace(base, service=project.services["b"]))
    assert built["Image"] == "p-b"


def test_targets_of_secrets_and_configs_are_absolute(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(
        "services: {a: {image: x, secrets: [{source: s, target: t}, s], configs: [{source: c, target: t}, c]}}\n"
        "secrets: {s: {file: ./s}}\nconfigs: {c: {file: ./c}}\n"
    )
    project = load(Selection(working_directory=str(tmp_path)))
    found = [reference.target for reference, _ in placed_files(project, project.services["a"])]
    assert found == ["/run/secrets/t", "/run/secrets/s", "/t", "/c"]
