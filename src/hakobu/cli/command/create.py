"""`create`, and the creating that `run` does too: cidfile, missing images, warnings."""

from __future__ import annotations

import os

from hakobu.cli.failure import Failure
from hakobu.cli.option.container import build, own_labels
from hakobu.cli.option.flags import CREATE_FLAGS
from hakobu.cli.table import MANY, Command
from hakobu.client.codec import list_of
from hakobu.client.error import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values
    from hakobu.client.codec import Json

CREATE = Command(
    "create",
    "[OPTIONS] IMAGE [COMMAND] [ARG...]",
    "Create a container without starting it",
    least=1,
    most=MANY,
    flags=CREATE_FLAGS,
    aliases=("container create", "create"),
    interspersed=False,
)


def create(session: Session, values: Values, arguments: list[str]) -> int:
    try:
        body = build(values, arguments)
    except Failure as e:
        program = session.program
        more = f"Run '{program} {session.name} --help' for more information"
        raise Failure(f"{program}: {e.message}\n\n{more}", e.status) from None
    if values.on("explain"):
        from hakobu.cli.plan_text import show_plan

        return show_plan(session.engine, "/v1/plan/create", body, name=values.text("name"))
    session.line(create_container(session, values, body))
    return 0


def create_container(session: Session, values: Values, body: Json) -> str:
    """Creates from a request's body, pulling as `--pull` says; gives the id, after docker's own rituals."""
    cidfile = values.text("cidfile")
    if cidfile and os.path.exists(cidfile):
        message = f"container ID file found, make sure the other container isn't running or delete {cidfile}"
        raise Failure(message, 125)
    pull = values.text("pull")
    if pull not in ("always", "missing", "never"):
        message = f'invalid pull option: \'{pull}\': must be one of "always", "missing" or "never"'
        raise Failure(message, 125)
    platform = _platform(values)
    if own_labels(values):
        session.engine.system.hakobu("GET", "/v1/labels")  # an engine that knows nothing of them must not take them
    if pull == "always":
        _pull(session, values, body["Image"])
    _add_proxies(session, body)
    answer = _create(session, values, body, platform, pull)
    for warning in list_of(answer.get("Warnings")):
        session.error(f"WARNING: {warning}")
    container = str(answer["Id"])
    if cidfile:
        with open(cidfile, "w") as file:
            file.write(container)
    return container


def _add_proxies(session: Session, body: Json) -> None:
    config = session.config()
    if config.get("proxies"):
        from hakobu.cli.option.proxy import with_proxies

        body["Env"] = with_proxies(body.get("Env", []), config, session.endpoint.url)


def _platform(values: Values) -> str:
    from hakobu.cli.option.value import parse_platform

    try:
        return parse_platform(values.text("platform"))
    except ValueError as e:
        raise Failure(str(e), 125) from None


def _create(session: Session, values: Values, body: Json, platform: str, pull: str) -> Json:
    containers = session.engine.containers
    if platform and not session.engine.transport.at_least("1.41"):
        raise Failure('"--platform" requires API version 1.41', 125)
    try:
        return containers.create(body, name=values.text("name"), platform=platform)
    except EngineError as e:
        if e.status != 404 or pull != "missing" or "no such image" not in e.message.lower():
            raise
    from hakobu.cli.reference import with_tag

    if not values.on("quiet"):
        session.error(f"Unable to find image '{with_tag(body['Image'])}' locally")
    _pull(session, values, body["Image"])
    return containers.create(body, name=values.text("name"), platform=platform)


def _pull(session: Session, values: Values, image: str) -> None:
    from hakobu.cli.command.pull import pull_image
    from hakobu.cli.session import STDERR_FD

    pull_image(session, image, platform=values.text("platform"), quiet=values.on("quiet"), fd=STDERR_FD)
