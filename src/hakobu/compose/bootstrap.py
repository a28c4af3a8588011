"""An image made on the spot where none can be pulled: the engine's own recipes, through its own command line.

Compose may not import the part that makes images, so it starts the program anew; only for engines that are Hakobu.
"""

import subprocess
import sys

from hakobu.client.engine import Engine
from hakobu.client.error import ClientError


def is_hakobu(engine: Engine) -> bool:
    """Whether the engine is one of ours, by what it says of itself."""
    try:
        version = engine.system.version()
    except ClientError:
        return False
    return "hakobu" in str([version.get("Components"), version.get("Platform")]).lower()


def bootstrap_image(engine: Engine, image: str) -> bool:
    """Makes and loads the image; False where the engine is another's or there is no recipe of that name."""
    if not is_hakobu(engine):
        return False
    code = "import sys; from hakobu.cli.main import main; sys.exit(main())"
    argv = [sys.executable, "-c", code, "-H", engine.endpoint.url, "image", "bootstrap", image]
    return subprocess.run(argv, check=False, stdin=subprocess.DEVNULL, stdout=sys.stderr.fileno()).returncode == 0
