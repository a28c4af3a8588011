"""YAML → nodes: Compose's scalars, places, duplicate keys, anchors, merge keys, bounds."""

import pytest

from hakobu.compose.failure import BadComposeFile
from hakobu.compose.node import MappingNode, Node, Scalar, Sequence
from hakobu.compose.yaml import parse_all


def plain(node: Node) -> object:
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return {key: plain(value) for key, value in node}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("22:22", "22:22"),
        ("on", "on"),
        ("yes", "yes"),
        ("No", "No"),
        ("true", True),
        ("FALSE", False),
        ("", None),
        ("~", None),
        ("null", None),
        ("0755", 0o755),
        ("0o17", 15),
        ("0x10", 16),
        ("-7", -7),
        ("1_000", 1000),
        ("1.50", 1.5),
        ("1e3", 1000.0),
        ("1.2.3.4", "1.2.3.4"),
        ("2001-01-01", "2001-01-01"),
        ("'true'", "true"),
        ('"5"', "5"),
        ("!!str 5", "5"),
        ("=", "="),
        ("e5", "e5"),
        ("09", 9.0),
    ],
)
def test_scalars_follow_composes_rules(text: str, value: object) -> None:
    node = parse_all(f"a: {text}\n", "f")[0]
    assert plain(node) == {"a": value}
    assert type(plain(node)["a"]) is type(value)  # type: ignore[index]


def test_nodes_know_their_place() -> None:
    node = parse_all("services:\n  web:\n    image: nginx\n", "compose.yaml")[0]
    assert isinstance(node, MappingNode)
    web = node.get("services").get("web")  # type: ignore[union-attr]
    assert str(web.mark_of("image")) == "compose.yaml:3:5"
    assert (web.get("image").mark.line, web.get("image").mark.column) == (3, 12)


def test_merge_keys_and_anchors() -> None:
    text = "x: &x {a: 1, b: 2}\ny: &y {b: 3, c: 4}\nz:\n  <<: [*x, *y]\n  a: 9\n"
    assert plain(parse_all(text, "f")[0])["z"] == {"a": 9, "b": 2, "c": 4}  # type: ignore[index]


def test_compose_tags_are_kept() -> None:
    node = parse_all("a: !reset null\nb: !override [1]\n", "f")[0]
    assert isinstance(node, MappingNode)
    assert [value.tag for _, value in node] == ["!reset", "!override"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", "f:3:1: mapping key 'a' already defined at line 1"),
        ("a: &x [*x]", "anchor 'x' contains itself"),
        ("a: *nope", "f:1"),
        ("a: !!python/object/apply:os.system [id]", "unknown tag"),
        ("a: !env X", "unknown tag"),
        ("a: [1\nb: 2", "is not valid YAML"),
        ("? [a, b]\n: c", "key must be a string"),
        ("a: {<<: 5}", "map merge requires"),
        ("a: " + "[" * 80 + "]" * 80, "nested deeper"),
        ("a: \x07", "not valid YAML"),
    ],
)
def test_what_is_refused(text: str, said: str) -> None:
    with pytest.raises(BadComposeFile, match=None) as caught:
        parse_all(text, "f")
    assert said in str(caught.value)


def test_aliases_cannot_blow_up() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    with pytest.raises(BadComposeFile, match="aliases expanded"):
        parse_all("\n".join(lines), "f")
