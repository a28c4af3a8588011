"""A run that is told to end ends as one that is interrupted: what its fixtures have started ends with it."""

import os
import signal
from types import FrameType

_OURS = os.getpid()


def _end(number: int, frame: FrameType | None) -> None:
    if os.getpid() == _OURS:
        raise KeyboardInterrupt
    signal.signal(number, signal.SIG_DFL)  # a fork of a test's
    os.kill(os.getpid(), number)


def pytest_configure() -> None:
    signal.signal(signal.SIGTERM, _end)
    # a run in the background of a shell script has it ignored, and so would have whatever the tests start and interrupt
    signal.signal(signal.SIGINT, signal.default_int_handler)
