"""Pushing a list of manifests: its members into its own repository, then the list under its tag.

Nothing is uploaded: the members' layers lie in other repositories of the same registry, which lends them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hakobu.errors import Invalid
from hakobu.registry.credentials import Credentials
from hakobu.registry.endpoint import RegistrySettings
from hakobu.registry.failure import RegistryFailed, RegistryUnreachable
from hakobu.registry.session import Session, Transient, pause_before, with_endpoints
from hakobu.registry.upload import is_there, mount
from hakobu.spec.digest import Digest
from hakobu.spec.manifest import Manifest, parse_manifest
from hakobu.spec.reference import Reference
from hakobu.spec.remote import Document


@dataclass(frozen=True, slots=True)
class Member:
    """A manifest with its very bytes, and the repository that its layers are in."""

    document: Document
    source: Reference


async def push_list(
    reference: Reference,
    whole: Document,
    members: Sequence[Member],
    credentials: Credentials,
    settings: RegistrySettings,
) -> None:
    """Under the reference's tag. Raises `Invalid` where a member is of another registry, or is no image's."""
    for member in members:
        if member.source.domain != reference.domain:
            raise Invalid(
                "cannot use source images from a different registry than the target image: "
                f"{member.source.domain} != {reference.domain}",
                field="Manifests",
            )
    parsed = [_image(member) for member in members]
    scopes = [f"repository:{reference.path}:pull,push"]
    scopes += [f"repository:{p}:pull" for p in dict.fromkeys(m.source.path for m in members) if p != reference.path]

    async def work(session: Session) -> None:
        for member, manifest in zip(members, parsed, strict=True):
            if member.source.path != reference.path:
                await _lend(session, reference.path, member, manifest)
            await _put(session, reference.path, str(member.document.digest), member.document, settings)
        await _put(session, reference.path, reference.tag, whole, settings)

    await with_endpoints(reference.domain, scopes, credentials, settings, work, for_push=True)


def _image(member: Member) -> Manifest:
    found = parse_manifest(member.document.data, member.document.media_type)
    if not isinstance(found, Manifest):
        raise Invalid(f"{member.source} is a manifest list", field="Manifests")
    return found


async def _lend(session: Session, path: str, member: Member, manifest: Manifest) -> None:
    blobs: dict[Digest, None] = dict.fromkeys((manifest.config.digest, *(layer.digest for layer in manifest.layers)))
    for digest in blobs:
        if not await mount(session, path, digest, member.source.path) and not await is_there(session, path, digest):
            raise RegistryFailed(f"{member.source.domain} does not lend {digest} of {member.source.path} to {path}")


async def _put(session: Session, path: str, name: str, document: Document, settings: RegistrySettings) -> None:
    headers = {"Content-Type": document.media_type}
    for attempt in range(1, settings.attempts + 1):
        try:
            async with session.request("PUT", f"/v2/{path}/manifests/{name}", headers=headers, body=document.data):
                return
        except (Transient, RegistryUnreachable) as error:
            if attempt == settings.attempts:
                raise RegistryFailed(f"{error.message} ({attempt} attempts)") from error
            await pause_before(attempt, error.wait_s if isinstance(error, Transient) else 0.0)
