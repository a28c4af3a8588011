"""Images in a running engine: what stands against their removal, what prunes take, what they weigh."""

import json
import time
from collections.abc import Iterator

import pytest
from tests.integration.daemon import Daemon

from hakobu.client.endpoint import choose
from hakobu.client.engine import Engine

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
