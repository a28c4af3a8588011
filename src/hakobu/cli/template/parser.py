"""From tokens to a tree: text, pipelines, `if`, `range`, `with`, and variables.

The nodes are plain classes that hold data; `evaluate` walks them.
"""

from __future__ import annotations

from hakobu.cli.template import lexer
from hakobu.cli.template.function import FUNCTIONS
from hakobu.cli.template.lexer import TemplateError, Token

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias


class Literal:
    """A constant, and how it was written."""

    __slots__ = ("position", "shown", "value")

    def __init__(self, value: object, position: int, shown: str) -> None:
        self.value = value
        self.position = position
        self.shown = shown


class Path:
    """Fields of a start: the dot (`start` None), a variable, or the value of a pipeline in parentheses."""

    __slots__ = ("fields", "place", "places", "position", "shown", "start")

    def __init__(
        self, start: str | Pipeline | None, fields: list[str], position: int, places: tuple[int, ...] = ()
    ) -> None:
        self.start = start
        self.fields = fields
        self.position = position
        self.places = places
        # Where Go says a chain is: at its second field, or at the first behind a variable.
        at = 1 if start is None and len(places) > 1 else 0
        self.place = places[at] if places else position
        name = start if isinstance(start, str) else ""
        self.shown = name + "".join(f".{field}" for field in fields)


class Call:
    """A function or a method's name with its arguments; the first operand of a command."""

    __slots__ = ("arguments", "function", "position")

    def __init__(self, function: str | Path, arguments: list[Operand], position: int) -> None:
        self.function = function
        self.arguments = arguments
        self.position = position


class Pipeline:
    """Commands joined by `|`, and the variables its value is given to."""

    __slots__ = ("assigns", "commands", "variables")

    def __init__(self, commands: list[Call], variables: list[str], assigns: bool) -> None:
        self.commands = commands
        self.variables = variables
        self.assigns = assigns


class Text:
    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


class Output:
    __slots__ = ("pipeline",)

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline


class Block:
    """`if`, `range` or `with`, its body and its else."""

    __slots__ = ("body", "kind", "otherwise", "pipeline")

    def __init__(self, kind: str, pipeline: Pipeline) -> None:
        self.kind = kind
        self.pipeline = pipeline
        self.body: list[Node] = []
        self.otherwise: list[Node] = []


class Jump:
    """`break` or `continue`."""

    __slots__ = ("kind",)

    def __init__(self, kind: str) -> None:
        self.kind = kind


class Include:
    """`template "name" pipeline`: the nodes that `define` gave this name, on the pipeline's value."""

    __slots__ = ("name", "pipeline", "position")

    def __init__(self, name: str, pipeline: Pipeline | None, position: int) -> None:
        self.name = name
        self.pipeline = pipeline
        self.position = position


if TYPE_CHECKING:
    Operand: TypeAlias = Literal | Path | Pipeline | Call
    Node: TypeAlias = Text | Output | Block | Jump | Include

_BLOCKS = ("if", "range", "with")


class _Actions:
    """The pieces of a template, read one after the other."""

    def __init__(self, text: str) -> None:
        self.parts = lexer.split(text)
        self.index = 0
        self.variables = ["$"]
        self.defined: dict[str, list[Node]] = {}
        self.depth = 0

    def nodes(self, ends: tuple[str, ...]) -> tuple[list[Node], list[Token]]:
        """Nodes up to one of the ending actions, which is given as well (empty at the end of the text)."""
        out: list[Node] = []
        while self.index < len(self.parts):
            position, text = self.parts[self.index]
            is_action = self.index % 2 == 1
            self.index += 1
            if not is_action:
                if text:
                    out.append(Text(text))
                continue
            words = lexer.tokens(text, position)
            if not words:
                raise TemplateError("missing value for command")
            first = words[0].text if words[0].kind == lexer.NAME else ""
            if first in ("end", "else"):
                if first not in ends:
                    raise TemplateError(f"unexpected {{{{{first}}}}}")
                return out, words
            if first == "define":
                self._define(words)
            else:
                out.append(self._node(first, words, position))
        if ends:
            raise TemplateError("unexpected EOF")
        return out, []

    def _node(self, first: str, words: list[Token], position: int) -> Node:
        if first in _BLOCKS:
            return self._block(first, words[1:], position)
        if first in ("break", "continue"):
            return Jump(first)
        if first in ("template", "block"):
            return self._include(first, words, position)
        return Output(self._pipeline(words, position, "command"))

    def _define(self, words: list[Token]) -> None:
        """The body of `define` or `block`, which sees no variable but its own `$`."""
        name = _name_of(words)
        if len(words) != 2:
            raise TemplateError(f"unexpected <{words[2].text}> in define clause")
        if self.depth:
            raise TemplateError("unexpected {{define}}")
        self._body(name)

    def _body(self, name: str) -> None:
        variables, self.variables = self.variables, ["$"]
        self.depth += 1
        self.defined[name], _ = self.nodes(("end",))
        self.depth -= 1
        self.variables = variables

    def _include(self, first: str, words: list[Token], position: int) -> Include:
        name = _name_of(words)
        pipeline = self._pipeline(words[2:], position, first) if len(words) > 2 else None
        if first == "block":
            if pipeline is None:
                raise TemplateError("missing value for block clause")
            self._body(name)
        return Include(name, pipeline, words[1].position)

    def _block(self, kind: str, words: list[Token], position: int) -> Block:
        depth = len(self.variables)
        if not words:
            raise TemplateError(f"missing value for {kind}")
        block = Block(kind, self._pipeline(words, position, kind))
        block.body, end = self.nodes(("end", "else"))
        if end[0].text == "else":
            if len(end) > 1:
                inner = self._block(end[1].text, end[2:], position)
                block.otherwise = [inner]
            else:
                block.otherwise, _ = self.nodes(("end",))
        del self.variables[depth:]
        return block

    def _pipeline(self, words: list[Token], position: int, context: str) -> Pipeline:
        names, rest, assigns = self._declaration(words)
        reader = _Words(rest, position, self.variables)
        commands = reader.commands(context)
        self.variables += [] if assigns else names
        return Pipeline(commands, names, assigns)

    def _declaration(self, words: list[Token]) -> tuple[list[str], list[Token], bool]:
        """`$x :=`, `$k, $v :=` or `$x =` before a pipeline."""
        for index, word in enumerate(words[:4]):
            if word.kind == lexer.SYMBOL and word.text in (":=", "="):
                names = [w.text for w in words[:index] if w.kind == lexer.VARIABLE]
                return names, words[index + 1 :], word.text == "="
        return [], words, False


class _Words:
    """The tokens of one pipeline."""

    def __init__(self, words: list[Token], position: int, variables: list[str]) -> None:
        self.words = words
        self.index = 0
        self.position = position
        self.variables = variables

    def commands(self, context: str) -> list[Call]:
        out = [self._command(context)]
        while self.index < len(self.words) and self.words[self.index].text == "|":
            self.index += 1
            out.append(self._command(context))
        return out

    def _command(self, context: str) -> Call:
        operands: list[Operand] = []
        while self.index < len(self.words):
            word = self.words[self.index]
            if word.kind == lexer.SYMBOL and word.text in ("|", ")"):
                break
            operands.append(self._operand())
        if not operands:
            raise TemplateError(f"missing value for {context}")
        first, *arguments = operands
        if isinstance(first, Call):
            return Call(first.function, arguments, first.position)
        if isinstance(first, Path) and first.fields:
            return Call(first, arguments, first.position)
        return Call("", operands, self.position)

    def _operand(self) -> Operand:
        word = self.words[self.index]
        self.index += 1
        if word.kind == lexer.FIELD:
            start = Path(None, [word.text] if word.text else [], word.position, (word.position,))
            return self._chain(start)
        if word.kind == lexer.VARIABLE:
            if word.text not in self.variables:
                raise TemplateError(f'undefined variable "{word.text}"')
            return self._chain(Path(word.text, [], word.position))
        if word.kind == lexer.STRING:
            return Literal(word.text, word.position, f'"{word.text}"')
        if word.kind == lexer.CHAR:
            return Literal(ord(word.text), word.position, f"'{word.text}'")
        if word.kind == lexer.NUMBER:
            return Literal(_number(word.text), word.position, word.text)
        if word.kind == lexer.NAME:
            return self._name(word.text, word.position)
        if word.text == "(":
            return self._parenthesis()
        raise TemplateError(f"unexpected <{word.text}> in operand")

    def _name(self, name: str, position: int) -> Operand:
        if name in ("true", "false"):
            return Literal(name == "true", position, name)
        if name == "nil":
            return Literal(None, position, name)
        if name not in FUNCTIONS:
            raise TemplateError(f'function "{name}" not defined')
        return Call(name, [], position)

    def _parenthesis(self) -> Operand:
        commands = self.commands("parenthesized pipeline")
        if self.index >= len(self.words) or self.words[self.index].text != ")":
            raise TemplateError("unclosed left paren")
        self.index += 1
        return self._chain(Path(Pipeline(commands, [], False), [], self.position))

    def _chain(self, path: Path) -> Path:
        while self.index < len(self.words):
            word = self.words[self.index]
            if word.kind != lexer.FIELD or not word.glued or not word.text:
                break
            path = Path(path.start, [*path.fields, word.text], path.position, (*path.places, word.position))
            self.index += 1
        return path


def _name_of(words: list[Token]) -> str:
    if len(words) < 2 or words[1].kind != lexer.STRING:
        raise TemplateError(f"unexpected <{words[1].text if len(words) > 1 else ''}> in {words[0].text} clause")
    return words[1].text


def _number(text: str) -> int | float:
    try:
        return int(text, 0)
    except ValueError:
        return float(text)


def parse(text: str) -> tuple[list[Node], dict[str, list[Node]]]:
    """The template's nodes, and those that `define` gave names to; TemplateError with Go's words."""
    actions = _Actions(text)
    nodes, _ = actions.nodes(())
    return nodes, actions.defined
