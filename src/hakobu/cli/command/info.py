"""`info`: what the engine is and has."""

from __future__ import annotations

from hakobu import __version__
from hakobu.cli.failure import Silent
from hakobu.cli.listing import OBJECT_FORMAT
from hakobu.cli.table import Command, key_values
from hakobu.cli.text.size import binary
from hakobu.client.codec import list_of, object_of
from hakobu.client.error import ClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values
    from hakobu.client.codec import Json

INFO = Command(
    "info", "[OPTIONS]", "Show what the engine is and has", flags=(OBJECT_FORMAT,), aliases=("system info", "info")
)


def info(session: Session, values: Values, arguments: list[str]) -> int:
    from hakobu.cli.plugins import installed

    plugins = installed(session.config(), session.config_dir)
    client: Json = {
        "Debug": session.debug,
        "Version": __version__,
        "Context": session.endpoint.context,
        "Endpoint": session.endpoint.url,
        "EndpointChosenBy": session.endpoint.chosen_by,
        "Plugins": [{**plugin.metadata, "Name": plugin.name, "Path": plugin.path} for plugin in plugins],
        "Warnings": None,
    }
    failure: ClientError | None = None
    found: Json = {}
    try:
        found = session.engine.system.info()
    except ClientError as e:
        failure = e
    if values.text("format"):
        from hakobu.cli.template.output import print_object

        document: Json = {**found, "ClientInfo": client}
        if failure:
            document["ServerErrors"] = [str(failure)]
        print_object(session, values.text("format"), document, type_name="system.dockerInfo")
    else:
        session.out(_client_text(client) + "\n" + (_server_text(found) if found else "Server:\n"))
        for warning in list_of(found.get("Warnings")):
            session.error(warning)
    if failure:
        session.error(f"ERROR: {failure}\nerrors pretty printing info")
        raise Silent(1)
    return 0


def _client_text(client: Json) -> str:
    return (
        f"Client:\n Version:    {client['Version']}\n Context:    {client['Context']}\n"
        f" Endpoint:   {client['Endpoint']} ({client['EndpointChosenBy']})\n"
        f" Debug Mode: {_bool(client['Debug'])}\n" + _plugins_text(client["Plugins"])
    )


def _plugins_text(plugins: list[Json]) -> str:
    """docker's command line plugins: what each is for, its version and its path."""
    if not plugins:
        return ""
    lines = [" Plugins:"]
    for plugin in plugins:
        lines.append(f"  {plugin['Name']}: {plugin.get('ShortDescription', '')} ({plugin.get('Vendor', '')})")
        lines += [f"    Version:  {plugin['Version']}"] if plugin.get("Version") else []
        lines.append(f"    Path:     {plugin['Path']}")
    return "\n".join(lines) + "\n"


def _bool(value: object) -> str:
    return "true" if value else "false"


class _Page:
    """Lines of `Name: value`, left out where there is no value."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, name: str, value: object, depth: int = 1) -> None:
        if value not in (None, ""):
            self.lines.append(f"{' ' * depth}{name}: {value}")

    def block(self, name: str, rows: list[str]) -> None:
        if rows:
            self.lines.append(f" {name}:")
            self.lines += [f"  {row}" for row in rows]

    def text(self) -> str:
        return "Server:\n" + "".join(f"{line}\n" for line in self.lines) + "\n"


def _server_text(found: Json) -> str:
    page = _Page()
    page.add("Containers", found.get("Containers", 0))
    for name in ("Running", "Paused", "Stopped"):
        page.add(name, found.get(f"Containers{name}", 0), 2)
    page.add("Images", found.get("Images", 0))
    page.add("Server Version", found.get("ServerVersion"))
    page.add("Storage Driver", found.get("Driver"))
    page.lines += [f"  {name}: {value}" for name, value in list_of(found.get("DriverStatus"))]
    page.add("Logging Driver", found.get("LoggingDriver"))
    page.add("Cgroup Driver", found.get("CgroupDriver"))
    page.add("Cgroup Version", found.get("CgroupVersion"))
    plugins: Json = object_of(found.get("Plugins"))
    page.block("Plugins", [f"{kind}: {' '.join(plugins.get(kind) or [])}" for kind in ("Volume", "Network", "Log")])
    page.add("Swarm", object_of(found.get("Swarm")).get("LocalNodeState"))
    page.add("Runtimes", " ".join(sorted(object_of(found.get("Runtimes")))))
    page.add("Default Runtime", found.get("DefaultRuntime"))
    page.add("Init Binary", found.get("InitBinary"))
    for name, key in (("containerd", "ContainerdCommit"), ("runc", "RuncCommit"), ("init", "InitCommit")):
        page.add(f"{name} version", object_of(found.get(key)).get("ID"))
    _security(page, found)
    page.add("Kernel Version", found.get("KernelVersion"))
    page.add("Operating System", found.get("OperatingSystem"))
    page.add("OSType", found.get("OSType"))
    page.add("Architecture", found.get("Architecture"))
    page.add("CPUs", found.get("NCPU"))
    page.add("Total Memory", binary(found.get("MemTotal") or 0))
    page.add("Name", found.get("Name"))
    page.add("ID", found.get("ID"))
    page.add("Docker Root Dir", found.get("DockerRootDir"))
    page.add("Debug Mode", _bool(found.get("Debug")))
    _proxies(page, found)
    page.block("Labels", list_of(found.get("Labels")))
    page.add("Experimental", _bool(found.get("ExperimentalBuild")))
    _registries(page, found)
    page.add("Live Restore Enabled", _bool(found.get("LiveRestoreEnabled")))
    return page.text()


def _security(page: _Page, found: Json) -> None:
    rows: list[str] = []
    for option in list_of(found.get("SecurityOptions")):
        fields = key_values(str(option).split(","))
        rows.append(fields.pop("name", str(option)))
        rows += [f" {name.capitalize()}: {value}" for name, value in fields.items()]
    page.block("Security Options", rows)


def _proxies(page: _Page, found: Json) -> None:
    for name, key in (("HTTP Proxy", "HttpProxy"), ("HTTPS Proxy", "HttpsProxy"), ("No Proxy", "NoProxy")):
        page.add(name, found.get(key))


def _registries(page: _Page, found: Json) -> None:
    config: Json = object_of(found.get("RegistryConfig"))
    named = [name for name, one in object_of(config.get("IndexConfigs")).items() if not one.get("Secure")]
    page.block("Insecure Registries", sorted(named) + list_of(config.get("InsecureRegistryCIDRs")))
    page.block("Registry Mirrors", list_of(config.get("Mirrors")))
