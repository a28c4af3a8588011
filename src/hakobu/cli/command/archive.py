"""`save`, `load`, `export`, `import`: images and file systems as tar streams."""

from __future__ import annotations

import os

from hakobu.cli.failure import Failure
from hakobu.cli.kind import BOOL, LIST, STRING
from hakobu.cli.session import STDIN_FD, STDOUT_FD, write_all
from hakobu.cli.table import MANY, Command, Flag
from hakobu.cli.terminal import is_terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hakobu.cli.session import Session
    from hakobu.cli.table import Values
    from hakobu.client.transport import Response

_OUTPUT = Flag("output", "o", STRING, "Write to this file instead of standard output")
_READ_BYTES = 1 << 20
SAVE = Command(
    "save",
    "[OPTIONS] IMAGE [IMAGE...]",
    "Write images to a tar archive",
    least=1,
    most=MANY,
    flags=(_OUTPUT, Flag("platform", "", STRING, "Only the variants of this platform", since="1.48")),
    aliases=("image save", "save"),
)
EXPORT = Command(
    "export",
    "[OPTIONS] CONTAINER",
    "Write a container's file system to a tar archive",
    least=1,
    most=1,
    flags=(_OUTPUT,),
    aliases=("container export", "export"),
)
LOAD = Command(
    "load",
    "[OPTIONS]",
    "Read images from a tar archive",
    aliases=("image load", "load"),
    flags=(
        Flag("input", "i", STRING, "Read from this file instead of standard input"),
        Flag("platform", "", STRING, "Only the variants of this platform", since="1.48"),
        Flag("quiet", "q", BOOL, "Show the result only"),
    ),
)
IMPORT_IMAGE = Command(
    "import",
    "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
    "Make an image of a file system's tar archive",
    least=1,
    most=2,
    aliases=("image import", "import"),
    flags=(
        Flag("change", "c", LIST, "Apply a Dockerfile instruction to the image"),
        Flag("message", "m", STRING, "Comment of the image"),
        Flag("platform", "", STRING, "Platform of the image"),
    ),
)


def save(session: Session, values: Values, arguments: list[str]) -> int:
    _refuse_terminal(values)
    _write(session.engine.images.save(arguments, platform=values.text("platform")), values.text("output"))
    return 0


def export(session: Session, values: Values, arguments: list[str]) -> int:
    _refuse_terminal(values)
    _write(session.engine.containers.export(arguments[0]), values.text("output"))
    return 0


def _refuse_terminal(values: Values) -> None:
    if not values.text("output") and is_terminal(STDOUT_FD):
        raise Failure("cowardly refusing to save to a terminal. Use the -o flag or redirect")


def _write(response: Response, path: str) -> None:
    """To standard output, or to a file that appears when it is whole."""
    with response:
        if not path:
            for data in response:
                write_all(STDOUT_FD, data)
            return
        if os.path.exists(path) and not os.path.isfile(path):
            if os.path.isdir(path):
                raise Failure(f'failed to save image: invalid output path: "{path}" must be a file')
            with open(path, "wb") as device:
                for data in response:
                    device.write(data)
            return
        _write_whole(response, path)


def _write_whole(response: Response, path: str) -> None:
    temporary = f"{os.path.dirname(path) or '.'}/.{os.path.basename(path)}.{os.getpid()}"
    try:
        with open(temporary, "xb") as file:
            for data in response:
                file.write(data)
    except FileNotFoundError:
        folder = os.path.dirname(path)
        raise Failure(f'invalid output path: directory "{folder}" does not exist') from None
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise
    os.replace(temporary, path)


def _pieces(fd: int) -> Iterator[bytes]:
    while data := os.read(fd, _READ_BYTES):
        yield data


def load(session: Session, values: Values, arguments: list[str]) -> int:
    from hakobu.cli.progress import show
    from hakobu.client.progress import messages

    path = values.text("input")
    fd = _open(path) if path else STDIN_FD
    if not path and is_terminal(STDIN_FD):
        raise Failure("requested load from stdin, but stdin is empty")
    quiet = values.on("quiet") or not is_terminal(STDOUT_FD)
    response = session.engine.images.load(_pieces(fd), quiet=quiet, platform=values.text("platform"))
    if not response.head.get("content-type").startswith("application/json"):
        _write(response, "")
        return 0
    if values.on("quiet"):
        with response:
            for message in messages(response):
                session.out(str(message.get("stream", "")))
        return 0
    show(response, STDOUT_FD)
    return 0


def _open(path: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as e:
        raise Failure(f"open {path}: {(e.strerror or '').lower()}") from None


def import_image(session: Session, values: Values, arguments: list[str]) -> int:
    from hakobu.cli.progress import show
    from hakobu.cli.reference import check, split

    source = arguments[0]
    name, tag, _ = split(check(arguments[1])) if len(arguments) > 1 else ("", "", "")
    body = None
    if source == "-":
        body = _pieces(STDIN_FD)
    elif not source.startswith(("http://", "https://")):
        body = _pieces(_open(source))
        source = "-"
    response = session.engine.images.import_(
        source,
        body,
        repo=name,
        tag=tag,
        message=values.text("message"),
        changes=values.texts("change"),
        platform=values.text("platform"),
    )
    show(response, STDOUT_FD)
    return 0
