"""The program's own command line on the same engine, for what it can do already: this layer may not import it."""

import os
import sys
from typing import NoReturn

from hakobu.client.engine import Engine

_CODE = "import sys; from hakobu.cli.main import main; sys.exit(main())"


def _argv(engine: Engine, words: list[str]) -> list[str]:
    return [sys.executable, "-c", _CODE, "-H", engine.endpoint.url, *words]


def run(engine: Engine, words: list[str]) -> int:
    """The exit status of `hakobu WORDS…`, which has our standard streams."""
    import subprocess

    return subprocess.run(_argv(engine, words), check=False).returncode


def run_quietly(engine: Engine, words: list[str]) -> bool:
    """Whether `hakobu WORDS…` succeeded; it reads nothing, and all it prints goes to standard error."""
    import subprocess

    ran = subprocess.run(_argv(engine, words), check=False, stdin=subprocess.DEVNULL, stdout=sys.stderr.fileno())
    return ran.returncode == 0


def become(engine: Engine, words: list[str]) -> NoReturn:
    """Ends this program and goes on as `hakobu WORDS…`, with the same terminal and signals."""
    sys.stdout.flush()
    sys.stderr.flush()
    argv = _argv(engine, words)
    os.execv(argv[0], argv)
