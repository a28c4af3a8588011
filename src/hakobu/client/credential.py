"""Logins for registries, read from the user's docker configuration and its credential helpers.

A secret is read when a registry is spoken to, for that registry alone, and goes into one header.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64

from hakobu.client.codec import decode, encode, object_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hakobu.client.codec import Json

HUB_KEY = "https://index.docker.io/v1/"


def read_config(directory: str) -> Json:
    """docker's `config.json` of a folder, empty where there is none."""
    try:
        with open(f"{directory}/config.json", "rb") as file:
            value = decode(file.read())
    except (OSError, ValueError):
        return {}
    return object_of(value) if isinstance(value, dict) else {}


def registry_auth(config: Json, host: str) -> str:
    """The value of `X-Registry-Auth` for a registry's host; empty where nobody is logged in."""
    key = HUB_KEY if host == "docker.io" else host
    login = login_of(config, key)
    if not login:
        return ""
    login["serveraddress"] = key
    return b2a_base64(encode(login), newline=False).decode().replace("+", "-").replace("/", "_")


def login_of(config: Json, key: str) -> Json:
    """User and password or a token for a registry as the configuration calls it; empty where there is none."""
    return _from_helper(config, key) or _from_file(config, key)


def helper_of(config: Json, key: str) -> str:
    """The credential helper that keeps a registry's login; empty where the file does."""
    name: Any = object_of(config.get("credHelpers")).get(key) or config.get("credsStore")
    return str(name) if name and "/" not in str(name) else ""


def _from_file(config: Json, key: str) -> Json:
    logins: Json = object_of(config.get("auths"))
    entry: Json = logins.get(key) or logins.get(f"https://{key}") or logins.get(f"https://{key}/v1/") or {}
    user, _, secret = a2b_base64(str(entry.get("auth") or "")).decode("utf-8", "replace").partition(":")
    if entry.get("identitytoken"):
        return {"username": user, "identitytoken": entry["identitytoken"]}
    return {"username": user, "password": secret.rstrip("\0")} if user else {}


def _from_helper(config: Json, key: str) -> Json:
    name = helper_of(config, key)
    if not name:
        return {}
    import subprocess

    try:
        done = subprocess.run(
            [f"docker-credential-{name}", "get"], input=key.encode(), capture_output=True, check=False
        )
        answer: Json = decode(done.stdout) if done.returncode == 0 else {}
    except (OSError, ValueError):
        return {}
    if not answer.get("Secret"):
        return {}
    if answer.get("Username") == "<token>":
        return {"identitytoken": answer["Secret"]}
    return {"username": answer.get("Username", ""), "password": answer["Secret"]}
