"""Manifests, image configurations, timestamps and platforms: bounds, and errors that name the field."""

import json

import pytest

from hakobu.errors import Invalid
from hakobu.spec.bounded import BadDocument, load_json
from hakobu.spec.digest import Digest, chain_id
from hakobu.spec.image_config import ImageConfig
from hakobu.spec.manifest import Index, Manifest, parse_manifest
from hakobu.spec.platform import Platform, best_match
from hakobu.spec.timestamp import format_timestamp, parse_timestamp

D = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b'{"a":1,"a":2}', b"NaN", b'{"a":1e999999}'[:-1], b"[" * 300 + b"]" * 300, b"\xff", b'"\\ud800"',
     b"123456789012345678901234567890", b"[" * 100_000],
)  # fmt: skip
def test_json_that_is_refused(data: bytes) -> None:
    with pytest.raises(BadDocument):
        load_json(data)


def test_brackets_in_strings_are_not_depth() -> None:
    assert load_json(json.dumps(["[" * 5000, '"[' * 300]).encode()) == ["[" * 5000, '"[' * 300]


def test_size_bound() -> None:
    with pytest.raises(BadDocument, match="larger than 10"):
        load_json(b" " * 11, max_bytes=10)


def test_errors_name_the_field() -> None:
    broken = {"schemaVersion": 2, "config": {"digest": D, "size": 1}, "layers": [{"digest": D, "size": -1}]}
    with pytest.raises(BadDocument) as caught:
        parse_manifest(json.dumps(broken).encode())
    assert caught.value.field == "manifest.layers[0].size"


def test_one_document_has_one_reading() -> None:
    both = {"schemaVersion": 2, "manifests": [], "layers": [], "config": {"digest": D, "size": 1}}
    with pytest.raises(BadDocument, match="both"):
        parse_manifest(json.dumps(both).encode())
    with pytest.raises(BadDocument, match="came as"):
        parse_manifest(Manifest.to_bytes(parse_as_manifest()), "application/vnd.docker.distribution.manifest.v2+json")


def parse_as_manifest() -> Manifest:
    found = parse_manifest(
        json.dumps(
            {"schemaVersion": 2, "config": {"digest": D, "size": 1}, "layers": [{"digest": D, "size": 2}]}
        ).encode()
    )
    assert isinstance(found, Manifest)
    return found


def test_round_trip_of_an_index() -> None:
    manifest = parse_as_manifest()
    index = Index(manifests=(manifest.config, *manifest.layers), annotations={"a": "b"})
    assert parse_manifest(index.to_bytes()) == index
    assert parse_manifest(manifest.to_bytes()) == manifest


def test_image_configuration() -> None:
    document = {
        "architecture": "amd64", "os": "linux", "created": "2024-05-01T10:00:00.5Z",
        "config": {"Cmd": ["sh"], "Labels": None}, "rootfs": {"type": "layers", "diff_ids": [D]},
    }  # fmt: skip
    found = ImageConfig.parse(json.dumps(document).encode())
    assert found.diff_ids == (Digest(D),)
    assert format_timestamp(found.created_ns) == "2024-05-01T10:00:00.5Z"
    document["config"]["Env"] = ["A=1", 5]  # type: ignore[index]
    with pytest.raises(BadDocument) as caught:
        ImageConfig.parse(json.dumps(document).encode())
    assert caught.value.field == "image configuration.config.Env[1]"


def test_timestamps() -> None:
    assert parse_timestamp("") == 0 == parse_timestamp("0001-01-01T00:00:00Z")
    assert parse_timestamp("1970-01-01T01:00:00+01:00") == 0
    with pytest.raises(BadDocument):
        parse_timestamp("2024-13-01T00:00:00Z")


def test_platform_choice() -> None:
    arm = Platform.parse("linux/arm/v7")
    assert arm == Platform("linux", "arm", "")
    offers = [Platform.parse(p) for p in ("linux/amd64", "linux/arm/v5", "linux/arm/v6", "linux/arm64/v8")]
    assert best_match(arm, offers) == 2
    assert best_match(Platform.parse("linux/s390x"), offers) is None
    assert best_match(Platform.from_machine("x86_64"), [None, *offers]) == 1
    with pytest.raises(Invalid):
        Platform.parse("linux/../x")


def test_chain_of_one_is_its_diff_id() -> None:
    assert chain_id(()) is None
    assert chain_id((Digest(D),)) == Digest(D)
    assert str(chain_id((Digest(D), Digest(D)))) == str(Digest.of(f"{D} {D}".encode()))
