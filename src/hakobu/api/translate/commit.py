"""The config of a commit's body, as the Dockerfile instructions that say the same.

The engine knows one way of changing an image's configuration; this is the other spelling of it.
"""

import json
import shlex

from hakobu.api.translate.container import argv
from hakobu.wire import container as wire


def changes_of(body: wire.Config) -> tuple[str, ...]:
    """Instructions for every field that is set; they come before those the query gives."""
    found = [f"ENV {shlex.quote(setting)}" for setting in body.get("Env") or () if "=" in setting]
    found += [f"LABEL {shlex.quote(f'{name}={value}')}" for name, value in (body.get("Labels") or {}).items()]
    found += [f"EXPOSE {port}" for port in body.get("ExposedPorts") or ()]
    if volumes := list(body.get("Volumes") or ()):
        found.append(f"VOLUME {json.dumps(volumes)}")
    for name, text in (
        ("USER", body.get("User")),
        ("WORKDIR", body.get("WorkingDir")),
        ("STOPSIGNAL", body.get("StopSignal")),
    ):
        if text:
            found.append(f"{name} {text}")
    for name, words in (("ENTRYPOINT", argv(body.get("Entrypoint"))), ("CMD", argv(body.get("Cmd")))):
        if words:
            found.append(f"{name} {json.dumps(list(words))}")
    return tuple(found)
