"""How far a container would reach: each way out of its walls is seen, and what is plain is let through."""

from dataclasses import fields, replace

import pytest

from hakobu.api.scope import reach
from hakobu.spec import own_label as own_labels
from hakobu.spec.container import (
    ContainerSpec,
    Device,
    EndpointSpec,
    Limits,
    Mount,
    Namespaces,
    PortBinding,
    Security,
)
from hakobu.spec.log_config import LogConfig
from hakobu.spec.network import NetworkSpec, Pool
from hakobu.spec.policy import BindGrant, Policy

PLAIN = ContainerSpec(image="busybox", command=("true",), labels={"a": "b"}, env=("A=b",))


def needed(spec: ContainerSpec) -> set[str]:
    return {what for _, what in reach.of_container(spec)}


@pytest.mark.parametrize("shape", reach.HARMLESS, ids=lambda shape: shape.__name__)
def test_every_field_is_classified(shape):
    """A field that is added is refused on scoped sockets until it is named in one of the lists."""
    known = reach.HARMLESS[shape] | reach.EXAMINED[shape]
    unnamed = {item.name for item in fields(shape)} - known
    assert unnamed == ({"isolation", "storage_options"} if shape is ContainerSpec else set())
    assert known <= {item.name for item in fields(shape)}
    assert not reach.HARMLESS[shape] & reach.EXAMINED[shape]


def test_the_engine_s_own_labels_are_known_one_by_one():
    """Whoever adds one that reaches beyond the container leaves it out of the list, and gives it a feature."""
    assert frozenset(own_labels.KNOWN) == reach.OWN_LABELS


def test_a_plain_container_needs_nothing():
    assert needed(PLAIN) == set()
    modes = Namespaces(pid="private", ipc="shareable", cgroup="private")
    security = Security(cap_add=("CHOWN", "cap_kill"), cap_drop=("ALL",), options=("no-new-privileges:true",))
    limits = Limits(memory_bytes=1 << 30, nano_cpus=10**9, pids=100)
    assert needed(replace(PLAIN, namespaces=modes, security=security, limits=limits)) == set()
    assert needed(replace(PLAIN, mounts=(Mount(kind="volume", source="v", target="/v"),))) == set()
    assert needed(replace(PLAIN, log=LogConfig(driver="json-file", options={"max-size": "1m"}))) == set()


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"security": Security(privileged=True)}, "privileged"),
        ({"security": Security(cap_add=("SYS_ADMIN",))}, "capability SYS_ADMIN"),
        ({"security": Security(cap_add=("ALL",))}, "capability ALL"),
        ({"security": Security(options=("seccomp=unconfined",), seccomp_profile="unconfined")}, "security-options"),
        ({"security": Security(options=("apparmor=unconfined",), apparmor_profile="x")}, "security-options"),
        ({"security": Security(options=("label=disable",))}, "security-options"),
        ({"security": Security(masked_paths=())}, "security-options"),
        ({"security": Security(read_only_paths=())}, "security-options"),
        ({"namespaces": Namespaces(pid="host")}, "host-pid"),
        ({"namespaces": Namespaces(pid="container:other")}, "join"),
        ({"namespaces": Namespaces(ipc="host")}, "host-ipc"),
        ({"namespaces": Namespaces(ipc="container:other")}, "join"),
        ({"namespaces": Namespaces(uts="host")}, "host-uts"),
        ({"namespaces": Namespaces(user="host")}, "host-user"),
        ({"namespaces": Namespaces(cgroup="host")}, "host-cgroup"),
        ({"network_mode": "host"}, "host-network"),
        ({"network_mode": "container:other"}, "join"),
        ({"volumes_from": ("other",)}, "volumes-from"),
        ({"links": ("db:db",)}, "links"),
        ({"endpoints": (EndpointSpec(network="n", links=("db",)),)}, "links"),
        ({"endpoints": (EndpointSpec(network="n", driver_options={"a": "b"}),)}, "network-options"),
        ({"ports": (PortBinding(container_port=80),)}, "publish"),
        ({"publish_all": True}, "publish"),
        ({"limits": Limits(devices=(Device(host_path="/dev/sda", container_path="/dev/sda"),))}, "devices"),
        ({"limits": Limits(device_cgroup_rules=("c *:* rwm",))}, "devices"),
        ({"limits": Limits(cgroup_parent="/")}, "cgroup-parent"),
        ({"limits": Limits(oom_kill_disable=True)}, "priority"),
        ({"limits": Limits(cpu_realtime_runtime_us=1)}, "priority"),
        ({"oom_score_adj": -1}, "priority"),
        ({"log": LogConfig(driver="syslog", options={"syslog-address": "udp://10.0.0.1"})}, "log-drivers"),
        ({"log": LogConfig(options={"gelf-address": "udp://10.0.0.1"})}, "log-drivers"),
        ({"volume_driver": "other"}, "volume-options"),
        ({"storage_options": {"size": "1G"}}, "a policy that knows storage_options"),
        ({"labels": {"hakobu.later": "x"}}, "a policy that knows hakobu.later"),
        ({"isolation": "vm"}, "a policy that knows isolation"),
    ],
)
def test_every_way_out_is_seen(change, what):
    spec = replace(PLAIN, **change)
    assert what in needed(spec)
    assert reach.missing(Policy(name="x", allow=frozenset()), reach.of_container(spec)) is not None


@pytest.mark.parametrize(
    "mount",
    [
        Mount(kind="bind", source="/", target="/host"),
        Mount(kind="bind", source="/srv/a/../../etc", target="/x"),
        Mount(kind="bind", source="/srv/a/below", target="/x"),
        Mount(kind="bind", source="/srv/a:ro", target="/x"),
        Mount(kind="bind", source="/srv/a", target="/x"),
        Mount(kind="bind", source="/srv/a", target="/x", read_only=True, read_only_non_recursive=True),
        Mount(kind="bind", source="/srv/a", target="/x", read_only=True, propagation="rshared"),
        Mount(kind="volume", source="v", target="/x", volume_options={"type": "none", "device": "/", "o": "bind"}),
        Mount(kind="volume", source="v", target="/x", volume_driver="other"),
    ],
)
def test_mounts_that_a_read_only_grant_of_a_path_does_not_cover(mount):
    policy = Policy(name="x", allow=frozenset(), binds=(BindGrant("/srv/a", read_only=True),))
    assert reach.missing(policy, reach.of_mount(mount)) is not None


def test_mounts_that_are_granted():
    policy = Policy(name="x", allow=frozenset(), binds=(BindGrant("/srv/a", read_only=True), BindGrant("/srv/b")))
    for mount in (
        Mount(kind="bind", source="/srv/a", target="/x", read_only=True),
        Mount(kind="bind", source="/srv/a/", target="/x", read_only=True),
        Mount(kind="bind", source="/srv/b", target="/x"),
        Mount(kind="tmpfs", target="/x"),
    ):
        assert reach.missing(policy, reach.of_mount(mount)) is None


@pytest.mark.parametrize(
    "spec",
    [
        NetworkSpec(name="n", driver="macvlan", options={"parent": "eth0"}),
        NetworkSpec(name="n", driver="host"),
        NetworkSpec(name="n", pools=(Pool(subnet="0.0.0.0/1"),)),
        NetworkSpec(name="n", options={"com.docker.network.bridge.name": "br0"}),
        NetworkSpec(name="n", ipam_driver="other"),
    ],
)
def test_networks_that_reach_the_hosts(spec):
    assert {what for _, what in reach.of_network(spec)} == {"network-options"}


def test_a_plain_network_needs_nothing():
    assert list(reach.of_network(NetworkSpec(name="n", internal=True, labels={"a": "b"}))) == []
