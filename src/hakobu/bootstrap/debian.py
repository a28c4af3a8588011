"""Debian's side: which suite, which mirror, which keys, and the mmdebstrap command that uses them.

The command is a value until `run`; signatures are always verified (the keyring is the host's own
`debian-archive-keyring`), and nothing but mmdebstrap is started.
"""

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from hakobu.bootstrap.failure import BootstrapFailed, MissingKeyring, MissingProgram
from hakobu.bootstrap.recipe import Recipe

# Debian's releases in order; an image shows its own Linux best when it is not the host's.
_SUITES = ("bullseye", "bookworm", "trixie", "forky")
_NEWEST_STABLE = "trixie"
_MIRROR = "http://deb.debian.org/debian"
_KEYRINGS = "/usr/share/keyrings"
_MMDEBSTRAP = ("/usr/bin/mmdebstrap", "/usr/local/bin/mmdebstrap")
_LOG_LINES = 12
# what mmdebstrap says when a stage begins, and what a person is told
_STAGES = {
    "running apt-get update": "reading the list of packages, verifying its signature",
    "downloading packages with apt": "downloading packages",
    "extracting archives": "unpacking",
    "installing essential packages": "installing the essential packages",
    "installing remaining packages inside the chroot": "installing the recipe's packages",
    "creating tarball": "collecting the files",
}


def default_suite(os_release: str) -> str:
    """The release after the host's where the host runs Debian and there is one that is stable, else the newest."""
    fields = dict(line.split("=", 1) for line in os_release.splitlines() if "=" in line)
    codename = fields.get("VERSION_CODENAME", "").strip('"')
    if codename not in _SUITES:
        return _NEWEST_STABLE
    following = _SUITES[min(_SUITES.index(codename) + 1, len(_SUITES) - 1)]
    return following if _SUITES.index(following) <= _SUITES.index(_NEWEST_STABLE) else codename


def default_mirror(environment: Mapping[str, str]) -> str:
    """Debian's mirror network, or what HAKOBU_DEBIAN_MIRROR names."""
    return environment.get("HAKOBU_DEBIAN_MIRROR") or _MIRROR


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Where downloaded packages are kept for the next image."""
    base = environment.get("XDG_CACHE_HOME") or f"{environment.get('HOME') or '/root'}/.cache"
    return Path(base) / "hakobu" / "deb"


def find_mmdebstrap(candidates: tuple[str, ...] = _MMDEBSTRAP) -> str:
    for candidate in candidates:
        if os.access(candidate, os.X_OK):
            return candidate
    raise MissingProgram("mmdebstrap", "mmdebstrap")


def keyring_for(suite: str, folder: str = _KEYRINGS) -> str:
    """The keys that may sign `suite`; a codename that the keyring does not know yet is refused here, by name."""
    if suite in _SUITES:
        own = f"{folder}/debian-archive-{suite}-stable.gpg"
        if suite == "forky" and not os.path.exists(own):
            own = f"{folder}/debian-archive-keyring.gpg"
        if not os.path.exists(own):
            raise MissingKeyring(own)
    whole = f"{folder}/debian-archive-keyring.gpg"
    if not os.path.exists(whole):
        raise MissingKeyring(whole)
    return whole


def command(program: str, recipe: Recipe, output: str, cache: Path, *, mode: str) -> list[str]:
    """The argv of mmdebstrap; packages come from and go to `cache`, so that a second image downloads little."""
    archives = "/var/cache/apt/archives/"
    argv = [program, f"--mode={mode}", f"--variant={recipe.variant}", "--format=tar"]
    argv += [f"--components={','.join(recipe.components)}"]
    argv += [f"--include={package}" for package in recipe.packages]
    argv += [f"--keyring={keyring_for(recipe.suite)}"]
    # why root: apt drops to _apt for downloads, which cannot write below a 0700 temporary folder
    argv += ['--aptopt=APT::Sandbox::User "root"', '--aptopt=APT::Install-Recommends "false"']
    argv += ["--skip=essential/unlink,cleanup/apt/cache"]
    argv += [f'--setup-hook=mkdir -p "$1{archives}"', f"--setup-hook=sync-in {cache} {archives}"]
    # the packages are all there before any of their scripts runs
    argv += [f"--extract-hook=sync-out {archives} {cache}"]
    return [*argv, recipe.suite, output, recipe.mirror]


def run(argv: list[str], epoch: int, progress: Callable[[str], None]) -> None:
    """Runs mmdebstrap; tells `progress` each stage as it begins; BootstrapFailed with its last lines."""
    # why an environment of our own: the host's locale, proxies aside, must not reach the image
    environment = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    environment |= {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": os.environ.get("HOME", "/root"),
        "LC_ALL": "C.UTF-8",
        "SOURCE_DATE_EPOCH": str(epoch),
    }
    log: list[str] = []
    with subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            line = line.rstrip()
            log = [*log[1 - _LOG_LINES :], line]
            if stage := _STAGES.get(line.removeprefix("I: ").rstrip(".")):
                progress(stage)
    if process.returncode:
        raise BootstrapFailed(process.returncode, log, _hint("\n".join(log)))


def _hint(log: str) -> str:
    if "NO_PUBKEY" in log or "signatures couldn't be verified" in log:
        return "the host's debian-archive-keyring is older than this suite: upgrade it, or choose --suite"
    if "Could not resolve" in log or "Could not connect" in log or "Failed to fetch" in log:
        return "Debian's mirror does not answer; HAKOBU_DEBIAN_MIRROR or the recipe's mirror names another"
    if "does not have a Release file" in log:
        return "the mirror has no such suite; choose --suite"
    if "Unable to locate package" in log:
        return "a package of the recipe is not in this suite; choose --suite"
    return ""
