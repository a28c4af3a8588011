"""Bindings of a start, and who holds a port."""

import os
import socket

from hakobu.network import ports
from hakobu.spec.container import BoundPort, Container, ContainerSpec, PortBinding


def container(**changes) -> Container:
    values = {"id": "c" * 64, "name": "/web", "created_ns": 0, "spec": ContainerSpec(image="i")}
    return Container(**{**values, "image_id": "", "image_ref": "i", **changes})


def test_publish_all_binds_what_is_exposed_and_not_bound():
    given = PortBinding(container_port=80, host_port=8080)
    spec = ContainerSpec(image="i", ports=(given,), publish_all=True, exposed_ports=("53/udp",))
    found = ports.wanted(container(spec=spec, exposed_ports=("80/tcp", "443", "9000-9001/tcp")))
    assert [(p.container_port, p.protocol, p.host_port) for p in found] == [
        (80, "tcp", 8080),
        (53, "udp", 0),
        (443, "tcp", 0),
        (9000, "tcp", 0),
        (9001, "tcp", 0),
    ]


def test_the_holder_is_one_of_our_containers():
    web = container(ports=(BoundPort(container_port=80, protocol="tcp", host_ip="0.0.0.0", host_port=8080),))
    assert ports.holder("tcp", "127.0.0.1", 8080, [web]) == "container web"
    reason = "port.reserve : listen tcp4 0.0.0.0:8080: bind: address already in use"
    error = ports.refused(reason, container(id="d" * 64, name="/new"), [web])
    assert str(error) == (
        f"driver failed programming external connectivity on endpoint new ({'d' * 64}): "
        "Bind for 0.0.0.0:8080 failed: port is already allocated"
    )
    assert error is not None and error.hint == "the port is held by container web"
    six = ports.refused("listen udp6 [::1]:53: bind: address already in use", web, [])
    assert six is not None and "Bind for [::1]:53 failed" in str(six)
    assert ports.refused("listen tcp4 0.0.0.0:80: bind: permission denied", web, []) is None


def test_the_holder_is_a_process_of_the_host():
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family) as held:
            held.bind((address, 0))
            held.listen()
            port = held.getsockname()[1]
            assert ports.holder("tcp", "", port).endswith(f"(pid {os.getpid()})")
            assert ports.holder("tcp", "127.0.0.2", port) == ""
