"""`version`: the client's and the engine's."""

from __future__ import annotations

import os
import sys

from hakobu import __version__
from hakobu.cli.kind import BOOL, STRING
from hakobu.cli.table import Command, Flag
from hakobu.client.codec import object_of
from hakobu.client.error import ClientError
from hakobu.client.transport import API_VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values
    from hakobu.client.codec import Json

VERSION = Command(
    "version",
    "[OPTIONS]",
    "Show the version of client and engine",
    flags=(
        Flag("client", "", BOOL, "Show the client's only; no engine is asked"),
        Flag("format", "f", STRING, "Format of the output: json or a Go template"),
    ),
)
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def architecture() -> str:
    machine = os.uname().machine
    return _ARCHITECTURES.get(machine, machine)


def version(session: Session, values: Values, arguments: list[str]) -> int:
    client = _client(session, values.on("client"))
    server: Json | None = None
    failure: ClientError | None = None
    if not values.on("client"):
        try:
            server = session.engine.system.version()
        except ClientError as e:
            failure = e
    client["ApiVersion"] = API_VERSION if server is None else session.engine.transport.version
    if values.text("format"):
        _formatted(session, values.text("format"), {"Client": client, "Server": server})
    else:
        session.out(_client_text(client))
        if server:
            session.out(f"\n{_server_text(server)}")
    if failure:
        raise failure
    return 0


def _client(session: Session, alone: bool) -> Json:
    python = ".".join(str(part) for part in sys.version_info[:3])
    return {
        "Version": __version__,
        "ApiVersion": API_VERSION,
        "DefaultAPIVersion": API_VERSION,
        "GitCommit": "",
        "PythonVersion": python,
        "Os": "linux",
        "Arch": architecture(),
        "Context": "" if alone else session.endpoint.context,
        "Endpoint": "" if alone else f"{session.endpoint.url} ({session.endpoint.chosen_by})",
    }


def _client_text(client: Json) -> str:
    api = client["ApiVersion"]
    if api != API_VERSION:
        api = f"{api} (downgraded from {API_VERSION})"
    rows = [
        ("Version", client["Version"]),
        ("API version", api),
        ("Python version", client["PythonVersion"]),
        ("OS/Arch", f"{client['Os']}/{client['Arch']}"),
    ]
    if client["Context"]:
        rows += [("Context", client["Context"]), ("Endpoint", client["Endpoint"])]
    return "Client:\n" + "".join(_row(" ", name, text) for name, text in rows)


def _row(indent: str, name: str, text: str) -> str:
    return f"{indent}{(name + ':').ljust(18)} {text}\n"


_DETAILS = (
    ("ApiVersion", "API version"),
    ("GoVersion", "Go version"),
    ("PythonVersion", "Python version"),
    ("GitCommit", "Git commit"),
    ("BuildTime", "Built"),
)


def _server_text(server: Json) -> str:
    platform = object_of(server.get("Platform")).get("Name") or ""
    text = f"Server: {platform}".rstrip() + "\n"
    for component in server.get("Components") or [_old_component(server)]:
        text += _component_text(component)
    return text


def _old_component(server: Json) -> Json:
    """The engine as a component, for engines that list none."""
    details = {name: str(server.get(name, "")) for name in ("ApiVersion", "MinAPIVersion", "GoVersion", "GitCommit")}
    details |= {name: str(server.get(name, "")) for name in ("BuildTime", "Os", "Arch", "Experimental")}
    return {"Name": "Engine", "Version": server.get("Version", ""), "Details": details}


def _component_text(component: Json) -> str:
    details: dict[str, str] = object_of(component.get("Details"))
    text = f" {component['Name']}:\n" + _row("  ", "Version", component["Version"])
    if component["Name"] != "Engine":
        return text + "".join(_row("  ", name, value) for name, value in sorted(details.items()))
    for key, label in _DETAILS:
        if key not in details:
            continue
        value = details[key]
        if value.startswith("Python "):
            label, value = "Python version", value.removeprefix("Python ")
        if key == "ApiVersion" and details.get("MinAPIVersion"):
            value = f"{value} (minimum version {details['MinAPIVersion']})"
        text += _row("  ", label, value)
    text += _row("  ", "OS/Arch", f"{details.get('Os', '')}/{details.get('Arch', '')}")
    return text + _row("  ", "Experimental", str(details.get("Experimental") or "false").lower())


def _formatted(session: Session, text: str, data: Json) -> None:
    from hakobu.cli.template.output import print_object

    print_object(session, text, data, name="version", type_name="system.versionInfo")
