"""`/metrics`, as a Prometheus server reads it (text format 0.0.4), on a listener of its own.

The names are dockerd's, so that its dashboards work; what this engine does not count is left out.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus

from hakobu import __version__
from hakobu.api import status
from hakobu.api.http.exchange import Exchange, Reply, Request
from hakobu.api.http.response import Heads
from hakobu.api.timing import BOUNDS_S, Histogram, Timings
from hakobu.engine.services import SystemFacts

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class MetricsApplication:
    """Implements `http.connection.Application` for the one path."""

    def __init__(self, facts: Callable[[], SystemFacts], timings: Timings) -> None:
        self._facts, self._timings = facts, timings
        self.heads = Heads((("Server", f"Hakobu/{__version__} (linux)"),))

    def exchange(self, request: Request) -> Exchange | Reply:
        if request.path != "/metrics" or request.head.method not in ("GET", "HEAD"):
            return Reply(HTTPStatus.NOT_FOUND, b"404 page not found\n", "text/plain; charset=utf-8")
        return Reply(HTTPStatus.OK, page(self._facts(), self._timings).encode(), CONTENT_TYPE)

    def failure(self, request: Request | None, error: Exception) -> Reply:
        return status.failure(error)


def page(facts: SystemFacts, timings: Timings) -> str:
    """Every series, each with its help and type."""
    lines: list[str] = []
    for name, kind, help_, samples in _series(facts):
        lines += [f"# HELP {name} {help_}", f"# TYPE {name} {kind}"]
        lines += [f"{name}{_labels(labels)} {value}" for labels, value in samples]
    for kind in dict.fromkeys(kind for kind, _ in timings.of):
        name = f"engine_daemon_{kind}_actions_seconds"
        lines += [f"# HELP {name} The number of seconds it takes to process each {kind} action"]
        lines += [f"# TYPE {name} histogram"]
        for (of, action), histogram in timings.of.items():
            if of == kind:
                lines += _buckets(name, action, histogram)
    return "\n".join(lines) + "\n"


Sample = tuple[Mapping[str, str], float]


def _series(facts: SystemFacts) -> Iterator[tuple[str, str, str, tuple[Sample, ...]]]:
    states = {
        "paused": facts.containers_paused,
        "running": facts.containers_running,
        "stopped": facts.containers_stopped,
    }
    about = {
        "architecture": facts.architecture,
        "commit": facts.git_commit,
        "daemon_id": facts.instance_id,
        "graphdriver": facts.storage_driver,
        "kernel": facts.kernel_version,
        "os": facts.operating_system,
        "os_type": facts.os_type,
        "os_version": facts.os_version,
        "version": facts.engine_version,
    }
    yield (
        "engine_daemon_container_states_containers",
        "gauge",
        "The count of containers in various states",
        tuple(({"state": state}, count) for state, count in states.items()),
    )
    yield "engine_daemon_engine_info", "gauge", "The engine and the system it runs on", ((about, 1),)
    yield "engine_daemon_engine_cpus_cpus", "gauge", "The CPUs of the host system", (({}, facts.cpus),)
    yield (
        "engine_daemon_engine_memory_bytes",
        "gauge",
        "The bytes of memory of the host system",
        (({}, facts.memory_bytes),),
    )
    yield "engine_daemon_events_total", "counter", "The number of events logged", (({}, facts.events),)
    yield (
        "engine_daemon_events_subscribers_total",
        "gauge",
        "The number of current subscribers to events",
        (({}, facts.event_listeners),),
    )
    yield (
        "engine_daemon_health_checks_total",
        "counter",
        "The total number of health checks",
        (({}, facts.health_checks),),
    )
    yield (
        "engine_daemon_health_checks_failed_total",
        "counter",
        "The total number of failed health checks",
        (({}, facts.health_checks_failed),),
    )
    yield (
        "process_cpu_seconds_total",
        "counter",
        "User and system CPU time of the daemon in seconds",
        (({}, round(time.process_time(), 6)),),
    )
    yield "process_open_fds", "gauge", "Number of open file descriptors", (({}, facts.file_descriptors),)
    yield "process_resident_memory_bytes", "gauge", "Resident memory in bytes", (({}, resident_bytes()),)


def resident_bytes() -> int:
    """Of this process, as the kernel counts it."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _buckets(name: str, action: str, histogram: Histogram) -> Iterator[str]:
    total = 0
    for bound, count in zip((*(f"{b:g}" for b in BOUNDS_S), "+Inf"), histogram.counts, strict=True):
        total += count
        yield f"{name}_bucket{_labels({'action': action, 'le': bound})} {total}"
    yield f"{name}_sum{_labels({'action': action})} {histogram.sum_s:.9g}"
    yield f"{name}_count{_labels({'action': action})} {total}"


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{key}="{_escaped(value)}"' for key, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
