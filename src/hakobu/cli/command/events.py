"""`events`: what happens, as it happens."""

from __future__ import annotations

import time

from hakobu.cli.failure import Failure
from hakobu.cli.kind import STRING
from hakobu.cli.listing import FILTERS, filters_of
from hakobu.cli.table import Command, Flag
from hakobu.cli.timestamp import since_text
from hakobu.client.codec import object_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hakobu.cli.session import Session
    from hakobu.cli.table import Values
    from hakobu.client.codec import Json

EVENTS = Command(
    "events",
    "[OPTIONS]",
    "Show events as they happen",
    aliases=("system events", "events"),
    flags=(
        FILTERS,
        Flag("format", "", STRING, "Format of the output: json or a Go template"),
        Flag("since", "", STRING, "From this time on"),
        Flag("until", "", STRING, "Up to this time"),
    ),
)


def events(session: Session, values: Values, arguments: list[str]) -> int:
    since, until = since_text(values.text("since")), since_text(values.text("until"))
    line = _printer(values.text("format"))
    with session.engine.system.events(since=since, until=until, filters=filters_of(values)) as response:
        for raw in response.lines():
            session.line(line(raw))
    return 0


def _printer(form: str) -> Callable[[bytes], str]:
    from hakobu.client.codec import decode

    if not form:
        return lambda raw: event_text(decode(raw))
    if form == "json":
        return lambda raw: raw.decode("utf-8", "replace").strip()
    from hakobu.cli.template.evaluate import Template
    from hakobu.cli.template.lexer import TemplateError
    from hakobu.cli.template.value import structured

    try:
        template = Template(form)
    except TemplateError as e:
        raise Failure(f"Error parsing format: {e}", 64) from None

    def execute(raw: bytes) -> str:
        event = decode(raw)
        known = {"Status": event.get("status", ""), "ID": event.get("id", ""), "From": event.get("from", "")}
        known |= {"Time": event.get("time", 0), "TimeNano": event.get("timeNano", 0), "Scope": event.get("scope", "")}
        try:
            return template.execute(structured({**event, **known}))
        except TemplateError as e:
            raise Failure(str(e)) from None

    return execute


def event_text(event: Json) -> str:
    """Time, type, action and subject, with its attributes sorted."""
    actor: Json = object_of(event.get("Actor"))
    attributes: dict[str, str] = object_of(actor.get("Attributes"))
    text = f"{_moment(event)} {event.get('Type', '')} {event.get('Action', '')} {actor.get('ID', '')}"
    if attributes:
        text += " (" + ", ".join(f"{name}={attributes[name]}" for name in sorted(attributes)) + ")"
    return text


def _moment(event: Json) -> str:
    nano = int(event.get("timeNano") or int(event.get("time", 0)) * 10**9)
    seconds, fraction = divmod(nano, 10**9)
    local = time.localtime(seconds)
    zone = time.strftime("%z", local)
    shown = "Z" if zone == "+0000" else f"{zone[:3]}:{zone[3:]}"
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', local)}.{fraction:09d}{shown}"
