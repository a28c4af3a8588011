"""The health check of a service. Durations are nanoseconds, None where the image's or the engine's hold."""

from dataclasses import dataclass

from hakobu.compose.failure import BadComposeFile
from hakobu.compose.model.document import compact, strings
from hakobu.compose.model.reading import (
    Reader,
    format_duration,
    read_bool,
    read_duration,
    read_fields,
    read_int,
    read_list,
    read_string,
)
from hakobu.compose.node import Node, Scalar
from hakobu.spec.step import Json

_DURATIONS = ("timeout", "interval", "start_period", "start_interval")


@dataclass(frozen=True, slots=True, kw_only=True)
class Healthcheck:
    """`healthcheck`; times in nanoseconds."""

    test: tuple[str, ...] = ()
    timeout: int | None = None
    interval: int | None = None
    retries: int | None = None
    start_period: int | None = None
    start_interval: int | None = None
    disable: bool = False

    def to_json(self) -> Json:
        document = compact([("test", strings(self.test))])
        for name, value in (("timeout", self.timeout), ("interval", self.interval)):
            if value is not None:
                document[name] = format_duration(value)
        if self.retries is not None:
            document["retries"] = self.retries
        for name, value in (("start_period", self.start_period), ("start_interval", self.start_interval)):
            if value is not None:
                document[name] = format_duration(value)
        if self.disable:
            document["disable"] = True
        return document


def read_healthcheck(node: Node, path: str) -> Healthcheck:
    readers: dict[str, Reader] = dict.fromkeys(_DURATIONS, read_duration)
    readers |= {"retries": read_int, "test": read_test, "disable": read_bool}
    return Healthcheck(**read_fields(node, path, readers))


def read_test(node: Node, path: str) -> tuple[str, ...]:
    """`NONE`, `CMD` and argv, `CMD-SHELL` and a line; a string is a line for the shell."""
    if isinstance(node, Scalar):
        text = read_string(node, path)
        return ("CMD-SHELL", text) if text else ()
    test = read_list(node, path)
    if test and test[0] not in ("NONE", "CMD", "CMD-SHELL"):
        raise BadComposeFile(node.mark, f"must start with NONE, CMD or CMD-SHELL, not {test[0]!r}", path=path)
    return test
