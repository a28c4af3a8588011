"""Commands around a container's life (`pre_start`, `post_start`, `pre_stop`), and what `develop.watch` does."""

from dataclasses import dataclass, field
from typing import Any

from hakobu.compose.model.document import compact, strings
from hakobu.compose.model.reading import (
    Reader,
    read_bool,
    read_choice,
    read_command,
    read_each,
    read_fields,
    read_shape,
    read_string,
    read_string_or_list,
    read_variables,
)
from hakobu.compose.node import Node, Scalar
from hakobu.spec.step import Json

ACTIONS = ("rebuild", "sync", "restart", "sync+restart", "sync+exec")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """`image` and `per_replica` belong to `pre_start` alone, which runs in a container of its own."""

    command: tuple[str, ...] = ()
    user: str = ""
    privileged: bool = False
    working_dir: str = ""
    environment: dict[str, str | None] = field(default_factory=dict[str, str | None])
    image: str = ""
    per_replica: bool = False

    def to_json(self) -> dict[str, Json]:
        document: dict[str, Json] = {"command": strings(self.command)}
        environment = dict[str, Json](self.environment)
        return document | compact(
            [
                ("user", self.user),
                ("privileged", self.privileged),
                ("working_dir", self.working_dir),
                ("environment", environment),
                ("image", self.image),
                ("per_replica", self.per_replica),
            ]
        )


_HOOK: dict[str, Reader] = {
    "command": read_command,
    "user": read_string,
    "privileged": read_bool,
    "working_dir": read_string,
    "environment": read_variables,
}


def _hook(node: Node, path: str) -> Hook:
    return _made(read_fields(node, path, _HOOK, ("command",)))


def _pre_start(node: Node, path: str) -> Hook:
    return _made(read_fields(node, path, {**_HOOK, "image": read_string, "per_replica": read_bool}, ("command",)))


def _made(fields: dict[str, Any]) -> Hook:
    fields["command"] = fields["command"] or ()
    return Hook(**fields)


def read_hooks(node: Node, path: str) -> tuple[Hook, ...]:
    return tuple(read_each(node, path, _hook))


def read_pre_start(node: Node, path: str) -> tuple[Hook, ...]:
    return tuple(read_each(node, path, _pre_start))


def _exec(node: Node, path: str) -> Json:
    return _hook(node, path).to_json()


def _patterns(node: Node, path: str) -> Json:
    return list[Json](read_string_or_list(node, path))


_TRIGGER: dict[str, Reader] = {
    "path": read_string,
    "action": lambda n, p: read_choice(n, p, ACTIONS),
    "target": read_string,
    "exec": _exec,
    "include": _patterns,
    "ignore": _patterns,
    "initial_sync": read_bool,
}


def _trigger(node: Node, path: str) -> Json:
    """JSON has `exec` always, with no command where there is none: so has docker compose's, and hashes it."""
    found = read_shape(node, path, _TRIGGER, required=("path", "action"))
    whole: dict[str, Json] = {"exec": {"command": None}, **found}
    return {key: whole[key] for key in _TRIGGER if key in whole}


def _triggers(node: Node, path: str) -> Json:
    return list[Json](read_each(node, path, _trigger))


def read_develop(node: Node, path: str) -> dict[str, Json] | None:
    if isinstance(node, Scalar) and node.is_null:
        return None
    return read_shape(node, path, {"watch": _triggers})
