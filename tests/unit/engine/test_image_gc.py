"""Which images go by themselves: by age, by size, never one in use, never one that cannot be had again."""

from hakobu.engine.gc_policy import GcPolicy
from hakobu.engine.image_gc import Held, choose

SIZES = {"base": 100, "a": 10, "b": 20, "c": 30}
NOW = 1000


def held(name: str, used_ns: int, *layers: str, may_go: bool = True) -> Held:
    return Held(name, frozenset(layers), used_ns, may_go)


IMAGES = (
    held("old", 100, "base", "a"),
    held("older, in use", 50, "base", "b", may_go=False),
    held("new", 900, "base", "c"),
)


def test_nothing_goes_without_a_limit():
    assert not GcPolicy().is_on
    assert choose(IMAGES, SIZES, GcPolicy(), NOW) == []


def test_what_is_older_than_the_limit_goes_unless_it_is_in_use():
    assert choose(IMAGES, SIZES, GcPolicy(age_ns=500), NOW) == ["old"]
    assert choose(IMAGES, SIZES, GcPolicy(age_ns=900), NOW) == []
    assert choose(IMAGES, SIZES, GcPolicy(age_ns=10), NOW) == ["old", "new"]


def test_above_the_size_the_longest_unused_go_until_the_rest_fits():
    # all together 160; a shared layer is freed by nobody as long as one holds it
    assert choose(IMAGES, SIZES, GcPolicy(size_bytes=160), NOW) == []
    assert choose(IMAGES, SIZES, GcPolicy(size_bytes=150), NOW) == ["old"]
    assert choose(IMAGES, SIZES, GcPolicy(size_bytes=149), NOW) == ["old", "new"]
    assert choose(IMAGES, SIZES, GcPolicy(size_bytes=1), NOW) == ["old", "new"]


def test_a_layer_counts_once_and_goes_with_its_last_holder():
    images = (held("one", 1, "base"), held("two", 2, "base"), held("three", 3, "c"))
    assert choose(images, SIZES, GcPolicy(size_bytes=129), NOW) == ["one", "two"]
