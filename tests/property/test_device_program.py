"""The BPF program of a list of device rules says what the rules say, for every request."""

import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from hakobu.kernel.cgroup.device import evaluate, program
from hakobu.spec.resources import DeviceRule

_number = st.none() | st.integers(0, 3)
_rule = st.builds(
    DeviceRule,
    allow=st.booleans(),
    type=st.sampled_from(["a", "b", "c", "c"]),
    major=_number,
    minor=_number,
    access=st.sampled_from(["r", "w", "m", "rw", "rm", "wm", "rwm"]),
)


def _run(code: bytes, kind: int, access: int, major: int, minor: int) -> int:
    """Interprets what the program is made of: loads, moves, and, shifts, jumps forward, exit."""
    context = (kind | access << 16, major, minor)
    registers = [0] * 11
    at = 0
    while True:
        opcode, operands, offset, imm = struct.unpack_from("<BBhi", code, at * 8)
        dst, src = operands & 15, operands >> 4
        at += 1
        match opcode:
            case 0x61:
                assert src == 1
                registers[dst] = context[offset // 4]
            case 0xBC:
                registers[dst] = registers[src]
            case 0x54:
                registers[dst] &= imm
            case 0x74:
                registers[dst] >>= imm
            case 0xB7:
                registers[dst] = imm
            case 0x15:
                at += offset if registers[dst] == imm else 0
            case 0x55:
                at += offset if registers[dst] != imm else 0
            case 0x95:
                return registers[0]
            case _:
                raise AssertionError(f"unknown instruction {opcode:#x}")


def _expected(rules: tuple[DeviceRule, ...], kind: int, access: int, major: int, minor: int) -> bool:
    state = evaluate(rules)
    for (letter, wanted_major, wanted_minor), bits in state.exceptions.items():
        if (
            {"b": 1, "c": 2}[letter] == kind
            and wanted_major in (None, major)
            and wanted_minor in (None, minor)
            and (access & bits if state.allow_by_default else access & ~bits == 0)
        ):
            return not state.allow_by_default
    return state.allow_by_default


@settings(max_examples=200, deadline=None)
@given(
    st.lists(_rule, max_size=8).map(tuple),
    st.sampled_from([1, 2]),
    st.integers(1, 7),
    st.integers(0, 3),
    st.integers(0, 3),
)
def test_the_program_answers_as_the_rules(
    rules: tuple[DeviceRule, ...], kind: int, access: int, major: int, minor: int
) -> None:
    assert bool(_run(program(rules), kind, access, major, minor)) == _expected(rules, kind, access, major, minor)
