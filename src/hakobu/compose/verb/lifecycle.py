"""Verbs that change things: up, down, create, start, stop, restart, kill, rm, pull, pause, unpause."""

import signal
import sys
from dataclasses import replace

from hakobu.compose.apply import Applier, ApplyOptions
from hakobu.compose.context import Context
from hakobu.compose.failure import ActionFailed
from hakobu.compose.follow import Attached, Printer, Source, label_of
from hakobu.compose.model.project import Project
from hakobu.compose.observed import Observed, observe, observe_containers, observe_left
from hakobu.compose.plan import (
    DownOptions,
    Kind,
    Plan,
    UpOptions,
    changed_resources,
    orphans,
    plan_down,
    plan_each,
    plan_pulls,
    plan_remove,
    plan_stop,
    plan_up,
    wanted_services,
)
from hakobu.compose.support import refuse_unsupported
from hakobu.errors import Invalid


def up_options(context: Context, *, no_start: bool = False) -> UpOptions:
    """What the command line of `up` and `create` says."""
    scale: dict[str, int] = {}
    for text in context.texts("scale"):
        name, _, count = text.partition("=")
        if not count.isdigit():
            raise Invalid(f"invalid --scale option {text!r}. Should be SERVICE=NUM")
        scale[name] = int(count)
    return UpOptions(
        services=context.services,
        force_recreate=context.on("force_recreate"),
        no_recreate=context.on("no_recreate"),
        no_deps=context.on("no_deps"),
        no_start=no_start or context.on("no_start"),
        pull=context.text("pull"),
        remove_orphans=context.on("remove_orphans"),
        wait=context.on("wait"),
        scale=scale,
    )


def prepare(context: Context, options: UpOptions) -> tuple[Applier, Plan, Observed]:
    """Images first, then a look at what is there, then the plan; nothing but images has changed afterwards."""
    project = context.project
    for name in (*options.services, *options.scale):
        project.service(name)
    refuse_unsupported(project, wanted_services(project, options))
    observed = observe(context.engine, project)
    if pulls := plan_pulls(project, observed, options):
        dry = ApplyOptions(dry=context.dry)
        Applier(context.engine, context.progress, project=project, observed=observed, options=dry).run(pulls)
        observed = observe(context.engine, project)
    _warn(context, project, observed, options)
    timeout_s, wait_s = context.number("timeout"), context.number("wait_timeout")
    applier = Applier(
        context.engine,
        context.progress,
        project=project,
        observed=observed,
        options=ApplyOptions(timeout_s=timeout_s, wait_s=wait_s, dry=context.dry),
    )
    return applier, plan_up(project, observed, options), observed


def _warn(context: Context, project: Project, observed: Observed, options: UpOptions) -> None:
    lost = sorted(c.name for c in orphans(project, observed))
    if lost and not options.remove_orphans:
        context.progress.warn(
            f"Found orphan containers ([{' '.join(lost)}]) for this project. If you removed or renamed this service in "
            "your compose file, you can run this command with the --remove-orphans flag to clean it up."
        )
    for resource in changed_resources(project, observed):
        context.progress.warn(f"{resource} was made with another configuration and is used as it is; `down` removes it")


def up(context: Context) -> int:
    options = up_options(context)
    applier, plan, _ = prepare(context, options)
    if context.on("detach") or options.wait or options.no_start or context.dry:
        applier.run(plan)
        return 0
    return _attached_up(context, applier, plan, options)


def create(context: Context) -> int:
    applier, plan, _ = prepare(context, up_options(context, no_start=True))
    applier.run(plan)
    return 0


def scale(context: Context) -> int:
    """As `up -d --scale`, for the named services."""
    options = up_options(context)
    options = replace(options, services=tuple(options.scale), no_recreate=True)
    applier, plan, _ = prepare(context, options)
    applier.run(plan)
    return 0


def wait(context: Context) -> int:
    """Prints each container's exit status as it ends; that of the last one is the command's."""
    status = 0
    for container in context.containers(all=False):
        status, _ = context.engine.containers.wait(container.id).result()
        print(status, flush=True)
    return status


_STARTING = (Kind.AWAIT, Kind.START, Kind.RESTART, Kind.KEEP)


def _attached_up(context: Context, applier: Applier, plan: Plan, options: UpOptions) -> int:
    """Creates, attaches to all that will run, starts, and shows their output until they end or the user has enough."""
    making = [wave for wave in plan if any(a.kind not in _STARTING for a in wave)]
    applier.run(tuple(making))
    sources = _sources(context, wanted_services(context.project, options))
    names = ", ".join(source.label for source in sources)
    context.progress.say(f"Attaching to {names}")
    printer = Printer(
        [s.label for s in sources],
        prefix=not context.on("no_log_prefix"),
        colour=False if context.on("no_color") else context.colour,
    )
    attached = Attached(context.engine, printer)
    for source in sources:
        attached.attach(source)
    return _until_the_end(context, applier, plan, attached, sources)


def _until_the_end(context: Context, applier: Applier, plan: Plan, attached: Attached, sources: list[Source]) -> int:
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        applier.run(tuple(wave for wave in plan if all(a.kind in _STARTING for a in wave)))
        attached.join()
    except KeyboardInterrupt:
        context.progress.say("Gracefully Stopping... press Ctrl+C again to force")
        ids = {source.id for source in sources}
        running = [c for c in observe_containers(context.engine, context.project.name) if c.id in ids]
        try:
            _run(context, plan_stop(running))
        except KeyboardInterrupt:
            _run(context, plan_each(Kind.KILL, [c for c in running if c.is_running]))
        attached.join()
        return 130
    return _exit_status(context, attached)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _exit_status(context: Context, attached: Attached) -> int:
    service = context.text("exit_code_from")
    if not service:
        return 0
    return next((code for label, code in attached.exit_codes.items() if label.startswith(service)), 0)


def _sources(context: Context, names: tuple[str, ...]) -> list[Source]:
    project = context.project
    hidden = {name for name in names if project.service(name).attach is False}
    found = [c for c in observe_containers(context.engine, project.name) if c.service in names and not c.oneoff]
    return [
        Source(c.id, label_of(project.name, c.name), project.service(c.service).tty)
        for c in sorted(found, key=lambda c: (c.service, c.number))
        if c.service not in hidden
    ]


def _run(context: Context, plan: Plan, *, volumes: bool = False, signal_name: str = "") -> None:
    timeout_s = context.number("timeout")
    options = ApplyOptions(timeout_s=timeout_s, volumes=volumes, signal=signal_name, dry=context.dry)
    Applier(context.engine, context.progress, options=options).run(plan)


def down(context: Context) -> int:
    project, name = context.project_or_name
    left = observe_left(context.engine, name)
    options = DownOptions(
        volumes=context.on("volumes"), images=context.text("rmi"), remove_orphans=context.on("remove_orphans")
    )
    if context.services:
        containers = [c for c in left.containers if c.service in context.services]
        _run(context, plan_remove(containers), volumes=options.volumes)
        return 0
    plan = plan_down(project, left, options)
    if not plan:
        context.progress.warn(f"No resource found to remove for project {name!r}.")
    volumes = options.volumes
    Applier(
        context.engine,
        context.progress,
        project=project,
        options=ApplyOptions(timeout_s=context.number("timeout"), volumes=volumes, dry=context.dry),
    ).run(plan)
    return 0


def stop(context: Context) -> int:
    _run(context, plan_stop(context.containers()))
    return 0


def start(context: Context) -> int:
    """Starts what is there, dependencies first; their conditions are waited for as `up` does."""
    containers = context.containers()
    if not containers:
        name = context.services[0] if context.services else context.project_or_name[1]
        raise ActionFailed(f'service "{name}" has no container to start')
    idle = [c for c in containers if not c.is_running]
    _run(context, plan_each(Kind.START, idle, upward=True))
    return 0


def restart(context: Context) -> int:
    _run(context, plan_each(Kind.RESTART, context.containers(), upward=True))
    return 0


def kill(context: Context) -> int:
    running = [c for c in context.containers() if c.is_running]
    _run(context, plan_each(Kind.KILL, running), signal_name=context.text("signal"))
    return 0


def rm(context: Context) -> int:
    containers = context.containers()
    if context.on("stop"):
        _run(context, plan_stop(containers))
    idle = [c for c in containers if context.on("stop") or not c.is_running]
    if not idle:
        context.progress.say("No stopped containers")
        return 0
    names = ", ".join(c.name for c in idle)
    print(f"Going to remove {names}", flush=True)
    if not context.on("force"):
        print("Are you sure? [yN] ", end="", flush=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            return 0
    _run(context, plan_each(Kind.REMOVE, idle), volumes=context.on("volumes"))
    return 0


def pull(context: Context) -> int:
    project = context.project
    options = UpOptions(
        services=context.services, pull=context.text("policy") or "always", no_deps=not context.on("include_deps")
    )
    dry = ApplyOptions(dry=context.dry)
    plan = plan_pulls(project, Observed(), options)
    Applier(context.engine, context.progress, project=project, options=dry).run(plan)
    return 0


def pause(context: Context) -> int:
    _run(context, plan_each(Kind.PAUSE, context.containers(all=False)))
    return 0


def unpause(context: Context) -> int:
    _run(context, plan_each(Kind.UNPAUSE, context.containers(all=False)))
    return 0
