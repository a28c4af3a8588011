"""A daemon, the real registry, and the command lines: push, login, logout, what a name stands for, search."""

import http.server
import json
import shutil
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.daemon import Daemon
from tests.integration.test_cli_terminal import Terminal
from tests.leaks import need

from hakobu.client.endpoint import choose
from hakobu.client.engine import Engine
from hakobu.client.error import EngineError
from hakobu.kernel import mount

from .server import REGISTRY, Basic, Served, Tokens, serving

SECRET = "a secret: of mine"
NAME = "registry.hakobu.test"


@pytest.fixture(scope="module")
def registry(engine: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    need(REGISTRY is not None, "docker-registry")
    with serving(tmp_path_factory.mktemp("registry")) as found:
        yield found


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The clients' own configuration."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "config"))
    return tmp_path / "config" / "config.json"


@pytest.fixture
def named(tmp_path: Path) -> Iterator[Path]:
    """A name that leads to loopback without being it, and the folder for its certificates; both for this session."""
    hosts = tmp_path / "hosts"
    hosts.write_text(Path("/etc/hosts").read_text() + f"127.0.0.1 {NAME}\n")
    folder = tmp_path / "etc-docker"
    (folder / "certs.d").mkdir(parents=True)
    there = Path("/etc/docker").is_dir()
    Path("/etc/docker").mkdir(exist_ok=True)
    mount.mount(str(hosts), "/etc/hosts", None, mount.MS_BIND)
    mount.mount(str(folder), "/etc/docker", None, mount.MS_BIND)
    yield folder / "certs.d"
    mount.umount2("/etc/docker", 0)
    mount.umount2("/etc/hosts", 0)
    if not there:
        Path("/etc/docker").rmdir()


def test_a_push_sends_what_is_missing_and_other_repositories_lend_the_rest(
    engine: Daemon, registry: Served, config: Path
) -> None:
    first, second = f"{registry.host}/team/one", f"{registry.host}/team/two"
    engine.hakobu("tag", "busybox", f"{first}:v1")
    told = engine.docker("push", f"{first}:v1").stdout
    assert f"The push refers to repository [{first}]" in told
    assert "Pushed" in told
    digest = told.split("digest: ")[1].split(" ")[0]
    assert f"v1: digest: {digest} size: " in told
    assert "Layer already exists" in engine.hakobu("push", f"{first}:v1").stdout
    engine.hakobu("tag", "busybox", f"{second}:a")
    engine.hakobu("tag", "busybox", f"{second}:b")
    every = engine.hakobu("push", "--all-tags", second).stdout
    assert "Mounted from team/one" in every
    assert f"a: digest: {digest}" in every and f"b: digest: {digest}" in every
    assert engine.hakobu("push", "-q", f"{second}:a").stdout == f"{second}:a\n"
    assert engine.hakobu("image", "inspect", "-f", "{{json .RepoDigests}}", first + ":v1").stdout.count(digest) == 2
    if skopeo := shutil.which("skopeo"):
        argv = [skopeo, "inspect", "--tls-verify=false", f"docker://{second}:b"]
        assert json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)["Digest"] == digest
    engine.hakobu("rmi", f"{first}:v1", f"{second}:a", f"{second}:b")


def test_what_cannot_be_pushed_is_said_as_docker_says_it(engine: Daemon, registry: Served, config: Path) -> None:
    nothing = engine.hakobu("push", f"{registry.host}/no/such:v1", check=False)
    assert nothing.returncode == 1
    assert f"An image does not exist locally with the tag: {registry.host}/no/such\n" in nothing.stderr
    name = f"{registry.host}/team/platform:v1"
    engine.hakobu("tag", "busybox", name)
    other = engine.docker("push", "--platform", "linux/s390x", name, check=False)
    assert other.returncode == 1
    assert (
        "was found but its platform (linux/amd64) does not match the specified platform (linux/s390x)" in other.stderr
    )
    engine.hakobu("rmi", name)


@pytest.mark.parametrize("door", ["hakobu", "docker"])
def test_basic_logins_are_kept_in_the_configuration_and_used(
    engine: Daemon, config: Path, tmp_path: Path, door: str
) -> None:
    command = getattr(engine, door)
    with serving(tmp_path, auth=Basic("me", SECRET)) as registry:
        name = f"{registry.host}/private/app:v1"
        engine.hakobu("tag", "busybox", name)
        refused = command("push", name, check=False)
        assert refused.returncode == 1 and "no basic auth credentials" in refused.stderr
        wrong = command("login", "-u", "me", "--password-stdin", registry.host, stdin="wrong\n", check=False)
        assert wrong.returncode == 1 and "401 Unauthorized" in wrong.stderr
        assert not config.exists() or registry.host not in config.read_text()
        done = command("login", "-u", "me", "--password-stdin", registry.host, stdin=f"{SECRET}\n")
        assert "Login Succeeded" in done.stdout
        assert SECRET not in done.stdout + done.stderr
        assert stat.S_IMODE(config.stat().st_mode) == 0o600
        assert list(json.loads(config.read_text())["auths"]) == [registry.host]
        assert "digest: sha256:" in command("push", name).stdout
        assert "Login Succeeded" in command("login", registry.host).stdout  # with what is stored
        assert "Removing login credentials" in command("logout", registry.host).stdout
        assert "no basic auth credentials" in command("push", name, check=False).stderr
        engine.hakobu("rmi", name)
        assert SECRET not in engine.log()


def test_a_login_asks_on_a_terminal_and_does_not_show_the_password(
    engine: Daemon, config: Path, tmp_path: Path
) -> None:
    with serving(tmp_path, auth=Basic("me", SECRET)) as registry:
        asked = Terminal(engine.url, "login", registry.host)
        asked.until("Username: ")
        asked.type("me\n")
        asked.until("Password: ")
        asked.type(f"{SECRET}\n")
        asked.until("Login Succeeded")
        assert SECRET not in asked.seen
        assert asked.end() == 0
        assert list(json.loads(config.read_text())["auths"]) == [registry.host]
        without = engine.hakobu("login", "-u", "me", "localhost:1", check=False)
        assert without.returncode == 1 and "Cannot perform an interactive login from a non TTY device" in without.stderr


def test_a_login_keeps_what_else_the_configuration_has(engine: Daemon, config: Path, tmp_path: Path) -> None:
    """The file is the owner's alone from then on; one that cannot be read is left as it was, and named."""
    config.parent.mkdir()
    config.write_text('{"psFormat": "table {{.ID}}"}')
    with serving(tmp_path, auth=Basic("me", SECRET)) as registry:
        login = ("login", "-u", "me", "--password-stdin", registry.host)
        engine.hakobu(*login, stdin=SECRET)
        assert list(json.loads(config.read_text())) == ["psFormat", "auths"]
        assert stat.S_IMODE(config.stat().st_mode) == 0o600
        engine.hakobu("logout", registry.host)
        assert json.loads(config.read_text()) == {"psFormat": "table {{.ID}}", "auths": {}}
        config.write_text('{"psFormat": ')
        broken = engine.hakobu(*login, stdin=SECRET, check=False)
        assert broken.returncode == 1 and f"{config} is not JSON" in broken.stderr
        assert config.read_text() == '{"psFormat": '
        assert [path.name for path in config.parent.iterdir()] == ["config.json"]


def test_a_credential_helper_keeps_the_login_and_the_file_has_no_secret(
    engine: Daemon, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = tmp_path / "bin" / "docker-credential-folder"
    helper.parent.mkdir()
    helper.write_text(
        f"#!/bin/sh\ncd {tmp_path}\ncase $1 in\nstore) cat >kept;;\nerase) rm kept;;\n"
        "get) cat kept 2>/dev/null || { echo credentials not found in native keychain; exit 1; };;\nesac\n"
    )
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{helper.parent}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
    config.parent.mkdir()
    config.write_text('{"credsStore": "folder", "psFormat": "table {{.ID}}"}')
    with serving(tmp_path, auth=Basic("me", SECRET)) as registry:
        done = engine.hakobu("login", "-u", "me", "--password-stdin", registry.host, stdin=SECRET)
        assert "stored unencrypted" not in done.stderr
        kept = json.loads((tmp_path / "kept").read_text())
        assert kept == {"ServerURL": registry.host, "Username": "me", "Secret": SECRET}
        written = json.loads(config.read_text())
        assert written == {"credsStore": "folder", "psFormat": "table {{.ID}}", "auths": {registry.host: {}}}
        name = f"{registry.host}/private/app:v1"
        engine.hakobu("tag", "busybox", name)
        engine.hakobu("push", name)
        engine.hakobu("logout", registry.host)
        assert not (tmp_path / "kept").exists()
        engine.hakobu("rmi", name)


def test_tokens_over_tls_with_an_authority_of_the_registry_s_own(
    engine: Daemon, config: Path, tmp_path: Path, named: Path
) -> None:
    auth = Tokens("me", SECRET, refresh="stands-for-me")
    with serving(tmp_path, auth=auth, tls=True, name=NAME) as registry:
        login = ("login", "-u", "me", "--password-stdin", registry.host)
        unknown = engine.hakobu(*login, stdin=SECRET, check=False)
        assert (
            unknown.returncode == 1
            and "tls: failed to verify certificate: x509: self-signed certificate" in unknown.stderr
        )
        (named / registry.host).mkdir()
        assert registry.authority is not None
        shutil.copy(registry.authority, named / registry.host / "ca.crt")
        wrong = engine.hakobu(*login, stdin="wrong", check=False)
        assert wrong.returncode == 1 and "unauthorized: incorrect username or password" in wrong.stderr
        engine.hakobu(*login, stdin=SECRET)
        kept = json.loads(config.read_text())["auths"][registry.host]
        assert kept["identitytoken"] == "stands-for-me"
        assert SECRET not in config.read_text()
        first, second = f"{registry.host}/team/one:v1", f"{registry.host}/team/two:v1"
        for name in (first, second):
            engine.hakobu("tag", "busybox", name)
        engine.hakobu("push", first)
        assert "Mounted from team/one" in engine.hakobu("push", second).stdout
        assert any("repository:team/one:pull" in " ".join(q.get("scope", ())) for q in auth.asked)
        engine.hakobu("rmi", first, second)
        engine.hakobu("pull", first)
        engine.hakobu("logout", registry.host)
        denied = engine.hakobu("pull", second, check=False)
        assert "pull access denied" in denied.stderr
        engine.hakobu("tag", first, second)
        assert "denied: " in engine.hakobu("push", second, check=False).stderr
        engine.hakobu("rmi", first, second)


def test_what_a_name_stands_for_is_asked_of_its_registry(engine: Daemon, registry: Served, config: Path) -> None:
    name = f"{registry.host}/team/described:v1"
    engine.hakobu("tag", "busybox", name)
    digest = engine.hakobu("push", name).stdout.split("digest: ")[1].split(" ")[0]
    with Engine(choose(engine.url, "", env={})) as client:
        found = client.images.distribution(name)
        with pytest.raises(EngineError, match="manifest unknown") as missing:
            client.images.distribution(f"{registry.host}/team/described:none")
    assert found["Descriptor"]["digest"] == digest
    assert found["Descriptor"]["mediaType"].endswith("manifest.v1+json")
    assert found["Descriptor"]["size"] > 0
    assert found["Platforms"] == [{"architecture": "amd64", "os": "linux"}]
    assert missing.value.status == 404
    engine.hakobu("rmi", name)


def test_a_registry_of_the_second_version_cannot_be_searched(engine: Daemon, registry: Served, config: Path) -> None:
    for command in (engine.hakobu, engine.docker):
        done = command("search", f"{registry.host}/word", check=False)
        assert done.returncode == 1
        assert "Unexpected status code 404" in done.stderr
    bad = engine.docker("search", "--limit", "101", f"{registry.host}/word", check=False)
    assert "limit 101 is outside the range of [1, 100]" in bad.stderr


def test_a_search_shows_what_the_registry_found(engine: Daemon, config: Path) -> None:
    results = [
        {"name": "one", "description": "a long one\n" * 10, "star_count": 3, "is_official": True},
        {"name": "two", "description": "", "star_count": 30, "is_official": False},
    ]
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            data = json.dumps({"num_results": 2, "results": results}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        host = f"127.0.0.1:{server.server_address[1]}"
        ours = engine.hakobu("search", "--limit", "7", f"{host}/word").stdout
        theirs = engine.docker("search", "--limit", "7", f"{host}/word").stdout
        starred = engine.hakobu("search", "--filter", "stars=10", "--format", "{{.Name}}", f"{host}/word").stdout
        server.shutdown()
        thread.join()
    assert "/v1/search?q=word&n=7" in asked
    assert ours == theirs
    assert starred == "two\n"


def test_every_tag_of_a_repository_is_pulled(engine: Daemon, registry: Served, config: Path) -> None:
    name = f"{registry.host}/team/every"
    for tag in ("a", "b", "latest"):
        engine.hakobu("tag", "busybox", f"{name}:{tag}")
    engine.hakobu("push", "-aq", name)
    for command in (engine.hakobu, engine.docker):
        engine.hakobu("rmi", *(f"{name}:{tag}" for tag in ("a", "b", "latest")))
        told = command("pull", "--all-tags", name).stdout
        assert "a: Pulling from team/every" in told and "latest: Pulling from team/every" in told
        assert engine.hakobu("images", "--format", "{{.Tag}}", name).stdout.split() == ["a", "b", "latest"]
    engine.hakobu("rmi", *(f"{name}:{tag}" for tag in ("a", "b", "latest")))
    missing = engine.docker("pull", "-a", f"{registry.host}/team/nowhere", check=False)
    assert missing.returncode == 1 and "repository name not known to registry" in missing.stderr
