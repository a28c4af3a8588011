"""`hakobu describe CONTAINER… --as run|compose|quadlet`: a container as what would make it.

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
from hakobu.compose.form import quadlet, run_argv
from hakobu.compose.portrait import lost, service_of
from hakobu.spec.step import Json

FORMS = ("run", "compose", "quadlet")


def main(argv: list[str], endpoint: Endpoint | str) -> int:
    parser = argparse.ArgumentParser(prog="hakobu describe", description="Write containers as what would make them.")
    parser.add_argument(
        "--as", dest="form", choices=FORMS, default="run", help="docker run, Compose file, quadlet unit"
    )
    parser.add_argument("containers", nargs="+", metavar="CONTAINER")
    try:
        options = parser.parse_args(argv)
        engine = Engine(endpoint)
        services = {name: _service(engine, name) for name in options.containers}
    except SystemExit as e:
        return int(e.code or 0)
    except ClientError as e:
        print(e, file=sys.stderr)
        return 1
    sys.stdout.write(_written(options.form, services))
    return 0


def _service(engine: Engine, name: str) -> dict[str, Json]:
    made = engine.containers.inspect(name)
    image: Mapping[str, Any] = {}
    try:
        image = engine.images.inspect(made["Image"])["Config"] or {}
    except EngineError as e:
        if e.status != 404:
            raise
    for missing in lost(made):
        print(f"{name}: {missing} is not said", file=sys.stderr)
    return service_of(made, image)


def _written(form: str, services: Mapping[str, dict[str, Json]]) -> str:
    if form == "compose":
        return "".join(block(compose_document(services), 0))
    texts: list[str] = []
    for name, service in services.items():
        if form == "run":
            text, missing = shlex.join(run_argv(service)) + "\n", []
        else:
            text, missing = quadlet(service)
        texts.append(text)
        for key in missing:
            print(f"{name}: {key} cannot be said in a {form} unit", file=sys.stderr)
    return "\n".join(texts)


def compose_document(services: Mapping[str, dict[str, Json]]) -> dict[str, Json]:
    """A file with the services; networks and volumes that exist already are external."""
    networks: set[str] = set()
    volumes: set[str] = set()
    for service in services.values():
        joined, mounted = service.get("networks"), service.get("volumes")
        networks |= {str(name) for name in joined} if isinstance(joined, list) else set()
        sources = [str(v).split(":")[0] for v in mounted if ":" in str(v)] if isinstance(mounted, list) else []
        volumes |= {source for source in sources if not source.startswith("/")}
    named: dict[str, Json] = {str(s["container_name"]): s for s in services.values()}
    document: dict[str, Json] = {"services": named}
    for section, names in (("networks", networks), ("volumes", volumes)):
        if names:
            document[section] = {name: {"name": name, "external": True} for name in sorted(names)}
    return document
