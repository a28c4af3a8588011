"""The launcher's start, when whoever waited for it has gone."""

import asyncio
import contextlib

from hakobu.runtime.launching import Launching


def test_a_start_that_is_cancelled_leaves_no_process_and_no_descriptor(tmp_path):
    async def give_up() -> None:
        launching = Launching(str(tmp_path / "warm"))
        waiting = asyncio.create_task(launching.need())
        await asyncio.sleep(0)
        assert not waiting.done()
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        launching.close()

    asyncio.run(give_up())
