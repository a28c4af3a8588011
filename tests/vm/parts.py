"""What the machine is made of: a root file system and a kernel from Debian 12's packages, and the payload.

The first two change with Debian's packages only and are kept under `.state/vm`; the payload (this checkout, its
dependencies for Debian 12's Python, the images) is made for each run.
"""

import compileall
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from tests.vm import initramfs

from hakobu.bootstrap import debian
from hakobu.bootstrap.command import build_epoch, make_archive, resolve
from hakobu.bootstrap.recipe import Recipe, load

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".state" / "vm"
_SUITE = "bookworm"
_GUEST_PYTHON = "3.11"
_PACKAGES = (
    "busybox-static",
    "iproute2",
    "kmod",
    "libnftables1",
    "libseccomp2",
    "nftables",
    "procps",
    "python3",
    "slirp4netns",
    "tini",
    "uidmap",
)
# pytest and what it needs, copied from the virtual environment: pure Python all of it
_PURE = ("pytest", "_pytest", "py.py", "pluggy", "iniconfig", "packaging", "pygments")


def _say(text: str) -> None:
    print(f"vm: {text}", flush=True)


def _from_packages(recipe: Recipe, folder: Path) -> None:
    """Unpacks what mmdebstrap makes of `recipe` into `folder`, as root."""
    cache = debian.cache_folder(os.environ)
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="hakobu-vm-") as scratch:
        tar = f"{scratch}/root.tar"
        argv = debian.command(debian.find_mmdebstrap(), recipe, tar, cache, mode="root")
        debian.run(argv, build_epoch(), _say)
        folder.mkdir(parents=True)
        subprocess.run(["tar", "--extract", "--numeric-owner", "--directory", folder, "--file", tar], check=True)


def _ext4(source: Path, image: Path, spare_mb: int) -> None:
    """A file system image with the content of `source` and some room; appears whole or not at all."""
    used = subprocess.run(["du", "-sm", "--apparent-size", source], check=True, capture_output=True, text=True)
    size = int(int(used.stdout.split()[0]) * 1.3) + spare_mb
    partial = image.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    mke2fs = shutil.which("mke2fs", path="/usr/sbin:/sbin:/usr/bin")
    if mke2fs is None:
        sys.exit("mke2fs is not installed; apt install e2fsprogs")
    options = ["-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-E", "lazy_itable_init=1,nodiscard"]
    subprocess.run([mke2fs, *options, "-d", source, partial, f"{size}M"], check=True, stdout=subprocess.DEVNULL)
    partial.replace(image)


def _key(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def machine() -> tuple[Path, Path, Path]:
    """The kernel, the initial files and the root disk; made at the first call, then taken from the cache."""
    folder = CACHE / f"machine-{_key(_SUITE, *_PACKAGES, Path(initramfs.__file__).read_text(), '1')}"
    kernel, initrd, disk = folder / "vmlinuz", folder / "initrd", folder / "root.ext4"
    if disk.exists():
        return kernel, initrd, disk
    _say(f"making the machine from Debian {_SUITE}'s packages (once)")
    folder.mkdir(parents=True, exist_ok=True)
    mirror = debian.default_mirror(os.environ)
    with tempfile.TemporaryDirectory(prefix="hakobu-vm-") as scratch:
        boot, root = Path(scratch) / "boot", Path(scratch) / "root"
        _from_packages(Recipe("kernel", "", "extract", ("linux-image-cloud-amd64",), _SUITE, mirror), boot)
        _from_packages(Recipe("root", "", "essential", _PACKAGES, _SUITE, mirror), root)
        modules = next((boot / "lib" / "modules").iterdir())
        # the machine's Debian has merged its /usr, the bare kernel package has not
        target = root / "usr" / "lib" / "modules" / modules.name
        shutil.copytree(modules, target, symlinks=True)
        subprocess.run(["/sbin/depmod", "--basedir", root, modules.name], check=True)
        for name in ("payload", "proc", "sys", "dev", "run", "tmp"):
            (root / name).mkdir(exist_ok=True)
        shutil.copy(next((boot / "boot").glob("vmlinuz-*")), kernel)
        initrd.write_bytes(initramfs.pack(target))
        _ext4(root, disk, spare_mb=1500)
    return kernel, initrd, disk


def _dependencies() -> Path:
    """The locked dependencies for the machine's Python, whatever the host's is."""
    lock = ROOT / "requirements.lock"
    folder = CACHE / f"packages-{_key(lock.read_text(), _GUEST_PYTHON)}"
    if not folder.exists():
        _say(f"installing the locked dependencies for Python {_GUEST_PYTHON} (once)")
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        options = ["-qq", "--target", partial, "--only-binary=:all:", "--python-version", _GUEST_PYTHON]
        subprocess.run(
            [sys.executable, "-m", "pip", "install", *options, "--require-hashes", "--requirement", lock], check=True
        )
        for name in _PURE:
            source = Path(pytest.__file__).parents[1] / name
            if source.is_dir():
                skip = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, partial / name, ignore=skip, dirs_exist_ok=True)
            else:
                shutil.copy(source, partial)
        compileall.compile_dir(partial, quiet=2, workers=2)
        partial.rename(folder)
    return folder


def image(name: str) -> Path:
    """The archive of a shipped recipe's image, kept until its recipe changes."""
    recipe = resolve(load(name), "", "")
    path = ROOT / ".state" / "images" / f"{name}-{recipe.digest()[7:19]}.tar"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        make_archive(recipe, f"{name}:latest", path, _say)
    return path


def payload(images: tuple[str, ...], kernel_tests: tuple[str, ...]) -> Path:
    """The second disk: packages and this checkout as the machine's Python finds them, tests, examples, images."""
    disk = CACHE / "payload.ext4"
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="hakobu-vm-") as scratch:
        folder = Path(scratch)
        shutil.copytree(_dependencies(), folder / "packages", symlinks=True)
        skip = shutil.ignore_patterns("__pycache__", ".state", ".venv*")
        shutil.copytree(ROOT / "src" / "hakobu", folder / "packages" / "hakobu", ignore=skip)
        compileall.compile_dir(folder / "packages" / "hakobu", quiet=2)
        for name in ("tests", "examples"):
            shutil.copytree(ROOT / name, folder / name, ignore=skip)
        shutil.copy(ROOT / "pyproject.toml", folder)
        shutil.copy(Path(__file__).with_name("guest.py"), folder / "guest.py")
        (folder / "kernel-tests").write_text("\n".join(kernel_tests))
        (folder / "images").mkdir()
        for name in images:
            shutil.copy(image(name), folder / "images" / f"{name}.tar")
        # the engine runs no code that group or others may write
        subprocess.run(["chmod", "--recursive", "go-w", folder], check=True)
        _ext4(folder, disk, spare_mb=16)
    return disk
