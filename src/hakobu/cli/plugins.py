"""docker's CLI plugins: programs `docker-NAME` that answer `docker-cli-plugin-metadata`, run as `NAME …`.

Looked for where docker looks: the user's configuration first, then the system's folders; the first of a
name wins. A plugin speaks to the engine this command would speak to: by `DOCKER_HOST`, or by the context.
"""

from __future__ import annotations

import os

from hakobu.cli.failure import Failure
from hakobu.client.codec import decode, list_of, object_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.client.codec import Json

SYSTEM_FOLDERS = (
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
)
_PREFIX = "docker-"
_METADATA = "docker-cli-plugin-metadata"
_METADATA_LIMIT_S = 10


class Plugin:
    """A plugin that was found: its name and path, and what it says of itself (`Err` where that is unusable)."""

    __slots__ = ("metadata", "name", "path")

    def __init__(self, name: str, path: str, metadata: Json) -> None:
        self.name = name
        self.path = path
        self.metadata = metadata

    @property
    def about(self) -> str:
        return str(self.metadata.get("ShortDescription") or "")


def folders(config: Json, config_dir: str) -> list[str]:
    """Where plugins are looked for: `cliPluginsExtraDirs`, the user's folder, the system's."""
    extra = [str(item) for item in list_of(config.get("cliPluginsExtraDirs"))]
    return [*extra, f"{config_dir}/cli-plugins", *SYSTEM_FOLDERS]


def find(session: Session, name: str) -> str:
    """The path of a plugin's program; empty where there is none of this name."""
    if not is_name(name):
        return ""
    for folder in folders(session.config(), session.config_dir):
        path = f"{folder}/{_PREFIX}{name}"
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    return ""


def is_name(name: str) -> bool:
    """docker's rule for a plugin's name: lower-case letters and digits, a letter first."""
    return name.isascii() and name.isalnum() and name[0].isalpha() and name == name.lower()


def installed(config: Json, config_dir: str) -> list[Plugin]:
    """Every plugin that answers for itself, by name; each is asked, so this is for help and `info` only.

    Where a command of ours has the name, the plugin is not reached and not listed.
    """
    from hakobu.cli.registry import names

    own = {name.partition(" ")[0] for name in names()}
    found: dict[str, Plugin] = {}
    for folder in folders(config, config_dir):
        try:
            entries = sorted(os.listdir(folder))
        except OSError:
            continue
        for entry in entries:
            name = entry.removeprefix(_PREFIX)
            path = f"{folder}/{entry}"
            if name == entry or name in own or name in found or not is_name(name) or not os.access(path, os.X_OK):
                continue
            metadata = ask(path) if is_trusted(path) else {}
            if metadata.get("SchemaVersion"):
                found[name] = Plugin(name, path, metadata)
    return [found[name] for name in sorted(found)]


def ask(path: str) -> Json:
    """What a program says of itself as a plugin; empty where it is none."""
    import subprocess

    try:
        done = subprocess.run(
            [path, _METADATA], stdin=subprocess.DEVNULL, capture_output=True, timeout=_METADATA_LIMIT_S, check=False
        )
        answer: object = decode(done.stdout) if done.returncode == 0 else {}
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return {}
    return object_of(answer) if isinstance(answer, dict) else {}


def run(session: Session, path: str, words: list[str]) -> int:
    """Becomes the plugin; comes back only with a Failure."""
    require_trusted(path)
    if session.endpoint.own:
        # A plugin would find nobody there: the engine is started by whoever calls first.
        session.engine.system.ping()
        session.engine.close()
    try:
        os.execve(path, [path, *_global_flags(session), *words], environment(session))
    except OSError as e:
        raise Failure(f"cannot run the plugin {path}: {e.strerror}") from e


def _global_flags(session: Session) -> list[str]:
    flags = ["--debug"] if session.debug else []
    if session.values.text("log-level") != "info":
        flags += ["--log-level", session.values.text("log-level")]
    if session.endpoint.context != "default":
        flags += ["--context", session.endpoint.context]
    elif tls := session.endpoint.tls:
        flags += ["--tlsverify" if tls.verify else "--tls"]
        flags += [f"--tlscacert={tls.ca}", f"--tlscert={tls.cert}", f"--tlskey={tls.key}"]
    return flags


def environment(session: Session) -> dict[str, str]:
    """The caller's, with the engine and the configuration of this call in docker's variables."""
    env = {**os.environ, "DOCKER_CONFIG": session.config_dir, "DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND": session.program}
    env.pop("DOCKER_CONTEXT", None)
    env.pop("DOCKER_HOST", None)
    if session.endpoint.context == "default":
        env["DOCKER_HOST"] = session.endpoint.url
    return env


def require_trusted(path: str) -> None:
    """Root runs no program that others can write: it must be root's, or the one's who called sudo."""
    if not is_trusted(path):
        raise Failure(
            f"refusing to run the plugin {path} as root: it is another user's, or others can write it\n"
            f"(chown root {path}; chmod go-w {path})"
        )


def is_trusted(path: str) -> bool:
    """Whether the caller may run it; for others than root that is the system's affair alone."""
    if os.geteuid() != 0:
        return True
    status = os.stat(path)
    return status.st_uid in (0, int(os.environ.get("SUDO_UID") or 0)) and not status.st_mode & 0o022
