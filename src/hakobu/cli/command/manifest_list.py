"""`manifest create`, `annotate`, `push`, `rm`: one name for the images of several platforms, put together here.

What a registry has is asked and what is pushed is sent by the engine; the list that is being made lies in docker's
folder (`manifest_store`).
"""

from __future__ import annotations

import base64
import json

from hakobu.cli.failure import Failure
from hakobu.cli.kind import BOOL, LIST, STRING
from hakobu.cli.manifest_store import ManifestStore, NoSuchManifest
from hakobu.cli.reference import check, full_name, host_of, split
from hakobu.cli.table import MANY, Command, Flag
from hakobu.client.credential import registry_auth
from hakobu.client.error import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values
    from hakobu.client.codec import Json

_INSECURE = Flag("insecure", "", BOOL, "No effect: the engine's --insecure-registry says whom it applies to")
CREATE = Command(
    "manifest create",
    "MANIFEST_LIST MANIFEST [MANIFEST...]",
    "Begin a list of manifests here, to be annotated and pushed",
    least=2,
    most=MANY,
    flags=(Flag("amend", "a", BOOL, "Add to a list that is there already"), _INSECURE),
)
ANNOTATE = Command(
    "manifest annotate",
    "[OPTIONS] MANIFEST_LIST MANIFEST",
    "Say more of a manifest in a list",
    least=2,
    most=2,
    flags=(
        Flag("arch", "", STRING, "Architecture"),
        Flag("os", "", STRING, "Operating system"),
        Flag("os-features", "", LIST, "Features of the operating system"),
        Flag("os-version", "", STRING, "Version of the operating system"),
        Flag("variant", "", STRING, "Variant of the architecture"),
    ),
)
PUSH = Command(
    "manifest push",
    "[OPTIONS] MANIFEST_LIST",
    "Push a list of manifests to its repository",
    least=1,
    most=1,
    flags=(_INSECURE, Flag("purge", "p", BOOL, "Remove the list here once it is pushed")),
)
REMOVE = Command(
    "manifest rm",
    "MANIFEST_LIST [MANIFEST_LIST...]",
    "Remove lists of manifests from this machine",
    least=1,
    most=MANY,
)
_INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
_OCI = "application/vnd.oci.image.manifest.v1+json"
_PLATFORM_ORDER = ("architecture", "os", "os.version", "os.features", "variant")
# what Go builds for; a list of another platform is of no use to any engine
_SYSTEMS = {
    "aix": "ppc64",
    "android": "386 amd64 arm arm64",
    "darwin": "386 amd64 arm arm64",
    "dragonfly": "amd64",
    "freebsd": "386 amd64 arm",
    "linux": "386 amd64 arm arm64 loong64 ppc64 ppc64le mips mips64 mips64le mipsle riscv64 s390x",
    "netbsd": "386 amd64 arm",
    "openbsd": "386 amd64 arm",
    "plan9": "386 amd64",
    "solaris": "amd64",
    "windows": "386 amd64 arm arm64",
}


def whole(text: str, what: str = "") -> str:
    """A reference with its registry and its tag, as docker names lists and manifests."""
    try:
        name, tag, digest = split(check(text))
    except Failure as e:
        raise Failure(f"error parsing name for {what} {text}: {e.message}" if what else e.message) from None
    return f"{full_name(name)}@{digest}" if digest else f"{full_name(name)}:{tag or 'latest'}"


def create(session: Session, values: Values, arguments: list[str]) -> int:
    target = whole(arguments[0], "manifest list")
    store = ManifestStore(session.config_dir)
    if store.has(target) and not values.on("amend"):
        raise Failure("refusing to amend an existing manifest list with no --amend flag")
    for argument in arguments[1:]:
        ref = whole(argument)
        store.save(target, store.entry(target, ref) or _asked(session, ref))
    session.line(f"Created manifest list {target}")
    return 0


def _asked(session: Session, ref: str) -> Json:
    """One image's manifest from its registry, as docker's entry of a list."""
    found = session.engine.system.manifests(ref, registry_auth=registry_auth(session.config(), host_of(ref)))[0]
    descriptor: Json = found["Descriptor"]
    if descriptor["mediaType"] in _INDEXES:
        raise Failure(f"{ref} is a manifest list")
    told: Json = {k: descriptor[k] for k in ("mediaType", "digest", "size")}
    platform: Json = found.get("Platform") or {}
    told["platform"] = {k: platform[k] for k in _PLATFORM_ORDER if platform.get(k)}
    kind = "OCIManifest" if descriptor["mediaType"] == _OCI else "SchemaV2Manifest"
    document = json.loads(base64.b64decode(found["Document"]))
    return {"Ref": ref, "Descriptor": told, "Raw": found["Document"], kind: document}


def annotate(session: Session, values: Values, arguments: list[str]) -> int:
    target, ref = whole(arguments[0], "manifest list"), whole(arguments[1])
    store = ManifestStore(session.config_dir)
    entry = store.entry(target, ref)
    if entry is None:
        raise Failure(f"manifest for image {arguments[1]} does not exist in {arguments[0]}")
    platform: Json = entry["Descriptor"].get("platform") or {}
    for flag, key in (("os", "os"), ("arch", "architecture"), ("variant", "variant"), ("os-version", "os.version")):
        if values.text(flag):
            platform[key] = values.text(flag)
    features = [f for text in values.texts("os-features") for f in text.split(",") if f]
    if features:
        platform["os.features"] = list(dict.fromkeys([*(platform.get("os.features") or []), *features]))
    system, machine = platform.get("os", ""), platform.get("architecture", "")
    if machine not in _SYSTEMS.get(system, "").split():
        given = f"{values.text('os')}/{values.text('arch')}"
        raise Failure(f"manifest entry for image has unsupported os/arch combination: {given}")
    entry["Descriptor"]["platform"] = {k: platform[k] for k in _PLATFORM_ORDER if k in platform}
    store.save(target, entry)
    return 0


def push(session: Session, values: Values, arguments: list[str]) -> int:
    target = whole(arguments[0], "manifest list")
    store = ManifestStore(session.config_dir)
    entries = store.entries(target) if store.has(target) else []
    if not entries:
        raise NoSuchManifest(target)
    for entry in entries:
        _check_for(target, entry)
    body = {"Document": _base64(_document(entries)), "MediaType": _type_of(entries), "Manifests": _members(entries)}
    auth = registry_auth(session.config(), host_of(target))
    try:
        answer = session.engine.system.push_manifests(target, body, registry_auth=auth)
    except EngineError as e:
        raise Failure(e.message) from None
    repository = target.rpartition(":")[0]
    for member in answer["Manifests"]:
        session.line(f"Pushed ref {repository}@{member} with digest: {member}")
    session.line(answer["Digest"])
    if values.on("purge"):
        store.remove(target)
    return 0


def _check_for(target: str, entry: Json) -> None:
    ref = str(entry["Ref"])
    platform: Json = entry["Descriptor"].get("platform") or {}
    if not platform.get("os") or not platform.get("architecture"):
        raise Failure(f"manifest {ref} must have an OS and Architecture to be pushed to a registry")
    if host_of(ref) != host_of(target):
        message = f"cannot use source images from a different registry than the target image: {host_of(ref)} != "
        raise Failure(message + host_of(target))


def _type_of(entries: list[Json]) -> str:
    """An index of OCI's as soon as one of its manifests is OCI's."""
    return _INDEXES[0] if any("SchemaV2Manifest" not in e for e in entries) else _INDEXES[1]


def document_of(entries: list[Json]) -> Json:
    """The list itself, in docker's order of keys."""
    members: list[Json] = []
    for entry in entries:
        descriptor: Json = entry["Descriptor"]
        members.append({k: descriptor[k] for k in ("mediaType", "size", "digest", "platform")})
    return {"schemaVersion": 2, "mediaType": _type_of(entries), "manifests": members}


def _document(entries: list[Json]) -> bytes:
    """docker's very bytes: the digest of a list is the same whichever program pushes it."""
    return json.dumps(document_of(entries), indent=3, ensure_ascii=False).encode()


def _members(entries: list[Json]) -> list[Json]:
    return [
        {"Ref": e["Ref"], "MediaType": e["Descriptor"]["mediaType"], "Document": _raw(e), "Digest": _digest(e)}
        for e in entries
    ]


def _raw(entry: Json) -> str:
    if not entry.get("Raw"):
        raise Failure(f"the manifest of {entry['Ref']} was kept without its bytes: create the list again")
    return str(entry["Raw"])


def _digest(entry: Json) -> str:
    return str(entry["Descriptor"]["digest"])


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def remove(session: Session, values: Values, arguments: list[str]) -> int:
    store, failures = ManifestStore(session.config_dir), list[str]()
    for argument in arguments:
        try:
            store.remove(whole(argument))
        except Failure as e:
            failures.append(e.message)
    if failures:
        raise Failure("\n".join(failures))
    return 0
