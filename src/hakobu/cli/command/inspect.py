"""`inspect` of anything, and of one kind: the engine's own JSON, or a template on it."""

from __future__ import annotations

from hakobu.cli.failure import Failure, Silent
from hakobu.cli.kind import BOOL, STRING
from hakobu.cli.listing import OBJECT_FORMAT, PLATFORM
from hakobu.cli.table import MANY, Command, Flag
from hakobu.client.codec import decode
from hakobu.client.error import EngineError
from hakobu.client.url import quote_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hakobu.cli.session import Session
    from hakobu.cli.table import Values

_SIZE = Flag("size", "s", BOOL, "Show sizes of containers")
INSPECT = Command(
    "inspect",
    "[OPTIONS] NAME|ID [NAME|ID...]",
    "Show all about containers, images, networks and volumes",
    least=1,
    most=MANY,
    flags=(OBJECT_FORMAT, _SIZE, Flag("type", "", STRING, "Look for objects of this kind only")),
)
CONTAINER_INSPECT = Command(
    "container inspect",
    "[OPTIONS] CONTAINER [CONTAINER...]",
    "Show all about containers",
    least=1,
    most=MANY,
    flags=(OBJECT_FORMAT, _SIZE),
)
IMAGE_INSPECT = Command(
    "image inspect",
    "[OPTIONS] IMAGE [IMAGE...]",
    "Show all about images",
    least=1,
    most=MANY,
    flags=(OBJECT_FORMAT, PLATFORM),
)
NETWORK_INSPECT = Command(
    "network inspect",
    "[OPTIONS] NETWORK [NETWORK...]",
    "Show all about networks",
    least=1,
    most=MANY,
    flags=(OBJECT_FORMAT, Flag("verbose", "v", BOOL, "Show more, for looking into faults")),
)
VOLUME_INSPECT = Command(
    "volume inspect",
    "[OPTIONS] VOLUME [VOLUME...]",
    "Show all about volumes",
    least=1,
    most=MANY,
    flags=(OBJECT_FORMAT,),
)
_KINDS = ("container", "image", "network", "volume")
_FOREIGN = ("config", "node", "plugin", "secret", "service", "task")


def _fetch(session: Session, kind: str, name: str, values: Values) -> str:
    """The engine's JSON of one object, as text."""
    size = values.on("size") if "size" in values.given else False
    query: dict[str, str | bool | None] = {}
    path = f"/{kind}s/{quote_path(name)}"
    if kind in ("container", "image"):
        path += "/json"
    if kind == "container":
        query["size"] = size
    if "platform" in values.given:
        query["platform"] = session.engine.images.platform_query(values.text("platform"), "1.49")
    if kind == "network" and "verbose" in values.given:
        query["verbose"] = "true"
    with session.engine.transport.open("GET", path, query) as response:
        return response.read().decode("utf-8", "replace").strip()


def print_objects(session: Session, values: Values, names: list[str], fetch: Callable[[str], str]) -> int:
    """Found objects first, in one list or a line each, then the failures."""
    form = values.text("format")
    printer = _printer(form)
    compact = form == "json"
    found: list[str] = []
    failures: list[str] = []
    for name in names:
        try:
            raw = fetch(name)
        except EngineError as e:
            failures.append(str(e))
            continue
        except Failure as e:
            failures.append(e.message)
            continue
        if printer is None:
            found.append(raw)
            continue
        try:
            found.append(printer(raw))
        except Failure as e:
            session.out("".join(f"{line}\n" for line in found) + "\n")
            raise Failure("\n".join([*failures, e.message]), e.status) from None
    session.out(f"[{','.join(found)}]\n" if compact else _joined(found, as_list=printer is None))
    if failures:
        session.error("\n".join(failures))
        raise Silent(1)
    return 0


def _joined(found: list[str], *, as_list: bool) -> str:
    if not as_list:
        return "".join(f"{line}\n" for line in found) or "\n"
    if not found:
        return "[]\n"
    from hakobu.cli.text.json_text import indent

    return indent("[" + ",".join(found) + "]") + "\n"


def _printer(form: str) -> Callable[[str], str] | None:
    """What makes an object's text: None for the JSON list."""
    if not form:
        return None
    from hakobu.cli.template.evaluate import Template
    from hakobu.cli.template.lexer import TemplateError
    from hakobu.cli.template.value import structured
    from hakobu.cli.text.json_text import encoded

    if form == "json":
        return lambda raw: encoded(decode(raw))
    try:
        template = Template(form)
    except TemplateError as e:
        raise Failure(f"template parsing error: {e}", 64) from None

    def execute(raw: str) -> str:
        try:
            return template.execute(structured(decode(raw)))
        except TemplateError as e:
            raise Failure(f"template parsing error: {e}") from None

    return execute


def inspect(session: Session, values: Values, arguments: list[str]) -> int:
    kind = values.text("type")
    if kind and kind not in _KINDS:
        if kind in _FOREIGN:
            raise Failure(f"objects of the kind {kind} are not supported")
        known = ", ".join(f'"{name}"' for name in sorted((*_KINDS, *_FOREIGN)))
        raise Failure(f'unknown type: "{kind}": must be one of {known}')
    if kind:
        return print_objects(session, values, arguments, lambda name: _fetch(session, kind, name, values))
    return print_objects(session, values, arguments, lambda name: _any(session, name, values))


def _any(session: Session, name: str, values: Values) -> str:
    for kind in _KINDS:
        try:
            return _fetch(session, kind, name, values)
        except EngineError as e:
            if e.status != 404 and not _misfit(kind, e):
                raise
    raise Failure(f"Error: No such object: {name}")


def _misfit(kind: str, error: EngineError) -> bool:
    """A name that is good for one kind may be malformed for another; that only means it is not one."""
    return error.status == 400 and kind in ("image", "volume", "network")


def container_inspect(session: Session, values: Values, arguments: list[str]) -> int:
    return print_objects(session, values, arguments, lambda name: _fetch(session, "container", name, values))


def image_inspect(session: Session, values: Values, arguments: list[str]) -> int:
    return print_objects(session, values, arguments, lambda name: _fetch(session, "image", name, values))


def network_inspect(session: Session, values: Values, arguments: list[str]) -> int:
    return print_objects(session, values, arguments, lambda name: _fetch(session, "network", name, values))


def volume_inspect(session: Session, values: Values, arguments: list[str]) -> int:
    return print_objects(session, values, arguments, lambda name: _fetch(session, "volume", name, values))
