"""The sealed interpreter, and the door that closes behind a container's child."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from hakobu.kernel import audit, memory_interpreter
from hakobu.kernel.process import clone3, wait_pidfd


def _run(interpreter: memory_interpreter.MemoryInterpreter, code: str) -> str:
    read_fd, write_fd = os.pipe()
    actions = [(os.POSIX_SPAWN_DUP2, write_fd, 1)]
    argv = interpreter.argv("-c", code)
    pid = os.posix_spawn(interpreter.path, argv, interpreter.env, file_actions=actions)
    os.close(write_fd)
    with os.fdopen(read_fd) as file:
        text = file.read()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    return text


def test_the_sealed_interpreter_finds_its_library_and_cannot_be_written() -> None:
    interpreter = memory_interpreter.load()
    said = _run(
        interpreter,
        "import os, sys, json, ctypes\n"
        "print(os.readlink('/proc/self/exe'))\n"
        "print(sys.base_prefix, sys.executable, sep='\\n')\n"
        "try: open('/proc/self/exe', 'r+b')\n"
        "except OSError as error: print(error.errno)\n",
    ).splitlines()
    assert said[0].startswith("/memfd:hakobu-python")
    assert said[1:3] == [sys.base_prefix, sys.executable]
    assert said[3] in ("1", "26")  # EPERM of the seal, ETXTBSY of the running program
    with pytest.raises(PermissionError):
        os.write(interpreter.fd, b"x")
    interpreter.close()


def test_debians_interpreter_can_be_sealed_as_well() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import os\n"
        "from hakobu.kernel import memory_interpreter as m\n"
        "i = m.load()\n"
        "os.execve(i.path, i.argv('-c', 'import ctypes, json, os; print(os.readlink(\"/proc/self/exe\"))'), i.env)\n"
    )
    import hakobu

    source = os.path.dirname(hakobu.__path__[0])
    done = subprocess.run(["/usr/bin/python3", "-I", "-S", "-c", code, source], capture_output=True, text=True)
    assert done.stdout.startswith("/memfd:hakobu-python"), done.stderr


def _ended(body: Callable[[], object]) -> int:
    pid, pidfd = clone3(0)
    if pid == 0:
        try:
            devnull = os.open("/dev/null", os.O_WRONLY)
            os.dup2(devnull, 2)
            audit.seal()
            body()
            os._exit(0)
        except BaseException:
            os._exit(1)
    status = wait_pidfd(pidfd)
    os.close(pidfd)
    assert status is not None
    return status[0]


def _read(path: str | int) -> object:
    return os.read(os.open(path, os.O_RDONLY) if isinstance(path, str) else path, 1)


def test_a_sealed_child_does_what_was_planned() -> None:
    def body() -> None:
        os.getpid()
        _read("/proc/self/stat")
        "é".encode()
        os.listdir("/")
        str(OSError(2, os.strerror(2)))

    assert _ended(body) == 0


def _import() -> None:
    import this  # noqa: F401  (never loaded before)


@pytest.mark.parametrize(
    "body",
    [
        _import,
        lambda: _read("/etc/passwd"),
        lambda: _read("/proc/../etc/passwd"),
        lambda: open(b"/etc/passwd"),  # noqa: SIM115
        lambda: "a.b".encode("punycode"),  # one that nobody used: what is cached needs no file
        lambda: "x".encode("cp437"),
        lambda: __import__("ctypes").CDLL("libm.so.6"),
        lambda: __import__("socket").getaddrinfo("localhost", 1),
        lambda: compile("1", "x", "eval"),
        lambda: os.system("true"),
    ],
)
def test_a_sealed_child_ends_before_it_touches_a_file(body: Callable[[], object]) -> None:
    for module in ("encodings.punycode", "encodings.cp437", "this"):
        sys.modules.pop(module, None)
    assert _ended(body) == audit.EXIT_STATUS
