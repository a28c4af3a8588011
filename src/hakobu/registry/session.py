"""One conversation with one registry: its endpoint, its tokens, its redirects and its bad moments.

Invariant: credentials and tokens go to the endpoint's own host and to the realm that `challenge` allows, never along
with a redirect to another host; no redirect leads from TLS to plain HTTP. aiohttp is imported with the first session.
"""

import asyncio
import base64
import contextlib
import email.utils
import json
import os
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import urljoin, urlsplit

from hakobu.errors import HakobuError
from hakobu.registry.challenge import Challenge, may_ask, may_send_credentials, parse_challenges
from hakobu.registry.credentials import Credentials
from hakobu.registry.endpoint import Endpoint, RegistrySettings, endpoints, searched
from hakobu.registry.failure import (
    AccessDenied,
    ForeignRealm,
    NotFoundInRegistry,
    RegistryFailed,
    RegistryUnreachable,
    Unauthorized,
)
from hakobu.registry.trust import trust_of

if TYPE_CHECKING:
    import ssl

    import aiohttp

T = TypeVar("T")

CONNECT_S = 5.0
STALL_S = 60.0
_MAX_REDIRECTS = 5
_MAX_ERROR_BYTES = 64 << 10
_MAX_TOKEN_BYTES = 1 << 20
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
_LONGEST_WAIT_S = 60.0


class Transient(HakobuError):
    """Worth another attempt; `wait_s` is what the registry asked for, 0 for nothing."""

    def __init__(self, message: str, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class Session:
    """Opened by `with_endpoints`; `scopes` are what its tokens are for (`repository:library/nginx:pull`)."""

    def __init__(
        self,
        http: "aiohttp.ClientSession",
        endpoint: Endpoint,
        credentials: Credentials,
        scopes: Sequence[str],
        name: str,
        trust: "ssl.SSLContext | bool" = True,
    ) -> None:
        self._http, self.endpoint, self._credentials = http, endpoint, credentials
        self._scopes = tuple(_prefixed(scope, endpoint.prefix) for scope in scopes)
        self._name, self._trust = name, trust
        self._offline, self.identity_token = False, ""
        self._challenge: Challenge | None = None
        self._authorization = ""
        self._refreshing = asyncio.Lock()

    async def ping(self) -> None:
        """Learns which proof the registry wants."""
        async with self._once("GET", f"{self.endpoint.url}/v2/", {}, None) as response:
            if response.status not in (200, 401):
                raise await self._failure(response, "/v2/")
            if response.status == 401:
                await self._learn(response)
        if self._challenge is not None and self._challenge.scheme == "bearer":
            await self._authorize(self._challenge)

    async def knock(self) -> None:
        """Learns whether anybody is there, of a registry of the first version; credentials go along from here on."""
        async with self._once("GET", f"{self.endpoint.url}/v1/_ping", {}, None):
            pass
        if self._credentials.username and self.endpoint.takes_credentials:
            self._authorization = _basic(self._credentials)

    async def login(self) -> None:
        """Proves the credentials; raises `Unauthorized`. Where the token server gives one, `identity_token` is set."""
        self._offline = True
        try:
            await self.ping()
            async with self.request("GET", "/v2/", accept_status=frozenset({401, 403})) as response:
                await response.read()
                if response.status >= 400:
                    raise Unauthorized(
                        f"login attempt to {self.endpoint.url}/v2/ failed with status: "
                        f"{response.status} {response.reason}"
                    )
        finally:
            self._offline = False

    @contextlib.asynccontextmanager
    async def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: "bytes | AsyncIterator[bytes] | None" = None,
        accept_status: frozenset[int] = frozenset(),
    ) -> "AsyncGenerator[aiohttp.ClientResponse, None]":
        """One request with its redirects, and one renewal of the token. Statuses from 400 on raise."""
        url = path if "://" in path else f"{self.endpoint.url}{self._placed(path)}"
        for attempt in (1, 2):
            async with self._follow(method, url, headers or {}, body) as response:
                if response.status == 401 and attempt == 1:
                    await self._learn(response)
                    used = self._authorization
                else:
                    if response.status >= 400 and response.status not in accept_status:
                        raise await self._failure(response, path)
                    yield response
                    return
            await self._renew(used)
            if hasattr(body, "__anext__"):  # it is used up; whoever sends it has another, and a token that counts
                raise Transient(f"{self._name}: the registry wanted a new token in the middle of an upload")

    def _placed(self, path: str) -> str:
        prefix = self.endpoint.prefix
        return f"/v2/{prefix}{path[3:]}" if prefix and path.startswith("/v2/") and len(path) > 4 else path

    @contextlib.asynccontextmanager
    async def _follow(
        self, method: str, url: str, headers: Mapping[str, str], body: "bytes | AsyncIterator[bytes] | None"
    ) -> "AsyncGenerator[aiohttp.ClientResponse, None]":
        for _ in range(_MAX_REDIRECTS + 1):
            async with self._once(method, url, headers, body) as response:
                target = response.headers.get("Location", "")
                if response.status not in _REDIRECTS or not target or method not in ("GET", "HEAD"):
                    yield response
                    return
                url = self._checked(url, urljoin(url, target))
        raise RegistryFailed(f"registry {self._name} redirects in a circle")

    def _checked(self, source: str, target: str) -> str:
        before, after = urlsplit(source), urlsplit(target)
        if after.scheme not in ("http", "https") or after.username or not after.hostname:
            raise RegistryFailed(f"registry {self._name} redirects to an address that is not to be used")
        if after.scheme == "http" and before.scheme == "https":
            raise RegistryFailed(f"registry {self._name} redirects to plain HTTP at {after.hostname}, which is refused")
        return target

    @contextlib.asynccontextmanager
    async def _once(
        self, method: str, url: str, headers: Mapping[str, str], body: "bytes | AsyncIterator[bytes] | None"
    ) -> "AsyncGenerator[aiohttp.ClientResponse, None]":
        import aiohttp

        sent = dict(headers)
        if self._authorization and urlsplit(url).netloc == self.endpoint.authority:
            sent["Authorization"] = self._authorization
        try:
            async with self._http.request(
                method, url, headers=sent, data=body, allow_redirects=False, ssl=self._trust
            ) as response:
                yield response
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise RegistryUnreachable(url, _reason(error, url)) from error
        except aiohttp.InvalidURL as error:
            raise RegistryFailed(f"registry {self._name} leads to an address that is none: {url[:200]}") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Transient(f"{self._name}: {str(error) or 'the registry does not go on'}") from error

    async def _learn(self, response: "aiohttp.ClientResponse") -> None:
        offered = parse_challenges(response.headers.getall("WWW-Authenticate", []))
        for scheme in ("bearer", "basic"):
            for challenge in offered:
                if challenge.scheme == scheme:
                    self._challenge = challenge
                    return
        raise Unauthorized(f"registry {self._name} refuses, and does not say which proof it wants")

    async def _renew(self, used: str) -> None:
        """Only one of several requests that were refused at the same time asks for a new token."""
        async with self._refreshing:
            if self._challenge is not None and self._authorization == used:
                await self._authorize(self._challenge)

    async def _authorize(self, challenge: Challenge) -> None:
        mine = self._credentials if self.endpoint.takes_credentials else Credentials()
        if challenge.scheme == "basic":
            if not mine.username:
                raise Unauthorized("no basic auth credentials")
            self._authorization = _basic(mine)
            return
        if mine.registry_token:
            self._authorization = f"Bearer {mine.registry_token}"
            return
        if not may_ask(self.endpoint, challenge.realm):
            raise ForeignRealm(self._name, challenge.realm[:200])
        if not mine.is_empty and not may_send_credentials(self.endpoint, challenge.realm):
            raise ForeignRealm(self._name, urlsplit(challenge.realm).hostname or "")
        self._authorization = f"Bearer {await self._token(challenge, mine)}"

    async def _token(self, challenge: Challenge, mine: Credentials) -> str:
        import aiohttp

        scopes = list(dict.fromkeys(s for s in (challenge.scope, *self._scopes) if s))
        fields = [("service", challenge.service)] if challenge.service else []
        fields += [("scope", scope) for scope in scopes]
        headers: dict[str, str] = {}
        if mine.identity_token:
            form = [*fields, ("grant_type", "refresh_token"), ("refresh_token", mine.identity_token)]
            request = self._http.post(
                challenge.realm,
                data=aiohttp.FormData([*form, ("client_id", "hakobu")]),
                allow_redirects=False,
                ssl=self._trust,
            )
        else:
            if mine.username:
                headers["Authorization"] = _basic(mine)
                fields.append(("account", mine.username))
                if self._offline:
                    fields += [("offline_token", "true"), ("client_id", "hakobu")]
            request = self._http.get(
                challenge.realm,
                params=fields,
                headers=headers,
                allow_redirects=False,
                ssl=self._trust,
            )
        try:
            async with request as response:
                data = await read_bounded(response, _MAX_TOKEN_BYTES)
                if response.status in (401, 403):
                    raise Unauthorized(_message(data) or "unauthorized: incorrect username or password")
                if response.status != 200:
                    raise _transient_or_failed(response, f"token of {self._name}: status {response.status}")
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise RegistryUnreachable(challenge.realm, _reason(error, challenge.realm)) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Transient(f"{self._name}: {error}") from error
        if self._offline:
            self.identity_token = _refresh_token_of(data)
        return _token_of(data, self._name)

    async def _failure(self, response: "aiohttp.ClientResponse", path: str) -> HakobuError:
        data = await read_bounded(response, _MAX_ERROR_BYTES, cut=True)
        said = _message(data) or f"status {response.status} {response.reason or ''}".strip()
        if response.status in _TRANSIENT:
            return Transient(f"{self._name}: {said}", _retry_after(response.headers.get("Retry-After", "")))
        match response.status:
            case 401:
                return Unauthorized(said)
            case 403:
                return AccessDenied(said)
            case 404:
                return NotFoundInRegistry(said)
            case _:
                return RegistryFailed(f"{self._name} answers {path} with: {said}")


async def with_endpoints(
    domain: str,
    scopes: Sequence[str],
    credentials: Credentials,
    settings: RegistrySettings,
    work: Callable[[Session], Awaitable[T]],
    *,
    for_push: bool = False,
    first_version: bool = False,
) -> T:
    """Runs `work` with the first endpoint that answers; what fails at a mirror is tried with the next one.

    Gives up within `CONNECT_S` where none can be reached.
    """
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S - 0.5, sock_read=STALL_S)
    async with aiohttp.ClientSession(
        timeout=timeout,
        auto_decompress=False,
        headers={"User-Agent": "hakobu"},
        trust_env=True,
        cookie_jar=aiohttp.DummyCookieJar(),
        connector=aiohttp.TCPConnector(limit=0, limit_per_host=8),
    ) as http:
        found = searched(domain, settings) if first_version else endpoints(domain, settings, for_push=for_push)
        failure: HakobuError = RegistryFailed(f"no endpoint of {domain}")
        waited_s = 0.0
        for number, endpoint in enumerate(found):
            trust = await asyncio.to_thread(trust_of, endpoint, settings.certificates)
            session = Session(http, endpoint, credentials, scopes, domain, trust)
            began_s = time.monotonic()
            share_s = max(CONNECT_S - waited_s, 0.2) / (len(found) - number)
            try:
                await _greet(session, session.knock() if first_version else session.ping(), share_s)
            except (RegistryUnreachable, Transient, RegistryFailed) as error:
                failure, waited_s = error, waited_s + time.monotonic() - began_s
                continue
            except (Unauthorized, ForeignRealm) as error:
                if not endpoint.mirror:
                    raise
                failure = error
                continue
            try:
                return await work(session)
            except HakobuError as error:
                if not endpoint.mirror:
                    raise
                failure = error
    if isinstance(failure, Transient):
        raise RegistryFailed(failure.message) from failure
    raise failure


async def _greet(session: Session, greeting: Awaitable[None], limit_s: float) -> None:
    try:
        async with asyncio.timeout(limit_s):
            await greeting
    except TimeoutError:
        raise RegistryUnreachable(
            f"{session.endpoint.url}/v2/",
            "net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)",
        ) from None


async def read_bounded(response: "aiohttp.ClientResponse", limit: int, *, cut: bool = False) -> bytes:
    """The body; one that is longer than `limit` raises, or is cut."""
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > limit:
            if cut:
                break
            raise RegistryFailed(f"the registry sent more than {limit} bytes where less was expected")
    return b"".join(parts)[:limit]


async def pause_before(attempt: int, asked_s: float) -> None:
    """Exponential with jitter (0.2, 0.4, 0.8 … s), or what the registry asked for, at most a minute."""
    own = 0.2 * 2 ** (attempt - 1) * (0.75 + random.random() / 2)
    await asyncio.sleep(min(max(own, asked_s), _LONGEST_WAIT_S))


def _prefixed(scope: str, prefix: str) -> str:
    return scope.replace("repository:", f"repository:{prefix}/", 1) if prefix else scope


def _basic(credentials: Credentials) -> str:
    pair = f"{credentials.username}:{credentials.password}".encode()
    return "Basic " + base64.b64encode(pair).decode()


def _reason(error: Exception, url: str) -> str:
    import socket
    import ssl

    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None)
    host = urlsplit(url).hostname or ""
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"tls: failed to verify certificate: x509: {cause.verify_message}"
    if isinstance(cause, ssl.SSLError):
        return f"tls: {cause.reason or cause}"
    if isinstance(cause, socket.gaierror):
        return f"dial tcp: lookup {host}: no such host"
    if isinstance(error, TimeoutError):
        return "dial tcp: i/o timeout"
    number = getattr(cause, "errno", None)
    text = f"connect: {os.strerror(number).lower()}" if number else str(error)
    return f"dial tcp {urlsplit(url).netloc}: {text}"


def _transient_or_failed(response: "aiohttp.ClientResponse", message: str) -> HakobuError:
    if response.status in _TRANSIENT:
        return Transient(message, _retry_after(response.headers.get("Retry-After", "")))
    return RegistryFailed(message)


def _retry_after(text: str) -> float:
    """Seconds, or an HTTP date."""
    if text.isascii() and text.isdigit() and len(text) < 7:
        return float(text)
    parsed = email.utils.parsedate_tz(text) if text else None
    try:
        return 0.0 if parsed is None else max(email.utils.mktime_tz(parsed) - time.time(), 0.0)
    except (ValueError, OverflowError):  # a year that no calendar has
        return 0.0


def _message(data: bytes) -> str:
    """`code: message` of the first error in the distribution API's error document, or empty."""
    try:
        told: Any = json.loads(data)
        first = told["errors"][0]
        code, message = str(first.get("code", "")), str(first.get("message", ""))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return ""
    words = code.lower().replace("_", " ")
    return f"{words}: {message}" if words else message


def _token_of(data: bytes, name: str) -> str:
    try:
        told = cast("dict[str, object]", json.loads(data))
        token = told.get("token") or told.get("access_token")
    except (ValueError, AttributeError, RecursionError):
        token = None
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise RegistryFailed(f"the token server of {name} did not give a token")
    return token


def _refresh_token_of(data: bytes) -> str:
    """What a login is worth in later ones, in place of the password; empty where the server gives none."""
    try:
        token = cast("dict[str, object]", json.loads(data)).get("refresh_token")
    except (ValueError, AttributeError, RecursionError):
        return ""
    return token if isinstance(token, str) else ""
