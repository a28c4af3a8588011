import io
import json
import tarfile
from pathlib import Path

from hakobu.bootstrap.archive import RECIPE_LABEL, recorded_recipe, write_archive
from hakobu.bootstrap.command import build_epoch
from hakobu.bootstrap.recipe import load


def test_the_archive_names_its_blobs_in_both_families_words(tmp_path: Path) -> None:
    recipe = load("nginx")
    (tmp_path / "layer.tar").write_bytes(b"layer")
    out = io.BytesIO()
    image_id = write_archive(tmp_path / "layer.tar", out, recipe, ["nginx:latest"], 1_700_000_000)
    out.seek(0)
    with tarfile.open(fileobj=out) as tar:
        read = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
    docker = json.loads(read["manifest.json"])[0]
    assert docker["RepoTags"] == ["nginx:latest"]
    assert read[docker["Layers"][0]] == b"layer"
    config = json.loads(read[docker["Config"]])
    assert docker["Config"].endswith(image_id.removeprefix("sha256:"))
    assert config["config"]["Cmd"] == ["nginx", "-g", "daemon off;"]
    assert config["config"]["ExposedPorts"] == {"80/tcp": {}}
    assert recorded_recipe(config["config"]["Labels"]) == recipe.digest() == config["config"]["Labels"][RECIPE_LABEL]
    manifest = json.loads(read["blobs/sha256/" + json.loads(read["index.json"])["manifests"][0]["digest"][7:]])
    assert manifest["config"]["digest"] == image_id


def test_the_build_time_can_be_given(monkeypatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "123")
    assert build_epoch() == 123
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    assert build_epoch() % 86_400 == 0
