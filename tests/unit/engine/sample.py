"""Records for the engine's unit tests."""

import asyncio

from hakobu.spec.container import Container, ContainerSpec, State, Status

ID = "a" * 64


def container(status=Status.CREATED, *, id=ID, name="web", spec=None, **fields):
    return Container(
        id=id,
        name=name,
        created_ns=fields.pop("created_ns", 1),
        spec=spec or ContainerSpec(image="img"),
        image_id="sha256:" + "b" * 64,
        image_ref="img",
        state=State(status=status, **fields.pop("state", {})),
        **fields,
    )


class Table:
    """Keeps what was saved, in order: what a database's thread would be given."""

    def __init__(self):
        self.saved = []
        self.erased = []

    def save(self, container):
        """The call queues, as with the database."""
        self.saved.append(container)
        return asyncio.sleep(0)

    async def erase(self, container_id):
        self.erased.append(container_id)
