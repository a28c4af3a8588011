"""`hakobu compose`: the command line, docker compose's verbs and flags."""

import argparse
import sys
from typing import NoReturn

from hakobu.client.endpoint import Endpoint
from hakobu.client.error import ClientError
from hakobu.compose.context import Context
from hakobu.compose.flag import spread
from hakobu.compose.table import REFUSED_VERBS, VERBS, function_of
from hakobu.errors import HakobuError


class _Parser(argparse.ArgumentParser):
    """Usage errors end with docker compose's status."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(16, f"{self.prog}: {message}\n")


_ALIASES = {"config": ["convert"]}


def _refuse(verb: str) -> int:
    print(f"hakobu compose {verb} is not supported: {REFUSED_VERBS[verb]}", file=sys.stderr)
    return 1


_DRY = "tell what would be done, and do nothing"


def _parser(words: set[str]) -> argparse.ArgumentParser:
    parser = _Parser(prog="hakobu compose", description="Applications of several containers.", allow_abbrev=False)
    parser.add_argument("-f", "--file", action="append", default=[], help="a Compose file; several are merged")
    parser.add_argument("-p", "--project-name", default="", help="the project's name")
    parser.add_argument("--project-directory", default="", help="what relative paths start from")
    parser.add_argument("--env-file", action="append", default=[], help="a file of variables instead of .env")
    parser.add_argument("--profile", action="append", default=[], help="a profile to activate; * for all")
    parser.add_argument("--all-resources", action="store_true", help="show what no service uses, too")
    parser.add_argument("--compatibility", action="store_true", help="refused: names are always written with hyphens")
    parser.add_argument("--parallel", type=int, default=-1, help="how many things are done at once; -1: no limit")
    parser.add_argument("--ansi", default="auto", choices=("auto", "always", "never"), help="colours")
    parser.add_argument("--dry-run", action="store_true", help=_DRY)
    styles = ("auto", "plain", "tty", "json", "quiet")
    parser.add_argument("--progress", default="auto", choices=styles, help="how to report")
    verbs = parser.add_subparsers(dest="verb", metavar="COMMAND", required=True, parser_class=_Parser)
    for name, (_, line, adders) in VERBS.items():
        aliases = _ALIASES.get(name, [])
        verb = verbs.add_parser(name, help=line, description=line, allow_abbrev=False, aliases=aliases)
        verb.add_argument("--dry-run", action="store_true", default=argparse.SUPPRESS, help=_DRY)
        if name in words or set(aliases) & words:  # the others' flags are not needed, and take time to add
            for add in adders:
                add(verb)
    for name in REFUSED_VERBS:
        verbs.add_parser(name, add_help=False)
    return parser


def parse(argv: list[str]) -> argparse.Namespace:
    """The command line; `SystemExit` where it is none, or only asks for help."""
    parser = _parser({*argv})
    options, unknown = parser.parse_known_args(spread(argv, frozenset({"exec", "run"})))
    if unknown and options.verb not in REFUSED_VERBS:
        parser.error(f"unknown flag: {unknown[0]}")
    return options


def main(argv: list[str], endpoint: Endpoint | str) -> int:
    """One command; errors are told on stderr, with what to do about them."""
    try:
        options = parse(argv)
        if options.verb in REFUSED_VERBS:
            return _refuse(options.verb)
    except SystemExit as e:
        return int(e.code or 0)
    if options.compatibility:
        print("hakobu compose --compatibility is not supported: names are written with hyphens", file=sys.stderr)
        return 1
    context = Context(options, endpoint, argv)
    try:
        return function_of(context.text("verb").replace("convert", "config"))(context)
    except HakobuError as e:
        return _fail(context, str(e), e.hint)
    except ClientError as e:
        return _fail(context, str(e), e.hint)
    except BrokenPipeError:
        return 1
    except KeyboardInterrupt:
        return 130


def _fail(context: Context, text: str, hint: str) -> int:
    context.progress.say(text)
    if hint:
        context.progress.say(f"({hint})")
    return 1
