"""The names an engine has now, for completion: asked for quietly, and nothing is started for it."""

from __future__ import annotations

from hakobu.client.codec import list_of, object_of
from hakobu.client.error import ClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.completion.candidate import Candidate
    from hakobu.cli.session import Session


def names_of(session: Session, kind: str, states: str) -> list[Candidate]:
    """Names of a kind with a word about each; none where the engine does not answer."""
    try:
        if kind != "context":
            session.endpoint.start = None
        return _LISTS[kind](session, states)
    except (ClientError, OSError):
        return []


def _containers(session: Session, states: str) -> list[Candidate]:
    filters = {"status": states.split()} if states else None
    found = session.engine.containers.list(all=True, filters=filters)
    return [(name.lstrip("/"), f"{item['Image']}, {item['Status']}") for item in found for name in item["Names"]]


def _images(session: Session, states: str) -> list[Candidate]:
    return [
        (tag.removesuffix(":latest"), "image")
        for item in session.engine.images.list()
        for tag in list_of(item.get("RepoTags"))
        if tag != "<none>:<none>"
    ]


def _networks(session: Session, states: str) -> list[Candidate]:
    return [(str(item["Name"]), str(item["Driver"])) for item in session.engine.networks.list()]


def _volumes(session: Session, states: str) -> list[Candidate]:
    return [(str(item["Name"]), str(item["Driver"])) for item in session.engine.volumes.list()]


def _contexts(session: Session, states: str) -> list[Candidate]:
    from hakobu.client.context import ContextStore

    found = ContextStore(session.config_dir).list()
    return [("default", ""), *((context.name, context.description or context.host) for context in found)]


def _runtimes(session: Session, states: str) -> list[Candidate]:
    return [(name, "") for name in object_of(session.engine.system.info().get("Runtimes"))]


def _any(session: Session, states: str) -> list[Candidate]:
    return [item for kind in (_containers, _images, _networks, _volumes) for item in kind(session, states)]


_LISTS = {
    "any": _any,
    "container": _containers,
    "context": _contexts,
    "image": _images,
    "network": _networks,
    "runtime": _runtimes,
    "volume": _volumes,
}
