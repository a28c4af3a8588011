"""`compose run`: one command in a container of its own, beside the service's containers."""

import secrets
import shlex
import sys
from dataclasses import replace

from hakobu.client.error import EngineError
from hakobu.compose.apply import Applier
from hakobu.compose.context import Context
from hakobu.compose.model.service import Service
from hakobu.compose.observed import observe
from hakobu.compose.plan import UpOptions, plan_networks
from hakobu.compose.terminal import on_resize, pump, raw_terminal, size
from hakobu.compose.verb.lifecycle import prepare


def run(context: Context) -> int:
    """The command's own exit status; 0 at once where it is left in the background."""
    context.activate(context.text("service"))
    project = context.project
    service = project.service(context.text("service"))
    applier = _surroundings(context, service)
    detached = context.on("detach")
    has_tty = not context.on("no_tty") and sys.stdin.isatty() and not detached
    slug = secrets.token_hex(32)
    name = context.text("name") or f"{project.name}-{service.name}-run-{slug[:12]}"
    wanted = _overridden(context, service, has_tty)
    rm = context.on("rm")
    created = applier.create_oneoff(wanted, name, slug, stdin=not detached, auto_remove=rm)
    if detached:
        context.engine.containers.start(created)
        print(name)
        return 0
    return _foreground(context, created, has_tty)


def _surroundings(context: Context, service: Service) -> Applier:
    """Images, networks and volumes of the service, and what it depends on, up and running."""
    names = () if context.on("no_deps") else tuple(n for n in service.depends_on if n in context.project.services)
    if names:
        applier, plan, _ = prepare(context, UpOptions(services=names, no_recreate=True))
        applier.run(plan)
    applier, _, observed = prepare(context, UpOptions(services=(service.name,), no_deps=True))
    applier.run(plan_networks(context.project, observed, (service.name,)))
    return Applier(
        context.engine, context.progress, project=context.project, observed=observe(context.engine, context.project)
    )


def _overridden(context: Context, service: Service, has_tty: bool) -> Service:
    """The service as the command line changes it; ports stay closed unless asked for."""
    environment = dict(service.environment)
    for text in context.texts("env"):
        name, equals, value = text.partition("=")
        environment[name] = value if equals else context.project.environment.get(name)
    entrypoint = context.text("entrypoint")
    return replace(
        service,
        environment=environment,
        command=context.texts("arguments") or (() if entrypoint else service.command),
        entrypoint=tuple(shlex.split(entrypoint)) if entrypoint else service.entrypoint,
        user=context.text("user") or service.user,
        working_dir=context.text("workdir") or service.working_dir,
        ports=service.ports if context.on("service_ports") else (),
        container_name="",
        restart="",
        tty=has_tty,
    )


def _foreground(context: Context, container: str, has_tty: bool) -> int:
    """Attached before the start, so that nothing is missed; waited for before the start, so that `--rm` is no race."""
    stream = context.engine.containers.attach(container, stdin=True)
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
