"""Mounts of every type and with every key: volumes that are file systems, images, memory."""

import os
import subprocess
from pathlib import Path

import pytest
from tests.conformance.api.speaker import Speaker, split_frames
from tests.integration.daemon import Daemon
from tests.leaks import need

pytestmark = pytest.mark.root


def output(api: Speaker, *cmd: str, **options: object) -> str:
    container = api.run(*cmd, **options)  # type: ignore[arg-type]
    api.wait(container)
    _, _, body = api.call("GET", f"/containers/{container}/logs?stdout=1&stderr=1")
    return b"".join(data for _, data in split_frames(body)).decode()


def test_a_volume_that_is_a_directory_elsewhere(api: Speaker, daemon: Daemon, tmp_path):
    (tmp_path / "f").write_text("there\n")
    options = ("-o", "type=none", "-o", f"device={tmp_path}", "-o", "o=bind")
    daemon.docker("volume", "create", *options, "elsewhere")
    assert daemon.docker("run", "--rm", "-v", "elsewhere:/v", "bb", "cat", "/v/f").stdout == "there\n"
    daemon.docker("run", "--rm", "-v", "elsewhere:/v", "bb", "sh", "-c", "echo new > /v/g")
    assert (tmp_path / "g").read_text() == "new\n"
    read_only = daemon.docker("run", "--rm", "-v", "elsewhere:/v:ro", "bb", "touch", "/v/h", check=False)
    assert "Read-only file system" in read_only.stderr
    daemon.docker("create", "--name", "holds", "-v", "elsewhere:/v", "bb", "true")
    assert daemon.docker("cp", "holds:/v/f", "-").stdout.count("there\n") == 1
    assert api.json("GET", "/volumes/elsewhere")["Options"] == {"type": "none", "device": str(tmp_path), "o": "bind"}
    daemon.docker("rm", "holds")
    daemon.docker("volume", "rm", "elsewhere")
    assert (tmp_path / "f").exists()


def test_a_volume_in_memory_is_one_for_all_who_have_it(api: Speaker, daemon: Daemon):
    daemon.docker("volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "-o", "o=size=1m,uid=7", "memory")
    first = api.run("sh", "-c", "echo shared > /v/f; exec sleep 1000", host={"Binds": ["memory:/v"]})
    said = output(
        api,
        "sh",
        "-c",
        "until cat /m/f; do :; done; grep ' /m ' /proc/mounts; stat -c %u /m",
        host={"Binds": ["memory:/m"]},
    )
    assert "shared\n" in said and "tmpfs /m tmpfs" in said and "size=1024k" in said
    assert said.endswith("\n7\n")
    api.call("DELETE", f"/containers/{first}?force=1")
    # the last one is gone, and the memory with it
    assert output(api, "ls", "/m", host={"Binds": ["memory:/m"]}) == ""


def test_a_volume_that_is_a_file_system_on_a_device(api: Speaker, daemon: Daemon, tmp_path):
    disk = tmp_path / "disk"
    subprocess.run(["truncate", "-s", "8M", disk], check=True)
    subprocess.run(["mkfs.ext4", "-q", disk], check=True)
    found = subprocess.run(["losetup", "--show", "-f", disk], capture_output=True, text=True)
    need(found.returncode == 0, "loop devices")
    device = found.stdout.strip()
    try:
        daemon.docker("volume", "create", "-o", "type=ext4", "-o", f"device={device}", "-o", "o=noatime", "disk")
        daemon.docker("run", "--rm", "-v", "disk:/d", "bb", "sh", "-c", "echo kept > /d/f")
        said = daemon.docker("run", "--rm", "-v", "disk:/d", "bb", "sh", "-c", "cat /d/f; grep ' /d ' /proc/mounts")
        assert said.stdout.startswith(f"kept\n{device} /d ext4 rw,noatime")
        assert device not in Path("/proc/self/mounts").read_text()
    finally:
        subprocess.run(["losetup", "-d", device], check=True)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"type": "nfs"}, 'missing required option: "device"'),
        ({"device": "/x"}, 'missing required option: "type"'),
        ({"o": "bind"}, 'missing required option: "device"'),
        ({"colour": "red"}, 'invalid option: "colour"'),
        ({"size": "1g"}, "quota size requested but no quota support"),
    ],
)
def test_options_that_make_no_volume(api: Speaker, options, text):
    status, said = api.refused("POST", "/volumes/create", {"Name": "bad", "DriverOpts": options})
    assert (status, text in said) == (400, True), said


def test_a_network_file_system_the_kernel_lacks_is_said(api: Speaker, daemon: Daemon):
    need("nfs4" not in Path("/proc/filesystems").read_text(), "a kernel without NFS")
    options = ("-o", "type=nfs4", "-o", "device=:/x", "-o", "o=addr=localhost,rw")
    daemon.docker("volume", "create", *options, "net")
    failed = daemon.docker("run", "--rm", "-v", "net:/n", "bb", "true", check=False)
    assert failed.returncode == 125
    assert "nfs4" in failed.stderr and "No such device" in failed.stderr


def test_an_image_is_mounted_read_only_and_stays_while_it_is(api: Speaker, daemon: Daemon):
    daemon.docker("run", "--name", "made", "bb", "sh", "-c", "mkdir -p /data/in; echo layered > /data/in/f")
    daemon.docker("commit", "made", "two:layers")
    mount = ["--mount", "type=image,src=two:layers,dst=/img"]
    said = daemon.docker(
        "run", "--rm", *mount, "bb", "sh", "-c", "cat /img/data/in/f; ls /img/bin/sh; touch /img/x", check=False
    )
    assert said.stdout == "layered\n/img/bin/sh\n"
    assert "Read-only file system" in said.stderr
    part = ["--mount", "type=image,src=two:layers,dst=/img,image-subpath=data/in"]
    assert daemon.docker("run", "--rm", *part, "bb", "ls", "/img").stdout == "f\n"
    assert daemon.docker("run", "--rm", "--mount", "type=image,src=bb,dst=/one", "bb", "ls", "/one/bin/sh").stdout
    nope = daemon.docker(
        "run", "--rm", "--mount", "type=image,src=bb,dst=/o,image-subpath=no", "bb", "true", check=False
    )
    assert nope.returncode == 125 and "No such file or directory" in nope.stderr
    daemon.docker("create", "--name", "holder", *mount, "bb", "true")
    assert api.json("GET", "/containers/holder/json")["Mounts"][0]["Type"] == "image"
    refused = daemon.docker("rmi", "two:layers", check=False)
    assert refused.returncode == 1 and "is using its referenced image" in refused.stderr
    daemon.docker("rm", "holder", "made")
    daemon.docker("rmi", "two:layers")
    missing = api.refused(
        "POST",
        "/containers/create",
        {"Image": "bb", "HostConfig": {"Mounts": [{"Type": "image", "Source": "no/such", "Target": "/x"}]}},
    )
    assert missing[0] == 404 and "No such image: no/such" in missing[1]


def test_memory_mounts_with_every_key(api: Speaker):
    mounts = [
        {
            "Type": "tmpfs",
            "Target": "/t",
            "TmpfsOptions": {"SizeBytes": 1 << 20, "Mode": 0o1750, "Options": [["exec"], ["uid", "5"]]},
        },
        {"Type": "tmpfs", "Target": "/r", "ReadOnly": True},
    ]
    script = "grep -E ' /[tr] ' /proc/mounts; stat -c '%a %u' /t; touch /r/x"
    said = output(api, "sh", "-c", script, host={"Mounts": mounts})
    lines = {line.split()[1]: line.split()[3].split(",") for line in said.splitlines() if " tmpfs " in line}
    assert "noexec" not in lines["/t"] and "size=1024k" in lines["/t"] and "nosuid" in lines["/t"]
    assert "noexec" in lines["/r"] and "ro" in lines["/r"]
    assert "1750 5" in said and "Read-only file system" in said


def test_volume_mounts_with_every_key(api: Speaker):
    def mounted(target: str, **options: object) -> dict[str, object]:
        return {"Mounts": [{"Type": "volume", "Source": "keys", "Target": target, "VolumeOptions": options}]}

    labels = {"Labels": {"a": "b"}, "DriverConfig": {"Name": "local"}, "NoCopy": True}
    assert output(api, "ls", "/etc", host=mounted("/etc", **labels)).split() == ["hostname", "hosts", "resolv.conf"]
    assert api.json("GET", "/volumes/keys")["Labels"] == {"a": "b"}
    output(api, "sh", "-c", "mkdir -p /v/sub/deep; echo x > /v/sub/deep/f", host=mounted("/v"))
    assert output(api, "ls", "/s", host=mounted("/s", Subpath="sub/deep")) == "f\n"
    body = {"Image": "bb", "HostConfig": mounted("/s", Subpath="../..")}
    assert api.refused("POST", "/containers/create", body)[0] == 400
    os.symlink("/etc", f"{api.json('GET', '/volumes/keys')['Mountpoint']}/out")
    body = {"Image": "bb", "HostConfig": mounted("/s", Subpath="out")}
    assert api.refused("POST", "/containers/create", body)[0] == 400
