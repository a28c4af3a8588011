"""What a service wants of the machine beyond plain limits: block devices, accelerators, models, outside providers.

Kept in canonical form; the request bodies are made of it.
"""

from hakobu.compose.failure import BadComposeFile
from hakobu.compose.model.reading import (
    Reader,
    read_each,
    read_fields,
    read_int,
    read_labels,
    read_mapping,
    read_shape,
    read_size,
    read_string,
    read_string_or_list,
    read_text,
    read_texts,
    typed,
)
from hakobu.compose.node import MappingNode, Node, Scalar, Sequence
from hakobu.spec.step import Json


def _throttles(node: Node, path: str) -> Json:
    return list[Json](read_each(node, path, _throttle))


def _throttle(node: Node, path: str) -> Json:
    fields = read_fields(node, path, {"path": read_string, "rate": read_size})
    return {"Path": fields.get("path", ""), "Rate": str(fields.get("rate", 0))}


def _weights(node: Node, path: str) -> Json:
    return list[Json](read_each(node, path, _weight))


def _weight(node: Node, path: str) -> Json:
    fields = read_fields(node, path, {"path": read_string, "weight": read_int})
    return {"Path": fields.get("path", ""), "Weight": fields.get("weight", 0)}


_BLKIO: dict[str, Reader] = {
    "weight": read_int,
    "weight_device": _weights,
    "device_read_bps": _throttles,
    "device_read_iops": _throttles,
    "device_write_bps": _throttles,
    "device_write_iops": _throttles,
}


def read_blkio(node: Node, path: str) -> dict[str, Json]:
    """Limits of block devices; the devices' keys are those of docker compose's JSON: `Path`, `Rate`, `Weight`."""
    return read_shape(node, path, _BLKIO)


def read_credential_spec(node: Node, path: str) -> dict[str, Json]:
    return read_shape(node, path, dict.fromkeys(("config", "file", "registry"), read_string))


def _count(node: Node, path: str) -> int:
    return -1 if typed(node, path, "a number or all") == "all" else read_int(node, path)


_REQUEST: dict[str, Reader] = {
    "capabilities": read_texts,
    "driver": read_string,
    "count": _count,
    "device_ids": read_texts,
    "options": read_labels,
}


def _request(node: Node, path: str) -> Json:
    return read_shape(node, path, _REQUEST)


def _reservation(node: Node, path: str) -> Json:
    """As a request, for all devices where it names neither a number nor devices."""
    found = read_shape(node, path, _REQUEST, required=("capabilities",))
    if "count" in found and "device_ids" in found:
        raise BadComposeFile(node.mark, '"count" and "device_ids" attributes are exclusive', path=path)
    whole: dict[str, Json] = {"count": -1, **found} if "device_ids" not in found else found
    return {key: whole[key] for key in _REQUEST if key in whole}


def read_reservations(node: Node, path: str) -> tuple[dict[str, Json], ...]:
    """Devices under `deploy.resources.reservations`."""
    return tuple(read_each(node, path, _reservation))


def read_gpus(node: Node, path: str) -> Json:
    """`all`, or a list of requests."""
    if isinstance(node, Scalar) and not node.is_null:
        if node.value != "all":
            raise BadComposeFile(node.mark, "must be all, or a list", path=path)
        return [{"count": -1}]
    return list[Json](read_each(node, path, _request))


def read_model_uses(node: Node, path: str) -> dict[str, Json]:
    """The models a service uses, with the variables they are announced in."""
    if isinstance(node, Sequence):
        return dict.fromkeys(sorted(read_string_or_list(node, path)))
    return {name: _model_use(value, f"{path}.{name}") for name, value in sorted(read_mapping(node, path))}


def _model_use(node: Node, path: str) -> Json:
    if isinstance(node, Scalar) and node.is_null:
        return None
    return read_shape(node, path, dict.fromkeys(("endpoint_var", "model_var"), read_string))


def _provider_options(node: Node, path: str) -> Json:
    """Each option as a list of texts."""
    found: dict[str, Json] = {}
    for name, value in sorted(read_mapping(node, path)):
        where = f"{path}.{name}"
        found[name] = read_texts(value, where) if isinstance(value, Sequence) else [read_text(value, where)]
    return found


def read_provider(node: Node, path: str) -> dict[str, Json] | None:
    if not isinstance(node, MappingNode):
        return None
    return read_shape(node, path, {"type": read_string, "options": _provider_options}, required=("type",))
