"""Attach by a websocket, spoken to by websocket-client, which docker-py uses."""

import socket

import pytest
import websocket
from tests.conformance.api.speaker import Speaker

pytestmark = pytest.mark.root


def connect(api: Speaker, container: str, query: str = "stream=1&stdin=1&stdout=1&stderr=1", version: str = "1.51"):
    raw = socket.socket(socket.AF_UNIX)
    raw.connect(api.path)
    url = f"ws://docker/v{version}/containers/{container}/attach/ws?{query}"
    return websocket.create_connection(url, socket=raw, timeout=60)


def messages(client: websocket.WebSocket) -> list[tuple[int, bytes]]:
    """Until the engine says goodbye, with the kind of each (1 text, 2 binary, 8 close)."""
    found: list[tuple[int, bytes]] = []
    while not found or found[-1][0] != websocket.ABNF.OPCODE_CLOSE:
        found.append(client.recv_data(control_frame=True))
    client.shutdown()
    return found


def test_what_is_typed_reaches_the_process_and_its_output_comes_back(api: Speaker):
    container = api.create("sh", "-c", "read line; echo got $line; echo bad >&2", OpenStdin=True, AttachStdin=True)
    client = connect(api, container)
    assert api.call("POST", f"/containers/{container}/start")[0] == 204
    client.send_binary(b"a")
    client.send("bc\n")
    *said, last = messages(client)
    assert {kind for kind, _ in said} == {websocket.ABNF.OPCODE_BINARY}
    assert sorted(b"".join(data for _, data in said).splitlines()) == [b"bad", b"got abc"]
    assert last == (websocket.ABNF.OPCODE_CLOSE, b"\x03\xe8")
    assert api.wait(container) == 0


def test_clients_before_1_28_get_text(api: Speaker):
    container = api.create("printf", "grüße")
    client = connect(api, container, version="1.27")
    assert api.call("POST", f"/containers/{container}/start")[0] == 204
    *said, _ = messages(client)
    assert {kind for kind, _ in said} == {websocket.ABNF.OPCODE_TEXT}
    assert b"".join(data for _, data in said) == "grüße".encode()


def test_the_client_s_goodbye_ends_stdin_and_is_answered(api: Speaker):
    container = api.create("cat", OpenStdin=True, StdinOnce=True, AttachStdin=True)
    client = connect(api, container)
    assert api.call("POST", f"/containers/{container}/start")[0] == 204
    client.send_binary(b"x\n")
    assert client.recv() == b"x\n"
    client.ping("still there")
    assert client.recv_data(control_frame=True) == (websocket.ABNF.OPCODE_PONG, b"still there")
    client.close()  # says goodbye and waits for the answer
    assert api.wait(container) == 0


def test_only_the_log_of_a_container_that_has_ended(api: Speaker):
    container = api.run("sh", "-c", "echo out; echo err >&2")
    api.wait(container)
    *said, _ = messages(connect(api, container, "logs=1&stdout=1"))
    assert b"".join(data for _, data in said) == b"out\n"


def test_what_is_no_websocket_is_told_so(api: Speaker):
    container = api.create("true")
    target = f"/containers/{container}/attach/ws?stream=1"
    assert api.refused("GET", target) == (
        400,
        "not a websocket handshake: the request must carry Upgrade: websocket and a Sec-WebSocket-Key",
    )
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": "eA==",
        "Sec-WebSocket-Version": "8",
    }
    status, _, body = api.call("GET", target, headers=headers)
    assert (status, b"websocket version is not supported: 8" in body) == (400, True)
    assert api.refused("GET", "/containers/nope/attach/ws?stream=1") == (404, "No such container: nope")
