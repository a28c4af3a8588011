"""Asking other servers: UDP from a fresh port each time, TCP where the client came by TCP or the answer is cut.

The message passes through unchanged (EDNS and all); only a response to this very question is believed. Servers
are asked in order. At most `LIMIT` questions are under way at once; further ones fail at once rather than queue.
"""

import asyncio
import socket
import struct

from hakobu.network.resolver.answer import is_answer_to, is_truncated

LIMIT = 512
TIMEOUT_S = 2.5
MAX_SERVERS = 3


class Upstream:
    def __init__(self) -> None:
        self._under_way = 0

    async def ask(self, query: bytes, servers: tuple[str, ...], *, tcp: bool) -> bytes | None:
        """The first server's response that comes; None when none does."""
        if self._under_way >= LIMIT:
            return None
        self._under_way += 1
        try:
            for server in servers[:MAX_SERVERS]:
                try:
                    async with asyncio.timeout(TIMEOUT_S):
                        response = await self._ask_one(query, server, tcp)
                except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError):
                    continue
                if response[3] & 0x0F not in (2, 5):  # SERVFAIL and REFUSED: another server may know more
                    return response
            return None
        finally:
            self._under_way -= 1

    async def _ask_one(self, query: bytes, server: str, tcp: bool) -> bytes:
        if tcp:
            return await _ask_tcp(query, server)
        response = await _ask_udp(query, server)
        # a client that takes large datagrams gets the whole; others are told to come by TCP themselves
        if is_truncated(response) and _room(query) > 512:
            whole = await _ask_tcp(query, server)
            return whole if len(whole) <= _room(query) else response
        return response


def _room(query: bytes) -> int:
    """The datagram size an EDNS option offers: the OPT record is the last one of any query that has one."""
    if query[10:12] != b"\0\1":
        return 512
    at = len(query) - 11
    while at > 12:
        if query[at : at + 3] == b"\0\0\x29":
            return int.from_bytes(query[at + 3 : at + 5], "big")
        at -= 1
    return 512


def _family(server: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in server else socket.AF_INET


async def _ask_udp(query: bytes, server: str) -> bytes:
    loop = asyncio.get_running_loop()
    with socket.socket(_family(server), socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
        sock.connect((server, 53))  # connected: only this server's datagrams arrive, and its refusal is heard
        await loop.sock_sendall(sock, query)
        while True:
            response = await loop.sock_recv(sock, 65535)
            if is_answer_to(query, response):
                return response


async def _ask_tcp(query: bytes, server: str) -> bytes:
    loop = asyncio.get_running_loop()
    with socket.socket(_family(server), socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as sock:
        await loop.sock_connect(sock, (server, 53))
        await loop.sock_sendall(sock, struct.pack("!H", len(query)) + query)
        length = struct.unpack("!H", await receive_exactly(sock, 2))[0]
        response = await receive_exactly(sock, length)
        if not is_answer_to(query, response):
            raise ValueError("not an answer to the question")
        return response


async def receive_exactly(sock: socket.socket, count: int) -> bytes:
    loop = asyncio.get_running_loop()
    data = b""
    while len(data) < count:
        chunk = await loop.sock_recv(sock, count - len(data))
        if not chunk:
            raise asyncio.IncompleteReadError(data, count)
        data += chunk
    return data
