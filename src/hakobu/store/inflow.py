"""A layer on its way in while it is still being downloaded: bytes go through a pipe to a worker that unpacks them.

Invariant: a layer is recorded when the worker has compared both digests (of the blob and of what is in it); until then
nothing of it has a name. Whoever opens one calls `finish` or `abandon`, once.
"""

import asyncio
import contextlib
import fcntl
import os
from concurrent.futures import Executor
from typing import Any, cast

from hakobu.spec.descriptor import Descriptor
from hakobu.spec.digest import Digest
from hakobu.store.content import Content
from hakobu.store.pool import WorkerPool
from hakobu.store.snapshots import LayerFacts, Snapshots

_PIPE_BYTES = 1 << 20


class LayerInflow:
    """Made on the event loop that writes to it; the worker is waited for in a thread of `threads`.

    What was written stays as a part of the blob when it is abandoned; `resume` begins with it.
    """

    def __init__(
        self,
        content: Content,
        snapshots: Snapshots,
        pool: WorkerPool,
        threads: Executor,
        blob: Descriptor,
        diff_id: Digest,
    ) -> None:
        self._content, self._blob = content, blob
        self._snapshots, self._loop = snapshots, asyncio.get_running_loop()
        read_fd, self._write_fd = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(read_fd, True)
        with contextlib.suppress(OSError):  # the user's limit of pipe pages: the usual 64 KiB do as well
            fcntl.fcntl(self._write_fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        args = {
            "oci_dir": content.directory,
            "snapshots_dir": snapshots.directory,
            "digest": str(blob.digest),
            "size": blob.size,
            "diff_id": str(diff_id),
        }

        def work() -> dict[str, Any]:
            try:
                return cast("dict[str, Any]", pool.run("unpack", args, (read_fd,)))
            finally:
                os.close(read_fd)

        self._job = self._loop.run_in_executor(threads, work)

    async def resume(self) -> int:
        """Feeds the worker what an earlier run had; how many bytes of the blob that is."""
        fd = await self._loop.run_in_executor(None, self._content.take_partial, self._blob.digest)
        if fd < 0:
            return 0
        fed = 0
        try:
            if os.fstat(fd).st_size > self._blob.size:
                return 0
            while block := await self._loop.run_in_executor(None, os.read, fd, _PIPE_BYTES):
                await self.write(block)
                fed += len(block)
        finally:
            os.close(fd)
        return fed

    async def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._write_fd, view) :]
            except BlockingIOError:
                await self._until_writable()
            except BrokenPipeError:
                await self._job  # says why it stopped reading
                raise

    async def _until_writable(self) -> None:
        """The worker may end without having read: then its failure is what there is to say."""
        writable = self._loop.create_future()
        self._loop.add_writer(self._write_fd, lambda: writable.done() or writable.set_result(None))
        try:
            await asyncio.wait((writable, self._job), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._loop.remove_writer(self._write_fd)
        if self._job.done():
            self._job.result()

    async def finish(self) -> None:
        self._close()
        facts = await self._job
        layer = LayerFacts(facts["directory"], Digest.parse(facts["diff_id"]), facts["size"])
        await self._loop.run_in_executor(None, self._snapshots.add_layer, layer)

    async def abandon(self) -> None:
        """The worker meets the end of the stream too early, finds the digest wrong and removes what it made."""
        self._close()
        with contextlib.suppress(Exception):
            await asyncio.shield(self._job)

    def _close(self) -> None:
        fd, self._write_fd = self._write_fd, -1
        if fd >= 0:
            os.close(fd)
