"""A user's specification and an image's configuration become what holds for the container. Pure.

The rules are Docker's: a user's entrypoint drops the image's command; environment variables override by
name, in place; labels, volumes and exposed ports are joined; what the user left empty comes from the image.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from hakobu.engine.failures import NoCommand
from hakobu.spec.container import ContainerSpec, Healthcheck
from hakobu.spec.step import Json

DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What holds once the image is merged in; `entrypoint + command` is never empty."""

    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    env: tuple[str, ...]
    working_dir: str
    user: str
    labels: dict[str, str]
    exposed_ports: tuple[str, ...]
    volumes: tuple[str, ...]
    stop_signal: str
    healthcheck: Healthcheck | None


def merge(spec: ContainerSpec, image: Mapping[str, Json]) -> Merged:
    """`image` is the `config` object of an OCI image configuration, with OCI's capitalised keys."""
    entrypoint, command = _argv(spec, image)
    return Merged(
        entrypoint=entrypoint,
        command=command,
        env=inherit_env(spec.env, _strings(image.get("Env"))),
        working_dir=spec.working_dir or _string(image.get("WorkingDir")),
        user=spec.user or _string(image.get("User")),
        labels={**_string_map(image.get("Labels")), **spec.labels},
        exposed_ports=_union(_keys(image.get("ExposedPorts")), spec.exposed_ports),
        volumes=_union(_keys(image.get("Volumes")), spec.volumes),
        stop_signal=spec.stop_signal or _string(image.get("StopSignal")),
        healthcheck=_healthcheck(spec.healthcheck, image.get("Healthcheck")),
    )


def inherit_env(own: Sequence[str], image: Sequence[str]) -> tuple[str, ...]:
    """The container's own settings, then those of the image that it does not set: the order inspect shows."""
    named = {setting.partition("=")[0] for setting in own}
    return (*merge_env((), own), *(s for s in image if s.partition("=")[0] not in named))


def merge_env(base: Sequence[str], over: Sequence[str]) -> tuple[str, ...]:
    """Later settings replace earlier ones by name, in the earlier one's place. `NAME` alone stays as it is."""
    merged: dict[str, str] = {}
    for setting in (*base, *over):
        merged[setting.partition("=")[0]] = setting
    return tuple(merged.values())


def process_env(base: Sequence[str], over: Sequence[str]) -> tuple[str, ...]:
    """What a process gets: as merged, but `NAME` alone removes the variable."""
    return tuple(setting for setting in merge_env(base, over) if "=" in setting)


def _argv(spec: ContainerSpec, image: Mapping[str, Json]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if spec.entrypoint is None:
        entrypoint = _strings(image.get("Entrypoint"))
        command = _strings(image.get("Cmd")) if not spec.command else spec.command
    else:
        entrypoint = tuple(word for word in spec.entrypoint if word) if spec.entrypoint == ("",) else spec.entrypoint
        command = spec.command or ()
    if not entrypoint and not command:
        raise NoCommand
    return entrypoint, command


def _healthcheck(given: Healthcheck | None, image: Json) -> Healthcheck | None:
    inherited = _parse_healthcheck(image)
    if given is None:
        return inherited
    if given.test or inherited is None:
        return given
    return Healthcheck(
        test=inherited.test,
        interval_ns=given.interval_ns or inherited.interval_ns,
        timeout_ns=given.timeout_ns or inherited.timeout_ns,
        start_period_ns=given.start_period_ns or inherited.start_period_ns,
        start_interval_ns=given.start_interval_ns or inherited.start_interval_ns,
        retries=given.retries or inherited.retries,
    )


def _parse_healthcheck(value: Json) -> Healthcheck | None:
    if not isinstance(value, dict):
        return None
    return Healthcheck(
        test=_strings(value.get("Test")),
        interval_ns=_int(value.get("Interval")),
        timeout_ns=_int(value.get("Timeout")),
        start_period_ns=_int(value.get("StartPeriod")),
        start_interval_ns=_int(value.get("StartInterval")),
        retries=_int(value.get("Retries")),
    )


def _union(first: Sequence[str], second: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))


def _string(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _int(value: Json) -> int:
    return value if isinstance(value, int) else 0


def _strings(value: Json) -> tuple[str, ...]:
    return tuple(v for v in value if isinstance(v, str)) if isinstance(value, list) else ()


def _keys(value: Json) -> tuple[str, ...]:
    return tuple(cast("dict[str, Json]", value)) if isinstance(value, dict) else ()


def _string_map(value: Json) -> dict[str, str]:
    return {k: v for k, v in value.items() if isinstance(v, str)} if isinstance(value, dict) else {}
