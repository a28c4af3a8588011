"""Opening an instance's store: every part, wired once, in the order they depend on each other."""

import os
from dataclasses import dataclass

from hakobu.kernel import overlay_place
from hakobu.spec.instance import Instance
from hakobu.store.archives import Archives
from hakobu.store.arrivals import Arrivals
from hakobu.store.content import Content
from hakobu.store.database import Database
from hakobu.store.imagebook import ImageBook
from hakobu.store.pool import WorkerPool
from hakobu.store.snapshots import Snapshots
from hakobu.store.volumes import Volumes


@dataclass(frozen=True, slots=True)
class Stores:
    """All of it is synchronous and may be called from any thread."""

    database: Database
    content: Content
    snapshots: Snapshots
    images: ImageBook
    volumes: Volumes
    pool: WorkerPool
    archives: Archives
    arrivals: Arrivals

    def close(self) -> None:
        self.pool.close()
        self.database.close()


def open_stores(instance: Instance) -> Stores:
    """What interrupted work left behind is removed here, before anything new begins."""
    os.makedirs(instance.data_root, mode=0o710, exist_ok=True)
    database = Database(instance.database, instance.data_root)
    content = Content(instance.oci_dir)
    content.clean()
    os.makedirs(instance.snapshots_dir, mode=0o700, exist_ok=True)
    os.chmod(instance.snapshots_dir, 0o700)  # a set-id program of an image is none on this machine (CVE-2021-41091)
    snapshots = Snapshots(instance.snapshots_dir, database, native=not overlay_place.takes(instance.snapshots_dir))
    snapshots.clean()
    images = ImageBook(database, content)
    pool = WorkerPool(roots=(instance.oci_dir, instance.snapshots_dir, instance.volumes_dir))
    arrivals = Arrivals()
    return Stores(
        database,
        content,
        snapshots,
        images,
        Volumes(instance.volumes_dir, database),
        pool,
        Archives(content, snapshots, images, pool, arrivals),
        arrivals,
    )
