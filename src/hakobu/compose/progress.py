"""What a command tells while it works: docker compose's lines, ` Container first-app-web  Started`, on stderr."""

import contextlib
import json
import sys
import threading
from contextlib import AbstractContextManager

from hakobu.compose.action import Action, Kind

_SUBJECTS = {
    Kind.PULL: "",
    Kind.CREATE_NETWORK: "Network ",
    Kind.REMOVE_NETWORK: "Network ",
    Kind.CREATE_VOLUME: "Volume ",
    Kind.REMOVE_VOLUME: "Volume ",
    Kind.REMOVE_IMAGE: "Image ",
}
WORDS: dict[Kind, tuple[str, ...]] = {
    Kind.PULL: ("Pulling", "Pulled"),
    Kind.CREATE_NETWORK: ("Creating", "Created"),
    Kind.CREATE_VOLUME: ("Creating", "Created"),
    Kind.CREATE: ("Creating", "Created"),
    Kind.RECREATE: ("Recreate", "Recreated"),
    Kind.ROLL: ("Rolling", "Rolled"),
    Kind.START: ("Starting", "Started"),
    Kind.KEEP: ("Running",),
    Kind.AWAIT: ("Waiting",),
    Kind.STOP: ("Stopping", "Stopped"),
    Kind.RESTART: ("Restarting", "Started"),
    Kind.KILL: ("Killing", "Killed"),
    Kind.PAUSE: ("Pausing", "Paused"),
    Kind.UNPAUSE: ("Unpausing", "Unpaused"),
    Kind.REMOVE: ("Removing", "Removed"),
    Kind.REMOVE_NETWORK: ("Removing", "Removed"),
    Kind.REMOVE_VOLUME: ("Removing", "Removed"),
    Kind.REMOVE_IMAGE: ("Removing", "Removed"),
}
"""What is told of each kind of action when nothing goes wrong."""

_COLOURS = {"Error": "31", "Warning": "33"}
DONE = {words[1] for words in WORDS.values() if len(words) == 2} | {"Running", "Healthy", "Exited", "Built", "Pushed"}
"""Words for what has come to its end."""


def subject_of(action: Action, name: str = "") -> str:
    """What an action is about: `Container shop-web-1`; an image's pull has the service's name alone."""
    return f"{_SUBJECTS.get(action.kind, 'Container ')}{name or action.name}"


class Progress:
    """Writes whole lines, from any thread; in colour on a terminal. `notes` are what is worth saying of a service."""

    def __init__(
        self, *, quiet: bool = False, colour: bool | None = None, dry: bool = False, as_json: bool = False
    ) -> None:
        self._quiet = quiet
        self._as_json = as_json
        self._head = " DRY-RUN MODE - " if dry else " "
        self._colour = sys.stderr.isatty() if colour is None else colour
        self._lock = threading.Lock()
        self.notes: dict[str, str] = {}

    def shown(self) -> AbstractContextManager[None]:
        """While a plan is carried out; here every line stands by itself."""
        return contextlib.nullcontext()

    def paused(self) -> AbstractContextManager[None]:
        """While another program writes to the terminal."""
        return contextlib.nullcontext()

    def write(self, number: int, line: str) -> None:
        """A whole line of a container's output, to the standard stream of this number."""
        with self._lock:
            print(line, end="", file=sys.stderr if number == 2 else sys.stdout, flush=True)

    def mute(self) -> None:
        """From now on nothing is told of what goes as it should."""
        self._quiet = True

    def tell(self, action: Action, word: str, name: str = "") -> None:
        """One line for an action; `word` is what has happened or begins."""
        self.line(subject_of(action, name), word)

    def line(self, subject: str, word: str) -> None:
        if self._quiet:
            return
        if self._as_json:
            self.say(json.dumps({"id": subject, "status": word}, separators=(",", ":"), ensure_ascii=False))
            return
        colour = _COLOURS.get(word.split(" ")[0], "32" if word in DONE else "36")
        shown = f"\x1b[{colour}m{word}\x1b[0m" if self._colour else word
        self.say(f"{self._head}{subject}  {shown}")

    def say(self, text: str) -> None:
        """A line of any kind."""
        with self._lock:
            print(text, file=sys.stderr, flush=True)

    def warn(self, text: str) -> None:
        self.say(f"\x1b[33mWARN\x1b[0m {text}" if self._colour else f"WARN {text}")
