"""Every step the engine can plan has its text in every language, and every text can be filled."""

import ast
import re
import string
from pathlib import Path

import pytest

from hakobu.explain.catalogue import LANGUAGES, Language, choose_language, load_catalogue, load_forms
from hakobu.explain.fill import Values

SOURCE = Path(__file__).parents[3] / "src" / "hakobu"
PLANNERS = [*(SOURCE / "runtime" / "plan").glob("*.py"), *(SOURCE / "network").glob("*.py")]
EXECUTORS = [*(SOURCE / "runtime").rglob("*.py"), *(SOURCE / "engine").glob("*.py")]
_NAME = re.compile(r"[a-z]+\.[a-z_]+")


def planned_names() -> set[str]:
    """The literal names in calls of Step and of the planners' short forms of it."""
    found: set[str] = set()
    for path in PLANNERS:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("Step", "_step", "_path"):
                found |= {a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)}
    return {name for name in found if _NAME.fullmatch(name)}


def executed_names() -> set[str]:
    """The keys of the executors' tables."""
    found: set[str] = set()
    for path in EXECUTORS:
        found |= set(re.findall(r'^\s*(?:SHIM[^{]*\{)?"([a-z]+\.[a-z_]+)": ', path.read_text(), re.MULTILINE))
    return found


def test_there_are_steps_to_tell_of() -> None:
    assert {"namespaces.clone", "root.pivot", "veth.create", "program.execute"} <= planned_names()
    assert {"rootfs.mount", "capabilities.set", "port.reserve"} <= executed_names()


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_step_lacks_a_text(language: Language) -> None:
    assert (planned_names() | executed_names()) - set(load_catalogue(language).steps) == set()


def test_no_step_lacks_a_form_and_no_text_lacks_a_step() -> None:
    names = set(load_forms())
    assert (planned_names() | executed_names()) - names == set()
    for language in LANGUAGES:
        assert set(load_catalogue(language).steps) == names


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_are_sentences_and_can_be_filled(language: Language) -> None:
    for name, text in load_catalogue(language).steps.items():
        assert text.format_map(Values()).endswith("." if language == "en" else "。"), name
    for form in load_forms().values():
        for template in (*form.calls.values(), form.shell, form.see):
            assert template.format_map(Values())


def test_the_languages_have_the_same_words_with_the_same_blanks() -> None:
    def blanks(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    english, japanese = (load_catalogue(language).words for language in LANGUAGES)
    assert {k: blanks(v) for k, v in english.items()} == {k: blanks(v) for k, v in japanese.items()}


@pytest.mark.parametrize(
    ("wanted", "environment", "language"),
    [
        ("", {}, "en"),
        ("", {"LANG": "ja_JP.UTF-8"}, "ja"),
        ("en", {"LANG": "ja_JP.UTF-8"}, "en"),
        ("ja", {}, "ja"),
        ("", {"LANG": "ja_JP.UTF-8", "LC_ALL": "C"}, "en"),
    ],
)
def test_the_language_is_the_callers(wanted: str, environment: dict[str, str], language: str) -> None:
    assert choose_language(wanted, environment) == language
