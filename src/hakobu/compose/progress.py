"""What a command tells while it works: docker compose's lines, ` Container first-app-web  Started`, on stderr."""

import json
import sys
import threading

from hakobu.compose.plan import Action, Kind

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
_DONE = {words[1] for words in WORDS.values() if len(words) == 2} | {"Running", "Healthy", "Exited", "Built", "Pushed"}


class Progress:
    """Writes whole lines, from any thread; in colour on a terminal."""

    def __init__(
        self, *, quiet: bool = False, colour: bool | None = None, dry: bool = False, as_json: bool = False
    ) -> None:
        self._quiet = quiet
        self._as_json = as_json
        self._head = " DRY-RUN MODE - " if dry else " "
        self._colour = sys.stderr.isatty() if colour is None else colour
        self._lock = threading.Lock()

    def mute(self) -> None:
        """From now on nothing is told of what goes as it should."""
        self._quiet = True

    def tell(self, action: Action, word: str, name: str = "") -> None:
        """One line for an action; `word` is what has happened or begins."""
        self.line(f"{_SUBJECTS.get(action.kind, 'Container ')}{name or action.name}", word)

    def line(self, subject: str, word: str) -> None:
        if self._quiet:
            return
        if self._as_json:
            self.say(json.dumps({"id": subject, "status": word}, separators=(",", ":"), ensure_ascii=False))
            return
        colour = _COLOURS.get(word.split(" ")[0], "32" if word in _DONE else "36")
        shown = f"\x1b[{colour}m{word}\x1b[0m" if self._colour else word
        self.say(f"{self._head}{subject}  {shown}")

    def say(self, text: str) -> None:
        """A line of any kind."""
        with self._lock:
            print(text, file=sys.stderr, flush=True)

    def warn(self, text: str) -> None:
        self.say(f"\x1b[33mWARN\x1b[0m {text}" if self._colour else f"WARN {text}")
