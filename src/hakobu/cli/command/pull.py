"""`pull` and `push`."""

from __future__ import annotations

from hakobu.cli.failure import Failure
from hakobu.cli.kind import BOOL, STRING
from hakobu.cli.reference import check, full_name, host_of, split
from hakobu.cli.session import STDOUT_FD
from hakobu.cli.table import Command, Flag
from hakobu.client import progress as progress_messages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values

_TRUST = Flag("disable-content-trust", "", BOOL, "Accept unsigned images", True, hidden=True)
_QUIET = Flag("quiet", "q", BOOL, "Show the result only")
PULL = Command(
    "pull",
    "[OPTIONS] NAME[:TAG|@DIGEST]",
    "Download an image from a registry",
    least=1,
    most=1,
    aliases=("image pull", "pull"),
    flags=(
        Flag("all-tags", "a", BOOL, "Download every tag of the repository"),
        _TRUST,
        Flag("platform", "", STRING, "Platform of the image, where it has several"),
        _QUIET,
    ),
)
PUSH = Command(
    "push",
    "[OPTIONS] NAME[:TAG]",
    "Upload an image to a registry",
    least=1,
    most=1,
    aliases=("image push", "push"),
    flags=(
        Flag("all-tags", "a", BOOL, "Upload every tag of the repository"),
        _TRUST,
        Flag("platform", "", STRING, "Refuse unless the image is for this platform", since="1.46"),
        _QUIET,
    ),
)


def pull(session: Session, values: Values, arguments: list[str]) -> int:
    image = check(arguments[0])
    name, tag, digest = split(image)
    quiet, every = values.on("quiet"), values.on("all-tags")
    if every and (tag or digest):
        raise Failure("tag can't be used with --all-tags/-a")
    if not every and not tag and not digest and not quiet:
        session.line("Using default tag: latest")
    pull_image(session, image, platform=values.text("platform"), quiet=quiet, fd=STDOUT_FD, every=every)
    ending = "" if every else f"@{digest}" if digest else f":{tag or 'latest'}"
    session.line(full_name(name) + ending)
    return 0


def pull_image(
    session: Session, image: str, *, platform: str = "", quiet: bool = False, fd: int, every: bool = False
) -> None:
    """Pulls with its progress on a descriptor; EngineError or StreamError where it fails."""
    from hakobu.cli.progress import show
    from hakobu.client.credential import registry_auth

    name, tag, digest = split(check(image))
    auth = registry_auth(session.config(), host_of(name))
    wanted = digest or ("" if every else tag or "latest")
    response = session.engine.images.pull(full_name(name), wanted, platform=platform, registry_auth=auth)
    if quiet:
        progress_messages.finish(response)
    else:
        show(response, fd)


def push(session: Session, values: Values, arguments: list[str]) -> int:
    from hakobu.cli.progress import show
    from hakobu.client.credential import registry_auth

    name, tag, _ = split(check(arguments[0]))
    quiet, every = values.on("quiet"), values.on("all-tags")
    if every and tag:
        raise Failure("tag can't be used with --all-tags/-a")
    if not every and not tag:
        tag = "latest"
        if not quiet:
            session.line("Using default tag: latest")
    auth = registry_auth(session.config(), host_of(name))
    response = session.engine.images.push(full_name(name), tag, platform=values.text("platform"), registry_auth=auth)
    if not quiet:
        show(response, STDOUT_FD)
        return 0
    progress_messages.finish(response)
    session.line(f"{full_name(name)}:{tag}" if tag else full_name(name))
    return 0
