"""Netlink's bytes: lengths are checked both ways."""

import errno
import struct

import pytest

from hakobu.kernel import netlink
from hakobu.kernel.rtnetlink import parse_mac


def test_attributes_round_trip_with_padding():
    payload = netlink.text(3, "eth0") + netlink.u32(4, 1500) + netlink.nested(18, netlink.text(1, "veth"))
    found = netlink.attributes(payload)
    assert found[3] == b"eth0\0"
    assert struct.unpack("=I", found[4]) == (1500,)
    assert netlink.attributes(found[18])[1] == b"veth\0"


def test_an_attribute_too_long_for_its_length_field_is_refused_not_wrapped():
    netlink.attribute(1, bytes(0xFFFF - 4))
    with pytest.raises(OSError) as caught:
        netlink.attribute(1, bytes(0xFFFF - 3))
    assert caught.value.errno == errno.EMSGSIZE


@pytest.mark.parametrize("length", [0, 3, 9, 0xFFFF])
def test_an_attribute_that_claims_a_wrong_length_is_refused(length: int):
    with pytest.raises(OSError, match="longer than its message"):
        netlink.attributes(struct.pack("=HH", length, 1) + bytes(4))


def test_messages_are_split_and_bad_lengths_refused():
    datagram = netlink.message(16, 2, 7, b"abcde") + netlink.message(3, 2, 7, b"")
    assert list(netlink.messages(datagram)) == [(16, 2, 7, b"abcde"), (3, 2, 7, b"")]
    with pytest.raises(OSError, match="longer than its datagram"):
        list(netlink.messages(datagram[:18]))


def test_an_error_carries_the_kernels_sentence():
    quoted = netlink.message(16, 1, 1, b"")
    payload = struct.pack("=i", -17) + quoted[:16] + netlink.text(1, "name taken")
    assert netlink.error_of(netlink.NLM_F_CAPPED | netlink.NLM_F_ACK_TLVS, payload) == (17, "name taken")
    assert netlink.error_of(0, struct.pack("=i", 0)) == (0, "")


def test_mac_addresses_are_parsed_strictly():
    assert parse_mac("02:42:ac:11:00:02") == bytes((2, 0x42, 0xAC, 0x11, 0, 2))
    for bad in ("", "02:42:ac:11:00", "02:42:ac:11:00:0g", "2:42:ac:11:00:02", "02:42:ac:11:00:02:03"):
        with pytest.raises(OSError):
            parse_mac(bad)
