"""Bytes from the kernel and from containers: whatever they are, they are decoded or refused, never misread."""

import dns.message
from hypothesis import given, settings
from hypothesis import strategies as st

from hakobu.kernel import netlink
from hakobu.network import files
from hakobu.network.resolver.answer import answer, failure, is_answer_to
from hakobu.network.resolver.names import Asker, Member, NamedNetwork, Snapshot, decode, encode

NAMES = Snapshot({"n": NamedNetwork("app", members=(Member(("db",), "10.0.0.2"),))}, {"c": Asker(("n",))})

payloads = st.dictionaries(st.integers(1, 0x3FFF), st.binary(max_size=40), max_size=8)


@given(payloads)
def test_attributes_round_trip(wanted: dict[int, bytes]):
    encoded = b"".join(netlink.attribute(kind, payload) for kind, payload in wanted.items())
    assert len(encoded) % 4 == 0 and netlink.attributes(encoded) == wanted


@given(st.binary(max_size=120))
def test_any_bytes_are_messages_or_refused(data: bytes):
    try:
        for _, flags, _, payload in netlink.messages(data):
            netlink.attributes(payload)
            netlink.error_of(flags, payload)
    except OSError:
        pass


@settings(max_examples=200)
@given(st.binary(max_size=300), st.booleans())
def test_no_question_breaks_the_resolver(query: bytes, udp: bool):
    found = answer(NAMES, "c", query, udp=udp)
    assert found is None or isinstance(found, bytes)
    failure(query)
    is_answer_to(query, found or b"")


@settings(max_examples=100)
@given(st.data())
def test_a_damaged_question_breaks_nothing(data: st.DataObject):
    wire = bytearray(dns.message.make_query("db", "A", use_edns=0, want_dnssec=True).to_wire())
    for _ in range(data.draw(st.integers(1, 4))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    found = answer(NAMES, "c", bytes(wire), udp=True)
    assert found is None or isinstance(found, bytes)


names = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=12)


@given(st.lists(names, max_size=6), st.ip_addresses(v=4))
def test_a_snapshot_round_trips(called: list[str], address: object):
    snapshot = Snapshot(
        {"n": NamedNetwork("net", members=(Member(tuple(called), str(address)),))}, {"c": Asker(("n",))}
    )
    again = decode(encode(snapshot))
    assert again.networks == snapshot.networks
    for name in called:
        found = again.lookup("c", name.upper())
        assert found is not None and str(address) in found.ipv4


@given(st.text(max_size=200))
def test_any_resolv_conf_is_read_and_what_is_written_is_read_back(text: str):
    parsed = files.parse_resolv_conf(text)
    again = files.parse_resolv_conf(parsed.text())
    assert again == parsed
