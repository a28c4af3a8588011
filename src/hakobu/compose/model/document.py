"""Rendering values as JSON documents: what is empty is left out, and dictionaries keep their order."""

from collections.abc import Iterable

from hakobu.spec.step import Json


def compact(pairs: Iterable[tuple[str, Json]]) -> dict[str, Json]:
    """A document without what is empty: None, "", 0, False, [] and {}."""
    return {name: value for name, value in pairs if value or (value is False and name == "required")}


def strings(values: Iterable[str]) -> Json:
    return list[Json](values)


def mapping(values: dict[str, str] | dict[str, str | None]) -> Json:
    return dict[str, Json](values)


def number(value: float) -> Json:
    """A float as Go writes it: without a fraction where it has none."""
    return int(value) if value == int(value) else value
