"""From mmdebstrap's tar to an image's layer: a pure pass over its members, written anew.

Nothing is unpacked: members are dropped, replaced and added as they stream by, in a fixed order and with times no
later than the epoch, so that the same packages and recipe give the same bytes.
"""

import fnmatch
import io
import re
import tarfile
from collections.abc import Iterable, Iterator
from typing import IO

from hakobu.bootstrap.failure import BadRecipe
from hakobu.bootstrap.recipe import ALWAYS_KEPT, DEFAULT_REMOVALS, Recipe, User

_ACCOUNT_FILES = ("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow")


def matcher(patterns: Iterable[str]) -> re.Pattern[str]:
    """One expression for all shell patterns; `*` crosses slashes."""
    return re.compile("|".join(fnmatch.translate(pattern) for pattern in patterns) or r"(?!)")


def account_line(file: str, user: User) -> str:
    """What `user` adds to one of the account files; the account has no password."""
    match file:
        case "/etc/passwd":
            return f"{user.name}:x:{user.uid}:{user.gid}:{user.comment}:{user.home}:{user.shell}\n"
        case "/etc/group":
            return f"{user.name}:x:{user.gid}:\n"
        case "/etc/shadow":
            return f"{user.name}:!:::::::\n"
        case _:
            return f"{user.name}:!::\n"


def with_users(file: str, content: str, users: tuple[User, ...]) -> str:
    """The account file with `users` in it; an entry of the same name (a package's own) gives way."""
    names = {user.name for user in users}
    kept = [line for line in content.splitlines(keepends=True) if line.split(":", 1)[0] not in names]
    return "".join([*kept, *(account_line(file, user) for user in users)])


class _Layer:
    """The layer that is being written: what is in it already, and who its accounts are."""

    def __init__(self, tar: tarfile.TarFile, recipe: Recipe, epoch: int) -> None:
        self.tar = tar
        self.recipe = recipe
        self.epoch = epoch
        self.removed = matcher((*DEFAULT_REMOVALS, *recipe.removals))
        self.kept = matcher(ALWAYS_KEPT)
        self.replaced = {entry.path for entry in (*recipe.files, *recipe.links)}
        self.directories = {entry.path: entry for entry in recipe.directories}
        self.written: set[str] = set()
        self.links: dict[str, str] = {}
        self.renumbered: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self.ids: dict[str, tuple[int, int]] = {"root": (0, 0)} | {u.name: (u.uid, u.gid) for u in recipe.users}

    def add(self, info: tarfile.TarInfo, content: IO[bytes] | None = None) -> None:
        """Writes one member as `etc/x`, without names of owners (the host's could differ) and with a bounded time."""
        path = canonical(info.name)
        info.name = path.lstrip("/")
        info.uname = info.gname = ""
        info.mtime = min(int(info.mtime), self.epoch)
        # mmdebstrap writes access times and the like as pax headers; only extended attributes matter
        info.pax_headers = {k: v for k, v in info.pax_headers.items() if k.startswith("SCHILY.xattr.")}
        self.written.add(path)
        if info.issym():
            self.links[path] = info.linkname
        self.tar.addfile(info, content)

    def make(
        self, path: str, kind: bytes, mode: int, owner: str = "root", content: bytes = b"", link: str = ""
    ) -> None:
        path = self.through_links(path)
        if path in self.written:
            # a path twice in one layer is refused by other engines (tar-split), and rightly
            if kind == tarfile.DIRTYPE:
                return
            raise BadRecipe(self.recipe.name, path, "is in a package under another name; give the path it has there")
        for parent in parents(path):
            if parent not in self.written:
                self.make(parent, tarfile.DIRTYPE, 0o755)
        info = tarfile.TarInfo(path)
        info.type, info.mode, info.linkname, info.size = kind, mode, link, len(content)
        info.mtime = self.epoch
        info.uid, info.gid = self.owner(owner)
        self.add(info, io.BytesIO(content) if kind == tarfile.REGTYPE else None)

    def through_links(self, path: str) -> str:
        """`/bin/x` is `/usr/bin/x` where the image's /bin is a link: a tar that wrote through it would replace it."""
        for _ in range(16):
            link = next((parent for parent in parents(path) if parent in self.links), None)
            if link is None:
                return path
            target = self.links[link]
            base = target if target.startswith("/") else f"{link.rpartition('/')[0]}/{target}"
            path = canonical(base) + path[len(link) :]
        return path

    def owner(self, name: str) -> tuple[int, int]:
        """`user`, `user:group` or numbers; accounts of packages are known once /etc/passwd went by."""
        user, _, group = name.partition(":")
        uid, gid = self._account(user)
        return uid, self._account(group)[1] if group else gid

    def _account(self, name: str) -> tuple[int, int]:
        if name.isascii() and name.isdigit():
            return int(name), int(name)
        if name not in self.ids:
            raise BadRecipe(self.recipe.name, "owner", f"{name!r} is no account of this image")
        return self.ids[name]

    def learn(self, content: str) -> None:
        """Takes the accounts of packages from /etc/passwd; what one of the recipe's users owned keeps its owner."""
        for line in content.splitlines():
            fields = line.split(":")
            if len(fields) > 3 and fields[2].isdigit() and fields[3].isdigit():
                old = (int(fields[2]), int(fields[3]))
                new = self.ids.setdefault(fields[0], old)
                for numbers, was, now in zip(self.renumbered, old, new, strict=True):
                    if was != now:
                        numbers[was] = now

    def renumber(self, info: tarfile.TarInfo) -> None:
        uids, gids = self.renumbered
        info.uid, info.gid = uids.get(info.uid, info.uid), gids.get(info.gid, info.gid)


def canonical(name: str) -> str:
    return "/" + "/".join(part for part in name.split("/") if part not in ("", "."))


def parents(path: str) -> Iterator[str]:
    """`/usr`, `/usr/bin` for `/usr/bin/x`, outermost first."""
    parts = path.strip("/").split("/")[:-1]
    for count in range(1, len(parts) + 1):
        yield "/" + "/".join(parts[:count])


def write_layer(source: IO[bytes], out: IO[bytes], recipe: Recipe, epoch: int) -> None:
    """Reads mmdebstrap's tar from `source` and writes the image's only layer to `out`."""
    with (
        tarfile.open(fileobj=source, mode="r|") as tar,
        tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as written,
    ):
        layer = _Layer(written, recipe, epoch)
        for member in tar:
            _pass_on(layer, tar, member)
        _add_accounts(layer)
        for entry in recipe.directories:
            layer.make(entry.path, tarfile.DIRTYPE, entry.mode, entry.owner)
        for file in recipe.files:
            layer.make(file.path, tarfile.REGTYPE, file.mode, file.owner, file.content.encode())
        for link in recipe.links:
            layer.make(link.path, tarfile.SYMTYPE, 0o777, link=link.target)


def _pass_on(layer: _Layer, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
    path = canonical(member.name)
    if path == "/" or path in layer.replaced:
        return
    # a folder stays where something in it does
    kept = layer.kept.fullmatch(path) or (member.isdir() and path.startswith("/usr/share/doc/"))
    if layer.removed.fullmatch(path) and not kept:
        return
    if member.isreg() and path in _ACCOUNT_FILES:
        data = tar.extractfile(member)
        assert data is not None
        old = data.read().decode()
        if path == "/etc/passwd":
            layer.learn(old)
        new = with_users(path, old, layer.recipe.users).encode()
        member.size = len(new)
        layer.add(member, io.BytesIO(new))
        return
    layer.renumber(member)
    if member.isdir() and (entry := layer.directories.get(path)):
        member.mode = entry.mode
        member.uid, member.gid = layer.owner(entry.owner)
    layer.add(member, tar.extractfile(member) if member.isreg() else None)


def _add_accounts(layer: _Layer) -> None:
    """Images without base-passwd (variant `extract`) have no account files of their own."""
    for path in _ACCOUNT_FILES[:2]:
        if layer.recipe.users and path not in layer.written and path not in layer.replaced:
            content = with_users(path, "root:x:0:0:root:/root:/bin/sh\n" if path == "/etc/passwd" else "root:x:0:\n",
                                 layer.recipe.users)  # fmt: skip
            layer.make(path, tarfile.REGTYPE, 0o644, content=content.encode())
