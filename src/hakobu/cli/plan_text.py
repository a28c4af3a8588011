"""Plans on a terminal or for programs: what `explain` and the flag `--explain` print."""

from __future__ import annotations

import os
import sys

from hakobu.explain.catalogue import choose_language, load_catalogue
from hakobu.explain.render import to_json, to_text
from hakobu.explain.trace import parse_trace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from hakobu.client.engine import Engine
    from hakobu.explain.catalogue import Catalogue
    from hakobu.explain.trace import Trace


def show_plan(engine: Engine, path: str, body: dict[str, Any], *, name: str = "", title: str = "") -> int:
    """`--explain` of run, create and exec: the plan that the engine makes of a request's body; nothing is done."""
    trace = parse_trace(engine.system.hakobu("POST", path, None, body), name=name)
    print_text([trace], [title], load_catalogue(choose_language("", os.environ)))
    return 0


def print_text(traces: Sequence[Trace], titles: Sequence[str], catalogue: Catalogue) -> None:
    """`titles` stand above each (empty: the usual words)."""
    colour = sys.stdout.isatty()
    texts = [
        to_text(trace, catalogue, colour=colour, title=title, legend=number == 0)
        for number, (trace, title) in enumerate(zip(traces, titles, strict=True))
    ]
    sys.stdout.write("\n".join(texts))


def print_json(traces: Sequence[Trace], catalogue: Catalogue, *, several: bool) -> None:
    from hakobu.client.codec import pretty

    documents = [to_json(trace, catalogue) for trace in traces]
    sys.stdout.write(pretty(documents if several else documents[0], 2) + "\n")
