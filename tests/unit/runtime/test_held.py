"""What a shim holds travels from one server to the next: nothing is lost, and descriptors find their places."""

from dataclasses import replace

from hakobu.runtime.shim.held import Held, HeldPorts, OomCount, from_bytes
from hakobu.spec.plan import LogTarget, Stdio

PLAIN = Held("c" * 64, 41, 7, Stdio(), "/hakobu/c", pidfd=10, dir_fd=11, listener_fd=12, daemon_fds=())
FULL = Held(
    "c" * 64,
    41,
    7,
    Stdio(tty=False, open_stdin=True, log=LogTarget("json-file", "/log", max_bytes=9, attributes={"a": "b"})),
    "/hakobu/c",
    pidfd=10,
    dir_fd=11,
    listener_fd=12,
    daemon_fds=(13, 14),
    outputs={15: "stdout", 16: "stderr"},
    input_fd=17,
    log_fd=18,
    unfinished={"stdout": b"\xff half"},
    ports=HeldPorts((19, 20), (["0.0.0.0", 80, {}], ["::", 80, {"a": 1}]), ({"host_port": 80}, {"host_port": 80})),
    oom=OomCount(21, seen=2, kills=1),
    kept_fds=(22,),
)


def moved(held: Held, by: int) -> Held:
    """As another process has it: each descriptor under another number."""
    body, fds, _ = held.to_bytes()
    return from_bytes(body, [fd + by for fd in fds])


def test_everything_arrives_with_the_receiver_s_descriptors() -> None:
    there = moved(FULL, 100)
    assert moved(there, -100) == FULL
    assert (there.pidfd, there.daemon_fds, there.log_fd, there.oom) == (110, (113, 114), 118, OomCount(121, 2, 1))
    assert there.outputs == {115: "stdout", 116: "stderr"}


def test_what_is_not_there_stays_so() -> None:
    there = moved(PLAIN, 100)
    assert (there.input_fd, there.master_fd, there.log_fd, there.oom.fd) == (-1, -1, -1, -1)
    assert moved(there, -100) == PLAIN


def test_a_terminal_travels_once_and_is_both_output_and_input() -> None:
    held = replace(PLAIN, stdio=Stdio(tty=True, open_stdin=True), outputs={15: "stdout"}, input_fd=15, master_fd=15)
    assert held.to_bytes()[1].count(15) == 1
    there = moved(held, 100)
    assert (there.outputs, there.input_fd, there.master_fd) == ({115: "stdout"}, 115, 115)


def test_what_can_wake_comes_first() -> None:
    _, fds, count = FULL.to_bytes()
    assert set(fds[:count]) == {10, 12, 13, 14, 15, 16, 19, 20, 21}
    assert set(fds[count:]) == {11, 17, 18, 22}
