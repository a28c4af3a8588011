"""`compose watch`: files that change here are brought into the containers, or the containers restarted.

The kernel says that something changed (inotify); what, is found by looking, so no event can be missed or misread.
Changes that come close together are handled at once.
"""

import contextlib
import io
import os
import tarfile
import threading
from collections.abc import Callable, Generator, Iterable

from hakobu.compose.action import Kind
from hakobu.compose.context import Context
from hakobu.compose.failure import ActionFailed, UnsupportedAttribute
from hakobu.compose.hook import run_in
from hakobu.compose.observed import ObservedContainer, observe_containers
from hakobu.compose.plan_down import plan_each
from hakobu.compose.verb.lifecycle import bring_up, run_plan
from hakobu.compose.watch import Difference, Stamp, Trigger, difference, directories, look, triggers
from hakobu.kernel.inotify import Watches

_QUIET_S = 0.2


def watch(context: Context) -> int:
    """Until interrupted."""
    found = find_triggers(context)
    if context.dry:
        for trigger in found:
            context.progress.line(f"Service {trigger.service}", f"Would {trigger.action} {trigger.path}")
        return 0
    if not context.on("no_up"):
        bring_up(context)
    context.progress.say("Watch enabled")
    try:
        follow(context, found, quiet=context.on("quiet"))
    except KeyboardInterrupt:
        return 130
    return 0


@contextlib.contextmanager
def watched(context: Context) -> Generator[None]:
    """Handles changes beside what is done meanwhile."""
    found = find_triggers(context)
    ended = threading.Event()
    threading.Thread(target=follow, args=(context, found), kwargs={"until": ended.is_set}, daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def find_triggers(context: Context) -> tuple[Trigger, ...]:
    """Of the named services, or of all; `rebuild` is refused by its place, and nothing to watch is an error."""
    project = context.project
    found: list[Trigger] = []
    for name in context.services or tuple(project.services):
        service = project.service(name)
        for i, trigger in enumerate(triggers(service, _docker_ignore(service.build.get("context")))):
            if trigger.action == "rebuild":
                path = ("services", name, "develop", "watch")
                mark = project.mark(*path)
                raise UnsupportedAttribute(mark, f"{'.'.join(path)}.{i}.action", "images are not built here")
            found.append(trigger)
    if not found:
        raise ActionFailed("none of the selected services is configured for watch", hint="see `develop.watch`")
    return tuple(found)


def _docker_ignore(directory: object) -> str:
    try:
        with open(os.path.join(str(directory or ""), ".dockerignore"), encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def follow(
    context: Context, found: Iterable[Trigger], *, quiet: bool = False, until: Callable[[], bool] = lambda: False
) -> None:
    """Handles changes as they come, until `until` says so (asked once a second) or an interrupt."""
    seen: list[tuple[Trigger, dict[str, Stamp]]] = []
    with Watches() as watches:
        for trigger in found:
            _add(watches, trigger)
            now = look(trigger)
            seen.append((trigger, now))
            if trigger.initial_sync:
                _handle(context, trigger, Difference(tuple(sorted(now)), ()), quiet)
        while not until():
            if not watches.wait(1.0):
                continue
            while watches.wait(_QUIET_S):
                continue
            for i, (trigger, before) in enumerate(seen):
                _add(watches, trigger)
                now = look(trigger)
                change = difference(before, now)
                seen[i] = (trigger, now)
                if change.changed or change.gone:
                    _handle(context, trigger, change, quiet)


def _add(watches: Watches, trigger: Trigger) -> None:
    for directory in directories(trigger):
        try:
            watches.add(directory)
        except FileNotFoundError:
            continue  # it has gone again


def _handle(context: Context, trigger: Trigger, change: Difference, quiet: bool) -> None:
    every = observe_containers(context.engine, context.project.name)
    running = [c for c in every if c.service == trigger.service and c.is_running and not c.oneoff]
    if not quiet:
        count = len(change.changed) + len(change.gone)
        context.progress.say(f"{trigger.action} service {trigger.service!r}: {count} changed")
    if trigger.action.startswith("sync"):
        for container in running:
            _sync(context, trigger, container, change)
    if trigger.action in ("restart", "sync+restart"):
        run_plan(context, plan_each(Kind.RESTART, running))
    if trigger.action == "sync+exec":
        for container in running:
            run_in(context.engine, container.id, trigger.hook, what=f"sync+exec of {trigger.service}")


def _sync(context: Context, trigger: Trigger, container: ObservedContainer, change: Difference) -> None:
    present = [path for path in change.changed if os.path.lexists(path)]
    if present:
        packed = _archive(trigger, present)
        context.engine.containers.put_archive(container.id, "/", packed, overwrite_dir_with_file=True)
    if change.gone:
        gone = [trigger.place(path) for path in change.gone]
        run_in(context.engine, container.id, {"command": ["rm", "-rf", *gone], "user": "root"}, what="sync")


def _archive(trigger: Trigger, paths: list[str]) -> bytes:
    """The files under their places in the container; they belong to root there."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path in paths:
            entry = tar.gettarinfo(path, trigger.place(path).lstrip("/"))
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = ""
            if entry.isreg():
                with open(path, "rb") as file:
                    tar.addfile(entry, file)
            else:
                tar.addfile(entry)
    return buffer.getvalue()
