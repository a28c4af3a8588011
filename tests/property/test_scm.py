from hypothesis import given, settings
from hypothesis import strategies as st

from hakobu.kernel import scm
from hakobu.kernel.mountinfo import parse


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=200000), st.integers(0, 3)), max_size=4))
def test_messages_arrive_whole_and_in_order(messages: list[tuple[bytes, int]]) -> None:
    left, right = scm.pair()
    with left, right:
        receiver = scm.Receiver(right)
        for body, count in messages:
            scm.send(left, body, [left.fileno()] * count)
            got = receiver.receive()
            assert got is not None
            assert (got.body, len(got.fds)) == (body, count)
            got.close()


def _escape(text: str) -> str:
    return text.translate({ord(c): f"\\{ord(c):03o}" for c in " \t\n\\"})


_text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)


@settings(max_examples=60, deadline=None)
@given(_text, _text)
def test_names_in_mountinfo_are_unescaped(root: str, point: str) -> None:
    line = f"36 35 98:0 /{_escape(root)} /{_escape(point)} rw - ext4 /dev/root rw\n"
    (mount,) = parse(line.encode())
    assert (mount.root, mount.mount_point) == (f"/{root}", f"/{point}")
