"""A project's files as an artifact: what travels, under which names, and what is refused."""

from pathlib import Path

import pytest

from hakobu.compose.artifact import ARTIFACT, NotAnApplication, Packer, manifest_of, parts_of
from hakobu.compose.disk import Disk
from hakobu.compose.failure import BadComposeFile
from hakobu.compose.load import Selection, load
from hakobu.spec.manifest import Manifest, parse_manifest

WEB = """name: pub  # a remark
services:
  web:
    image: busybox
    environment: {TAG: "${TAG:-x}"}
    env_file: [web.env, {path: 'deep/more.env', required: false}]
    extends: {file: "deep/base.yaml", service: base}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deep").mkdir()
    (tmp_path / "compose.yaml").write_text(WEB)
    (tmp_path / "deep/base.yaml").write_text("services: {base: {image: old, env_file: more.env, labels: {a: b}}}\n")
    (tmp_path / "web.env").write_text("A=1\n")
    (tmp_path / "deep/more.env").write_text("B=2\n")
    return tmp_path


def test_files_and_those_they_name_are_a_project_again(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    parts = Packer(Disk().read, with_env=True).packed([str(folder / "compose.yaml")])
    kinds = [(p.is_env, p.extended) for p in parts]
    assert kinds[0] == (False, False)
    assert sorted(kinds[1:]) == [(False, True), (True, False), (True, False)]
    text = parts[0].data.decode()
    assert text.startswith("name: pub  # a remark\n")
    assert "${TAG:-x}" in text
    other = tmp_path_factory.mktemp("other")
    for part in parts:
        (other / part.name).write_bytes(part.data)
    there, here = (load(Selection(files=(f"{place}/compose.yaml",))) for place in (other, folder))
    assert there.services == here.services
    assert there.services["web"].environment == {"A": "1", "B": "2", "TAG": "x"}


def test_the_manifest_is_docker_composes(folder: Path) -> None:
    parts = Packer(Disk().read, with_env=True).packed([str(folder / "compose.yaml")])
    manifest = parse_manifest(manifest_of(parts, "2026-01-02T03:04:05Z").to_bytes())
    assert isinstance(manifest, Manifest)
    assert manifest.artifact_type == ARTIFACT
    assert manifest.config.media_type == "application/vnd.oci.empty.v1+json"
    given = [(name, is_given) for _, name, is_given in parts_of("x", manifest)]
    assert given[0] == ("compose.yaml", True)
    assert [is_given for _, is_given in given] == [True, False, False, False]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("include: [other.yaml]\nservices: {}", "include cannot be published"),
        ("services: {a: {build: .}}", "services.a is only built"),
        ("services: {a: {image: i, env_file: a.env}}", "env_file is published only with --with-env"),
        ("services: {a: {extends: {file: '${F}', service: a}}}", "a file named by a variable"),
    ],
)
def test_what_cannot_travel_is_refused_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "compose.yaml").write_text(text)
    with pytest.raises(BadComposeFile, match=rf"compose.yaml:1:\d+: .*{said}".replace("$", r"\$")):
        Packer(Disk().read).packed([str(tmp_path / "compose.yaml")])


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "..", "", "a/b"])
def test_an_artifact_writes_nowhere_else(folder: Path, name: str) -> None:
    parts = Packer(Disk().read, with_env=True).packed([str(folder / "compose.yaml")])
    manifest = manifest_of(parts, "")
    manifest.layers[1].annotations["com.docker.compose.envfile"] = name
    with pytest.raises(NotAnApplication, match="a file of it is called"):
        parts_of("x", manifest)


def test_an_image_is_no_application(folder: Path) -> None:
    manifest = manifest_of((), "")
    with pytest.raises(NotAnApplication, match="it has no Compose file"):
        parts_of("x", manifest)
