"""Executes a parsed template on a value."""

from __future__ import annotations

from hakobu.cli.template.function import FUNCTIONS, count_error, wanted_type
from hakobu.cli.template.lexer import TemplateError
from hakobu.cli.template.parser import Block, Call, Include, Jump, Literal, Output, Path, Pipeline, Text, parse
from hakobu.cli.template.value import NO_VALUE, Method, NoValue, Record, Struct, is_true, shown, type_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.template.parser import Node, Operand

# Members that an engine leaves out where they are empty, so that asking for them is no mistake.
OPTIONAL: dict[str, object] = {
    "Annotations": {},
    "ArgsEscaped": False,
    "Author": "",
    "Comment": "",
    "Container": "",
    "ContainerConfig": None,
    "ExposedPorts": {},
    "Health": None,
    "Healthcheck": None,
    "Init": None,
    "MacAddress": "",
    "Mounts": [],
    "NetworkDisabled": False,
    "Parent": "",
    "Runtime": "",
    "Shell": [],
    "SizeRootFs": None,
    "SizeRw": None,
    "StopSignal": "",
    "StopTimeout": None,
    "StorageOpt": {},
    "Sysctls": {},
    "Tmpfs": {},
    "UsageData": None,
    "Variant": "",
    "OsVersion": "",
    "VirtualSize": 0,
}


class _Jumped(Exception):
    def __init__(self, kind: str) -> None:
        self.kind = kind


class Template:
    """A parsed template, ready for many values. `name` is what errors call it."""

    def __init__(self, text: str, name: str = "") -> None:
        self.name = name
        try:
            self._nodes, self._defined = parse(text)
        except TemplateError as e:
            raise TemplateError(f"template: {name}:1: {e}") from None

    def execute(self, value: object) -> str:
        """The text for one value; TemplateError with Go's words."""
        try:
            return _Execution(self.name, value, self._defined).run(self._nodes)
        except RecursionError:
            raise TemplateError(f"template: {self.name}: exceeded maximum template depth") from None


class _Execution:
    def __init__(self, name: str, value: object, defined: dict[str, list[Node]]) -> None:
        self._name = name
        self._defined = defined
        self._variables: list[tuple[str, object]] = [("$", value)]
        self._dot = value
        self._out: list[str] = []

    def run(self, nodes: list[Node]) -> str:
        self._walk(nodes)
        return "".join(self._out)

    def _fail(self, position: int, what: str, message: str) -> TemplateError:
        place = f"template: {self._name}:1:{position}"
        return TemplateError(f'{place}: executing "{self._name}" at <{what}>: {message}')

    def _walk(self, nodes: list[Node]) -> None:
        for node in nodes:
            if isinstance(node, Text):
                self._out.append(node.text)
            elif isinstance(node, Output):
                value = self._pipeline(node.pipeline)
                if not node.pipeline.variables:
                    self._out.append(shown(value))
            elif isinstance(node, Jump):
                raise _Jumped(node.kind)
            elif isinstance(node, Include):
                self._include(node)
            else:
                self._block(node)

    def _include(self, node: Include) -> None:
        """A template of its own: its dot and its `$` are the value it is given."""
        value = self._pipeline(node.pipeline) if node.pipeline else None
        if node.name not in self._defined:
            raise self._fail(node.position, f'{{{{template "{node.name}"}}}}', f'template "{node.name}" not defined')
        self._out.append(_Execution(self._name, value, self._defined).run(self._defined[node.name]))

    def _block(self, node: Block) -> None:
        depth, dot = len(self._variables), self._dot
        value = self._pipeline(node.pipeline, loop=node.kind == "range")
        if node.kind == "range":
            self._range(node, value)
        elif is_true(value):
            if node.kind == "with":
                self._dot = value
            self._walk(node.body)
        else:
            self._walk(node.otherwise)
        self._dot = dot
        del self._variables[depth:]

    def _range(self, node: Block, value: object) -> None:
        pairs = self._pairs(node, value)
        depth = len(self._variables)
        for key, item in pairs:
            del self._variables[depth:]
            self._declare_pair(node.pipeline.variables, key, item)
            self._dot = item
            try:
                self._walk(node.body)
            except _Jumped as jump:
                if jump.kind == "break":
                    break
        if not pairs:
            self._walk(node.otherwise)

    def _pairs(self, node: Block, value: object) -> list[tuple[object, object]]:
        if value is None:
            return []
        if isinstance(value, dict) and not isinstance(value, Struct):
            items: dict[str, object] = value  # pyright: ignore[reportUnknownVariableType]
            return [(key, items[key]) for key in sorted(items)]
        if isinstance(value, (list, tuple)):
            return list(enumerate(value))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        if isinstance(value, int) and not isinstance(value, bool):
            return [(index, index) for index in range(value)]
        if isinstance(value, NoValue):
            return []
        call = node.pipeline.commands[0]
        place = _place(call.arguments[0]) if call.function == "" else call.position
        raise self._fail(place, _shown_call(call), f"range can't iterate over {shown(value)}")

    def _declare_pair(self, names: list[str], key: object, item: object) -> None:
        if len(names) == 1:
            self._variables.append((names[0], item))
        elif names:
            self._variables += [(names[0], key), (names[1], item)]

    def _pipeline(self, pipeline: Pipeline, *, loop: bool = False) -> object:
        value: object = None
        for index, call in enumerate(pipeline.commands):
            value = self._call(call, [value] if index else [])
        if not loop:
            for name in pipeline.variables:
                self._set(name, value, pipeline.assigns)
        return value

    def _set(self, name: str, value: object, assigns: bool) -> None:
        if assigns:
            for index in range(len(self._variables) - 1, -1, -1):
                if self._variables[index][0] == name:
                    self._variables[index] = (name, value)
                    return
        self._variables.append((name, value))

    def _call(self, call: Call, piped: list[object]) -> object:
        if isinstance(call.function, Path):
            arguments = [self._operand(argument) for argument in call.arguments] + piped
            return self._path(call.function, arguments)
        if call.function == "":
            first = call.arguments[0]
            name = _shown_operand(first)
            if len(call.arguments) > 1 or piped:
                raise self._fail(_place(first), name, f"can't give argument to non-function {name}")
            if isinstance(first, Literal) and first.value is None:
                raise self._fail(first.position, name, "nil is not a command")
            return self._operand(first)
        return self._function(call, [*(self._operand(argument) for argument in call.arguments), *piped])

    def _function(self, call: Call, arguments: list[object]) -> object:
        name = str(call.function)
        if wrong := count_error(name, len(arguments)):
            raise self._fail(call.position, name, wrong)
        for index, value in enumerate(arguments):
            self._check(call, name, index, value)
        try:
            return FUNCTIONS[name](*(None if isinstance(value, NoValue) else value for value in arguments))
        except TemplateError as e:
            message = str(e).replace("{function}", _shown_operand(call.arguments[0]) if call.arguments else "")
            raise self._fail(call.position, _shown_call(call), message) from None
        except (ValueError, TypeError) as e:
            raise self._fail(call.position, name, f"error calling {name}: {e}") from None

    def _check(self, call: Call, name: str, index: int, value: object) -> None:
        """Holds an argument to the type its function takes, in Go's two ways of saying so."""
        wanted = wanted_type(name, index)
        # A list or a text that the engine gave as null is an empty one.
        if wanted is None or isinstance(value, wanted[1]) or (value is None and wanted[0] == "[]string"):
            return
        operand = call.arguments[index] if index < len(call.arguments) else None
        if isinstance(operand, Literal):
            scalar = wanted[0] in ("string", "int")
            found = f"expected {'integer' if wanted[0] == 'int' else 'string'}; found {operand.shown}"
            message = found if scalar else f"can't handle {operand.shown} for arg of type {wanted[0]}"
            raise self._fail(operand.position, operand.shown, message)
        place = _place(operand) if operand is not None else call.position
        what = _shown_operand(operand) if operand is not None else _shown_call(call)
        if value is None or isinstance(value, NoValue):
            raise self._fail(place, what, f"invalid value; expected {wanted[0]}")
        raise self._fail(place, what, f"wrong type for value; expected {wanted[0]}; got {type_name(value)}")

    def _operand(self, operand: Operand) -> object:
        if isinstance(operand, Literal):
            return operand.value
        if isinstance(operand, Path):
            return self._path(operand, [])
        if isinstance(operand, Call):
            return self._function(operand, [])
        return self._pipeline(operand)

    def _path(self, path: Path, arguments: list[object]) -> object:
        value = self._start(path)
        for index, field in enumerate(path.fields):
            last = index == len(path.fields) - 1
            value = self._member(value, field, path, path.place, arguments if last else [])
        return value

    def _start(self, path: Path) -> object:
        if path.start is None:
            return self._dot
        if isinstance(path.start, Pipeline):
            return self._pipeline(path.start)
        return next(value for name, value in reversed(self._variables) if name == path.start)

    def _member(self, value: object, field: str, path: Path, place: int, arguments: list[object]) -> object:
        if isinstance(value, Record):
            if field not in value.members:
                message = f"can't evaluate field {field} in type {value.type_name}"
                raise self._fail(place, path.shown, message)
            member = value.members[field]()
            if isinstance(member, Method):
                return member.call(*arguments)
            value = member
        elif isinstance(value, dict):
            value = self._item(value, field, path, place)  # pyright: ignore[reportUnknownArgumentType]
        elif value is None or isinstance(value, NoValue):
            raise self._fail(place, path.shown, f"nil pointer evaluating interface {{}}.{field}")
        else:
            message = f"can't evaluate field {field} in type interface {{}}"
            raise self._fail(place, path.shown, message)
        if arguments:
            raise self._fail(place, path.shown, f"{field} has arguments but cannot be invoked as function")
        return value

    def _item(self, value: dict[str, object], field: str, path: Path, place: int) -> object:
        if field in value:
            return value[field]
        if isinstance(value, Struct) and field in OPTIONAL:
            return OPTIONAL[field]
        if not isinstance(value, Struct):
            return NO_VALUE
        # Go's own name of a member is good as well: `ID` for `Id`, `APIVersion` for `ApiVersion`.
        for name in value if field[:1].isupper() else ():
            if name.lower() == field.lower():
                return value[name]
        raise self._fail(place, path.shown, f'map has no entry for key "{field}"')


def _shown_call(call: Call) -> str:
    """The command as it was written, as far as errors show it."""
    if isinstance(call.function, Path):
        return call.function.shown
    words = [call.function, *(_shown_operand(argument) for argument in call.arguments)]
    return " ".join(word for word in words if word) or "."


def _shown_operand(operand: Operand) -> str:
    if isinstance(operand, Path):
        return operand.shown or "."
    if isinstance(operand, Literal):
        return operand.shown
    if isinstance(operand, Call):
        return _shown_call(operand)
    return "(...)"


def _place(operand: Operand) -> int:
    return operand.place if isinstance(operand, Path) else 0 if isinstance(operand, Pipeline) else operand.position
