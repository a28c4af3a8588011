"""Log drivers against receivers that nobody here wrote, or whose bytes a library of others decodes."""

import contextlib
import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from tests.conformance.api import receiver
from tests.conformance.api.speaker import Speaker, split_frames
from tests.integration.daemon import Daemon
from tests.leaks import need

pytestmark = pytest.mark.root


def log_of(api: Speaker, container: str) -> list[bytes]:
    _, _, body = api.call("GET", f"/containers/{container}/logs?stdout=1&stderr=1")
    return [data for _, data in split_frames(body)]


def config(driver: str, **options: str) -> dict[str, object]:
    named = {name.replace("_", "-"): value for name, value in options.items()}
    return {"LogConfig": {"Type": driver, "Config": named}}


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


# syslog, by rsyslogd


@pytest.mark.parametrize(
    ("network", "kind", "module"),
    [
        ("udp", socket.SOCK_DGRAM, "imudp"),
        ("tcp", socket.SOCK_STREAM, "imtcp"),
    ],
)
@pytest.mark.parametrize("form", ["", "rfc3164", "rfc5424", "rfc5424micro"])
def test_syslog_over_the_network_in_every_format(api: Speaker, tmp_path, network, kind, module, form):
    need(os.path.exists(receiver.RSYSLOGD), "rsyslog")
    port = free_port(kind)
    inputs = f'module(load="{module}")\ninput(type="{module}" address="127.0.0.1" port="{port}")'
    with receiver.rsyslog(tmp_path, inputs) as syslog:
        host = config(
            "syslog",
            syslog_address=f"{network}://127.0.0.1:{port}",
            syslog_facility="local3",
            syslog_format=form,
            tag="app.{{.Name}}",
        )
        container = api.create("sh", "-c", "echo hello out; echo hello err >&2", name="talker", host=host)
        assert api.call("POST", f"/containers/{container}/start")[0] == 204
        out, err = syslog.message("hello out"), syslog.message("hello err")
    assert (out["syslogfacility-text"], out["syslogseverity-text"]) == ("local3", "info")
    assert (err["syslogfacility-text"], err["syslogseverity-text"]) == ("local3", "err")
    assert (out["msg"].strip(), out["app-name"]) == ("hello out", "app.talker")
    if form:
        assert out["hostname"] == socket.gethostname()
    assert sorted(log_of(api, container)) == [b"hello err\n", b"hello out\n"]


def test_syslog_over_a_unix_socket(api: Speaker, tmp_path):
    need(os.path.exists(receiver.RSYSLOGD), "rsyslog")
    path = tmp_path / "sock"
    inputs = f'module(load="imuxsock" SysSock.Use="off")\ninput(type="imuxsock" Socket="{path}")'
    with receiver.rsyslog(tmp_path, inputs) as syslog:
        container = api.run("echo", "by a socket", host=config("syslog", syslog_address=f"unixgram://{path}"))
        assert syslog.message("by a socket")["app-name"] == container[:12]


def _certificate(folder: Path) -> None:
    argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    argv += ["-addext", "subjectAltName=DNS:localhost", "-keyout", f"{folder}/key", "-out", f"{folder}/cert"]
    subprocess.run(argv, check=True, capture_output=True)


def test_syslog_over_tls_with_counted_frames(api: Speaker, tmp_path):
    need(os.path.exists("/usr/lib/x86_64-linux-gnu/rsyslog/lmnsd_gtls.so"), "rsyslog-gnutls")
    _certificate(tmp_path)
    port = free_port(socket.SOCK_STREAM)
    inputs = (
        f'global(DefaultNetstreamDriver="gtls" DefaultNetstreamDriverCAFile="{tmp_path}/cert" '
        f'DefaultNetstreamDriverCertFile="{tmp_path}/cert" DefaultNetstreamDriverKeyFile="{tmp_path}/key")\n'
        'module(load="imtcp" StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="anon")\n'
        f'input(type="imtcp" port="{port}")'
    )
    address = f"tcp+tls://localhost:{port}"
    with receiver.rsyslog(tmp_path, inputs) as syslog:
        host = config("syslog", syslog_address=address, syslog_format="rfc5424", syslog_tls_ca_cert=f"{tmp_path}/cert")
        api.run("printf", "one\ntwo\n", host=host)
        assert syslog.message("two")["msg"].strip() == "two"
        assert [m["msg"].strip() for m in syslog.messages()] == ["one", "two"]
        stranger = api.create("true", host=config("syslog", syslog_address=address))
        status, text = api.refused("POST", f"/containers/{stranger}/start")
    assert status == 500
    assert "failed to initialize logging driver" in text and "CERTIFICATE_VERIFY_FAILED" in text


def test_a_receiver_that_is_not_there_fails_the_start(api: Speaker):
    port = free_port(socket.SOCK_STREAM)
    for host in (
        config("syslog", syslog_address=f"tcp://127.0.0.1:{port}"),
        config("fluentd", fluentd_address=f"127.0.0.1:{port}"),
        config("gelf", gelf_address=f"tcp://127.0.0.1:{port}"),
    ):
        container = api.create("true", host=host)
        status, text = api.refused("POST", f"/containers/{container}/start")
        assert (status, text) == (
            500,
            "failed to create task for container: failed to initialize logging driver: "
            f"dial tcp 127.0.0.1:{port}: connect: connection refused",
        )
        assert api.json("GET", f"/containers/{container}/json")["State"]["Status"] == "created"


# journald


def test_journald_has_every_field(api: Speaker, tmp_path):
    need(os.path.exists(receiver.JOURNALD), "systemd")
    with receiver.journal(tmp_path) as read:
        host = config("journald", labels="team,big", env_regex="^APP_", tag="t-{{.ID}}")
        script = "echo journal out; echo journal err >&2; head -c 20000 /dev/zero | tr '\\0' x"
        labels = {"team": "red", "big": "y" * 300_000}  # more than a datagram holds
        container = api.run("sh", "-c", script, host=host, Labels=labels, Env=["APP_X=1", "OTHER=2"])
        found = receiver.until(
            lambda: m if len(m := read(f"CONTAINER_ID_FULL={container}")) >= 4 else None,
            lambda: str([str(m.get("MESSAGE"))[:20] for m in read()]),
        )
    by_text = {str(m["MESSAGE"])[:11]: m for m in found}
    out = by_text["journal out"]
    assert out["CONTAINER_ID"] == container[:12] and out["IMAGE_NAME"] == "bb"
    assert out["CONTAINER_TAG"] == out["SYSLOG_IDENTIFIER"] == f"t-{container[:12]}"
    assert (out["TEAM"], out["APP_X"], out["PRIORITY"]) == ("red", "1", "6")
    assert len(out["BIG"]) == 300_000
    assert sum(len(str(m["MESSAGE"])) for m in found if m.get("CONTAINER_PARTIAL_MESSAGE") == "true") == 20000
    assert "OTHER" not in out
    assert by_text["journal err"]["PRIORITY"] == "3"


# GELF


def udp_server() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    return sock


@pytest.mark.parametrize("kind", ["gzip", "zlib", "none"])
def test_gelf_datagrams(api: Speaker, kind):
    with receiver.collecting(udp_server(), receiver.gelf_datagrams) as graylog:
        host = config("gelf", gelf_address=f"udp://127.0.0.1:{graylog.port}", gelf_compression_type=kind, env="COLOUR")
        script = "echo short; head -c 9000 /dev/urandom | base64 | tr -d '\\n'; echo; echo bad >&2"
        container = api.run("sh", "-c", script, host=host, name="grey", Env=["COLOUR=blue"])
        found = {m["short_message"][:5]: m for m in graylog.wait_for(3)}
    short = found["short"]
    assert (short["version"], short["host"], short["level"]) == ("1.1", socket.gethostname(), 6)
    assert (short["_container_id"], short["_container_name"], short["_image_name"]) == (container, "grey", "bb")
    assert (short["_tag"], short["_COLOUR"]) == (container[:12], "blue")
    assert short["_command"].startswith("sh -c echo short")
    assert found["bad"]["level"] == 3
    assert len(max((m["short_message"] for m in found.values()), key=len)) == 12000


def test_gelf_over_tcp(api: Speaker):
    with receiver.collecting(socket.create_server(("127.0.0.1", 0)), receiver.gelf_stream) as graylog:
        api.run("printf", "a\nb\nc\n", host=config("gelf", gelf_address=f"tcp://127.0.0.1:{graylog.port}"))
        assert [m["short_message"] for m in graylog.wait_for(3)] == ["a", "b", "c"]


# Fluentd


def test_fluentd_records_and_acknowledgements(api: Speaker):
    with receiver.collecting(socket.create_server(("127.0.0.1", 0)), receiver.forward) as fluentd:
        host = config(
            "fluentd",
            fluentd_address=f"127.0.0.1:{fluentd.port}",
            fluentd_sub_second_precision="true",
            fluentd_request_ack="true",
            tag="docker.{{.Name}}",
            labels="team",
        )
        container = api.run("sh", "-c", "echo one; echo two >&2", name="fl", host=host, Labels={"team": "red"})
        events = sorted(fluentd.wait_for(2), key=lambda e: e[2]["log"])
        assert api.wait(container) == 0
    tag, moment, record = events[0][:3]
    assert tag == "docker.fl"
    assert (moment.code, len(moment.data)) == (0, 8)
    assert record == {
        "container_id": container,
        "container_name": "/fl",
        "source": "stdout",
        "log": "one",
        "team": "red",
    }
    assert events[1][2]["source"] == "stderr"


def test_lines_wait_for_a_receiver_that_comes_late(api: Speaker):
    """`fluentd-async`: the start does not wait, and nothing is lost meanwhile; not even by `--rm`."""
    port = free_port(socket.SOCK_STREAM)
    host = config("fluentd", fluentd_address=f"127.0.0.1:{port}", fluentd_async="true", fluentd_retry_wait="100ms")
    container = api.run("sh", "-c", "for i in $(seq 300); do echo $i; done", host={**host, "AutoRemove": True})
    status, _, _ = api.call("POST", f"/containers/{container}/wait?condition=removed")
    assert status in (200, 404)
    with receiver.collecting(socket.create_server(("127.0.0.1", port)), receiver.forward) as fluentd:
        events = fluentd.wait_for(300)
    assert [e[2]["log"] for e in events] == [str(i) for i in range(1, 301)]


def test_nothing_is_lost_or_said_twice_through_rotation_and_a_new_daemon(api: Speaker, daemon: Daemon):
    script = "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); echo line $i $PAD; done; read x; echo last"
    with receiver.collecting(socket.create_server(("127.0.0.1", 0)), receiver.forward) as fluentd:
        host = config("fluentd", fluentd_address=f"127.0.0.1:{fluentd.port}", cache_max_size="64k", cache_max_file="50")
        container = api.run("sh", "-c", script, host=host, OpenStdin=True, Env=[f"PAD={'x' * 60}"])
        assert len(fluentd.wait_for(2000)) == 2000
        daemon.stop()
        daemon.start()
        attached = api.hijack(f"/containers/{container}/attach?stream=1&stdin=1")
        attached.sock.sendall(b"on\n")
        assert api.wait(container) == 0
        attached.close()
        events = fluentd.wait_for(2001)
    assert [e[2]["log"].split()[1] for e in events[:-1]] == [str(i) for i in range(1, 2001)]
    assert events[-1][2]["log"] == "last"
    assert len(log_of(api, container)) == 2001


def forwarder() -> int:
    """The process of the engine that sends: there is one in these namespaces' process tree."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if b"logs.forwarder.process" in (entry / "cmdline").read_bytes() and str(os.getpid()) in ancestors(entry):
                return int(entry.name)
    raise AssertionError("no forwarder")


def ancestors(entry: Path) -> list[str]:
    found: list[str] = []
    while entry.name != "0":
        parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
        found.append(parent)
        entry = Path(f"/proc/{parent}")
    return found


def test_a_process_that_dies_is_replaced_and_goes_on_where_it_was(api: Speaker):
    with receiver.collecting(socket.create_server(("127.0.0.1", 0)), receiver.forward) as fluentd:
        host = config("fluentd", fluentd_address=f"127.0.0.1:{fluentd.port}")
        script = "echo one; while read line; do echo $line; done"
        container = api.run("sh", "-c", script, host=host, OpenStdin=True)
        fluentd.wait_for(1)
        os.kill(forwarder(), signal.SIGKILL)
        attached = api.hijack(f"/containers/{container}/attach?stream=1&stdin=1")
        attached.sock.sendall(b"two\n")
        events = fluentd.wait_for(2)
        attached.close()
    assert events[-1][2]["log"] == "two"
    # what was sent and not yet noted may come again, nothing is left out
    assert {e[2]["log"] for e in events} == {"one", "two"}


# Options


@pytest.mark.parametrize(
    ("host", "text"),
    [
        (config("awslogs"), "logger: no log driver named 'awslogs' is registered"),
        (config("syslog", colour="red"), "unknown log opt 'colour' for syslog log driver"),
        (config("local", tag="x"), "unknown log opt 'tag' for local log driver"),
        (config("syslog", syslog_facility="news9"), "invalid value for syslog-facility: news9"),
        (config("syslog", syslog_format="rfc1"), "invalid value for syslog-format: rfc1"),
        (config("syslog", syslog_address="ftp://x"), "invalid log address: 'ftp://x'"),
        (config("gelf"), "gelf: gelf-address is a required parameter"),
        (config("json-file", max_size="0"), "invalid value for max-size: 0"),
        (config("json-file", compress="true"), "compress cannot be true when max-file is less than 2"),
        (
            config("json-file", max_buffer_size="1m"),
            "max-buffer-size option is only supported with 'mode=non-blocking'",
        ),
        (config("json-file", tag="{{.Nope}}"), "invalid value for tag: {{.Nope}}"),
        (config("json-file", labels_regex="["), "invalid value for labels-regex: ["),
        (config("fluentd", fluentd_retry_wait="soon"), "invalid value for fluentd-retry-wait: soon"),
    ],
)
def test_what_makes_no_sense_is_refused_at_the_create(api: Speaker, host, text):
    status, said = api.refused("POST", "/containers/create", {"Image": "bb", "HostConfig": host})
    assert status == 400
    assert text in said


def test_a_log_without_a_copy_cannot_be_read(api: Speaker):
    with receiver.collecting(udp_server(), receiver.gelf_datagrams) as graylog:
        host = config("gelf", gelf_address=f"udp://127.0.0.1:{graylog.port}", cache_disabled="true")
        container = api.run("echo", "gone", host=host)
        assert graylog.wait_for(1)[0]["short_message"] == "gone"
    said = api.refused("GET", f"/containers/{container}/logs?stdout=1")
    assert said == (501, "configured logging driver does not support reading")
    assert api.json("GET", f"/containers/{container}/json")["LogPath"] == ""


def test_details_of_the_json_file(api: Speaker):
    host = config("json-file", labels_regex="^te", env="A", tag="{{.ImageName}}/{{.Name}}", mode="non-blocking")
    host["LogConfig"]["Config"]["max-buffer-size"] = "4m"  # type: ignore[index]
    container = api.run("echo", "x", name="det", host=host, Labels={"team": "red", "x": "y"}, Env=["A=1", "B=2"])
    api.wait(container)
    _, _, body = api.call("GET", f"/containers/{container}/logs?stdout=1&details=1")
    assert [data for _, data in split_frames(body)] == [b"A=1,tag=bb/det,team=red x\n"]


@pytest.mark.parametrize("driver", ["json-file", "local"])
def test_rotation_with_compression_keeps_what_fits(api: Speaker, driver):
    host = config(driver, max_size="20k", max_file="3", compress="true")
    container = api.run("sh", "-c", "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo line $i; done", host=host)
    api.wait(container)
    lines = [data.decode().split()[1] for data in log_of(api, container)]
    assert lines[-1] == "3000"
    assert lines == [str(i) for i in range(3001 - len(lines), 3001)]
    assert 500 < len(lines) < 1500
