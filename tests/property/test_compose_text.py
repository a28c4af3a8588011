"""Compose's text: what `config` writes reads back as itself, interpolation and env files take anything apart safely."""

from hypothesis import given, settings
from hypothesis import strategies as st

from hakobu.compose.config import block
from hakobu.compose.env_file import parse_env
from hakobu.compose.failure import BadComposeFile
from hakobu.compose.interpolation import BadTemplate, substitute
from hakobu.compose.model.reading import format_duration, read_duration
from hakobu.compose.node import string, to_plain
from hakobu.compose.yaml import parse_all

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x85\u2028\u2029\ufeff"), max_size=40)
SCALARS = st.one_of(TEXT, st.integers(-(2**53), 2**53), st.booleans(), st.none())
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT.filter(bool), inner, max_size=4),
    max_leaves=12,
)
TRICKY = st.text(st.sampled_from(list("${}:-+?abAB_ \n\"'\\#=")), max_size=30)


@given(st.dictionaries(TEXT.filter(bool), DOCUMENTS, min_size=1, max_size=4))
@settings(max_examples=150, deadline=None)
def test_yaml_reads_back_as_itself(document: dict[str, object]) -> None:
    written = "".join(block(document, 0))  # type: ignore[arg-type]
    assert to_plain(parse_all(written, "f")[0]) == _sorted(document)


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


@given(TEXT)
@settings(max_examples=100, deadline=None)
def test_doubled_dollars_are_dollars(text: str) -> None:
    assert substitute(text.replace("$", "$$"), {}.get) == text


@given(TRICKY)
@settings(max_examples=200, deadline=None)
def test_templates_expand_or_are_refused(text: str) -> None:
    try:
        substitute(text, {"A": "x", "B": ""}.get)
    except BadTemplate:
        return


@given(TRICKY)
@settings(max_examples=200, deadline=None)
def test_env_files_are_read_or_refused_with_their_line(text: str) -> None:
    try:
        parse_env(text, "f", {}.get)
    except BadComposeFile as e:
        assert e.mark.file == "f"


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_text_is_a_document_or_is_refused(text: str) -> None:
    try:
        parse_all(text, "f")
    except BadComposeFile as e:
        assert str(e).startswith("f")


@given(st.integers(0, 10**15))
@settings(max_examples=100, deadline=None)
def test_durations_read_back(ns: int) -> None:
    assert read_duration(string(format_duration(ns)), "x") == ns
