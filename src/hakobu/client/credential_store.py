"""Logins for registries, written where the user's docker configuration says: a credential helper, or `config.json`.

Invariant: the file is replaced whole, readable by its owner alone; a secret never reaches a command line or a message.
"""

from __future__ import annotations

from binascii import b2a_base64

from hakobu.client.codec import encode, object_of
from hakobu.client.configuration import change
from hakobu.client.credential import helper_of, read_config
from hakobu.client.error import ClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hakobu.client.codec import Json


class StoreFailed(ClientError):
    """A credential helper or the configuration's file did not take a login."""


def save(directory: str, key: str, login: Json) -> str:
    """Keeps a login (`username` with `password` or `identitytoken`); where: the file, empty for a helper's own."""
    config = read_config(directory)
    helper = helper_of(config, key)
    if not helper:
        _write_login(directory, key, _entry(login))
        return f"{directory}/config.json"
    token = login.get("identitytoken")
    answer = {
        "ServerURL": key,
        "Username": "<token>" if token else login.get("username", ""),
        "Secret": token or login.get("password", ""),
    }
    _run(helper, "store", encode(answer))
    _write_login(directory, key, {})
    return ""


def erase(directory: str, key: str) -> None:
    """Forgets a login, also what an older client wrote under other spellings of the registry."""
    config = read_config(directory)
    helper = helper_of(config, key)
    if helper:
        _run(helper, "erase", key.encode())
    names = (key, f"https://{key}", f"http://{key}", f"https://{key}/v1/")
    if not object_of(config.get("auths")).keys() & set(names):
        return

    def edit(document: Json) -> None:
        logins = object_of(document.get("auths"))
        document["auths"] = {k: v for k, v in logins.items() if k not in names}

    _change(directory, edit)


def _entry(login: Json) -> Json:
    user = str(login.get("username", ""))
    if login.get("identitytoken"):
        return {"auth": _packed(f"{user}:") if user else "", "identitytoken": login["identitytoken"]}
    return {"auth": _packed(f"{user}:{login.get('password', '')}")}


def _packed(text: str) -> str:
    return b2a_base64(text.encode(), newline=False).decode()


def _write_login(directory: str, key: str, entry: Json) -> None:
    def edit(document: Json) -> None:
        document["auths"] = {**object_of(document.get("auths")), key: entry}

    _change(directory, edit)


def _change(directory: str, edit: Callable[[Json], None]) -> None:
    path = f"{directory}/config.json"
    try:
        change(path, edit, secret=True)
    except OSError as error:
        raise StoreFailed(f"the login could not be written to {path}: {error.strerror}") from error


def _run(helper: str, action: str, data: bytes) -> None:
    import subprocess

    program = f"docker-credential-{helper}"
    try:
        done = subprocess.run([program, action], input=data, capture_output=True, check=False)
    except OSError as error:
        raise StoreFailed(f"the credential helper {program} could not be run: {error.strerror}") from error
    if done.returncode:
        said = (done.stdout or done.stderr).decode("utf-8", "replace").strip()
        raise StoreFailed(f"the credential helper {program} refused to {action} the login: {said[:300]}")
