"""`context`: docker's contexts, in docker's store, so that both programs have the same ones.

Called as `docker`, `use` and `show` are about docker's current context; otherwise about our own choice, for
`hakobu` never follows docker's (see `client/endpoint.py`).
"""

from __future__ import annotations

import os

from hakobu.cli.each import for_each
from hakobu.cli.failure import Failure
from hakobu.cli.kind import BOOL, MAP, STRING
from hakobu.cli.listing import FORMAT, OBJECT_FORMAT, show, show_ids
from hakobu.cli.option.mount import split_fields
from hakobu.cli.table import MANY, Command, Flag, key_values
from hakobu.cli.template.value import Record
from hakobu.client.context import DEFAULT, DEFAULT_ABOUT, TLS_FILES, Context, ContextStore, default_context
from hakobu.client.endpoint import OWN_CHOICE, current_context
from hakobu.client.error import ClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values
    from hakobu.client.codec import Json

_DESCRIPTION = Flag("description", "", STRING, "What the context is for")
_DOCKER = Flag("docker", "", MAP, "Its engine: host=…, ca=…, cert=…, key=…, skip-tls-verify=…, from=CONTEXT")
CREATE = Command(
    "context create",
    "[OPTIONS] CONTEXT",
    "Give an engine's address a name",
    least=1,
    most=1,
    flags=(_DESCRIPTION, _DOCKER, Flag("from", "", STRING, "Copy this context")),
)
UPDATE = Command(
    "context update",
    "[OPTIONS] CONTEXT",
    "Change a context",
    least=1,
    most=1,
    flags=(_DESCRIPTION, _DOCKER),
)
LS = Command(
    "context ls",
    "[OPTIONS]",
    "List contexts",
    aliases=("context ls", "context list"),
    flags=(FORMAT, Flag("quiet", "q", BOOL, "Show the names only")),
)
INSPECT = Command(
    "context inspect", "[OPTIONS] [CONTEXT...]", "Show all about contexts", most=MANY, flags=(OBJECT_FORMAT,)
)
RM = Command(
    "context rm",
    "CONTEXT [CONTEXT...]",
    "Remove contexts",
    least=1,
    most=MANY,
    aliases=("context rm", "context remove"),
    flags=(Flag("force", "f", BOOL, "Remove the one in use, too"),),
)
SHOW_NAME = Command("context show", "", "Print the name of the context in use")
USE = Command("context use", "CONTEXT", "Use a context from now on", least=1, most=1)
EXPORT = Command("context export", "CONTEXT [FILE|-]", "Write a context to a tar archive", least=1, most=2)
IMPORT_CONTEXT = Command("context import", "CONTEXT FILE|-", "Read a context from an archive", least=2, most=2)
COLUMNS = (
    ("Name", "NAME"),
    ("Description", "DESCRIPTION"),
    ("DockerEndpoint", "DOCKER ENDPOINT"),
    ("Error", "ERROR"),
)
_NAME_PATTERN = "^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$"
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+-")


def _store(session: Session) -> ContextStore:
    return ContextStore(session.config_dir)


def _environment(session: Session) -> dict[str, str]:
    return {**os.environ, "DOCKER_CONFIG": session.config_dir}


def _current(session: Session) -> str:
    """The context that commands use now; what -H and the environment's addresses say stands for `default`."""
    env = _environment(session)
    if session.values.text("context"):
        return session.values.text("context")
    for name in ("HAKOBU", "DOCKER") if session.as_docker else ("HAKOBU",):
        if session.values.texts("host") or env.get(f"{name}_HOST"):
            return DEFAULT
        if env.get(f"{name}_CONTEXT"):
            return env[f"{name}_CONTEXT"]
    return current_context(env, as_docker=session.as_docker) or DEFAULT


def _default(session: Session) -> Context:
    """What `default` stands for: docker's words and address, or our own socket."""
    context = default_context(_environment(session))
    if not session.as_docker:
        from hakobu.client.endpoint import own_socket

        context.host = os.environ.get("HAKOBU_HOST") or f"unix://{own_socket(os.environ, os.getuid())}"
    return context


def _get(session: Session, name: str) -> Context:
    return _default(session) if name == DEFAULT else _store(session).get(name)


def _check_name(name: str) -> None:
    if name == DEFAULT:
        raise Failure('"default" is a reserved context name')
    if len(name) < 2 or not name[0].isalnum() or not set(name) <= _LETTERS:
        raise Failure(f'context name "{name}" is invalid, names are validated against regexp "{_NAME_PATTERN}"')


def create(session: Session, values: Values, arguments: list[str]) -> int:
    name = arguments[0]
    _check_name(name)
    store = _store(session)
    if name in store:
        raise Failure(f'context "{name}" already exists')
    context = Context(name)
    if values.text("from"):
        context = _copy(_get(session, values.text("from")), name)
    elif "docker" not in values.given:
        context = _copy(_get(session, _current(session)), name)
        context.description = context.description or DEFAULT_ABOUT
    context.description = values.text("description") or context.description
    if "docker" in values.given:
        _set_engine(session, context, values)
    store.put(context)
    session.line(name)
    session.error(f'Successfully created context "{name}"')
    return 0


def _copy(context: Context, name: str) -> Context:
    return Context(name, context.description, context.host, context.skip_tls_verify, context.tls)


def _set_engine(session: Session, context: Context, values: Values) -> None:
    """Reads the items of `--docker` into a context; Failure with docker's words."""
    items = key_values([item for text in values.texts("docker") for item in split_fields(text)])
    for key in items:
        if key not in ("from", "host", "skip-tls-verify", *TLS_FILES):
            raise Failure(f"unable to create docker endpoint config: unrecognized config key: {key}")
    if "from" in items:
        source = _get(session, items["from"])
        context.host, context.tls = source.host, source.tls
        context.skip_tls_verify = source.skip_tls_verify
        return
    context.host, context.tls = items.get("host", ""), _tls_files(items)
    from hakobu.cli.kind import parse_bool

    try:
        context.skip_tls_verify = parse_bool(items.get("skip-tls-verify", "false"))
    except ValueError as e:
        raise Failure(f"unable to create docker endpoint config: skip-tls-verify: {e}") from None


def _tls_files(items: dict[str, str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for key, file_name in TLS_FILES.items():
        if not items.get(key):
            continue
        try:
            with open(items[key], "rb") as file:
                data = file.read()
        except OSError as e:
            reason = (e.strerror or "").lower()
            raise Failure(f"unable to create docker endpoint config: open {items[key]}: {reason}") from None
        if b"-----BEGIN " not in data:
            message = f"failed to retrieve context tls info: {file_name} seems invalid"
            raise Failure(f"unable to create docker endpoint config: invalid docker endpoint options: {message}")
        found[file_name] = data
    return found


def update(session: Session, values: Values, arguments: list[str]) -> int:
    _check_name(arguments[0])
    store = _store(session)
    context = store.get(arguments[0])
    if "description" in values.given:
        context.description = values.text("description")
    if "docker" in values.given:
        _set_engine(session, context, values)
    store.put(context)
    session.line(context.name)
    session.error(f'Successfully updated context "{context.name}"')
    return 0


def ls(session: Session, values: Values, arguments: list[str]) -> int:
    current = _current(session)
    contexts = _store(session).list()
    default = _default(session)
    default.description = DEFAULT_ABOUT if session.as_docker else "The caller's own engine"
    contexts.append(default)
    contexts.sort(key=lambda context: context.name)
    if values.on("quiet"):
        show_ids(session, [context.name for context in contexts])
        return 0
    form = values.text("format")
    rows = [_row(context, context.name == current, table=form in ("", "table")) for context in contexts]
    show(session, form, rows, COLUMNS, {**dict(COLUMNS), "Current": ""})
    _warn_of_host(session, "a context")
    return 0


def _row(context: Context, current: bool, *, table: bool) -> Record:
    members = {
        "Current": lambda: current,
        "Description": lambda: context.description,
        "DockerEndpoint": lambda: context.host,
        "Error": lambda: "",
        "Name": lambda: f"{context.name} *" if table and current else context.name,
    }
    return Record(members, "*formatter.clientContextContext")


def _warn_of_host(session: Session, what: str) -> None:
    variable = "DOCKER_HOST" if session.as_docker else "HAKOBU_HOST"
    if os.environ.get(variable):
        how = "either set the global --context flag, or unset"
        told = f"overrides the active context. To use {what}, {how} {variable} environment variable."
        session.error(f"Warning: {variable} environment variable {told}")


def inspect(session: Session, values: Values, arguments: list[str]) -> int:
    from hakobu.cli.command.inspect import print_objects
    from hakobu.cli.text.json_text import encoded

    def fetch(name: str) -> str:
        try:
            return encoded(_document(session, _get(session, name)), html=True)
        except ClientError as e:
            raise Failure(str(e)) from None

    return print_objects(session, values, arguments or [_current(session)], fetch)


def _document(session: Session, context: Context) -> Json:
    store = _store(session)
    own = context.name == DEFAULT
    files = sorted(context.tls)
    return {
        **context.to_json(),
        "TLSMaterial": {"docker": files} if files else {},
        "Storage": {
            "MetadataPath": "<IN MEMORY>" if own else store.meta_dir(context.name),
            "TLSPath": "<IN MEMORY>" if own else store.tls_dir(context.name),
        },
    }


def rm(session: Session, values: Values, arguments: list[str]) -> int:
    store, current = _store(session), _current(session)

    def remove(name: str) -> str:
        if name == DEFAULT:
            raise ClientError('context "default" cannot be removed')
        if name not in store and not values.on("force"):
            raise ClientError(f'context "{name}" does not exist')
        if name == current:
            if not values.on("force"):
                raise ClientError(f'context "{name}" is in use, set -f flag to force remove')
            _choose(session, DEFAULT)
        store.remove(name)
        return name

    return for_each(session, arguments, remove)


def _choose(session: Session, name: str) -> None:
    from hakobu.client.configuration import change

    def edit(document: Json) -> None:
        if session.as_docker:
            # docker's program writes this key whenever it writes.
            document.setdefault("auths", {})
        document.pop("currentContext", None)
        if name != DEFAULT:
            document["currentContext"] = name

    change(f"{session.config_dir}/{'config.json' if session.as_docker else OWN_CHOICE}", edit)


def show_name(session: Session, values: Values, arguments: list[str]) -> int:
    session.line(_current(session))
    return 0


def use(session: Session, values: Values, arguments: list[str]) -> int:
    name = arguments[0]
    if name != DEFAULT:
        _store(session).get(name)
    _choose(session, name)
    session.line(name)
    session.error(f'Current context is now "{name}"')
    if name != DEFAULT:
        _warn_of_host(session, f'"{name}"')
    return 0


def export(session: Session, values: Values, arguments: list[str]) -> int:
    from hakobu.cli.context_archive import pack
    from hakobu.cli.session import STDOUT_FD, write_all
    from hakobu.cli.terminal import is_terminal

    context = _get(session, arguments[0])
    path = arguments[1] if len(arguments) > 1 else f"{context.name}.dockercontext"
    if path == "-":
        if is_terminal(STDOUT_FD):
            raise Failure("cowardly refusing to export to a terminal, specify a file path")
        write_all(STDOUT_FD, pack(context))
        return 0
    try:
        # It may hold a key: for its owner only.
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise Failure(f"open {path}: file exists") from None
    with open(fd, "wb") as file:
        file.write(pack(context))
    session.error(f'Written file "{path}"')
    return 0


def import_context(session: Session, values: Values, arguments: list[str]) -> int:
    from hakobu.cli.context_archive import unpack

    name, path = arguments
    _check_name(name)
    store = _store(session)
    if name in store:
        raise Failure(f'context "{name}" already exists')
    import sys

    if path == "-":
        data = sys.stdin.buffer.read()
    else:
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError as e:
            raise Failure(f"open {path}: {(e.strerror or '').lower()}") from None
    store.put(unpack(data, name))
    session.line(name)
    session.error(f'Successfully imported context "{name}"')
    return 0
