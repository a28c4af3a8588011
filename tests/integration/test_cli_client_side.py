"""What docker's command line does on its own side: contexts, plugins, configuration; beside docker's own."""

import http.server
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import pytest
from tests.leaks import need

DOCKER = shutil.which("docker")
pytestmark = [pytest.mark.root, pytest.mark.skipif(DOCKER is None, reason="no docker command on PATH")]


def call(program: str, config: Path, argv: list[str], cwd: Path, **env: str) -> tuple[int, str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DOCKER_", "HAKOBU_"))}
    done = subprocess.run(
        [program, *argv],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        cwd=cwd,
        env={**kept, "DOCKER_CONFIG": str(config), **env},
    )
    return done.returncode, done.stdout.replace(str(config), "CONFIG"), done.stderr.replace(str(config), "CONFIG")


def files_of(folder: Path) -> dict[str, object]:
    """Every file's mode and contents; JSON as values, for docker indents some of it and some not."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            text = path.read_text()
            value = json.loads(text) if path.suffix == ".json" else text
            found[str(path.relative_to(folder))] = (oct(path.stat().st_mode & 0o777), value)
    return found


CONTEXTS = [
    "create aa --description the-a --docker host=tcp://1.2.3.4:2376,ca=ca.pem,cert=ca.pem,key=key.pem,skip-tls-verify=true",
    "create aa",
    "create default",
    "create x",
    "create bb --docker zzz=1",
    "create bb --docker nokey",
    "create bb --docker host=tcp://h,ca=nofile",
    "create bb --docker host=tcp://h,ca=bad.pem",
    "create bb",
    "create cc --from aa --description of-aa",
    "create dd --docker from=aa",
    "ls",
    "ls -q",
    "ls --format {{json .}}",
    "ls --format {{.Name}}:{{.Current}}:{{.DockerEndpoint}}",
    "show",
    "use zz",
    "use aa",
    "show",
    "ls",
    "inspect",
    "inspect cc dd -f {{.Name}}={{.Endpoints.docker.Host}}",
    "inspect zz",
    "inspect default",
    "rm aa",
    "rm zz",
    "rm -f zz",
    "rm default",
    "rm -f aa",
    "show",
    "update cc --description new",
    "update dd --docker host=tcp://9.9.9.9:1",
    "update zz",
    "export cc",
    "export cc",
    "export zz",
    "import ee cc.dockercontext",
    "import ee cc.dockercontext",
    "import ff bad.pem",
    "use cc",
    "ls",
]


def test_contexts_side_by_side(ours, tmp_path):
    subprocess.run(
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out ca.pem -subj /CN=x -days 1",
        shell=True,
        check=True,
        capture_output=True,
        cwd=tmp_path,
    )
    (tmp_path / "bad.pem").write_text("nothing of the kind")
    results: list[list[tuple[int, str, str]]] = []
    for program in (str(DOCKER), ours):
        config = tmp_path / f"config{len(results)}"
        config.mkdir()
        results.append([call(program, config, ["context", *line.split()], tmp_path) for line in CONTEXTS])
        results[-1].append(call(program, config, ["context", "use", "dd"], tmp_path, DOCKER_HOST="unix:///x"))
        results[-1].append(call(program, config, ["context", "ls"], tmp_path, DOCKER_HOST="unix:///x"))
        (tmp_path / "cc.dockercontext").rename(tmp_path / f"{len(results)}.tar")
    for line, theirs, mine in zip([*CONTEXTS, "use with DOCKER_HOST", "ls with it"], *results, strict=True):
        if line.startswith("import ff"):  # What is wrong with it, each says in words of its own.
            assert mine[0] == theirs[0] == 1
            continue
        assert mine == theirs, line
    assert files_of(tmp_path / "config1") == files_of(tmp_path / "config0")
    with tarfile.open(tmp_path / "2.tar") as tar:
        assert [member.name for member in tar] == [
            "meta.json",
            "tls",
            "tls/docker",
            "tls/docker/ca.pem",
            "tls/docker/cert.pem",
            "tls/docker/key.pem",
        ]
    # docker reads what we exported.
    done = call(str(DOCKER), tmp_path / "config0", ["context", "import", "from-us", "2.tar"], tmp_path)
    assert done[:2] == (0, "from-us\n")


PLUGIN = """#!/bin/sh
if [ "$1" = docker-cli-plugin-metadata ]; then
    echo '{"SchemaVersion":"0.1.0","Vendor":"Tests","Version":"v1","ShortDescription":"Says what it was given"}'
    exit
fi
echo "$DOCKER_CONFIG $DOCKER_HOST"
for word in "$@"; do echo "[$word]"; done
exit 7
"""


@pytest.fixture
def plugins(tmp_path):
    """A configuration with the plugins `hello` and `buildx` (one program), and a file that is none."""
    folder = tmp_path / "config" / "cli-plugins"
    folder.mkdir(parents=True)
    for name in ("hello", "buildx"):
        (folder / f"docker-{name}").write_text(PLUGIN)
        (folder / f"docker-{name}").chmod(0o755)
    return tmp_path / "config"


@pytest.mark.parametrize("line", ["hello", "hello a --b -c=d -- e", "hello --help", "-D hello x"])
def test_a_plugin_gets_its_line(ours, plugins, tmp_path, line):
    words = line.split()
    theirs = call(str(DOCKER), plugins, words, tmp_path, DOCKER_HOST="unix:///nowhere")
    mine = call(ours, plugins, words, tmp_path, DOCKER_HOST="unix:///nowhere")
    assert (mine[0], mine[1].replace("[--debug]", "[-D]")) == theirs[:2]
    assert mine[0] in (0, 7) or line.endswith("--help")


def test_a_plugin_is_in_the_help_and_in_info(ours, plugins, tmp_path):
    page = call(ours, plugins, ["--help"], tmp_path)[1]
    assert re.search(r"^  hello\* +Says what it was given$", page, re.M)


def test_build_goes_to_buildx(ours, plugins, tmp_path):
    done = call(ours, plugins, ["build", "-t", "x", "."], tmp_path, DOCKER_HOST="unix:///nowhere")
    assert done == (7, "CONFIG unix:///nowhere\n[buildx]\n[build]\n[-t]\n[x]\n[.]\n", "")
    (plugins / "cli-plugins" / "docker-buildx").unlink()
    status, _, error = call(ours, plugins, ["build", "."], tmp_path)
    assert status == 1 and "docker's plugin buildx is not installed" in error


def test_root_runs_no_plugin_that_others_can_write(ours, plugins, tmp_path):
    (plugins / "cli-plugins" / "docker-hello").chmod(0o777)
    status, out, error = call(ours, plugins, ["hello"], tmp_path)
    assert status == 1 and not out
    assert error.startswith("refusing to run the plugin CONFIG/cli-plugins/docker-hello as root")


def test_headers_of_the_configuration_are_sent(ours, tmp_path):
    (tmp_path / "config.json").write_text('{"HttpHeaders": {"X-Team": "red", "User-Agent": "no"}}')
    seen: list[dict[str, str]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            seen.append(dict(self.headers))
            self.send_response(404)
            self.end_headers()

        do_GET = do_HEAD

        def log_message(self, *_: object) -> None: ...

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        call(ours, tmp_path, ["-H", f"tcp://127.0.0.1:{server.server_port}", "ps"], tmp_path)
        server.shutdown()
        thread.join()
    assert seen and all(headers["X-Team"] == "red" and headers["User-Agent"] != "no" for headers in seen)


def test_an_alias_is_a_link_to_the_program(tmp_path):
    program = tmp_path / "hakobu"
    program.write_text(f"#!{sys.executable}\nimport sys\nfrom hakobu.cli.main import main\nsys.exit(main())\n")
    program.chmod(0o755)
    status, out, _ = call(str(program), tmp_path, ["alias", "install"], tmp_path)
    assert (status, out) == (0, "CONFIG/docker\n")
    assert call(str(tmp_path / "docker"), tmp_path, ["--version"], tmp_path)[1].startswith("Docker version")
    assert call(str(program), tmp_path, ["alias", "remove"], tmp_path)[0] == 0
    assert not (tmp_path / "docker").exists()
    (tmp_path / "docker").write_text("somebody's")
    status, _, error = call(str(program), tmp_path, ["alias", "install"], tmp_path)
    assert status == 1 and "is there already" in error
    assert call(str(program), tmp_path, ["alias", "remove"], tmp_path)[0] == 1
    assert (tmp_path / "docker").read_text() == "somebody's"


SWARM = [
    "service ls",
    "service create x",
    "node ls",
    "secret ls",
    "config ls",
    "swarm leave",
    "swarm update --autolock",
]


@pytest.mark.parametrize("line", SWARM)
def test_swarm_is_answered_as_where_there_is_none(engine, line):
    done = engine.hakobu(*line.split(), check=False)
    assert done.returncode == 1
    expected = (
        "is not part of a swarm"
        if line == "swarm leave"
        else 'This node is not a swarm manager. Use "docker swarm init"'
    )
    assert done.stderr.startswith("Error response from daemon: This node") and expected in done.stderr


def test_plugins_of_the_engine_are_none(engine):
    assert engine.hakobu("plugin", "ls").stdout.split() == ["ID", "NAME", "DESCRIPTION", "ENABLED"]
    done = engine.hakobu("plugin", "inspect", "x", check=False)
    assert (done.returncode, done.stdout) == (1, "[]\n")
    assert 'plugin "x" not found' in done.stderr


def test_dial_stdio_is_the_engines_connection(engine):
    request = b"GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    done = subprocess.run(
        [sys.executable, "-m", "hakobu.cli.main", "-H", engine.url, "system", "dial-stdio"],
        input=request,
        capture_output=True,
        check=True,
    )
    assert done.stdout.startswith(b"HTTP/1.1 200 OK") and done.stdout.endswith(b"OK")


@pytest.fixture
def sshd(tmp_path):
    """A real sshd on a free port of 127.0.0.1, with a key of its own; gives the folder of the client's settings."""
    need(os.path.exists("/usr/sbin/sshd"), "sshd: apt install openssh-server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.makedirs("/run/sshd", exist_ok=True)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)], check=True)
    (tmp_path / "user.pub").rename(tmp_path / "authorized")
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    for program in ("hakobu", "docker"):
        (bin_dir / program).write_text(f'#!/bin/sh\nexec {sys.executable} -m hakobu.cli.main "$@"\n')
        (bin_dir / program).chmod(0o755)
    (tmp_path / "sshd.conf").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {tmp_path}/host\nAuthorizedKeysFile {tmp_path}/authorized\n"
        f"PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin yes\nSetEnv PATH={bin_dir}:{os.environ['PATH']}\n"
    )
    (tmp_path / "ssh").write_text(
        f"#!/bin/sh\nexec {shutil.which('ssh')} -F none -i {tmp_path}/user -o StrictHostKeyChecking=no"
        f' -o UserKnownHostsFile={tmp_path}/known -o LogLevel=ERROR "$@"\n'
    )
    (tmp_path / "ssh").chmod(0o755)
    with open(tmp_path / "sshd.log", "wb") as log:
        process = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", str(tmp_path / "sshd.conf")], stderr=log)
    while b"Server listening" not in (tmp_path / "sshd.log").read_bytes():
        assert process.poll() is None, (tmp_path / "sshd.log").read_text()
    yield tmp_path, port
    process.terminate()
    process.wait()


def test_an_engine_by_ssh(engine, sshd):
    folder, port = sshd
    url = f"ssh://root@127.0.0.1:{port}{engine.socket}"
    env = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "HAKOBU_HOST": url, "DOCKER_HOST": url}
    run = [sys.executable, "-m", "hakobu.cli.main", "run", "--rm", "-i", "busybox", "cat"]
    done = subprocess.run(run, env=env, input="through ssh\n", capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "through ssh\n"), done.stderr
    # docker's own client comes in by our dial-stdio.
    done = subprocess.run(
        [str(DOCKER), "run", "--rm", "busybox", "echo", "hi"], env=env, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "hi\n"), done.stderr


BASE = ["hakobu", "hakobu.cli.main", "hakobu.cli.registry", "hakobu.cli.session", "hakobu.client.transport"]
NEVER = ["completion", "context", "explain", "help", "manual", "ondemand", "plugins", "template.parser"]


@pytest.mark.parametrize("line", ["version", "ps", "run --rm busybox true", "images", "exec first true"])
def test_what_a_command_loads(engine, line):
    """Start-up is imports: nothing but our own modules and the C halves of four of Python's, and few of ours."""
    engine.hakobu("run", "-d", "--name", "first", "busybox", "sleep", "1000")
    code = (
        "import sys; before = set(sys.modules)\nfrom hakobu.cli.main import dispatch\n"
        f"dispatch('hakobu', ['-H', {engine.url!r}, *{line.split()!r}])\n"
        "print(*sorted(set(sys.modules) - before), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    engine.hakobu("rm", "-f", "first")
    loaded = done.stderr.split()
    foreign = [name for name in loaded if not name.startswith("hakobu")]
    assert set(foreign) <= {"__future__", "_json", "_socket", "binascii", "time"}
    assert set(BASE) <= set(loaded)
    assert [name for name in NEVER if f"hakobu.cli.{name}" in loaded] == []
    commands = {name for name in loaded if name.startswith("hakobu.cli.command.")}
    assert len(commands) <= 2 and len(loaded) < 50
