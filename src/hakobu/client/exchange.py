"""Input to a container and its output at the same time, over one connection, in one thread.

A program that is not read from does not read either: whoever only sends, and reads afterwards, waits for ever once
the buffers in between are full. So nothing here waits for input to be taken.
"""

from __future__ import annotations

from select import POLLIN, POLLOUT, poll

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hakobu.client.transport import Hijacked


def exchange(
    stream: Hijacked, write: Callable[[bytes], object], read: Callable[[], bytes | None], input_fd: int = -1
) -> None:
    """Until the output ends: `write` takes a piece of it, `read` gives one of the input, None at its end.

    `read` is called when all before was taken and `input_fd` is readable; -1 where it never has to be waited for.
    """
    fd, unsent, ended = stream.fileno(), memoryview(b""), False
    if stream.rest:
        write(stream.recv())
    while True:
        asking = not unsent and not ended
        waiting = poll()
        waiting.register(fd, POLLIN | POLLOUT if unsent else POLLIN)
        if asking and input_fd >= 0:
            waiting.register(input_fd, POLLIN)
        ready = dict(waiting.poll(0 if asking and input_fd < 0 else None))
        if ready.get(fd, 0) & ~POLLOUT:
            if not (data := stream.recv()):
                return
            write(data)
        if asking and (input_fd < 0 or input_fd in ready):
            data = read()
            unsent, ended = memoryview(data or b""), data is None
            if ended:
                stream.half_close()
        elif ready.get(fd, 0) & POLLOUT:
            try:
                unsent = unsent[stream.send_some(unsent) :]
            except OSError:  # nobody takes it any more; there may still be output
                unsent, ended = memoryview(b""), True
