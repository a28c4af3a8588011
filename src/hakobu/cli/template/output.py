"""Prints through `--format`: single objects (version, info) and lists (`table`, `json`, templates)."""

from __future__ import annotations

from hakobu.cli.failure import Failure
from hakobu.cli.template.evaluate import Template
from hakobu.cli.template.lexer import TemplateError
from hakobu.cli.template.value import Record, Struct, structured

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from hakobu.cli.session import Session
    from hakobu.client.codec import Json


def print_object(session: Session, form: str, data: Json, *, name: str = "", type_name: str = "") -> None:
    """One document by a template, or as JSON."""
    if form == "json":
        form = "{{json .}}"
    try:
        template = Template(form, name)
    except TemplateError as e:
        raise Failure(f"template parsing error: {e}", 64) from None
    marked = structured(data)
    assert isinstance(marked, Struct)
    members: dict[str, Callable[[], object]] = {key: _constant(value) for key, value in marked.items()}
    record = _Document(members, type_name, data)
    try:
        session.line(template.execute(record))
    except TemplateError as e:
        session.line("")
        raise Failure(str(e)) from None


def _constant(value: object) -> Callable[[], object]:
    return lambda: value


def _last_part(name: object) -> str:
    """A label's header: docker shows what is behind its last dot."""
    return str(name).rpartition(".")[2]


class _Document(Record):
    """A document as a record, whose JSON is the document's own, in its order."""

    __slots__ = ("data",)
    is_row = False

    def __init__(self, members: dict[str, Callable[[], object]], type_name: str, data: Json) -> None:
        super().__init__(members, type_name)
        self.data = data

    def to_json(self) -> dict[str, object]:
        return self.data


def parse_list_format(form: str) -> tuple[Template, bool]:
    """The template, and whether it makes a table with a header."""
    table = form.startswith("table")
    body = form[len("table") :].strip() if table else form
    if form == "json":
        body = "{{json .}}"
    # Typed in a shell, a tab is a backslash and a `t`.
    body = body.replace("\\t", "\t").replace("\\n", "\n")
    try:
        return Template(body), table
    except TemplateError as e:
        raise Failure(f"failed to parse template: {e}") from None


def print_list(session: Session, form: str, rows: Iterable[Record], headers: Mapping[str, object]) -> None:
    """Each row on a line of its own; with `table`, aligned below a header of the same template."""
    template, table = parse_list_format(form)
    lines: list[str] = []
    try:
        for row in rows:
            lines.append(template.execute(row))
        if table:
            lines.insert(0, template.execute(_header(headers)))
    except TemplateError as e:
        raise Failure(f"failed to execute template: {e}") from None
    text = "".join(f"{line}\n" for line in lines)
    if table:
        from hakobu.cli.text.table import columns

        text = columns(text)
    session.out(text)


def _header(headers: Mapping[str, object]) -> Record:
    from hakobu.cli.template.value import Method

    members: dict[str, Callable[[], object]] = {name: _constant(title) for name, title in headers.items()}
    members["Label"] = lambda: Method(_last_part)
    return Record(members, "header")
