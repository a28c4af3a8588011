"""Makes a container and lets it go at once; waits for its end, and removes it, unless it is detached."""

from hakobu.errors import HakobuError
from hakobu.kernel import process
from hakobu.runtime_cli import foreground, hooks, making
from hakobu.runtime_cli.context import Context
from hakobu.runtime_cli.launch import let_go
from hakobu.runtime_cli.option import Option, Parsed

OPTIONS = (
    *making.OPTIONS,
    Option(("detach", "d"), "nothing"),
    Option(("keep",), "nothing"),
    Option(("no-subreaper",), "nothing"),
)


def run(context: Context, given: Parsed) -> int:
    detached = given.flag("detach")
    if not detached and not given.flag("no-subreaper"):
        process.set_child_subreaper()
    made = making.make_container(context, given, gated=False, detached=detached)
    container, config, spawned = made.container, made.config, made.spawned
    try:
        let_go(spawned)
    except HakobuError:
        making.discard(container, config, context)
        raise
    hooks.poststart(container, config, context)
    if detached:
        return 0
    code = foreground.wait(spawned.pid, spawned.pidfd, spawned.master_fd)
    if not given.flag("keep"):
        making.discard(container, config, context)
    return code
