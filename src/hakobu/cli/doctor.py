"""`hakobu doctor`: becomes the engine's own check of the machine. The CLI never imports the engine, it executes it."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.client.endpoint import Endpoint


def main(argv: list[str], endpoint: Endpoint) -> int:
    """Executes `python -I -m hakobu.daemon.doctor` with these arguments; does not return."""
    os.execv(sys.executable, [sys.executable, "-I", "-m", "hakobu.daemon.doctor", *argv])
