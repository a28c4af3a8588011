"""The services of quadlets: their lines, and how they come into systemd's folder and leave it."""

from pathlib import Path

import pytest

from hakobu.compose.failure import BadComposeFile
from hakobu.formats.quadlet.install import NoSuchUnit, UnitTaken, find, install, installed, remove, unit_folder
from hakobu.formats.quadlet.service import Program, Service, make_service
from hakobu.formats.quadlet.unit import parse_unit

PROGRAM = Program(("/usr/bin/hakobu",))


def services(**texts: str) -> dict[str, Service]:
    units = {(n := name.replace("_", ".")): parse_unit(text, n, directory="/srv") for name, text in texts.items()}
    return {name: make_service(unit, units, PROGRAM) for name, unit in units.items()}


def lines(service: Service, key: str) -> list[str]:
    return [line.partition("=")[2] for line in service.text.splitlines() if line.startswith(f"{key}=")]


def test_a_container_is_created_started_and_removed() -> None:
    web = services(
        web_container="[Container]\nImage=nginx\nVolume=data.volume:/d\nNetwork=front.network\nNotify=healthy\n"
        "HealthCmd=true\nStopTimeout=40\n[Service]\nType=notify\nRestart=always\nNice=3\n"
        "[Install]\nWantedBy=a.target b.target\n",
        data_volume="[Volume]\nVolumeName=the-data\n",
    )["web.container"]
    assert web.name == "web.service"
    assert web.text.splitlines()[0] == "# Made by `hakobu quadlet install` of /srv/web.container"
    assert lines(web, "ExecStartPre") == [
        "-/usr/bin/hakobu rm --force systemd-web",
        "/usr/bin/hakobu create --name systemd-web --network name=systemd-front,alias=web --volume the-data:/d "
        "--stop-timeout 40 --health-cmd true nginx",
    ]
    assert lines(web, "ExecStart") == ["/usr/bin/hakobu start --attach systemd-web"]
    assert lines(web, "ExecStartPost") == ["/usr/bin/hakobu wait --condition healthy systemd-web"]
    assert lines(web, "ExecStop") == ["/usr/bin/hakobu stop systemd-web"]
    assert lines(web, "ExecStopPost") == ["-/usr/bin/hakobu rm --force --volumes systemd-web"]
    assert (lines(web, "Type"), lines(web, "Restart"), lines(web, "Nice")) == (["exec"], ["always"], ["3"])
    assert lines(web, "TimeoutStopSec") == ["55"]
    assert lines(web, "Requires") == ["front-network.service", "data-volume.service"]
    assert web.links == [("a.target.wants", "web.service"), ("b.target.wants", "web.service")]


def test_dollars_are_nobodys_variables_and_specifiers_are_systemds() -> None:
    made = services(web_container='[Container]\nImage=x\nContainerName=%N\nEnvironment="A=$HOME 100%%"\nExec=echo $A\n')
    (_, create) = lines(made["web.container"], "ExecStartPre")
    assert create == '/usr/bin/hakobu create --name %N --env "A=$$HOME 100%%" x echo $$A'


def test_a_pods_containers_are_bound_to_it() -> None:
    made = services(
        app_pod="[Pod]\nPublishPort=80:80\nServiceName=the-pod\n", a_container="[Container]\nImage=x\nPod=app.pod\n"
    )
    assert made["app.pod"].name == "the-pod.service"
    assert lines(made["app.pod"], "ExecStartPre")[0] == "/usr/bin/hakobu kube pause-image"
    assert lines(made["a.container"], "BindsTo") == ["the-pod.service"]
    assert "--network container:systemd-app-infra" in lines(made["a.container"], "ExecStartPre")[1]


def test_networks_and_volumes_are_made_once() -> None:
    made = services(front_network='[Network]\nSubnet=10.1.0.0/16\nLabel="a=b c"\n', d_volume="[Volume]\nType=tmpfs\n")
    (network,), (volume,) = (lines(made[name], "ExecStart") for name in ("front.network", "d.volume"))
    assert network == (
        '/bin/sh -c "/usr/bin/hakobu network inspect systemd-front >/dev/null 2>&1 || exec /usr/bin/hakobu network '
        "create --subnet 10.1.0.0/16 --label 'a=b c' systemd-front\""
    )
    assert "volume create --opt type=tmpfs systemd-d" in volume
    assert lines(made["front.network"], "RemainAfterExit") == ["yes"]


def test_a_kube_unit() -> None:
    made = services(app_kube="[Kube]\nYaml=./app.yaml\nConfigMap=/etc/c.yaml\nKubeDownForce=true\n")["app.kube"]
    assert lines(made, "ExecStart") == ["/usr/bin/hakobu kube play --replace --configmap /etc/c.yaml /srv/app.yaml"]
    assert lines(made, "ExecStop") == ["/usr/bin/hakobu kube down --force --configmap /etc/c.yaml /srv/app.yaml"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("n.network", "[Network]\nDNS=1.1.1.1\n", "Network.DNS is not supported"),
        ("v.volume", "[Volume]\nImage=x\n", "Volume.Image is not supported"),
        ("k.kube", "[Kube]\nYaml=a\nPublishPort=1\n", "Kube.PublishPort is not supported"),
        ("k.kube", "[Kube]\nAutoUpdate=registry\n", "Kube.Yaml needs one Yaml="),
        ("b.build", "[Build]\nImageTag=x\n", "is no quadlet that is supported: b.build"),
    ],
)
def test_what_is_not_supported_is_refused(name: str, text: str, said: str) -> None:
    with pytest.raises(BadComposeFile) as raised:
        make_service(parse_unit(text, name), {}, PROGRAM)
    assert said in str(raised.value)


def service(name: str = "web.service", source: str = "/srv/web.container") -> Service:
    text = f"# Made by `hakobu quadlet install` of {source}\n[Service]\n"
    return Service(name, source, text, [("multi-user.target.wants", name), ("", "alias.service")])


def test_install_list_remove(tmp_path: Path) -> None:
    folder = str(tmp_path / "units")
    install([service()], folder, replace=False)
    assert (tmp_path / "units/multi-user.target.wants/web.service").resolve() == tmp_path / "units/web.service"
    assert [(s.name, s.enabled) for s in installed(folder)] == [("web.service", True)]
    for name in ("web", "web.service", "web.container"):
        assert find(folder, name).source == "/srv/web.container"
    remove(folder, find(folder, "web"))
    assert [*(tmp_path / "units").iterdir()] == []
    with pytest.raises(NoSuchUnit):
        find(folder, "web")


def test_an_installed_service_gives_way_to_its_own_quadlet_only(tmp_path: Path) -> None:
    folder = str(tmp_path)
    install([service()], folder, replace=False)
    install([service()], folder, replace=False)
    with pytest.raises(UnitTaken, match=r"it was made of /srv/web\.container"):
        install([service("other.service"), service(source="/else/web.container")], folder, replace=False)
    assert not (tmp_path / "other.service").exists()
    install([service(source="/else/web.container")], folder, replace=True)
    (tmp_path / "web.service").write_text("[Service]\n")
    with pytest.raises(UnitTaken, match="it is not hakobu's"):
        install([service()], folder, replace=True)


def test_where_systemd_looks() -> None:
    environment = {"HOME": "/home/me"}
    assert unit_folder("", user=False, environment=environment) == "/etc/systemd/system"
    assert unit_folder("/image", user=False, environment=environment) == "/image/etc/systemd/system"
    assert unit_folder("", user=True, environment=environment) == "/home/me/.config/systemd/user"
    assert unit_folder("/image", user=True, environment=environment) == "/image/home/me/.config/systemd/user"
