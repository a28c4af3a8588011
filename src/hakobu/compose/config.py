"""`compose config`: the project as YAML or JSON, the way docker compose prints it."""

import re

from hakobu.compose.canonical import go_json, project_document, service_document, used_resources
from hakobu.compose.model.project import Project
from hakobu.compose.node import MappingNode, Node, Sequence, null, resolve_plain, to_plain
from hakobu.spec.step import Json

_YAML_ORDER = ("name", "services", "networks", "volumes", "secrets", "configs", "models")
_NAMED_ESCAPES = {"\x85": "\\N", "\xa0": "\\_", "\u2028": "\\L", "\u2029": "\\P", "\ufeff": "\\uFEFF"}
_FREE = frozenset(
    "services networks volumes secrets configs models environment labels annotations args additional_contexts "
    "driver_opts options sysctls storage_opt aux_addresses depends_on ulimits".split()
)
_HOLLOW = ("resources", "placement", "ipam", "exec")
_OLD_BOOLEANS = frozenset(
    ["y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "n", "N", "no", "No", "NO", "off", "Off", "OFF"]
)
_INDICATORS = tuple("-?:,[]{}#&*!|>'\"%@`")
_OLD_FLOAT = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ].*)?")


def to_json(project: Project) -> str:
    """Dollar signs are doubled, so that the output may be read again."""
    return go_json(_escape_dollars(project_document(project)), indent=2)


def to_yaml(project: Project) -> str:
    document = project_document(project)
    services: dict[str, Json] = {
        name: _without_hollow(_with_whole_ulimits(_with_lower_keys(service_document(service))))
        for name, service in project.services.items()
    }
    document["services"] = services
    used = used_resources(project)["models"]
    models: dict[str, Json] = {key: m for key, m in project.models.items() if key in used}
    if models:
        document["models"] = models  # JSON has them not: so it is with docker compose
    ordered = {key: document[key] for key in _YAML_ORDER if key in document}
    ordered |= {key: value for key, value in sorted(document.items()) if key not in ordered}
    shown = _with_extensions(_without_hollow(ordered), project.document, 0)
    return "".join(block(_escape_dollars(_sorted(shown, "")), 0))


def _sorted(value: Json, name: str) -> Json:
    """Mappings whose keys the user chose, in the order in which Go's YAML writes them; `name` is what holds them."""
    if isinstance(value, list):
        return [_sorted(item, "") for item in value]
    if not isinstance(value, dict):
        return value
    below = {key: _sorted(item, key) for key, item in value.items()}
    return dict(sorted(below.items(), key=lambda item: _go_order(item[0]))) if name in _FREE else below


def _go_order(key: str) -> tuple[tuple[int, int, str], ...]:
    """Numbers by their value, before letters; other characters before both."""
    pieces = re.findall(r"[0-9]+|.", key, re.DOTALL)
    return tuple((1, int(p), "") if p.isdigit() else (2, 0, p) if p.isalpha() else (0, 0, p) for p in pieces)


def _with_extensions(value: Json, node: Node, depth: int) -> Json:
    """The document with the `x-…` keys that the files have at the same places, behind the others."""
    if isinstance(value, list) and isinstance(node, Sequence) and len(value) == len(node.items):
        return [_with_extensions(item, below, depth + 1) for item, below in zip(value, node.items, strict=True)]
    if not isinstance(value, dict) or not isinstance(node, MappingNode):
        return value
    below = {key: _with_extensions(item, node.entries.get(key, null()), depth + 1) for key, item in value.items()}
    new = {key: to_plain(item) for key, item in sorted(node) if key.startswith("x-") and key not in value}
    return below if depth == 1 else {**below, **new}


def _with_lower_keys(service: dict[str, Json]) -> dict[str, Json]:
    """YAML writes the keys of block devices small, where JSON does not."""
    limits = service.get("blkio_config")
    if not isinstance(limits, dict):
        return service
    small: dict[str, Json] = {
        key: [{k.lower(): v for k, v in item.items()} if isinstance(item, dict) else item for item in value]
        if isinstance(value, list)
        else value
        for key, value in limits.items()
    }
    return {**service, "blkio_config": small}


def _escape_dollars(value: Json) -> Json:
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, list):
        return [_escape_dollars(item) for item in value]
    if isinstance(value, dict):
        return {key: _escape_dollars(item) for key, item in value.items()}
    return value


def _with_whole_ulimits(service: dict[str, Json]) -> dict[str, Json]:
    """YAML shows both bounds of a ulimit, where JSON leaves a zero out."""
    ulimits = service.get("ulimits")
    if not isinstance(ulimits, dict):
        return service
    whole = {k: {"soft": 0, "hard": 0, **v} if isinstance(v, dict) else v for k, v in ulimits.items()}
    return {**service, "ulimits": whole}


def _without_hollow(value: Json) -> Json:
    """Without what JSON shows empty and YAML leaves out: null commands, empty resources, placement and ipam."""
    if isinstance(value, list):
        return [_without_hollow(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept: dict[str, Json] = {}
    for key, item in value.items():
        shown = _without_hollow(item)
        hollow = (key in _HOLLOW and shown == {}) or (key in ("command", "entrypoint") and item is None)
        if not hollow:
            kept[key] = shown
    return kept


def block(value: Json, indent: int) -> list[str]:
    """The lines of a mapping or list in block style."""
    pad = " " * indent
    lines: list[str] = []
    if isinstance(value, dict):
        for key, item in value.items():
            shown = '"<<"' if key == "<<" else quote(key)
            lines += _entry(f"{pad}{shown}:", item, indent + 2)
    elif isinstance(value, list):
        for item in value:
            lines += _item(pad, item, indent)
    return lines


def _entry(head: str, item: Json, indent: int) -> list[str]:
    if isinstance(item, (dict, list)) and item:
        return [f"{head}\n", *block(item, indent)]
    return [f"{head} {scalar(item, indent)}\n"]


def _item(pad: str, item: Json, indent: int) -> list[str]:
    if isinstance(item, (dict, list)) and item:
        lines = block(item, indent + 2)
        return [f"{pad}- {lines[0][indent + 2 :]}", *lines[1:]]
    return [f"{pad}- {scalar(item, indent + 2)}\n"]


def scalar(value: Json, indent: int = 0) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, str):
        return _literal(value, indent) if "\n" in value else quote(value)
    return "{}" if isinstance(value, dict) else "[]"


def _literal(text: str, indent: int) -> str:
    """Several lines as a literal block, or quoted where a block cannot carry them."""
    lines = text.split("\n")
    if any(line != line.rstrip() or not line.isprintable() for line in lines) or text[0] in " \n":
        return _double_quoted(text)
    chomp = "" if text.endswith("\n") and not text.endswith("\n\n") else "+" if text.endswith("\n") else "-"
    body = lines[:-1] if text.endswith("\n") else lines
    return f"|{chomp}\n" + "\n".join(" " * indent + line if line else "" for line in body)


def quote(text: str) -> str:
    """A string plain where it reads as itself, in double quotes where it would be another type, else in single."""
    if _reads_as_other(text):
        return f'"{text}"'
    if not text.isprintable():
        return _double_quoted(text)
    special = text.startswith(_INDICATORS) and not re.match(r"[-?:][^\s,\[\]{}]", text)
    if special or ": " in text or " #" in text or text.endswith(":") or text != text.strip():
        return "'" + text.replace("'", "''") + "'"
    return text


def _reads_as_other(text: str) -> bool:
    return (
        not isinstance(resolve_plain(text), str)
        or text in _OLD_BOOLEANS
        or bool(_OLD_FLOAT.fullmatch(text))
        or bool(_DATE.fullmatch(text))
    )


def _double_quoted(text: str) -> str:
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0", "\x1b": "\\e"}
    return '"' + "".join(escapes.get(c) or (c if c.isprintable() else _escape(c)) for c in text) + '"'


def _escape(character: str) -> str:
    code = ord(character)
    if character in _NAMED_ESCAPES:
        return _NAMED_ESCAPES[character]
    if code < 0x100:
        return f"\\x{code:02X}"
    return f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"
