"""Finding containers by what users type, and names that belong to one container at a time."""

import asyncio

import pytest
from tests.unit.engine.sample import Table, container

from hakobu.engine.failures import AmbiguousPrefix, BadName, NameInUse, NoSuchContainer
from hakobu.engine.records import Records, check_name
from hakobu.spec.container import Status


def records(*containers):
    return Records(Table(), containers)


def test_by_id_name_and_unique_prefix():
    one = container(id="ab" + "0" * 62, name="one")
    two = container(id="ab1" + "0" * 61, name="two")
    book = records(one, two)
    assert book.get(one.id) is one
    assert book.get("two") is two
    assert book.get("/two") is two
    assert book.get("ab1") is two
    with pytest.raises(AmbiguousPrefix):
        book.get("ab")
    with pytest.raises(NoSuchContainer, match="No such container: three"):
        book.get("three")


def test_a_name_wins_over_a_prefix():
    hexish = container(id="c" * 64, name="ab")
    book = records(container(id="ab" + "0" * 62, name="x"), hexish)
    assert book.get("ab") is hexish


def test_a_name_is_taken_once_and_given_back():
    book = records(container(name="web"))
    with pytest.raises(NameInUse, match="already in use by container"):
        book.reserve("web", "z" * 64)
    asyncio.run(book.remove("a" * 64))
    book.reserve("web", "z" * 64)


def test_a_rename_frees_the_old_name():
    book = records(container(name="web"))
    asyncio.run(book.rename("a" * 64, "site"))
    assert book.get("site").name == "site"
    assert book.holder_of("web") is None


def test_changes_are_visible_at_once_and_written_in_order():
    table = Table()
    book = Records(table, (container(),))

    async def change():
        await book.change_state("a" * 64, status=Status.RUNNING)
        await book.change_state("a" * 64, status=Status.EXITED, exit_code=3)

    asyncio.run(change())
    assert [c.state.status for c in table.saved] == [Status.RUNNING, Status.EXITED]
    assert book.get("web").state.exit_code == 3


def test_a_change_saved_ahead_is_seen_when_it_is_settled():
    table = Table()
    book = Records(table, (container(),))

    async def change():
        settle = book.change_ahead("a" * 64, restart_count=1)
        await asyncio.sleep(0)
        assert table.saved[-1].restart_count == 1
        assert book.get("web").restart_count == 0
        assert (await settle()).restart_count == 1

    asyncio.run(change())
    assert book.get("web").restart_count == 1
    assert len(table.saved) == 1


def test_a_change_saved_ahead_undoes_none_that_came_meanwhile():
    table = Table()
    book = Records(table, (container(),))

    async def change():
        settle = book.change_ahead("a" * 64, restart_count=1)
        await book.rename("a" * 64, "site")
        return await settle()

    assert asyncio.run(change()).name == "site"
    assert (table.saved[-1].name, table.saved[-1].restart_count) == ("site", 1)


def test_what_cannot_be_erased_is_still_there():
    class Full(Table):
        async def erase(self, container_id):
            raise OSError

    book = Records(Full(), (container(name="web"),))
    with pytest.raises(OSError):
        asyncio.run(book.remove("a" * 64))
    assert book.get("web").id == "a" * 64
    with pytest.raises(NameInUse):
        book.reserve("web", "z" * 64)


@pytest.mark.parametrize("name", ["", "a", "-x", "a b", "a/b", "../x", "ä1", "x" * 300])
def test_names_that_docker_refuses(name):
    with pytest.raises(BadName):
        check_name(name)


def test_the_leading_slash_is_no_part_of_a_name():
    assert check_name("/web.1_a-b") == "web.1_a-b"
