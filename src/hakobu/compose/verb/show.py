"""`compose config`: the project in canonical form, or one aspect of it."""

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace

from hakobu.compose.canonical import service_hash, used_resources
from hakobu.compose.config import block, to_json, to_yaml
from hakobu.compose.context import Context
from hakobu.compose.diagram import diagram_of, mermaid
from hakobu.compose.drawing import svg
from hakobu.compose.interpolation import variables_in
from hakobu.compose.listing import table
from hakobu.compose.load import load, read_source
from hakobu.compose.model.project import Project
from hakobu.compose.node import to_plain
from hakobu.errors import Invalid
from hakobu.spec.step import Json


def config(context: Context) -> int:
    text = _text(context)
    if context.on("quiet"):
        return 0
    if output := context.text("output"):
        with open(output, "w", encoding="utf-8") as file:
            file.write(text)
        return 0
    sys.stdout.write(text)
    sys.stdout.flush()
    return 0


def graph(context: Context) -> int:
    """Text that Mermaid draws, or the drawing itself."""
    project = _project(context)
    form = context.text("format") or "mermaid"
    if form not in ("mermaid", "svg"):
        raise Invalid(f"unknown format {form!r}", hint="the formats are mermaid and svg")
    written = svg(diagram_of(project)) if form == "svg" else mermaid(project)
    if target := context.text("output"):
        with open(target, "w", encoding="utf-8") as file:
            file.write(written)
    else:
        sys.stdout.write(written)
    return 0


def _text(context: Context) -> str:
    if context.on("list_variables"):
        return _variables(context)
    if context.on("list_environment"):
        variables = read_source(context.selection).variables
        return "".join(f"{name}={value}\n" for name, value in sorted(variables.items()))
    if context.on("no_interpolate"):
        return _as_written(context)
    project = _project(context)
    aspect = next((name for name in _LISTS if context.on(name)), "")
    if aspect:
        return "".join(f"{value}\n" for value in _LISTS[aspect](project))
    if wanted := context.text("hash"):
        names = list(project.services) if wanted == "*" else wanted.split(",")
        return "".join(f"{name} {service_hash(project.service(name))}\n" for name in names)
    if context.on("lock_image_digests"):
        return pinned_digests(context, project)
    if context.on("resolve_image_digests"):
        project = _pinned(context, project)
    return to_json(project) + "\n" if context.text("format") == "json" else to_yaml(project)


def pinned_digests(context: Context, project: Project | None = None) -> str:
    """An override file that pins each image to its digest."""
    pinned = _pinned(context, project or context.project)
    services: dict[str, Json] = {name: {"image": s.image} for name, s in pinned.services.items() if s.image}
    return "".join(block({"services": services}, 0))


def _project(context: Context) -> Project:
    """The project as far as the flags want it resolved, with the named services alone where some are named."""
    selection = replace(
        context.selection,
        resolve_paths=not context.on("no_path_resolution"),
        resolve_env_files=not context.on("no_env_resolution"),
        consistent=not context.on("no_consistency"),
    )
    project = load(selection)
    if context.services:
        kept = {name: project.service(name) for name in sorted(project.with_dependencies(context.services))}
        project = replace(project, services=kept)
    return replace(project, show_unused=context.on("all_resources"))


_LISTS: dict[str, Callable[[Project], Iterable[str]]] = {
    "list_services": lambda p: p.with_dependencies(()),
    "list_volumes": lambda p: sorted(used_resources(p)["volumes"]),
    "list_networks": lambda p: sorted(used_resources(p)["networks"]),
    "list_models": lambda p: [str(p.models[name]["model"]) for name in sorted(used_resources(p)["models"])],
    "list_profiles": lambda p: sorted({n for s in (p.services | p.disabled).values() for n in s.profiles}),
    "list_images": lambda p: [p.image_of(s) for s in p.services.values()],
}


def _variables(context: Context) -> str:
    """Each variable the files use: whether it must be set, and what stands for it."""
    source = read_source(replace(context.selection, interpolate=False))
    found = variables_in(source.document)
    if context.text("format") == "json":
        documents = {v.name: {"Name": v.name, "DefaultValue": v.default, "PresenceValue": v.alternative} for v in found}
        return json.dumps(documents, indent=2) + "\n"
    rows = [[v.name, "true" if v.required else "false", v.default, v.alternative] for v in found]
    return table(("NAME", "REQUIRED", "DEFAULT VALUE", "ALTERNATE VALUE"), rows)


def _as_written(context: Context) -> str:
    """The merged files, variables unreplaced, keys sorted: what a variable stands for cannot be brought in form."""
    selection = replace(context.selection, interpolate=False, resolve_paths=not context.on("no_path_resolution"))
    source = read_source(selection)
    document = to_plain(source.document)
    assert isinstance(document, dict)
    whole: dict[str, Json] = dict(sorted({**document, "name": source.name}.items()))
    if context.text("format") == "json":
        return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"
    return "".join(block(whole, 0))


def _pinned(context: Context, project: Project) -> Project:
    """The project with each image by its digest, as its registry has it now."""
    digests: dict[str, str] = {}
    for service in project.services.values():
        image = service.image
        if image and "@" not in image and image not in digests:
            found = context.engine.images.distribution(image)
            digests[image] = f"{image}@{found['Descriptor']['digest']}"
    services = {name: replace(s, image=digests.get(s.image, s.image)) for name, s in project.services.items()}
    return replace(project, services=services)
