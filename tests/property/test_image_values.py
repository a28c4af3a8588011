"""Round trips of the image values: what is written is read back the same."""

from hypothesis import given, settings
from hypothesis import strategies as st

from hakobu.errors import Invalid
from hakobu.spec.bounded import BadDocument, load_json
from hakobu.spec.descriptor import LAYERS, OCI_CONFIG, Descriptor
from hakobu.spec.digest import Digest
from hakobu.spec.image_config import HistoryEntry, ImageConfig, new_config
from hakobu.spec.manifest import Manifest, parse_manifest
from hakobu.spec.platform import Platform
from hakobu.spec.reference import Reference
from hakobu.spec.timestamp import format_timestamp, parse_timestamp

digests = st.binary(min_size=1, max_size=8).map(Digest.of)
text = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
layers = st.builds(
    Descriptor,
    media_type=st.sampled_from(sorted(LAYERS)),
    digest=digests,
    size=st.integers(0, 1 << 40),
    annotations=st.dictionaries(text, text, max_size=2),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(layers, max_size=4), st.dictionaries(text, text, max_size=2), digests)
def test_manifest(found: list[Descriptor], annotations: dict[str, str], config: Digest) -> None:
    manifest = Manifest(
        config=Descriptor(media_type=OCI_CONFIG, digest=config, size=3),
        layers=tuple(found),
        annotations=annotations,
    )
    assert parse_manifest(manifest.to_bytes()) == manifest


@settings(max_examples=50, deadline=None)
@given(st.lists(digests, max_size=4), st.lists(st.tuples(text, st.booleans()), max_size=4), st.dictionaries(text, text))
def test_image_configuration(diffs: list[Digest], history: list[tuple[str, bool]], labels: dict[str, str]) -> None:
    entries = tuple(HistoryEntry(created_by=by, empty_layer=empty) for by, empty in history)
    data = new_config(
        platform=Platform("linux", "arm64"),
        created="2024-01-02T03:04:05Z",
        diff_ids=tuple(diffs),
        history=entries,
        defaults={"Labels": dict(labels)},
    )
    found = ImageConfig.parse(data)
    assert (found.diff_ids, found.history) == (tuple(diffs), entries)
    assert found.defaults == {"Labels": labels}


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("abZ09.-_/:@"), max_size=30))
def test_a_reference_is_refused_or_survives_its_own_text(typed: str) -> None:
    try:
        found = Reference.parse(typed)
    except Invalid:
        return
    assert Reference.parse(found.familiar) == found == Reference.parse(str(found))
    assert ".." not in found.path.split("/")


@settings(max_examples=200, deadline=None)
@given(st.integers(-(10**18), 4 * 10**18))
def test_times(moment: int) -> None:
    assert parse_timestamp(format_timestamp(moment)) == moment


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60) | st.text(st.sampled_from('[]{}",:\\u0dn1-.e '), max_size=60).map(str.encode))
def test_json_from_anywhere_raises_nothing_else(data: bytes) -> None:
    try:
        load_json(data)
    except BadDocument:
        pass
