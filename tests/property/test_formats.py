"""Round trips between the forms: what both can say is kept, whatever it is."""

from hypothesis import given
from hypothesis import strategies as st

from hakobu.formats.document import project_of
from hakobu.formats.kube.reader import read_kube, whole_document
from hakobu.formats.kube.writer import write_kube
from hakobu.formats.quadlet.reader import read_units
from hakobu.formats.quadlet.unit import join_words, split_words
from hakobu.formats.quadlet.writer import write_quadlets
from hakobu.formats.source import files_text, units_in
from hakobu.spec.step import Json

_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=12)
_NAME = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
_LABEL = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)
_PORT = st.integers(1, 65535)


@st.composite
def services(draw: st.DrawFn) -> dict[str, Json]:
    """What containers of both forms have."""
    document: dict[str, Json] = {
        "image": draw(st.sampled_from(["nginx", "r.io/a/b:1", "x@sha256:" + "0" * 64])),
        "environment": draw(st.dictionaries(_NAME, _TEXT, max_size=3)),
        "labels": draw(st.dictionaries(_LABEL, _LABEL, max_size=2)),
        "cap_add": draw(st.lists(st.sampled_from(["NET_ADMIN", "SYS_TIME"]), unique=True)),
        "read_only": draw(st.booleans()),
        "restart": draw(st.sampled_from(["no", "always", "on-failure"])),
        "stop_grace_period": f"{draw(st.integers(1, 100))}s",
        "cpus": draw(st.sampled_from([0.25, 1.0, 2.5])),
        "mem_limit": draw(st.integers(1, 2**40)),
        "user": draw(st.sampled_from(["", "5", "5:6"])),
        "healthcheck": {
            "test": ["CMD", draw(_NAME), draw(_TEXT)],
            "interval": f"{draw(st.integers(1, 90))}s",
            "timeout": "3s",
            "retries": draw(st.integers(1, 9)),
        },
    }
    if command := draw(st.lists(_TEXT, max_size=3)):
        document["command"] = list[Json](command)
    if port := draw(st.none() | _PORT):
        document["ports"] = [f"127.0.0.1:{draw(_PORT)}:{port}"]
    return {key: value for key, value in document.items() if value not in ("", [], {}, False)}


@given(st.lists(_TEXT))
def test_systemd_words(words: list[str]) -> None:
    assert split_words(join_words(words)) == words


@given(services())
def test_a_service_through_quadlet_units(service: dict[str, Json]) -> None:
    first = project_of({"services": {"web": service}}, "app")
    files = write_quadlets(first)
    document, notes = read_units(units_in("web.container", files_text(files.texts)))
    assert (files.notes, notes) == ([], [])
    assert project_of(document, "app").services == first.services


@given(services())
def test_a_service_through_a_kubernetes_file(service: dict[str, Json]) -> None:
    """The host's and the network's names are what a pod adds."""
    own: dict[str, Json] = {"hostname": "web", "networks": {"default": {"aliases": ["web"]}}}
    first = project_of({"services": {"web": {**service, **own}}}, "app")
    text, notes = write_kube(first)
    assert notes == []
    assert project_of(whole_document(read_kube(text, "x").pods), "app").services == first.services
