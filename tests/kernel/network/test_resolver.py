"""The resolver's real process, with containers as namespaces and a DNS server of the host's beside it."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import dns.exception
import dns.message
import dns.query
import pytest
from tests.kernel.network.conftest import end_resolvers, resolvers

from hakobu.network.resolver.names import Asker, Member, NamedNetwork, Snapshot
from hakobu.network.resolving import ResolverDoor

NAMES = Snapshot(
    {"n": NamedNetwork("app", members=(Member(("db",), "172.18.0.4"),)), "i": NamedNetwork("in", internal=True)},
    {"c1": Asker(("n",), ("127.0.0.53", "127.0.0.54")), "c2": Asker(("i",), ("127.0.0.53",))},
)

UPSTREAM = """
import socket, struct, threading, dns.message, dns.rrset, dns.flags
def respond(wire, udp):
    query = dns.message.from_wire(wire)
    name = query.question[0].name
    response = dns.message.make_response(query)
    big = name.to_text().startswith("big")
    if big and udp:
        response.flags |= dns.flags.TC
    else:
        texts = [f"10.0.0.{i}" for i in range(100 if big else 1)]
        response.answer.append(dns.rrset.from_text_list(name, 60, "IN", "A", texts))
    return response.to_wire()
def tcp():
    server = socket.create_server(("127.0.0.54", 53))
    while True:
        client, _ = server.accept()
        size = struct.unpack("!H", client.recv(2))[0]
        answer = respond(client.recv(size), False)
        client.sendall(struct.pack("!H", len(answer)) + answer)
        client.close()
threading.Thread(target=tcp, daemon=True).start()
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("127.0.0.54", 53))
print("ready", flush=True)
while True:
    wire, client = udp.recvfrom(4096)
    udp.sendto(respond(wire, True), client)
"""


@pytest.fixture
def upstream(namespaces):
    """A server of the host's at 127.0.0.54; at 127.0.0.53, asked first, nobody answers."""
    host = namespaces()
    server = subprocess.Popen(
        ["nsenter", "-t", str(host.pid), "-n", sys.executable, "-c", UPSTREAM], stdout=subprocess.PIPE
    )
    assert server.stdout is not None and server.stdout.readline() == b"ready\n"
    directory = tempfile.mkdtemp(prefix="hk-resolver-")
    yield host, directory
    server.kill()
    server.wait()
    server.stdout.close()
    end_resolvers(directory)
    shutil.rmtree(directory)


def ask(name: str, kind: str = "A", tcp: bool = False, **how) -> tuple[int, list[str], bool]:
    query = dns.message.make_query(name, kind, **how)
    asked = dns.query.tcp if tcp else dns.query.udp
    try:
        response = asked(query, "127.0.0.11", timeout=5)
    except (OSError, dns.exception.DNSException) as e:
        return -1, [type(e).__name__], False
    return response.rcode(), sorted(r.to_text() for s in response.answer for r in s), bool(response.flags & 0x0200)


def door(host, directory: str, work):
    def inside():
        opened = ResolverDoor(directory)
        try:
            return work(opened)
        finally:
            opened.close()

    return host.run(inside)


def joining(*containers):
    def work(opened: ResolverDoor):
        opened.publish(NAMES)
        for container_id, namespace in containers:
            opened.join(container_id, namespace.pid)

    return work


def test_containers_are_answered_inside_their_namespaces(upstream, namespaces):
    host, directory = upstream
    c1, c2 = namespaces(), namespaces()
    door(host, directory, joining(("c1", c1), ("c2", c2)))

    # the daemon is gone by now, and nobody noticed
    assert c1.run(lambda: ask("db")) == (0, ["172.18.0.4"], False)
    assert c1.run(lambda: ask("db", tcp=True)) == (0, ["172.18.0.4"], False)
    assert c1.run(lambda: ask("db", "AAAA")) == (0, [], False)
    assert c1.run(lambda: ask("example.org")) == (0, ["10.0.0.0"], False)
    assert c2.run(lambda: ask("example.org")) == (3, [], False)
    # an answer cut on the way is fetched whole by TCP for those who can take it
    assert c1.run(lambda: ask("big.org"))[2] is True
    assert len(c1.run(lambda: ask("big.org", use_edns=0, payload=4096))[1]) == 100
    assert len(c1.run(lambda: ask("big.org", tcp=True))[1]) == 100

    def own_server():
        """An image's own DNS server has port 53 to itself, on every address."""
        import socket

        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.create_server(("0.0.0.0", 53)):
            udp.bind(("0.0.0.0", 53))
            return ask("db")

    assert c1.run(own_server) == (0, ["172.18.0.4"], False)


def test_a_later_daemon_finds_the_process_and_a_dead_one_is_replaced(upstream, namespaces):
    host, directory = upstream
    c1 = namespaces()
    door(host, directory, joining(("c1", c1)))
    (first,) = resolvers(directory)

    def find(opened: ResolverDoor):
        assert opened.find()
        return sorted(opened.joined())

    assert door(host, directory, find) == ["c1"]
    assert resolvers(directory) == [first]
    os.kill(first, signal.SIGKILL)
    os.waitpid(first, 0)
    assert door(host, directory, lambda opened: opened.find()) is False
    door(host, directory, joining(("c1", c1)))
    (second,) = resolvers(directory)
    assert second != first
    assert c1.run(lambda: ask("db")) == (0, ["172.18.0.4"], False)


def sockets_inside(namespace) -> set[str]:
    """What sockets the namespace has, as the links of a process's descriptors name them."""
    rows: list[str] = []
    for family in ("udp", "tcp"):
        with open(f"/proc/{namespace.pid}/net/{family}") as file:
            rows += file.readlines()[1:]
    return {f"socket:[{row.split()[9]}]" for row in rows}


def held(pid: int) -> set[str]:
    """The sockets a process holds, and `ended` where it holds the pidfd of one that is gone."""
    found: set[str] = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.add(os.readlink(f"/proc/{pid}/fd/{fd}"))
            with open(f"/proc/{pid}/fdinfo/{fd}") as file:
                if "Pid:\t-1\n" in file.read():
                    found.add("ended")
    return found


def test_a_container_that_ends_is_let_go(upstream, namespaces):
    host, directory = upstream
    c1, c2 = namespaces(), namespaces()
    door(host, directory, joining(("c1", c1), ("c2", c2)))
    (pid,) = resolvers(directory)
    ones, others = sockets_inside(c1), sockets_inside(c2)
    assert len(ones) == len(others) == 2
    assert ones | others <= held(pid)
    c1.close()
    while held(pid) & (ones | {"ended"}):
        time.sleep(0.02)
    assert others <= held(pid)
    assert c2.run(lambda: ask("example.org")) == (3, [], False)
    with open(f"/proc/{pid}/smaps_rollup") as file:
        rollup = dict(line.split()[:2] for line in file.readlines()[1:])
    private = int(rollup["Private_Clean:"]) + int(rollup["Private_Dirty:"])
    print(f"resolver: {private} kB private")
    assert private < 20_000


def test_joining_what_is_gone_is_an_error(upstream, namespaces):
    host, directory = upstream
    c1 = namespaces()
    c1.close()
    with pytest.raises(ProcessLookupError):
        door(host, directory, joining(("c1", c1)))


def test_a_resolver_that_dies_under_a_daemon_is_replaced_with_all_it_served(upstream, namespaces):
    host, directory = upstream
    c1, c2 = namespaces(), namespaces()

    def live(opened: ResolverDoor):
        joining(("c1", c1), ("c2", c2))(opened)
        assert not opened.is_lost()
        (pid,) = resolvers(directory)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        while not opened.is_lost():  # a fork of it that was entering a namespace holds its end a moment longer
            time.sleep(0.005)
        return opened.replace_lost(), opened.is_lost(), sorted(opened.joined())

    failed, lost, joined = door(host, directory, live)
    assert (failed, lost, joined) == ([], False, ["c1", "c2"])
    assert c1.run(lambda: ask("db")) == (0, ["172.18.0.4"], False)
