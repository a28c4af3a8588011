"""`hakobu kube play FILE`, `kube down FILE`, `kube generate NAME…`: the command lines."""

import argparse
import sys
from collections.abc import Callable

from hakobu.client.endpoint import Endpoint
from hakobu.client.engine import Engine
from hakobu.client.error import ClientError
from hakobu.compose.disk import Disk
from hakobu.compose.progress import Progress
from hakobu.errors import HakobuError
from hakobu.formats.kube.generate import generate
from hakobu.formats.kube.pause import ensure_pause_image
from hakobu.formats.kube.play import KUBE_NETWORK, PlayOptions, play, pod_project, remove_pod, remove_shared
from hakobu.formats.kube.reader import KubeFile, read_kube
from hakobu.formats.pod import PAUSE_IMAGE
from hakobu.formats.source import tell

_FILE_HELP = "a Kubernetes file, or - for standard input"


def main(argv: list[str], endpoint: Endpoint | str) -> int:
    """`hakobu kube VERB`."""
    try:
        options = parser().parse_args(argv)
    except SystemExit as e:
        return int(e.code or 0)
    run: Callable[[argparse.Namespace, Engine], int] = options.run
    try:
        return run(options, Engine(endpoint))
    except (HakobuError, ClientError) as e:
        print(e, file=sys.stderr)
        if e.hint:
            print(f"({e.hint})", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 1
    except KeyboardInterrupt:
        return 130


def parser() -> argparse.ArgumentParser:
    """The command line of `hakobu kube`."""
    found = argparse.ArgumentParser(prog="hakobu kube", description="Pods of Kubernetes files.")
    verbs = found.add_subparsers(dest="verb", metavar="COMMAND", required=True)
    playing = verbs.add_parser("play", help="make the pods of a file", description="Make the pods of a file.")
    playing.add_argument("--replace", action="store_true", help="make pods anew that have changed")
    playing.add_argument("--start", type=_boolean, default=True, metavar="BOOL", help="start them (true)")
    playing.add_argument(
        "--wait", action="store_true", help="come back when they are ready, or jobs have done their work"
    )
    playing.add_argument("--network", default=KUBE_NETWORK, help=f"the network they are on ({KUBE_NETWORK})")
    playing.add_argument("--configmap", action="append", default=[], metavar="FILE", help="ConfigMaps of other files")
    playing.add_argument("-q", "--quiet", action="store_true", help="say only what goes wrong")
    playing.add_argument("file", metavar="FILE", help=_FILE_HELP)
    playing.set_defaults(run=_play)
    down = verbs.add_parser("down", help="remove the pods of a file", description="Remove the pods of a file.")
    down.add_argument("--force", action="store_true", help="remove the volumes of its claims too")
    down.add_argument("--configmap", action="append", default=[], metavar="FILE", help="ConfigMaps of other files")
    down.add_argument("-q", "--quiet", action="store_true", help="say only what goes wrong")
    down.add_argument("file", metavar="FILE", help=_FILE_HELP)
    down.set_defaults(run=_down)
    writing = verbs.add_parser(
        "generate", help="write pods or containers as a file", description="Write pods or containers as a file."
    )
    kinds = ("pod", "deployment", "job")
    writing.add_argument(
        "--type", choices=kinds, default="", help="the kind (by default what restart policies suggest)"
    )
    writing.add_argument("-f", "--filename", default="", metavar="FILE", help="where to write it")
    writing.add_argument("names", nargs="+", metavar="NAME", help="a pod or a container")
    writing.set_defaults(run=_generate)
    image = verbs.add_parser("pause-image", help="load the image of pods' anchors, and print its name")
    image.set_defaults(run=_pause_image)
    return found


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0"):
        raise argparse.ArgumentTypeError(f"must be true or false, not {text!r}")
    return text.lower() in ("true", "1")


def _read(options: argparse.Namespace) -> KubeFile:
    disk = Disk()
    others = [(disk.read(file), file) for file in options.configmap]
    return read_kube(disk.read(options.file), options.file, others)


def _play(options: argparse.Namespace, engine: Engine) -> int:
    file = _read(options)
    tell(file.notes)
    wanted = PlayOptions(replace=options.replace, start=options.start, wait=options.wait, network=options.network)
    for name in play(engine, file, wanted, Progress(quiet=options.quiet)):
        print(name)
    return 0


def _down(options: argparse.Namespace, engine: Engine) -> int:
    file, progress = _read(options), Progress(quiet=options.quiet)
    for pod in reversed(file.pods):
        if not remove_pod(engine, pod.name, pod_project(pod), progress):
            progress.line(f"Pod {pod.name}", "Warning: is not there")
    claims = dict.fromkeys([*file.claims, *(c for pod in file.pods for c in pod.claims)])
    remove_shared(engine, claims if options.force else (), progress)
    return 0


def _generate(options: argparse.Namespace, engine: Engine) -> int:
    text, notes = generate(engine, options.names, options.type.capitalize())
    tell(notes)
    if not options.filename:
        sys.stdout.write(text)
        return 0
    with open(options.filename, "w", encoding="utf-8") as file:
        file.write(text)
    return 0


def _pause_image(options: argparse.Namespace, engine: Engine) -> int:
    ensure_pause_image(engine)
    print(PAUSE_IMAGE)
    return 0
