"""`/debug/vars`: what the process says of itself, as dockerd's expvar page; the memory's words are the kernel's."""

import gc
import sys
from typing import Any

from hakobu.api import reply
from hakobu.api.http.exchange import Reply, Request
from hakobu.api.metrics import resident_bytes
from hakobu.api.route import Route
from hakobu.engine.services import Services


def variables(services: Services, request: Request) -> Reply:
    facts = services.system.facts()
    value: dict[str, Any] = {
        "cmdline": sys.orig_argv,
        "memstats": {"Sys": resident_bytes(), "NumGC": sum(s["collections"] for s in gc.get_stats())},
        "open_fds": facts.file_descriptors,
        "tasks": facts.tasks,
        "events": facts.events,
        "event_listeners": facts.event_listeners,
    }
    return reply.json(value)


ROUTES = (Route("GET", "/debug/vars", variables),)
