"""The engine on TCP for clients that prove themselves: docker's own program, with each kind of connection it makes."""

import hashlib
import os
import pty
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.integration.daemon import Daemon
from tests.integration.registry.server import free_port
from tests.integration.test_cli_terminal import Terminal

EXTENSIONS = "subjectAltName=IP:127.0.0.1,DNS:localhost\n"


def certificates(folder: Path) -> None:
    """An authority, the engine's certificate, a client's, and one of somebody else's."""
    (folder / "ext").write_text(EXTENSIONS)
    lines = [
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca-key.pem -out ca.pem",
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=other -keyout other-key.pem -out other.pem",
    ]
    for name in ("server", "client"):
        lines += [
            f"openssl req -newkey rsa:2048 -nodes -subj /CN={name} -keyout {name}-key.pem -out {name}.csr",
            f"openssl x509 -req -in {name}.csr -days 2 -CA ca.pem -CAkey ca-key.pem -CAcreateserial -extfile ext "
            f"-out {name}.pem",
        ]
    for line in lines:
        subprocess.run(line, shell=True, check=True, capture_output=True, cwd=folder)


def flags_of(files: Path, name: str) -> tuple[str, ...]:
    return (
        "--tlsverify",
        f"--tlscacert={files}/ca.pem",
        f"--tlscert={files}/{name}.pem",
        f"--tlskey={files}/{name}-key.pem",
    )


class OnTerminal(Terminal):
    """Any program in a pseudo-terminal."""

    def __init__(self, argv: list[str]) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvp(argv[0], argv)
        self.resize(31, 97)
        self.seen = ""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    certificates(folder)
    return folder


class Secure:
    """docker's program (or ours) at the engine's TCP address."""

    def __init__(self, daemon: Daemon, files: Path, port: int) -> None:
        self.daemon, self.files, self.port = daemon, files, port
        self.argv = ["docker", "-H", f"tcp://127.0.0.1:{port}", *flags_of(files, "client")]

    def __call__(self, *argv: str, check: bool = True, **how: object) -> "subprocess.CompletedProcess[bytes]":
        done = subprocess.run([*self.argv, *argv], check=False, capture_output=True, **how)  # type: ignore[call-overload]
        assert not check or done.returncode == 0, done
        return done


@pytest.fixture(scope="module")
def secure(isolated_session: None, files: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    folder, port = Path(tempfile.mkdtemp(prefix="hakobu-test-")), free_port()
    daemon = Daemon(folder, flags=("-H", f"tcp://127.0.0.1:{port}", *flags_of(files, "server")))
    daemon.start()
    try:
        daemon.load("busybox")
        yield Secure(daemon, files, port)
        daemon.remove_all()
    finally:
        daemon.stop()
        shutil.rmtree(folder)


def test_the_end_of_input_is_told_and_the_rest_is_still_read(secure: Secure) -> None:
    """docker's program closes its half of TLS alone."""
    data = os.urandom(3 << 20)
    done = secure("run", "--rm", "-i", "busybox", "sh", "-c", "md5sum; sleep .3; echo after", input=data)
    assert done.stdout.decode() == f"{hashlib.md5(data).hexdigest()}  -\nafter\n"
    assert secure("run", "--rm", "busybox", "sh", "-c", "exit 7", check=False).returncode == 7


def test_bulk_goes_through_whole_in_both_directions(secure: Secure, tmp_path: Path) -> None:
    data = os.urandom(9 << 20)
    (tmp_path / "big").write_bytes(data)
    secure("create", "--name", "box", "busybox", "sleep", "1000")
    secure("cp", f"{tmp_path}/big", "box:/big")
    secure("start", "box")
    secure("cp", "box:/big", f"{tmp_path}/back")
    assert (tmp_path / "back").read_bytes() == data
    out = secure("exec", "-i", "box", "cat", input=data).stdout
    assert out == data
    archive = secure("save", "busybox").stdout
    assert b"Loaded image: busybox" in secure("load", input=archive).stdout
    secure("rm", "-f", "box")


def test_a_terminal_an_attach_and_a_followed_log(secure: Secure) -> None:
    first = OnTerminal([*secure.argv, "run", "--name", "shell", "-it", "busybox", "sh"])
    first.until("/ # ")
    first.type("stty size; echo $((6 * 7))\n")
    first.until("42")
    assert "31 97" in first.seen
    log = subprocess.Popen([*secure.argv, "logs", "-f", "shell"], stdout=subprocess.PIPE)
    second = OnTerminal([*secure.argv, "attach", "shell"])
    second.type("echo from-the-second\n")
    first.until("from-the-second")
    second.type("\x10\x11")
    second.until("read escape sequence")
    second.end()
    first.type("exit 3\n")
    assert first.end() == 3
    assert log.stdout is not None
    assert b"from-the-second" in log.stdout.read() and log.wait() == 0
    log.stdout.close()
    secure("rm", "shell")


def asked(secure: Secure, name: str) -> bytes:
    """What a client with that certificate, or with none, is answered. The stranger trusts the engine all the same."""
    context = ssl.create_default_context(cafile=f"{secure.files}/ca.pem")
    if name:
        context.load_cert_chain(f"{secure.files}/{name}.pem", f"{secure.files}/{name}-key.pem")
    with (
        socket.create_connection(("127.0.0.1", secure.port)) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        connection.sendall(b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n")
        return connection.recv(1000)


def test_whoever_does_not_prove_themselves_gets_nothing(secure: Secure) -> None:
    assert asked(secure, "client").startswith(b"HTTP/1.1 200")
    with pytest.raises(ssl.SSLError, match=r"certificate required|CERTIFICATE_REQUIRED"):
        asked(secure, "")
    with pytest.raises(ssl.SSLError, match=r"unknown ca|UNKNOWN_CA"):
        asked(secure, "other")
    with socket.create_connection(("127.0.0.1", secure.port)) as plain:
        plain.sendall(b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"HTTP/1.1" not in plain.recv(1000)


def test_a_client_that_says_nothing_holds_nobody_up(secure: Secure) -> None:
    silent = [socket.create_connection(("127.0.0.1", secure.port)) for _ in range(50)]
    assert secure("version", "--format", "{{.Server.Os}}").stdout == b"linux\n"
    for connection in silent:
        connection.close()


def test_the_process_that_speaks_tls_is_replaced_and_ends_with_the_daemon(secure: Secure) -> None:
    process = secure.daemon.process
    assert process is not None

    def terminators() -> list[str]:
        argv = ["pgrep", "-P", str(process.pid), "-f", "hakobu.api.tls"]
        return subprocess.run(argv, text=True, capture_output=True, check=False).stdout.split()

    (pid,) = terminators()
    os.kill(int(pid), 9)
    deadline = time.monotonic() + 20
    while secure("version", check=False).returncode:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert terminators() != [pid]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (lambda files: (), "without --tlsverify would make everybody root who can connect"),
        (lambda files: ("--tls",), "without --tlsverify"),
        (lambda files: ("--tlsverify",), "--tlsverify needs --tlscacert"),
        (lambda files: flags_of(files, "nobody"), "No such file or directory"),
        (lambda files: (*flags_of(files, "server")[:3], f"--tlskey={files}/other-key.pem"), "KEY_VALUES_MISMATCH"),
    ],
)
def test_tcp_without_mutual_tls_is_refused(
    files: Path, tmp_path: Path, flags: Callable[[Path], tuple[str, ...]], said: str
) -> None:
    argv = [sys.executable, "-I", "-m", "hakobu.daemon", "--data-root", f"{tmp_path}/d", "--exec-root", f"{tmp_path}/e"]
    done = subprocess.run(
        [*argv, "-H", f"tcp://127.0.0.1:{free_port()}", *flags(files)], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0 and said in done.stderr


def ours(secure: Secure, *argv: str, name: str = "client", **how: object) -> "subprocess.CompletedProcess[bytes]":
    program = [sys.executable, "-I", "-m", "hakobu.cli.main", "-H", f"tcp://127.0.0.1:{secure.port}"]
    flags = flags_of(secure.files, name)
    return subprocess.run([*program, *flags, *argv], capture_output=True, check=False, **how)  # type: ignore[call-overload]


def test_our_own_command_line_comes_in_the_same_way(secure: Secure, tmp_path: Path) -> None:
    data = os.urandom(3 << 20)
    done = ours(secure, "run", "--rm", "-i", "busybox", "sh", "-c", "cat; sleep .3; echo after", input=data)
    assert done.stdout == data + b"after\n" and done.returncode == 0
    assert ours(secure, "run", "--rm", "busybox", "sh", "-c", "echo x; exit 7").stdout == b"x\n"
    (tmp_path / "big").write_bytes(data)
    ours(secure, "create", "--name", "ours", "busybox", "sleep", "1000")
    assert ours(secure, "cp", f"{tmp_path}/big", "ours:/big").returncode == 0
    assert ours(secure, "cp", "ours:/big", f"{tmp_path}/back").returncode == 0
    assert (tmp_path / "back").read_bytes() == data
    archive = ours(secure, "save", "busybox").stdout
    assert b"Loaded image: busybox" in ours(secure, "load", input=archive).stdout
    assert ours(secure, "rm", "-f", "ours").returncode == 0


def test_our_own_command_line_says_why_it_is_not_let_in(secure: Secure) -> None:
    refused = ours(secure, "ps", name="other")
    assert refused.returncode == 1
    assert b"tls: " in refused.stderr and b"unknown ca" in refused.stderr, refused.stderr
