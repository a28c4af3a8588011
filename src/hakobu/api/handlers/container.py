"""`/containers`: create, list, inspect, and the operations that change a container's life."""

from collections.abc import Awaitable
from http import HTTPStatus

from hakobu.api import query, reply
from hakobu.api.decode import json_body
from hakobu.api.http.exchange import Reply, Request
from hakobu.api.render import container as render
from hakobu.api.render.host_config import Defaults
from hakobu.api.route import Route
from hakobu.api.translate import limit
from hakobu.api.translate.container import container_spec
from hakobu.engine.services import ContainerSize, Edit, Services
from hakobu.errors import Invalid
from hakobu.spec.container import Container, ContainerSpec
from hakobu.wire.container import ContainerCreate, ContainerEdit, ContainerUpdate
from hakobu.wire.version import ApiVersion

SIGNAL_AT_STOP_SINCE = ApiVersion(1, 42)


def spec_of(request: Request) -> tuple[ContainerSpec, list[str]]:
    """The create body as a spec; shared with explain."""
    if not request.body.strip() or request.body.strip() in (b"null", b"{}"):
        raise Invalid("config cannot be empty in order to create a container")
    return container_spec(json_body(request, ContainerCreate), request.version)


async def create(services: Services, request: Request) -> Reply:
    spec, warnings = spec_of(request)
    name = query.text(request, "name")
    created = await services.containers.create(spec, name.removeprefix("/"), query.text(request, "platform"))
    return reply.json({"Id": created.id, "Warnings": [*created.warnings, *warnings]}, HTTPStatus.CREATED)


async def list_(services: Services, request: Request) -> Reply:
    limit_ = query.number(request, "limit", -1)
    listed = await services.containers.list(
        all=query.flag(request, "all"),
        limit=limit_ if limit_ > 0 else -1,
        size=query.flag(request, "size"),
        filters=query.filters(request),
    )
    return reply.json([render.container_summary(item, request.version) for item in listed])


def defaults_of(services: Services) -> tuple[Defaults, str, str]:
    """What inspect fills in, and the roots whose paths it shows."""
    facts = services.system.facts()
    mode = "host" if facts.cgroup_version == "1" else "private"
    return Defaults(log_driver=facts.default_log_driver, cgroup_mode=mode), facts.data_root, facts.exec_root


def inspect(services: Services, request: Request) -> Reply | Awaitable[Reply]:
    """At once, without a task, but for the size, which a walk finds out."""
    container = services.containers.get(request.params[0])
    return (
        _inspect_sized(services, request, container)
        if query.flag(request, "size")
        else _inspect(services, request, container)
    )


async def _inspect_sized(services: Services, request: Request, container: Container) -> Reply:
    return _inspect(services, request, container, await services.containers.size(container.id))


def _inspect(services: Services, request: Request, container: Container, size: ContainerSize | None = None) -> Reply:
    layers = services.containers.layer_paths(container.id)
    defaults, data_root, exec_root = defaults_of(services)
    return reply.json(
        render.inspect(
            container,
            request.version,
            defaults=defaults,
            data_root=data_root,
            exec_root=exec_root,
            size=size,
            layers=layers,
        )
    )


async def start(services: Services, request: Request) -> Reply:
    query.detach_keys(query.text(request, "detachKeys"))
    await services.containers.start(request.params[0])
    return reply.nothing()


async def stop(services: Services, request: Request) -> Reply:
    await services.containers.stop(request.params[0], query.optional_number(request, "t"), _stop_signal(request))
    return reply.nothing()


async def restart(services: Services, request: Request) -> Reply:
    await services.containers.restart(request.params[0], query.optional_number(request, "t"), _stop_signal(request))
    return reply.nothing()


def _stop_signal(request: Request) -> str:
    return query.text(request, "signal") if request.version >= SIGNAL_AT_STOP_SINCE else ""


async def kill(services: Services, request: Request) -> Reply:
    await services.containers.kill(request.params[0], query.text(request, "signal") or "SIGKILL")
    return reply.nothing()


async def pause(services: Services, request: Request) -> Reply:
    await services.containers.pause(request.params[0])
    return reply.nothing()


async def unpause(services: Services, request: Request) -> Reply:
    await services.containers.unpause(request.params[0])
    return reply.nothing()


async def rename(services: Services, request: Request) -> Reply:
    name = query.text(request, "name").removeprefix("/")
    if not name:
        raise Invalid("Neither old nor new names may be empty", field="name")
    await services.containers.rename(request.params[0], name)
    return reply.nothing()


async def remove(services: Services, request: Request) -> Reply:
    await services.containers.remove(
        request.params[0],
        force=query.flag(request, "force"),
        volumes=query.flag(request, "v"),
        link=query.flag(request, "link"),
    )
    return reply.nothing()


async def update(services: Services, request: Request) -> Reply:
    body = json_body(request, ContainerUpdate)
    given = body.get("RestartPolicy")
    policy = limit.restart_policy(given) if given and given.get("Name") else None
    warnings = await services.containers.update(request.params[0], limit.limits(body), policy)
    return reply.json({"Warnings": [*warnings, *limit.warnings(body)] or None})


_EDITABLE = frozenset({"Env", "Labels", "ExposedPorts", "HostConfig"})
_EDITABLE_HOST = frozenset({"PortBindings", "Binds", "Mounts"})


async def edit(services: Services, request: Request) -> Reply:
    """Docker has no word for it: variables, labels, ports and mounts of a container that does not run."""
    body = json_body(request, ContainerEdit)
    wanted, removed = body.get("Set") or {}, body.get("Remove") or {}
    for name in (*(set(wanted) - _EDITABLE), *(set(wanted.get("HostConfig") or {}) - _EDITABLE_HOST)):
        raise Invalid(f"{name} of a container cannot be edited", field=name)
    spec, warnings = container_spec({**wanted, "Image": "edited"}, request.version)
    told = await services.containers.edit(
        request.params[0],
        Edit(
            env=spec.env,
            labels=spec.labels,
            exposed_ports=spec.exposed_ports,
            ports=spec.ports,
            mounts=spec.mounts,
            env_removed=tuple(removed.get("Env") or ()),
            labels_removed=tuple(removed.get("Labels") or ()),
            ports_removed=tuple(removed.get("Ports") or ()),
            mounts_removed=tuple(removed.get("Mounts") or ()),
        ),
    )
    return reply.json({"Warnings": [*told, *warnings]})


async def clear_logs(services: Services, request: Request) -> Reply:
    return reply.json({"SpaceReclaimed": await services.containers.clear_logs(request.params[0])})


async def resize(services: Services, request: Request) -> Reply:
    rows, columns = terminal_size(request)
    await services.containers.resize(request.params[0], rows, columns)
    return reply.nothing(HTTPStatus.OK)


def terminal_size(request: Request) -> tuple[int, int]:
    rows, columns = query.number(request, "h"), query.number(request, "w")
    if not (0 <= rows <= 0xFFFF and 0 <= columns <= 0xFFFF):
        raise Invalid(f"invalid terminal size: {rows}x{columns}", field="h")
    return rows, columns


async def top(services: Services, request: Request) -> Reply:
    titles, rows = await services.containers.top(request.params[0], query.text(request, "ps_args"))
    return reply.json({"Titles": list(titles), "Processes": [list(row) for row in rows]})


async def set_aside(services: Services, request: Request) -> Reply:
    await services.containers.set_aside(request.params[0], True)
    return reply.nothing()


async def take_back(services: Services, request: Request) -> Reply:
    await services.containers.set_aside(request.params[0], False)
    return reply.nothing()


async def changes(services: Services, request: Request) -> Reply:
    found = await services.containers.changes(request.params[0])
    return reply.json([{"Path": change.path, "Kind": change.kind} for change in found] or None)


async def prune(services: Services, request: Request) -> Reply:
    removed, freed = await services.containers.prune(query.filters(request))
    return reply.json({"ContainersDeleted": list(removed) or None, "SpaceReclaimed": freed})


ROUTES = (
    Route("POST", "/containers/create", create),
    Route("GET", "/containers/json", list_),
    Route("POST", "/containers/prune", prune),
    Route("GET", "/containers/{}/json", inspect),
    Route("POST", "/containers/{}/start", start),
    Route("POST", "/containers/{}/stop", stop),
    Route("POST", "/containers/{}/restart", restart),
    Route("POST", "/containers/{}/kill", kill),
    Route("POST", "/containers/{}/pause", pause),
    Route("POST", "/containers/{}/unpause", unpause),
    Route("POST", "/containers/{}/rename", rename),
    Route("DELETE", "/containers/{}", remove),
    Route("POST", "/containers/{}/update", update),
    Route("POST", "/hakobu/v1/containers/{}/edit", edit),
    Route("DELETE", "/hakobu/v1/containers/{}/logs", clear_logs),
    Route("PUT", "/hakobu/v1/containers/{}/aside", set_aside),
    Route("DELETE", "/hakobu/v1/containers/{}/aside", take_back),
    Route("POST", "/containers/{}/resize", resize),
    Route("GET", "/containers/{}/top", top),
    Route("GET", "/containers/{}/changes", changes),
)
