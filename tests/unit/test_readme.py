"""What the README tells people to type exists."""

import re
import tomllib
from pathlib import Path

import pytest

from hakobu.bootstrap.recipe import known_recipes
from hakobu.cli.registry import resolve

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
SHELL = "\n".join(re.findall(r"```sh\n(.*?)```", README, re.S))


@pytest.mark.parametrize("line", sorted({line for line in SHELL.splitlines() if line.startswith("hakobu ")}))
def test_each_command_is_one_of_ours(line: str) -> None:
    assert resolve(line.split("#")[0].split()[1:])[0], line


def test_each_make_target_is_in_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in {target for text in (README, SHELL) for target in re.findall(r"\bmake ([a-z][a-z-]+)", text)}:
        assert re.search(rf"^{target}:", makefile, re.M) or target == "git", target


def test_each_file_that_is_named_is_there() -> None:
    for name in re.findall(r"`((?:docs|packages|examples|scripts)/[^`*]*|[A-Z]+\.md)`", README):
        assert (ROOT / name).exists(), name


def test_the_images_that_can_be_made_are_the_recipes_there_are() -> None:
    line = next(line for line in SHELL.splitlines() if "image bootstrap" in line)
    for name in known_recipes():
        assert name in line


def test_the_program_is_installed_by_its_name() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["scripts"]["hakobu"] == "hakobu.cli.main:main"
