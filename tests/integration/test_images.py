"""Images in a running engine: what stands against their removal, what prunes take, what they weigh."""

import io
import json
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.daemon import Daemon

from hakobu.client.endpoint import choose
from hakobu.client.engine import Engine
from hakobu.client.progress import finish

MB = 1_000_000


@pytest.fixture
def images(engine: Daemon) -> Iterator[Daemon]:
    """The engine with `busybox` alone, before and after."""
    yield engine
    engine.remove_all()
    names = engine.hakobu("images", "--format", "{{.Repository}}:{{.Tag}}").stdout.split()
    for name in names:
        if name != "busybox:latest":
            engine.hakobu("rmi", "-f", name, check=False)
    engine.hakobu("image", "prune", "-f")


def grow(engine: Daemon, base: str, name: str, megabytes: int = 1, *labels: str) -> str:
    """An image of so much more than `base`; its id."""
    script = f"head -c {megabytes * MB} /dev/urandom >/{name.replace(':', '-')}"
    engine.hakobu("run", "--name", "grow", base, "sh", "-c", script)
    changes = [part for label in labels for part in ("-c", f"LABEL {label}")]
    image_id = engine.hakobu("commit", *changes, "grow", name).stdout.strip()
    engine.hakobu("rm", "grow")
    return image_id


def refused(engine: Daemon, *argv: str) -> str:
    done = engine.docker(*argv, check=False)
    assert done.returncode == 1
    return done.stderr


def test_a_name_that_a_container_needs_stays_unless_it_is_forced(images: Daemon) -> None:
    image_id = grow(images, "busybox", "needed:v1")
    short = image_id[7:19]
    container = images.docker("run", "-d", "--name", "user", "needed:v1", "sleep", "1000").stdout[:12]
    name_conflict = (
        f'conflict: unable to remove repository reference "needed:v1" (must force) - container {container} '
        f"is using its referenced image {short}"
    )
    assert name_conflict in refused(images, "rmi", "needed:v1")
    for flags in ((), ("-f",)):
        assert (
            f"conflict: unable to delete {short} (cannot be forced) - image is being used by running container "
            f"{container}"
        ) in refused(images, "rmi", *flags, image_id)
    images.docker("kill", "user")
    assert name_conflict in refused(images, "rmi", "needed:v1")
    assert (
        f"conflict: unable to delete {short} (must be forced) - image is being used by stopped container {container}"
    ) in refused(images, "rmi", image_id)
    assert images.docker("rmi", "-f", "needed:v1").stdout == "Untagged: needed:v1\n"
    images.docker("start", "user")  # its layers are still there
    images.docker("rm", "-f", "user")


def test_an_id_with_names_in_several_repositories_must_be_forced(images: Daemon) -> None:
    image_id = grow(images, "busybox", "one:v1")
    images.docker("tag", "one:v1", "two:v1")
    assert (
        f"conflict: unable to delete {image_id[7:19]} (must be forced) - image is referenced in multiple repositories"
    ) in refused(images, "rmi", image_id)
    assert images.docker("rmi", "two:v1").stdout == "Untagged: two:v1\n"
    images.docker("tag", "one:v1", "two:v1")
    lines = images.docker("rmi", "-f", image_id).stdout.splitlines()
    assert lines[:3] == ["Untagged: one:v1", "Untagged: two:v1", f"Deleted: {image_id}"]
    assert len(lines) == 4 and lines[3].startswith("Deleted: sha256:")  # its own layer, not busybox's


def test_an_image_that_others_were_made_from_goes_with_the_last_of_them(images: Daemon) -> None:
    base = grow(images, "busybox", "base:v1")
    child = grow(images, "base:v1", "child:v1")
    assert (
        f"conflict: unable to delete {base[7:19]} (cannot be forced) - image has dependent child images"
    ) in refused(images, "rmi", "-f", base)
    assert images.docker("rmi", "base:v1").stdout == "Untagged: base:v1\n"
    assert base not in images.docker("images", "-q", "--no-trunc").stdout
    assert base in images.docker("images", "-aq", "--no-trunc").stdout
    images.docker("rmi", "--no-prune", "child:v1")
    assert base in images.docker("images", "-aq", "--no-trunc").stdout
    child = grow(images, base, "child:v1")
    lines = images.docker("rmi", "child:v1").stdout.splitlines()
    assert f"Deleted: {child}" in lines and f"Deleted: {base}" in lines
    assert base not in images.docker("images", "-aq", "--no-trunc").stdout


def test_prunes_take_what_their_filters_say_and_tell_what_they_freed(images: Daemon) -> None:
    old = grow(images, "busybox", "pruned:v1", 3, "keep=no")
    new = grow(images, "busybox", "pruned:v1", 2, "keep=yes")
    kept = grow(images, "busybox", "pruned:v2", 1, "keep=yes")
    there = lambda: set(images.docker("images", "-aq", "--no-trunc").stdout.split())  # noqa: E731
    assert images.docker("image", "prune", "-f", "--filter", "label!=keep").stdout.endswith("space: 0B\n")
    assert images.docker("image", "prune", "-f", "--filter", "until=24h").stdout.endswith("space: 0B\n")
    told = images.docker("image", "prune", "-f").stdout
    assert f"deleted: {old}" in told
    assert told.endswith("Total reclaimed space: 3MB\n")
    assert {new, kept} < there() and old not in there()
    images.docker("create", "--name", "holds", "pruned:v2")
    told = images.docker("image", "prune", "-af", "--filter", "label=keep=yes").stdout
    assert "untagged: pruned:v1" in told and f"deleted: {new}" in told
    assert told.endswith("Total reclaimed space: 2MB\n")
    assert kept in there()
    time.sleep(1.1)  # docker's durations are whole seconds
    images.docker("rm", "holds")
    told = images.docker("image", "prune", "-af", "--filter", "until=1s", "--filter", "label!=keep=no").stdout
    assert "untagged: pruned:v2" in told
    images.load("busybox")


def test_what_images_weigh_alone_and_together(images: Daemon) -> None:
    first = grow(images, "busybox", "weighed:v1", 4)
    second = grow(images, "weighed:v1", "weighed:v2", 2)
    images.docker("create", "--name", "holds", "weighed:v2")
    with Engine(choose(images.url, "", env={})) as client:
        usage = client.system.disk_usage()
        listed = client.transport.call("GET", "/images/json", {"shared-size": "1"})
    found = {i["Id"]: i for i in usage["Images"]}
    busybox = next(i for i in usage["Images"] if "busybox:latest" in i["RepoTags"])
    base = busybox["Size"]
    assert found[first]["Size"] == base + 4 * MB and found[second]["Size"] == base + 6 * MB
    assert found[first]["SharedSize"] == base + 4 * MB  # all of it is in the second as well
    assert found[second]["SharedSize"] == base + 4 * MB
    assert {i["Id"]: i["SharedSize"] for i in listed} == {i: f["SharedSize"] for i, f in found.items()}
    assert usage["LayersSize"] == base + 6 * MB
    assert (found[first]["Containers"], found[second]["Containers"]) == (0, 1)
    ours = images.hakobu("system", "df", "--format", "json").stdout
    theirs = images.docker("system", "df", "--format", "json").stdout
    assert [json.loads(line) for line in ours.splitlines()] == [json.loads(line) for line in theirs.splitlines()]
    verbose = [
        [line.split() for line in command("system", "df", "-v").stdout.splitlines() if "weighed" in line]
        for command in (images.hakobu, images.docker)
    ]
    assert verbose[0] == verbose[1]


def test_two_images_are_compared_file_by_file(images: Daemon) -> None:
    grow(images, "busybox", "first:v1")
    script = "echo one >/one; mkdir /dir; echo x >/dir/in; chmod 700 /tmp; ln -s a /link; rm /bin/sh"
    images.hakobu("run", "--name", "grow", "first:v1", "sh", "-c", script)
    images.hakobu("commit", "grow", "second:v1")
    images.hakobu("rm", "grow")
    done = images.hakobu("image", "diff", "--format", "json", "first:v1", "second:v1").stdout
    found = {item["Path"]: item for item in map(json.loads, done.splitlines())}
    expected = {
        "/dir": "A",
        "/dir/in": "A",
        "/link": "A",
        "/one": "A",
        "/tmp": "C",
    }
    assert {path: found[path]["Kind"] for path in expected} == expected
    assert [path.rpartition("/")[2] for path, item in found.items() if item["Kind"] == "D"] == ["sh"]
    assert found["/tmp"]["Why"] == "mode" and found["/one"]["After"] == "4B"
    back = images.hakobu("image", "diff", "second:v1", "first:v1").stdout
    assert [line.split() for line in back.splitlines() if line.split()[:2] == ["D", "/one"]] == [["D", "/one", "4B"]]
    assert len(images.hakobu("image", "diff", "first:v1", "first:v1").stdout.splitlines()) == 1
    same_tree = images.hakobu("image", "diff", "busybox", "first:v1").stdout
    assert "/first-v1" in same_tree and "/bin/busybox" not in same_tree
    missing = images.hakobu("image", "diff", "busybox", "none:v1", check=False)
    assert missing.returncode == 1 and "No such image: none:v1" in missing.stderr


def test_files_that_differ_in_content_alone_are_told(images: Daemon) -> None:
    for name, text in (("left:v1", "aaaa"), ("right:v1", "bbbb")):
        images.hakobu("run", "--name", "grow", "busybox", "sh", "-c", f"echo {text} >/file; touch -d @1000 /file")
        images.hakobu("commit", "grow", name)
        images.hakobu("rm", "grow")
    form = "{{.Kind}} {{.Path}} {{.Why}} {{.Before}} {{.After}}"
    done = images.hakobu("image", "diff", "--format", form, "left:v1", "right:v1")
    assert "C /file content 5B 5B" in done.stdout.splitlines()


def test_an_old_archive_whose_layers_are_here_unpacks_nothing(images: Daemon, tmp_path: Path) -> None:
    """docker's old format names layers by directories; they are known by their bytes all the same."""
    grow(images, "busybox", "archived:v1", 2)
    images.hakobu("save", "-o", str(tmp_path / "new.tar"), "archived:v1")
    old = _in_the_old_format(tmp_path / "new.tar", tmp_path / "old.tar")
    layers = set((images.folder / "data" / "snapshots").iterdir())
    with Engine(choose(images.url, "", env={})) as client:
        told = finish(client.images.load(iter([old.read_bytes()]), quiet=False))
    assert {"stream": "Loaded image: archived:v1\n"} in told
    assert not any(message.get("status") == "Loading layer" for message in told)
    assert set((images.folder / "data" / "snapshots").iterdir()) == layers
    images.hakobu("rmi", "archived:v1")
    images.docker("load", "-i", str(old))
    assert images.hakobu("run", "--rm", "archived:v1", "stat", "-c", "%s", "/archived-v1").stdout == "2000000\n"
    # one of the same size with other bytes is another one
    other = _in_the_old_format(tmp_path / "new.tar", tmp_path / "other.tar", flip=b"\x00" * 100)
    refused = images.docker("load", "-i", str(other), check=False)
    assert "invalid diffID for a layer of" in refused.stdout + refused.stderr


def _in_the_old_format(source: Path, target: Path, flip: bytes = b"") -> Path:
    """`flip` is written over the content of the last layer, in its middle."""
    with tarfile.open(source) as archive, tarfile.open(target, "w") as out:
        files = {m.name: archive.extractfile(m).read() for m in archive if m.isfile()}  # type: ignore[union-attr]
        (image,) = json.loads(files["manifest.json"])
        names = []
        for number, layer in enumerate(image["Layers"]):
            data = files[layer]
            if flip and number == len(image["Layers"]) - 1:
                middle = len(data) // 2
                data = data[:middle] + flip + data[middle + len(flip) :]
            names.append(f"{number:064x}/layer.tar")
            _put(out, names[-1], data)
        _put(out, "config.json", files[image["Config"]])
        listed = [{"Config": "config.json", "RepoTags": image["RepoTags"], "Layers": names}]
        _put(out, "manifest.json", json.dumps(listed).encode())
    return target


def _put(out: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    out.addfile(info, io.BytesIO(data))
