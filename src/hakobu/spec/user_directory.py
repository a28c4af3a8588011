"""Where an ordinary user's engine keeps its things: state by XDG_DATA_HOME, sockets by XDG_RUNTIME_DIR.

Client and daemon find each other by this one rule. Pure, and without imports: a command line starts with it.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def data_directory(env: "Mapping[str, str]") -> str:
    """What outlives a reboot: `$XDG_DATA_HOME/hakobu`, else the place the XDG rules name for it."""
    return f"{_absolute(env, 'XDG_DATA_HOME') or f'{_home(env)}/.local/share'}/hakobu"


def runtime_directory(env: "Mapping[str, str]", uid: int, is_directory: "Callable[[str], bool]") -> str:
    """Sockets and what a reboot ends.

    `$XDG_RUNTIME_DIR/hakobu`, `/run/user/<uid>/hakobu` where a login made that, else below the data directory:
    private without a look at who else may write there, as /tmp would need.
    """
    if given := _absolute(env, "XDG_RUNTIME_DIR"):
        return f"{given}/hakobu"
    made = f"/run/user/{uid}"
    return f"{made}/hakobu" if is_directory(made) else f"{data_directory(env)}/run"


def config_directory(env: "Mapping[str, str]") -> str:
    """Where `daemon.json` is: `$XDG_CONFIG_HOME/hakobu`."""
    return f"{_absolute(env, 'XDG_CONFIG_HOME') or f'{_home(env)}/.config'}/hakobu"


def _absolute(env: "Mapping[str, str]", name: str) -> str:
    """A relative path is to be ignored, the XDG rules say."""
    value = env.get(name, "")
    return value.rstrip("/") if value.startswith("/") else ""


def _home(env: "Mapping[str, str]") -> str:
    return env.get("HOME", "").rstrip("/") or "/nonexistent"
