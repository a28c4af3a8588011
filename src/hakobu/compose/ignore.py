"""Which files of a tree count: patterns as `.dockerignore` has them, the last that matches decides. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

PASSING = (
    "**/.git",
    "**/*~",
    "**/.*.sw[a-px]",
    "**/4913",
    "**/.#*",
    "**/#*#",
    "**/.DS_Store",
    "**/.idea",
    "**/*___jb_*___",
)
"""What editors and version control leave beside the files one means."""


@dataclass(frozen=True, slots=True)
class Patterns:
    """Compiled patterns; a path matches when it or a directory above it does."""

    rules: tuple[tuple[re.Pattern[str], bool], ...] = ()

    def match(self, path: str) -> bool:
        """For a path relative to where the patterns start, with slashes."""
        matched = False
        for rule, wanted in self.rules:
            if rule.fullmatch(path):
                matched = wanted
        return matched


def compile_patterns(lines: Iterable[str]) -> Patterns:
    """Empty lines and comments are passed over."""
    rules: list[tuple[re.Pattern[str], bool]] = []
    for line in lines:
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        wanted = not text.startswith("!")
        rules.append((re.compile(_regex(text.lstrip("!").strip("/")) + r"(?:/.*)?", re.DOTALL), wanted))
    return Patterns(tuple(rules))


_TOKEN = re.compile(r"\*\*/|/\*\*|\*\*|\*|\?|\[[^\]]+\]|.", re.DOTALL)
_MEANING = {"**/": "(?:.*/)?", "/**": "(?:/.*)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def _regex(pattern: str) -> str:
    parts = _TOKEN.findall(pattern.removeprefix("./"))
    return "".join(_MEANING.get(p) or (p if len(p) > 1 else re.escape(p)) for p in parts)
