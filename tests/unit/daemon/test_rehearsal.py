"""A rehearsal plans what nobody asked for, and its failures are nobody's."""

import asyncio

import pytest

from hakobu.daemon import rehearsal
from hakobu.errors import Invalid
from hakobu.spec.container import ContainerSpec
from hakobu.spec.plan import Plan

ID = "sha256:" + "a" * 64


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsal, "DELAY_S", 0)


def test_a_container_of_the_image_is_planned() -> None:
    planned: list[ContainerSpec] = []

    def plan(spec: ContainerSpec) -> Plan:
        planned.append(spec)
        return Plan("preview", ())

    asyncio.run(rehearsal.rehearse(ID, plan))
    assert [(s.image, s.command) for s in planned] == [(ID, ("true",))]


def test_what_cannot_be_planned_is_left_to_the_start() -> None:
    def plan(_: ContainerSpec) -> Plan:
        raise Invalid("broken image")

    asyncio.run(rehearsal.rehearse(ID, plan))
