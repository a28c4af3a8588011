"""Records to names."""

from hakobu.network.files import ResolvConf
from hakobu.network.naming import snapshot
from hakobu.network.resolver.names import Found
from hakobu.spec.container import Container, ContainerSpec, Endpoint, EndpointSpec
from hakobu.spec.network import Network, NetworkSpec


def network(name: str, **spec) -> Network:
    return Network(id=f"id-{name}", created_ns=0, spec=NetworkSpec(name=name, **spec))


def container(name: str, *endpoints: Endpoint, **spec) -> Container:
    return Container(
        id=name * 64,
        name=f"/{name}",
        created_ns=0,
        spec=ContainerSpec(image="i", **spec),
        image_id="",
        image_ref="i",
        endpoints=endpoints,
    )


def on(name: str, ipv4: str, aliases: tuple[str, ...] = (), links: tuple[str, ...] = ()) -> Endpoint:
    spec = EndpointSpec(network=name, aliases=aliases, links=links)
    return Endpoint(spec=spec, network_id=f"id-{name}", network_name=name, endpoint_id="e", ipv4=ipv4)


def test_user_defined_networks_have_names_and_the_default_one_none():
    found = snapshot(
        [network("bridge"), network("app"), network("host", driver="host")],
        [
            container("a", on("app", "172.18.0.2", aliases=("web",)), on("bridge", "172.17.0.2")),
            container("b", on("app", "172.18.0.3", links=("a:front",))),
            container("c", on("bridge", "172.17.0.3"), dns=("9.9.9.9",)),
        ],
        ResolvConf(("127.0.0.53",)),
    )
    for name in ("a", "WEB", "aaaaaaaaaaaa", "a.app", "front"):
        assert found.lookup("b" * 64, name) == Found(("172.18.0.2",)), name
    assert found.lookup("a" * 64, "front") is None
    assert found.lookup("a" * 64, "c") is None
    assert found.servers("b" * 64) == ("127.0.0.53",)
    assert "c" * 64 not in found.askers


def test_a_container_on_internal_networks_alone_has_no_servers():
    found = snapshot(
        [network("bridge"), network("in", internal=True)],
        [container("a", on("in", "10.0.0.2")), container("b", on("in", "10.0.0.3"), on("bridge", "172.17.0.2"))],
        ResolvConf(),
    )
    assert found.servers("a" * 64) == ()
    assert found.servers("b" * 64) == ("8.8.8.8", "8.8.4.4")


def test_a_container_set_aside_answers_to_its_own_names_alone():
    found = snapshot(
        [network("app")],
        [
            container("a", on("app", "10.0.0.2", aliases=("web",))),
            container("b", on("app", "10.0.0.3", aliases=("web",))),
        ],
        ResolvConf(),
        aside={"a" * 64},
    )
    assert found.lookup("b" * 64, "web") == Found(("10.0.0.3",))
    for name in ("a", "aaaaaaaaaaaa"):
        assert found.lookup("b" * 64, name) == Found(("10.0.0.2",))
    assert found.lookup("a" * 64, "b") == Found(("10.0.0.3",))
