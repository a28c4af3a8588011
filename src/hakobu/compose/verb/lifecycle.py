"""Verbs that change things: up, down, create, start, stop, restart, kill, rm, pull, pause, unpause."""

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace

from hakobu.compose.action import Kind, Plan
from hakobu.compose.apply import Applier
from hakobu.compose.context import Context
from hakobu.compose.failure import ActionFailed
from hakobu.compose.follow import Attached, Printer, Source, label_of
from hakobu.compose.memory import keep
from hakobu.compose.model.project import Project
from hakobu.compose.observed import Observed, observe, observe_containers, observe_left
from hakobu.compose.plan import UpOptions, changed_resources, orphans, plan_pulls, plan_up, plan_wait, wanted_services
from hakobu.compose.plan_down import DownOptions, plan_down, plan_each, plan_remove, plan_stop
from hakobu.compose.quick import head_of
from hakobu.compose.summary import summary
from hakobu.compose.support import refuse_builds, refuse_unsupported
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
        recreate_dependencies=context.on("always_recreate_deps"),
        scale=scale,
    )


def prepare(context: Context, options: UpOptions) -> tuple[Applier, Plan, Observed]:
    """Images first, then a look at what is there, then the plan; nothing but images has changed afterwards."""
    project = context.project
    for name in (*options.services, *options.scale):
        project.service(name)
    names = wanted_services(project, options)
    refuse_unsupported(project, names)
    if context.on("build"):
        refuse_builds(project, names)
    if any(project.service(name).provider is not None for name in names) and not context.dry:
        from hakobu.compose.provider import provided

        project = context.take(provided(project, names, context.progress, os.environ))
    observed = observe(context.engine, project)
    if pulls := plan_pulls(project, observed, options):
        options_of = context.apply_options()
        Applier(context.engine, context.progress, project=project, observed=observed, options=options_of).run(pulls)
        observed = observe(context.engine, project)
    _warn(context, project, observed, options)
    applier = Applier(
        context.engine,
        context.progress,
        project=project,
        observed=observed,
        options=context.apply_options(),
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


def bring_up(context: Context) -> None:
    """What `up -d` does."""
    applier, plan, _ = prepare(context, up_options(context))
    applier.run(plan)


def up(context: Context) -> int:
    options = up_options(context)
    applier, plan, _ = prepare(context, options)
    if context.on("detach") or options.wait or options.no_start or context.dry:
        applier.run(plan)
        remember(context)
        return 0
    return _attached_up(context, applier, plan, options)


def remember(context: Context) -> None:
    """Leaves a note of the project for the next `up -d`, where this one was plain and nothing had to be warned of."""
    head = head_of(context.argv)
    if head is None or context.has_warned:
        return
    found = summary(context.project, context.disk)
    if found is not None:
        keep(head, os.environ, context.disk.texts, found)


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
        if context.on("down_project"):
            down(context, everything=True)
            break
    return status


_STARTING = (Kind.AWAIT, Kind.START, Kind.RESTART, Kind.KEEP)


def _attached_up(context: Context, applier: Applier, plan: Plan, options: UpOptions) -> int:
    """Creates, attaches to all that will run, starts, and shows their output until they end or the user has enough."""
    making = [wave for wave in plan if any(a.kind not in _STARTING for a in wave)]
    applier.run(tuple(making))
    sources = _sources(context, wanted_services(context.project, options))
    shown = [source for source in sources if _is_shown(context, source)]
    context.progress.say(f"Attaching to {', '.join(source.label for source in shown)}")
    printer = Printer(
        [s.label for s in shown],
        prefix=not context.on("no_log_prefix"),
        colour=False if context.on("no_color") else context.colour,
        timestamps=context.on("timestamps"),
    )
    attached = Attached(context.engine, printer)
    for source in sources:
        attached.attach(source, shown=source in shown)
    return _until_the_end(context, applier, plan, attached, sources)


def _is_shown(context: Context, source: Source) -> bool:
    """Whether a container's output is wanted: by `--attach`, else of the named services, but those turned off."""
    chosen = context.texts("attach")
    if chosen:
        return source.service in chosen
    if source.service in context.texts("no_attach") or context.project.service(source.service).attach is False:
        return False
    is_named = not context.services or source.service in context.services
    return is_named or context.on("attach_dependencies")


def _aborts(context: Context) -> Callable[[str, int], bool]:
    """Whether the end of a container is the end of all."""
    at_any_end = context.on("abort_on_container_exit") or bool(context.text("exit_code_from"))
    at_failure = context.on("abort_on_container_failure")
    return lambda _, status: at_any_end or (at_failure and status != 0)


def _until_the_end(context: Context, applier: Applier, plan: Plan, attached: Attached, sources: list[Source]) -> int:
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        applier.run(tuple(wave for wave in plan if all(a.kind in _STARTING for a in wave)))
        first = attached.join(_aborts(context))
        if first is None:
            return _exit_status(context, attached, None)
        context.progress.say("Aborting on container exit...")
        _stop_all(context, attached, sources)
        return _exit_status(context, attached, first)
    except KeyboardInterrupt:
        context.progress.say("Gracefully Stopping... press Ctrl+C again to force")
        _stop_all(context, attached, sources)
        return 130


def _stop_all(context: Context, attached: Attached, sources: list[Source]) -> None:
    """Stops what was attached to; a second interrupt kills it."""
    ids = {source.id for source in sources}
    running = [c for c in observe_containers(context.engine, context.project.name) if c.id in ids]
    try:
        run_plan(context, plan_stop(running))
    except KeyboardInterrupt:
        run_plan(context, plan_each(Kind.KILL, [c for c in running if c.is_running]))
    attached.join()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _exit_status(context: Context, attached: Attached, first: str | None) -> int:
    """That of the service asked for; else that of the container whose end was the end of all."""
    service = context.text("exit_code_from")
    if service:
        return next((code for label, code in attached.exit_codes.items() if label.rpartition("-")[0] == service), 0)
    return attached.exit_codes.get(first, 0) if first else 0


def _sources(context: Context, names: tuple[str, ...]) -> list[Source]:
    project = context.project
    found = [c for c in observe_containers(context.engine, project.name) if c.service in names and not c.oneoff]
    return [
        Source(c.id, label_of(project.name, c.name), project.service(c.service).tty, c.service)
        for c in sorted(found, key=lambda c: (c.service, c.number))
    ]


def run_plan(context: Context, plan: Plan, *, volumes: bool = False, signal_name: str = "") -> None:
    """Carries a plan out that needs no more than the containers it names, and the files' hooks where there are any."""
    options = context.apply_options(volumes=volumes, signal=signal_name)
    has_hooks = any(a.kind in (Kind.START, Kind.STOP, Kind.RESTART) for wave in plan for a in wave)
    project = context.project_or_name[0] if has_hooks else None
    Applier(context.engine, context.progress, project=project, options=options).run(plan)


def down(context: Context, *, everything: bool = False) -> int:
    """`everything`: whatever services are named."""
    project, name = context.project_or_name
    left = observe_left(context.engine, name)
    options = DownOptions(
        volumes=context.on("volumes"), images=context.text("rmi"), remove_orphans=context.on("remove_orphans")
    )
    if context.services and not everything:
        containers = [c for c in left.containers if c.service in context.services]
        run_plan(context, plan_remove(containers), volumes=options.volumes)
        return 0
    plan = plan_down(project, left, options)
    if not plan:
        context.progress.warn(f"No resource found to remove for project {name!r}.")
    volumes = options.volumes
    Applier(
        context.engine,
        context.progress,
        project=project,
        options=context.apply_options(volumes=volumes),
    ).run(plan)
    _end_providers(context, project)
    return 0


def _end_providers(context: Context, project: Project | None) -> None:
    """What others provide for the project is taken down by them."""
    if project is None or context.dry:
        return
    for service in project.services.values():
        if service.provider is not None:
            from hakobu.compose.provider import call

            call("down", project.name, service, context.progress, os.environ)


def stop(context: Context) -> int:
    run_plan(context, plan_stop(context.containers()))
    return 0


def start(context: Context) -> int:
    """Starts what is there, dependencies first; their conditions are waited for as `up` does."""
    containers = context.containers()
    if not containers:
        name = context.services[0] if context.services else context.project_or_name[1]
        raise ActionFailed(f'service "{name}" has no container to start')
    idle = [c for c in containers if not c.is_running]
    run_plan(context, plan_each(Kind.START, idle, upward=True))
    if context.on("wait") and not context.dry:
        project = context.project
        options = context.apply_options()
        observed = Observed(containers=containers)
        names = dict.fromkeys(c.service for c in containers)
        applier = Applier(context.engine, context.progress, project=project, observed=observed, options=options)
        applier.run(plan_wait(project, names))
    return 0


def restart(context: Context) -> int:
    """Also what depends, with `restart: true`, on what is restarted, unless --no-deps."""
    chosen = context.containers()
    every = observe_containers(context.engine, context.project_or_name[1])
    again = {c.service for c in chosen}
    dependents = [c for c in every if c not in chosen and c.is_running and again & {*c.restarts_with}]
    run_plan(context, plan_each(Kind.RESTART, [*chosen, *([] if context.on("no_deps") else dependents)], upward=True))
    return 0


def kill(context: Context) -> int:
    running = [c for c in context.containers() if c.is_running]
    run_plan(context, plan_each(Kind.KILL, running), signal_name=context.text("signal"))
    if context.on("remove_orphans"):
        remove_orphans(context)
    return 0


def remove_orphans(context: Context) -> None:
    """Containers of services that the files do not have."""
    project = context.project
    lost = orphans(project, Observed(containers=observe_containers(context.engine, project.name)))
    run_plan(context, plan_remove(lost))


def rm(context: Context) -> int:
    containers = context.containers()
    if context.on("stop"):
        run_plan(context, plan_stop(containers))
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
    run_plan(context, plan_each(Kind.REMOVE, idle), volumes=context.on("volumes"))
    return 0


def pause(context: Context) -> int:
    run_plan(context, plan_each(Kind.PAUSE, context.containers(all=False)))
    return 0


def unpause(context: Context) -> int:
    run_plan(context, plan_each(Kind.UNPAUSE, context.containers(all=False)))
    return 0
