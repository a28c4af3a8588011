"""`/images`: list, inspect, pull, import, load, save, tag, push, remove, history, prune."""

from collections.abc import Sequence
from http import HTTPStatus

from hakobu.api import query, reply
from hakobu.api.auth import registry_auth
from hakobu.api.http.exchange import Answer, Reply, Request
from hakobu.api.progress import progress_stream
from hakobu.api.render import image as render
from hakobu.api.route import Route
from hakobu.api.transfer import download, with_upload
from hakobu.engine.services import Progress, Services
from hakobu.errors import Invalid
from hakobu.spec.step import Json
from hakobu.spec.upload import Upload
from hakobu.wire.version import UNCHANGED_SINCE

TAR = "application/x-tar"


async def list_(services: Services, request: Request) -> Reply:
    filters = query.filters(request)
    old = query.text(request, "filter")
    if old and "reference" not in filters:
        filters["reference"] = (old,)
    manifests = query.flag(request, "manifests") and request.version >= render.MANIFESTS_SINCE
    images = await services.images.list(all=query.flag(request, "all"), filters=filters, manifests=manifests)
    shared: dict[str, int] = {}
    if query.flag(request, "shared-size"):
        shared = render.shared_sizes(await services.images.list(all=True))
    return reply.json(
        [
            render.summary(image, request.version, shared_size=shared.get(image.id, -1), manifests=manifests)
            for image in images
        ]
    )


async def inspect(services: Services, request: Request) -> Reply:
    manifests, platform = query.flag(request, "manifests"), query.platform(request)
    if manifests and platform:
        raise Invalid("conflicting options: manifests and platform options cannot both be set", field="platform")
    image = await services.images.inspect(request.params[0], platform=platform, manifests=manifests)
    return reply.json(render.inspect(image, request.version, manifests=manifests))


async def create(services: Services, request: Request) -> Answer:
    """Pull where an image is named, import where a source is."""
    image, source = query.text(request, "fromImage"), query.text(request, "fromSrc")
    if image:
        return await _pull(services, request, image)
    if source == "-":
        return await _import(services, request)
    if source:
        return await _import_url(services, request, source)
    raise Invalid("either fromImage or fromSrc must be given", field="fromImage")


async def _pull(services: Services, request: Request, image: str) -> Answer:
    tag = query.text(request, "tag")
    auth = registry_auth(request)
    platform = query.text(request, "platform")

    async def pull(progress: Progress) -> None:
        await services.images.pull(image, tag, platform=platform, auth=auth, progress=progress)

    return await progress_stream(pull)


async def _import(services: Services, request: Request) -> Answer:
    repository, tag = _split_tag(query.text(request, "repo"), query.text(request, "tag"))

    async def import_(progress: Progress) -> None:
        async def take(upload: Upload) -> str:
            return await services.images.import_(
                upload,
                repository=repository,
                tag=tag,
                message=query.text(request, "message"),
                changes=query.texts(request, "changes"),
                platform=query.text(request, "platform"),
            )

        progress({"status": await with_upload(request.stream, take)})

    return await progress_stream(import_)


async def _import_url(services: Services, request: Request, url: str) -> Answer:
    repository, tag = _split_tag(query.text(request, "repo"), query.text(request, "tag"))

    async def import_(progress: Progress) -> None:
        image_id = await services.images.import_url(
            url,
            repository=repository,
            tag=tag,
            message=query.text(request, "message"),
            changes=query.texts(request, "changes"),
            platform=query.text(request, "platform"),
            progress=progress,
        )
        progress({"status": image_id})

    return await progress_stream(import_)


def _split_tag(repository: str, tag: str) -> tuple[str, str]:
    """`repo=name:tag` without a `tag` means the same as both; a colon before a slash is a registry's port."""
    name, colon, found = repository.rpartition(":")
    return (name, found) if not tag and colon and "/" not in found else (repository, tag)


async def load(services: Services, request: Request) -> Answer:
    quiet, platform = query.flag(request, "quiet", default=True), query.platform(request)

    async def load_(progress: Progress) -> None:
        def report(message: dict[str, Json]) -> None:
            if not quiet:
                progress(message)

        async def take(upload: Upload) -> Sequence[str]:
            return await services.images.load(upload, platform=platform, progress=report)

        for line in await with_upload(request.stream, take):
            progress({"stream": line if line.endswith("\n") else f"{line}\n"})

    return await progress_stream(load_, always=True)


async def save(services: Services, request: Request) -> Answer:
    archive = await services.images.save([request.params[0]], platform=query.platform(request))
    return download(archive, TAR)


async def save_all(services: Services, request: Request) -> Answer:
    names = [name for value in query.texts(request, "names") for name in value.split(",") if name]
    if not names:
        raise Invalid("no image names given", field="names")
    archive = await services.images.save(names, platform=query.platform(request))
    return download(archive, TAR)


async def tag(services: Services, request: Request) -> Reply:
    await services.images.tag(request.params[0], query.text(request, "repo"), query.text(request, "tag"))
    return reply.nothing(HTTPStatus.CREATED)


async def push(services: Services, request: Request) -> Answer:
    name, auth = request.params[0], registry_auth(request)
    tag, platform = query.text(request, "tag"), query.platform(request)

    async def push_(progress: Progress) -> None:
        await services.images.push(name, tag, platform=platform, auth=auth, progress=progress)

    return await progress_stream(push_)


async def remove(services: Services, request: Request) -> Reply:
    removed = await services.images.remove(
        request.params[0],
        force=query.flag(request, "force"),
        prune=not query.flag(request, "noprune"),
        platforms=query.platforms(request),
    )
    return reply.json([dict(item) for item in removed])


async def history(services: Services, request: Request) -> Reply:
    entries = await services.images.history(request.params[0], platform=query.platform(request))
    return reply.json([dict(item) for item in entries])


async def diff(services: Services, request: Request) -> Reply:
    """Of two images, the second given as `to`."""
    other = query.text(request, "to")
    if not other:
        raise Invalid("the image to compare with is missing: to", field="to")
    found = await services.images.diff(request.params[0], other)
    return reply.json(
        [{"Path": c.path, "Kind": c.kind, "Why": c.why, "Before": c.before, "After": c.after} for c in found]
    )


async def prune(services: Services, request: Request) -> Reply:
    removed, freed = await services.images.prune(query.filters(request))
    return reply.json({"ImagesDeleted": [dict(item) for item in removed] or None, "SpaceReclaimed": freed})


ROUTES = (
    Route("GET", "/images/json", list_, oldest=UNCHANGED_SINCE),
    Route("POST", "/images/create", create, streams_body=True),
    Route("POST", "/images/load", load, streams_body=True, oldest=UNCHANGED_SINCE),
    Route("GET", "/images/get", save_all, oldest=UNCHANGED_SINCE),
    Route("POST", "/images/prune", prune),
    Route("GET", "/images/{}/json", inspect, oldest=UNCHANGED_SINCE),
    Route("GET", "/images/{}/history", history, oldest=UNCHANGED_SINCE),
    Route("GET", "/images/{}/get", save, oldest=UNCHANGED_SINCE),
    Route("POST", "/images/{}/tag", tag, oldest=UNCHANGED_SINCE),
    Route("POST", "/images/{}/push", push),
    Route("DELETE", "/images/{}", remove, oldest=UNCHANGED_SINCE),
    Route("GET", "/hakobu/v1/images/{}/diff", diff),
)
