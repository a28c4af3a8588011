"""One blob's way to a registry: lent by another repository, or sent in chunks that go on where they were broken off.

    client                                     registry
    POST …/uploads/?mount=D&from=R  ────────▶  201 lent; 202 an upload, which is cancelled
    POST …/uploads/                 ────────▶  202 Location
    PATCH Location, Content-Range   ────────▶  202 Location       while more than one chunk is left
    broken off: GET Location        ────────▶  204 Range: 0-<last byte it has>; else the upload starts anew
    PUT Location&digest=D           ────────▶  201                with what is left

Invariant: a blob is there when the registry has compared its digest; what is left of an upload is its own affair.
"""

import contextlib
from collections.abc import AsyncIterator, Callable
from urllib.parse import quote, urljoin, urlsplit

from hakobu.errors import HakobuError
from hakobu.registry.failure import AccessDenied, NotFoundInRegistry, RegistryFailed, Unauthorized
from hakobu.registry.session import Session, Transient
from hakobu.spec.descriptor import Descriptor
from hakobu.spec.digest import Digest

OpenBlob = Callable[[Descriptor, int], AsyncIterator[bytes]]
"""The bytes of a blob of the store from an offset on, in blocks."""


async def is_there(session: Session, path: str, digest: Digest) -> bool:
    try:
        async with session.request("HEAD", f"/v2/{path}/blobs/{digest}"):
            return True
    except NotFoundInRegistry:
        return False


async def mount(session: Session, path: str, digest: Digest, source: str) -> bool:
    """Whether the registry took the blob from another of its repositories; what it began instead is cancelled."""
    query = f"mount={quote(str(digest))}&from={quote(source, safe='')}"
    try:
        async with session.request(
            "POST", f"/v2/{path}/blobs/uploads/?{query}", headers={"Content-Length": "0"}
        ) as response:
            if response.status == 201:
                return True
            location = response.headers.get("Location", "")
    except (NotFoundInRegistry, AccessDenied, Unauthorized, RegistryFailed):
        return False
    if location:
        with contextlib.suppress(HakobuError):
            async with session.request("DELETE", _target(session, location)):
                pass
    return False


class Upload:
    """`go` sends the blob; called again after a failure it continues. `have` is what the registry confirmed, bytes."""

    def __init__(
        self,
        session: Session,
        path: str,
        blob: Descriptor,
        open_blob: OpenBlob,
        on_bytes: Callable[[int], None],
        chunk_bytes: int,
    ) -> None:
        self._session, self._path, self._blob = session, path, blob
        self._open_blob, self._on_bytes = open_blob, on_bytes
        self._chunk_bytes = chunk_bytes
        self._location = ""
        self.have = 0

    @property
    def is_under_way(self) -> bool:
        """Whether the registry has a part of it that may be gone on from."""
        return bool(self._location) and self.have > 0

    async def go(self) -> None:
        """Raises `Transient` where another attempt may help."""
        if self.is_under_way:
            await self._ask()
        if not self.is_under_way:
            await self._begin()
        while self._blob.size - self.have > self._chunk_bytes:
            await self._patch()
        await self._put()

    async def _begin(self) -> None:
        self.have = 0
        url = f"/v2/{self._path}/blobs/uploads/"
        async with self._session.request("POST", url, headers={"Content-Length": "0"}) as response:
            self._moved(response.headers.get("Location", ""))

    async def _ask(self) -> None:
        """How far the registry got; an upload it does not know any more, or not well, is begun anew."""
        try:
            async with self._session.request("GET", self._location) as response:
                first, dash, last = response.headers.get("Range", "").removeprefix("bytes=").partition("-")
                # why not 0-0: registries say it of one byte and of none
                if response.status != 204 or first != "0" or not dash or not last.isdigit() or int(last) == 0:
                    self._forget()
                    return
                self.have = min(int(last) + 1, self._blob.size)
                if location := response.headers.get("Location", ""):
                    self._moved(location)
        except (NotFoundInRegistry, RegistryFailed):
            self._forget()

    def _forget(self) -> None:
        self._location, self.have = "", 0

    async def _patch(self) -> None:
        end = self.have + self._chunk_bytes
        headers = self._headers(end) | {"Content-Range": f"{self.have}-{end - 1}"}
        try:
            async with self._session.request(
                "PATCH", self._location, headers=headers, body=self._body(end)
            ) as response:
                self.have = end
                self._moved(response.headers.get("Location", "") or self._location)
        except NotFoundInRegistry as error:
            self._forget()
            raise Transient(error.message) from error

    async def _put(self) -> None:
        size = self._blob.size
        target = f"{self._location}{'&' if '?' in self._location else '?'}digest={quote(str(self._blob.digest))}"
        headers = self._headers(size)
        if self.have:
            headers["Content-Range"] = f"{self.have}-{size - 1}"
        try:
            async with self._session.request("PUT", target, headers=headers, body=self._body(size)):
                return
        except NotFoundInRegistry as error:
            self._forget()
            raise Transient(error.message) from error

    def _headers(self, end: int) -> dict[str, str]:
        return {"Content-Type": "application/octet-stream", "Content-Length": str(end - self.have)}

    async def _body(self, end: int) -> AsyncIterator[bytes]:
        at = self.have
        async for block in self._open_blob(self._blob, at):
            part = block[: end - at]
            at += len(part)
            if part:
                yield part
            self._on_bytes(at)
            if at >= end:
                return

    def _moved(self, location: str) -> None:
        if not location:
            raise RegistryFailed("the registry does not say where to upload to")
        self._location = _target(self._session, location)


def _target(session: Session, location: str) -> str:
    target = urljoin(f"{session.endpoint.url}/", location)
    if urlsplit(target).scheme == "http" and not session.endpoint.is_plain:
        raise RegistryFailed("the registry wants an upload over plain HTTP, which is refused")
    return target
