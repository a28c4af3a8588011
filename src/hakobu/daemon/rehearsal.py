"""A rehearsal: the first create and start find everything made that is made once and kept.

Decoders, the parsed seccomp profile and its filter cost the first container after a daemon's start some 10 ms. They
are made a moment after the daemon is up, on a thread, by planning a container that nobody asked for. Nothing is written
but the filter's cache, and nothing is held: a failure is the first real start's to tell.
"""

import asyncio
import json
import logging
from collections.abc import Callable

from hakobu.api.decode import decode
from hakobu.api.translate.container import container_spec
from hakobu.errors import HakobuError
from hakobu.spec.container import ContainerSpec
from hakobu.spec.plan import Plan
from hakobu.wire.container import ContainerCreate, ExecCreate, ExecStart
from hakobu.wire.version import ANNOUNCED

DELAY_S = 0.25
"""After whoever started the daemon for a request of their own."""

_log = logging.getLogger("hakobu.daemon")


async def rehearse(image_id: str, plan: Callable[[ContainerSpec], Plan]) -> None:
    """`image_id` is any image's; `plan` is pure."""
    await asyncio.sleep(DELAY_S)
    try:
        await asyncio.to_thread(_rehearse, image_id, plan)
    except (HakobuError, OSError) as error:
        _log.debug("rehearsal: %s", error)


def _rehearse(image_id: str, plan: Callable[[ContainerSpec], Plan]) -> None:
    body = json.dumps({"Image": image_id, "Cmd": ["true"]}).encode()
    spec, _ = container_spec(decode(body, ContainerCreate), ANNOUNCED)
    for shape in (ExecCreate, ExecStart):
        decode(b"{}", shape)
    plan(spec)
