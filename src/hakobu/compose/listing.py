"""Tables and JSON of `ps`, `ls`, `images`, `port`, `top`, in docker compose's shapes."""

import json
import re
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from hakobu.compose import label

_PADDING = 3
_LEAST = 10


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns padded as Go's tabwriter pads them: all but the last."""
    widths = [max(_LEAST, *(len(row[i]) + _PADDING for row in [titles, *rows])) for i in range(len(titles))]
    lines = [
        "".join(cell.ljust(w) for cell, w in zip(row[:-1], widths[:-1], strict=True)) + row[-1]
        for row in [titles, *rows]
    ]
    return "\n".join(lines) + "\n"


def ago(created_s: float, now: float | None = None) -> str:
    """`2 hours ago` and the like, in docker's words."""
    return f"{duration_words((time.time() if now is None else now) - created_s)} ago"


def epoch_of(moment: str) -> float:
    """Seconds since the epoch of a time as the API writes it; that of the epoch where there is none."""
    whole = moment.partition(".")[0].removesuffix("Z")
    return datetime.fromisoformat(f"{whole}+00:00").timestamp() if whole else 0.0


def duration_words(seconds: float) -> str:
    seconds = max(0, int(seconds))
    minutes, hours = seconds // 60, (seconds + 1800) // 3600
    if seconds < 1:
        return "Less than a second"
    if seconds < 60:
        return "1 second" if seconds == 1 else f"{seconds} seconds"
    if minutes < 60:
        return "About a minute" if minutes == 1 else f"{minutes} minutes"
    if hours < 48:
        return "About an hour" if hours == 1 else f"{hours} hours"
    for limit, unit, length in ((24 * 14, "days", 24), (24 * 60, "weeks", 24 * 7), (24 * 730, "months", 24 * 30)):
        if hours < limit:
            return f"{hours // length} {unit}"
    return f"{hours // 24 // 365} years"


def command_text(command: str) -> str:
    return f'"{command}"' if len(command) <= 20 else f'"{command[:19]}…"'


def ports_text(ports: Sequence[Mapping[str, Any]]) -> str:
    """Published ports first as host:port->port/protocol, the others as port/protocol."""
    ordered = sorted(
        ports, key=lambda p: (p["PrivatePort"], p.get("Type", ""), p.get("IP", ""), p.get("PublicPort", 0))
    )
    shown: list[str] = []
    for port in ordered:
        target = f"{port['PrivatePort']}/{port.get('Type', 'tcp')}"
        if port.get("PublicPort"):
            ip = port.get("IP") or ""
            host = f"[{ip}]" if ":" in ip else ip
            target = f"{host}:{port['PublicPort']}->{target}" if host else f"{port['PublicPort']}->{target}"
        shown.append(target)
    return ", ".join(dict.fromkeys(shown))


def ps_rows(containers: Sequence[Mapping[str, Any]], *, whole: bool = False) -> list[list[str]]:
    rows: list[list[str]] = []
    for c in containers:
        labels = label.labels_of(c)
        rows.append(
            [
                _name(c),
                str(c["Image"]),
                f'"{c["Command"]}"' if whole else command_text(str(c["Command"])),
                labels.get(label.SERVICE, ""),
                ago(float(c["Created"])),
                str(c["Status"]),
                ports_text(c.get("Ports") or []),
            ]
        )
    return rows


PS_TITLES = ("NAME", "IMAGE", "COMMAND", "SERVICE", "CREATED", "STATUS", "PORTS")


def _name(container: Mapping[str, Any]) -> str:
    return str(container["Names"][0]).lstrip("/")


def ps_json(container: Mapping[str, Any]) -> str:
    """One line of `ps --format json`."""
    labels = label.labels_of(container)
    mounts: list[Mapping[str, Any]] = container.get("Mounts") or []
    status = str(container["Status"])
    health = re.search(r"\((healthy|unhealthy|health: starting)\)", status)
    exit_code = re.match(r"Exited \((\d+)\)", status)
    networks: Mapping[str, Any] = container.get("NetworkSettings", {}).get("Networks") or {}
    document = {
        "Command": f'"{container["Command"]}"',
        "CreatedAt": time.strftime("%Y-%m-%d %H:%M:%S +0000 UTC", time.gmtime(container["Created"])),
        "ExitCode": int(exit_code.group(1)) if exit_code else 0,
        "Health": health.group(1).removeprefix("health: ") if health else "",
        "ID": container["Id"][:12],
        "Image": container["Image"],
        "Labels": ",".join(f"{k}={v}" for k, v in labels.items()),
        "LocalVolumes": str(sum(1 for m in mounts if m.get("Driver") == "local")),
        "Mounts": ",".join(str(m.get("Name") or m.get("Source", "")) for m in mounts),
        "Name": _name(container),
        "Names": _name(container),
        "Networks": ",".join(networks),
        "Ports": ports_text(container.get("Ports") or []),
        "Project": labels.get(label.PROJECT, ""),
        "Publishers": publishers(container.get("Ports") or []),
        "RunningFor": ago(float(container["Created"])),
        "Service": labels.get(label.SERVICE, ""),
        "Size": "0B",
        "State": container["State"],
        "Status": status,
    }
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).replace(">", "\\u003e")


def publishers(ports: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    found = [
        {
            "URL": p.get("IP", ""),
            "TargetPort": p["PrivatePort"],
            "PublishedPort": p.get("PublicPort", 0),
            "Protocol": p.get("Type", "tcp"),
        }
        for p in ports
    ]
    return sorted(found, key=lambda p: (p["TargetPort"], p["URL"]))


def ls_rows(containers: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Projects with how many of their containers are in which state."""
    projects: dict[str, dict[str, int]] = {}
    files: dict[str, str] = {}
    for c in containers:
        labels = label.labels_of(c)
        if name := labels.get(label.PROJECT):
            states = projects.setdefault(name, {})
            states[c["State"]] = states.get(c["State"], 0) + 1
            files[name] = labels.get(label.CONFIG_FILES) or files.get(name, "")
    return [
        [name, ", ".join(f"{state}({n})" for state, n in sorted(states.items())), files[name]]
        for name, states in sorted(projects.items())
    ]
