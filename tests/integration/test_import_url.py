"""`import` of an archive that the engine fetches by itself, from a web server of the test's."""

import gzip
import http.server
import io
import json
import tarfile
import threading
from collections.abc import Iterator

import pytest
from tests.integration.daemon import Daemon


def archive() -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        info = tarfile.TarInfo("etc/greeting")
        info.size = 6
        tar.addfile(info, io.BytesIO(b"hello\n"))
        filling = tarfile.TarInfo("filling")
        filling.size = 3 << 20
        tar.addfile(filling, io.BytesIO(bytes(range(256)) * (3 << 12)))
    return made.getvalue()


class Answers(http.server.BaseHTTPRequestHandler):
    """`/moved` leads to `/fs.tar.gz`, `/chunks` says no length, `/gone` is not there."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        match self.path:
            case "/fs.tar":
                self._send(archive())
            case "/fs.tar.gz":
                self._send(gzip.compress(archive()))
            case "/moved":
                self.send_response(302)
                self.send_header("Location", "/fs.tar.gz")
                self.send_header("Content-Length", "0")
                self.end_headers()
            case "/chunks":
                data = archive()
                self.send_response(200)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                self.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data))
            case _:
                self.send_error(404)

    def _send(self, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("path", ["fs.tar", "moved", "chunks"])
def test_an_archive_is_fetched_and_becomes_an_image(engine: Daemon, host: str, path: str) -> None:
    url = f"http://{host}/{path}"
    told = engine.docker("import", "-c", "CMD /greet", url, "greeting:one").stdout
    assert f"Downloading from {url}" in told
    assert told.splitlines()[-1].startswith("sha256:")
    try:
        shown = json.loads(engine.docker("image", "inspect", "greeting:one").stdout)[0]
        assert (shown["Comment"], shown["Config"]["Cmd"]) == (f"Imported from {url}", ["/bin/sh", "-c", "/greet"])
        engine.docker("create", "--name", "look", "greeting:one")
        copied = engine.docker("cp", "look:/etc/greeting", "-").stdout
        assert "hello" in copied
    finally:
        engine.docker("rm", "-f", "look", check=False)
        engine.docker("rmi", "greeting:one")


def test_our_own_command_does_the_same(engine: Daemon, host: str) -> None:
    engine.hakobu("import", f"http://{host}/fs.tar", "greeting:two")
    assert engine.hakobu("images", "-q", "greeting").stdout.strip()
    engine.hakobu("rmi", "greeting:two")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("http://HOST/gone", "Got HTTP status code >= 400: 404 Not Found"),
        ("http://127.0.0.1:1/x.tar", "Cannot connect to host 127.0.0.1:1"),
    ],
)
def test_what_cannot_be_fetched_is_said(engine: Daemon, host: str, source: str, said: str) -> None:
    refused = engine.docker("import", source.replace("HOST", host), "greeting:no", check=False)
    assert refused.returncode == 1 and said in refused.stderr
    assert not engine.docker("images", "-q", "greeting").stdout
