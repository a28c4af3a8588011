"""An ordinary user installs Hakobu and runs the same commands: no privilege, nothing left behind."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.ordinary_user import FIRST_APP, OrdinaryUser, on_an_overlay, ordinary_user

_UDP_ECHO = (
    "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('', 53))\n"
    "while True: s.sendto(*s.recvfrom(100))"
)
_UDP_WHO = (
    "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('', 53))\n"
    "while True: _, a = s.recvfrom(100); s.sendto(a[0].encode(), a)"
)
_SERVE = "echo hello > /index.html; exec httpd -f -p 80 -h /"


@pytest.fixture(scope="module")
def user(isolated_session: None) -> Iterator[OrdinaryUser]:
    """A user whose engine has done everything once."""
    with ordinary_user() as made:
        made.load("busybox")
        made.hakobu("run", "--rm", "busybox", "true")
        made.hakobu("network", "create", "warm")
        made.hakobu("run", "--rm", "--network", "warm", "busybox", "true")
        made.hakobu("network", "rm", "warm")
        yield made


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read().decode().strip()


def remove(user: OrdinaryUser, *names: str) -> None:
    user.hakobu("rm", "-fv", *names)


def test_the_first_commands_work(user: OrdinaryUser) -> None:
    assert user.out("run", "--rm", "busybox", "echo", "hello") == "hello"
    user.hakobu("run", "-d", "--name", "one", "busybox", "sh", "-c", "echo begun; exec sleep 1000")
    try:
        assert user.out("ps", "--format", "{{.Names}}") == "one"
        assert user.out("logs", "one") == "begun"
        assert user.out("exec", "one", "cat", "/proc/1/comm") == "sleep"
        assert "sleep 1000" in user.out("top", "one")
        assert user.out("exec", "--user", "33:44", "one", "id", "-u") == "33"
    finally:
        remove(user, "one")


def test_root_in_a_container_is_the_user_outside(user: OrdinaryUser) -> None:
    folder = user.home / "shared"
    folder.mkdir()
    os.chown(folder, user.uid, user.uid)
    script = "touch /s/root; su -s /bin/sh www-data -c true; touch /s/other; chown 33:33 /s/other"
    user.hakobu("run", "--rm", "-v", f"{folder}:/s", "busybox", "sh", "-c", script)
    assert (folder / "root").stat().st_uid == user.uid
    assert (folder / "other").stat().st_uid == user.first_subid + 32


def test_a_container_has_no_right_over_the_host(user: OrdinaryUser) -> None:
    for words in (("cat", "/h/shadow"), ("touch", "/h/made-by-a-container")):
        answer = user.hakobu("run", "--rm", "--privileged", "-v", "/etc:/h", "busybox", *words, check=False)
        assert answer.returncode == 1 and "Permission denied" in answer.stderr
    answer = user.hakobu("run", "--rm", "--privileged", "busybox", "mknod", "/n", "b", "7", "0", check=False)
    assert answer.returncode == 1 and "Operation not permitted" in answer.stderr


def test_published_ports_are_the_hosts(user: OrdinaryUser) -> None:
    user.hakobu("run", "-d", "--name", "web", "-p", "8080:80", "-p", "127.0.0.1:0:80", "busybox", "sh", "-c", _SERVE)
    try:
        other = user.out("port", "web", "80/tcp").splitlines()[-1].rpartition(":")[2]
        for where in ("127.0.0.1:8080", "[::1]:8080", f"127.0.0.1:{other}"):
            user.wait_until(lambda: user.hakobu("exec", "web", "test", "-e", "/index.html").returncode == 0, "page")
            assert get(f"http://{where}/") == "hello"
        answer = user.hakobu("run", "--rm", "-p", "8080:80", "busybox", "true", check=False)
        assert answer.returncode == 125 and "port is already allocated" in answer.stderr
    finally:
        remove(user, "web")
    with socket.create_server(("127.0.0.1", 8080)):
        pass  # free again


def test_udp_is_published_as_well(user: OrdinaryUser) -> None:
    """The server stands in the container's network namespace: no program of the image's speaks UDP."""
    user.hakobu("run", "-d", "--name", "echo", "-p", "5353:53/udp", "busybox", "sleep", "1000")
    pid = user.out("inspect", "-f", "{{.State.Pid}}", "echo")
    server = subprocess.Popen(["nsenter", "-t", pid, "-n", sys.executable, "-I", "-c", _UDP_ECHO])
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(0.2)

            def answered() -> bool:
                client.sendto(b"ping", ("127.0.0.1", 5353))
                try:
                    return client.recv(100) == b"ping"
                except TimeoutError:
                    return False

            user.wait_until(answered, "answer")
    finally:
        server.kill()
        server.wait()
        remove(user, "echo")


def test_a_container_sees_its_clients_own_address(user: OrdinaryUser) -> None:
    """Of a client on another machine: a network namespace beyond a veth."""
    other = subprocess.Popen(["unshare", "-n", "sleep", "1000"])
    inside = ("nsenter", "-t", str(other.pid), "-n")
    serve = "echo hello > /index.html; exec httpd -f -vv -p 80 -h /"
    user.hakobu("run", "-d", "--name", "seen", "-p", "8080:80", "-p", "5353:53/udp", "busybox", "sh", "-c", serve)
    server = None
    try:
        user.wait_until(lambda: user.hakobu("exec", "seen", "test", "-e", "/index.html").returncode == 0, "page")
        user.wait_until(lambda: os.readlink("/proc/self/ns/net") != os.readlink(f"/proc/{other.pid}/ns/net"), "netns")
        for command in (
            ("ip", "link", "add", "beyond0", "type", "veth", "peer", "name", "beyond1", "netns", str(other.pid)),
            ("ip", "addr", "add", "198.51.100.1/24", "dev", "beyond0"),
            ("ip", "link", "set", "beyond0", "up"),
            (*inside, "ip", "addr", "add", "198.51.100.2/24", "dev", "beyond1"),
            (*inside, "ip", "link", "set", "beyond1", "up"),
        ):
            subprocess.run(command, check=True)
        fetch = "import urllib.request as u; print(u.urlopen('http://198.51.100.1:8080/', timeout=30).read().decode())"
        done = subprocess.run([*inside, sys.executable, "-I", "-c", fetch], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "hello"
        user.wait_until(lambda: "198.51.100.2" in user.hakobu("logs", "seen").stderr, "line of the client's address")
        assert get("http://127.0.0.1:8080/") == "hello"  # the host itself has an address that means another there
        pid = user.out("inspect", "-f", "{{.State.Pid}}", "seen")
        server = subprocess.Popen(["nsenter", "-t", pid, "-n", sys.executable, "-I", "-c", _UDP_WHO])
        ask = "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(0.2)\n"
        ask += "s.sendto(b'who', ('198.51.100.1', 5353)); print(s.recv(100).decode())"

        def answered() -> bool:
            done = subprocess.run([*inside, sys.executable, "-I", "-c", ask], capture_output=True, text=True)
            return done.stdout.strip() == "198.51.100.2"

        user.wait_until(answered, "answer by UDP that names the client")
    finally:
        for process in filter(None, (server, other)):
            process.kill()
            process.wait()
        remove(user, "seen")


def test_a_privileged_port_is_refused_with_what_would_help(user: OrdinaryUser) -> None:
    answer = user.hakobu("run", "--rm", "-p", "80:80", "busybox", "true", check=False)
    assert answer.returncode == 125
    assert "cannot expose privileged port 80" in answer.stderr
    assert "net.ipv4.ip_unprivileged_port_start" in answer.stderr


def test_containers_find_each_other_by_name(user: OrdinaryUser) -> None:
    user.hakobu("network", "create", "n1")
    user.hakobu("run", "-d", "--name", "web", "--network", "n1", "busybox", "sh", "-c", _SERVE)
    try:
        script = "until wget -qO- http://web/; do sleep 0.1; done"
        assert user.out("run", "--rm", "--network", "n1", "busybox", "sh", "-c", script) == "hello"
    finally:
        remove(user, "web")
        user.hakobu("network", "rm", "n1")


def test_what_was_removed_and_replaced_is_committed(user: OrdinaryUser) -> None:
    """Whiteouts and opaque directories, kept by overlayfs in attributes that a user may set."""
    script = "rm /etc/hostname /bin/wget; rm -r /etc/opt; mkdir /etc/opt; echo new > /etc/opt/new"
    user.hakobu("run", "--name", "base", "busybox", "sh", "-c", "mkdir -p /etc/opt; echo old > /etc/opt/old")
    try:
        user.hakobu("commit", "base", "base:1")
        user.hakobu("run", "--name", "changed", "base:1", "sh", "-c", script)
        assert "D /usr/bin/wget" in user.out("diff", "changed").splitlines()
        user.hakobu("commit", "changed", "changed:1")
        assert (
            user.out("run", "--rm", "changed:1", "sh", "-c", "ls /etc/opt; test -e /bin/wget || echo gone")
            == "new\ngone"
        )
        archive = user.home / "changed.tar"
        user.hakobu("save", "-o", str(archive), "changed:1")
        user.hakobu("rmi", "changed:1")
        user.hakobu("load", "-q", "-i", str(archive))
        assert user.out("run", "--rm", "changed:1", "ls", "/etc/opt") == "new"
    finally:
        remove(user, "base", "changed")
        user.hakobu("rmi", "-f", "changed:1", "base:1")


def test_a_volume_keeps_owners(user: OrdinaryUser) -> None:
    script = "echo kept > /v/f; chown 7:7 /v/f"
    user.hakobu("run", "--rm", "-v", "vol:/v", "busybox", "sh", "-c", script)
    assert user.out("run", "--rm", "-v", "vol:/v", "busybox", "stat", "-c", "%u:%g", "/v/f") == "7:7"
    user.hakobu("volume", "rm", "vol")


def test_limits_without_a_cgroup_are_refused_with_the_reason(user: OrdinaryUser) -> None:
    answer = user.hakobu("run", "--rm", "-m", "64m", "busybox", "true", check=False)
    assert answer.returncode == 125
    assert "no cgroup of this machine is delegated to this user" in answer.stderr
    user.hakobu("run", "-d", "--name", "stays", "busybox", "sleep", "1000")
    try:
        answer = user.hakobu("pause", "stays", check=False)
        assert answer.returncode == 1 and "cannot pause" in answer.stderr
        assert user.out("inspect", "-f", "{{.State.Status}}", "stays") == "running"
    finally:
        remove(user, "stays")


def test_the_hosts_namespaces_are_shared_as_far_as_the_user_may(user: OrdinaryUser) -> None:
    assert "slirp4netns" in user.out("run", "--rm", "--pid", "host", "busybox", "ps", "-o", "args")
    user.hakobu("run", "--rm", "--ipc", "host", "busybox", "ls", "/dev/mqueue")
    assert user.out("run", "--rm", "--uts", "host", "busybox", "hostname") == socket.gethostname()
    assert "tap0" in user.out("run", "--rm", "--network", "host", "busybox", "ip", "addr")


def test_what_the_user_has_no_right_to_give_is_refused_with_the_reason(user: OrdinaryUser) -> None:
    for words, reason in (
        (
            ("--ulimit", "nofile=99999999:99999999"),
            "RLIMIT_NOFILE 99999999:99999999 is above what this engine may give",
        ),
        (("--oom-score-adj", "-500"), "oom_score_adj -500 is below this engine's own"),
    ):
        answer = user.hakobu("run", "--rm", *words, "busybox", "true", check=False)
        assert answer.returncode != 0 and reason in answer.stderr


def test_info_says_that_it_is_rootless(user: OrdinaryUser) -> None:
    told = user.out("info")
    assert "rootless" in told
    assert "WARNING: No memory limit support" in user.hakobu("info").stderr + told


def test_containers_and_their_ports_outlive_the_daemon(isolated_session: None) -> None:
    with ordinary_user() as user:
        user.load("busybox")
        user.hakobu("run", "-d", "--name", "web", "-p", "8081:80", "busybox", "sh", "-c", _SERVE)
        user.wait_until(lambda: user.hakobu("exec", "web", "test", "-e", "/index.html").returncode == 0, "page")
        for how in (signal.SIGTERM, signal.SIGKILL):
            user.stop_daemon(how)
            assert get("http://127.0.0.1:8081/") == "hello"
            assert user.out("ps", "--format", "{{.Names}} {{.State}}") == "web running"
            assert user.out("exec", "web", "echo", "again") == "again"
            assert get("http://127.0.0.1:8081/") == "hello"
        user.stop_daemon()
        keeper = [pid for pid, line in user.processes().items() if "hakobu.daemon.rootless.keeper" in line]
        assert len(keeper) == 1
        remove(user, "web")  # starts an engine again, in the namespaces there are
        assert keeper[0] in user.processes()
        user.stop_daemon()
        user.wait_until(lambda: not user.processes(), "end of keeper and network driver")
        assert not (user.exec_root / "keeper" / "s").exists()


def test_the_socket_is_the_users_alone(user: OrdinaryUser) -> None:
    info = Path(user.socket.removeprefix("unix://")).stat()
    assert (info.st_uid, info.st_mode & 0o777) == (user.uid, 0o600)
    for path in (user.exec_root, user.data_root):
        assert path.stat().st_mode & 0o777 == 0o700


def test_a_user_without_subordinate_ids_has_one_id(isolated_session: None) -> None:
    with ordinary_user(subordinate=False) as user:
        user.load("busybox")
        assert user.out("run", "--rm", "busybox", "id", "-u") == "0"
        answer = user.hakobu("run", "--rm", "--user", "33", "busybox", "true", check=False)
        assert answer.returncode == 125 and "uid 33 is outside of this engine's ids" in answer.stderr


def test_the_first_app_comes_up_and_goes(user: OrdinaryUser) -> None:
    user.load("nginx")
    project = user.home / "first-app"
    shutil.copytree(FIRST_APP.parent, project)
    compose = ("compose", "-f", str(project / "compose.yaml"))
    user.hakobu(*compose, "up", "-d")
    try:
        user.wait_until(lambda: "first-app-web" in user.out("ps", "--format", "{{.Names}}"), "container")
        assert "<html" in get("http://127.0.0.1:8080/").lower()
    finally:
        user.hakobu(*compose, "down")
    assert user.out("ps", "-aq") == ""


def test_a_keeper_whose_daemon_never_comes_leaves(isolated_session: None) -> None:
    """Whoever started it was killed before it had joined: nothing would ever end in the namespaces."""
    with ordinary_user() as user:
        folder = user.exec_root / "keeper"
        user.run("mkdir", "-p", str(folder))
        code = (
            "import os, subprocess, sys\n"
            "ended = subprocess.Popen(['sleep', '1000'])\n"
            "first = os.pipe()\n"
            "read, write = map(os.dup, first)\n"
            "os.dup2(write, 3)\n"
            f"argv = [sys.executable, '-I', '-m', 'hakobu.daemon.rootless.keeper', {str(folder)!r}, '']\n"
            "keeper = subprocess.Popen([*argv, str(ended.pid)], pass_fds=(3,))\n"
            "for fd in {3, write, *first}: os.close(fd)\n"
            "assert os.read(read, 100) == b'{}'\n"
            "ended.kill()\n"
            "ended.wait()\n"
            "sys.exit(keeper.wait())\n"
        )
        user.run(str(user.home / "venv/bin/python"), "-I", "-c", code)
        assert not user.processes()


def test_doctor_names_what_is_closed_and_the_command_that_opens_it(isolated_session: None) -> None:
    with ordinary_user() as user:
        assert user.hakobu("doctor").returncode == 0
        os.chmod("/dev/net/tun", 0o600)  # the session's own node
        answer = user.hakobu("doctor", check=False)
        assert answer.returncode == 1
        assert "sudo chmod 0666 /dev/net/tun" in answer.stdout
        answer = user.hakobu("ps", check=False)
        assert answer.returncode == 1
        assert "slirp4netns could not connect the network namespace" in answer.stderr
        assert "sudo chmod 0666 /dev/net/tun" in answer.stderr


def test_doctor_speaks_to_root_of_both() -> None:
    told = subprocess.run([sys.executable, "-m", "hakobu.cli.main", "doctor"], capture_output=True, text=True)
    assert told.returncode == 0
    assert "An engine of root's:" in told.stdout and "Engines of ordinary users:" in told.stdout


def test_where_overlayfs_is_refused_images_are_copied(isolated_session: None) -> None:
    """The user's data lies on an overlay, as it does in a container: another one cannot be put on it."""
    with ordinary_user() as user, on_an_overlay(user):
        user.load("busybox")
        assert user.out("info", "--format", "{{.Driver}}") == "vfs"
        script = "echo new > /new; rm /usr/bin/wget; mkdir /etc/x; echo y > /etc/x/y"
        user.hakobu("run", "--name", "changes", "busybox", "sh", "-c", script)
        assert set(user.out("diff", "changes").splitlines()) >= {"A /new", "D /usr/bin/wget", "A /etc/x", "A /etc/x/y"}
        user.hakobu("commit", "changes", "changed:1")
        seen = user.out("run", "--rm", "changed:1", "sh", "-c", "cat /new /etc/x/y; test -e /usr/bin/wget || echo gone")
        assert seen == "new\ny\ngone"
        user.hakobu("start", "-a", "changes")
        user.hakobu("cp", "changes:/new", str(user.home / "copied"))
        assert (user.home / "copied").read_text() == "new\n"
        user.hakobu("run", "--rm", "--read-only", "-v", "etc:/etc", "busybox", "test", "-e", "/etc/passwd")
        remove(user, "changes")


def test_a_killed_keeper_is_replaced_and_containers_live_on(isolated_session: None) -> None:
    """It takes the network driver along. The next daemon's keeper finds who lives in its namespaces, and leads out."""
    with ordinary_user() as user:
        user.load("busybox")
        user.hakobu("run", "-d", "--name", "web", "-p", "8083:80", "busybox", "sh", "-c", _SERVE)
        before = user.out("inspect", "-f", "{{.State.Pid}}", "web")
        (keeper,) = [pid for pid, line in user.processes().items() if "hakobu.daemon.rootless.keeper" in line]
        os.kill(keeper, signal.SIGKILL)
        user.wait_until(lambda: not any("slirp4netns" in line for line in user.processes().values()), "end of driver")
        told = user.hakobu("doctor", check=False)
        assert told.returncode == 1 and "its network is gone" in told.stdout and "kill " in told.stdout
        user.stop_daemon()
        assert user.out("inspect", "-f", "{{.State.Status}} {{.State.Pid}}", "web") == f"running {before}"
        assert user.out("exec", "web", "echo", "again") == "again"
        assert get("http://127.0.0.1:8083/") == "hello"
        assert "10.0.2.100" in user.out("run", "--rm", "--network", "host", "busybox", "ip", "addr", "show", "tap0")
        user.hakobu("run", "-d", "--name", "next", "-p", "8084:80", "busybox", "sh", "-c", _SERVE)
        user.wait_until(lambda: user.hakobu("exec", "next", "test", "-e", "/index.html").returncode == 0, "page")
        assert get("http://127.0.0.1:8084/") == "hello"
        assert user.hakobu("doctor").returncode == 0
