"""A container that is to be made, with what its body is written from besides the files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hakobu.compose.model.project import Project
from hakobu.compose.model.service import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One container to create. `inherited` are nameless volumes of the container it replaces.

    `container_of` gives the container of a service whose namespace is shared, `names_of` those of a linked one by
    their number; `read_file` a file's text. `socket` is the engine's own.
    """

    project: Project
    service: Service
    number: int
    name: str
    image_id: str
    replaces: str = ""
    inherited: Mapping[str, str]
    container_of: Callable[[str], str]
    names_of: Callable[[str], Mapping[int, str]] = lambda _: {}
    socket: str = ""
    read_file: Callable[[str], str]
    all_networks: bool = True
    aliases: bool = True
