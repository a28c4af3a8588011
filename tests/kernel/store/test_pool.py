"""Worker processes: shared by the jobs of a moment, gone soon after the last."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from hakobu.daemon.tidying import Tidying
from hakobu.engine.background import Background
from hakobu.store.pool import WorkerFailed, WorkerPool

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a worker confines itself with root's capabilities")


def job(pool: WorkerPool) -> object:
    return pool.run("usage", {"directories": []})


def workers() -> set[int]:
    """This process's children that are workers: another test's daemon may still run beside them."""
    children = {pid for path in Path("/proc/self/task").glob("*/children") for pid in path.read_text().split()}
    return {int(pid) for pid in children if Path(f"/proc/{pid}/comm").read_text() == "hakobu-worker\n"}


def test_jobs_that_follow_each_other_share_a_worker() -> None:
    pool = WorkerPool()
    try:
        job(pool)
        first = workers()
        job(pool)
        assert workers() == first
    finally:
        pool.close()
    assert not workers()


def test_a_job_leaves_nothing_open_in_its_worker(tmp_path: Path) -> None:
    """Also one that found nothing, or whose taker has left: a descriptor would keep a container's mounts."""
    tree, target = tmp_path / "tree", tmp_path / "target"
    (tree / "folder").mkdir(parents=True)
    target.mkdir()
    (tree / "folder/file").write_bytes(bytes(1 << 20))
    pool = WorkerPool()
    tree_fd = os.open(tree, os.O_PATH)
    read_fd, write_fd = os.pipe()
    os.close(read_fd)
    try:
        job(pool)
        (worker,) = workers()
        before = sorted(os.listdir(f"/proc/{worker}/fd"))
        assert pool.run("stat", {"path": "/nothing"}, [tree_fd]) is None
        assert pool.run("copy-tree", {"path": "/nothing", "target": str(target)}, [tree_fd]) is False
        assert pool.run("copy-tree", {"path": "/folder", "target": str(target)}, [tree_fd]) is True
        assert os.listdir(target) == ["file"]
        with pytest.raises(WorkerFailed, match="broken pipe"):
            pool.run("pack-tree", {"path": "/folder", "name": "folder", "chunked": False}, [write_fd, tree_fd])
        assert workers() == {worker}
        assert sorted(os.listdir(f"/proc/{worker}/fd")) == before
    finally:
        os.close(tree_fd)
        os.close(write_fd)
        pool.close()


def test_an_idle_worker_goes_when_nobody_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("hakobu.store.pool", "hakobu.daemon.tidying"):
        monkeypatch.setattr(f"{module}.WARM_S", 0.05)
    monkeypatch.setattr(WorkerPool.trim, "__defaults__", (0.05,))

    async def scenario() -> None:
        pool, background = WorkerPool(), Background()
        pool.went_idle = Tidying(pool, background).begin
        try:
            for _ in range(2):  # a second round begins anew
                await asyncio.to_thread(job, pool)
                assert len(workers()) == 1
                await asyncio.wait_for(_nobody(), 5)
                assert not len(background) or await _ended(background)
        finally:
            await background.close()
            pool.close()

    asyncio.run(scenario())


async def _nobody() -> None:
    while workers():
        await asyncio.sleep(0.01)


async def _ended(background: Background) -> bool:
    limit = time.monotonic() + 5
    while len(background):
        if time.monotonic() > limit:
            return False
        await asyncio.sleep(0.01)
    return True


def test_a_closed_pool_tells_nobody() -> None:
    pool = WorkerPool()
    told: list[bool] = []
    pool.went_idle = lambda: told.append(True)
    pool.close()
    job(pool)
    assert not told and not workers()
