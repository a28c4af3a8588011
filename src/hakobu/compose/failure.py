"""What goes wrong between a Compose file and an engine, as facts that name the file and the line."""

from dataclasses import dataclass

from hakobu.errors import HakobuError, Invalid, Kind


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file; `line` and `column` count from one. Line 0: the place is the file as a whole."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        if not self.line:
            return self.file
        return f"{self.file}:{self.line}:{self.column}" if self.column else f"{self.file}:{self.line}"


NOWHERE = Mark("(built in)")


class BadComposeFile(Invalid):
    """A Compose file (or one it names) that cannot be accepted; `path` is `services.web.ports` and the like."""

    def __init__(self, mark: Mark, text: str, *, path: str = "", hint: str = "") -> None:
        said = f"{path} {text}" if path else text
        super().__init__(f"{mark}: {said}", field=path, hint=hint)
        self.mark = mark
        self.path = path


class SeveralMistakes(BadComposeFile):
    """All that is wrong with the files, a line for each, in the order of the places."""

    def __init__(self, mistakes: tuple[BadComposeFile, ...]) -> None:
        first = mistakes[0]
        super().__init__(first.mark, "", path=first.path)
        self.mistakes = mistakes
        self.message = "\n".join(f"{m}\n  ({m.hint})" if m.hint else str(m) for m in mistakes)

    def __str__(self) -> str:
        return self.message


def raise_mistakes(found: list[BadComposeFile]) -> None:
    """Nothing for none, the mistake itself for one, `SeveralMistakes` for more."""
    every = [m for e in found for m in (e.mistakes if isinstance(e, SeveralMistakes) else (e,))]
    if len(every) == 1:
        raise every[0]
    if every:
        ordered = dict.fromkeys(sorted(every, key=lambda m: (m.mark.file, m.mark.line, m.mark.column)))
        raise SeveralMistakes(tuple(ordered))


class UnsupportedAttribute(BadComposeFile):
    """An attribute of the specification that this program does not carry out, refused rather than ignored."""

    kind = Kind.NOT_IMPLEMENTED

    def __init__(self, mark: Mark, path: str, reason: str) -> None:
        super().__init__(mark, f"is not supported: {reason}", path=path, hint="see docs/compose.md for what works")


class NoSuchService(HakobuError):
    """A service that the project has not."""

    kind = Kind.NOT_FOUND

    def __init__(self, name: str) -> None:
        super().__init__(f"no such service: {name}")
        self.name = name


class NoConfigurationFile(HakobuError):
    """Neither `-f` nor a file of the usual names in this or a parent directory."""

    kind = Kind.NOT_FOUND

    def __init__(self) -> None:
        super().__init__("no configuration file provided: not found", hint="name one with -f, or cd to its directory")


class ActionFailed(HakobuError):
    """Something compose did on the engine went wrong; the message is the engine's, or says what was awaited."""

    kind = Kind.INTERNAL
