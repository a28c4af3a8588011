"""Environment and labels from flags and files."""

from __future__ import annotations

import os

from hakobu.cli.failure import Failure

_LINE_BYTES = 64 * 1024


def read_lines(path: str, status: int = 125) -> list[str]:
    """The lines of an env or label file: comments and empty ones left out, a byte order mark too."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as e:
        raise Failure(f"open {path}: {(e.strerror or str(e)).lower()}", status) from None
    lines: list[str] = []
    for number, raw in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        try:
            line = raw.removesuffix(b"\r").decode("utf-8").lstrip(" \t")
        except UnicodeDecodeError:
            shown = raw.decode("utf-8", "replace")
            raise Failure(f"invalid env file ({path}): invalid utf8 bytes at line {number}: {shown}", status) from None
        if line and not line.startswith("#"):
            lines.append(line)
    return lines


def read_environment(paths: list[str], given: list[str], status: int = 125) -> list[str]:
    """`NAME=value` items of the files, then of the flags. A name alone takes the caller's value or is left out."""
    items: list[str] = []
    for path in paths:
        for line in read_lines(path, status):
            name, equals, _ = line.partition("=")
            if " " in name or "\t" in name:
                raise Failure(f"invalid env file ({path}): variable '{name}' contains whitespaces", status)
            if not name:
                raise Failure(f"invalid env file ({path}): no variable name on line '{line}'", status)
            if equals:
                items.append(line)
            elif name in os.environ:
                items.append(f"{name}={os.environ[name]}")
    return items + given


def read_labels(paths: list[str], given: list[str], status: int = 125) -> dict[str, str]:
    """Labels of the files, then of the flags; a key alone has an empty value."""
    labels: dict[str, str] = {}
    lines = [line for path in paths for line in read_lines(path, status)]
    for item in lines + given:
        name, _, value = item.partition("=")
        labels[name] = value
    return labels
