"""Installed services carried out without systemd: their command lines, in the order of their relations."""

import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from hakobu.formats.quadlet.unit import Unit, parse_unit, split_words


@dataclass
class Systemd:
    """Carries out installed services' command lines in the order of their relations, as an init would."""

    folder: Path
    running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)

    def unit(self, name: str) -> Unit:
        return parse_unit((self.folder / name).read_text(), name)

    def start(self, name: str) -> None:
        if name in self.started:
            return
        unit = self.unit(name)
        for other in [*unit.values("Unit", "Requires"), *unit.values("Unit", "BindsTo")]:
            self.start(other)
        self._all(unit, "ExecStartPre")
        (line,) = unit.values("Service", "ExecStart")
        if unit.last("Service", "Type") == "oneshot":
            run(line)
        else:
            self.running[name] = subprocess.Popen(words(line)[0])
        self._all(unit, "ExecStartPost")
        self.started.append(name)

    def stop_all(self) -> dict[str, int]:
        """Exit statuses of the main programs."""
        ended: dict[str, int] = {}
        for name in reversed(self.started):
            unit = self.unit(name)
            self._all(unit, "ExecStop")
            if process := self.running.get(name):
                ended[name] = process.wait(60)
            self._all(unit, "ExecStopPost")
        return ended

    def end(self) -> None:
        """Programs that are still there, when a test has gone wrong."""
        for process in self.running.values():
            process.kill()
            process.wait()

    def _all(self, unit: Unit, key: str) -> None:
        for line in unit.values("Service", key):
            run(line)


def words(line: str) -> tuple[list[str], bool]:
    """A command line's words, as systemd makes them, and whether it may fail."""
    argv = [word.replace("$$", "$").replace("%%", "%") for word in split_words(line.removeprefix("-"))]
    return argv, line.startswith("-")


def run(line: str) -> None:
    argv, may_fail = words(line)
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert may_fail or done.returncode == 0, f"{line}\n{done.stderr}"
