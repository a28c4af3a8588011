"""What a file may say, what is refused, and that a refusal names file, line and attribute."""

from pathlib import Path

import pytest

from hakobu.compose.failure import BadComposeFile, NoConfigurationFile, UnsupportedAttribute
from hakobu.compose.load import BadProjectName, Selection, load
from hakobu.compose.model.attribute import REFUSED
from hakobu.compose.model.port import Port
from hakobu.compose.model.project import Project
from hakobu.compose.model.reading import format_duration, read_duration, read_size
from hakobu.compose.node import string


def read(tmp_path: Path, text: str, **options: object) -> Project:
    (tmp_path / "compose.yaml").write_text(text)
    options.setdefault("environment", {})
    return load(Selection(working_directory=str(tmp_path), **options))  # type: ignore[arg-type]


def service(tmp_path: Path, *lines: str) -> object:
    body = "\n".join(f"    {line}" for line in lines)
    return read(tmp_path, f"name: p\nservices:\n  web:\n    image: x\n{body}\n").services["web"]


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_unsupported_attributes_are_refused_by_name_and_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnsupportedAttribute) as caught:
        service(tmp_path, "user: root", f"{name}: x")
    assert str(caught.value).startswith(f"{tmp_path}/compose.yaml:6: services.web.{name} is not supported: ")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("prots: [80]", "compose.yaml:5: services.web additional properties 'prots' not allowed"),
        ("user: 1000", "services.web.user must be a string"),
        ("privileged: maybe", "services.web.privileged must be a boolean"),
        ("ports: [99999]", "services.web.ports.0 is not a port"),
        ("ports: ['80:81:82:83']", "services.web.ports.0 is not a port"),
        ("ports: ['1-3:1-2']", "invalid ranges"),
        ("ports: [{published: 80}]", "needs a target"),
        ("volumes: ['a:b']", "is not a mount"),
        ("volumes: ['a:/b:nope']", "unknown option 'nope'"),
        ("volumes: ['missing:/b']", "refers to undefined volume missing"),
        ("volumes: [{type: npipe, target: /x}]", "type npipe are not carried out"),
        ("volumes: [{type: bind, target: /x}]", "needs a source"),
        ("volumes: [{type: tmpfs, target: /x, bind: {}}]", "does not belong to a mount of type tmpfs"),
        ("networks: [nope]", "refers to undefined network nope"),
        ("networks: {default: {interface_name: eth7}}", "networks.default.interface_name is not supported"),
        ("depends_on: [nope]", "depends on undefined service nope"),
        ("depends_on: {web: {}}", "needs a condition"),
        ("depends_on: [web]", "dependency cycle detected: web -> web"),
        ("depends_on: {web: {condition: tomorrow}}", "must be one of service_started"),
        ("healthcheck: {test: [curl, x]}", "must start with NONE, CMD or CMD-SHELL"),
        ("healthcheck: {interval: 5}", "is not a duration"),
        ("mem_limit: lots", "is not a size"),
        ("command: 'a \"b'", "is not a command line"),
        ("restart: sometimes", "is not a restart policy"),
        ("pull_policy: build", "must be always, never or missing"),
        ("secrets: [nope]", "refers to undefined secret nope"),
        ("scale: -1", "negative number of containers"),
        ("deploy: {placement: {}}", "deploy.placement is not supported"),
        ("env_file: nope.env", "nope.env"),
        ("env_file: [{path: x, required: no}]", "required must be a boolean"),
        ("expose: [x]", "is not a port"),
        ("extra_hosts: [x]", "is not a host and an address"),
        ("ulimits: {nofile: {soft: 1}}", "needs soft and hard"),
    ],
)
def test_what_is_refused(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(BadComposeFile, match=None) as caught:
        service(tmp_path, line)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("services: {a: {}}", "neither an image nor a build context"),
        ("services: {a: x}", "services.a must be a mapping"),
        ("include: [x]\nservices: {}", "compose.yaml:1: include is not supported"),
        ("foo: 1", "additional properties 'foo' not allowed"),
        ("- a", "top-level object must be a mapping"),
        ("", "empty compose file"),
        ("services: {a: {image: x, container_name: n, scale: 2}}", "more than one container"),
        ("services: {a: {image: x, network_mode: host, networks: [default]}}", "mutually exclusive"),
        ("services: {a: {image: x, depends_on: [b]}, b: {image: x, depends_on: [a]}}", "cycle detected: a -> b -> a"),
        ("secrets: {s: {external: true}}", "secrets.s.external is not supported"),
        ("secrets: {s: {}}", "exactly one of file"),
        ("volumes: {v: {foo: 1}}", "volumes.v additional properties 'foo'"),
    ],
)
def test_what_is_refused_of_a_file(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadComposeFile, match=None) as caught:
        read(tmp_path, text)
    assert said in str(caught.value)


def test_a_likely_misspelling_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadComposeFile) as caught:
        service(tmp_path, "prots: [80]")
    assert caught.value.hint == "did you mean 'ports'?"


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("80", [Port(target=80)]),
        ("8080:80", [Port(target=80, published="8080")]),
        ("8000-8001:80", [Port(target=80, published="8000-8001")]),
        ("127.0.0.1:8080:80/udp", [Port(target=80, published="8080", host_ip="127.0.0.1", protocol="udp")]),
        ("127.0.0.1::80", [Port(target=80, host_ip="127.0.0.1")]),
        ("'[::1]:8080:80'", [Port(target=80, published="8080", host_ip="::1")]),
        ("'::1:8080:80'", [Port(target=80, published="8080", host_ip="::1")]),
        ("9000-9001:90-91", [Port(target=90, published="9000"), Port(target=91, published="9001")]),
        ("90-91", [Port(target=90), Port(target=91)]),
    ],
)
def test_ports(tmp_path: Path, text: str, ports: list[Port]) -> None:
    assert list(service(tmp_path, f"ports: [{text}]").ports) == ports  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "ns", "printed"),
    [
        ("1m30s", 90 * 10**9, "1m30s"),
        ("500ms", 500 * 10**6, "500ms"),
        ("1.5s", 1500 * 10**6, "1.5s"),
        ("2h", 7200 * 10**9, "2h0m0s"),
        ("1d", 86400 * 10**9, "24h0m0s"),
        ("10us", 10_000, "10µs"),
        ("0s", 0, "0s"),
    ],
)
def test_durations(text: str, ns: int, printed: str) -> None:
    assert read_duration(string(text), "x") == ns
    assert format_duration(ns) == printed


@pytest.mark.parametrize(
    ("text", "size"),
    [("1k", 1024), ("64m", 64 << 20), ("1.5gb", 3 << 29), ("10", 10), ("5KiB", 5120), ("-1", -1), ("2b", 2)],
)
def test_sizes(text: str, size: int) -> None:
    assert read_size(string(text), "x") == size


def test_interpolated_values_take_the_attributes_type(tmp_path: Path) -> None:
    text = "services:\n  web:\n    image: x:$TAG\n    privileged: ${P}\n    scale: ${N}\n    ports: ['${N}80:80']\n"
    web = read(tmp_path, text, environment={"P": "true", "N": "2", "TAG": "1"}).services["web"]
    assert (web.image, web.privileged, web.scale, web.ports[0].published) == ("x:1", True, 2, "280")


def test_environment_precedence(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=dotenv\nB=dotenv\n")
    (tmp_path / "s.env").write_text("C=file\nD=file\nE=${B}\n")
    text = "services:\n  web:\n    image: $A-$B\n    env_file: s.env\n    environment: {D: own, B: , Z: }\n"
    web = read(tmp_path, text, environment={"A": "shell"}).services["web"]
    assert web.image == "shell-dotenv"
    assert web.environment == {"B": "dotenv", "C": "file", "D": "own", "E": "dotenv", "Z": None}


def test_profiles(tmp_path: Path) -> None:
    text = "services: {a: {image: x}, b: {image: x, profiles: [p]}, c: {image: x, profiles: [q]}}"
    assert list(read(tmp_path, text).services) == ["a"]
    assert list(read(tmp_path, text, profiles=("p",)).services) == ["a", "b"]
    assert list(read(tmp_path, text, profiles=("*",)).services) == ["a", "b", "c"]
    assert list(read(tmp_path, text, environment={"COMPOSE_PROFILES": "p,q"}).services) == ["a", "b", "c"]


def test_an_unused_service_may_ask_for_what_is_not_supported(tmp_path: Path) -> None:
    text = "services: {a: {image: x}, b: {build: ., profiles: [p]}}"
    project = read(tmp_path, text)
    assert list(project.services) == ["a"]
    with pytest.raises(UnsupportedAttribute):
        project.service("b")
    with pytest.raises(UnsupportedAttribute):
        read(tmp_path, text, profiles=("p",))


@pytest.mark.parametrize(
    ("directory", "name"), [("My App.v2", "myappv2"), ("_x-1", "x-1"), ("日本", None), ("web_cache", "web_cache")]
)
def test_project_name_of_a_directory(tmp_path: Path, directory: str, name: str | None) -> None:
    (tmp_path / directory).mkdir()
    if name is None:
        with pytest.raises(Exception, match="project name must not be empty"):
            read(tmp_path / directory, "services: {}")
    else:
        assert read(tmp_path / directory, "services: {}").name == name


def test_project_name_precedence(tmp_path: Path) -> None:
    text = "name: file-${X:-y}\nservices: {}"
    assert read(tmp_path, text).name == "file-y"
    assert read(tmp_path, text, environment={"COMPOSE_PROJECT_NAME": "env"}).name == "env"
    assert read(tmp_path, text, name="flag", environment={"COMPOSE_PROJECT_NAME": "env"}).name == "flag"
    with pytest.raises(BadProjectName):
        read(tmp_path, text, name="Bad Name")


def test_files_are_found_upwards_with_their_override(tmp_path: Path) -> None:
    (tmp_path / "compose.override.yaml").write_text("services: {a: {user: me}}")
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "compose.yaml").write_text("services: {a: {image: x}}")
    project = load(Selection(working_directory=str(tmp_path / "deep" / "er")))
    assert project.services["a"].user == "me"
    assert project.directory == str(tmp_path)
    with pytest.raises(NoConfigurationFile):
        load(Selection(working_directory="/proc"))


def test_shared_namespaces_are_dependencies(tmp_path: Path) -> None:
    text = "services: {a: {image: x, network_mode: 'service:b', volumes_from: [c]}, b: {image: x}, c: {image: x}}"
    assert list(read(tmp_path, text).services["a"].depends_on) == ["b", "c"]
