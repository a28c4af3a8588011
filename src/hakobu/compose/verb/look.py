"""Verbs that only look at the engine: ps, logs, ls, images, port, top, version, events, volumes."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from hakobu import __version__
from hakobu.compose import label
from hakobu.compose.context import Context
from hakobu.compose.failure import ActionFailed
from hakobu.compose.follow import Printer, Source, label_of, show_logs
from hakobu.compose.listing import PS_TITLES, ago, epoch_of, ls_rows, ps_json, ps_rows, publishers, table


def _out(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _listed(context: Context, *, all: bool) -> list[Mapping[str, Any]]:
    project, name = context.project_or_name
    for service in context.services:
        if project:
            project.service(service)
    filters = {"label": [f"{label.PROJECT}={name}", f"{label.ONEOFF}=False"]}
    listed = context.engine.containers.list(all=all, filters=filters)
    wanted = [c for c in listed if not context.services or label.labels_of(c).get(label.SERVICE) in context.services]
    return sorted(wanted, key=lambda c: str(c["Names"][0]))


def _filtered(context: Context, name: str) -> list[str]:
    """What `--filter NAME=VALUE` asks of one name; another name is an error."""
    found: list[str] = []
    for word in context.texts("filter"):
        key, equals, value = word.partition("=")
        if key != name or not equals:
            raise ActionFailed(f"unknown filter {word!r}", hint=f"write {name}=VALUE")
        found.append(value)
    return found


def ps(context: Context) -> int:
    states = [*context.texts("status"), *_filtered(context, "status")]
    containers = _listed(context, all=context.on("all") or bool(states))
    if not context.on("orphans") and (project := context.project_or_name[0]):
        known = {*project.services, *project.disabled}
        containers = [c for c in containers if label.labels_of(c).get(label.SERVICE) in known]
    if states:
        containers = [c for c in containers if c["State"] in states]
    if context.on("quiet"):
        _out("".join(f"{c['Id']}\n" for c in containers))
    elif context.on("list_services"):
        names = dict.fromkeys(label.labels_of(c).get(label.SERVICE, "") for c in containers)
        _out("".join(f"{name}\n" for name in names))
    elif context.text("format") == "json":
        _out("".join(ps_json(c) + "\n" for c in containers))
    elif context.text("format") not in ("", "table"):
        raise ActionFailed("ps: the format must be table or json")
    else:
        _out(table(PS_TITLES, ps_rows(containers, whole=context.on("no_trunc"))))
    return 0


def logs(context: Context) -> int:
    _, name = context.project_or_name
    sources = [
        Source(c.id, label_of(name, c.name), bool(context.engine.containers.inspect(c.id)["Config"]["Tty"]))
        for c in context.containers()
        if context.number("index") in (None, c.number)
    ]
    printer = Printer(
        [source.label for source in sources],
        prefix=not context.on("no_log_prefix"),
        colour=False if context.on("no_color") else context.colour,
    )
    try:
        show_logs(
            context.engine,
            printer,
            sources,
            follow=context.on("follow"),
            tail=context.text("tail") or "all",
            timestamps=context.on("timestamps"),
            since=context.text("since"),
            until=context.text("until"),
        )
    except KeyboardInterrupt:
        return 130
    return 0


def ls(context: Context) -> int:
    listed = context.engine.containers.list(all=context.on("all"), filters={"label": [label.PROJECT]})
    names = _filtered(context, "name")
    rows = [row for row in ls_rows(listed) if not names or any(name in row[0] for name in names)]
    if context.on("quiet"):
        _out("".join(f"{row[0]}\n" for row in rows))
    elif context.text("format") == "json":
        documents = [{"Name": name, "Status": status, "ConfigFiles": files} for name, status, files in rows]
        _out(json.dumps(documents, separators=(",", ":")) + "\n")
    else:
        _out(table(("NAME", "STATUS", "CONFIG FILES"), rows))
    return 0


def images(context: Context) -> int:
    rows: list[list[str]] = []
    documents: list[dict[str, Any]] = []
    for container in _listed(context, all=True):
        image = context.engine.images.inspect(container["ImageID"])
        repository, _, tag = (str((image.get("RepoTags") or ["<none>:<none>"])[0])).rpartition(":")
        name, id_ = str(container["Names"][0])[1:], str(image["Id"])
        platform = "/".join(str(image[key]) for key in ("Os", "Architecture", "Variant") if image.get(key))
        created = ago(epoch_of(str(image.get("Created") or "")))
        rows.append(
            [name, repository, tag, platform, id_.split(":")[1][:12], f"{int(image['Size']) / 1e6:.3g}MB", created]
        )
        documents.append(
            {"ID": id_, "ContainerName": name, "Repository": repository, "Tag": tag, "Platform": platform}
            | {"Size": image["Size"], "Created": image.get("Created")}
        )
    if context.on("quiet"):
        _out("".join(f"{line}\n" for line in dict.fromkeys(str(d["ID"]).split(":")[1] for d in documents)))
    elif context.text("format") == "json":
        _out(json.dumps(documents, separators=(",", ":")) + "\n")
    else:
        _out(table(("CONTAINER", "REPOSITORY", "TAG", "PLATFORM", "IMAGE ID", "SIZE", "CREATED"), rows))
    return 0


def port(context: Context) -> int:
    """The public side of one private port."""
    service, private = context.text("service"), context.text("private_port")
    project, _ = context.project_or_name
    if project:
        project.service(service)
    number, _, protocol = private.partition("/")
    wanted = protocol or context.text("protocol") or "tcp"
    for container in _listed(context, all=False):
        labels = label.labels_of(container)
        if labels.get(label.SERVICE) != service or label.number_of(labels) != (context.number("index") or 1):
            continue
        for found in publishers(container.get("Ports") or []):
            if str(found["TargetPort"]) == number and found["Protocol"] == wanted and found["PublishedPort"]:
                host = f"[{found['URL']}]" if ":" in found["URL"] else found["URL"]
                _out(f"{host}:{found['PublishedPort']}\n")
                return 0
        raise ActionFailed(f"no port {number}/{wanted} for container {str(container['Names'][0])[1:]}")
    raise ActionFailed(f'service "{service}" is not running')


def top(context: Context) -> int:
    for container in context.containers(all=False):
        found = context.engine.containers.top(container.id)
        titles: Sequence[str] = ("SERVICE", "#", *found["Titles"])
        rows = [[container.service, str(container.number), *row] for row in found["Processes"]]
        _out(table(titles, rows) + "\n")
    return 0


def version(context: Context) -> int:
    short = f"{__version__}\n"
    if context.text("format") == "json":
        short = json.dumps({"version": __version__, "compatible": label.COMPATIBLE_VERSION}) + "\n"
    elif not context.on("short"):
        compatible = f"labels and hashes of docker compose v{label.COMPATIBLE_VERSION}"
        short = f"Hakobu Compose version v{__version__} ({compatible})\n"
    _out(short)
    return 0


def events(context: Context) -> int:
    """Until interrupted: a line for each event of the project's containers."""
    _, name = context.project_or_name
    filters = {"type": ["container"], "label": [f"{label.PROJECT}={name}"]}
    since, until = context.text("since"), context.text("until")
    with context.engine.system.events(filters=filters, since=since, until=until) as stream:
        try:
            for event in stream.objects():
                _show_event(context, event)
        except KeyboardInterrupt:
            return 130
    return 0


def _show_event(context: Context, event: Mapping[str, Any]) -> None:
    attributes: Mapping[str, str] = event["Actor"]["Attributes"]
    service = attributes.get(label.SERVICE, "")
    if context.services and service not in context.services:
        return
    own = {key: value for key, value in attributes.items() if not key.startswith(label.PREFIX)}
    moment = datetime.fromtimestamp(event["timeNano"] / 1e9)
    if context.on("json"):
        told = {"time": moment.isoformat(), "type": "container", "action": event["Action"], "id": event["Actor"]["ID"]}
        _out(json.dumps(told | {"service": service, "attributes": own}) + "\n")
        return
    shown = ", ".join(f"{key}={value}" for key, value in sorted(own.items()))
    _out(f"{moment:%Y-%m-%d %H:%M:%S.%f} container {event['Action']} {event['Actor']['ID']} ({shown})\n")


def volumes(context: Context) -> int:
    """Those of the project, or of the named services alone."""
    project, name = context.project_or_name
    found = context.engine.volumes.list({"label": [f"{label.PROJECT}={name}"]})
    if context.services and project:
        mounts = [v for service in context.services for v in project.service(service).volumes]
        wanted = {project.volumes[v.source].name for v in mounts if v.source in project.volumes}
        found = [v for v in found if v["Name"] in wanted]
    if context.on("quiet"):
        _out("".join(f"{v['Name']}\n" for v in found))
    elif context.text("format") == "json":
        _out("".join(json.dumps(dict(v), separators=(",", ":")) + "\n" for v in found))
    else:
        _out(table(("DRIVER", "VOLUME NAME"), [[str(v["Driver"]), str(v["Name"])] for v in found]))
    return 0
