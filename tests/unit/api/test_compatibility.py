"""The compatibility page says what the code does: it is up to date, and its refusals refuse."""

import json
from pathlib import Path
from typing import Any

import pytest

from hakobu.api import compatibility
from hakobu.api.decode import decode
from hakobu.api.translate.container import container_spec
from hakobu.errors import HakobuError
from hakobu.wire.container import ContainerCreate
from hakobu.wire.version import ANNOUNCED

VALUES: dict[str, Any] = {
    "HostConfig.Cgroup": "container:x",
    "HostConfig.Isolation": "process",
    "OnBuild": ["RUN x"],
}


def create(field: str) -> list[str]:
    *path, name = field.split(".")
    value = {name: VALUES.get(field, 7)}
    body = {"Image": "x", **({path[0]: value} if path else value)}
    return container_spec(decode(json.dumps(body).encode(), ContainerCreate), ANNOUNCED)[1]


@pytest.mark.parametrize("field", compatibility.REFUSED)
def test_what_the_page_calls_refused_is_refused(field):
    with pytest.raises(HakobuError) as caught:
        create(field)
    assert field.rpartition(".")[2].lower() in (caught.value.message + str(getattr(caught.value, "field", ""))).lower()


@pytest.mark.parametrize("field", compatibility.WARNED)
def test_what_the_page_calls_warned_is_warned_about(field):
    assert create(field)


def test_every_field_named_is_a_field():
    named = {**compatibility.REFUSED, **compatibility.WARNED, **compatibility.WITHOUT_EFFECT}
    assert set(named) <= set(compatibility.create_fields())


def test_the_page_is_up_to_date():
    path = Path(__file__).parents[3] / "docs" / "compatibility.md"
    assert path.read_text() == compatibility.page(), "run: python -m hakobu.api.compatibility > docs/compatibility.md"
