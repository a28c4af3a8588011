"""Blobs that travel side by side: all of them, or the first failure alone."""

import asyncio
from collections.abc import Coroutine, Iterable

from hakobu.errors import HakobuError


async def together(transfers: Iterable[Coroutine[object, object, None]]) -> None:
    """Runs the transfers at once; when one fails, the others are cancelled and its own error is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            for transfer in transfers:
                group.create_task(transfer)
    except ExceptionGroup as errors:
        # why not except*: until Python 3.11.4 (Debian 12 has 3.11.2) what it raises comes out in another group
        known, others = errors.split(HakobuError)
        if known is None or others is not None:
            raise
        raise _first(known) from errors


def _first(errors: BaseExceptionGroup[HakobuError]) -> HakobuError:
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
