"""A container's record and its snapshot's row go together, and what a removal left behind goes at the next start."""

import asyncio
from pathlib import Path

from tests.unit.engine.sample import ID, container

from hakobu.daemon.tables import Containers
from hakobu.engine.records import Records
from hakobu.engine.roots import ContainerRoots
from hakobu.spec.instance import Instance
from hakobu.store.open import open_stores


def test_an_erased_container_leaves_no_row_and_its_directories_do_not_survive_a_start(tmp_path: Path) -> None:
    instance = Instance(str(tmp_path / "data"), str(tmp_path / "run"))
    stores = open_stores(instance)
    table = Containers(stores.database, stores.snapshots)
    other = container(id="b" * 64, name="other")

    async def live() -> None:
        stores.snapshots.ensure_init(())
        for each in (container(), other):
            made = asyncio.wrap_future(stores.snapshots.prepare(each.id, each.image_id, ()))
            await asyncio.gather(made, table.save(each))
            Path(instance.container_dir(each.id)).mkdir(parents=True)
        await table.erase(ID)

    asyncio.run(live())
    stores.close()  # a daemon that dies before it removed the directories
    assert len(list(Path(instance.snapshots_dir).iterdir())) == 3
    again = open_stores(instance)
    known = Containers(again.database, again.snapshots)
    assert known.ids() == {other.id}
    assert set(again.snapshots.containers()) == {other.id}
    assert len(list(Path(instance.snapshots_dir).iterdir())) == 2
    roots = ContainerRoots(again, Records(known, ()), instance.container_dir, lambda *_: None)
    roots.clean(known.ids())
    assert [p.name for p in Path(instance.data_root, "containers").iterdir()] == [other.id]
    again.close()
