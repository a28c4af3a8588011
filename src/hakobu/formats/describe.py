"""`hakobu describe CONTAINER… --as run|compose|quadlet|kube`: a container as what would make it.

What a form cannot say is named on standard error, so that nothing is lost in silence.
"""

import argparse
import shlex
import sys
from collections.abc import Mapping
from typing import Any

from hakobu.client.endpoint import Endpoint
from hakobu.client.engine import Engine
from hakobu.client.error import ClientError, EngineError
from hakobu.compose.config import block
from hakobu.formats.document import project_of
from hakobu.formats.kube.writer import write_kube
from hakobu.formats.note import Note
from hakobu.formats.portrait import lost, service_of
from hakobu.formats.quadlet.writer import write_quadlets
from hakobu.formats.run import run_argv
from hakobu.formats.source import files_text, tell
from hakobu.spec.step import Json

FORMS = ("run", "compose", "quadlet", "kube")


def main(argv: list[str], endpoint: Endpoint | str) -> int:
    parser = argparse.ArgumentParser(prog="hakobu describe", description="Write containers as what would make them.")
    parser.add_argument(
        "--as",
        dest="form",
        choices=FORMS,
        default="run",
        help="docker run, a Compose file, quadlet units, a Kubernetes file",
    )
    parser.add_argument("containers", nargs="+", metavar="CONTAINER")
    try:
        options = parser.parse_args(argv)
        services = portraits(Engine(endpoint), options.containers)
    except SystemExit as e:
        return int(e.code or 0)
    except ClientError as e:
        print(e, file=sys.stderr)
        return 1
    text, notes = write_services(options.form, services)
    tell(notes)
    sys.stdout.write(text)
    return 0


def portraits(engine: Engine, names: list[str]) -> dict[str, dict[str, Json]]:
    """Each container as a service, by its name; the namespaces of one another are said by their names."""
    made = [engine.containers.inspect(name) for name in names]
    ids = {str(m["Id"]): str(m["Name"]).lstrip("/") for m in made}
    found: dict[str, dict[str, Json]] = {}
    for document in made:
        service = _service(engine, document)
        for key in ("network_mode", "ipc", "pid"):
            kind, _, other = str(service.get(key) or "").partition(":")
            if kind == "container" and (name := ids.get(other) or (other if other in ids.values() else "")):
                service[key] = f"service:{name}"
        found[str(service["container_name"])] = service
    return found


def _service(engine: Engine, made: Mapping[str, Any]) -> dict[str, Json]:
    image: Mapping[str, Any] = {}
    try:
        image = engine.images.inspect(made["Image"])["Config"] or {}
    except EngineError as e:
        if e.status != 404:
            raise
    tell(f"{str(made['Name']).lstrip('/')}: {missing} is not said" for missing in lost(made))
    return service_of(made, image)


def write_services(form: str, services: Mapping[str, dict[str, Json]]) -> tuple[str, list[Note]]:
    """The form's text, and what it does not say."""
    if form == "compose":
        return "".join(block(compose_document(services), 0)), []
    if form == "run":
        return "".join(shlex.join(run_argv(service)) + "\n" for service in services.values()), []
    project = project_of(compose_document(services), "described")
    if form == "kube":
        return write_kube(project)
    files = write_quadlets(project)
    return files_text(files.texts), files.notes


def compose_document(services: Mapping[str, dict[str, Json]]) -> dict[str, Json]:
    """A file with the services; networks and volumes that exist already are external."""
    networks: set[str] = set()
    volumes: set[str] = set()
    for service in services.values():
        joined, mounted = service.get("networks"), service.get("volumes")
        networks |= {str(name) for name in joined} if isinstance(joined, (list, dict)) else set()
        sources = [str(v).split(":")[0] for v in mounted if ":" in str(v)] if isinstance(mounted, list) else []
        volumes |= {source for source in sources if not source.startswith("/")}
    named: dict[str, Json] = {str(s["container_name"]): _placed(s) for s in services.values()}
    document: dict[str, Json] = {"services": named}
    for section, names in (("networks", networks), ("volumes", volumes)):
        if names:
            document[section] = {name: {"name": name, "external": True} for name in sorted(names)}
    return document


def _placed(service: dict[str, Json]) -> dict[str, Json]:
    """A container on the engine's own network says so: a Compose file would else make one."""
    if "networks" in service or "network_mode" in service:
        return service
    return {**service, "network_mode": "bridge"}
