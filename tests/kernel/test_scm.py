import os
import socket
import threading
from pathlib import Path

import pytest

from hakobu.kernel import scm


def test_bytes_and_descriptors_arrive_together() -> None:
    left, right = scm.pair()
    read_fd, write_fd = os.pipe()
    with left, right:
        scm.send(left, b"hello", [write_fd])
        message = scm.receive(right)
        assert message is not None
        assert message.body == b"hello"
        os.write(message.fds[0], b"x")
        assert os.read(read_fd, 1) == b"x"
        assert not os.get_inheritable(message.fds[0])
        message.close()
        left.close()
        assert scm.receive(right) is None
    os.close(read_fd)
    os.close(write_fd)


def test_a_long_body_and_a_thousand_descriptors() -> None:
    left, right = scm.pair()
    body = os.urandom(1 << 20) * 3
    with left, right:
        thread = threading.Thread(target=scm.send, args=(left, body, [left.fileno()] * 1000))
        thread.start()
        message = scm.receive(right)
        thread.join()
        assert message is not None
        assert message.body == body
        assert len(message.fds) == 1000
        message.close()


@pytest.mark.parametrize("size", [0, 1, scm.INLINE_BODY_BYTES, scm.INLINE_BODY_BYTES + 1])
@pytest.mark.parametrize("count", [0, 1, 199, 200, 201])
def test_every_edge_of_size_and_count(size: int, count: int) -> None:
    left, right = scm.pair()
    with left, right:
        scm.send(left, b"b" * size, [0] * count)
        message = scm.receive(right)
        assert message is not None
        assert (len(message.body), len(message.fds)) == (size, count)
        message.close()


def test_nothing_there_on_a_socket_that_does_not_block() -> None:
    left, right = scm.pair()
    with left, right:
        right.setblocking(False)
        receiver = scm.Receiver(right)
        with pytest.raises(BlockingIOError):
            receiver.receive()
        scm.send(left, b"1")
        scm.send(left, b"2")
        first, second = receiver.receive(), receiver.receive()
        assert first is not None and second is not None
        assert (first.body, second.body) == (b"1", b"2")


@pytest.mark.parametrize(
    "packet",
    [
        b"\0",
        b"\0\0" + b"\xff" * 8,
        b"\0\x03" + b"\0" * 8,
        b"\x02\0" + b"\x05" + b"\0" * 7,
        b"\0\0" + b"\x09" + b"\0" * 7 + b"short",
    ],
)
def test_a_malformed_packet_is_refused_and_its_descriptors_closed(packet: bytes) -> None:
    left, right = scm.pair()
    with left, right:
        socket.send_fds(left, [packet], [0])
        with pytest.raises(OSError, match="recvmsg"):
            scm.receive(right)


def test_an_unsealed_body_is_refused() -> None:
    left, right = scm.pair()
    with left, right:
        memfd = os.memfd_create("unsealed", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.write(memfd, b"12345")
        socket.send_fds(left, [b"\x02\x01" + b"\x05" + b"\0" * 7], [memfd])
        os.close(memfd)
        with pytest.raises(OSError, match="not sealed"):
            scm.receive(right)


def test_a_socket_is_found_below_a_path_longer_than_its_address(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 75) / ("e" * 75)
    deep.mkdir(parents=True)
    dirfd = os.open(deep, os.O_PATH | os.O_DIRECTORY)
    with scm.listen_at(dirfd, "s") as server, scm.connect_at(dirfd, "s") as client:
        accepted, _ = server.accept()
        with accepted:
            assert (deep / "s").stat().st_mode & 0o777 == 0o600
            assert scm.peer(accepted) == scm.Peer(os.getpid(), os.getuid(), os.getgid())
            scm.send(client, b"x")
            message = scm.receive(accepted)
            assert message == scm.Message(b"x")
    with pytest.raises(OSError, match="single path component"):
        scm.connect_at(dirfd, "../s")
    os.close(dirfd)
