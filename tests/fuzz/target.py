"""Every reader of what a stranger controls, as a function of bytes that ends in a value or in one of its refusals.

An image, a registry, a client of the API, a file of somebody's: whatever they write, nothing but the errors named here
may come of it. `seeds` are what such bytes look like when they are in order; mutations begin there.
"""

import json
import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dns.message

from hakobu.api import query
from hakobu.api.decode import decode
from hakobu.api.handlers.container import spec_of
from hakobu.api.http.exchange import Peer, Request
from hakobu.api.http.head import BadRequest, Head, parse_head
from hakobu.api.scope import reach
from hakobu.api.translate.endpoint import endpoint
from hakobu.api.translate.limit import limits
from hakobu.api.translate.network import network_spec
from hakobu.compose.env_file import parse_env
from hakobu.compose.interpolation import BadTemplate, substitute
from hakobu.compose.node import to_plain
from hakobu.compose.yaml import parse_all
from hakobu.errors import HakobuError, Invalid
from hakobu.formats.document import project_of
from hakobu.formats.kube.reader import read_kube, whole_document
from hakobu.formats.quadlet.reader import read_units
from hakobu.formats.source import units_in
from hakobu.network import files as network_files
from hakobu.network.resolver.answer import answer, failure, is_answer_to
from hakobu.network.resolver.names import Asker, Member, NamedNetwork, Snapshot
from hakobu.registry import remote, search, session
from hakobu.registry.challenge import parse_challenges
from hakobu.registry.mirrors import parse_mirrors
from hakobu.runtime.failure import UserNotFound
from hakobu.runtime.passwd import resolve
from hakobu.spec import own_label, seccomp
from hakobu.spec.bounded import load_json
from hakobu.spec.framing import Framing, MalformedBody
from hakobu.spec.image_config import ImageConfig
from hakobu.spec.manifest import parse_manifest
from hakobu.spec.platform import Platform
from hakobu.spec.policy import parse_policy
from hakobu.spec.reference import Reference
from hakobu.spec.runtime_parse import parse_process, parse_runtime_config
from hakobu.store import archives
from hakobu.store.archive.entry import BadArchive
from hakobu.store.archive.reader import TarReader
from hakobu.store.layers.inflate import Stream
from hakobu.wire.container import ContainerUpdate, ExecCreate, ExecStart
from hakobu.wire.network import NetworkConnect, NetworkCreate, NetworkDisconnect
from hakobu.wire.system import AuthConfig
from hakobu.wire.volume import VolumeCreate

Read = Callable[[bytes], object]
_DIGEST = "sha256:" + "a" * 64
_NAMES = Snapshot(
    {"n": NamedNetwork("net", members=(Member(("db",), "10.0.0.2"), Member(("web", "www"), "10.0.0.3")))},
    {"c": Asker(("n",))},
)


@dataclass(frozen=True, slots=True)
class Target:
    """`refusals` are the only exceptions that may come out of `read`."""

    name: str
    read: Read
    refusals: tuple[type[Exception], ...]
    seeds: tuple[bytes, ...]

    def run(self, data: bytes) -> None:
        try:
            self.read(data)
        except self.refusals:
            pass


def _text(read: Callable[[str], object]) -> Read:
    return lambda data: read(data.decode("utf-8", "replace"))


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _request(body: bytes = b"", raw_query: str = "") -> Request:
    head = Head("POST", "/", {"content-type": "application/json"}, keep_alive=True)
    request = Request(head, "/", raw_query, Peer)
    request.body = body
    return request


def _create(data: bytes) -> None:
    spec, _ = spec_of(_request(data))
    tuple(reach.of_container(spec))
    own_label.asked(spec.labels)


def _bodies(data: bytes) -> None:
    """Each of the smaller bodies: what one refuses, the next may take."""
    shapes: tuple[Callable[[bytes], object], ...] = (
        lambda d: decode(d, ExecCreate),
        lambda d: decode(d, ExecStart),
        lambda d: limits(decode(d, ContainerUpdate)),
        lambda d: network_spec(decode(d, NetworkCreate)),
        lambda d: endpoint("n", decode(d, NetworkConnect).get("EndpointConfig")),
        lambda d: decode(d, NetworkDisconnect),
        lambda d: decode(d, VolumeCreate),
        lambda d: decode(d, AuthConfig),
    )
    for read in shapes:
        try:
            read(data)
        except HakobuError:
            continue


def _queries(text: str) -> None:
    request = _request(raw_query=text)
    readers: tuple[Callable[[], object], ...] = (
        lambda: query.filters(request),
        lambda: query.time_ns(request, "since"),
        lambda: query.number(request, "t"),
        lambda: query.platforms(request),
        lambda: query.detach_keys(query.text(request, "detachKeys")),
    )
    for read in readers:
        try:
            read()
        except HakobuError:
            continue


def _head(data: bytes) -> None:
    head = parse_head(data)
    assert head.target.isascii() and not (head.chunked and head.length)


def _chunks(data: bytes) -> None:
    framing, buffer = Framing(chunked=True, length=0), bytearray(data)
    while buffer and not framing.ended:
        before = len(buffer)
        framing.feed(buffer)
        if len(buffer) == before:
            return


def _tar(data: bytes) -> None:
    with Stream(iter([data])) as stream:
        reader = TarReader(stream)
        for entry in reader:
            assert b"\0" not in entry.name and entry.size >= 0


def _users(data: bytes) -> None:
    passwd, _, rest = data.partition(b"\0\0")
    group, _, user = rest.partition(b"\0\0")
    with tempfile.TemporaryDirectory() as root:
        os.mkdir(f"{root}/etc")
        Path(root, "etc/passwd").write_bytes(passwd)
        Path(root, "etc/group").write_bytes(group)
        root_fd = os.open(root, os.O_PATH | os.O_DIRECTORY)
        try:
            resolve(root_fd, user.decode("utf-8", "replace"), ())
        finally:
            os.close(root_fd)


def _resolver(data: bytes) -> None:
    found = answer(_NAMES, "c", data, udp=bool(data[:1] > b"\x7f"))
    failure(data)
    is_answer_to(data, found if isinstance(found, bytes) else b"")


def _project(text: str) -> None:
    for node in parse_all(text, "f"):
        plain: Any = to_plain(node)
        if isinstance(plain, dict):
            project_of(plain, "app")


def _quadlet(text: str) -> None:
    document, _ = read_units(units_in("web.container", text))
    project_of(document, "app")


def _archive(data: bytes) -> None:
    manifest, _, index = data.partition(b"\0\0")
    documents = {name: text.decode("utf-8", "surrogateescape") for name, text in _named(manifest, index)}
    archives._images_of(documents, {"a": "b", "b": "a"})  # pyright: ignore[reportPrivateUsage]


def _named(manifest: bytes, index: bytes) -> Iterable[tuple[str, bytes]]:
    yield "manifest.json", manifest
    if index:
        yield "index.json", index
    config = _json({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [_DIGEST]}})
    yield "config.json", config
    yield f"blobs/sha256/{'a' * 64}", config


def _registry(data: bytes) -> None:
    """Documents of registries and token servers, none of which are of this engine's making."""
    readers: tuple[Callable[[], object], ...] = (
        lambda: remote._listed(data, Reference.parse("a/b")),  # pyright: ignore[reportPrivateUsage]
        lambda: search._hits(data, "docker.io"),  # pyright: ignore[reportPrivateUsage]
        lambda: session._message(data),  # pyright: ignore[reportPrivateUsage]
        lambda: session._token_of(data, "x"),  # pyright: ignore[reportPrivateUsage]
        lambda: session._refresh_token_of(data),  # pyright: ignore[reportPrivateUsage]
        lambda: session._retry_after(data.decode("latin-1")),  # pyright: ignore[reportPrivateUsage]
        lambda: parse_challenges([data.decode("latin-1")]),
    )
    for read in readers:
        try:
            read()
        except HakobuError:
            continue


def _seccomp(text: str) -> None:
    seccomp.resolve(seccomp.parse_profile_text(text), frozenset({"CAP_CHOWN"}), "x86_64", "6.1.0")


def _tar_seed() -> bytes:
    from hakobu.store.archive.entry import Entry, EntryType
    from hakobu.store.archive.writer import TarWriter

    out = bytearray()
    writer = TarWriter(out.extend)
    writer.add(Entry(name=b"etc", type=EntryType.DIRECTORY, mode=0o755))
    writer.add_file(Entry(name=b"etc/" + b"n" * 120, type=EntryType.FILE, size=3), b"abc")
    writer.add(Entry(name=b"l", type=EntryType.SYMLINK, link=b"../../etc", mtime_ns=1_500_000_001))
    writer.close()
    return bytes(out)


_DESCRIPTOR = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": _DIGEST, "size": 7}
_MANIFEST = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "config": {**_DESCRIPTOR, "mediaType": "application/vnd.oci.image.config.v1+json"},
    "layers": [_DESCRIPTOR],
    "annotations": {"a": "b"},
}
_INDEX = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.index.v1+json",
    "manifests": [
        {**_DESCRIPTOR, "mediaType": _MANIFEST["mediaType"], "platform": {"os": "linux", "architecture": "amd64"}}
    ],
}
_CONFIG = {
    "architecture": "amd64",
    "os": "linux",
    "created": "2024-01-02T03:04:05.678Z",
    "config": {"Env": ["A=b"], "Cmd": ["sh"], "User": "0:0", "ExposedPorts": {"80/tcp": {}}, "Labels": {"a": "b"}},
    "rootfs": {"type": "layers", "diff_ids": [_DIGEST]},
    "history": [{"created": "2024-01-02T03:04:05Z", "created_by": "sh", "empty_layer": True}],
}
_OCI = {
    "ociVersion": "1.2.0",
    "process": {"args": ["sh"], "cwd": "/", "env": ["A=b"], "user": {"uid": 0, "gid": 0}, "rlimits": []},
    "root": {"path": "rootfs"},
    "mounts": [{"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid"]}],
    "linux": {
        "namespaces": [{"type": "pid"}, {"type": "network", "path": "/x"}],
        "resources": {"memory": {"limit": 1}, "devices": [{"allow": False, "access": "rwm"}], "pids": {"limit": 1}},
        "uidMappings": [{"containerID": 0, "hostID": 0, "size": 1}],
        "seccomp": {"defaultAction": "SCMP_ACT_ALLOW"},
        "timeOffsets": {"boottime": {"secs": 1, "nanosecs": 0}},
    },
}
_BODY = {
    "Image": "busybox",
    "Cmd": ["sh"],
    "Env": ["A=b"],
    "Labels": {"hakobu.timeout": "90s", "hakobu.bandwidth": "10mbit", "hakobu.idmap": "/x=1:2"},
    "ExposedPorts": {"80/tcp": {}},
    "Healthcheck": {"Test": ["CMD", "true"], "Interval": 1000000000},
    "HostConfig": {
        "Binds": ["/a:/b:ro", "v0:/c"],
        "Mounts": [{"Type": "volume", "Source": "vol", "Target": "/d", "VolumeOptions": {"Subpath": "x"}}],
        "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8000-8010"}]},
        "Memory": 1 << 30,
        "NanoCpus": 1,
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3},
        "SecurityOpt": ["no-new-privileges", "seccomp=unconfined"],
        "Ulimits": [{"Name": "nofile", "Soft": 1, "Hard": 2}],
        "Devices": [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/x", "CgroupPermissions": "r"}],
        "Tmpfs": {"/t": "size=1m,mode=755"},
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}},
        "ExtraHosts": ["a:1.2.3.4"],
    },
    "NetworkingConfig": {"EndpointsConfig": {"n": {"IPAMConfig": {"IPv4Address": "10.0.0.5"}, "Aliases": ["a"]}}},
}
_NETWORK = {
    "Name": "n",
    "IPAM": {"Config": [{"Subnet": "10.1.0.0/16", "Gateway": "10.1.0.1", "AuxiliaryAddresses": {"a": "10.1.0.9"}}]},
    "Options": {"com.docker.network.driver.mtu": "1400"},
}
_COMPOSE = b"""services:
  web:
    image: nginx:${TAG:-1}
    ports: ["8080:80", {target: 80, published: "8000-8010", protocol: udp}]
    environment: {A: b}
    depends_on: {db: {condition: service_healthy}}
    healthcheck: {test: [CMD, "true"], interval: 1m30s}
    deploy: {resources: {limits: {cpus: "0.5", memory: 50M}}}
    volumes: ["data:/var/lib:ro", {type: bind, source: ./x, target: /y}]
  db: &db {image: postgres, networks: {n: {ipv4_address: 10.0.0.2}}}
  db2: {<<: *db}
volumes: {data: {}}
networks: {n: {ipam: {config: [{subnet: 10.0.0.0/24}]}}}
"""
_KUBE = b"""apiVersion: v1
kind: Pod
metadata: {name: web, labels: {a: b}}
spec:
  containers:
  - name: web
    image: nginx
    ports: [{containerPort: 80, hostPort: 8080}]
    env: [{name: A, value: b}]
    volumeMounts: [{name: v, mountPath: /v}]
    resources: {limits: {cpu: 500m, memory: 64Mi}}
    livenessProbe: {exec: {command: ["true"]}, periodSeconds: 3}
  volumes: [{name: v, emptyDir: {}}]
"""
_QUADLET = b"""[Unit]
Description=web
After=db.service
[Container]
Image=nginx
PublishPort=8080:80
Environment="A=b c" D=e
Volume=data.volume:/v:ro
HealthCmd=curl -f x
PodmanArgs=--cpus 1
[Service]
Restart=always
"""
_POLICY = {"name": "x", "allow": ["containers:*"], "labels": {"a": "b"}, "binds": ["/srv:ro"], "features": ["publish"]}
_QUESTION = dns.message.make_query("db", "A", use_edns=0, want_dnssec=True).to_wire()

TARGETS: tuple[Target, ...] = (
    Target("json", load_json, (Invalid,), (_json(_OCI), b"[" * 300, b'{"a":1e400,"a":"\\ud800"}')),
    Target("oci-config", parse_runtime_config, (Invalid,), (_json(_OCI),)),
    Target("oci-process", parse_process, (Invalid,), (_json(_OCI["process"]),)),
    Target(
        "seccomp-profile",
        _text(_seccomp),
        (HakobuError,),
        (
            _json(
                {
                    "defaultAction": "SCMP_ACT_ERRNO",
                    "architectures": ["SCMP_ARCH_X86_64"],
                    "syscalls": [
                        {
                            "names": ["read"],
                            "action": "SCMP_ACT_ALLOW",
                            "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}],
                            "includes": {"caps": ["CAP_CHOWN"], "minKernel": "4.8"},
                        }
                    ],
                }
            ),
        ),
    ),
    Target("manifest", parse_manifest, (HakobuError,), (_json(_MANIFEST), _json(_INDEX))),
    Target("image-config", ImageConfig.parse, (HakobuError,), (_json(_CONFIG),)),
    Target(
        "image-archive",
        _archive,
        (HakobuError,),
        (_json([{"Config": "config.json", "RepoTags": ["a:1"], "Layers": ["l/layer.tar"]}]) + b"\0\0" + _json(_INDEX),),
    ),
    Target("layer", _tar, (BadArchive,), (_tar_seed(),)),
    Target("users", _users, (UserNotFound,), (b"root:x:0:0::/:/bin/sh\n\0\0web:x:5:root\n\0\0root:web",)),
    Target(
        "registry",
        _registry,
        (),
        (
            _json({"tags": ["1", "2"]}),
            _json({"token": "x", "refresh_token": "y"}),
            _json({"errors": [{"code": "UNAUTHORIZED", "message": "x"}]}),
            b'Bearer realm="https://x/t",service="s",scope="repository:a:pull"',
            b"Wed, 21 Oct 2015 07:28:00 GMT",
            _json([{"name": "x", "star_count": 1, "is_official": True}]),
        ),
    ),
    Target("mirrors", _text(parse_mirrors), (HakobuError,), (b'[registry."a.example"]\nmirrors = ["https://b"]\n',)),
    Target("reference", _text(Reference.parse), (HakobuError,), (b"r.example:5000/a/b:1@" + _DIGEST.encode(),)),
    Target("platform", _text(Platform.parse), (HakobuError,), (b"linux/arm/v7",)),
    Target("head", _head, (BadRequest,), (b"GET /v1.51/_ping?a=b HTTP/1.1\r\nHost: x\r\nUpgrade: tcp\r\n\r\n",)),
    Target("chunks", _chunks, (MalformedBody,), (b"5;x=y\r\nhello\r\n0\r\nT: x\r\n\r\n",)),
    Target("create", _create, (HakobuError,), (_json(_BODY),)),
    Target(
        "bodies", _bodies, (), (_json(_NETWORK), _json({"Cmd": ["sh"], "ConsoleSize": [1, 2]}), _json({"Memory": 1}))
    ),
    Target(
        "queries",
        _text(_queries),
        (BadRequest,),
        (
            b"filters=%7B%22label%22%3A%5B%22a%3Db%22%5D%7D&since=1.5&t=-1&platforms=%7B%22os%22%3A%22linux%22%7D"
            b"&detachKeys=ctrl-p,a",
        ),
    ),
    Target("policy", lambda data: parse_policy(load_json(data)), (Invalid,), (_json(_POLICY),)),
    Target("compose", _text(_project), (HakobuError,), (_COMPOSE,)),
    Target(
        "environment-file",
        _text(lambda text: parse_env(text, "f", {}.get)),
        (HakobuError,),
        (b"A='b'\nexport C=${A:-x}\n",),
    ),
    Target(
        "template", _text(lambda text: substitute(text, {"A": "b"}.get)), (BadTemplate,), (b"${A:?x} $$ ${B:-${C}}",)
    ),
    Target(
        "kubernetes",
        _text(lambda text: project_of(whole_document(read_kube(text, "f").pods), "app")),
        (HakobuError,),
        (_KUBE,),
    ),
    Target("quadlet", _text(_quadlet), (HakobuError,), (_QUADLET,)),
    Target("resolver", _resolver, (), (_QUESTION,)),
    Target(
        "resolv-conf", _text(network_files.parse_resolv_conf), (), (b"nameserver 1.1.1.1\nsearch a b\noptions x\n",)
    ),
)
