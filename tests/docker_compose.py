"""The real docker compose, as `make` fetches it; HAKOBU_DOCKER_COMPOSE names another."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.leaks import need

WANTED = "2.40.3"  # whose labels and hashes ours are
PROGRAM = os.environ.get("HAKOBU_DOCKER_COMPOSE") or str(Path(__file__).parents[1] / ".state" / "docker-compose")


def need_docker_compose() -> None:
    """Skips where it is not here, fails in CI."""
    need(shutil.which(PROGRAM) is not None, PROGRAM)
    ran = subprocess.run([PROGRAM, "version", "--short"], capture_output=True, text=True, check=False)
    need(ran.stdout.strip().lstrip("v") == WANTED, f"docker compose {WANTED} as {PROGRAM}")
