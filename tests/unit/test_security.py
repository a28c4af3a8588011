"""SECURITY.md's tables name tests that there are, and leave no number out."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "SECURITY.md").read_text()
_ROW = re.compile(r"^\| (\d+) \| [^|]+ \| [^|]+ \| ([^|]+) \|$", re.MULTILINE)
_TEST = re.compile(r"`([a-z_/0-9]+\.py)::(test_[a-z_0-9]+)`")


def test_every_attack_of_the_survey_has_its_row() -> None:
    assert [int(number) for number, _ in _ROW.findall(TEXT)] == list(range(1, 103))


def test_every_test_that_is_named_is_there() -> None:
    named = _TEST.findall(TEXT)
    assert len(named) > 80
    missing = [
        f"{path}::{name}"
        for path, name in named
        if not (file := ROOT / "tests" / path).is_file() or f"def {name}(" not in file.read_text()
    ]
    assert missing == []


def test_every_row_has_a_test_or_the_reason_for_none() -> None:
    rows = [line for line in TEXT.splitlines() if re.match(r"\| (\d+|[a-z/][^|]*) \| [^|]+ \| [^|]+ \|", line)]
    rows = [line for line in rows if "::test_" not in line and "does not apply" not in line]
    table = TEXT.partition("## Dangers of Python")[2].partition("##")[0]
    assert "no test yet" not in TEXT
    assert [line for line in rows if line in table] == ["| danger | met by | test |"]
