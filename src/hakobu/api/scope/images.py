"""Images of a scope: those one of whose names matches the policy's patterns; without patterns, all.

Images carry no scope in their labels: who pulls one does not label it, and whoever builds one could write any.
"""

from collections.abc import Callable, Mapping, Sequence

from hakobu.api.scope.failure import NoSuchObject, NotPermitted
from hakobu.api.scope.scope import Scope, both
from hakobu.engine.images import named
from hakobu.engine.services import Archive, Filters, Image, ImageChange, Progress
from hakobu.spec.reference import Reference
from hakobu.spec.step import Json
from hakobu.spec.upload import Upload


class ScopedImages:
    """Implements `services.Images`."""

    def __init__(self, scope: Scope) -> None:
        self._scope, self._whole = scope, scope.whole.images

    def get(self, ref: str, *, platform: str = "") -> Image:
        return self._scope.image(ref, platform)

    async def inspect(self, ref: str, *, platform: str = "", manifests: bool = False) -> Image:
        found = await self._whole.inspect(ref, platform=platform, manifests=manifests)
        if not self._scope.has_image(found):
            raise NoSuchObject(f"No such image: {ref}")
        return found

    async def list(
        self, *, all: bool = False, filters: Filters | None = None, manifests: bool = False
    ) -> Sequence[Image]:
        listed = await self._whole.list(all=all, filters=filters, manifests=manifests)
        return [image for image in listed if self._scope.has_image(image)]

    async def pull(
        self, repository: str, tag: str, *, platform: str, auth: Mapping[str, str] | None, progress: Progress
    ) -> None:
        self._scope.require("images:pull")
        self._name(repository, tag, every="*")
        await self._whole.pull(repository, tag, platform=platform, auth=auth, progress=progress)

    async def push(
        self, repository: str, tag: str, *, platform: str, auth: Mapping[str, str] | None, progress: Progress
    ) -> None:
        self._name(repository, tag, every="*")
        await self._whole.push(repository, tag, platform=platform, auth=auth, progress=progress)

    def _name(self, repository: str, tag: str, *, every: str) -> None:
        """Without a tag all of a repository's are meant, so a pattern must hold for any tag."""
        if ":" in tag:
            self._scope.image_name(f"{Reference.parse(repository).familiar_repository}@{tag}")
            return
        reference = Reference.parse(repository)
        tag = tag or reference.tag
        digest = f"@{reference.digest}" if reference.digest else ""
        suffix = f":{tag}" if tag else "" if digest else f":{every}"
        self._scope.image_name(f"{reference.familiar_repository}{suffix}{digest}")

    async def load(self, upload: Upload, *, platform: str = "", progress: Progress) -> Sequence[str]:
        self._scope.every_image("loading images")
        return await self._whole.load(upload, platform=platform, progress=progress)

    async def save(self, refs: Sequence[str], *, platform: str = "") -> Archive:
        for ref in refs:
            self._scope.image(ref)
        return await self._whole.save(refs, platform=platform)

    async def import_(
        self, upload: Upload, *, repository: str, tag: str, message: str, changes: Sequence[str], platform: str
    ) -> str:
        self._scope.require("images:load")
        if repository:
            self._scope.image_name(named(repository, tag).familiar)
        return await self._whole.import_(
            upload, repository=repository, tag=tag, message=message, changes=changes, platform=platform
        )

    async def import_url(
        self,
        url: str,
        *,
        repository: str,
        tag: str,
        message: str,
        changes: Sequence[str],
        platform: str,
        progress: Progress,
    ) -> str:
        """The engine would fetch it from where it stands, which may reach what a scoped socket's user must not."""
        raise NotPermitted(self._scope.policy.name, "owner")

    async def tag(self, ref: str, repository: str, tag: str) -> None:
        image = self._scope.image(ref)
        self._scope.image_name(named(repository, tag).familiar)
        await self._whole.tag(image.id, repository, tag)

    async def remove(
        self, ref: str, *, force: bool = False, prune: bool = True, platforms: Sequence[str] = ()
    ) -> Sequence[Mapping[str, str]]:
        """By its id an image loses all of its names, so all of them must be the policy's."""
        image = self._scope.image(ref)
        if ref not in image.references:
            for name in image.references:
                self._scope.image_name(name)
        else:
            self._scope.image_name(ref)
        return await self._whole.remove(ref, force=force, prune=prune, platforms=platforms)

    async def diff(self, first: str, second: str) -> Sequence[ImageChange]:
        return await self._whole.diff(self._scope.image(first).id, self._scope.image(second).id)

    async def history(self, ref: str, *, platform: str = "") -> Sequence[Mapping[str, Json]]:
        self._scope.image(ref, platform)
        return await self._whole.history(ref, platform=platform)

    async def prune(
        self, filters: Filters | None = None, *, among: Callable[[Image], bool] | None = None
    ) -> tuple[Sequence[Mapping[str, str]], int]:
        """An image goes with all of its names, so all of them must be the policy's."""
        return await self._whole.prune(filters, among=both(self._goes, among))

    def _goes(self, image: Image) -> bool:
        policy = self._scope.policy
        names = image.references or image.digests
        return not policy.images or (bool(names) and all(map(policy.names_image, names)))
