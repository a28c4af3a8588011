"""`/containers/{id}/stats`: one sample beside the one before, in Docker's shape."""

from typing import Any

from hakobu.api.time import rfc3339_nano
from hakobu.engine.services import Stats
from hakobu.spec.container import Container

_BLKIO = {
    "io_service_bytes_recursive": "io_service_bytes_recursive",
    "io_serviced_recursive": "io_serviced_recursive",
    "io_queue_recursive": "io_queue_recursive",
    "io_service_time_recursive": "io_service_time_recursive",
    "io_wait_time_recursive": "io_wait_time_recursive",
    "io_merged_recursive": "io_merged_recursive",
    "io_time_recursive": "io_time_recursive",
    "sectors_recursive": "sectors_recursive",
}


def stats(container: Container, before: Stats | None, now: Stats | None) -> dict[str, Any]:
    """`now` is None for a container that does not run: Docker sends zeros then."""
    value: dict[str, Any] = {
        "read": rfc3339_nano(now.time_ns if now else 0),
        "preread": rfc3339_nano(before.time_ns if before else 0),
        "pids_stats": _pids(now),
        "blkio_stats": _blkio(now),
        "num_procs": 0,
        "storage_stats": {},
        "cpu_stats": _cpu(now),
        "precpu_stats": _cpu(before),
        "memory_stats": _memory(now),
        "name": f"/{container.name}",
        "id": container.id,
    }
    if now is not None and now.networks:
        value["networks"] = {name: dict(counters) for name, counters in now.networks.items()}
    return value


def _pids(now: Stats | None) -> dict[str, Any]:
    if now is None:
        return {}
    limit = {"limit": now.pids_limit} if now.pids_limit else {}
    return {"current": now.pids_current, **limit}


def _cpu(sample: Stats | None) -> dict[str, Any]:
    if sample is None:
        usage = {"total_usage": 0, "usage_in_kernelmode": 0, "usage_in_usermode": 0}
        return {"cpu_usage": usage, "throttling_data": _throttling(None)}
    usage: dict[str, Any] = {
        "total_usage": sample.cpu_total_ns,
        "usage_in_kernelmode": sample.cpu_system_ns,
        "usage_in_usermode": sample.cpu_user_ns,
    }
    if sample.cpu_per_cpu_ns:
        usage["percpu_usage"] = list(sample.cpu_per_cpu_ns)
    return {
        "cpu_usage": usage,
        "system_cpu_usage": sample.system_cpu_ns,
        "online_cpus": sample.online_cpus,
        "throttling_data": _throttling(sample),
    }


def _throttling(sample: Stats | None) -> dict[str, int]:
    return {
        "periods": sample.throttled_periods if sample else 0,
        "throttled_periods": sample.throttled_count if sample else 0,
        "throttled_time": sample.throttled_ns if sample else 0,
    }


def _memory(now: Stats | None) -> dict[str, Any]:
    if now is None:
        return {}
    maximum = {"max_usage": now.memory_max} if now.memory_max else {}
    return {"usage": now.memory_usage, **maximum, "stats": dict(now.memory_details), "limit": now.memory_limit}


def _blkio(now: Stats | None) -> dict[str, Any]:
    if now is None:
        return dict.fromkeys(_BLKIO)
    return {
        name: [
            {"major": major, "minor": minor, "op": operation, "value": count}
            for major, minor, operation, count in now.blkio.get(key, ())
        ]
        for name, key in _BLKIO.items()
    }
