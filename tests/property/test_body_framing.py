"""The two ways of cutting a body out of a connection's bytes give the same, however the bytes come apart."""

from hypothesis import given, settings
from hypothesis import strategies as st

from hakobu.spec.framing import Framing, MalformedBody


def through(framing: Framing, pieces: list[bytes], uncopied: bool) -> tuple[bytes, bytes, bool]:
    """(body, what stands behind it, whether it was broken)."""
    body, buffer = b"", bytearray()
    for piece in pieces:
        framing = Framing.from_note(framing.to_note())  # another process may go on at any place
        if framing.ended:
            buffer += piece
            continue
        try:
            if uncopied and not buffer:
                blocks, eaten = framing.cut(piece)
                body += b"".join(blocks)
                piece = piece[eaten:]
                buffer += piece
            else:
                buffer += piece
                body += framing.feed(buffer)
        except MalformedBody:
            return b"", b"", True
    return body, bytes(buffer), False


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.binary(min_size=1, max_size=40), max_size=5),
    st.booleans(),
    st.binary(max_size=10),
    st.lists(st.integers(1, 30), min_size=1, max_size=40),
    st.sampled_from([b"", b"Trailer: x\r\n", b"\r\r"]),
    st.integers(-1, 60),
)
def test_cut_is_feed(
    chunks: list[bytes], chunked: bool, behind: bytes, sizes: list[int], trailer: bytes, damage: int
) -> None:
    whole = b"".join(chunks)
    sent = bytearray(whole)
    if chunked:
        sent = bytearray(b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunks) + b"0\r\n" + trailer + b"\r\n")
        if 0 <= damage < len(sent):
            sent[damage] ^= 0x55
    sent += behind
    pieces: list[bytes] = []
    at = number = 0
    while at < len(sent):
        size = sizes[number % len(sizes)]
        pieces.append(bytes(sent[at : at + size]))
        at, number = at + size, number + 1
    results = [through(Framing(chunked=chunked, length=len(whole)), pieces, uncopied) for uncopied in (False, True)]
    assert results[0] == results[1]
    if not chunked:
        assert results[1][0] == whole
