"""The table of the life cycle: the full product of operations and statuses."""

import itertools

import pytest
from tests.unit.engine.sample import container

from hakobu.engine.lifecycle import ALLOWED, Op, require
from hakobu.errors import HakobuError, Kind
from hakobu.spec.container import Status


@pytest.mark.parametrize(("op", "status"), list(itertools.product(Op, Status)))
def test_every_pair_is_allowed_or_refused_with_a_kind(op, status):
    if status in ALLOWED[op]:
        require(op, container(status))
        return
    with pytest.raises(HakobuError) as refused:
        require(op, container(status))
    assert refused.value.kind in (Kind.CONFLICT, Kind.NOT_MODIFIED)
    assert refused.value.message


def test_starting_what_runs_and_stopping_what_does_not_change_nothing():
    for op, status in ((Op.START, Status.RUNNING), (Op.STOP, Status.EXITED)):
        with pytest.raises(HakobuError) as refused:
            require(op, container(status))
        assert refused.value.kind is Kind.NOT_MODIFIED


def test_docker_s_words_where_clients_look_for_them():
    for op, status, words in (
        (Op.START, Status.PAUSED, "cannot start a paused container, try unpause instead"),
        (Op.REMOVE, Status.RUNNING, "stop the container before removing or force remove"),
        (Op.KILL, Status.EXITED, "is not running"),
        (Op.UNPAUSE, Status.RUNNING, "is not paused"),
    ):
        with pytest.raises(HakobuError, match=words):
            require(op, container(status))
