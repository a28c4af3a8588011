import pytest

from hakobu.kernel import capability, rlimit, signal


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("SIGTERM", 15), ("term", 15), ("9", 9), ("64", 64), ("SigKill", 9), ("RTMIN", 34), ("SIGRTMIN+3", 37),
        ("rtmax-2", 62), ("SIGRTMAX", 64), ("cld", 17), ("SIGSTKFLT", 16), ("iot", 6),
    ],
)  # fmt: skip
def test_a_signal_is_known_by_every_spelling(text: str, number: int) -> None:
    assert signal.parse_signal(text) == number


@pytest.mark.parametrize("text", ["", "0", "65", "-1", "SIGNOTHING", "RTMIN+31", "RTMAX+1", "１５", "RTMIN+", "15 "])
def test_what_is_no_signal_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invalid signal"):
        signal.parse_signal(text)


def test_names_and_numbers_agree() -> None:
    assert [signal.signal_name(n) for n in (1, 6, 15, 17, 29, 34, 37, 64, 99)] == [
        "SIGHUP", "SIGABRT", "SIGTERM", "SIGCHLD", "SIGIO", "SIGRTMIN", "SIGRTMIN+3", "SIGRTMIN+30", "99",
    ]  # fmt: skip
    for number in range(1, 65):
        if number not in (32, 33):
            assert signal.parse_signal(signal.signal_name(number)) == number


def test_limits_by_both_spellings() -> None:
    assert rlimit.rlimit_number("nofile") == rlimit.rlimit_number("RLIMIT_NOFILE") == 7
    with pytest.raises(KeyError):
        rlimit.rlimit_number("nothing")


def test_an_unknown_capability_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        capability.mask(["CAP_NOTHING"])
    assert capability.names(capability.ALL) == capability.NAMES
