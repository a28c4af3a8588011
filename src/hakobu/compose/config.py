"""`compose config`: the project as YAML or JSON, the way docker compose prints it."""

import json
import re

from hakobu.compose.canonical import project_document, service_document
from hakobu.compose.model.project import Project
from hakobu.compose.node import resolve_plain
from hakobu.spec.step import Json

_YAML_ORDER = ("name", "services", "networks", "volumes", "secrets", "configs")
_HOLLOW = ("resources", "placement", "ipam")
_OLD_BOOLEANS = frozenset(
    ["y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "n", "N", "no", "No", "NO", "off", "Off", "OFF"]
)
_INDICATORS = tuple("-?:,[]{}#&*!|>'\"%@`")
_OLD_FLOAT = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ].*)?")


def to_json(project: Project) -> str:
    """Dollar signs are doubled, so that the output may be read again."""
    text = json.dumps(_escape_dollars(project_document(project)), indent=2, ensure_ascii=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def to_yaml(project: Project) -> str:
    document = project_document(project)
    services: dict[str, Json] = {
        name: _without_hollow(_with_whole_ulimits({**service_document(service), **service.extensions}))
        for name, service in project.services.items()
    }
    document["services"] = services
    ordered = {key: document[key] for key in _YAML_ORDER if key in document}
    ordered |= {key: value for key, value in sorted(document.items()) if key not in ordered}
    return "".join(block(_escape_dollars(_without_hollow(ordered)), 0))


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
        hollow = (key in _HOLLOW and item == {}) or (key in ("command", "entrypoint") and item is None)
        if not hollow:
            kept[key] = _without_hollow(item)
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
    return f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"
