"""A configuration survives the way to JSON and back; a stranger's file never ends in anything but `Invalid`."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hakobu.errors import Invalid
from hakobu.spec.resources import Memory, Resources
from hakobu.spec.runtime_config import (
    CapabilitySets,
    ConfigMount,
    DeviceNode,
    ExecAffinity,
    Hook,
    Hooks,
    IdMap,
    IoPriority,
    Linux,
    MemoryPolicy,
    Namespace,
    Personality,
    Process,
    Rlimit,
    Root,
    RuntimeConfig,
    Scheduler,
    User,
)
from hakobu.spec.runtime_parse import parse_process, parse_runtime_config

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
some = texts.filter(bool)
ids = st.integers(0, 2**31 - 1)


def tuples(strategy):
    return st.lists(strategy, max_size=3).map(tuple)


maps = tuples(st.builds(IdMap, container_id=ids, host_id=ids, size=ids))
configs = st.builds(
    RuntimeConfig,
    process=st.builds(
        Process,
        args=st.lists(some, min_size=1, max_size=3).map(tuple),
        cwd=some,
        env=tuples(texts),
        terminal=st.booleans(),
        user=st.builds(User, uid=ids, gid=ids, additional_gids=tuples(ids), name=texts),
        rlimits=tuples(st.builds(Rlimit, type=some, soft=ids, hard=ids)),
        capabilities=st.builds(CapabilitySets, bounding=tuples(some), effective=tuples(some)),
        no_new_privileges=st.booleans(),
        oom_score_adj=st.none() | st.integers(-1000, 1000),
        selinux_label=texts,
        console_size=st.tuples(st.integers(0, 65535), st.integers(0, 65535)),
        scheduler=st.none() | st.builds(Scheduler, policy=some, nice=st.integers(-20, 19), runtime_ns=ids),
        io_priority=st.none() | st.builds(IoPriority, io_class=some, priority=st.integers(0, 7)),
        exec_affinity=st.builds(ExecAffinity, initial=texts, final=texts),
    ),
    root=st.builds(Root, path=some, readonly=st.booleans()),
    hostname=texts,
    mounts=tuples(
        st.builds(ConfigMount, destination=some, type=texts, source=texts, options=tuples(some), uid_mappings=maps)
    ),
    hooks=st.builds(Hooks, prestart=tuples(st.builds(Hook, path=st.just("/bin/true"), timeout_s=st.integers(1, 9)))),
    linux=st.builds(
        Linux,
        namespaces=tuples(st.builds(Namespace, type=some, path=texts)),
        uid_mappings=maps,
        time_offsets=st.dictionaries(some, st.tuples(st.integers(-9, 9), st.integers(0, 9)), max_size=2),
        devices=tuples(st.builds(DeviceNode, path=some, type=st.sampled_from("cbp"), major=ids, minor=ids)),
        cgroups_path=texts,
        resources=st.builds(Resources, memory=st.builds(Memory, limit=st.none() | ids)),
        seccomp=st.none() | st.just({"defaultAction": "SCMP_ACT_ERRNO"}),
        sysctl=st.dictionaries(some, texts, max_size=2),
        masked_paths=tuples(some),
        memory_policy=st.none() | st.builds(MemoryPolicy, mode=some, nodes=texts, flags=tuples(some)),
        personality=st.none() | st.builds(Personality, domain=some, flags=tuples(some)),
        net_devices=st.dictionaries(some, some, max_size=2),
    ),
    annotations=st.dictionaries(some, texts, max_size=2),
)


@settings(max_examples=60, deadline=None)
@given(configs)
def test_round_trip(config):
    assert parse_runtime_config(json.dumps(config.to_json()).encode()) == config


FIELDS = """
    ociVersion process root path readonly hostname domainname mounts destination type source options uidMappings
    gidMappings containerID hostID size hooks prestart createRuntime startContainer poststop args env timeout
    annotations linux namespaces timeOffsets monotonic secs nanosecs devices major minor fileMode uid gid
    cgroupsPath resources memory limit cpu shares pids unified seccomp sysctl maskedPaths readonlyPaths
    rootfsPropagation mountLabel memoryPolicy mode nodes personality domain netDevices name intelRdt cwd terminal
    consoleSize height width user additionalGids umask username rlimits soft hard capabilities bounding
    noNewPrivileges oomScoreAdj apparmorProfile selinuxLabel scheduler policy nice ioPriority class priority
    execCPUAffinity initial final
"""
documents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(["1.2.0", "/", "c"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS.split()), inner, max_size=6),
    max_leaves=20,
)
WHOLE = {"ociVersion": "1.2.0", "process": {"args": ["sh"]}, "root": {"path": "rootfs"}}


@settings(max_examples=300, deadline=None)
@given(documents, st.sampled_from(["process", "root", "linux", "hooks", "mounts", "annotations"]))
def test_a_strangers_document_is_parsed_or_refused(document, part):
    """As the whole, as one part of a document that is else in order, and as a process alone."""
    for parse, value in (
        (parse_runtime_config, document),
        (parse_runtime_config, {**WHOLE, part: document}),
        (parse_process, document),
    ):
        try:
            parse(json.dumps(value).encode())
        except Invalid as refusal:
            assert refusal.message


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=40) | st.integers(1, 9).map(lambda n: b"[" * 10**n if n < 6 else b"9" * 10 ** (n - 3)))
def test_bytes_that_are_no_document_are_refused(content):
    with pytest.raises(Invalid):
        parse_runtime_config(content)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"process": {"args": "sh"}}, "process.args"),
        ({"process": {"args": ["sh"], "user": {"uid": -1}}}, "process.user.uid"),
        ({"process": {"args": ["sh"], "user": {"uid": 2**31}}}, "process.user.uid"),
        (
            {"process": {"args": ["sh"]}, "linux": {"devices": [{"path": "/dev/x", "type": "x"}]}},
            "linux.devices[0].type",
        ),
        ({"process": {"args": ["s\0h"]}}, "process.args[0]"),
    ],
)
def test_the_error_names_the_field(change, field):
    document = {"ociVersion": "1.2.0", "root": {"path": "r"}, **change}
    with pytest.raises(Invalid) as refused:
        parse_runtime_config(json.dumps(document).encode())
    assert refused.value.field == field


def test_values_are_immutable():
    config = RuntimeConfig(process=Process(args=("sh",)), root=Root(path="r"))
    assert replace(config, hostname="h").hostname == "h"
    with pytest.raises(AttributeError):
        config.hostname = "x"
