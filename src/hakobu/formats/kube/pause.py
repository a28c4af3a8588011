"""The image of a pod's anchor: one program that sleeps for ever, made here, so that no registry need have it.

The program ignores SIGCHLD, so that the kernel reaps what ends below it (in a pod with one process namespace it is
process 1), and then waits for signals. It has no handler for any: a stop sends SIGKILL (the image's StopSignal), which
takes no time. Instructions are the processors' own (Intel SDM volume 2; Arm ARM C6), system call numbers the kernel's.
"""

import hashlib
import io
import struct
import tarfile

from hakobu.client.codec import encode
from hakobu.client.engine import Engine
from hakobu.client.error import EngineError
from hakobu.client.progress import finish
from hakobu.errors import HakobuError, Kind
from hakobu.formats.pod import PAUSE_IMAGE

_BASE = 0x400000
_HEADERS = 64 + 56
_SIGACTION = struct.pack("<4Q", 1, 0, 0, 0)
"""SIG_IGN, no flags, no restorer, no mask; on both architectures the handler comes first."""


class NoPauseProgram(HakobuError):
    """An engine on a processor for which there is no program."""

    kind = Kind.NOT_IMPLEMENTED

    def __init__(self, architecture: str) -> None:
        known = " and ".join(_PROGRAMS)
        super().__init__(
            f"a pod of several containers needs the image {PAUSE_IMAGE}, which is made for {known}, not {architecture}",
            hint=f"load one that sleeps for ever under the name {PAUSE_IMAGE}",
        )


def _x86_64() -> bytes:
    code = bytes.fromhex(
        "b80d000000"  # mov eax, 13        rt_sigaction
        "bf11000000"  # mov edi, 17        SIGCHLD
        "be00000000"  # mov esi, …         the action, filled in below
        "31d2"  # xor edx, edx       no old action
        "41ba08000000"  # mov r10d, 8        bytes of a mask
        "0f05"  # syscall
        "b822000000"  # mov eax, 34        pause
        "0f05"  # syscall
        "ebf7"  # jmp -9             pause again
    )
    return code[:11] + struct.pack("<I", _BASE + _HEADERS + len(code)) + code[15:]


def _aarch64() -> bytes:
    def movz(register: int, value: int) -> int:
        return 0xD2800000 | value << 5 | register

    svc, before = 0xD4000001, 2
    words = [movz(8, 134), movz(0, 17), 0, movz(2, 0), movz(3, 8), svc]  # rt_sigaction(SIGCHLD, action, 0, 8)
    loop = [movz(8, 73), *(movz(register, 0) for register in range(5)), svc]  # ppoll of nothing
    loop.append(0x14000000 | (-len(loop) & 0x3FFFFFF))  # b back to its beginning
    distance = 4 * (len(words) + len(loop) - before)
    words[before] = 0x10000001 | (distance & 3) << 29 | (distance >> 2) << 5  # adr x1, action
    return struct.pack(f"<{len(words) + len(loop)}I", *words, *loop)


_PROGRAMS = {"amd64": (62, _x86_64), "arm64": (183, _aarch64)}


def program(architecture: str) -> bytes:
    """A static ELF executable: headers, code, and the action that rt_sigaction is given."""
    if architecture not in _PROGRAMS:
        raise NoPauseProgram(architecture)
    machine, write = _PROGRAMS[architecture]
    body = write() + _SIGACTION
    size = _HEADERS + len(body)
    ident = b"\x7fELF" + bytes((2, 1, 1)) + bytes(9)
    header = struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, _BASE + _HEADERS, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x1000)
    return ident + header + segment + body


def archive(architecture: str) -> bytes:
    """The image, as `load` takes it."""
    layer = _tar({"pause": program(architecture)})
    layer_id = hashlib.sha256(layer).hexdigest()
    config = encode(
        {
            "architecture": architecture,
            "os": "linux",
            "config": {"Entrypoint": ["/pause"], "StopSignal": "SIGKILL"},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_id}"]},
            "history": [{"created_by": "hakobu kube: a program that sleeps"}],
        }
    )
    name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = encode([{"Config": name, "RepoTags": [PAUSE_IMAGE], "Layers": [f"{layer_id}.tar"]}])
    return _tar({f"{layer_id}.tar": layer, name: config, "manifest.json": manifest})


def _tar(files: dict[str, bytes]) -> bytes:
    """The same bytes every time."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o755
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def ensure_pause_image(engine: Engine) -> None:
    """Loads the image where the engine has it not."""
    try:
        engine.images.inspect(PAUSE_IMAGE)
    except EngineError as e:
        if e.status != 404:
            raise
        finish(engine.images.load(archive(str(engine.system.version()["Arch"]))))
