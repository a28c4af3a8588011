"""What a service waits for: `depends_on`, and the dependencies that sharing a namespace implies."""

from dataclasses import dataclass

from hakobu.compose.model.document import compact
from hakobu.compose.model.reading import Reader, read_bool, read_choice, read_fields, read_list, read_mapping
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
    shape: dict[str, Reader] = {
        "condition": lambda n, p: read_choice(n, p, (STARTED, HEALTHY, COMPLETED)),
        "restart": read_bool,
        "required": read_bool,
    }
    return Dependency(**read_fields(node, path, shape, ("condition",) if isinstance(node, MappingNode) else ()))
