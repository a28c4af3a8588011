"""An image of several platforms: its index is kept whole, names lead to each of its images, archives carry them."""

import hashlib
import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.integration.daemon import Daemon
from tests.leaks import need

from hakobu.client.endpoint import choose
from hakobu.client.engine import Engine

from .server import REGISTRY, Served, serving

INDEX = "application/vnd.oci.image.index.v1+json"


@dataclass
class Published:
    """An index with images for amd64, arm64 and s390x; an attestation stands among them."""

    name: str
    digest: str
    manifests: dict[str, str]


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class Repository:
    """One repository of a registry, written to by hand."""

    def __init__(self, registry: Served, path: str) -> None:
        self.url = f"http://{registry.host}/v2/{path}"

    def get(self, path: str, accept: str = "") -> bytes:
        request = urllib.request.Request(self.url + path, headers={"Accept": accept})
        with urllib.request.urlopen(request) as answer:
            return answer.read()

    def put(self, url: str, data: bytes, media_type: str) -> None:
        request = urllib.request.Request(url, data=data, method="PUT", headers={"Content-Type": media_type})
        with urllib.request.urlopen(request):
            pass

    def blob(self, data: bytes) -> dict[str, object]:
        request = urllib.request.Request(f"{self.url}/blobs/uploads/", data=b"", method="POST")
        with urllib.request.urlopen(request) as answer:
            target = answer.headers["Location"]
        self.put(f"{target}&digest={_digest(data)}", data, "application/octet-stream")
        return {"digest": _digest(data), "size": len(data)}

    def manifest(self, tag: str, value: dict[str, object]) -> dict[str, object]:
        data = json.dumps(value).encode()
        self.put(f"{self.url}/manifests/{tag}", data, str(value["mediaType"]))
        return {"mediaType": value["mediaType"], "digest": _digest(data), "size": len(data)}


@pytest.fixture(scope="module")
def registry(engine: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    need(REGISTRY is not None, "docker-registry")
    with serving(tmp_path_factory.mktemp("registry")) as found:
        yield found


@pytest.fixture(scope="module")
def published(engine: Daemon, registry: Served) -> Published:
    name = f"{registry.host}/team/multi"
    engine.hakobu("tag", "busybox", f"{name}:amd64")
    engine.hakobu("push", "-q", f"{name}:amd64")
    engine.hakobu("rmi", f"{name}:amd64")
    repository = Repository(registry, "team/multi")
    base = json.loads(repository.get("/manifests/amd64", "application/vnd.oci.image.manifest.v1+json"))
    config = json.loads(repository.get(f"/blobs/{base['config']['digest']}"))
    listed = []
    for architecture in ("amd64", "arm64", "s390x"):
        described = repository.blob(json.dumps({**config, "architecture": architecture, "author": "me"}).encode())
        item = repository.manifest(architecture, {**base, "config": {**base["config"], **described}})
        listed.append({**item, "platform": {"architecture": architecture, "os": "linux"}})
    statement = {"mediaType": "application/vnd.in-toto+json", **repository.blob(b'{"_type": "statement"}')}
    attestation = repository.manifest("attested", {**base, "layers": [statement]})
    annotations = {
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": str(listed[0]["digest"]),
    }
    unknown = {"architecture": "unknown", "os": "unknown"}
    listed.append({**attestation, "platform": unknown, "annotations": annotations})
    index = repository.manifest("v1", {"schemaVersion": 2, "mediaType": INDEX, "manifests": listed})
    manifests = {str(item["platform"]["architecture"]): str(item["digest"]) for item in listed}
    return Published(f"{name}:v1", str(index["digest"]), manifests)


@pytest.fixture
def pulled(engine: Daemon, published: Published) -> Iterator[Published]:
    """For another machine, then for this one: the name leads to this one's."""
    for platform in ("linux/arm64", "linux/amd64"):
        engine.docker("pull", "-q", "--platform", platform, published.name)
    yield published
    engine.hakobu("rmi", "-f", published.name, check=False)
    engine.hakobu("image", "prune", "-f")


def architecture(engine: Daemon, name: str, *flags: str) -> str:
    return engine.hakobu("image", "inspect", "-f", "{{.Architecture}}", *flags, name).stdout.strip()


def test_a_name_leads_to_the_image_of_each_platform_that_was_pulled(engine: Daemon, pulled: Published) -> None:
    assert architecture(engine, pulled.name) == "amd64"
    assert architecture(engine, pulled.name, "--platform", "linux/arm64") == "arm64"
    by_digest = f"{pulled.name.rpartition(':')[0]}@{pulled.digest}"
    assert architecture(engine, by_digest) == "amd64"
    missing = engine.docker("image", "inspect", "--platform", "linux/s390x", pulled.name, check=False)
    assert missing.returncode == 1
    assert "was found but its platform (linux/amd64) does not match the specified platform (linux/s390x)" in (
        missing.stderr
    )
    assert engine.docker("history", "-q", "--platform", "linux/arm64", pulled.name).stdout != (
        engine.docker("history", "-q", pulled.name).stdout
    )
    done = engine.docker("run", "--rm", "--pull", "never", "--platform", "linux/amd64", pulled.name, "echo", "ran")
    assert done.stdout == "ran\n"


def test_an_id_and_its_prefixes_and_a_digest_name_the_image(engine: Daemon, pulled: Published) -> None:
    image_id = engine.docker("image", "inspect", "-f", "{{.Id}}", pulled.name).stdout.strip()
    for ref in (image_id, image_id[7:], image_id[7:19], image_id[7:15], image_id[:20]):
        assert engine.docker("image", "inspect", "-f", "{{.Id}}", ref).stdout.strip() == image_id
    short = engine.docker("image", "inspect", "s", check=False)
    assert "No such image: s:latest" in short.stderr


def test_the_index_is_kept_whole_and_tells_what_is_here(engine: Daemon, pulled: Published) -> None:
    with Engine(choose(engine.url, "", env={})) as client:
        found = client.images.inspect(pulled.name, manifests=True)
        listed = next(i for i in client.images.list(manifests=True) if i["Id"] == found["Id"])
        plain = client.images.inspect(pulled.name)
    assert found["Descriptor"]["digest"] == pulled.digest
    assert found["Descriptor"]["mediaType"] == INDEX
    assert found["RepoDigests"] == [f"{pulled.name.rpartition(':')[0]}@{pulled.digest}"]
    assert found["Metadata"]["LastTagTime"] > "2024"
    assert "Manifests" not in plain
    assert listed["Manifests"] == found["Manifests"]
    there = {m["ID"]: m for m in found["Manifests"]}
    assert set(there) == set(pulled.manifests.values())
    assert {a: there[d]["Available"] for a, d in pulled.manifests.items()} == {
        "amd64": True,
        "arm64": True,
        "s390x": False,
        "unknown": False,
    }
    own = there[pulled.manifests["amd64"]]
    assert own["Kind"] == "image" and own["ImageData"]["Platform"] == {"architecture": "amd64", "os": "linux"}
    assert own["Size"]["Total"] == own["Size"]["Content"] + own["ImageData"]["Size"]["Unpacked"]
    assert own["ImageData"]["Size"]["Unpacked"] == found["Size"]
    assert there[pulled.manifests["s390x"]]["Size"] == {"Content": 0, "Total": 0}
    attested = there[pulled.manifests["unknown"]]
    assert attested["Kind"] == "attestation"
    assert attested["AttestationData"] == {"For": pulled.manifests["amd64"]}


def test_the_tree_shows_what_docker_s_shows(engine: Daemon, pulled: Published) -> None:
    def rows(text: str) -> list[list[str]]:
        plain = text.replace("\x1b[39m", "").replace("\x1b[1m", "").replace("\x1b[0m", "")
        return [line.split() for line in plain.splitlines() if line.strip() and "experimental" not in line]

    assert rows(engine.hakobu("images", "--tree").stdout) == rows(engine.docker("images", "--tree").stdout)


def test_manifest_inspect_prints_what_docker_prints(engine: Daemon, published: Published) -> None:
    single = f"{published.name.rpartition(':')[0]}:arm64"
    for ref in (published.name, single):
        for flags in ((), ("-v",)):
            ours = engine.hakobu("manifest", "inspect", *flags, ref).stdout
            theirs = engine.docker("manifest", "inspect", "--insecure", *flags, ref).stdout
            assert _without_annotations(json.loads(ours)) == json.loads(theirs)


def _without_annotations(value: object) -> object:
    """docker's own client leaves the annotations of an index's descriptors out."""
    if isinstance(value, list):
        return [_without_annotations(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_annotations(item) for key, item in value.items() if key != "annotations"}
    return value


def test_an_archive_carries_the_index_and_all_of_its_images_that_are_here(
    engine: Daemon, pulled: Published, tmp_path: Path
) -> None:
    whole, one = tmp_path / "whole.tar", tmp_path / "one.tar"
    engine.docker("save", "-o", str(whole), pulled.name)
    engine.hakobu("save", "--platform", "linux/arm64", "-o", str(one), pulled.name)
    engine.hakobu("rmi", "-f", pulled.name)
    engine.hakobu("image", "prune", "-f")
    assert f"Loaded image: {pulled.name}" in engine.docker("load", "-i", str(one)).stdout
    assert architecture(engine, pulled.name) == "arm64"
    engine.hakobu("rmi", pulled.name)
    engine.docker("load", "-i", str(whole))
    assert architecture(engine, pulled.name) == "amd64"
    assert architecture(engine, pulled.name, "--platform", "linux/arm64") == "arm64"
    with Engine(choose(engine.url, "", env={})) as client:
        assert client.images.inspect(pulled.name)["Descriptor"]["digest"] == pulled.digest
    engine.hakobu("rmi", "-f", pulled.name)
    engine.hakobu("image", "prune", "-f")
    engine.docker("load", "--platform", "linux/arm64", "-i", str(whole))
    assert architecture(engine, pulled.name) == "arm64"
    refused = engine.docker("load", "--platform", "linux/riscv64", "-i", str(whole), check=False)
    assert "no image for the specified platform (linux/riscv64)" in refused.stdout + refused.stderr
    if skopeo := shutil.which("skopeo"):
        argv = [skopeo, "inspect", f"oci-archive:{whole}"]
        assert json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)["Architecture"] == "amd64"
