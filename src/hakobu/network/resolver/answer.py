"""One DNS question answered from the names we know: bytes in, bytes out. No I/O.

A name we know never goes to other servers, whatever is asked of it: with no such record the answer is empty and
good (NOERROR), so that a missing AAAA does not hide an A. A name we do not know is for others, or does not exist
(NXDOMAIN) where there are none to ask.
"""

import random
from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from hakobu.network.resolver.names import Snapshot, reverse_address

TTL_S = 600
"""Docker's. Clients inside a container rarely cache at all."""

MAX_QUERY_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Forward:
    """To be asked of `servers`, in this order; `query` answers with SERVFAIL where none of them does."""

    query: bytes
    servers: tuple[str, ...]


def answer(snapshot: Snapshot, container_id: str, query: bytes, *, udp: bool) -> bytes | Forward | None:
    """The response, whom to ask instead, or None for what deserves no answer."""
    try:
        message = dns.message.from_wire(query)
    except dns.exception.DNSException:
        return _refuse(query, dns.rcode.FORMERR)
    if message.flags & dns.flags.QR:
        return None
    if message.opcode() != dns.opcode.QUERY or len(message.question) != 1:
        return _refuse(query, dns.rcode.NOTIMP)
    question = message.question[0]
    found = _records(snapshot, container_id, question.name, question.rdtype)
    if found is None or question.rdclass != dns.rdataclass.IN:
        servers = snapshot.servers(container_id)
        return Forward(query, servers) if servers else _respond(message, udp, rcode=dns.rcode.NXDOMAIN)
    return _respond(message, udp, records=found)


def _records(
    snapshot: Snapshot, container_id: str, name: dns.name.Name, kind: dns.rdatatype.RdataType
) -> list[str] | None:
    """Texts of the records asked for; None where the name is not ours."""
    text = name.to_text(omit_final_dot=True)
    if kind == dns.rdatatype.PTR:
        address = reverse_address(text)
        found = snapshot.reverse(container_id, address) if address else None
        return [found + "."] if found else None
    known = snapshot.lookup(container_id, text)
    if known is None:
        return None
    records = list({dns.rdatatype.A: known.ipv4, dns.rdatatype.AAAA: known.ipv6}.get(kind, ()))
    random.shuffle(records)  # several containers of one service share its load
    return records


def _respond(
    query: dns.message.Message, udp: bool, *, records: list[str] | None = None, rcode: dns.rcode.Rcode | None = None
) -> bytes:
    response = dns.message.make_response(query, recursion_available=True)
    question = query.question[0]
    if rcode is not None:
        response.set_rcode(rcode)
    if records:
        response.answer.append(
            dns.rrset.from_text_list(question.name, TTL_S, question.rdclass, question.rdtype, records)
        )
    room = max(query.payload if query.edns >= 0 else 512, 512) if udp else 65535
    try:
        return response.to_wire(max_size=room)
    except dns.exception.TooBig:
        response.answer.clear()
        response.flags |= dns.flags.TC
        return response.to_wire(max_size=room)


def _refuse(query: bytes, rcode: dns.rcode.Rcode) -> bytes | None:
    """An answer to what could not be read, from its header alone."""
    if len(query) < 12 or query[2] & 0x80:
        return None
    return query[:2] + bytes((0x80 | (query[2] & 0x79), 0x80 | int(rcode))) + bytes(8)


def failure(query: bytes) -> bytes | None:
    """SERVFAIL with the question, for when nobody answered."""
    try:
        message = dns.message.from_wire(query)
        response = dns.message.make_response(message, recursion_available=True)
        response.set_rcode(dns.rcode.SERVFAIL)
        return response.to_wire()
    except dns.exception.DNSException:
        return _refuse(query, dns.rcode.SERVFAIL)


def is_answer_to(query: bytes, response: bytes) -> bool:
    """Same id, a response, and the same question where it has one: what a forger would have to guess."""
    if len(response) < 12 or response[:2] != query[:2] or not response[2] & 0x80:
        return False
    end = _question_end(query)
    if response[4:6] == b"\0\0":
        return True  # some servers leave it out of errors
    return _question_end(response) == end and response[12:end].lower() == query[12:end].lower()


def _question_end(message: bytes) -> int:
    at = 12
    while at < len(message) and message[at]:
        at += message[at] + 1
    return at + 5


def is_truncated(response: bytes) -> bool:
    return bool(response[2] & 0x02)
