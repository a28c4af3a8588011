"""`up -d` where everything stands already: told from the project's note and four or five questions to the engine.

Answers only when it is sure; in every other case, an engine that does not answer among them, it says nothing and
the long way is gone. What it prints is what `up` prints of a plan in which every container is kept.
"""

from __future__ import annotations

import os

from hakobu.client.engine import Engine
from hakobu.client.error import ClientError
from hakobu.compose import memory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from hakobu.client.codec import Json
    from hakobu.client.endpoint import Endpoint
    from hakobu.compose.memory import Note

_WITH_VALUE = ("-f", "--file", "-p", "--project-name", "--project-directory", "--env-file", "--profile")
_CHANGES_NOTHING = ("-d", "--detach", "--remove-orphans", "-y", "--yes", "--quiet-pull", "--no-build", "--quiet-build")
_LABEL = "com.docker.compose."
_RUNNING = ("running", "paused", "restarting")


def head_of(argv: list[str]) -> list[str] | None:
    """The words before the verb, of a command line that is a plain `up -d` of everything; None for any other."""
    at = 0
    while at < len(argv) and argv[at].startswith("-"):
        name, equals, value = argv[at].partition("=")
        words = (value, *argv[at : at + 2])
        # `-f -` reads standard input, and what a name in a registry stands for may have changed
        if name not in _WITH_VALUE or "-" in words or any(word.startswith("oci://") for word in words):
            return None
        at += 1 if equals else 2
    if argv[at : at + 1] != ["up"]:
        return None
    flags = argv[at + 1 :]
    if not {"-d", "--detach"} & {*flags} or not {*flags} <= {*_CHANGES_NOTHING}:
        return None
    return argv[:at]


def up(argv: list[str], endpoint: Endpoint | str) -> int | None:
    """The exit status where there was nothing to do, None where that is not certain."""
    head = head_of(argv)
    note = memory.recall(head, os.environ) if head is not None else None
    if note is None:
        return None
    try:
        with Engine(endpoint) as engine:
            found = standing(engine, note["project"])
    except (ClientError, OSError):
        return None
    if found is None:
        return None
    os.write(2, "".join(_lines(note["project"], found) if not is_drawn() else _tree(note["project"], found)).encode())
    return 0


def is_drawn() -> bool:
    """Whether stderr is a terminal on which `up` draws its tree."""
    return os.isatty(2) and os.environ.get("TERM", "dumb") != "dumb"


def _lines(project: Note, found: dict[str, list[Json]]) -> Iterator[str]:
    colours = {"Waiting": "36", "Healthy": "32", "Running": "32"} if os.isatty(2) else {}
    for name, word in _words(project):
        for container in found[name]:
            shown = f"\x1b[{colours[word]}m{word}\x1b[0m" if colours else word
            yield f" Container {_name(container)}  {shown}\n"


def _words(project: Note) -> Iterator[tuple[str, str]]:
    """Each service's name with what is told of its containers, in the order of the plan."""
    for awaited, services in project["levels"]:
        yield from ((name, word) for word in ("Waiting", "Healthy") for name in awaited)
        yield from ((name, "Running") for name in services)


def _name(container: Json) -> str:
    return str(container["Names"][0]).lstrip("/")


def _tree(project: Note, found: dict[str, list[Json]]) -> Iterator[str]:
    from hakobu.compose.tree import Item, render

    items: dict[str, Item] = {}
    for name, word in _words(project):
        for container in found[name]:
            items[_name(container)] = Item(name, _name(container), word, 0, 0)
    columns, rows = os.get_terminal_size(2)
    notes: dict[str, str] = {name: service["ports"] for name, service in project["services"].items()}
    shown = render([*items.values()], notes, 0, columns=columns or 80, rows=(rows or 24) - 1, colour=True)
    yield from (f"{line}\n" for line in shown)


def standing(engine: Engine, project: Note) -> dict[str, list[Json]] | None:
    """The containers of each service, by their number, where all are as the note says; None where anything is not."""
    listed = engine.containers.list(all=True, filters={"label": [f"{_LABEL}project={project['name']}"]})
    mine = [c for c in listed if c["Labels"].get(f"{_LABEL}oneoff") != "True"]
    if any(c["Labels"].get(f"{_LABEL}service") not in project["known"] for c in mine):
        return None
    images = {image: _id(engine, image) for image in {s["image"] for s in project["services"].values()}}
    found: dict[str, list[Json]] = {}
    for name, service in project["services"].items():
        of_it = [c for c in mine if c["Labels"].get(f"{_LABEL}service") == name]
        if len(of_it) != service["count"] or not all(_is_fresh(c, service, images) for c in of_it):
            return None
        found[name] = sorted(of_it, key=lambda c: int(c["Labels"].get(f"{_LABEL}container-number") or 0))
    awaited = {name for names, _ in project["levels"] for name in names}
    if not all(_is_ready(c) for name in awaited for c in found[name]):
        return None
    return found if _resources_are_there(engine, project) else None


def _is_fresh(container: Json, service: Note, images: dict[str, str]) -> bool:
    labels, image = container["Labels"], images[service["image"]]
    same_image = bool(image) and labels.get(f"{_LABEL}image") in (None, "", image)
    return same_image and container["State"] in _RUNNING and labels.get(f"{_LABEL}config-hash") == service["hash"]


def _is_ready(container: Json) -> bool:
    """Healthy, or running without a health check: by the list's words, `Up 2 minutes (healthy)`."""
    status = container["Status"]
    return "(healthy)" in status or (container["State"] == "running" and "(" not in status)


def _id(engine: Engine, image: str) -> str:
    return str(_or_none(lambda: engine.images.inspect(image)).get("Id") or "")


def _resources_are_there(engine: Engine, project: Note) -> bool:
    """Networks and volumes, with the configuration they were made with where the files say one."""
    for inspect, wanted in ((engine.networks.inspect, "networks"), (engine.volumes.inspect, "volumes")):
        for name, made_with in project[wanted].items():
            document = _or_none(lambda inspect=inspect, name=name: inspect(name))
            labels: Json = document.get("Labels") or {}
            if not document or (made_with and labels.get(f"{_LABEL}config-hash", "") not in ("", made_with)):
                return False
    return True


def _or_none(ask: Callable[[], Any]) -> Json:
    """The engine's document; an empty one where it has no such thing, or anything else is wrong."""
    try:
        return ask()
    except ClientError:
        return {}
