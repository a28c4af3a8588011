"""An engine of one test's own, for what is said on the daemon's command line."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.conformance.api.speaker import Speaker
from tests.integration import busybox_image
from tests.integration.daemon import Daemon


@contextlib.contextmanager
def running(folder: Path, *flags: str) -> Iterator[Daemon]:
    """With the image `bb`; ended, and what it held removed, at the end."""
    engine = Daemon(folder, flags)
    engine.start()
    try:
        Speaker(str(engine.socket)).call("POST", "/images/load", busybox_image.archive("bb:latest"))
        yield engine
        engine.remove_all()
    finally:
        engine.stop()
