"""Every name leads to a table and a function, and the start loads little."""

import subprocess
import sys

import pytest

from hakobu.cli.front_page import table_of
from hakobu.cli.help import command_page
from hakobu.cli.registry import ALIASES, COMMANDS, PASSED, SAME, names, resolve


@pytest.mark.parametrize("name", sorted({*COMMANDS, *SAME}))
def test_names_lead_to_tables(name):
    table = table_of(name)
    assert table is not None
    assert table.least <= table.most
    longs = [flag.long for flag in table.flags]
    shorts = [flag.short for flag in table.flags if flag.short]
    assert len(set(longs)) == len(longs) and len(set(shorts)) == len(shorts)
    assert command_page("hakobu", table).startswith("Usage:  hakobu ")


def test_names_are_resolved_longest_first():
    assert resolve(["container", "list", "-a"]) == ("container ls", 2)
    assert resolve(["image", "bootstrap", "x"]) == ("image bootstrap", 2)
    assert resolve(["ps"]) == ("ps", 1)
    assert resolve(["nope"]) == ("", 0)
    assert set(ALIASES.values()) <= {*COMMANDS, *SAME}
    assert set(PASSED) <= set(names())


def loaded(*argv: str) -> set[str]:
    code = (
        "import sys; from hakobu.cli.main import dispatch\n"
        f"dispatch('hakobu', {list(argv)!r})\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_a_command_does_not_load_what_it_does_not_need():
    modules = loaded("version", "--client")
    costly = "json socket signal enum dataclasses inspect typing http.client argparse asyncio re ipaddress".split()
    baseline = set(
        subprocess.run(
            [sys.executable, "-c", "import sys; print('\\n'.join(sys.modules))"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
    )
    assert not (modules - baseline) & set(costly)
    assert "hakobu.cli.command.run" not in modules
    assert "hakobu.cli.template.parser" not in modules
