"""`hakobu quadlet`: what systemd says of the services, and the services' command lines carried out as it would."""

import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.daemon import Daemon
from tests.integration.init import Systemd
from tests.leaks import need

UNITS = {
    "web.container": """\
[Unit]
Description=The web server
Requires=prepare.service
After=prepare.service

[Container]
Image=nginx
Pod=site.pod
Volume=html.volume:/usr/share/nginx/html:ro
Environment="MESSAGE=100%% $HOME \\"quoted\\""
HealthCmd=test -e /usr/share/nginx/html/index.html
HealthInterval=1
Notify=healthy
StopTimeout=1

[Service]
Restart=always
Environment=UNUSED=1

[Install]
WantedBy=multi-user.target default.target
""",
    "prepare.container": """\
[Container]
Image=busybox
Pod=site.pod
Volume=html.volume:/html
Exec=sh -c "echo made by $(hostname) > /html/index.html"

[Service]
Type=oneshot
RemainAfterExit=yes
""",
    "site.pod": "[Pod]\nPodName=site\nHostName=site\nPublishPort=127.0.0.1:18232:80\nNetwork=front.network\n",
    "front.network": "[Network]\nNetworkName=quadlet-front\nLabel=made=here\n",
    "html.volume": "[Volume]\nVolumeName=quadlet-html\n",
    "client.container": "[Container]\nImage=busybox\nNetwork=front.network\nExec=sleep 1000\nStopTimeout=0\n",
    "app.kube": "[Kube]\nYaml=app.yaml\n",
}
KUBE = """\
apiVersion: v1
kind: Pod
metadata: {name: kube-app}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: kube-app, image: busybox, command: [sleep, '1000']}]
"""


@pytest.fixture
def units(tmp_path: Path) -> Path:
    folder = tmp_path / "units"
    folder.mkdir()
    for name, text in UNITS.items():
        (folder / name).write_text(text)
    (folder / "app.yaml").write_text(KUBE)
    return folder


@pytest.fixture
def program(tmp_path: Path) -> str:
    path = tmp_path / "hakobu"
    path.write_text(f"#!{sys.executable} -I\nimport sys\nfrom hakobu.cli.main import main\nsys.exit(main())\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def systemd(nginx: Daemon, units: Path, program: str, tmp_path: Path) -> Iterator[Systemd]:
    root = str(tmp_path / "root")
    done = nginx.hakobu("quadlet", "install", "--root", root, "--program", program, str(units))
    assert done.stdout.split() == [
        *("app.service", "client.service", "front-network.service", "html-volume.service", "prepare.service"),
        *("site-pod.service", "web.service"),
    ]
    found = Systemd(Path(root, "etc/systemd/system"))
    yield found
    nginx.remove_all()
    found.end()
    nginx.docker("volume", "rm", "-f", "quadlet-html")


def test_systemd_takes_the_services(systemd: Systemd) -> None:
    need(shutil.which("systemd-analyze") is not None, "systemd-analyze")
    files = sorted(map(str, systemd.folder.glob("*.service")))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *files], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_services_start_in_order_answer_and_leave_nothing(nginx: Daemon, systemd: Systemd) -> None:
    systemd.start("web.service")
    assert systemd.started == [
        *("front-network.service", "site-pod.service", "html-volume.service", "prepare.service", "web.service"),
    ] or systemd.started.index("prepare.service") < systemd.started.index("web.service")
    with urllib.request.urlopen("http://127.0.0.1:18232/", timeout=30) as response:
        assert response.read() == b"made by site\n"
    found = nginx.hakobu("inspect", "-f", "{{.State.Health.Status}} {{json .Config.Env}}", "systemd-web").stdout
    assert found.startswith("healthy")
    assert '"MESSAGE=100% $HOME \\"quoted\\""' in found
    systemd.start("client.service")
    await_running(nginx, "systemd-client")
    assert nginx.hakobu("exec", "systemd-client", "wget", "-qO-", "http://site/").stdout == "made by site\n"
    ended = systemd.stop_all()
    assert ended["web.service"] in (0, 143)
    assert nginx.hakobu("ps", "-aq").stdout == ""
    assert nginx.hakobu("network", "ls", "-q", "--filter", "label=made=here").stdout != ""


def test_a_kube_unit_plays_its_file(nginx: Daemon, systemd: Systemd) -> None:
    systemd.start("app.service")
    assert nginx.hakobu("ps", "--format", "{{.Names}}").stdout == "kube-app\n"
    systemd.stop_all()
    assert nginx.hakobu("ps", "-aq").stdout == ""


def test_a_crash_is_the_services_end(nginx: Daemon, systemd: Systemd) -> None:
    """Which systemd answers by Restart=, beginning with what removes the old container."""
    systemd.start("client.service")
    await_running(nginx, "systemd-client")
    nginx.hakobu("kill", "systemd-client")
    assert systemd.running["client.service"].wait(30) == 137
    systemd.started.remove("client.service")
    systemd.start("client.service")
    await_running(nginx, "systemd-client")
    systemd.stop_all()


def await_running(engine: Daemon, name: str) -> None:
    """A service counts as started when its program runs, not when the engine has done what it asks for."""
    deadline = time.monotonic() + 30
    while engine.hakobu("inspect", "-f", "{{.State.Running}}", name).stdout != "true\n":
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_list_print_remove(nginx: Daemon, systemd: Systemd, units: Path) -> None:
    root = str(systemd.folder.parents[2])
    listed = nginx.hakobu("quadlet", "list", "--root", root).stdout.splitlines()
    assert listed[-1].split() == ["web.service", "yes", f"{units}/web.container"]
    links = sorted(str(p.relative_to(systemd.folder)) for p in systemd.folder.rglob("*.wants/*"))
    assert links == ["default.target.wants/web.service", "multi-user.target.wants/web.service"]
    shown = nginx.hakobu("quadlet", "print", "--root", root, "web").stdout
    assert shown == (systemd.folder / "web.service").read_text()
    assert nginx.hakobu("quadlet", "remove", "--root", root, "web.container").stdout == "web.service\n"
    assert not (systemd.folder / "web.service").exists()
    assert [*systemd.folder.rglob("*.wants")] == []
    failed = nginx.hakobu("quadlet", "remove", "--root", root, "web", check=False)
    assert (failed.returncode, failed.stderr.splitlines()[0]) == (1, "no such quadlet: web")


def test_somebody_elses_service_is_not_overwritten(nginx: Daemon, systemd: Systemd, units: Path, program: str) -> None:
    root = str(systemd.folder.parents[2])
    (systemd.folder / "web.service").write_text("[Service]\nExecStart=/bin/true\n")
    argv = ("quadlet", "install", "--replace", "--root", root, "--program", program, str(units))
    failed = nginx.hakobu(*argv, check=False)
    assert failed.returncode == 1
    assert "web.service is there already, and it is not hakobu's" in failed.stderr


def test_a_bad_quadlet_installs_nothing(nginx: Daemon, tmp_path: Path, program: str) -> None:
    for name, text in (("a.container", "[Container]\nImage=x\n"), ("b.container", "[Container]\nImage=x\nSecret=y\n")):
        (tmp_path / name).write_text(text)
    root = tmp_path / "root"
    argv = ("quadlet", "install", "--root", str(root), "--program", program)
    failed = nginx.hakobu(*argv, f"{tmp_path}/a.container", f"{tmp_path}/b.container", check=False)
    assert failed.returncode == 1
    assert f"{tmp_path}/b.container:3: Container.Secret is not supported" in failed.stderr
    assert not root.exists()
