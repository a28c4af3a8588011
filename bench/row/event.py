"""Events to many subscribers: each of them hears of everything."""

import threading
import time

from bench.figure import Figure
from bench.world import World
from hakobu.client.engine import Engine as Client

_SUBSCRIBERS = 100
_CONTAINERS = 50
_ACTIONS = ("create", "destroy")


def measure(world: World) -> list[Figure]:
    """Counts what is missing or out of order. The goal is none."""
    url = f"unix://{world.ours.socket}"
    heard: list[list[tuple[str, str]]] = [[] for _ in range(_SUBSCRIBERS)]
    since = str(int(time.time()))
    threads: list[threading.Thread] = []
    ids: list[str] = []
    began = time.perf_counter()
    with Client(url) as client:
        last = client.containers.create({"Image": "busybox", "Cmd": ["true"], "Labels": {"bench": "last"}})["Id"]
        for number in range(_SUBSCRIBERS):
            thread = threading.Thread(target=_listen, args=(url, since, last, heard[number]))
            thread.start()
            threads.append(thread)
        for _ in range(_CONTAINERS):
            created = client.containers.create({"Image": "busybox", "Cmd": ["true"]})
            client.containers.remove(created["Id"])
            ids.append(created["Id"])
        client.containers.remove(last)
        for thread in threads:
            thread.join()
    took_s = time.perf_counter() - began
    expected = [(action, name) for name in ids for action in _ACTIONS]
    wrong = sum(_missing([event for event in events if event[1] in ids], expected) for events in heard)
    detail = f"{_SUBSCRIBERS} subscribers, {len(expected)} events each, {took_s:.1f} s"
    return [Figure("events lost or out of order", wrong, 0, "", detail=detail)]


def _listen(url: str, since: str, last: str, heard: list[tuple[str, str]]) -> None:
    """Until the last container is destroyed; what came before the subscription is repeated by `since`."""
    with Client(url) as client:
        for event in client.system.events(since=since, filters={"type": ["container"]}).objects():
            if event["Action"] in _ACTIONS:
                heard.append((event["Action"], event["Actor"]["ID"]))
            if heard and heard[-1] == ("destroy", last):
                return


def _missing(heard: list[tuple[str, str]], expected: list[tuple[str, str]]) -> int:
    if heard == expected:
        return 0
    return max(1, len(set(expected) - set(heard)))
