"""`plugin`: engine plugins, of which there are none here; the answers are docker's where nothing is installed."""

from __future__ import annotations

from hakobu.cli.failure import Failure, Silent
from hakobu.cli.kind import BOOL
from hakobu.cli.listing import (
    FILTERS,
    FORMAT,
    NO_TRUNC,
    OBJECT_FORMAT,
    QUIET,
    chosen_format,
    filters_of,
    short_id,
    show,
    show_ids,
)
from hakobu.cli.table import MANY, Command, Flag
from hakobu.cli.template.value import Record
from hakobu.client.codec import list_of, object_of
from hakobu.client.error import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values
    from hakobu.client.codec import Json

LS = Command(
    "plugin ls",
    "[OPTIONS]",
    "List plugins of the engine",
    aliases=("plugin ls", "plugin list"),
    flags=(FILTERS, FORMAT, NO_TRUNC, QUIET),
)
INSPECT = Command(
    "plugin inspect",
    "[OPTIONS] PLUGIN [PLUGIN...]",
    "Show all about them",
    least=1,
    most=MANY,
    flags=(OBJECT_FORMAT,),
)
RM = Command(
    "plugin rm",
    "[OPTIONS] PLUGIN [PLUGIN...]",
    "Remove plugins",
    least=1,
    most=MANY,
    aliases=("plugin rm", "plugin remove"),
    flags=(Flag("force", "f", BOOL, "Remove active ones, too"),),
)
REFUSED = Command("", "[OPTIONS] [ARG...]", "Of plugins, which this engine has not", most=MANY, raw=True)
COLUMNS = (("ID", "ID"), ("Name", "NAME"), ("Description", "DESCRIPTION"), ("Enabled", "ENABLED"))


def ls(session: Session, values: Values, arguments: list[str]) -> int:
    from hakobu.client.container import encode_filters

    try:
        query = {"filters": encode_filters(filters_of(values))}
        found = list_of(session.engine.transport.call("GET", "/plugins", query))
    except EngineError as e:
        if e.status not in (404, 501):
            raise
        found = []
    form = chosen_format(session, values, "pluginsFormat")
    full = values.on("no-trunc")
    if values.on("quiet") and form == "table":
        show_ids(session, [short_id(str(plugin["Id"]), full=full) for plugin in found])
        return 0
    show(session, form, [_row(plugin, full) for plugin in found], COLUMNS, {**dict(COLUMNS), "PluginReference": ""})
    return 0


def _row(plugin: Json, full: bool) -> Record:
    config = object_of(plugin.get("Config"))
    members = {
        "Description": lambda: str(config.get("Description") or ""),
        "Enabled": lambda: bool(plugin.get("Enabled")),
        "ID": lambda: short_id(str(plugin["Id"]), full=full),
        "Name": lambda: str(plugin["Name"]),
        "PluginReference": lambda: str(plugin.get("PluginReference") or ""),
    }
    return Record(members, "*formatter.pluginContext")


def inspect(session: Session, values: Values, arguments: list[str]) -> int:
    from hakobu.cli.command.inspect import print_objects

    return print_objects(session, values, arguments, _absent)


def _absent(name: str) -> str:
    raise Failure(f'Error response from daemon: plugin "{name}" not found')


def rm(session: Session, values: Values, arguments: list[str]) -> int:
    for name in arguments:
        session.error(f'Error response from daemon: plugin "{name}" not found')
    raise Silent(1)


def refused(session: Session, values: Values, arguments: list[str]) -> int:
    raise Failure(
        f"`{session.name}` is not supported: this engine has no plugins of docker's kind\n"
        "(volumes: the driver `local` mounts nfs, tmpfs and bind by its options; networks: bridge, macvlan, ipvlan)"
    )
