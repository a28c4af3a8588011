"""The pods' anchor: a program for two processors, and an image of it that is the same every time."""

import io
import json
import struct
import tarfile

import pytest

from hakobu.formats.kube.pause import NoPauseProgram, archive, program
from hakobu.formats.pod import PAUSE_IMAGE

AARCH64 = """
    mov x8, #134 : d28010c8   mov x0, #17 : d2800220   adr x1, 0xb0 : 10000181
    mov x2, #0 : d2800002     mov x3, #8 : d2800103    svc #0 : d4000001
    mov x8, #73 : d2800928    mov x0, #0 : d2800000    mov x1, #0 : d2800001    mov x2, #0 : d2800002
    mov x3, #0 : d2800003     mov x4, #0 : d2800004    svc #0 : d4000001         b 0x90 : 17fffff9
"""
"""What objdump says of it: rt_sigaction(SIGCHLD, …), then ppoll for ever."""


def test_the_program_for_aarch64() -> None:
    words = [int(part.split()[0], 16) for part in AARCH64.split(" : ")[1:]]
    assert struct.unpack_from(f"<{len(words)}I", program("arm64"), 120) == tuple(words)


@pytest.mark.parametrize(("architecture", "machine"), [("amd64", 62), ("arm64", 183)])
def test_it_is_an_executable_that_fits_its_headers(architecture: str, machine: int) -> None:
    data = program(architecture)
    assert data[:5] == b"\x7fELF\x02"
    assert struct.unpack_from("<H", data, 18) == (machine,)
    assert struct.unpack_from("<QQ", data, 64 + 32) == (len(data), len(data))


def test_the_image_is_the_same_every_time() -> None:
    assert archive("amd64") == archive("amd64")
    with tarfile.open(fileobj=io.BytesIO(archive("amd64"))) as tar:
        (manifest,) = json.load(tar.extractfile("manifest.json") or io.BytesIO())
        config = json.load(tar.extractfile(manifest["Config"]) or io.BytesIO())
    assert manifest["RepoTags"] == [PAUSE_IMAGE]
    assert config["config"] == {"Entrypoint": ["/pause"], "StopSignal": "SIGKILL"}


def test_another_processor_is_named() -> None:
    with pytest.raises(NoPauseProgram, match="amd64 and arm64, not riscv64"):
        program("riscv64")
