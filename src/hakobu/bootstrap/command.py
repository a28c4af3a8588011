"""`hakobu image bootstrap`: from a recipe to a loaded image, or to an archive.

Idempotent: where the engine already has the image, made from the same recipe, it says so and ends. The engine is
spoken to only over its HTTP API, so another engine's socket serves as well.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

from hakobu.bootstrap import debian
from hakobu.bootstrap.archive import recorded_recipe, write_archive
from hakobu.bootstrap.layer import write_layer
from hakobu.bootstrap.recipe import Recipe, known_recipes, load
from hakobu.client.engine import Engine
from hakobu.client.error import ClientError, EngineError
from hakobu.client.progress import messages
from hakobu.errors import HakobuError

_CHUNK_BYTES = 1 << 20
_DAY_S = 86_400


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hakobu image bootstrap",
        description="Make an image from Debian's own signed packages and load it, for machines without a registry.",
        epilog=f"Recipes that come with hakobu: {', '.join(known_recipes())}.",
        allow_abbrev=False,
    )
    parser.add_argument("name", metavar="NAME[:TAG]", help="the image's name; also the recipe's, without --recipe")
    parser.add_argument("--recipe", metavar="FILE", default="", help="a recipe of your own (TOML)")
    parser.add_argument("--suite", default="", help="Debian's suite (default: the release after the host's)")
    parser.add_argument("--mirror", default="", help="the mirror to take packages from")
    parser.add_argument("-t", "--tag", default="", help="the image's tag (default: latest)")
    parser.add_argument("-o", "--output", metavar="FILE", default="", help="write an archive instead of loading")
    parser.add_argument("--force", action="store_true", help="make it anew even where it is there already")
    parser.add_argument("-q", "--quiet", action="store_true", help="print the image's ID only")
    return parser


class _Progress:
    """One line a stage, each with the time it took where a terminal watches."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._terminal = sys.stderr.isatty()
        self._started = time.monotonic()

    def __call__(self, stage: str) -> None:
        if self._quiet:
            return
        elapsed = f"{time.monotonic() - self._started:6.1f} s  " if self._terminal else ""
        print(f"{elapsed}{stage}", file=sys.stderr, flush=True)


def resolve(recipe: Recipe, suite: str, mirror: str) -> Recipe:
    """The recipe with nothing left open: flags win over the recipe, the recipe over the defaults."""
    chosen = suite or recipe.suite or debian.default_suite(_os_release())
    return replace(recipe, suite=chosen, mirror=mirror or recipe.mirror or debian.default_mirror(os.environ))


def _os_release() -> str:
    try:
        return Path("/etc/os-release").read_text(encoding="utf-8")
    except OSError:
        return ""


def build_epoch() -> int:
    """SOURCE_DATE_EPOCH, or this day's first second: the same packages on the same day give the same image."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    return int(given) if given.isascii() and given.isdigit() else int(time.time()) // _DAY_S * _DAY_S


def make_archive(recipe: Recipe, reference: str, output: Path, progress: Callable[[str], None]) -> str:
    """Builds the image `reference` into the archive `output`; gives its ID. The file appears whole or not at all."""
    program = debian.find_mmdebstrap()
    cache = debian.cache_folder(os.environ)
    cache.mkdir(parents=True, exist_ok=True)
    epoch = build_epoch()
    with tempfile.TemporaryDirectory(prefix="hakobu-bootstrap-") as folder:
        packages, layer = Path(folder) / "packages.tar", Path(folder) / "layer.tar"
        mode = "root" if os.geteuid() == 0 else "unshare"
        progress(f"packages from {recipe.mirror}, suite {recipe.suite}: {' '.join(recipe.packages) or recipe.variant}")
        debian.run(debian.command(program, recipe, str(packages), cache, mode=mode), epoch, progress)
        progress("writing the image's layer")
        with packages.open("rb") as source, layer.open("wb") as out:
            write_layer(source, out, recipe, epoch)
        partial = output.with_name(f".{output.name}.partial")
        try:
            with partial.open("wb") as out:
                image_id = write_archive(layer, out, recipe, [reference], epoch)
            partial.replace(output)
        finally:
            partial.unlink(missing_ok=True)
    return image_id


def present(engine: Engine, reference: str, recipe: Recipe) -> str:
    """The ID of the image that is there already and was made from this very recipe, or an empty string."""
    try:
        image = engine.images.inspect(reference)
    except EngineError as error:
        if error.status == 404:
            return ""
        raise
    config = cast("dict[str, object]", image.get("Config") or {})
    labels = cast("dict[str, object]", config.get("Labels") or {})
    return str(image["Id"]) if recorded_recipe(labels) == recipe.digest() else ""


def load_archive(engine: Engine, archive: Path, progress: Callable[[str], None]) -> None:
    """Sends the archive to the engine; StreamError where it refuses it."""
    with engine.images.load(_chunks(archive)) as response:
        for message in messages(response):
            if text := str(message.get("stream") or "").strip():
                progress(text)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def main(argv: list[str], endpoint: str) -> int:
    """Runs the command for `argv` (without its own name) against the engine at `endpoint`; gives the exit code."""
    options = _parser().parse_args(argv)
    name, _, tag_of_name = options.name.partition(":")
    reference = f"{name}:{options.tag or tag_of_name or 'latest'}"
    progress = _Progress(options.quiet)
    try:
        recipe = resolve(load(name, options.recipe), options.suite, options.mirror)
        if options.output:
            print(make_archive(recipe, reference, Path(options.output), progress))
        else:
            print(_bootstrap(recipe, reference, endpoint, progress, force=options.force))
    except (HakobuError, ClientError) as error:
        print(f"hakobu image bootstrap: {error}", file=sys.stderr)
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"hakobu image bootstrap: {error.filename or ''}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def _bootstrap(recipe: Recipe, reference: str, endpoint: str, progress: Callable[[str], None], *, force: bool) -> str:
    with Engine(endpoint) as engine:
        if not force and (image_id := present(engine, reference, recipe)):
            progress(f"{reference} is there already, made from this recipe")
            return image_id
        with tempfile.TemporaryDirectory(prefix="hakobu-bootstrap-") as folder:
            archive = Path(folder) / "image.tar"
            image_id = make_archive(recipe, reference, archive, progress)
            load_archive(engine, archive, progress)
        return image_id
