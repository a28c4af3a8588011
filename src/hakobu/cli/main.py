"""The program `hakobu`: finds the command, loads its module, and turns failures into text and status.

Keep this small and its imports few: everything here is paid by every command.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hakobu.cli.session import Session
    from hakobu.cli.table import Command, Values

    Run = Callable[[Session, Values, list[str]], int]


def main() -> int:
    """The console script's entry."""
    program = "docker" if os.path.basename(sys.argv[0]) == "docker" else "hakobu"
    try:
        return dispatch(program, sys.argv[1:])
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return _die_of_sigpipe()


def _die_of_sigpipe() -> int:
    """As any filter whose reader has left: the shell sees the signal, nobody sees a message."""
    import signal

    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGPIPE)
    return 128 + signal.SIGPIPE


def dispatch(program: str, argv: list[str]) -> int:
    """Runs one command line and gives its exit status."""
    from hakobu.cli.failure import BadFlags, HelpWanted
    from hakobu.cli.flag import parse_flags
    from hakobu.cli.front import GLOBAL_FLAGS

    try:
        values, words = parse_flags(GLOBAL_FLAGS, argv, interspersed=False)
    except HelpWanted:
        return _front().show_help(program, [])
    except BadFlags as e:
        return _front().bad_global_flags(program, e)
    if values.on("version"):
        return _front().show_version(program)
    if not words:
        return _front().show_help(program, [])
    return _command(program, values, words)


def _front():  # noqa: ANN202
    from hakobu.cli import front_page

    return front_page


def _command(program: str, values: Values, words: list[str]) -> int:
    from hakobu.cli.registry import PASSED, home_of, resolve
    from hakobu.cli.session import Session

    name, count = resolve(words)
    session = Session(program, values, name or words[0])
    if not name:
        return _front().foreign_command(session, words)
    if name in PASSED:
        return _front().guard(session, lambda: _pass_on(session, PASSED[name][0], words[count:]))
    module_name, function = home_of(name)
    module = __import__(f"hakobu.cli.command.{module_name}", fromlist=[function])
    command: Command = getattr(module, function.upper())
    return _run(session, command, getattr(module, function), words[count:])


def _pass_on(session: Session, module_name: str, argv: list[str]) -> int:
    from hakobu.cli.failure import Failure

    try:
        module = __import__(module_name, fromlist=["main"])
    except ModuleNotFoundError as e:
        if e.name is None or not module_name.startswith(e.name):
            raise
        raise Failure(f"this installation of {session.program} has no `{session.name}`") from None
    return module.main(argv, session.endpoint)


def _run(session: Session, command: Command, function: Run, argv: list[str]) -> int:
    from hakobu.cli.failure import Failure
    from hakobu.cli.flag import parse_command
    from hakobu.client.error import ClientError

    command.name = session.name
    try:
        values, arguments = parse_command(command, argv)
        if command.rehearsed and values.on("dry-run"):
            from hakobu.cli.rehearsal import rehearse

            return rehearse(session, lambda part: function(session, values, part), arguments, apart=command.apart)
        return function(session, values, arguments)
    except Failure as e:
        if e.message:
            session.error(e.message)
        return e.status
    except ClientError as e:
        session.error(str(e))
        if e.hint:
            session.error(f"({e.hint})")
        return 1
    except OSError as e:
        if isinstance(e, BrokenPipeError):
            raise
        session.error(f"{e.filename}: {e.strerror}" if e.filename else str(e))
        return 1
    except Exception as e:
        return _front().unparsed(session, command, e)


if __name__ == "__main__":
    sys.exit(main())
