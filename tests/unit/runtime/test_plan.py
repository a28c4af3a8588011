"""Plans: what a start consists of and in which order; what is refused before anything begins."""

from dataclasses import replace
from typing import Any

import pytest

from hakobu.errors import Invalid
from hakobu.runtime import defaults
from hakobu.runtime.plan import RuntimeInputs, plan_container, plan_exec
from hakobu.runtime.plan.options import MOUNT_ATTR_NOEXEC, MOUNT_ATTR_RDONLY, MS_SHARED, MS_SLAVE, parse_options
from hakobu.spec.plan import Plan
from hakobu.spec.rootfs import Rootfs
from hakobu.spec.runtime_config import (
    CapabilitySets,
    Hook,
    Hooks,
    Linux,
    Namespace,
    Process,
    Root,
    RuntimeConfig,
)
from hakobu.spec.step import Place, Step

ALL = ("pid", "network", "mount", "ipc", "uts", "cgroup", "time")
ROOTFS = Rootfs("/snapshots", ("init", "2", "1"), "a/fs", "a/work")


def config(**changes: Any) -> RuntimeConfig:
    caps = defaults.CAPABILITIES
    linux = {
        "namespaces": tuple(Namespace(type=t) for t in ALL),
        "masked_paths": defaults.MASKED_PATHS,
        "readonly_paths": defaults.READONLY_PATHS,
        "cgroups_path": "/hakobu/a",
    } | changes.pop("linux", {})
    process = {
        "args": ("nginx", "-g", "daemon off;"),
        "env": ("PATH=/opt/bin:/bin",),
        "capabilities": CapabilitySets(bounding=caps, effective=caps, permitted=caps),
    } | changes.pop("process", {})
    return RuntimeConfig(
        process=Process(**process),
        root=changes.pop("root", Root(path="")),
        hostname="web",
        mounts=defaults.mounts(shm_bytes=1 << 26, private_ipc=True),
        linux=Linux(**linux),
        **changes,
    )


def plan(configuration: RuntimeConfig, **inputs: Any) -> Plan:
    return plan_container(configuration, RuntimeInputs(container_id="a" * 64, rootfs=ROOTFS, **inputs))


def names(made: Plan) -> list[str]:
    return [step.name for step in made.steps]


def test_a_start_goes_in_the_order_that_keeps_it_sound() -> None:
    made = names(plan(config(root=Root(path="", readonly=True)), seccomp_program="eA=="))
    order = [
        "cgroup.create", "namespaces.clone", "process.harden", "mounts.isolate", "rootfs.mount", "mount.new",
        "user.resolve", "uts.hostname", "root.pivot", "path.readonly", "path.mask", "root.readonly", "cgroup.join",
        "keyring.join", "capabilities.bound", "identity.set", "cwd.enter", "signals.reset", "files.close",
        "seccomp.install", "capabilities.set", "program.execute",
    ]  # fmt: skip
    places = [made.index(name) for name in order]
    assert places == sorted(places)
    assert made[-1] == "program.execute"


def test_under_no_new_privileges_the_filter_comes_last() -> None:
    made = names(plan(config(process={"no_new_privileges": True}), seccomp_program="eA=="))
    assert made.index("privileges.freeze") < made.index("capabilities.set") < made.index("seccomp.install")


def test_mounts_stand_in_their_order_and_devices_follow_dev() -> None:
    made = plan(config())
    targets = [s.args["target"] for s in made.steps if s.name in ("mount.new", "mount.cgroup")]
    assert targets == ["/proc", "/dev", "/dev/pts", "/sys", "/sys/fs/cgroup", "/dev/mqueue", "/dev/shm"]
    nodes = [s.args["path"] for s in made.steps if s.name == "device.node"]
    assert nodes == [f"/dev/{n}" for n in ("null", "zero", "full", "random", "urandom", "tty")]


def test_a_privileged_container_has_no_masks_and_the_host_s_devices() -> None:
    made = names(plan(config(linux={"masked_paths": (), "readonly_paths": ()}), host_devices=True))
    assert "path.mask" not in made and "path.readonly" not in made and "device.host" in made


def test_endpoints_steps_find_their_places() -> None:
    steps = (
        Step("veth.create", Place.SHIM, {"host": "v"}),
        Step("link.up", Place.CHILD, {"name": "eth0"}),
        Step("port.reserve", Place.SHIM, {}),
    )
    made = names(plan(config(), network_steps=steps))
    assert made.index("namespaces.clone") < made.index("veth.create") < made.index("port.reserve")
    assert made.index("port.reserve") < made.index("link.up") < made.index("root.pivot")


def test_hooks_run_when_the_namespaces_are_there_and_after_the_start() -> None:
    hook = (Hook(path="/bin/true"),)
    made = plan(config(hooks=Hooks(prestart=hook, create_runtime=hook, create_container=hook, poststart=hook)))
    kinds = [(s.args["kind"], s.place, i) for i, s in enumerate(made.steps) if s.name == "hooks.run"]
    assert [(k, p) for k, p, _ in kinds] == [
        ("prestart", Place.SHIM),
        ("create_runtime", Place.SHIM),
        ("create_container", Place.CHILD),
        ("poststart", Place.SHIM),
    ]
    assert names(made).index("namespaces.clone") < kinds[0][2]
    assert kinds[3][2] > names(made).index("program.execute")


@pytest.mark.parametrize(
    ("name", "without"),
    [("kernel.core_pattern", ""), ("vm.overcommit_memory", ""), ("net.ipv4.ip_forward", "network"),
     ("kernel.msgmax", "ipc"), ("fs.mqueue.msg_max", "ipc"), ("net..x", ""), ("kernel.hostname", "uts")],
)  # fmt: skip
def test_a_sysctl_that_would_change_the_host_is_refused(name: str, without: str) -> None:
    namespaces = tuple(Namespace(type=t) for t in ALL if t != without)
    changed = replace(config(linux={"namespaces": namespaces, "sysctl": {name: "1"}}), hostname="")
    with pytest.raises(Invalid) as refusal:
        plan(changed)
    assert name in refusal.value.message


def test_who_has_the_hosts_mount_namespace_leaves_its_propagation_alone() -> None:
    made = plan(replace(config(linux={"namespaces": (Namespace(type="pid"),)}), hostname=""))
    assert "mounts.isolate" not in names(made)
    assert next(s for s in made.steps if s.name == "root.pivot").args == {"chroot": True}


def test_unknown_capabilities_are_named() -> None:
    with pytest.raises(Invalid) as refusal:
        plan(config(process={"capabilities": CapabilitySets(bounding=("CAP_WISH",))}))
    assert "CAP_WISH" in refusal.value.message


def test_an_exec_is_confined_by_the_same_steps() -> None:
    configuration = config()
    made = plan_exec("a" * 64, configuration, replace(configuration.process, args=("ps",)), "eA==")
    assert names(made)[:4] == ["namespaces.join", "process.harden", "user.resolve", "namespaces.enter"]
    tail = ["capabilities.bound", "identity.set", "files.close", "seccomp.install", "capabilities.set"]
    assert [n for n in names(made) if n in tail] == tail
    assert made.steps[0].args["types"] == list(ALL)


def test_every_step_can_cross_a_process_boundary() -> None:
    import json

    from hakobu.runtime.message import plan_from_json, plan_to_json

    made = plan(config(), seccomp_program="eA==", init="/usr/bin/tini-static")
    assert plan_from_json(json.loads(json.dumps(plan_to_json(made)))) == made


def test_options_of_mounts() -> None:
    ro = parse_options(("rbind", "ro", "rw", "ro", "rslave", "size=1k"))
    assert (ro.bind, ro.attr_set, ro.propagation, ro.propagation_recursive) == (2, MOUNT_ATTR_RDONLY, MS_SLAVE, True)
    assert ro.data == ("size=1k",)
    recursive = parse_options(("bind", "rro", "noexec", "shared"))
    assert (recursive.recursive_set, recursive.attr_set) == (MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOEXEC)
    assert (recursive.propagation, recursive.propagation_recursive) == (MS_SHARED, False)
