"""The container's cgroup as its shim holds it: made before the clone, watched while it runs, gone with it."""

from collections.abc import Callable, Mapping

from hakobu.kernel import cgroup
from hakobu.kernel.cgroup.oom import OomWatch
from hakobu.runtime.arguments import text
from hakobu.runtime.failure import StepFailed
from hakobu.runtime.shim.held import OomCount
from hakobu.runtime.shim.loop import IN, Loop
from hakobu.spec.resources import parse_resources
from hakobu.spec.step import Json


class Confinement:
    """`oom` is called whenever the kernel killed something in it for want of memory."""

    def __init__(self, loop: Loop, oom: Callable[[], None]) -> None:
        self._loop, self._oom = loop, oom
        self._cgroup: cgroup.Cgroup | None = None
        self._watch: OomWatch | None = None
        self._kills = 0

    def create(self, args: Mapping[str, Json], pid: int) -> None:
        """Of a path relative to the mounts, with the limits of the configuration."""
        try:
            tree = cgroup.open_tree()
        except FileNotFoundError as error:
            raise StepFailed("cgroup.create", "no cgroup file system is mounted") from error
        self._cgroup = tree.cgroup(text(args, "path"))
        self._cgroup.create(parse_resources(args.get("resources")))

    def adopt(self, path: str) -> None:
        """One that another process has made; none at all where there is no path."""
        if path:
            self._cgroup = cgroup.open_tree().cgroup(path)

    def open_for_clone(self) -> tuple[int, tuple[int, ...]]:
        """A descriptor for CLONE_INTO_CGROUP (-1: none) and those by which the child joins itself."""
        if self._cgroup is None:
            return -1, ()
        return self._cgroup.clone_fd(), tuple(self._cgroup.join_fds())

    def watch_oom(self) -> None:
        """A machine without a memory controller has nothing to tell."""
        if self._cgroup is None:
            return
        try:
            self._watch = self._cgroup.watch_oom()
        except OSError:
            return
        self._loop.watch(self._watch.fd, IN, lambda _: self._woken())

    def watched(self) -> OomCount:
        return OomCount(self._watch.fd, self._watch.seen, self._kills) if self._watch is not None else OomCount()

    def go_on_watching(self, count: OomCount) -> None:
        """What another process has begun, of the cgroup that was adopted."""
        self._kills = count.kills
        if count.fd >= 0 and self._cgroup is not None:
            self._watch = OomWatch(count.fd, self._cgroup.oom_kills, count.seen)
            self._loop.watch(count.fd, IN, lambda _: self._woken())

    def _woken(self, again_s: float = 0.002) -> None:
        """v1 tells that memory has run out before it kills and counts: then the counter is read again, a few times."""
        if self._count() or self._watch is None or again_s > 0.2:
            return
        self._loop.after(again_s, lambda: self._woken(again_s * 2))

    def _count(self) -> bool:
        """Reports what was killed since the last look."""
        if self._watch is None or not (new := self._watch.take()):
            return False
        self._kills += new
        self._oom()
        return True

    def oom_killed(self) -> bool:
        """Whether the kernel killed something here; asked when init has ended, so the counter is read once more."""
        if self._watch is not None:
            self._count()
            self._loop.forget(self._watch.fd)
            self._watch.close()
            self._watch = None
        return self._kills > 0

    def remove(self) -> None:
        """Kills what is left in it; the daemon's delete finds it gone or tries again."""
        if self._cgroup is None:
            return
        try:
            self._cgroup.kill()
            self._cgroup.delete()
        except OSError:
            return
