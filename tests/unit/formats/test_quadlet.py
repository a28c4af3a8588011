"""Quadlet units: what they become, what is refused with its line, and that they come out again."""

import pytest

from hakobu.compose.failure import BadComposeFile
from hakobu.compose.model.project import Project
from hakobu.formats.document import project_of
from hakobu.formats.quadlet.reader import read_units
from hakobu.formats.quadlet.unit import join_words, parse_unit, split_words
from hakobu.formats.quadlet.writer import write_quadlets
from hakobu.formats.source import files_text, units_in
from hakobu.spec.step import Json

WEB = """\
# a comment
[Unit]
Description=The web server
Requires=db.service
After=db.service

[Container]
Image=nginx
Network=front.network:ip=10.1.2.3
Network=shared
NetworkAlias=www
PublishPort=127.0.0.1:8080:80
Environment=A=1 "B=two words" C=50%%
Label="team=a b"
Volume=data.volume:/data:ro
Volume=./html:/html
Exec=run --fast \\
    "a b"
HealthCmd=["CMD", "check", "a b"]
HealthInterval=5
PodmanArgs=--cpus=0.5 --weird
AutoUpdate=registry

[Service]
Restart=always
Nice=5

[Install]
WantedBy=default.target
"""
DB = "[Container]\nImage=pg\nNotify=healthy\nHealthCmd=pg_isready\n[Service]\nTimeoutStartSec=900\n"
FRONT = "[Network]\nSubnet=10.1.0.0/16\nInternal=true\nLabel=a=b\n"
DATA = "[Volume]\nVolumeName=the-data\nType=tmpfs\nDevice=tmpfs\n"


def units(**texts: str):
    return [parse_unit(text, name.replace("_", "."), directory="/srv") for name, text in texts.items()]


def read(**texts: str) -> tuple[Project, list[str]]:
    document, notes = read_units(units(**texts))
    return project_of(document, "app"), [str(note) for note in notes]


def test_units_become_services_networks_and_volumes() -> None:
    project, notes = read(web_container=WEB, db_container=DB, front_network=FRONT, data_volume=DATA)
    web = project.services["web"]
    assert (web.image, web.command, web.restart, web.cpus) == ("nginx", ("run", "--fast", "a b"), "always", 0.5)
    assert web.environment == {"A": "1", "B": "two words", "C": "50%"}
    assert web.labels == {"team": "a b"}
    assert {k: (a.ipv4_address, a.aliases) for k, a in web.networks.items()} == {
        "front": ("10.1.2.3", ("www",)),
        "shared": ("", ("www",)),
    }
    assert [(v.source, v.target, v.read_only) for v in web.volumes] == [
        ("data", "/data", True),
        ("/srv/html", "/html", False),
    ]
    assert web.healthcheck and (web.healthcheck.test, web.healthcheck.interval) == (("CMD", "check", "a b"), 5 * 10**9)
    assert web.depends_on["db"].condition == "service_healthy"
    assert (project.networks["shared"].external, project.networks["front"].name) == (True, "systemd-front")
    assert (project.networks["front"].internal, project.networks["front"].pools[0].subnet) == (True, "10.1.0.0/16")
    assert (project.volumes["data"].name, project.volumes["data"].driver_opts["type"]) == ("the-data", "tmpfs")
    assert notes == [
        "web.container:22: Container.AutoUpdate: images are not updated by themselves",
        "web.container:3: Container.PodmanArgs: --weird is not known",
        "web.container:26: Service.Nice: is systemd's alone",
    ]


def test_a_pod_unit_is_an_anchor() -> None:
    project, _ = read(
        app_pod="[Pod]\nPublishPort=80:80\nNetwork=host\n",
        a_container="[Container]\nImage=x\nPod=app.pod\n",
    )
    assert project.services["a"].network_mode == "service:app-infra"
    assert project.services["app-infra"].network_mode == "host"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[Container]\nImag=x\n", "web.container:2: Container.Imag is no key of a quadlet"),
        ("[Container]\nImage=x\nSecret=pw\n", "web.container:3: Container.Secret is not supported: secrets are files"),
        ("[Container]\nExec=x\n", "Container missing key Image"),
        ("[Container]\nImage=x\nReadOnly=maybe\n", "Container.ReadOnly must be true or false; it is 'maybe'"),
        ("[Service]\nNice=1\n", "has no section [Container]"),
        ("[Container]\nnonsense\n", "web.container:2: is no line of a unit: 'nonsense'"),
        ("[Container]\nImage=x\nUlimit=nofile=many\n", "web.container:3: Container.Ulimit cannot be 'nofile=many'"),
        ("[Container]\nImage=x\nEntrypoint=[a\n", "web.container:3: Container.Entrypoint cannot be '[a'"),
        ("[Container]\nImage=x\nVolume=%h/d:/d\n", "Container.Volume is not supported: %h is systemd's to replace"),
        ("[Container]\nImage=x\nNotify=true\n", "Container.Notify is not supported"),
    ],
)
def test_mistakes_are_told_with_their_lines(text: str, said: str) -> None:
    with pytest.raises(BadComposeFile) as raised:
        read(web_container=text)
    assert said in str(raised.value)


def test_other_kinds_are_refused_by_name() -> None:
    with pytest.raises(BadComposeFile, match=r"no quadlet that is supported: x\.build"):
        read(x_build="[Build]\nImageTag=x\n")


@pytest.mark.parametrize("words", [["a"], ["a b", 'c"d', "e\\f", "", "tab\there", "two\nlines", "it's"], []])
def test_words_survive_systemds_quoting(words: list[str]) -> None:
    assert split_words(join_words(words)) == words


SERVICES: dict[str, dict[str, Json]] = {
    "flags without keys": {"image": "x", "cpus": 1.5, "privileged": True, "oom_score_adj": 5, "ipc": "host"},
    "lists": {
        "image": "x",
        "cap_add": ["A", "B"],
        "dns": ["9.9.9.9"],
        "tmpfs": ["/t:size=1m"],
        "devices": ["/dev/null"],
    },
    "switches": {"image": "x", "read_only": True, "init": False, "tty": True},
    "healthcheck": {"image": "x", "healthcheck": {"test": "a | b", "interval": "1m30s", "retries": 2}},
    "no healthcheck": {"image": "x", "healthcheck": {"disable": True}},
    "options": {"image": "x", "security_opt": ["no-new-privileges:true", "apparmor=unconfined", "label=type:t"]},
    "limits": {"image": "x", "ulimits": {"nofile": {"soft": 1, "hard": 2}}, "mem_limit": "64m", "pids_limit": 5},
    "logging": {"image": "x", "logging": {"driver": "local", "options": {"max-size": "1m"}}},
    "entrypoint": {"image": "x", "entrypoint": ["sh", "-c"], "command": ["echo 50% $HOME"]},
    "mounts": {"image": "x", "volumes": ["data:/d:ro", "/srv:/s", {"type": "tmpfs", "target": "/t"}]},
    "host": {"image": "x", "network_mode": "host", "user": "1:2", "stop_grace_period": "1m5s"},
}


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_what_was_written_is_read_again(service: dict[str, Json]) -> None:
    volumes: Json = {"data": {"name": "data"}} if "volumes" in service else {}
    first = project_of({"services": {"web": service}, "volumes": volumes}, "app")
    files = write_quadlets(first)
    assert files.notes == []
    document, notes = read_units(units_in("web.container", files_text(files.texts)))
    second = project_of(document, "app")
    assert notes == []
    assert second.services == first.services
    assert {k: v.name for k, v in second.volumes.items()} == {k: v.name for k, v in first.volumes.items()}


def test_order_and_conditions_survive() -> None:
    services: Json = {
        "web": {
            "image": "x",
            "depends_on": {
                "db": {"condition": "service_healthy"},
                "migrate": {"condition": "service_completed_successfully"},
                "cache": {"condition": "service_started", "required": False},
                "log": {"condition": "service_started", "restart": True},
            },
        },
        "db": {"image": "y", "healthcheck": {"test": "t"}},
        **{name: {"image": "z"} for name in ("migrate", "cache", "log")},
    }
    first = project_of({"services": services}, "app")
    document, _ = read_units(units_in("x", files_text(write_quadlets(first).texts)))
    assert project_of(document, "app").services["web"] == first.services["web"]
