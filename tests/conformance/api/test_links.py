"""`--link` on the default bridge, by docker's own command line."""

import pytest
from tests.conformance.api.speaker import Speaker
from tests.integration.daemon import Daemon

pytestmark = pytest.mark.root


def test_the_other_container_is_told_by_name_and_variables(api: Speaker, daemon: Daemon):
    run = ["run", "-d", "--name", "db-1", "-e", "USER=u", "--expose", "80-81", "--expose", "53/udp"]
    daemon.docker(*run, "bb", "sleep", "1000")
    address = api.json("GET", "/containers/db-1/json")["NetworkSettings"]["IPAddress"]
    said = daemon.docker("run", "--name", "web", "--link", "db-1:my-db", "bb", "sh", "-c", "env; cat /etc/hosts").stdout
    env = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
    told = {name: value for name, value in env.items() if name.startswith("MY_DB_")}
    assert told == {
        "MY_DB_NAME": "/web/my-db",
        "MY_DB_PORT": f"tcp://{address}:80",
        "MY_DB_PORT_80_TCP": f"tcp://{address}:80",
        "MY_DB_PORT_80_TCP_ADDR": address,
        "MY_DB_PORT_80_TCP_PORT": "80",
        "MY_DB_PORT_80_TCP_PROTO": "tcp",
        "MY_DB_PORT_80_TCP_START": f"tcp://{address}:80",
        "MY_DB_PORT_80_TCP_PORT_START": "80",
        "MY_DB_PORT_80_TCP_END": f"tcp://{address}:81",
        "MY_DB_PORT_80_TCP_PORT_END": "81",
        "MY_DB_PORT_81_TCP": f"tcp://{address}:81",
        "MY_DB_PORT_81_TCP_ADDR": address,
        "MY_DB_PORT_81_TCP_PORT": "81",
        "MY_DB_PORT_81_TCP_PROTO": "tcp",
        "MY_DB_PORT_53_UDP": f"udp://{address}:53",
        "MY_DB_PORT_53_UDP_ADDR": address,
        "MY_DB_PORT_53_UDP_PORT": "53",
        "MY_DB_PORT_53_UDP_PROTO": "udp",
        "MY_DB_ENV_USER": "u",
    }
    hosts = next(line.split() for line in said.splitlines() if "my-db" in line and line.startswith(address))
    assert hosts[1:] == ["my-db", api.json("GET", "/containers/db-1/json")["Id"][:12], "db-1"]
    assert api.json("GET", "/containers/web/json")["HostConfig"]["Links"] == ["/db-1:/web/my-db"]
    assert (
        daemon.docker("ps", "--filter", "name=db-1", "--no-trunc", "--format", "{{.Names}}").stdout
        == "db-1,web/my-db\n"
    )


def test_a_link_is_removed_by_its_name(api: Speaker, daemon: Daemon):
    daemon.docker("run", "-d", "--name", "aa", "bb", "sleep", "1000")
    daemon.docker("create", "--name", "bbb", "--link", "aa:x", "bb", "true")
    assert daemon.docker("rm", "--link", "bbb/x").stdout == "bbb/x\n"
    assert api.json("GET", "/containers/bbb/json")["HostConfig"]["Links"] is None
    again = daemon.docker("rm", "--link", "bbb/x", check=False)
    assert "there is no such link" in again.stderr
    assert {c["Names"][0] for c in api.json("GET", "/containers/json?all=1")} == {"/aa", "/bbb"}


def test_what_cannot_be_linked(api: Speaker, daemon: Daemon):
    gone = daemon.docker("create", "--link", "nobody:x", "bb", "true", check=False)
    assert "No such container: nobody" in gone.stderr
    daemon.docker("create", "--name", "still", "bb", "true")
    daemon.docker("create", "--name", "late", "--link", "still", "bb", "true")
    failed = daemon.docker("start", "late", check=False)
    assert "Cannot link to a non running container: /still AS /late/still" in failed.stderr
