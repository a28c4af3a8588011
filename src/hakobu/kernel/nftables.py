"""nftables through libnftables.so.1: text or JSON commands, each buffer one transaction of the kernel.

A context belongs to the network namespace of the process that opened it, and to one thread. The library is
loaded at the first context, so importing this costs nothing. A failed transaction changes nothing and raises
OSError with the library's own words, the kernel's errno where its words name one.
"""

import ctypes
import errno
import json
import os
import struct
from typing import Any

from hakobu.kernel.netlink import Netlink, attributes

NFT_CTX_DEFAULT = 0
NFT_CTX_OUTPUT_JSON = 1 << 4
NFT_CTX_OUTPUT_HANDLE = 1 << 3
NFT_CTX_OUTPUT_TERSE = 1 << 11

NETLINK_NETFILTER = 12
NFT_MSG_NEWGEN, NFT_MSG_GETGEN = 10 << 8 | 15, 10 << 8 | 16
NFTA_GEN_ID = 1

_LIBRARY = "libnftables.so.1"
_ERRNOS = (errno.EEXIST, errno.ENOENT, errno.EPERM, errno.EOPNOTSUPP, errno.EBUSY, errno.ENOMEM, errno.EINVAL)


def _load() -> ctypes.CDLL:
    lib = ctypes.CDLL(_LIBRARY, use_errno=True)
    lib.nft_ctx_new.argtypes, lib.nft_ctx_new.restype = [ctypes.c_uint32], ctypes.c_void_p
    for name, arguments, result in (
        ("nft_ctx_free", [], None),
        ("nft_ctx_buffer_output", [], ctypes.c_int),
        ("nft_ctx_buffer_error", [], ctypes.c_int),
        ("nft_ctx_get_output_buffer", [], ctypes.c_char_p),
        ("nft_ctx_get_error_buffer", [], ctypes.c_char_p),
        ("nft_ctx_output_set_flags", [ctypes.c_uint], None),
        ("nft_run_cmd_from_buffer", [ctypes.c_char_p], ctypes.c_int),
    ):
        function = getattr(lib, name)
        function.argtypes, function.restype = [ctypes.c_void_p, *arguments], result
    return lib


def generation(nl: Netlink) -> int:
    """The number of the rule set of `nl`'s namespace (a NETLINK_NETFILTER socket): each transaction raises it."""
    for kind, body in nl.request(NFT_MSG_GETGEN, 0, bytes(4), "read the rule set's generation"):
        if kind == NFT_MSG_NEWGEN:
            return struct.unpack(">I", attributes(body, 4).get(NFTA_GEN_ID, bytes(4)))[0]
    return 0


class Nftables:
    """One libnftables context."""

    def __init__(self) -> None:
        self._lib = _load()
        self._ctx: int | None = self._lib.nft_ctx_new(NFT_CTX_DEFAULT)
        if not self._ctx:
            raise OSError(errno.ENOMEM, "nft_ctx_new")
        self._lib.nft_ctx_buffer_output(self._ctx)
        self._lib.nft_ctx_buffer_error(self._ctx)

    def __enter__(self) -> "Nftables":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._ctx:
            self._lib.nft_ctx_free(self._ctx)
            self._ctx = None

    def run(self, commands: str, flags: int = NFT_CTX_OUTPUT_HANDLE) -> str:
        """Runs text (or JSON) commands as one transaction and returns what they print."""
        if self._ctx is None:
            raise OSError(errno.EBADF, "closed nftables context")
        self._lib.nft_ctx_output_set_flags(self._ctx, flags)
        failed = self._lib.nft_run_cmd_from_buffer(self._ctx, commands.encode())
        output = self._lib.nft_ctx_get_output_buffer(self._ctx) or b""
        said = self._lib.nft_ctx_get_error_buffer(self._ctx) or b""
        if failed:
            raise _error(said.decode("utf-8", "replace"), commands)
        return output.decode("utf-8", "replace")

    def query(self, command: str, *, terse: bool = False) -> list[dict[str, Any]]:
        """The objects a `list …` command names, from the library's JSON."""
        flags = NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_HANDLE | (NFT_CTX_OUTPUT_TERSE if terse else 0)
        printed = self.run(command, flags)
        return json.loads(printed)["nftables"] if printed else []


def _error(said: str, commands: str) -> OSError:
    code = next((e for e in _ERRNOS if os.strerror(e) in said), errno.EINVAL)
    first = said.strip().splitlines()[0] if said.strip() else commands.strip().splitlines()[0]
    return OSError(code, f"nftables: {first}")
