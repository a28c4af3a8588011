"""Every command and flag of docker's is known here, or refused by name.

`docker_commands.txt` holds them, one command a line. A raw command takes whatever line it gets: it is refused
as a whole (swarm's families), or handed on as a whole (build).
"""

from pathlib import Path

import pytest

from hakobu.cli.front_page import table_of
from hakobu.cli.registry import resolve

LINES = [
    line.partition(":")
    for line in (Path(__file__).parent / "docker_commands.txt").read_text().splitlines()
    if not line.startswith("#")
]
COMMANDS = {name: flags.split() for name, _, flags in LINES}
# Of the registry; not in this program yet.
COMING = {f"manifest {verb}" for verb in "annotate create push rm".split()}


def test_the_table_is_dockers():
    assert len(COMMANDS) == 169
    assert sum(len(flags) for flags in COMMANDS.values()) > 1000


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_docker_command(name):
    words = name.split()
    found, count = resolve(words)
    if not found and name in COMING:
        return
    assert found, f"`{name}` is no command"
    table = table_of(found)
    assert table is not None
    if table.raw:
        return
    assert count == len(words)
    longs = {alias for flag in table.flags for alias in (flag.long, *flag.aliases)}
    shorts = {flag.short: flag.long for flag in table.flags}
    for text in COMMANDS[name]:
        short, _, long = text.rpartition("/")
        long = long.removeprefix("--")
        if long == "help":
            continue
        assert long in longs, f"`{name}` does not know --{long}"
        if short:
            assert shorts.get(short[1:]) == long, f"`{name}` does not know {short} for --{long}"
