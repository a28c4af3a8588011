"""Query parameters, times, spans, routes and statuses."""

import pytest

from hakobu.api import query, status
from hakobu.api.application import DockerApplication
from hakobu.api.http.exchange import Exchange, Peer, Reply, Request
from hakobu.api.http.head import Head
from hakobu.api.render.container import status_text
from hakobu.api.render.image import shared_sizes
from hakobu.api.table import ROUTES
from hakobu.api.time import human_span, rfc3339_nano
from hakobu.engine.services import Image
from hakobu.errors import HakobuError, Kind
from hakobu.spec.container import Health, State, Status
from hakobu.wire.operation import OPERATIONS
from hakobu.wire.version import ANNOUNCED, ApiVersion, fit, parse_version


def request(target: str, method: str = "GET", headers: dict[str, str] | None = None) -> Request:
    path, _, raw = target.partition("?")
    return Request(Head(method, target, headers or {}, True), path, raw, Peer)


@pytest.mark.parametrize(
    ("raw", "value"),
    [("", False), ("0", False), ("false", False), ("No", False), ("1", True), ("true", True), ("t", True)],
)
def test_booleans_as_docker_reads_them(raw, value):
    assert query.flag(request(f"/x?all={raw}"), "all") is value


def test_both_forms_of_filters():
    both = request('/x?filters={"label":{"a=b":true,"c":false},"name":["n"]}')
    assert query.filters(both) == {"label": ("a=b",), "name": ("n",)}
    for bad in ("{", "[]", '{"a":5}', '{"a":[5]}'):
        with pytest.raises(HakobuError, match="invalid filter"):
            query.filters(request(f"/x?filters={bad}"))


def test_times_with_fractions():
    assert query.time_ns(request("/x?since=12.5"), "since") == 12_500_000_000
    assert query.time_ns(request("/x?since=1795491627.000000001"), "since") == 1795491627_000000001
    with pytest.raises(HakobuError):
        query.time_ns(request("/x?since=yesterday"), "since")


def test_detach_keys():
    assert query.detach_keys("") == b"\x10\x11"
    assert query.detach_keys("ctrl-a,x,ctrl-]") == b"\x01x\x1d"
    with pytest.raises(HakobuError, match="Unknown character: 'ctrl-1'"):
        query.detach_keys("ctrl-1")


def test_times_are_written_as_go_does():
    assert rfc3339_nano(0) == "0001-01-01T00:00:00Z"
    assert rfc3339_nano(1_700_000_000_000_000_000) == "2023-11-14T22:13:20Z"
    assert rfc3339_nano(1_700_000_000_120_000_000) == "2023-11-14T22:13:20.12Z"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "Less than a second"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "About a minute"),
        (130, "2 minutes"),
        (3700, "About an hour"),
        (47 * 3600, "47 hours"),
        (48 * 3600, "2 days"),
        (20 * 86400, "2 weeks"),
        (90 * 86400, "3 months"),
        (800 * 86400, "2 years"),
    ],
)
def test_spans(seconds, text):
    assert human_span(int(seconds * 1e9)) == text


def test_status_texts_of_ps():
    second = 1_000_000_000
    up = State(status=Status.RUNNING, started_ns=second, health=Health(status="healthy"))
    assert status_text(up, 4 * second) == "Up 3 seconds (healthy)"
    assert status_text(State(status=Status.PAUSED, started_ns=second), 4 * second) == "Up 3 seconds (Paused)"
    gone = State(status=Status.EXITED, exit_code=3, started_ns=second, finished_ns=2 * second)
    assert status_text(gone, 122 * second) == "Exited (3) 2 minutes ago"
    assert status_text(State(), second) == "Created"


def test_every_kind_has_a_status():
    assert {kind: int(status.status_of(kind)) for kind in Kind} == {
        Kind.INVALID: 400,
        Kind.UNAUTHORIZED: 401,
        Kind.DENIED: 403,
        Kind.NOT_FOUND: 404,
        Kind.CONFLICT: 409,
        Kind.NOT_MODIFIED: 304,
        Kind.EXHAUSTED: 500,
        Kind.NOT_IMPLEMENTED: 501,
        Kind.UNAVAILABLE: 503,
        Kind.DATA_LOSS: 500,
        Kind.INTERNAL: 500,
    }


class TestRouting:
    app = DockerApplication(None, ROUTES)  # type: ignore[arg-type]

    def ask(self, target: str, method: str = "GET") -> tuple[Request, Exchange | Reply]:
        asked = request(target, method)
        return asked, self.app.exchange(asked)

    def test_names_versions_and_slashes(self):
        asked, found = self.ask("/v1.41/images/registry.example/a/b:c/json")
        assert isinstance(found, Exchange) and asked.params == ("registry.example/a/b:c",)
        assert asked.version == ApiVersion(1, 41)
        asked, found = self.ask("/images/a/b", "DELETE")
        assert isinstance(found, Exchange) and asked.params == ("a/b",) and asked.version == ANNOUNCED
        assert isinstance(self.ask("/networks/")[1], Exchange)
        assert isinstance(self.ask("/v1.24/containers/a%2Fb/json")[1], Reply)
        assert isinstance(self.ask("/hakobu/v1/containers/web/plan")[1], Exchange)

    @pytest.mark.parametrize(
        ("target", "text"),
        [
            ("/v1.99/info", "client version 1.99 is too new. Maximum supported API version is 1.51"),
            (
                "/v1.12/info",
                "client version 1.12 is too old. Minimum supported API version is 1.24, please upgrade your client "
                "to a newer version",
            ),
            ("/v1.41", "page not found"),
            ("/vv/info", "page not found"),
            ("/nowhere", "page not found"),
            ("/", "page not found"),
        ],
    )
    def test_refusals(self, target, text):
        reply = self.ask(target)[1]
        assert isinstance(reply, Reply) and text.encode() in reply.body

    def test_every_operation_is_answered_by_itself_or_by_name(self):
        for method, template, name in OPERATIONS:
            _, found = self.ask(template.replace("{}", "x"), method)
            assert isinstance(found, Exchange), name
        _, found = self.ask("/swarm/init", "POST")
        assert isinstance(found, Exchange)
        reply = found.run(request("/swarm/init", "POST"))
        assert isinstance(reply, Reply)
        assert (reply.status, reply.body) == (501, b'{"message":"SwarmInit is not supported by this engine"}\n')


def test_versions_compare_as_numbers():
    assert parse_version("1.9") < parse_version("1.24")  # type: ignore[operator]
    assert parse_version("1") is None and parse_version("1.x") is None and parse_version("1.²") is None


def test_fields_by_version():
    value: dict[str, object] = {"VirtualSize": 1, "Descriptor": 2, "Id": 3}
    fit("image", value, ApiVersion(1, 43))
    assert value == {"VirtualSize": 1, "Id": 3}
    fit("image", value, ApiVersion(1, 44))
    assert value == {"Id": 3}


def test_shared_sizes_count_layers_that_stand_on_the_same_ones():
    def image(name: str, *diff_ids: str) -> Image:
        config = {"rootfs": {"diff_ids": list(diff_ids)}}
        sizes = tuple(range(1, len(diff_ids) + 1))
        return Image(id=name, references=(), digests=(), created_ns=0, size_bytes=0, config=config, layer_sizes=sizes)

    images = [image("one", "a", "b"), image("two", "a", "c"), image("three", "c")]
    assert shared_sizes(images) == {"one": 1, "two": 1, "three": 0}
