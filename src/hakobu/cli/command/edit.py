"""`container edit`: other variables, labels, ports and mounts for a container; its files stay."""

from __future__ import annotations

from hakobu.cli.failure import Failure
from hakobu.cli.kind import BOOL, LIST
from hakobu.cli.table import Command, Flag
from hakobu.client.url import quote_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values
    from hakobu.client.codec import Json

_SET = (
    Flag("env", "e", LIST, "Set an environment variable"),
    Flag("env-file", "", LIST, "Read environment variables from a file"),
    Flag("expose", "", LIST, "Expose a port or a range of ports"),
    Flag("label", "l", LIST, "Set a label"),
    Flag("mount", "", LIST, "Mount a volume, a folder or a file: type=…,source=…,target=…"),
    Flag("publish", "p", LIST, "Publish a port, in place of how it was: [[IP:]HOST:]CONTAINER[/PROTOCOL]"),
    Flag("volume", "v", LIST, "Mount a volume or a folder: [SOURCE:]TARGET[:OPTIONS]"),
)
# Flags that take something away, and what it is called in the request.
_REMOVE = {
    "env-rm": ("Env", "Take a variable away"),
    "label-rm": ("Labels", "Take a label away"),
    "mount-rm": ("Mounts", "Take the mount at this path away; its volume stays"),
    "publish-rm": ("Ports", "Publish this port of the container no more: PORT[/PROTOCOL]"),
}
EDIT = Command(
    "container edit",
    "[OPTIONS] CONTAINER",
    "Change a container's variables, labels, ports and mounts",
    least=1,
    most=1,
    about="The container must not run, or be restarted for it by --restart; its own files are kept.\n"
    "What it is told here holds from the next start on. Limits and the restart policy are changed by update.",
    flags=(
        *_SET,
        *(Flag(name, "", LIST, about) for name, (_, about) in _REMOVE.items()),
        Flag("restart", "", BOOL, "Stop it before, and start it afterwards, if it runs"),
    ),
)


def edit(session: Session, values: Values, arguments: list[str]) -> int:
    name = arguments[0]
    body = {"Set": _set(values), "Remove": _remove(values)}
    if not body["Set"] and not body["Remove"]:
        raise Failure("you must provide one or more flags when using this command.")
    containers = session.engine.containers
    runs = bool(containers.inspect(name)["State"]["Running"])
    if runs and not values.on("restart"):
        raise Failure(f"container {name} is running: stop it first, or use --restart")
    if runs:
        containers.stop(name)
    try:
        answer = session.engine.system.hakobu("POST", f"/v1/containers/{quote_path(name)}/edit", None, body)
    finally:
        # With the edit or, where it was refused, as it was before.
        if runs:
            containers.start(name)
    for warning in answer["Warnings"]:
        session.error(f"WARNING: {warning}")
    session.line(name)
    return 0


def _set(values: Values) -> Json:
    """The flags as `create` reads them, and of its body what they have put there."""
    from hakobu.cli.command.create import CREATE
    from hakobu.cli.flag import parse_command
    from hakobu.cli.option.container import build

    words = [word for flag in _SET for item in values.texts(flag.long) for word in (f"--{flag.long}", item)]
    if not words:
        return {}
    body = build(*parse_command(CREATE, [*words, "edited"]))
    host = {name: body["HostConfig"].get(name) for name in ("PortBindings", "Binds", "Mounts")}
    found = {name: body.get(name) for name in ("Env", "Labels", "ExposedPorts")}
    found["HostConfig"] = {name: value for name, value in host.items() if value}
    return {name: value for name, value in found.items() if value}


def _remove(values: Values) -> Json:
    found = {field: values.texts(name) for name, (field, _) in _REMOVE.items()}
    found["Ports"] = [port if "/" in port else f"{port}/tcp" for port in found["Ports"]]
    return {field: names for field, names in found.items() if names}
