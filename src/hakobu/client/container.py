"""Containers: one method a route of `/containers`. Documents go in and come out as the API has them."""

from __future__ import annotations

from hakobu.client.codec import encode
from hakobu.client.url import quote_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hakobu.client.codec import Json
    from hakobu.client.transport import Hijacked, Response, Transport

    Filters = Mapping[str, Iterable[str]]


def encode_filters(filters: Filters | None) -> str | None:
    """Filters as every API version takes them: an object of objects."""
    if not filters:
        return None
    return encode({name: dict.fromkeys(values, True) for name, values in filters.items()}).decode()


def path_of(container: str, action: str = "") -> str:
    """The route of one container; its name may hold anything a user typed."""
    return f"/containers/{quote_path(container)}{action}"


class Waiter:
    """A `wait` whose headers have come: the engine watches. `result` blocks until the container is done."""

    def __init__(self, response: Response) -> None:
        self.response = response

    def result(self) -> tuple[int, str]:
        """Exit status and the engine's error text (empty: none)."""
        from hakobu.client.codec import decode

        answer = decode(self.response.read())
        error: Json = answer.get("Error") or {}
        return int(answer["StatusCode"]), str(error.get("Message") or "")

    def fileno(self) -> int:
        return self.response.fileno()


class Containers:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        all: bool = False,
        limit: int | None = None,
        size: bool = False,
        filters: Filters | None = None,
    ) -> list[Json]:
        query = {"all": all, "limit": limit, "size": size, "filters": encode_filters(filters)}
        return self._transport.call("GET", "/containers/json", query)

    def create(self, config: Json, *, name: str = "", platform: str = "") -> Json:
        """Creates from a Config with HostConfig and NetworkingConfig in it; gives `Id` and `Warnings`."""
        query = {"name": name or None, "platform": platform or None}
        return self._transport.call("POST", "/containers/create", query, config)

    def inspect(self, container: str, *, size: bool = False) -> Json:
        return self._transport.call("GET", path_of(container, "/json"), {"size": size})

    def start(self, container: str, *, detach_keys: str = "", checkpoint: str = "", checkpoint_dir: str = "") -> None:
        query = {"detachKeys": detach_keys, "checkpoint": checkpoint, "checkpoint-dir": checkpoint_dir}
        self._post(container, "/start", {name: value or None for name, value in query.items()})

    def stop(self, container: str, *, timeout_s: int | None = None, signal: str = "") -> None:
        self._post(container, "/stop", {"t": timeout_s, "signal": signal or None})

    def set_aside(self, container: str, aside: bool) -> bool:
        """Whether its networks' aliases lead to others alone; False from an engine that cannot do so."""
        from hakobu.client.error import EngineError

        path = f"/hakobu/v1{path_of(container, '/aside')}"
        try:
            self._transport.call("PUT" if aside else "DELETE", path, versioned=False)
        except EngineError as e:
            if e.status not in (403, 404, 405):
                raise
            return False
        return True

    def restart(self, container: str, *, timeout_s: int | None = None, signal: str = "") -> None:
        self._post(container, "/restart", {"t": timeout_s, "signal": signal or None})

    def kill(self, container: str, signal: str = "") -> None:
        self._post(container, "/kill", {"signal": signal or None})

    def pause(self, container: str) -> None:
        self._post(container, "/pause")

    def unpause(self, container: str) -> None:
        self._post(container, "/unpause")

    def rename(self, container: str, name: str) -> None:
        self._post(container, "/rename", {"name": name})

    def resize(self, container: str, *, rows: int, columns: int) -> None:
        self._post(container, "/resize", {"h": str(rows), "w": str(columns)})

    def update(self, container: str, resources: Json) -> Json:
        return self._transport.call("POST", path_of(container, "/update"), None, resources)

    def remove(self, container: str, *, force: bool = False, volumes: bool = False, link: bool = False) -> None:
        query = {"force": force, "v": volumes, "link": link}
        self._transport.call("DELETE", path_of(container), query)

    def wait(self, container: str, condition: str = "") -> Waiter:
        """`not-running` (the default), `next-exit` or `removed`; the watch stands when this returns."""
        query = {"condition": condition or None}
        return Waiter(self._transport.open("POST", path_of(container, "/wait"), query))

    def attach(
        self,
        container: str,
        *,
        stdin: bool = False,
        stdout: bool = True,
        stderr: bool = True,
        stream: bool = True,
        logs: bool = False,
        detach_keys: str = "",
    ) -> Hijacked:
        query = {
            "stream": stream,
            "stdin": stdin,
            "stdout": stdout,
            "stderr": stderr,
            "logs": logs,
            "detachKeys": detach_keys or None,
        }
        return self._transport.hijack(path_of(container, "/attach"), query)

    def logs(
        self,
        container: str,
        *,
        stdout: bool = True,
        stderr: bool = True,
        follow: bool = False,
        since: str = "",
        until: str = "",
        timestamps: bool = False,
        tail: str = "",
        details: bool = False,
    ) -> Response:
        """The log as a stream: framed, unless the container has a terminal."""
        query = {
            "stdout": stdout,
            "stderr": stderr,
            "follow": follow,
            "since": since or None,
            "until": until or None,
            "timestamps": timestamps,
            "tail": tail or None,
            "details": details,
        }
        return self._transport.open("GET", path_of(container, "/logs"), query)

    def top(self, container: str, ps_args: str = "") -> Json:
        return self._transport.call("GET", path_of(container, "/top"), {"ps_args": ps_args or None})

    def stats(self, container: str, *, stream: bool = True, one_shot: bool = False) -> Response:
        """Samples as a stream of objects (`Response.objects`); without `stream` there is one."""
        query = {"stream": "1" if stream else "0", "one-shot": "1" if one_shot else None}
        return self._transport.open("GET", path_of(container, "/stats"), query)

    def changes(self, container: str) -> list[Json]:
        return self._transport.call("GET", path_of(container, "/changes")) or []

    def export(self, container: str) -> Response:
        return self._transport.open("GET", path_of(container, "/export"))

    def stat_archive(self, container: str, path: str) -> Json:
        """What stands at a path of the container: name, size, mode (Go's), mtime, linkTarget."""
        with self._transport.open("HEAD", path_of(container, "/archive"), {"path": path}) as response:
            return _path_stat(response.head.get("x-docker-container-path-stat"))

    def get_archive(self, container: str, path: str) -> tuple[Response, Json]:
        """A tar stream of a path, and what stands there."""
        response = self._transport.open("GET", path_of(container, "/archive"), {"path": path})
        return response, _path_stat(response.head.get("x-docker-container-path-stat"))

    def put_archive(
        self,
        container: str,
        path: str,
        body: bytes | Iterable[bytes],
        *,
        keep_ids: bool = False,
        overwrite_dir_with_file: bool = False,
    ) -> None:
        """Unpacks a tar stream in a directory of the container."""
        query = {
            "path": path,
            "noOverwriteDirNonDir": None if overwrite_dir_with_file else "true",
            "copyUIDGID": "true" if keep_ids else None,
        }
        route = path_of(container, "/archive")
        with self._transport.open("PUT", route, query, body, content_type="application/x-tar") as response:
            response.read()

    def commit(self, container: str, query: Mapping[str, str | bool | list[str] | None]) -> str:
        """An image of the container's changes; gives its id. The query is the route's own."""
        answer = self._transport.call("POST", "/commit", {"container": container, **query}, {})
        return str(answer["Id"])

    def prune(self, filters: Filters | None = None) -> Json:
        return self._transport.call("POST", "/containers/prune", {"filters": encode_filters(filters)})

    def _post(self, container: str, action: str, query: Mapping[str, str | int | None] | None = None) -> None:
        self._transport.call("POST", path_of(container, action), query)


def _path_stat(header: str) -> Json:
    from binascii import a2b_base64

    from hakobu.client.codec import decode

    return decode(a2b_base64(header)) if header else {}
