"""An image of Debian's static busybox, in one layer, as `docker load` takes it."""

import hashlib
import io
import json
import os
import subprocess
import tarfile

BUSYBOX = "/bin/busybox"


def available() -> bool:
    return os.path.exists(BUSYBOX)


def _tar(entries: list[tuple[str, bytes, int, str]]) -> bytes:
    """Entries of name, content, mode and link target; a name with a slash at its end is a directory."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data, mode, link in entries:
            info = tarfile.TarInfo(name.rstrip("/"))
            info.mode, info.mtime, info.size = mode, 1700000000, len(data)
            if link:
                info.type, info.linkname = tarfile.SYMTYPE, link
            elif name.endswith("/"):
                info.type = tarfile.DIRTYPE
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def archive(name: str) -> bytes:
    """A docker archive that holds one image of this name and tag."""
    applets = subprocess.check_output([BUSYBOX, "--list"], text=True).split()
    folders = [(f"{path}/", b"", 0o1777 if path == "tmp" else 0o755, "") for path in "bin etc root tmp".split()]
    with open(BUSYBOX, "rb") as file:
        files = [("bin/busybox", file.read(), 0o755, "")]
    files.append(("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n", 0o644, ""))
    files.append(("etc/group", b"root:x:0:\n", 0o644, ""))
    links = [(f"bin/{applet}", b"", 0o777, "busybox") for applet in applets if applet != "busybox"]
    layer = _tar(folders + files + links)
    config = {
        "architecture": "arm64" if os.uname().machine == "aarch64" else "amd64",
        "os": "linux",
        "created": "2023-11-14T22:13:20Z",
        "config": {"Env": ["PATH=/bin"], "Cmd": ["/bin/sh"], "Labels": {"made-for": "tests"}},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        "history": [{"created": "2023-11-14T22:13:20Z", "created_by": "/bin/sh -c #(nop) ADD file:busybox in / "}],
    }
    text = json.dumps(config).encode()
    config_name = f"{hashlib.sha256(text).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}]
    return _tar(
        [
            ("layer.tar", layer, 0o644, ""),
            (config_name, text, 0o644, ""),
            ("manifest.json", json.dumps(manifest).encode(), 0o644, ""),
        ]
    )
