"""Verbs of one container, by its service: attach, commit, cp, export, stats. The command line carries them out."""

from hakobu.compose.context import Context
from hakobu.compose.failure import ActionFailed
from hakobu.compose.observed import ObservedContainer
from hakobu.compose.own_cli import become, run


def _told(context: Context, words: list[str]) -> int:
    """What would be done, for --dry-run."""
    context.progress.line(" ".join(words), "Would run")
    return 0


def _values(context: Context, *names: str) -> list[str]:
    """The flags that were given a value, as the command line takes them."""
    found: list[str] = []
    for name in names:
        if value := context.text(name):
            found += [f"--{name.replace('_', '-')}", value]
    return found


def attach(context: Context) -> int:
    container = context.container_of(context.text("service"))
    words = ["attach", *_values(context, "detach_keys")]
    words += ["--no-stdin"] if context.on("no_stdin") else []
    words += [] if context.on("sig_proxy") else ["--sig-proxy=false"]
    words.append(container.name)
    return _told(context, words) if context.dry else become(context.engine, words)


def commit(context: Context) -> int:
    container = context.container_of(context.text("service"), running=False)
    words = ["commit", *_values(context, "author", "message")]
    words += [word for change in context.texts("change") for word in ("--change", change)]
    words += [] if context.on("pause") else ["--pause=false"]
    words += [container.name, *([context.text("repository")] if context.text("repository") else [])]
    return _told(context, words) if context.dry else run(context.engine, words)


def export(context: Context) -> int:
    container = context.container_of(context.text("service"), running=False)
    words = ["export", *_values(context, "output"), container.name]
    return _told(context, words) if context.dry else run(context.engine, words)


def stats(context: Context) -> int:
    """Of the named service's containers, or of all."""
    if context.text("service"):
        context.options.services = [context.text("service")]
    containers = context.containers(all=context.on("all"), oneoff=True)
    if not containers:
        raise ActionFailed("no container to show")
    words = ["stats", *_values(context, "format")]
    words += [f"--{name}" for name in ("no-stream", "no-trunc") if context.on(name.replace("-", "_"))]
    words += [c.name for c in containers]
    return _told(context, words) if context.dry else become(context.engine, words)


def cp(context: Context) -> int:
    """From one container of the service; into all of them, unless --index names one."""
    source, target = context.text("source"), context.text("target")
    flags = [f"--{name}" for name in ("archive", "follow-link") if context.on(name.replace("-", "_"))]
    service, path = _split(target)
    if service:
        pairs = [(source, f"{c.name}:{path}") for c in _receivers(context, service)]
    else:
        service, path = _split(source)
        if not service:
            raise ActionFailed("unknown copy direction", hint="one of the two must be SERVICE:PATH")
        pairs = [(f"{context.container_of(service, running=False).name}:{path}", target)]
    for pair in pairs:
        words = ["cp", *flags, *pair]
        if status := _told(context, words) if context.dry else run(context.engine, words):
            return status
    return 0


def _receivers(context: Context, service: str) -> tuple[ObservedContainer, ...]:
    if context.number("index") is not None:
        return (context.container_of(service, running=False),)
    context.options.services = [service]
    found = context.containers(oneoff=context.on("all"))
    if not found:
        raise ActionFailed(f"no container found for service {service!r}")
    return found


def _split(word: str) -> tuple[str, str]:
    """Service and path; a path that begins with `/` or `.` is a local one."""
    service, colon, path = word.partition(":")
    return ("", word) if word.startswith(("/", ".")) or not colon or "/" in service else (service, path)
