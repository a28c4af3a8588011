"""Interpolation of every form, and files of variables."""

import pytest

from hakobu.compose.env_file import parse_env
from hakobu.compose.failure import BadComposeFile
from hakobu.compose.interpolation import BadTemplate, interpolate, substitute
from hakobu.compose.node import MappingNode, Scalar
from hakobu.compose.yaml import parse_all

ENV = {"SET": "v", "EMPTY": "", "OTHER": "o"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("$SET", "v"),
        ("${SET}", "v"),
        ("a$SET-b", "av-b"),
        ("$$SET", "$SET"),
        ("$${SET}", "${SET}"),
        ("${UNSET}", ""),
        ("${UNSET:-d}", "d"),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY-d}", ""),
        ("${UNSET-d}", "d"),
        ("${SET:+r}", "r"),
        ("${EMPTY:+r}", ""),
        ("${EMPTY+r}", "r"),
        ("${UNSET+r}", ""),
        ("${SET:?e}", "v"),
        ("${EMPTY?e}", ""),
        ("${UNSET:-${OTHER:-x}}", "o"),
        ("${UNSET:-a${UNSET:-b}c}", "abc"),
        ("${UNSET:-$OTHER}", "o"),
        ("${UNSET:-:?}", ":?"),
        ("${UNSET:-http://x/{y}}", "http://x/{y}"),  # only `${` opens
    ],
)
def test_forms(text: str, value: str) -> None:
    assert substitute(text, ENV.get) == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("${UNSET:?why}", "required variable UNSET is missing a value: why"),
        ("${EMPTY:?}", "required variable EMPTY is missing a value"),
        ("${", "invalid interpolation format"),
        ("${}", "invalid interpolation format"),
        ("$1", "invalid interpolation format"),
        ("${A!b}", "invalid interpolation format"),
        ("${A:-" * 40 + "}" * 40, "nested too deeply"),
    ],
)
def test_bad_templates(text: str, said: str) -> None:
    with pytest.raises(BadTemplate, match=None) as caught:
        substitute(text, {}.get)
    assert said in str(caught.value)


def test_unset_variables_are_told() -> None:
    told: list[str] = []
    substitute("$A ${B:-x} ${C}", {}.get, told.append)
    assert told == ["A", "C"]


def test_nodes_are_interpolated_with_their_place() -> None:
    node = interpolate(parse_all("a: ${SET}\nb: [x$SET, 5]\n$SET: c\n", "f")[0], ENV.get)
    assert isinstance(node, MappingNode)
    assert isinstance(node.get("a"), Scalar)
    assert node.get("a").cast  # type: ignore[union-attr]
    assert "$SET" in node.entries
    with pytest.raises(BadComposeFile, match="f:2:4: required variable X"):
        interpolate(parse_all("a: 1\nb: ${X?}\n", "f")[0], ENV.get)


def test_env_file() -> None:
    text = (
        "\ufeff# comment\n\nA=1\nexport B = two words # c\nC='single ${A} \\n'\nD=\"double ${A}\\n\"\nE=${A}${SET}\n"
        'F=\nG=a#b\nH\nSET=mine\nI=${SET}\nJ="multi\nline"\nK=x\r\nL: colon\n'
    )
    assert parse_env(text, "f", ENV.get) == {
        "A": "1",
        "B": "two words",
        "C": "single ${A} \\n",
        "D": "double 1\n",
        "E": "1v",
        "F": "",
        "G": "a#b",
        "H": None,
        "SET": "mine",
        "I": "v",
        "J": "multi\nline",
        "K": "x",
        "L": "colon",
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [("A=1\nB='x", "f:2: unterminated"), ("A=1\n\n=x", "f:3: is not a variable"), ("A b", "unexpected characters")],
)
def test_bad_env_files(text: str, said: str) -> None:
    with pytest.raises(BadComposeFile, match=None) as caught:
        parse_env(text, "f", ENV.get)
    assert said in str(caught.value)
