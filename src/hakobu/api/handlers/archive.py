"""`/containers/{id}/archive` (cp), `/export` and `/commit`."""

import base64
from http import HTTPStatus
from typing import Any

import msgspec

from hakobu.api import query, reply
from hakobu.api.decode import optional_json_body
from hakobu.api.http.exchange import Answer, Headers, Reply, Request
from hakobu.api.route import Route
from hakobu.api.time import rfc3339_nano
from hakobu.api.transfer import download, with_upload
from hakobu.api.translate.commit import changes_of
from hakobu.engine.services import PathStat, Services
from hakobu.errors import Invalid
from hakobu.spec.upload import Upload
from hakobu.wire.container import Config

TAR = "application/x-tar"

_GO_TYPES = {0o040000: 1 << 31, 0o120000: 1 << 27, 0o060000: 1 << 26, 0o020000: 1 << 26 | 1 << 21, 0o010000: 1 << 25}
_GO_SOCKET = 1 << 24


def go_mode(mode: int) -> int:
    """st_mode as Go's FileMode: permission bits below, its own bits for kinds, setuid, setgid and sticky."""
    kind = mode & 0o170000
    value = mode & 0o777 | (_GO_SOCKET if kind == 0o140000 else _GO_TYPES.get(kind, 0))
    for bit, go_bit in ((0o4000, 1 << 23), (0o2000, 1 << 22), (0o1000, 1 << 20)):
        if mode & bit:
            value |= go_bit
    return value


def stat_header(stat: PathStat) -> Headers:
    value: dict[str, Any] = {
        "name": stat.name,
        "size": stat.size,
        "mode": go_mode(stat.mode),
        "mtime": rfc3339_nano(stat.mtime_ns),
        "linkTarget": stat.link_target,
    }
    return (("X-Docker-Container-Path-Stat", base64.b64encode(msgspec.json.encode(value)).decode()),)


def _path(request: Request) -> str:
    path = query.text(request, "path")
    if not path:
        raise Invalid("missing parameter: bad parameter: path cannot be empty", field="path")
    if "\0" in path:
        raise Invalid("invalid path: it holds a NUL", field="path")
    return path


async def stat(services: Services, request: Request) -> Reply:
    found = await services.containers.stat_path(request.params[0], _path(request))
    return Reply(HTTPStatus.OK, content_type="", headers=stat_header(found))


async def get(services: Services, request: Request) -> Answer:
    archive = await services.containers.copy_out(request.params[0], _path(request))
    headers = stat_header(archive.stat) if archive.stat is not None else ()
    return download(archive, TAR, headers)


async def put(services: Services, request: Request) -> Reply:
    path = _path(request)

    async def unpack(upload: Upload) -> None:
        await services.containers.copy_in(
            request.params[0],
            path,
            upload,
            no_overwrite_dir_non_dir=query.flag(request, "noOverwriteDirNonDir"),
            copy_owner=query.flag(request, "copyUIDGID"),
        )

    await with_upload(request.stream, unpack)
    return reply.nothing(HTTPStatus.OK)


async def export(services: Services, request: Request) -> Answer:
    archive = await services.containers.export(request.params[0])
    return download(archive, "application/octet-stream")


async def commit(services: Services, request: Request) -> Reply:
    body = optional_json_body(request, Config)
    image_id = await services.containers.commit(
        query.text(request, "container"),
        repository=query.text(request, "repo"),
        tag=query.text(request, "tag"),
        comment=query.text(request, "comment"),
        author=query.text(request, "author"),
        pause=query.flag(request, "pause", default=True),
        changes=(*changes_of(body or {}), *query.texts(request, "changes")),
    )
    return reply.json({"Id": image_id}, HTTPStatus.CREATED)


ROUTES = (
    Route("HEAD", "/containers/{}/archive", stat),
    Route("GET", "/containers/{}/archive", get),
    Route("PUT", "/containers/{}/archive", put, streams_body=True),
    Route("GET", "/containers/{}/export", export),
    Route("POST", "/commit", commit),
)
