"""The real docker-registry on loopback: plain or with TLS, open or with basic or token authentication."""

import base64
import contextlib
import http.server
import json
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

REGISTRY = shutil.which("docker-registry")
SERVICE = "hakobu-test"


@dataclass(frozen=True)
class Basic:
    """One user by basic authentication."""

    user: str
    password: str


@dataclass
class Tokens:
    """One user by tokens of a server of its own; `asked` holds the queries it got, `refresh` its refresh token."""

    user: str
    password: str
    refresh: str = ""
    asked: list[dict[str, list[str]]] = field(default_factory=list)


@dataclass(frozen=True)
class Served:
    port: int
    name: str
    authority: Path | None = None

    @property
    def host(self) -> str:
        return f"{self.name}:{self.port}"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextlib.contextmanager
def serving(
    directory: Path, *, auth: Basic | Tokens | None = None, tls: bool = False, name: str = "127.0.0.1"
) -> Iterator[Served]:
    """With TLS the certificate is for `name`, signed by nobody but itself (`authority`)."""
    port = free_port()
    certificate, key = _certificate(directory, name) if tls or isinstance(auth, Tokens) else (None, None)
    secure = f"  tls:\n    certificate: {certificate}\n    key: {key}\n" if tls else ""
    with contextlib.ExitStack() as stack:
        section = ""
        if isinstance(auth, Basic):
            section = _basic(directory, auth)
        if isinstance(auth, Tokens):
            assert certificate and key
            realm = stack.enter_context(_token_server(auth, certificate, key, name, tls=tls))
            section = (
                f"auth:\n  token:\n    realm: {realm}\n    service: {SERVICE}\n    issuer: {SERVICE}\n"
                f"    rootcertbundle: {certificate}\n"
            )
        config = directory / "config.yml"
        config.write_text(
            f"version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {directory}/data\n"
            "  delete:\n    enabled: true\n"
            f"http:\n  addr: 127.0.0.1:{port}\n{secure}log:\n  level: error\n{section}"
        )
        with open(directory / "log", "wb") as log:
            process = subprocess.Popen([str(REGISTRY), "serve", str(config)], stdout=log, stderr=log)
        try:
            _wait_for(port, process, directory)
            yield Served(port, name, certificate)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def _wait_for(port: int, process: "subprocess.Popen[bytes]", directory: Path) -> None:
    while process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise AssertionError((directory / "log").read_text())


def _basic(directory: Path, auth: Basic) -> str:
    """The password's bcrypt by perl, which every Debian has."""
    script = "print crypt($ARGV[0], q{$2b$05$abcdefghijklmnopqrstuu})"
    hashed = subprocess.run(["perl", "-e", script, auth.password], capture_output=True, text=True, check=True).stdout
    (directory / "htpasswd").write_text(f"{auth.user}:{hashed}\n")
    return f"auth:\n  htpasswd:\n    realm: test\n    path: {directory}/htpasswd\n"


def _certificate(directory: Path, name: str) -> tuple[Path, Path]:
    certificate, key = directory / "cert.pem", directory / "key.pem"
    kind = "IP" if name.replace(".", "").isdigit() else "DNS"
    argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    argv += ["-addext", f"subjectAltName={kind}:{name}", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(argv, check=True, capture_output=True)
    return certificate, key


@contextlib.contextmanager
def _token_server(auth: Tokens, certificate: Path, key: Path, name: str, *, tls: bool) -> Iterator[str]:
    """Grants what is asked for to the one user, nothing to others; the realm's address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
            auth.asked.append(query)
            given = self.headers.get("Authorization", "").removeprefix("Basic ")
            expected = base64.b64encode(f"{auth.user}:{auth.password}".encode()).decode()
            if given and given != expected:
                self._answer(401, {"errors": [{"code": "UNAUTHORIZED", "message": "incorrect username or password"}]})
                return
            answer = {"token": _token(query.get("scope", []) if given else [], certificate, key)}
            if query.get("offline_token") and auth.refresh:
                answer["refresh_token"] = auth.refresh
            self._answer(200, answer)

        def do_POST(self) -> None:
            form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            auth.asked.append(form)
            known = auth.refresh and form.get("refresh_token") == [auth.refresh]
            if not known:
                self._answer(401, {"errors": [{"code": "UNAUTHORIZED", "message": "no such refresh token"}]})
                return
            self._answer(200, {"access_token": _token(form.get("scope", []), certificate, key)})

        def _answer(self, status: int, value: object) -> None:
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if tls:
            import ssl

            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"{'https' if tls else 'http'}://{name}:{server.server_address[1]}/token"
        finally:
            server.shutdown()
            thread.join()


def _token(scopes: list[str], certificate: Path, key: Path) -> str:
    """A JSON web token with what the scopes ask for, signed with the registry's own key."""
    access: list[dict[str, object]] = []
    for scope in " ".join(scopes).split():
        kind, repository, actions = scope.split(":", 2)
        access.append({"type": kind, "name": repository, "actions": actions.split(",")})
    der = subprocess.run(
        ["openssl", "x509", "-in", str(certificate), "-outform", "der"], capture_output=True, check=True
    ).stdout
    now = int(time.time())
    claims = {"iss": SERVICE, "aud": SERVICE, "sub": "", "exp": now + 300, "nbf": now - 10, "iat": now, "jti": "1"}
    header = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]}
    text = f"{_packed(header)}.{_packed(claims | {'access': access})}"
    signed = subprocess.run(
        ["openssl", "dgst", "-sha256", "-sign", str(key)], input=text.encode(), capture_output=True, check=True
    ).stdout
    return f"{text}.{_base64url(signed)}"


def _packed(value: object) -> str:
    return _base64url(json.dumps(value).encode())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
