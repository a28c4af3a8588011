"""The tree that a terminal shows: what stands where, what is cut, and that other text goes above it."""

import re

import pytest

from hakobu.compose.action import Action, Kind
from hakobu.compose.live import LiveProgress
from hakobu.compose.tree import Item, render

ITEMS = [
    Item("", "Network p_default", "Created", 0, 0.01),
    Item("db", "p-db-1", "Healthy", 0, 2.25),
    Item("web", "p-web-1", "Started", 0, 2.5),
    Item("web", "p-web-2", "Starting", 2.0),
]


def test_services_with_their_ports_health_and_times() -> None:
    lines = render(ITEMS, {"web": "8080→80"}, 3.0, columns=80, rows=24, colour=False)
    assert lines == [
        "[+] 3/4",
        " ✔ Network p_default      Created",
        " ✔ db",
        "   └ ✔ p-db-1             Healthy      2.2s",
        " ⠋ web  8080→80",
        "   ├ ✔ p-web-1            Started      2.5s",
        "   └ ⠋ p-web-2            Starting     1.0s",
    ]


def test_what_is_done_goes_first_where_there_is_no_room() -> None:
    lines = render(ITEMS, {}, 3.0, columns=24, rows=4, colour=False)
    assert lines == ["[+] 3/4", " ⠋ web", "   └ ⠋ p-web-2          "]
    assert render([], {}, 0, columns=80, rows=24, colour=False) == ["[+] 0/0"]


def test_marks_have_colours_and_failures_a_mark_of_their_own() -> None:
    items = [Item("", "Network n", "Created", 0, 0), Item("", "Image i", "Error no such image", 0, 0)]
    _, good, bad = render(items, {}, 0, columns=80, rows=24, colour=True)
    assert good.startswith(" \x1b[32m✔\x1b[0m")
    assert bad.startswith(" \x1b[31m✘\x1b[0m")


def test_other_text_stands_above_the_tree(capfd: pytest.CaptureFixture[str]) -> None:
    progress = LiveProgress(colour=False)
    start = Action(kind=Kind.START, name="p-web-1", service="web")
    with progress.shown():
        progress.tell(start, "Starting")
        progress.write(1, "web post_start  | from a hook\n")
        progress.say("a word")
        progress.tell(start, "Started")
    out, err = capfd.readouterr()
    assert out == "web post_start  | from a hook\n"
    screen = _screen(err)
    assert screen == ["a word", "[+] 1/1", " ✔ web", "   └ ✔ p-web-1  Started"]
    progress.tell(start, "Started")  # no plan is carried out any more: a line
    assert capfd.readouterr().err == " Container p-web-1  Started\n"


def _screen(text: str) -> list[str]:
    """What stands on a terminal in the end: `ESC[nA` goes up, `ESC[J` clears what is below."""
    lines: list[str] = []
    for part in re.split(r"(\x1b\[\d+A\x1b\[J)", text):
        if found := re.fullmatch(r"\x1b\[(\d+)A\x1b\[J", part):
            del lines[len(lines) - int(found[1]) :]
        else:
            lines += part.splitlines()
    return [line.rstrip() for line in lines]
