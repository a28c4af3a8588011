"""`compose run`: one command in a container of its own, beside the service's containers."""

import os
import secrets
import sys
from dataclasses import replace

from hakobu.client.error import EngineError
from hakobu.compose.context import Context
from hakobu.compose.disk import Disk
from hakobu.compose.env_file import parse_env
from hakobu.compose.failure import Mark
from hakobu.compose.maker import Maker
from hakobu.compose.model.port import read_ports
from hakobu.compose.model.reading import read_labels, read_variables
from hakobu.compose.model.service import Service
from hakobu.compose.model.volume import ServiceVolume, read_volumes
from hakobu.compose.model.words import split
from hakobu.compose.node import Sequence, string
from hakobu.compose.observed import observe
from hakobu.compose.path import Base
from hakobu.compose.plan import UpOptions, plan_networks
from hakobu.compose.terminal import on_resize, pump, raw_terminal, size
from hakobu.compose.verb.lifecycle import prepare, remove_orphans


def run(context: Context) -> int:
    """The command's own exit status; 0 at once where it is left in the background."""
    if context.on("quiet"):
        context.progress.mute()
    context.activate(context.text("service"))
    project = context.project
    service = project.service(context.text("service"))
    maker = _surroundings(context, service)
    if context.on("remove_orphans"):
        remove_orphans(context)
    detached = context.on("detach")
    has_tty = not context.on("no_tty") and sys.stdin.isatty() and not detached
    slug = secrets.token_hex(32)
    name = context.text("name") or f"{project.name}-{service.name}-run-{slug[:12]}"
    wanted = _overridden(context, service, has_tty)
    rm = context.on("rm")
    if context.dry:
        context.progress.line(f"Container {name}", f"Would run {' '.join(wanted.command or ())}".rstrip())
        return 0
    stdin = context.on("interactive") and not detached
    aliases = context.on("use_aliases")
    created = maker.create_oneoff(wanted, name, slug, stdin=stdin, auto_remove=rm, aliases=aliases)
    if detached:
        context.engine.containers.start(created)
        print(name)
        return 0
    return _foreground(context, created, has_tty, stdin)


def _surroundings(context: Context, service: Service) -> Maker:
    """Images, networks and volumes of the service, and what it depends on, up and running."""
    names = () if context.on("no_deps") else tuple(n for n in service.depends_on if n in context.project.services)
    if names:
        applier, plan, _ = prepare(context, UpOptions(services=names, no_recreate=True))
        applier.run(plan)
    applier, _, observed = prepare(
        context, UpOptions(services=(service.name,), no_deps=True, pull=context.text("pull"))
    )
    if not context.dry:
        applier.run(plan_networks(context.project, observed, (service.name,)))
    return Maker(context.engine, context.project, observe(context.engine, context.project))


def _overridden(context: Context, service: Service, has_tty: bool) -> Service:
    """The service as the command line changes it; ports stay closed unless asked for."""
    entrypoint = context.text("entrypoint")
    ports = service.ports if context.on("service_ports") else ()
    return replace(
        service,
        environment=_environment(context, service),
        command=context.texts("arguments") or (() if entrypoint else service.command),
        entrypoint=split(entrypoint) if entrypoint else service.entrypoint,
        user=context.text("user") or service.user,
        working_dir=context.text("workdir") or service.working_dir,
        ports=(*ports, *read_ports(_given(context, "publish"), "--publish")),
        volumes=_volumes(context, service),
        labels={**service.labels, **read_labels(_given(context, "label"), "--label")},
        cap_add=(*service.cap_add, *context.texts("cap_add")),
        cap_drop=(*service.cap_drop, *context.texts("cap_drop")),
        container_name="",
        restart="",
        tty=has_tty,
    )


def _given(context: Context, name: str) -> Sequence:
    """A flag's values as a list of a Compose file, to be read by the same readers."""
    place = Mark("(command line)")
    return Sequence(tuple(string(text, place) for text in context.texts(name)), place)


def _environment(context: Context, service: Service) -> dict[str, str | None]:
    """The service's variables, then those of --env-from-file, then those of --env."""
    variables = context.project.environment
    found: dict[str, str | None] = dict(service.environment)
    for file in context.texts("env_from_file"):
        found |= parse_env(Disk().read(file), file, variables.get)
    for name, value in read_variables(_given(context, "env"), "--env").items():
        found[name] = variables.get(name) if value is None else value
    return dict(sorted(found.items()))


def _volumes(context: Context, service: Service) -> tuple[ServiceVolume, ...]:
    """The service's mounts and those of --volume, which win where both name a place; relative to here."""
    base = Base(os.getcwd(), os.environ.get("HOME", "/root"))
    written = [base.mount(text) for text in context.texts("volume")]
    place = Mark("(command line)")
    more = read_volumes(Sequence(tuple(string(text, place) for text in written), place), "--volume")
    targets = {volume.target for volume in more}
    return (*(v for v in service.volumes if v.target not in targets), *more)


def _foreground(context: Context, container: str, has_tty: bool, stdin: bool) -> int:
    """Attached before the start, so that nothing is missed; waited for before the start, so that `--rm` is no race."""
    stream = context.engine.containers.attach(container, stdin=stdin)
    waiter = context.engine.containers.wait(container, "next-exit")
    context.engine.containers.start(container)
    with raw_terminal(has_tty):
        if has_tty:
            on_resize(lambda rows, columns: _resize(context, container, rows, columns))
            if now := size():
                _resize(context, container, *now)
        pump(stream, has_tty=has_tty)
    stream.close()
    status, _ = waiter.result()
    return status


def _resize(context: Context, container: str, rows: int, columns: int) -> None:
    try:
        context.engine.containers.resize(container, rows=rows, columns=columns)
    except EngineError:
        return  # it has ended meanwhile
