"""What a file may say, what is refused, and that a refusal names file, line and attribute."""

from pathlib import Path

import pytest

from hakobu.compose.failure import BadComposeFile, NoConfigurationFile, SeveralMistakes, UnsupportedAttribute
from hakobu.compose.load import BadProjectName, Selection, load
from hakobu.compose.model.port import Port
from hakobu.compose.model.project import Project
from hakobu.compose.model.reading import format_duration, read_duration, read_size
from hakobu.compose.node import string
from hakobu.compose.support import refuse_unsupported


def read(tmp_path: Path, text: str, **options: object) -> Project:
    (tmp_path / "compose.yaml").write_text(text)
    options.setdefault("environment", {})
    return load(Selection(working_directory=str(tmp_path), **options))  # type: ignore[arg-type]


def service(tmp_path: Path, *lines: str) -> object:
    body = "\n".join(f"    {line}" for line in lines)
    return read(tmp_path, f"name: p\nservices:\n  web:\n    image: x\n{body}\n").services["web"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("models: [m]\nmodels: {m: {model: x}}", "6:5: services.web.models is not supported: language models"),
        ("volumes: [{type: npipe, target: /x}]", "6:5: services.web.volumes.0.type is not supported: mounts of type"),
        ("volumes: [{type: cluster, source: v}]", "mounts of type cluster"),
    ],
)
def test_what_is_not_carried_out_is_said_when_it_is_asked_for(tmp_path: Path, line: str, said: str) -> None:
    project = read(tmp_path, f"name: p\nservices:\n  web:\n    image: x\n    user: root\n    {line}\n")
    with pytest.raises(UnsupportedAttribute) as caught:
        refuse_unsupported(project, ["web"])
    assert said in str(caught.value)


def test_all_that_is_not_carried_out_is_said_at_once(tmp_path: Path) -> None:
    text = (
        "services: {a: {image: x, models: [m], secrets: [s]}}\nmodels: {m: {model: y}}\nsecrets: {s: {external: true}}"
    )
    project = read(tmp_path, text)
    with pytest.raises(SeveralMistakes) as caught:
        refuse_unsupported(project, ["a"])
    assert [m.path for m in caught.value.mistakes] == ["services.a.models", "secrets.s.external"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("prots: [80]", "compose.yaml:5:5: services.web additional properties 'prots' not allowed"),
        ("user: 1000", "services.web.user must be a string"),
        ("privileged: maybe", "services.web.privileged must be a boolean"),
        ("ports: [99999]", "services.web.ports.0 is not a port"),
        ("ports: ['80:81:82:83']", "services.web.ports.0 is not a port"),
        ("ports: ['1-3:1-2']", "invalid ranges"),
        ("ports: [{published: 80}]", "services.web.ports.0 missing property 'target'"),
        ("volumes: ['a:b']", "is not a mount"),
        ("volumes: ['a:/b:nope']", "unknown option 'nope'"),
        ("volumes: ['missing:/b']", "refers to undefined volume missing"),
        ("volumes: [{type: floppy, target: /x}]", "volumes.0.type must be one of bind"),
        ("volumes: [{type: bind, target: /x}]", "needs a source"),
        ("volumes: [{type: tmpfs, target: /x, bind: {}}]", "does not belong to a mount of type tmpfs"),
        ("networks: [nope]", "refers to undefined network nope"),
        ("depends_on: [nope]", 'depends on undefined service "nope"'),
        ("depends_on: {web: {}}", "depends_on.web missing property 'condition'"),
        ("depends_on: [web]", "dependency cycle detected: web -> web"),
        ("depends_on: {web: {condition: tomorrow}}", "must be one of service_started"),
        ("healthcheck: {test: [curl, x]}", "must start with NONE, CMD or CMD-SHELL"),
        ("healthcheck: {interval: 5}", "is not a duration"),
        ("mem_limit: lots", "is not a size"),
        ("command: 'a \"b'", "is not a command line"),
        ("restart: sometimes", "is not a restart policy"),
        ("pull_policy: often", "must be one of always"),
        ("secrets: [nope]", "refers to undefined secret nope"),
        ("scale: -1", "negative number of containers"),
        ("env_file: nope.env", "nope.env"),
        ("env_file: [{path: x, required: maybe}]", "required must be a boolean"),
        ("expose: [x]", "is not a port"),
        ("extra_hosts: [x]", "is not a host and an address"),
        ("ulimits: {nofile: {soft: 1}}", "missing property 'hard'"),
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
        ("include: [nope.yaml]\nservices: {}", "nope.yaml: cannot be read"),
        ("include: [{env_file: x}]\nservices: {}", "compose.yaml:1:11: include.0 missing property 'path'"),
        ("foo: 1", "additional properties 'foo' not allowed"),
        ("- a", "top-level object must be a mapping"),
        ("", "empty compose file"),
        ("services: {a: {image: x, container_name: n, scale: 2}}", "container name must be unique"),
        ("services: {a: {image: x, network_mode: host, networks: [default]}}", "mutually exclusive"),
        ("services: {a: {image: x, depends_on: [b]}, b: {image: x, depends_on: [a]}}", "cycle detected: a -> b -> a"),
        ("secrets: {s: {}}", "one of file, environment, content or external must be set"),
        ("secrets: {s: {file: x, environment: y}}", "file|environment attributes are mutually exclusive"),
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


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = "services:\n  a:\n    image: [x]\n    tty: maybe\n  b:\n    imag: x\n    ports: [a, 80, b]\nfoo: 1\n"
    with pytest.raises(SeveralMistakes) as caught:
        read(tmp_path, text)
    assert [(m.mark.line, m.mark.column, m.path) for m in caught.value.mistakes] == [
        (3, 12, "services.a.image"),
        (4, 10, "services.a.tty"),
        (6, 5, "services.b"),
        (7, 13, "services.b.ports.0"),
        (7, 20, "services.b.ports.2"),
        (8, 1, ""),
    ]
    assert "did you mean 'image'?" in str(caught.value)


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
