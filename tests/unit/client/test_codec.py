"""JSON as the wire has it, against the standard library's own package."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hakobu.client.codec import decode, encode

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_round_trip_and_agreement_with_json(value):
    assert json.loads(encode(value)) == value
    assert decode(json.dumps(value, indent=1)) == value
    assert decode(encode(value)) == value


@pytest.mark.parametrize("text", ["", "{", "nul", '{"a":1} x', "[1,]", "'a'"])
def test_what_is_not_json_is_a_value_error(text):
    with pytest.raises(ValueError):
        decode(text)


def test_bytes_of_argv_that_are_no_utf8_become_replacement_characters():
    assert decode(encode("a\udcffb")) == "a\ufffdb"
