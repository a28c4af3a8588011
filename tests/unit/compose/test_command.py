"""The command line: switches with values, what belongs to another program, and words as docker compose splits them."""

import subprocess
import sys

import pytest

from hakobu.compose.action import READY
from hakobu.compose.command import parse
from hakobu.compose.condition import condition_word, is_settled
from hakobu.compose.failure import ActionFailed
from hakobu.compose.flag import spread
from hakobu.compose.interpolation import Use, variables_in
from hakobu.compose.model.words import Unfinished, split
from hakobu.compose.table import VERBS, function_of
from hakobu.compose.yaml import parse_all

FOREIGN = frozenset({"exec", "run"})


def test_switches_take_true_and_false() -> None:
    assert parse(["up", "--detach=true"]).detach is True
    assert parse(["up", "--detach=false"]).detach is False
    assert parse(["ps"]).orphans is True
    assert parse(["ps", "--orphans=false"]).orphans is False
    assert parse(["attach", "--sig-proxy=false", "web"]).sig_proxy is False


def test_another_programs_command_line_is_left_alone() -> None:
    argv = ["exec", "--detach=true", "web", "tool", "--wait=true"]
    assert spread(argv, FOREIGN) == ["exec", "--detach", "web", "tool", "--wait=true"]
    assert spread(["--", "--wait=true"], FOREIGN) == ["--", "--wait=true"]
    assert parse(["run", "web", "tool", "--rm=true", "-d"]).arguments == ["tool", "--rm=true", "-d"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a  b\tc", ("a", "b", "c")),
        ("'a b' \"c d\"", ("a b", "c d")),
        (r"a\ b \"c", ("a b", '"c')),
        (r"'a\b' " + r'"a\b"', (r"a\b", "ab")),
        ("''", ("",)),
        ("echo $(a b) `c d`", ("echo", "$(a b)", "`c d`")),
        ("echo a; echo b", ("echo", "a")),
        ("echo 'a;b' > c", ("echo", "a;b")),
        ("a'b'c", ("abc",)),
        ("", ()),
    ],
)
def test_words_of_a_command_line(line: str, words: tuple[str, ...]) -> None:
    assert split(line) == words


@pytest.mark.parametrize("line", ["'a", '"a', "a\\", "`a"])
def test_a_line_that_ends_too_early_is_refused(line: str) -> None:
    with pytest.raises(Unfinished):
        split(line)


def test_variables_of_a_document() -> None:
    [node] = parse_all('a: $ONE ${TWO:-${THREE}} $$NONE\nb: ["${FOUR:?must}", \'${FIVE:+x}\', "${ONE:-later}"]\n', "f")
    assert variables_in(node) == (
        Use("FIVE", alternative="x"),
        Use("FOUR", required=True),
        Use("ONE", default="later"),
        Use("THREE"),
        Use("TWO", default="${THREE}"),
    )


def test_a_one_shot_is_ready_when_it_has_done_its_work() -> None:
    assert condition_word(READY, "n", "s", {"Status": "exited", "ExitCode": 0}) == "Exited"
    assert condition_word(READY, "n", "s", {"Status": "running"}) == "Healthy"
    assert condition_word(READY, "n", "s", {"Status": "running", "Health": {"Status": "starting"}}) == ""
    with pytest.raises(ActionFailed, match=r"container n exited \(3\)"):
        condition_word(READY, "n", "s", {"Status": "exited", "ExitCode": 3})


@pytest.mark.parametrize(
    ("state", "seen_s", "age_s", "settled"),
    [
        ({"Status": "running"}, 0.0, 0.1, False),
        ({"Status": "running"}, 0.6, 0.7, True),
        ({"Status": "running"}, 0.0, 60.0, True),
        ({"Status": "running", "Health": {"Status": "healthy"}}, 0.0, 0.1, True),
        ({"Status": "exited"}, 0.0, 0.1, True),
    ],
)
def test_who_has_just_started_may_end_at_once(
    state: dict[str, object], seen_s: float, age_s: float, settled: bool
) -> None:
    assert is_settled(state, seen_s, age_s) is settled


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_its_function(verb: str) -> None:
    assert callable(function_of(verb))


def test_up_loads_only_what_it_needs() -> None:
    code = "import sys; from hakobu.compose.command import function_of\nfunction_of('up'); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-Ic", code], capture_output=True, text=True, check=True).stdout.split()
    assert "hakobu.compose.verb.lifecycle" in loaded
    assert not {"subprocess", "tarfile", "concurrent.futures", "hakobu.kernel.inotify"} & {*loaded}
