"""Our dataclasses beside the standard library's: the same declarations must behave the same."""

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

import hakobu
from hakobu.spec import dataclass as ours


def classes(dataclass: Any, field: Any) -> list[Any]:
    """Declarations of every kind that the package has, by either decorator."""

    @dataclass(frozen=True, slots=True)
    class Point:
        x: int
        y: int = 2
        tags: dict[str, int] = field(default_factory=dict)

        def sum(self) -> int:
            return self.x + self.y

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Named:
        name: str = "a"
        point: Any = None

    @dataclass(slots=True)
    class Open:
        x: int
        many: list[int] = field(default_factory=list)

    @dataclass(frozen=True, slots=True)
    class Empty:
        pass

    return [Point, Named, Open, Empty]


PAIR = (classes(ours.dataclass, ours.field), classes(dataclasses.dataclass, dataclasses.field))


def both(work: Callable[..., object]) -> list[object]:
    """What happens with ours and with the library's: a value, or the kind of the error."""

    def happens(kinds: list[Any]) -> object:
        try:
            return work(*kinds)
        except Exception as error:
            return type(error)

    return [happens(kinds) for kinds in PAIR]


@pytest.mark.parametrize(
    "work",
    [
        lambda P, N, M, E: repr(P(1)) + repr(N(point=P(1, tags={"a": 1}))) + repr(M(1)) + repr(E()),
        lambda P, N, M, E: (P(1) == P(1, 2), P(1) == P(2), P(1) == M(1), P(1) != P(1), E() == E()),
        lambda P, N, M, E: len({N(), N(name="a"), N(name="b")}),
        lambda P, N, M, E: hash(P(1)),
        lambda P, N, M, E: hash(M(1)),
        lambda P, N, M, E: hash(E()),
        lambda P, N, M, E: P(1).tags is P(1).tags,
        lambda P, N, M, E: M(1).many is M(1).many,
        lambda P, N, M, E: P(y=1, x=5).sum(),
        lambda P, N, M, E: P(),
        lambda P, N, M, E: P(1, x=1),
        lambda P, N, M, E: P(1, 2, {}, 4),
        lambda P, N, M, E: P(1, z=1),
        lambda P, N, M, E: P(y=1, z=1),
        lambda P, N, M, E: N("a"),
        lambda P, N, M, E: setattr(P(1), "x", 2),
        lambda P, N, M, E: delattr(P(1), "x"),
        lambda P, N, M, E: setattr(M(1), "other", 2),
        lambda P, N, M, E: (value := M(1), setattr(value, "x", 3), value.x)[-1],
        lambda P, N, M, E: (P.__match_args__, N.__match_args__, P.__slots__, P.__qualname__, P.__annotations__),
        lambda P, N, M, E: dataclasses.asdict(N(point=P(1))),
        lambda P, N, M, E: repr(dataclasses.replace(P(1), y=3)),
        lambda P, N, M, E: dataclasses.replace(P(1), z=3),
        lambda P, N, M, E: [(f.name, f.type, f.default is dataclasses.MISSING) for f in dataclasses.fields(P)],
        lambda P, N, M, E: [(f.name, f.kw_only) for f in dataclasses.fields(N)],
        lambda P, N, M, E: dataclasses.is_dataclass(E),
        lambda P, N, M, E: msgspec.json.encode(N(point=P(1))),
        lambda P, N, M, E: repr(msgspec.json.decode(b'{"x":4,"tags":{"b":1}}', type=P)),
        lambda P, N, M, E: msgspec.json.decode(b'{"y":4}', type=P),
    ],
)  # fmt: skip
def test_as_the_library_s(work: Callable[..., object]) -> None:
    own, library = both(work)
    assert own == library


def test_replace_is_the_library_s() -> None:
    point = PAIR[0][0](1, tags={"a": 1})
    assert ours.replace(point, y=3) == dataclasses.replace(point, y=3)
    with pytest.raises(TypeError):
        ours.replace(point, z=1)


def test_nothing_is_compiled_and_the_library_not_loaded() -> None:
    """In a process that is sealed an instance can still be made, and a value compared and shown."""
    source = Path(hakobu.__file__).parent.parent
    script = f"""
import sys
sys.path.insert(0, {str(source)!r})
from hakobu.spec.dataclass import dataclass, field
@dataclass(frozen=True, slots=True)
class Point:
    x: int
    tags: dict = field(default_factory=dict)
def heard(event, args):
    if event in ("compile", "exec", "import"):
        raise SystemExit(event)
sys.addaudithook(heard)
print(Point(1) == Point(1), Point(2), "dataclasses" in sys.modules, "typing" in sys.modules)
"""
    told = subprocess.run([sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=False)
    assert (told.stdout, told.stderr) == ("True Point(x=2, tags={}) False False\n", "")
