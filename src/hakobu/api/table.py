"""All routes of this engine, gathered from the handlers' own tables."""

from typing import Final

from hakobu.api.handlers import system
from hakobu.api.route import Route

ROUTES: Final[tuple[Route, ...]] = (*system.ROUTES,)
