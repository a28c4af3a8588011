"""Scoped sockets over the daemon's life: policies kept in the data root, sockets made anew at each start.

Each lies in a folder of its own, `<exec root>/sockets/<name>/docker.sock`, so that a container can mount the folder:
a restarted engine makes a new socket, which a mount of the old one would not lead to. A policy that cannot be
read (or a group that is gone) costs that socket, and is told by its list.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from socket import socket as Socket

from hakobu.api.http.listen import listen_unix
from hakobu.api.server import Server
from hakobu.engine.clock import now_ns
from hakobu.engine.services import ScopedSocket
from hakobu.errors import HakobuError, Invalid, Kind
from hakobu.spec.bounded import Fields, load_json
from hakobu.spec.instance import Instance
from hakobu.spec.policy import Policy, parse_policy

_SOCKET = "docker.sock"

Serve = Callable[[Socket, Policy], Awaitable[Server]]


class NoSuchSocket(HakobuError):
    kind = Kind.NOT_FOUND

    def __init__(self, name: str) -> None:
        super().__init__(f"no such scoped socket: {name}")


class SocketExists(HakobuError):
    kind = Kind.CONFLICT

    def __init__(self, name: str) -> None:
        super().__init__(f"a scoped socket {name} exists", hint="remove it first: who uses it would get other rights")


@dataclass(slots=True)
class _Open:
    facts: ScopedSocket
    server: Server | None = None


class ScopedSockets:
    """Implements `services.Sockets`. `open` makes it answer; before, it only remembers."""

    def __init__(self, instance: Instance) -> None:
        self._kept, self._made = f"{instance.data_root}/sockets", f"{instance.exec_root}/sockets"
        self._open: dict[str, _Open] = {}
        self._serve: Serve | None = None

    def __len__(self) -> int:
        return len(self._open)

    async def open(self, serve: Serve) -> Sequence[str]:
        """Listens on every kept socket; returns what could not be, for the log."""
        self._serve = serve
        problems: list[str] = []
        for name in sorted(os.listdir(self._kept)) if os.path.isdir(self._kept) else ():
            if not name.endswith(".json"):
                continue
            try:
                facts = self._read(name)
                self._open[facts.policy.name] = _Open(facts)
                await self._listen(facts)
            except (HakobuError, OSError) as error:
                problems.append(f"scoped socket {name.removesuffix('.json')}: {error}")
                self._broken(name.removesuffix(".json"), str(error))
        return problems

    def _read(self, file_name: str) -> ScopedSocket:
        with open(f"{self._kept}/{file_name}", "rb") as file:
            fields = Fields.of(load_json(file.read(1 << 20), what=file_name), file_name)
        policy = parse_policy(fields.values.get("policy"))
        if f"{policy.name}.json" != file_name:
            raise Invalid(f"the policy is of {policy.name}", field="name")
        return ScopedSocket(policy, self._path(policy.name), fields.integer("created_ns"))

    def _broken(self, name: str, problem: str) -> None:
        known = self._open.get(name)
        policy = known.facts.policy if known else Policy(name=name, allow=frozenset())
        created_ns = known.facts.created_ns if known else 0
        self._open[name] = _Open(ScopedSocket(policy, self._path(name), created_ns, problem))

    def _path(self, name: str) -> str:
        return f"{self._made}/{name}/{_SOCKET}"

    async def _listen(self, facts: ScopedSocket) -> None:
        assert self._serve is not None
        folder = os.path.dirname(facts.path)
        os.makedirs(self._made, mode=0o711, exist_ok=True)
        os.makedirs(folder, mode=0o711, exist_ok=True)
        listener = listen_unix(facts.path, group=facts.policy.group, default_group="")
        self._open[facts.policy.name].server = await self._serve(listener, facts.policy)

    async def create(self, policy: Policy) -> ScopedSocket:
        if policy.name in self._open:
            raise SocketExists(policy.name)
        if not policy.allow:
            raise Invalid("the policy permits nothing", field="allow", hint="give --allow, as in containers:read")
        facts = ScopedSocket(policy, self._path(policy.name), now_ns())
        self._open[policy.name] = _Open(facts)
        try:
            await self._listen(facts)
            self._keep(facts)
        except BaseException:
            await self._end(policy.name)
            raise
        return facts

    def _keep(self, facts: ScopedSocket) -> None:
        os.makedirs(self._kept, mode=0o700, exist_ok=True)
        path = f"{self._kept}/{facts.policy.name}.json"
        document = {"created_ns": facts.created_ns, "policy": facts.policy.to_json()}
        with open(f"{path}.new", "w", encoding="utf-8", opener=_private) as file:
            json.dump(document, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(f"{path}.new", path)
        _sync(self._kept)

    def list(self) -> Sequence[ScopedSocket]:
        return [self._open[name].facts for name in sorted(self._open)]

    def get(self, name: str) -> ScopedSocket:
        if name not in self._open:
            raise NoSuchSocket(name)
        return self._open[name].facts

    async def remove(self, name: str) -> None:
        self.get(name)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{self._kept}/{name}.json")
            _sync(self._kept)
        await self._end(name)

    async def _end(self, name: str) -> None:
        """No request that is under way outlives its permission."""
        gone = self._open.pop(name)
        shutil.rmtree(os.path.dirname(gone.facts.path), ignore_errors=True)
        if gone.server is not None:
            await gone.server.close(0.0)

    async def close(self) -> None:
        """At the engine's end: the folders stay, for what has mounted them."""
        for name, held in self._open.items():
            if held.server is not None:
                await held.server.close()
                held.server = None
                self._open[name].facts = replace(held.facts, problem="the engine ends")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _sync(folder: str) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
