"""The texts by language, and the language-neutral forms (system calls, shell lines, where to look), from TOML."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

Language: TypeAlias = Literal["en", "ja"]
LANGUAGES: tuple[Language, ...] = ("en", "ja")
_DIRECTORY = Path(__file__).parent / "text"


@dataclass(frozen=True, slots=True)
class Form:
    """How one step looks at the kernel's door: `calls` by system call, a shell line, and where to see the effect."""

    calls: Mapping[str, str]
    shell: str
    see: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """`steps` holds one sentence for each step name, `words` what stands around them."""

    language: Language
    steps: Mapping[str, str]
    words: Mapping[str, str]
    forms: Mapping[str, Form]


@cache
def load_catalogue(language: Language) -> Catalogue:
    texts = tomllib.loads((_DIRECTORY / f"{language}.toml").read_text(encoding="utf-8"))
    return Catalogue(language, texts["steps"], texts["words"], load_forms())


@cache
def load_forms() -> Mapping[str, Form]:
    forms = tomllib.loads((_DIRECTORY / "forms.toml").read_text(encoding="utf-8"))
    return {name: Form(form["calls"], form["shell"], form["see"]) for name, form in forms.items()}


def choose_language(wanted: str, environment: Mapping[str, str]) -> Language:
    """`--lang` where given, else the locale's language where there are texts in it, else English."""
    locale = environment.get("LC_ALL") or environment.get("LC_MESSAGES") or environment.get("LANG") or ""
    return "ja" if (wanted or locale).startswith("ja") else "en"
