"""Answers to questions, as wire bytes."""

import dns.flags
import dns.message
import dns.rcode
import pytest

from hakobu.network.resolver import answer as answers
from hakobu.network.resolver.answer import Forward, answer
from hakobu.network.resolver.names import Asker, Member, NamedNetwork, Snapshot, decode, encode

NAMES = Snapshot(
    {
        "n1": NamedNetwork(
            "app",
            members=(
                Member(("web-1", "web", "aaaaaaaaaaaa"), "172.18.0.2", "fd00::2"),
                Member(("web-2", "web", "bbbbbbbbbbbb"), "172.18.0.3"),
                Member(("db", "dddddddddddd"), "172.18.0.4"),
            ),
        ),
        "n2": NamedNetwork("secret", internal=True, members=(Member(("vault",), "172.19.0.2"),)),
    },
    {
        "c1": Asker(("n1", "n2"), ("10.0.0.2",), {"database": "db"}),
        "c2": Asker(("n2",), ("10.0.0.2",)),
    },
)


def ask(name: str, kind: str = "A", container: str = "c1", udp: bool = True, **how):
    query = dns.message.make_query(name, kind, **how)
    found = answer(NAMES, container, query.to_wire(), udp=udp)
    if not isinstance(found, bytes):
        return found
    response = dns.message.from_wire(found)
    assert response.id == query.id and response.flags & dns.flags.QR and response.flags & dns.flags.RA
    return response


def texts(response) -> list[str]:
    return [record.to_text() for rrset in response.answer for record in rrset]


@pytest.mark.parametrize("name", ["db", "DB", "db.app", "dddddddddddd", "database"])
def test_names_aliases_ids_and_links_have_addresses(name: str):
    assert texts(ask(name)) == ["172.18.0.4"]


def test_all_containers_of_a_service_answer_in_changing_order():
    orders = {tuple(texts(ask("web"))) for _ in range(50)}
    assert orders == {("172.18.0.2", "172.18.0.3"), ("172.18.0.3", "172.18.0.2")}
    assert texts(ask("web", "AAAA")) == ["fd00::2"]


def test_a_missing_aaaa_is_an_empty_answer_not_a_missing_name():
    response = ask("db", "AAAA")
    assert response.rcode() == dns.rcode.NOERROR and not response.answer
    assert ask("db", "MX").rcode() == dns.rcode.NOERROR


def test_other_networks_names_are_not_seen():
    assert isinstance(ask("db.other"), Forward)
    assert ask("db", container="c2").rcode() == dns.rcode.NXDOMAIN
    assert texts(ask("vault.secret", container="c2")) == ["172.19.0.2"]


def test_other_names_are_forwarded_except_from_internal_networks():
    forward = ask("example.org")
    assert isinstance(forward, Forward) and forward.servers == ("10.0.0.2",)
    assert ask("example.org", container="c2").rcode() == dns.rcode.NXDOMAIN
    assert ask("example.org", container="unknown").rcode() == dns.rcode.NXDOMAIN


def test_addresses_have_names():
    assert texts(ask("4.0.18.172.in-addr.arpa", "PTR")) == ["db.app."]
    reverse6 = "2." + "0." * 29 + "d.f.ip6.arpa"
    assert texts(ask(reverse6, "PTR")) == ["web-1.app."]
    assert isinstance(ask("1.0.0.10.in-addr.arpa", "PTR"), Forward)


def test_edns_is_answered_with_edns():
    assert ask("db", use_edns=0, payload=1232).edns == 0
    assert ask("db").edns == -1


def test_what_does_not_fit_a_datagram_is_truncated():
    many = NamedNetwork(
        "big", members=tuple(Member((f"m{i}", "all"), f"10.0.{i // 250}.{i % 250}") for i in range(200))
    )
    names = Snapshot({"n": many}, {"c": Asker(("n",))})
    query = dns.message.make_query("all", "A").to_wire()
    cut = dns.message.from_wire(answer(names, "c", query, udp=True))
    assert cut.flags & dns.flags.TC and not cut.answer
    assert len(dns.message.from_wire(answer(names, "c", query, udp=False)).answer[0]) == 200


@pytest.mark.parametrize("junk", [b"", b"x" * 5, b"\0" * 12, b"\xff" * 40, b"\0\1\1\0\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1"])
def test_junk_never_raises(junk: bytes):
    found = answer(NAMES, "c1", junk, udp=True)
    assert found is None or isinstance(found, bytes)


def test_only_an_answer_to_this_question_is_believed():
    query = dns.message.make_query("example.org", "A")
    wire = query.to_wire()
    good = dns.message.make_response(query).to_wire()
    other = dns.message.make_query("example.com", "A", id=query.id)
    assert answers.is_answer_to(wire, good)
    assert not answers.is_answer_to(wire, wire)
    assert not answers.is_answer_to(wire, dns.message.make_response(other).to_wire())
    assert not answers.is_answer_to(wire, b"\0\0" + good[2:]) or query.id == 0
    assert not answers.is_answer_to(wire, good[:8])


def test_a_snapshot_survives_its_file():
    again = decode(encode(NAMES))
    assert again.networks == NAMES.networks and again.askers == NAMES.askers
