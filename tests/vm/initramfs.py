"""The first files of the machine: a static busybox, the modules of its disks, and a script that finds the root.

A cpio archive in the kernel's `newc` format (Documentation/driver-api/early-userspace/buffer-format.rst), and the
order in which modules are inserted, taken from depmod's list.
"""

import io
import stat
from pathlib import Path

_WANTED = ("virtio_pci", "virtio_blk", "ext4")
_INIT = """#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
for module in {modules}; do /bin/busybox insmod /modules/$module || echo "cannot insert $module"; done
/bin/busybox mount -t ext4 /dev/vda /root || exec /bin/busybox reboot -f
/bin/busybox mount -t ext4 -o ro /dev/vdb /root/payload
/bin/busybox mount --move /dev /root/dev
exec /bin/busybox switch_root /root /usr/bin/python3 /payload/guest.py
"""


def modules_in_order(folder: Path, wanted: tuple[str, ...] = _WANTED) -> list[str]:
    """Paths below `folder` of the wanted modules, each after those it needs; built-in ones are not in the list."""
    needs: dict[str, list[str]] = {}
    for line in (folder / "modules.dep").read_text().splitlines():
        path, _, others = line.partition(":")
        needs[path] = others.split()
    by_name = {Path(path).name.split(".")[0].replace("-", "_"): path for path in needs}
    ordered: list[str] = []
    for name in wanted:
        if path := by_name.get(name):
            # depmod lists what must be there first last
            ordered += [one for one in (*reversed(needs[path]), path) if one not in ordered]
    # ext4 asks for its checksum by an alias, so depmod does not know of it
    for soft in ("crc32c_generic",):
        if (path := by_name.get(soft)) and path not in ordered:
            ordered.insert(0, path)
    return ordered


def pack(modules: Path, busybox: Path = Path("/bin/busybox")) -> bytes:
    """The archive's bytes for the kernel modules below `modules`."""
    out = io.BytesIO()
    ordered = modules_in_order(modules)
    names = [Path(path).name for path in ordered]
    for folder in ("bin", "dev", "root", "modules"):
        _entry(out, folder, stat.S_IFDIR | 0o755)
    _entry(out, "bin/busybox", stat.S_IFREG | 0o755, busybox.read_bytes())
    for path, name in zip(ordered, names, strict=True):
        _entry(out, f"modules/{name}", stat.S_IFREG | 0o644, (modules / path).read_bytes())
    _entry(out, "init", stat.S_IFREG | 0o755, _INIT.format(modules=" ".join(names)).encode())
    _entry(out, "TRAILER!!!", 0)
    return out.getvalue()


def _entry(out: io.BytesIO, name: str, mode: int, data: bytes = b"") -> None:
    # magic, inode, mode, uid, gid, links, time, size, device (4), size of the name, checksum
    fields = (out.tell() + 1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
    out.write(b"070701" + "".join(f"{field:08x}" for field in fields).encode() + name.encode() + b"\0")
    out.write(b"\0" * (-out.tell() % 4) + data)
    out.write(b"\0" * (-out.tell() % 4))
