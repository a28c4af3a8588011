"""What a service waits for: `depends_on`, and the dependencies that sharing a namespace implies."""

from dataclasses import dataclass

from hakobu.compose.failure import BadComposeFile
from hakobu.compose.model.document import compact
from hakobu.compose.model.reading import read_bool, read_choice, read_list, read_mapping, unknown_key
from hakobu.compose.node import MappingNode, Node, Sequence
from hakobu.spec.step import Json

STARTED = "service_started"
HEALTHY = "service_healthy"
COMPLETED = "service_completed_successfully"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """`restart`: recreate the dependent with it. Not `required`: its absence or failure is only a warning."""

    condition: str = STARTED
    restart: bool = False
    required: bool = True

    def to_json(self) -> Json:
        return compact([("condition", self.condition), ("restart", self.restart), ("required", self.required)])


def read_dependencies(node: Node, path: str) -> dict[str, Dependency]:
    if isinstance(node, Sequence):
        return {name: Dependency() for name in sorted(read_list(node, path))}
    return {name: _read_one(value, f"{path}.{name}") for name, value in sorted(read_mapping(node, path))}


def _read_one(node: Node, path: str) -> Dependency:
    mapping = read_mapping(node, path)
    for key, _ in mapping:
        if key not in ("condition", "restart", "required") and not key.startswith("x-"):
            raise unknown_key(mapping, key, path, ("condition", "restart", "required"))
    condition = mapping.get("condition")
    if condition is None and isinstance(node, MappingNode):
        raise BadComposeFile(node.mark, "needs a condition", path=path)
    return Dependency(
        condition=read_choice(condition, f"{path}.condition", (STARTED, HEALTHY, COMPLETED)) if condition else STARTED,
        restart=_flag(mapping, "restart", path, False),
        required=_flag(mapping, "required", path, True),
    )


def _flag(mapping: MappingNode, key: str, path: str, default: bool) -> bool:
    node = mapping.get(key)
    return default if node is None else read_bool(node, f"{path}.{key}")
