"""Which containers a list shows."""

import pytest
from tests.unit.engine.sample import Table, container

from hakobu.engine.listing import prunable, select
from hakobu.engine.records import Records
from hakobu.errors import Invalid
from hakobu.spec.container import BoundPort, Status

BOOK = Records(
    Table(),
    (
        container(
            Status.RUNNING,
            id="1" * 64,
            name="web",
            created_ns=1,
            labels={"app": "shop"},
            ports=(BoundPort(container_port=80, protocol="tcp", host_ip="", host_port=8080),),
        ),
        container(Status.EXITED, id="2" * 64, name="job", created_ns=2, state={"exit_code": 3}),
        container(Status.PAUSED, id="3" * 64, name="web-2", created_ns=3),
    ),
)


def names(*, all=False, limit=-1, **filters):
    found = select(
        BOOK,
        all=all,
        limit=limit,
        filters={k.replace("_", "-"): (v,) for k, v in filters.items()},
        ancestors=lambda ref: frozenset({"sha256:" + "b" * 64}) if ref == "img" else frozenset(),
    )
    return [c.name for c in found]


def test_running_ones_newest_first_unless_all():
    assert names() == ["web-2", "web"]
    assert names(all=True) == ["web-2", "job", "web"]
    assert names(limit=1) == ["web-2"]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"status": "exited"}, ["job"]),
        ({"exited": "3"}, ["job"]),
        ({"label": "app=shop"}, ["web"]),
        ({"label": "app=other"}, []),
        ({"name": "^web$"}, ["web"]),
        ({"id": "22"}, []),
        ({"publish": "80"}, ["web"]),
        ({"publish": "70-90/tcp"}, ["web"]),
        ({"publish": "80/udp"}, []),
        ({"before": "web-2"}, ["web"]),
        ({"since": "web"}, ["web-2"]),
        ({"ancestor": "img"}, ["web-2", "web"]),
        ({"ancestor": "other"}, []),
    ],
)
def test_filters(filters, expected):
    assert names(**filters) == expected


def test_what_docker_refuses():
    for filters in ({"colour": "red"}, {"status": "dancing"}, {"exited": "x"}, {"publish": "http"}):
        with pytest.raises(Invalid):
            names(**filters)


def test_prune_s_filters():
    assert prunable(1, {"a": "b"}, {"label": ("a",)})
    assert not prunable(1, {"a": "b"}, {"label!": ("a=b",)})
    assert not prunable(10**18 * 9, {}, {"until": ("1h",)})
