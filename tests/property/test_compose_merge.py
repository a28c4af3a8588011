"""Merging files is associative, whatever forms their attributes are written in: how files are grouped does not count.

The specification's own exceptions are `!reset` and `!override`, which speak of what came before, and a mapping of which
a later file makes a text.
"""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hakobu.compose.merge import merge, unique
from hakobu.compose.node import Node, to_plain
from hakobu.compose.yaml import parse_all

NAME = st.sampled_from("abc")
WORD = st.sampled_from(["x", "y", "z"])
NULLABLE = WORD | st.none()


def _mapping_or_pairs(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """`{A: x}` or `[A=x]`."""
    pairs = st.lists(st.tuples(NAME, WORD).map("=".join), max_size=3, unique_by=lambda pair: pair[0])
    return st.dictionaries(NAME, values, max_size=3) | pairs


def _some(strategies: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=strategies)


LIST = st.lists(WORD, max_size=3)
DEPENDENCIES = st.dictionaries(NAME, st.fixed_dictionaries({"condition": WORD}), max_size=2)
SERVICE = _some(
    {
        "image": NULLABLE,
        "hostname": NULLABLE,
        "command": st.none() | WORD | LIST,
        "entrypoint": LIST,
        "environment": _mapping_or_pairs(NULLABLE),
        "labels": _mapping_or_pairs(WORD),
        "sysctls": _mapping_or_pairs(WORD),
        "depends_on": st.lists(NAME, max_size=2, unique=True) | DEPENDENCIES,
        "networks": st.lists(NAME, max_size=2, unique=True)
        | st.dictionaries(NAME, st.none() | _some({"aliases": LIST, "priority": WORD}), max_size=2),
        "ports": st.lists(st.sampled_from(["80", "8080:80", "8080-8081:80-81", "127.0.0.1:8080:80/udp"]), max_size=3),
        "volumes": st.lists(st.sampled_from(["/a", "v:/a", "v:/b:ro", "./a:/b"]), max_size=3),
        "secrets": st.lists(WORD, max_size=2),
        "configs": st.lists(st.fixed_dictionaries({"source": WORD, "target": WORD}), max_size=2),
        "dns": WORD | LIST,
        "tmpfs": WORD | LIST,
        "env_file": WORD | LIST,
        "cap_add": LIST,
        "profiles": LIST,
        "build": WORD | _some({"context": WORD, "args": _mapping_or_pairs(WORD), "tags": LIST}),
        "healthcheck": _some({"test": WORD | LIST, "interval": WORD, "retries": NULLABLE}),
        "logging": _some({"driver": WORD, "options": st.dictionaries(NAME, WORD, max_size=2)}),
        "deploy": _some({"replicas": st.integers(0, 2), "labels": _mapping_or_pairs(WORD)}),
    }
)
POOLS = st.lists(st.fixed_dictionaries({"subnet": WORD}, optional={"gateway": WORD}), max_size=2)
NETWORK = st.none() | _some(
    {"driver": WORD, "ipam": st.fixed_dictionaries({"config": POOLS}), "internal": st.booleans()}
)
DOCUMENT = _some(
    {
        "name": WORD,
        "services": st.dictionaries(NAME, SERVICE, max_size=2),
        "networks": st.dictionaries(NAME, NETWORK, max_size=2),
        "volumes": st.dictionaries(NAME, st.none() | _some({"labels": _mapping_or_pairs(WORD)}), max_size=2),
        "x-own": st.dictionaries(NAME, st.dictionaries(NAME, WORD, max_size=2), max_size=2),
    }
)


def _node(document: dict[str, Any]) -> Node:
    return parse_all(json.dumps(document), "f")[0]


@given(DOCUMENT, DOCUMENT, DOCUMENT)
@settings(max_examples=300, deadline=None)
def test_merging_is_associative(a: dict[str, Any], b: dict[str, Any], c: dict[str, Any]) -> None:
    one, two, three = _node(a), _node(b), _node(c)
    left = merge(merge(one, two), three)
    right = merge(one, merge(two, three))
    assert to_plain(unique(left)) == to_plain(unique(right))


@given(DOCUMENT)
@settings(max_examples=100, deadline=None)
def test_nothing_is_neutral(a: dict[str, Any]) -> None:
    assert to_plain(merge(_node(a), _node({}))) == to_plain(_node(a)) == to_plain(merge(_node({}), _node(a)))
