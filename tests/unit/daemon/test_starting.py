"""What the daemon loads before it has started the launcher is what a first command waits for."""

import subprocess
import sys

LATER = ("hakobu.api", "hakobu.store", "hakobu.network", "hakobu.engine.services", "hakobu.spec.container", "sqlite3")
NEVER_AT_FIRST = frozenset(
    "aiohttp zstandard isal dns tarfile http.client multiprocessing tomllib tempfile resource".split()
)


def loaded(module: str) -> set[str]:
    code = f"import sys, {module}; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True).stdout.split())


def test_the_launcher_waits_for_nothing_that_only_the_engine_needs():
    found = loaded("hakobu.daemon.starting")
    assert "hakobu.runtime.link" in found
    assert not found.intersection(LATER)


def test_an_idle_daemon_has_loaded_nothing_for_pulls_unpacking_and_names():
    found = loaded("hakobu.daemon.serving")
    assert "hakobu.api.server" in found
    assert not found.intersection(NEVER_AT_FIRST)
