"""An image made on the spot where none can be pulled: the engine's own recipes, through its own command line.

Compose may not import the part that makes images, so it starts the program anew; only for engines that are Hakobu.
"""

from hakobu.client.engine import Engine
from hakobu.client.error import ClientError
from hakobu.compose.own_cli import run_quietly


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
    return run_quietly(engine, ["image", "bootstrap", image])
