"""A container as what would make it, and a project as a diagram."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from hakobu.compose.config import block
from hakobu.compose.diagram import diagram_of, mermaid
from hakobu.compose.drawing import svg
from hakobu.compose.load import Selection, load
from hakobu.compose.model.project import Project
from hakobu.formats.describe import compose_document, write_services
from hakobu.formats.portrait import lost, service_of
from hakobu.formats.run import run_argv

IMAGE = {"Env": ["PATH=/bin"], "Cmd": ["serve"], "WorkingDir": "/srv", "Labels": {"vendor": "x"}}
MADE = {
    "Id": "abc123",
    "Name": "/web",
    "Config": {
        "Image": "nginx",
        "Hostname": "abc123",
        "Env": ["PATH=/bin", "A=1 2"],
        "Cmd": ["run", "a b"],
        "WorkingDir": "/srv",
        "Labels": {"vendor": "x", "team": "y", "com.docker.compose.project": "p"},
        "Healthcheck": {"Test": ["CMD-SHELL", "true"], "Interval": 5_000_000_000, "Retries": 3},
        "StopTimeout": 3,
    },
    "HostConfig": {
        "NetworkMode": "front",
        "Binds": ["data:/d", "/h:/h:ro"],
        "PortBindings": {"80/tcp": [{"HostIp": "::1", "HostPort": "8080"}], "81/udp": [{"HostIp": "", "HostPort": ""}]},
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2},
        "NanoCpus": 1_500_000_000,
        "Memory": 1048576,
        "CapAdd": ["NET_ADMIN"],
        "ReadonlyRootfs": True,
        "Tmpfs": {"/t": "size=1m"},
        "Ulimits": [{"Name": "nofile", "Soft": 1, "Hard": 2}],
        "ShmSize": 64 << 20,
        "AutoRemove": True,
    },
    "Mounts": [
        {"Type": "volume", "Name": "data", "Destination": "/d", "RW": True},
        {"Type": "volume", "Name": "f" * 64, "Destination": "/anon", "RW": True},
    ],
    "NetworkSettings": {"Networks": {"front": {}, "back": {}}},
}


def test_a_container_as_docker_run() -> None:
    assert run_argv(service_of(MADE, IMAGE)) == [
        *(
            "docker",
            "run",
            "--detach",
            "--name",
            "web",
            "--env",
            "A=1 2",
            "--label",
            "team=y",
            "--cap-add",
            "NET_ADMIN",
        ),
        *("--cpus", "1.5", "--memory", "1048576", "--network", "back", "--network", "front"),
        *(
            "--publish",
            "[::1]:8080:80/tcp",
            "--publish",
            "81/udp",
            "--restart",
            "on-failure:2",
            "--tmpfs",
            "/t:size=1m",
        ),
        *("--volume", "data:/d", "--volume", "/h:/h:ro", "--volume", "/anon", "--read-only", "--ulimit", "nofile=1:2"),
        *("--stop-timeout", "3", "--health-cmd", "true", "--health-interval", "5s", "--health-retries", "3"),
        *("nginx", "run", "a b"),
    ]
    assert lost(MADE) == ["AutoRemove"]


def test_a_container_as_a_compose_file_that_reads_back(tmp_path: Path) -> None:
    service = service_of(MADE, IMAGE)
    (tmp_path / "compose.yaml").write_text("".join(block(compose_document({"web": service}), 0)))
    project = load(Selection(working_directory=str(tmp_path)))
    web = project.services["web"]
    assert (web.image, web.command, web.environment) == ("nginx", ("run", "a b"), {"A": "1 2"})
    assert (web.cpus, web.mem_limit, web.read_only, web.restart) == (1.5, 1048576, True, "on-failure:2")
    assert [(v.source, v.target, v.read_only) for v in web.volumes] == [
        ("data", "/d", False),
        ("/h", "/h", True),
        ("", "/anon", False),
    ]
    assert sorted(project.networks) == ["back", "front"]
    assert all(network.external for network in project.networks.values())
    assert project.volumes["data"].name == "data"


def test_a_container_as_a_quadlet_unit() -> None:
    service = {**service_of(MADE, IMAGE), "cpuset": "0", "restart": "unless-stopped"}
    text, notes = write_services("quadlet", {"web": service})
    assert text.splitlines() == [
        *("[Unit]", "Description=web", "", "[Container]", "Image=nginx", "ContainerName=web", "Memory=1048576"),
        *("Network=back", "Network=front", "NetworkAlias=web", "AddCapability=NET_ADMIN"),
        *("PublishPort=[::1]:8080:80", "PublishPort=81/udp", "Tmpfs=/t:size=1m", 'Environment="A=1 2"', "Label=team=y"),
        *("ReadOnly=true", "Ulimit=nofile=1:2", "Volume=data:/d", "Volume=/h:/h:ro", "Volume=/anon"),
        *('Exec=run "a b"', "HealthCmd=true", "HealthInterval=5s", "HealthRetries=3", "StopTimeout=3"),
        *("PodmanArgs=--cpus=1.5", "PodmanArgs=--cpuset-cpus=0"),
        *("", "[Service]", "Restart=always", "", "[Install]", "WantedBy=default.target"),
    ]
    assert [str(note) for note in notes] == ["services.web.restart: unless-stopped becomes always"]


def test_a_container_as_a_kubernetes_file() -> None:
    text, notes = write_services("kube", {"web": service_of(MADE, IMAGE)})
    assert "kind: Pod\nmetadata:\n  name: web\n" in text
    assert "claimName: data\n" in text
    assert "services.web.ulimits: Kubernetes has no word for it in a pod" in [str(note) for note in notes]


@pytest.fixture
def shop(tmp_path: Path) -> Project:
    (tmp_path / "compose.yaml").write_text(
        "name: p\nservices:\n"
        "  web: {image: nginx, ports: ['8080:80'], depends_on: {db: {condition: service_healthy}}, scale: 2}\n"
        "  db: {image: pg, volumes: ['data:/d'], networks: [back-end]}\n"
        "volumes: {data: }\nnetworks: {back-end: }\n"
    )
    return load(Selection(working_directory=str(tmp_path)))


def test_a_project_as_a_diagram(shop: Project) -> None:
    assert mermaid(shop).splitlines() == [
        "flowchart LR",
        '  service_db["db<br/>pg"]',
        '  service_web["web × 2<br/>nginx"]',
        '  port_8080_80(["8080"])',
        '  network_back_end{{"back-end"}}',
        '  network_default{{"default"}}',
        '  volume_data[("data")]',
        "  service_db --- network_back_end",
        "  service_db -. /d .- volume_data",
        "  service_web -- healthy --> service_db",
        "  service_web --- network_default",
        "  port_8080_80 -- 80 --> service_web",
    ]


def test_a_project_as_a_drawing(shop: Project) -> None:
    """Every box by itself within the picture, dependents left of what they need, a line for each relation."""
    space = "{http://www.w3.org/2000/svg}"
    root = ElementTree.fromstring(svg(diagram_of(shop)))
    width, height = int(root.attrib["width"]), int(root.attrib["height"])
    groups = {group.attrib["id"]: group for group in root.iter(f"{space}g")}
    places = {name: (int(g[1].attrib["x"]), int(g[1].attrib["y"])) for name, g in groups.items()}
    assert [text.text for text in groups["service_web"].iter(f"{space}text")] == ["web × 2", "nginx"]
    assert len({*places.values()}) == len(places) == 6
    assert all(0 < x < width - 150 and 0 < y < height - 44 for x, y in places.values())
    assert places["port_8080_80"][0] < places["service_web"][0] < places["service_db"][0] < places["volume_data"][0]
    assert len([path for path in root.iter(f"{space}path") if "class" in path.attrib]) == 5
