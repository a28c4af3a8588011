import os
from pathlib import Path

import pytest
from tests.child import in_child

from hakobu.kernel import capability as cap
from hakobu.kernel.process import set_keepcaps

DOCKER = cap.mask(
    [
        "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID",
        "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL",
        "CAP_AUDIT_WRITE",
    ]
)  # fmt: skip


def test_the_mask_of_dockers_fourteen_is_the_known_one() -> None:
    assert DOCKER == 0x00000000A80425FB
    assert cap.mask(cap.names(DOCKER)) == DOCKER


def test_the_kernel_knows_what_the_table_knows() -> None:
    assert cap.last_cap() == int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    assert cap.last_cap() >= len(cap.NAMES) - 1


def test_what_the_calls_say_is_what_proc_says() -> None:
    sets = cap.read_status()
    assert cap.capget() == (sets.effective, sets.permitted, sets.inheritable)
    assert cap.bounding() == sets.bounding


def test_a_process_confined_to_dockers_set_reads_back_so() -> None:
    def body() -> list[int]:
        wanted = DOCKER & cap.held()
        cap.drop_bounding(wanted)
        cap.clear_ambient()
        cap.capset(wanted, wanted, 0)
        cap.verify(cap.CapabilitySets(wanted, wanted, 0, wanted))
        with pytest.raises(OSError, match="the effective set is"):
            cap.verify(cap.CapabilitySets(0, wanted, 0, wanted))
        sets = cap.read_status()
        return [sets.effective, sets.permitted, sets.inheritable, sets.bounding, sets.ambient, wanted]

    effective, permitted, inheritable, bounding, ambient, wanted = in_child(body)
    assert effective == permitted == bounding == wanted
    assert inheritable == ambient == 0


def test_another_user_has_none_left_unless_they_are_kept() -> None:
    def body(keep: bool) -> list[int]:
        set_keepcaps(keep)
        os.setresgid(1000, 1000, 1000)
        os.setresuid(1000, 1000, 1000)
        effective, permitted, _ = cap.capget()
        return [effective, int(permitted > 0)]

    assert in_child(lambda: body(False)) == [0, 0]
    assert in_child(lambda: body(True)) == [0, 1]


def test_an_ambient_capability_is_given_on() -> None:
    def body() -> int:
        wanted = cap.mask(["CAP_NET_BIND_SERVICE"])
        effective, permitted, _ = cap.capget()
        cap.capset(effective, permitted, wanted)
        cap.raise_ambient(wanted)
        return cap.read_status().ambient

    assert in_child(body) == cap.mask(["CAP_NET_BIND_SERVICE"])


def test_what_is_not_permitted_cannot_be_taken() -> None:
    def body() -> str:
        cap.capset(0, 0, 0)
        try:
            cap.capset(1, 1, 0)
        except PermissionError as error:
            return str(error.strerror)
        return "taken"

    assert in_child(body) == "capset: Operation not permitted"
