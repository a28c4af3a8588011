"""`manifest inspect`: the document that a registry has for a name, fetched by the engine, or a list made here."""

from __future__ import annotations

from hakobu.cli.kind import BOOL
from hakobu.cli.reference import check, full_name, host_of, split
from hakobu.cli.table import Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values
    from hakobu.client.codec import Json

INSPECT = Command(
    "manifest inspect",
    "[OPTIONS] [MANIFEST_LIST] MANIFEST",
    "Show the manifest, or the list of manifests, of an image at its registry",
    least=1,
    most=2,
    flags=(
        Flag("insecure", "", BOOL, "No effect: the engine's --insecure-registry says whom it applies to"),
        Flag("verbose", "v", BOOL, "Show each manifest with its descriptor"),
    ),
)
_INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
_OCI = "application/vnd.oci.image.manifest.v1+json"


def inspect(session: Session, values: Values, arguments: list[str]) -> int:
    kept = _kept(session, arguments)
    if kept:
        session.line(_local(kept, values.on("verbose"), one=len(arguments) == 2))
        return 0
    from hakobu.client.credential import registry_auth

    name, tag, digest = split(check(arguments[-1]))
    whole = full_name(name)
    ref = f"{whole}@{digest}" if digest else f"{whole}:{tag or 'latest'}"
    auth = registry_auth(session.config(), host_of(name))
    found = session.engine.system.manifests(ref, registry_auth=auth)
    session.line(_verbose(ref, found) if values.on("verbose") else _document(found[0]))
    return 0


def _kept(session: Session, arguments: list[str]) -> list[Json]:
    """A list that is being made here, or one manifest of it; empty where there is none: the registry's counts then."""
    from hakobu.cli.command.manifest_list import whole
    from hakobu.cli.manifest_store import ManifestStore

    store, target = ManifestStore(session.config_dir), whole(arguments[0])
    if not store.has(target):
        return []
    if len(arguments) == 1:
        return store.entries(target)
    entry = store.entry(target, whole(arguments[1]))
    return [entry] if entry else []


def _local(entries: list[Json], verbose: bool, *, one: bool) -> str:
    import json

    from hakobu.cli.command.manifest_list import document_of

    if verbose:
        return json.dumps(entries[0] if one else entries, indent="\t", ensure_ascii=False)
    if not one:
        return json.dumps(document_of(entries), indent=3, ensure_ascii=False)
    return json.dumps(entries[0].get("OCIManifest") or entries[0].get("SchemaV2Manifest"), indent="\t")


def _document(item: Json) -> str:
    """As docker prints it: an index in its own order and by three spaces, a manifest as it is and by tabs."""
    import base64
    import json

    value: Json = json.loads(base64.b64decode(item["Document"]))
    if item["Descriptor"]["mediaType"] not in _INDEXES:
        return json.dumps(value, indent="\t", ensure_ascii=False)
    order = ("mediaType", "size", "digest")
    value["manifests"] = [{**{k: m[k] for k in order if k in m}, **m} for m in value["manifests"]]
    return json.dumps(value, indent=3, ensure_ascii=False)


def _verbose(ref: str, found: list[Json]) -> str:
    import json

    several = found[0]["Descriptor"]["mediaType"] in _INDEXES
    items = [_described(ref, item, several) for item in (found[1:] if several else found)]
    return json.dumps(items if several else items[0], indent="\t", ensure_ascii=False)


def _described(ref: str, item: Json, several: bool) -> Json:
    import base64
    import json

    descriptor: Json = item["Descriptor"]
    kind = "OCIManifest" if descriptor["mediaType"] == _OCI else "SchemaV2Manifest"
    return {
        "Ref": f"{ref}@{descriptor['digest']}" if several else ref,
        "Descriptor": {**descriptor, **({"platform": item["Platform"]} if item.get("Platform") else {})},
        "Raw": item["Document"],
        kind: json.loads(base64.b64decode(item["Document"])),
    }
