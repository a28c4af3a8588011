"""Every route says what it needs; a route that nobody has thought about is answered on no scoped socket."""

import pytest

from hakobu.api.http.exchange import Peer, Request
from hakobu.api.http.head import Head
from hakobu.api.route import Route
from hakobu.api.scope import need
from hakobu.api.scope.failure import NotPermitted
from hakobu.api.table import ROUTES
from hakobu.spec.policy import FEATURES, PERMISSIONS, Policy


def request(method: str = "GET", path: str = "/", query: str = "") -> Request:
    return Request(Head(method, path, {}, keep_alive=True), path, query, Peer)


def test_every_route_is_classified_and_no_other():
    served = {(route.method, route.template) for route in ROUTES}
    assert served == need.CLASSIFIED, "say in api/scope/need.py what the new route needs of a scoped socket"


def test_needs_are_permissions_that_can_be_given_and_each_is_needed_somewhere():
    needed = {p for value in need.NEEDS.values() if isinstance(value, tuple) for p in value}
    assert needed | {"images:pull", "images:load"} == set(PERMISSIONS)
    assert not set(PERMISSIONS) & set(FEATURES)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.template}")
def test_a_socket_that_permits_nothing_answers_only_who_is_there(route):
    nothing = Policy(name="none", allow=frozenset())
    if route.template in ("/_ping", "/version"):
        need.admit(nothing, route, request())
        return
    with pytest.raises(NotPermitted):
        need.admit(nothing, route, request())


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.template}")
def test_what_a_route_needs_is_enough_and_no_less_is(route):
    found = need.need_of(route, request())
    everything = frozenset(PERMISSIONS)
    if found == need.OWNER:
        with pytest.raises(NotPermitted, match="owner"):
            need.admit(Policy(name="all", allow=everything), route, request())
        return
    if found == need.FREE:
        return
    need.admit(Policy(name="exact", allow=frozenset(found)), route, request())
    for permission in found:
        with pytest.raises(NotPermitted, match=permission):
            need.admit(Policy(name="less", allow=everything - {permission}), route, request())


def test_a_route_that_nobody_has_thought_about_is_the_owners():
    unknown = Route("POST", "/build", lambda services, request: None)  # pyright: ignore
    with pytest.raises(NotPermitted, match="owner"):
        need.admit(Policy(name="all", allow=frozenset(PERMISSIONS)), unknown, request("POST", "/build"))


def test_pull_and_import_are_one_route_with_two_needs():
    route = next(r for r in ROUTES if r.template == "/images/create")
    assert need.need_of(route, request(query="fromImage=nginx")) == ("images:pull",)
    assert need.need_of(route, request(query="fromSrc=-")) == ("images:load",)
    assert need.need_of(route, request(query="fromImage=&fromSrc=-")) == ("images:load",)
