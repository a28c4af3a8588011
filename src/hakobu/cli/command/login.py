"""`login` and `logout`: a registry's credentials, tried by the engine, kept in the user's docker configuration."""

from __future__ import annotations

import os
import sys

from hakobu.cli.failure import Failure
from hakobu.cli.kind import BOOL, STRING
from hakobu.cli.session import STDIN_FD, STDOUT_FD, write_all
from hakobu.cli.table import Command, Flag
from hakobu.cli.terminal import is_terminal
from hakobu.client.credential import HUB_KEY, login_of
from hakobu.client.error import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values
    from hakobu.client.codec import Json

LOGIN = Command(
    "login",
    "[OPTIONS] [SERVER]",
    "Log in to a registry",
    most=1,
    about="Without a server the registry is Docker Hub.",
    flags=(
        Flag("password", "p", STRING, "Password or token; other users of the machine can see it"),
        Flag("password-stdin", "", BOOL, "Read the password or token from standard input"),
        Flag("username", "u", STRING, "Name of the user"),
    ),
)
LOGOUT = Command("logout", "[SERVER]", "Log out from a registry", most=1)
_UNAUTHORIZED = 401


def key_of(arguments: list[str]) -> str:
    """How docker's configuration calls a registry: its host, or the old address of Docker Hub."""
    server = arguments[0] if arguments else ""
    host = server.removeprefix("https://").removeprefix("http://").partition("/")[0]
    hub = host in ("", "docker.io", "index.docker.io", "registry-1.docker.io")
    return HUB_KEY if hub else host


def login(session: Session, values: Values, arguments: list[str]) -> int:
    key, user, secret = key_of(arguments), values.text("username"), values.text("password")
    if secret:
        session.error("WARNING! Using --password via the CLI is insecure. Use --password-stdin.")
        if values.on("password-stdin"):
            raise Failure("--password and --password-stdin are mutually exclusive")
    if values.on("password-stdin"):
        if not user:
            raise Failure("Must provide --username with --password-stdin")
        secret = sys.stdin.buffer.read().decode("utf-8", "surrogateescape").removesuffix("\n").removesuffix("\r")
    known = login_of(session.config(), key)
    if not secret and known and user in ("", known.get("username", "")):
        name = known.get("username") or "<token>"
        session.line(f"Authenticating with existing credentials... [Username: {name}]\n")
        try:
            return _try(session, key, known)
        except EngineError as error:
            if error.status != _UNAUTHORIZED:
                raise
            session.line(f"Stored credentials invalid or expired: {error}")
    user, secret = _asked(session, user, secret)
    return _try(session, key, {"username": user, "password": secret})


def _try(session: Session, key: str, login: Json) -> int:
    from hakobu.client.credential_store import save

    answer = session.engine.system.login({**login, "serveraddress": key})
    if token := answer.get("IdentityToken"):
        login = {"username": login.get("username", ""), "identitytoken": token}
    if path := save(session.config_dir, key, login):
        session.error(
            f"\nWARNING! Your credentials are stored unencrypted in '{path}'.\n"
            "Configure a credential helper to remove this warning. See\n"
            "https://docs.docker.com/go/credential-store/\n"
        )
    session.line(str(answer.get("Status") or "Login Succeeded"))
    return 0


def _asked(session: Session, user: str, secret: str) -> tuple[str, str]:
    """What the flags left open, from the terminal."""
    if user and secret:
        return user, secret
    if not is_terminal(STDIN_FD):
        raise Failure("Error: Cannot perform an interactive login from a non TTY device")
    if not user:
        write_all(STDOUT_FD, b"Username: ")
        user = _line()
        if not user:
            raise Failure("Error: Non-null Username Required")
    if not secret:
        secret = _hidden_line(b"Password: ")
        session.line("")
        if not secret:
            raise Failure("Error: Password Required")
    return user, secret


def _line() -> str:
    data = bytearray()
    while (byte := os.read(STDIN_FD, 1)) not in (b"", b"\n"):
        data += byte
    return data.decode("utf-8", "surrogateescape").strip()


def _hidden_line(prompt: bytes) -> str:
    """Typed without an echo, which is off before the prompt; the terminal is as before whatever happens."""
    import termios

    before = termios.tcgetattr(STDIN_FD)
    quiet = list(before)
    quiet[3] = before[3] & ~termios.ECHO
    termios.tcsetattr(STDIN_FD, termios.TCSADRAIN, quiet)
    try:
        write_all(STDOUT_FD, prompt)
        return _line()
    finally:
        termios.tcsetattr(STDIN_FD, termios.TCSADRAIN, before)


def logout(session: Session, values: Values, arguments: list[str]) -> int:
    from hakobu.client.credential_store import StoreFailed, erase

    key = key_of(arguments)
    session.line(f"Removing login credentials for {key}")
    try:
        erase(session.config_dir, key)
    except StoreFailed as error:
        raise Failure(f"WARNING: could not erase credentials:\n{key}: {error}") from error
    return 0
