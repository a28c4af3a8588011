"""The handshake between a shim's server and a container's first process (or an exec's), over one SEQPACKET pair.

    | the shim's server                          | starter, then the child                      |
    |--------------------------------------------|----------------------------------------------|
    | "work" + plan ────────────────────────────▶| decodes, cgroup.create, opens what is joined |
    | opens log and streams                      |                                              |
    |◀──────────── "cloning" + the shim's steps  | clone3 (its child is the shim's child)       |
    |◀────────────────────────────────── "born"  | process.harden (not dumpable, fds closed)    |
    | idmap.write                                |                                              |
    | "mapped" (user namespaces only) ──────────▶| takes ids 0 inside                           |
    | veth.create, port.reserve, hooks           | mounts, devices (side by side with the veth) |
    | "wired" + stdio, a pipe's end ────────────▶| addresses, routes; pivot_root; masks         |
    |◀────────────────────── "console" + master  | (with a terminal, before the pivot)          |
    |                                            | cgroup.join (v1; late, so that the setup is  |
    |                                            |   not charged), limits, ids, caps, seccomp   |
    |◀────────────────────── "prepared", results | waits                                        |
    | halts the starter, whose memory the child  |                                              |
    |   has; reads back capabilities and seccomp |                                              |
    | reports `created` to the daemon            |                                              |
    | "start" ──────────────────────────────────▶| execve                                       |
    | sees the pipe's end: it succeeded          | (close-on-exec closes the child's end)       |
    | kills the starter, and its memory goes     |                                              |
    |◀────────────────────── "failed" + why      | at any point, instead; then waits to be killed |

Messages are JSON objects with `say`; descriptors travel beside them. The child treats anything unexpected,
and the end of the stream, as the order to leave: it fails closed. The command line's process gives no pipe: it
kills the starter at once, and takes the end of the stream for the execve.
"""

import json
import socket
from collections.abc import Sequence
from typing import cast

from hakobu.kernel import scm
from hakobu.spec.step import Json


class HandshakeBroken(Exception):
    """The other side ended or said what does not fit."""


def say(sock: socket.socket, word: str, fds: Sequence[int] = (), **facts: Json) -> None:
    scm.send(sock, json.dumps({"say": word, **facts}).encode(), fds)


def say_plainly(sock: socket.socket, word: str, **facts: Json) -> None:
    """Behind a filter, by a call that every program needs."""
    scm.write(sock, json.dumps({"say": word, **facts}).encode())


def hear_plainly(sock: socket.socket, expected: str) -> None:
    body = scm.read(sock)
    if not body or json.loads(body).get("say") != expected:
        raise HandshakeBroken(f"the other side ended before it said {expected}")


def receive(sock: socket.socket) -> scm.Message | None:
    """One message. A side that ends with words of ours unread resets the stream: what it said is still there."""
    try:
        return scm.receive(sock)
    except ConnectionResetError:
        return scm.receive(sock)


def hear(sock: socket.socket, *expected: str) -> tuple[dict[str, Json], tuple[int, ...], int]:
    """The next message, which must be one of `expected`: its facts, descriptors and, if asked for, its sender."""
    message = receive(sock)
    if message is None:
        raise HandshakeBroken(f"the other side ended before it said {' or '.join(expected)}")
    told = cast("dict[str, Json]", json.loads(message.body))
    if told.get("say") not in expected:
        message.close()
        raise HandshakeBroken(f"expected {' or '.join(expected)}, heard {told.get('say')}")
    return told, message.fds, message.pid
