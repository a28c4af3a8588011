"""A file from somewhere on the web, for `import`: into a descriptor, told in Docker's words. aiohttp comes late.

Only http and https, also after redirects; how many bytes there may be is the disk's to say.
"""

import asyncio
import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from hakobu.errors import Invalid
from hakobu.registry.failure import RegistryFailed, RegistryUnreachable
from hakobu.registry.progress import Meter, Tell
from hakobu.registry.session import CONNECT_S, STALL_S

if TYPE_CHECKING:
    import aiohttp

_PIECE_BYTES = 1 << 20


def checked_url(text: str) -> str:
    """Without a scheme http is meant, as Docker has it. Raises `Invalid` for what no web server can be asked for."""
    url = text if "://" in text else f"http://{text}"
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Invalid(f"invalid source {text}: only http and https can be imported from", field="fromSrc")
    return url


async def download(url: str, fd: int, tell: Tell) -> int:
    """Writes what is there to `fd`; its size in bytes."""
    import aiohttp

    tell({"status": f"Downloading from {url}"})
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=STALL_S)
    headers = {"User-Agent": "hakobu"}
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, auto_decompress=False, headers=headers, trust_env=True) as http,
            http.get(url, max_redirects=5) as response,
        ):
            if response.status >= 400:
                raise RegistryFailed(f"Got HTTP status code >= 400: {response.status} {response.reason}")
            return await _take(response, fd, Meter(tell, ""))
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise RegistryUnreachable(url, str(error)) from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise RegistryFailed(f"download of {url}: {str(error) or 'the server does not go on'}") from error


async def _take(response: "aiohttp.ClientResponse", fd: int, meter: Meter) -> int:
    total, size, held = response.content_length or 0, 0, bytearray()
    async for data in response.content.iter_any():
        held += data
        if len(held) >= _PIECE_BYTES:
            await asyncio.to_thread(_write, fd, bytes(held))
            size += len(held)
            held.clear()
            meter.move("Importing", size, total)
    await asyncio.to_thread(_write, fd, bytes(held))
    size += len(held)
    meter.move("Importing", size, total, always=True)
    return size


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
