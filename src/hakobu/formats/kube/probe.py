"""Probes and health checks: exec, httpGet and tcpSocket as a health check's command, and the way back. Pure.

A health check runs inside the container. httpGet and tcpSocket use what the image has: curl or wget for HTTP, bash for
both; an image with none of them turns unhealthy, and the check's output says why.
"""

import re
import shlex
from collections.abc import Mapping
from typing import Any

from hakobu.compose.failure import BadComposeFile
from hakobu.compose.model.healthcheck import Healthcheck
from hakobu.compose.model.reading import (
    Reader,
    format_duration,
    read_choice,
    read_each,
    read_int,
    read_list,
    read_string,
    read_text,
)
from hakobu.compose.node import Node
from hakobu.formats.document import joined
from hakobu.formats.kube.field import Notes, fields, refused
from hakobu.spec.step import Json

_S = 10**9
_NONE_HAS = "the image has none of"
_HTTP = re.compile(r"if command -v curl >/dev/null; then curl -fsSko /dev/null (.*?); elif ")
_TCP = re.compile(r"if command -v bash >/dev/null; then bash -c 'exec 3<>/dev/tcp/([^/]+)/([0-9]+)'; elif ")


def read_probe(notes: Notes, ports: Mapping[str, int]) -> Reader:
    """A probe as `healthcheck` of a Compose file; `ports` are the container's by their names."""

    def port(node: Node, path: str) -> int:
        text = read_text(node, path)
        if text.isdigit() and 0 < int(text) < 65536:
            return int(text)
        if text not in ports:
            raise BadComposeFile(node.mark, f"is no port of the container: {text!r}", path=path)
        return ports[text]

    def header(node: Node, path: str) -> tuple[str, str]:
        pair = fields(node, path, {"name": read_string, "value": read_string}, "name")
        return pair["name"], pair.get("value", "")

    def http(node: Node, path: str) -> list[str]:
        readers: dict[str, Reader] = {
            "host": read_string,
            "path": read_string,
            "port": port,
            "scheme": lambda n, p: read_choice(n, p, ("HTTP", "HTTPS")),
            "httpHeaders": lambda n, p: read_each(n, p, header),
        }
        return ["CMD-SHELL", http_command(**_http_words(fields(node, path, readers, "port")))]

    def tcp(node: Node, path: str) -> list[str]:
        said = fields(node, path, {"host": read_string, "port": port}, "port")
        return ["CMD-SHELL", tcp_command(said.get("host") or "127.0.0.1", said["port"])]

    def command(node: Node, path: str) -> list[str]:
        return ["CMD", *fields(node, path, {"command": read_list}, "command")["command"]]

    def read(node: Node, path: str) -> dict[str, Json]:
        readers: dict[str, Reader] = {
            "exec": command,
            "httpGet": http,
            "tcpSocket": tcp,
            "grpc": refused("no image has a client for it"),
            "successThreshold": lambda n, p: None if read_int(n, p) == 1 else notes.told("one success is enough")(n, p),
            "terminationGracePeriodSeconds": notes.told("nothing is ended by a probe"),
            **dict.fromkeys(_TIMES, read_int),
        }
        return _healthcheck(node, path, fields(node, path, readers))

    return read


_TIMES = ("initialDelaySeconds", "periodSeconds", "timeoutSeconds", "failureThreshold")


def _http_words(said: dict[str, Any]) -> dict[str, Any]:
    path = str(said.get("path") or "/")
    return {
        "url": f"{str(said.get('scheme') or 'HTTP').lower()}://{said.get('host') or '127.0.0.1'}:{said['port']}"
        f"{path if path.startswith('/') else '/' + path}",
        "headers": tuple(said.get("httpHeaders") or ()),
    }


def _healthcheck(node: Node, path: str, said: dict[str, Any]) -> dict[str, Json]:
    tests: list[list[str]] = [said[key] for key in ("exec", "httpGet", "tcpSocket") if key in said]
    if len(tests) != 1:
        raise BadComposeFile(node.mark, "needs one of exec, httpGet, tcpSocket", path=path)
    return {
        "test": [*tests[0]],
        "interval": f"{said.get('periodSeconds') or 10}s",
        "timeout": f"{said.get('timeoutSeconds') or 1}s",
        "retries": said.get("failureThreshold") or 3,
        **({"start_period": f"{said['initialDelaySeconds']}s"} if said.get("initialDelaySeconds") else {}),
    }


def http_command(url: str, headers: tuple[tuple[str, str], ...] = ()) -> str:
    """A shell line that succeeds where a GET is answered with a status below 400; redirects count as success."""
    curl = [word for name, value in headers for word in ("-H", f"{name}: {value}")]
    wget = [f"--header={name}: {value}" for name, value in headers]
    choices = [("curl", f"curl -fsSko /dev/null {shlex.join([*curl, url])}")]
    choices.append(("wget", f"wget -qO /dev/null {shlex.join([*wget, url])}"))
    if url.startswith("http://"):
        choices.append(("bash", f"bash -c {shlex.quote(_bash_get(url, headers))}"))
    return _first_of(choices, "httpGet")


def _bash_get(url: str, headers: tuple[tuple[str, str], ...]) -> str:
    place, _, path = url.removeprefix("http://").partition("/")
    host, _, port = place.rpartition(":")
    lines = [f"GET /{path} HTTP/1.0", f"Host: {place}", *(f"{n}: {v}" for n, v in headers), "", ""]
    request = shlex.quote("\r\n".join(lines).replace("\\", "\\\\").replace("%", "%%").replace("\r\n", "\\r\\n"))
    return (
        f"exec 3<>/dev/tcp/{host}/{port} && printf {request} >&3 && read -r _ status _ <&3 && "
        '[ "$status" -ge 200 ] && [ "$status" -lt 400 ]'
    )


def tcp_command(host: str, port: int) -> str:
    """A shell line that succeeds where a connection is taken."""
    return _first_of(
        [("bash", f"bash -c 'exec 3<>/dev/tcp/{host}/{port}'"), ("nc", f"nc -z {host} {port}")], "tcpSocket"
    )


def _first_of(choices: list[tuple[str, str]], kind: str) -> str:
    tests = [f"if command -v {tool} >/dev/null; then {line}; el" for tool, line in choices]
    tools = ", ".join(tool for tool, _ in choices)
    return "".join(tests) + f"se echo '{kind} probe: {_NONE_HAS} {tools}' >&2; exit 1; fi"


def with_startup(check: dict[str, Json], startup: dict[str, Json]) -> dict[str, Json]:
    """A check whose failures count only when the time that the startup probe grants is over."""
    retries, interval = startup["retries"], str(startup["interval"]).removesuffix("s")
    delay = str(startup.get("start_period") or "0s").removesuffix("s")
    assert isinstance(retries, int)
    return {**check, "start_period": f"{int(delay) + retries * int(interval)}s"}


def write_probe(check: Healthcheck) -> dict[str, Json]:
    """A health check as a readiness probe: what is unhealthy is not ready, and is not started again."""
    document = _handler(check.test)
    document["periodSeconds"] = _seconds(check.interval, 30)
    document["timeoutSeconds"] = _seconds(check.timeout, 30)
    document["failureThreshold"] = check.retries or 3
    if check.start_period:
        document["initialDelaySeconds"] = _seconds(check.start_period, 0)
    return document


def unsaid(check: Healthcheck) -> list[str]:
    """What of a health check a probe does not say exactly."""
    found = ["start_interval"] if check.start_interval else []
    for name in ("interval", "timeout", "start_period"):
        value: int | None = getattr(check, name)
        if value and value % _S:
            found.append(f"{name} ({format_duration(value)} becomes {-(-value // _S)}s)")
    return found


def _seconds(ns: int | None, default: int) -> int:
    return -(-ns // _S) if ns else default


def _handler(test: tuple[str, ...]) -> dict[str, Json]:
    words = [*test[1:]]
    if test[:1] != ("CMD-SHELL",):
        return {"exec": {"command": list[Json](words)}}
    line = " ".join(words)
    if found := _HTTP.match(line):
        return {"httpGet": _http_fields(shlex.split(found[1]))}
    if found := _TCP.match(line):
        host: dict[str, Json] = {} if found[1] == "127.0.0.1" else {"host": found[1]}
        return {"tcpSocket": {**host, "port": int(found[2])}}
    return {"exec": {"command": ["/bin/sh", "-c", line]}}


def _http_fields(words: list[str]) -> Json:
    scheme, _, rest = words[-1].partition("://")
    place, _, path = rest.partition("/")
    host, _, port = place.rpartition(":")
    pairs = [word.partition(": ") for word in words[1:-1:2]]
    headers: list[Json] = [{"name": name, "value": value} for name, _, value in pairs]
    said: dict[str, Json] = {"path": f"/{path}", "port": int(port)}
    said |= {} if host == "127.0.0.1" else {"host": host}
    said |= {"scheme": "HTTPS"} if scheme == "https" else {}
    return joined(said, {"httpHeaders": headers} if headers else {})
