"""Events: the backlog, filters, and listeners who do not keep up."""

import asyncio
import time

import pytest

from hakobu.engine.bus import QUEUE, Bus, matches
from hakobu.errors import Invalid
from hakobu.spec.event import Event


def event(action="start", *, type="container", id="c1" * 32, at=1, **attributes):
    return Event(type=type, action=action, actor_id=id, time_ns=at, attributes=attributes)


async def collect(stream, count=None):
    found = []
    async for item in stream:
        found.append(item)
        if count is not None and len(found) == count:
            break
    return found


def test_since_replays_the_backlog_until_until():
    async def scenario():
        bus = Bus()
        for at in range(1, 6):
            bus.publish(event(at=at))
        return await collect(bus.subscribe(since_ns=2, until_ns=4))

    assert [e.time_ns for e in asyncio.run(scenario())] == [2, 3, 4]


def test_without_since_only_what_comes():
    async def scenario():
        bus = Bus()
        bus.publish(event(at=1))
        task = asyncio.ensure_future(collect(bus.subscribe(), 1))
        await asyncio.sleep(0.01)
        bus.publish(event(at=2))
        return await task

    assert [e.time_ns for e in asyncio.run(scenario())] == [2]


def test_a_listener_that_does_not_keep_up_loses_the_oldest():
    async def scenario():
        bus = Bus()
        stream = bus.subscribe()
        first = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0.01)
        for at in range(QUEUE + 10):
            bus.publish(event(at=at))
        bus.close()
        got = [await first, *[e async for e in stream]]
        return len(got), got[-1].time_ns, bus.listeners

    count, last, listeners = asyncio.run(scenario())
    assert count <= QUEUE and last == QUEUE + 9 and listeners == 0


def test_an_unknown_filter_is_refused_by_its_name():
    with pytest.raises(Invalid, match="invalid filter 'colour'"):
        asyncio.run(collect(Bus().subscribe(until_ns=time.time_ns(), filters={"colour": ("red",)})))


@pytest.mark.parametrize(
    ("filters", "fits"),
    [
        ({"event": ("start",)}, True),
        ({"event": ("exec_create",)}, False),
        ({"container": ("web",)}, True),
        ({"container": ("c1c1c1",)}, True),
        ({"image": ("nginx",)}, True),
        ({"image": ("redis",)}, False),
        ({"label": ("a=b",)}, True),
        ({"label": ("a=c",)}, False),
        ({"type": ("network", "container")}, True),
        ({"type": ("container",), "event": ("die",)}, False),
    ],
)
def test_filters(filters, fits):
    assert matches(event(name="web", image="nginx:1", a="b"), filters) is fits


def test_an_action_with_words_behind_is_found_by_its_verb():
    assert matches(event("exec_start: sh -c x"), {"event": ("exec_start",)})
