"""Our command line and docker's own, command by command, on the same engine: same output, same status.

The engine is that of the fixture `engine`, or the socket in HAKOBU_TEST_SOCKET (a real dockerd, for instance).
Ours is called by the name `docker`, so that the texts which name the program are the same as well.
"""

import os
import re
import shutil
import subprocess
import time

import pytest
from tests.integration import busybox_image

from hakobu.client import Engine
from hakobu.client.progress import finish

DOCKER = shutil.which("docker")
pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(DOCKER is None, reason="no docker command on PATH"),
    pytest.mark.skipif(not busybox_image.available(), reason="no /bin/busybox: install busybox-static"),
]
IMAGE = "cli-bb:1"


def _docker_version() -> tuple[int, ...]:
    text = subprocess.run([str(DOCKER), "--version"], capture_output=True, text=True, check=False).stdout
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])


@pytest.fixture(scope="module")
def socket_path(request):
    given = os.environ.get("HAKOBU_TEST_SOCKET")
    if given:
        return given.removeprefix("unix://")
    try:
        engine = request.getfixturevalue("engine")
    except pytest.FixtureLookupError:
        pytest.skip("no engine to test with: set HAKOBU_TEST_SOCKET")
    return str(getattr(engine, "socket", engine)).removeprefix("unix://")


@pytest.fixture(scope="module")
def host(socket_path):
    """The engine with one image, a running container, an ended one, a network and a volume; all gone afterwards."""
    engine = Engine(f"unix://{socket_path}")
    finish(engine.images.load(busybox_image.archive(IMAGE)))
    containers = engine.containers
    engine.networks.create({"Name": "cli-n1", "Labels": {"x": "y"}})
    engine.volumes.create({"Name": "cli-v1"})
    ids = [
        containers.create(
            {
                "Image": IMAGE,
                "Cmd": ["sh", "-c", 'echo out; echo err >&2; trap "exit 0" TERM; while :; do sleep 1; done'],
                "Labels": {"a": "b"},
                "Env": ["X=a<b"],
                "ExposedPorts": {"443/tcp": {}},
                "HostConfig": {"Binds": ["cli-v1:/d"]},
            },
            name="cli-c1",
        )["Id"],
        containers.create({"Image": IMAGE, "Cmd": ["sh", "-c", "exit 3"]}, name="cli-c2")["Id"],
    ]
    for container in ids:
        containers.start(container)
    containers.wait(ids[1]).result()
    time.sleep(1.1)
    yield f"unix://{socket_path}"
    for container in ids:
        containers.remove(container, force=True, volumes=True)
    engine.networks.remove("cli-n1")
    engine.volumes.remove("cli-v1")
    engine.images.remove(IMAGE, force=True)
    engine.close()


def run(program: str, host: str, argv: list[str], stdin: str = "") -> tuple[int, str, str]:
    env = {**os.environ, "DOCKER_HOST": host}
    done = subprocess.run([program, *argv], capture_output=True, text=True, input=stdin, env=env, check=False)
    return done.returncode, done.stdout, done.stderr


def assert_same(ours: str, host: str, argv: list[str], stdin: str = "") -> None:
    theirs, mine = run(str(DOCKER), host, argv, stdin), run(ours, host, argv, stdin)
    if theirs != mine:
        # What is told in seconds may have ticked between the two, and with it the width of its column.
        assert [_timeless(part) for part in mine] == [_timeless(part) for part in theirs]


def _timeless(part: int | str) -> int | str:
    if isinstance(part, int):
        return part
    return re.sub(" +", " ", re.sub(r"Less than a second|\d+ seconds?|About a minute", "a while", part))


LOOKS = [
    ["ps"],
    ["ps", "-a", "--filter", "name=cli-"],
    ["ps", "-a", "--no-trunc", "--filter", "name=cli-"],
    ["ps", "-aq", "--filter", "name=cli-"],
    ["ps", "--filter", "name=cli-c1", "--format", "json"],
    ["ps", "--filter", "label=a=b", "--format", 'table {{.ID}}\\t{{.Names}}\\t{{.Label "a"}}'],
    ["container", "ls", "--format", "{{.Names}}: {{.Image}} {{.State}}"],
    ["images", "cli-bb"],
    ["images", "-q", "cli-bb"],
    ["images", "--no-trunc", "--digests", "cli-bb"],
    ["images", "--format", "{{.Repository}}:{{.Tag}} {{.ID}} {{.Size}}", "cli-bb"],
    ["network", "ls"],
    ["network", "ls", "--filter", "name=cli-n1", "--format", "json"],
    ["network", "inspect", "cli-n1"],
    ["volume", "ls"],
    ["volume", "inspect", "cli-v1"],
    ["history", IMAGE],
    ["history", "--no-trunc", "--format", "{{.CreatedBy}}|{{.Size}}", IMAGE],
    ["inspect", "cli-c1"],
    ["inspect", IMAGE],
    ["inspect", "-f", "{{.State.Status}} {{.Config.Env}} {{json .Config.Labels}}", "cli-c1"],
    ["inspect", "-f", "{{range $k, $v := .NetworkSettings.Networks}}{{$k}}={{$v.IPAddress}}{{end}}", "cli-c1"],
    ["inspect", "-f", "{{if .State.Health}}x{{else}}none{{end}}", "cli-c1"],
    ["inspect", "--type", "image", IMAGE],
    ["logs", "cli-c1"],
    ["logs", "--tail", "1", "-t", "cli-c1"],
    ["port", "cli-c1"],
    ["diff", "cli-c2"],
    ["wait", "cli-c2"],
    ["exec", "cli-c1", "sh", "-c", "echo $X; exit 4"],
    ["exec", "-e", "A=1", "-w", "/tmp", "cli-c1", "sh", "-c", "echo $A $PWD"],
    ["run", "--rm", IMAGE, "sh", "-c", "echo hi; echo err >&2; exit 3"],
    ["run", "--rm", IMAGE, "nosuchcommand"],
    ["run", "--rm", "--entrypoint", "echo", IMAGE, "a", "b"],
]
MISTAKES = [
    ["ps", "--foo"],
    ["run"],
    ["run", "-m", "x", IMAGE],
    ["run", "--rm", "--restart", "always", IMAGE],
    ["run", "--rm", "--name", "cli-c1", IMAGE],
    ["run", "--rm", "--pull", "never", "no-such-image:1"],
    ["run", "--rm", "--network", "no-such-network", IMAGE],
    ["rm", "nosuch", "nosuch2"],
    ["rm", "cli-c1"],
    ["start", "nosuch"],
    ["stop", "nosuch"],
    ["kill", "cli-c2"],
    ["logs", "nosuch"],
    ["exec", "nosuch", "ls"],
    ["exec", "cli-c2", "ls"],
    ["attach", "cli-c2"],
    ["inspect", "nosuch"],
    ["inspect", "-f", "{{.Foo}}", "cli-c1"],
    ["image", "inspect", "nosuch"],
    ["network", "inspect", "nosuch"],
    ["network", "rm", "nosuch"],
    ["volume", "inspect", "nosuch"],
    ["volume", "rm", "cli-v1"],
    ["rmi", "nosuch"],
    ["tag", "nosuch", "x"],
    ["rename", "nosuch", "x"],
    ["top", "nosuch"],
    ["port", "cli-c1", "99"],
    ["ps", "--format", "{{.Foo}}"],
    ["ps", "--filter", "foo"],
    ["network", "foo"],
    ["foo"],
]


@pytest.mark.parametrize("argv", LOOKS, ids=" ".join)
def test_same_as_docker(ours, host, argv):
    if _docker_version() < (28, 0):
        pytest.skip("the outputs are those of docker 28")
    assert_same(ours, host, argv)


@pytest.mark.parametrize("argv", MISTAKES, ids=" ".join)
def test_same_mistakes(ours, host, argv):
    if _docker_version() < (28, 0):
        pytest.skip("the texts are those of docker 28")
    assert_same(ours, host, argv)


def test_input_reaches_the_container(ours, host):
    assert run(ours, host, ["run", "--rm", "-i", IMAGE, "wc", "-c"], "x" * 300000)[1].strip() == "300000"
    assert run(ours, host, ["exec", "-i", "cli-c1", "cat"], "typed")[1] == "typed"


def test_copies_go_out_and_in(ours, host, tmp_path):
    (tmp_path / "f").write_text("content")
    assert run(ours, host, ["cp", f"{tmp_path}/f", "cli-c1:/tmp/g"])[0] == 0
    assert run(ours, host, ["cp", "cli-c1:/tmp/g", f"{tmp_path}/h"])[0] == 0
    assert (tmp_path / "h").read_text() == "content"


def test_an_image_is_saved_and_loaded(ours, host, tmp_path):
    assert run(ours, host, ["tag", IMAGE, "cli-copy:1"])[0] == 0
    assert run(ours, host, ["save", "-o", f"{tmp_path}/i.tar", "cli-copy:1"])[0] == 0
    assert run(ours, host, ["rmi", "cli-copy:1"])[1] == "Untagged: cli-copy:1\n"
    assert run(ours, host, ["load", "-i", f"{tmp_path}/i.tar"])[1] == "Loaded image: cli-copy:1\n"
    assert run(ours, host, ["rmi", "cli-copy:1"])[0] == 0


def test_a_container_id_file_is_written_once(ours, host, tmp_path):
    argv = ["run", "--rm", "--cidfile", f"{tmp_path}/id", IMAGE, "true"]
    assert run(ours, host, argv)[0] == 0
    assert re.fullmatch(r"[0-9a-f]{64}", (tmp_path / "id").read_text())
    status, _, error = run(ours, host, argv)
    assert status == 125 and "container ID file found" in error


def test_a_signal_is_passed_on(ours, host):
    script = 'trap "echo got; exit 9" TERM; echo ready; while :; do sleep 0.1; done'
    env = {**os.environ, "DOCKER_HOST": host}
    with subprocess.Popen(
        [ours, "run", "--rm", IMAGE, "sh", "-c", script], stdout=subprocess.PIPE, text=True, env=env
    ) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "ready\n"
        client.terminate()
        assert client.stdout.read() == "got\n"
        assert client.wait() == 9
