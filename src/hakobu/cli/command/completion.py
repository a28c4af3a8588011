"""`completion SHELL`: the script a shell reads; and `__complete`, which that script calls."""

from __future__ import annotations

from hakobu.cli.completion.script import SCRIPTS, script
from hakobu.cli.failure import Failure
from hakobu.cli.table import MANY, Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values

COMPLETION = Command(
    "completion",
    "SHELL",
    "Print what makes a shell complete commands: bash, zsh, fish or powershell",
    least=1,
    most=1,
    about=(
        "bash:        source <(hakobu completion bash)\n"
        "zsh:         hakobu completion zsh > a folder of $fpath/_hakobu\n"
        "fish:        hakobu completion fish > ~/.config/fish/completions/hakobu.fish\n"
        "powershell:  hakobu completion powershell | Out-String | Invoke-Expression"
    ),
)
COMPLETE = Command("__complete", "SHELL WORD...", "Answer a shell", most=MANY, raw=True)


def completion(session: Session, values: Values, arguments: list[str]) -> int:
    if arguments[0] not in SCRIPTS:
        raise Failure(f"unknown shell: {arguments[0]}: must be one of {', '.join(sorted(SCRIPTS))}")
    session.out(script(arguments[0], session.program))
    return 0


def complete(session: Session, values: Values, arguments: list[str]) -> int:
    from hakobu.cli.completion.candidate import candidates
    from hakobu.cli.completion.live import names_of

    words, kept = _words(*arguments)
    # Options before the command say which engine to ask.
    asking = _session_of(session, words)
    found, files = candidates(words, lambda kind, states: names_of(asking, kind, states))
    session.out("".join(f"{word[kept:]}\t{about}\n" for word, about in found) + (":files\n" if files else ""))
    return 0


def _words(shell: str = "", *rest: str) -> tuple[list[str], int]:
    """The words behind the program's name, the last one being typed; how much of it the shell keeps as it is."""
    if shell == "powershell":
        # Where nothing is typed yet, PowerShell drops the empty argument: the script marks it.
        return [*rest[:-1], rest[-1][1:]] if rest else [""], 0
    if shell != "bash":
        return list(rest) or [""], 0
    words = _split(rest[0] if rest else "")[1:] or [""]
    # bash breaks words at these, and replaces what is behind the last one only.
    return words, max(words[-1].rfind(letter) for letter in ":=") + 1


def _split(line: str) -> list[str]:
    """A line as a shell splits it; a quote may still be open, and the last word may be empty."""
    import shlex

    for closing in ("", "'", '"'):
        try:
            words = shlex.split(line + closing)
        except ValueError:
            continue
        return [*words, ""] if not closing and line[-1:].isspace() else words
    return line.split()


def _session_of(session: Session, words: list[str]) -> Session:
    from hakobu.cli.failure import BadFlags, HelpWanted
    from hakobu.cli.flag import parse_flags
    from hakobu.cli.front import GLOBAL_FLAGS
    from hakobu.cli.session import Session

    try:
        values, _ = parse_flags(GLOBAL_FLAGS, words[:-1], interspersed=False)
    except (BadFlags, HelpWanted):
        return session
    return Session(session.program, values, session.name)
