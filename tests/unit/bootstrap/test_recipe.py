import pytest

from hakobu.bootstrap import recipe
from hakobu.bootstrap.failure import BadRecipe, NoSuchRecipe

_SMALL = """
name = "small"
description = "a small one"
[debian]
variant = "essential"
packages = ["procps"]
"""


@pytest.mark.parametrize("name", recipe.known_recipes())
def test_every_shipped_recipe_parses_and_is_named_as_its_file(name: str) -> None:
    assert recipe.load(name).name == name


def test_an_unknown_name_is_answered_with_the_names_there_are() -> None:
    with pytest.raises(NoSuchRecipe) as caught:
        recipe.load("oracle")
    assert "nginx" in caught.value.hint


@pytest.mark.parametrize(
    ("addition", "field"),
    [
        ('suit = "x"', "debian.suit"),
        ('[[files]]\npath = "etc/x"\ncontent = ""', "files[0].path"),
        ('[[files]]\npath = "/a/../b"\ncontent = ""', "files[0].path"),
        ('[[files]]\npath = "/x"\ncontent = ""\nmode = "rw"', "files[0].mode"),
        ('[[files]]\npath = "/x"', "files[0].content"),
        ('[[users]]\nname = "a:b"\nuid = 1', "users[0].name"),
        ('[[users]]\nname = "a"\nuid = true', "users[0].uid"),
        ('[config]\nShell = ["sh"]', "config.Shell"),
        ('[config]\nCmd = "sh"', "config.Cmd"),
    ],
)
def test_a_slip_is_refused_by_the_name_of_its_field(addition: str, field: str) -> None:
    with pytest.raises(BadRecipe) as caught:
        recipe.parse(_SMALL + addition, "x.toml")
    assert caught.value.field == field
    assert "x.toml" in str(caught.value)


def test_a_package_name_cannot_carry_an_option() -> None:
    with pytest.raises(BadRecipe):
        recipe.parse(_SMALL.replace("procps", "--hook=x"), "x.toml")


def test_the_digest_changes_with_the_content_only() -> None:
    one, same = recipe.parse(_SMALL, "a"), recipe.parse("# a comment\n" + _SMALL, "b")
    other = recipe.parse(_SMALL + '[config]\nUser = "x"', "c")
    assert one.digest() == same.digest() != other.digest()


def test_many_links_to_one_target() -> None:
    links = recipe.parse(_SMALL + '[[links]]\ntarget = "/bin/busybox"\npaths = ["/bin/ls", "/bin/cp"]', "x").links
    assert [link.path for link in links] == ["/bin/ls", "/bin/cp"]
