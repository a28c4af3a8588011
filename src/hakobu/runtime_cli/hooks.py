"""Hooks that run when a container has been let go, and when it is gone; their failure is told and changes nothing."""

from hakobu.runtime.hooks import run_hooks
from hakobu.runtime_cli.container import Container
from hakobu.runtime_cli.context import Context
from hakobu.spec.runtime_config import Hook, RuntimeConfig
from hakobu.spec.step import Json


def poststart(container: Container, config: RuntimeConfig, context: Context) -> None:
    _run(config.hooks.poststart, container, "running", container.pid, context, "poststart")


def poststop(container: Container, config: RuntimeConfig, context: Context) -> None:
    _run(config.hooks.poststop, container, "stopped", 0, context, "poststop")


def _run(hooks: tuple[Hook, ...], container: Container, status: str, pid: int, context: Context, kind: str) -> None:
    """Each, whatever became of the one before."""
    for hook in hooks:
        told: Json = {"path": hook.path, "args": list(hook.args), "env": list(hook.env), "timeout_s": hook.timeout_s}
        try:
            run_hooks({"hooks": [told]}, container.hook_state(status, pid))
        except OSError as error:
            context.log.write("warning", f"{kind} hook {hook.path}: {error.strerror}")
