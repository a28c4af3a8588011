"""Requests over a real socket: reuse of connections, errors of the engine, and engines that break off."""

import socket
import threading

import pytest

from hakobu.client.endpoint import Endpoint
from hakobu.client.engine import Engine
from hakobu.client.error import CannotConnect, ClientError, EngineError
from hakobu.client.frame import STDERR, STDOUT, encode_frame
from hakobu.client.output import lines


class Server:
    """Answers each request with the next prepared bytes; counts connections, keeps what it was sent."""

    def __init__(self, path: str, answers: list[bytes]) -> None:
        self.answers = list(answers)
        self.requests: list[bytes] = []
        self.connections = 0
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while self.answers:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with connection:
                while self.answers and (data := connection.recv(65536)):
                    self.requests.append(data)
                    answer = self.answers.pop(0)
                    connection.sendall(answer.removesuffix(b"<close>"))
                    if answer.endswith(b"<close>"):
                        break

    def close(self) -> None:
        self.answers.clear()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._listener.close()


@pytest.fixture
def serve(tmp_path):
    servers = []

    def start(*answers: bytes) -> tuple[Server, Engine]:
        server = Server(f"{tmp_path}/s", list(answers))
        servers.append(server)
        return server, Engine(f"unix://{tmp_path}/s")

    yield start
    for server in servers:
        server.close()


def ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body


PING = b"HTTP/1.1 200 OK\r\nApi-Version: 1.43\r\nContent-Length: 2\r\n\r\n"


def test_one_connection_serves_many_requests_and_the_version_is_the_lower_one(serve):
    server, engine = serve(PING, ok(b"[]"), ok(b'{"Id": "x"}'))
    assert engine.containers.list() == []
    assert engine.containers.create({"Image": "i"}, name="n") == {"Id": "x"}
    assert engine.transport.version == "1.43"
    assert server.connections == 1
    assert server.requests[2].startswith(b"POST /v1.43/containers/create?name=n HTTP/1.1\r\n")
    assert server.requests[2].endswith(b'\r\n\r\n{"Image":"i"}')
    engine.close()


def test_an_idle_connection_that_was_closed_is_replaced_for_what_may_be_sent_twice(serve):
    server, engine = serve(PING + b"<close>", ok(b"[]"))
    assert engine.images.list() == []
    assert server.connections == 2
    engine.close()


def test_the_engines_words_are_kept(serve):
    body = b'{"message":"No such container: x"}'
    _, engine = serve(PING, ok(body).replace(b"200 OK", b"404 Not Found"))
    with pytest.raises(EngineError) as caught:
        engine.containers.inspect("x")
    assert (caught.value.status, str(caught.value)) == (404, "Error response from daemon: No such container: x")
    engine.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"<close>",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n[1<close>",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n<close>",
        ok(b"no json"),
        b"SSH-2.0\r\n\r\n<close>",
    ],
)
def test_an_engine_that_breaks_off_is_an_error_of_the_client(serve, answer):
    _, engine = serve(PING, answer, answer)
    with pytest.raises(ClientError):
        engine.containers.create({})
    engine.close()


def test_nobody_there(tmp_path):
    with pytest.raises(CannotConnect, match="Cannot connect to the Docker daemon at unix://") as caught:
        Engine(Endpoint(f"unix://{tmp_path}/none", "-H")).system.info()
    assert caught.value.hint == "this endpoint was chosen by -H"


def test_streams_come_as_lines_and_frames(serve):
    frames = encode_frame(STDOUT, b"a\nb") + encode_frame(STDERR, b"e\n") + encode_frame(STDOUT, b"c\n")
    upgraded = b"HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\n" + frames + b"<close>"
    _, engine = serve(PING, ok(b'{"a":1}\n{"b":2}'), upgraded)
    with engine.system.events() as events:
        assert list(events.objects()) == [{"a": 1}, {"b": 2}]
    engine.close()
    attached = engine.containers.attach("x")
    assert sorted(lines(attached)) == [(STDOUT, b"a"), (STDOUT, b"bc"), (STDERR, b"e")]
    attached.close()
