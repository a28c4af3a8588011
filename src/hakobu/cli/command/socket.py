"""`socket create`, `ls`, `inspect`, `rm`: sockets of the engine that may do only what is said here. Docker has none."""

from __future__ import annotations

from hakobu.cli.failure import Failure, Silent
from hakobu.cli.kind import BOOL, LIST, STRING
from hakobu.cli.listing import FORMAT, chosen_format, show, show_ids
from hakobu.cli.table import MANY, Command, Flag, key_values
from hakobu.cli.template.value import Record
from hakobu.client.error import EngineError
from hakobu.client.url import quote_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values
    from hakobu.client.codec import Json

CREATE = Command(
    "socket create",
    "[OPTIONS] [NAME]",
    "Make a socket that may do only what is said",
    most=1,
    flags=(
        Flag("allow", "", LIST, "Permit this, as in containers:read or volumes:*"),
        Flag("bind", "", LIST, "Let containers mount this very path of the host, or PATH:ro"),
        Flag("capability", "", LIST, "Let containers have this capability beyond the default ones"),
        Flag("feature", "", LIST, "Let containers have this exception, as in publish"),
        Flag("group", "", STRING, "Group of the machine that may use the socket"),
        Flag("image", "", LIST, "Show and use only images of this pattern, as in nginx:*"),
        Flag("label", "", LIST, "Show and touch only objects with this label; new ones get it"),
        Flag("network", "", LIST, "Let containers join this network beside those in scope"),
        Flag("policy", "", STRING, "Read all of this from a TOML file"),
        Flag("volume", "", LIST, "Let containers mount this volume beside those in scope"),
    ),
)
LS = Command(
    "socket ls",
    "[OPTIONS]",
    "List sockets of limited rights",
    flags=(FORMAT, Flag("quiet", "q", BOOL, "Show the names only")),
)
INSPECT = Command("socket inspect", "SOCKET [SOCKET...]", "Show policies of sockets", least=1, most=MANY)
RM = Command("socket rm", "SOCKET [SOCKET...]", "Remove sockets of limited rights", least=1, most=MANY)
COLUMNS = (("Name", "NAME"), ("Allow", "ALLOW"), ("Labels", "LABELS"), ("Path", "PATH"))
HEADERS: dict[str, object] = {**dict(COLUMNS), "Problem": "PROBLEM"}
_LISTS = {
    "allow": "allow",
    "bind": "binds",
    "capability": "capabilities",
    "feature": "features",
    "image": "images",
    "network": "networks",
    "volume": "volumes",
}


def create(session: Session, values: Values, arguments: list[str]) -> int:
    policy = _from_file(values.text("policy"))
    if arguments:
        policy["name"] = arguments[0]
    if not policy.get("name"):
        raise Failure("a socket needs a name: give one, or a policy file with one")
    for flag, key in _LISTS.items():
        if given := values.texts(flag):
            policy[key] = [*(policy.get(key) or []), *given]
    if labels := key_values(values.texts("label")):
        policy["labels"] = {**(policy.get("labels") or {}), **labels}
    if group := values.text("group"):
        policy["group"] = group
    made = session.engine.system.hakobu("POST", "/v1/sockets/create", None, policy)
    session.line(str(made["Path"]))
    return 0


def _from_file(path: str) -> Json:
    if not path:
        return {}
    import tomllib

    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise Failure(f"{path}: {e}") from None


def ls(session: Session, values: Values, arguments: list[str]) -> int:
    sockets: list[Json] = session.engine.system.hakobu("GET", "/v1/sockets")
    form = chosen_format(session, values, "socketsFormat")
    if values.on("quiet") and form == "table":
        show_ids(session, [str(socket["Name"]) for socket in sockets])
        return 0
    show(session, form, [_row(socket) for socket in sockets], COLUMNS, HEADERS)
    return 0


def _row(socket: Json) -> Record:
    policy: Json = socket["Policy"]
    labels: dict[str, str] = policy["labels"]
    members = {
        "Allow": lambda: _gathered(policy["allow"]),
        "Labels": lambda: ",".join(f"{name}={value}" for name, value in sorted(labels.items())),
        "Name": lambda: socket["Name"],
        "Path": lambda: socket["Path"],
        "Problem": lambda: socket.get("Problem", ""),
    }
    return Record(members, "*formatter.socketContext")


def _gathered(permissions: list[str]) -> str:
    """All of a kind by its star, as they may be given."""
    from hakobu.spec.policy import PERMISSIONS

    kinds = dict.fromkeys(permission.partition(":")[0] for permission in permissions)
    there = {kind: {p for p in PERMISSIONS if p.startswith(f"{kind}:")} for kind in kinds}
    whole = [kind for kind, all_of in there.items() if len(all_of) > 1 and all_of <= set(permissions)]
    return ",".join(dict.fromkeys(f"{k}:*" if (k := p.partition(":")[0]) in whole else p for p in permissions))


def inspect(session: Session, values: Values, arguments: list[str]) -> int:
    from hakobu.cli.text.json_text import indent
    from hakobu.client.codec import encode

    found = [session.engine.system.hakobu("GET", f"/v1/sockets/{quote_path(name)}") for name in arguments]
    session.line(indent(encode(found).decode()))
    return 0


def rm(session: Session, values: Values, arguments: list[str]) -> int:
    failed = False
    for name in arguments:
        try:
            session.engine.system.hakobu("DELETE", f"/v1/sockets/{quote_path(name)}")
        except EngineError as e:
            session.error(str(e))
            failed = True
            continue
        session.line(name)
    if failed:
        raise Silent(1)
    return 0
