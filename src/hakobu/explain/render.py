"""A trace as text for a terminal, or as JSON for programs; the same five answers for every step."""

from collections.abc import Mapping
from dataclasses import dataclass

from hakobu.explain.catalogue import Catalogue
from hakobu.explain.fill import Values, values_for
from hakobu.explain.trace import ToldStep, Trace
from hakobu.spec.step import Json, Place


@dataclass(frozen=True, slots=True)
class Explained:
    """One step in words. `calls` in the order of the plan's own list; `took_ms` None where it has not run."""

    name: str
    place: Place
    what: str
    calls: tuple[str, ...]
    shell: str
    see: str
    took_ms: float | None
    error: str

    def to_json(self) -> dict[str, Json]:
        return {
            "name": self.name,
            "place": self.place.value,
            "what": self.what,
            "syscalls": [*self.calls],
            "shell": self.shell,
            "see": self.see,
            "took_ms": self.took_ms,
            "error": self.error,
        }


def explain_step(told: ToldStep, catalogue: Catalogue, *, pid: int = 0) -> Explained:
    """A step that the catalogue does not know (an engine newer than this program) is told by its name."""
    step = told.step
    values = values_for(step, pid=pid, language=catalogue.language)
    form = catalogue.forms.get(step.name)
    took = None if told.took_ns is None else round(told.took_ns / 1e6, 3)
    templates: Mapping[str, str] = form.calls if form else {}
    return Explained(
        name=step.name,
        place=step.place,
        what=_filled(catalogue.steps.get(step.name, step.name), values),
        calls=tuple(_filled(templates.get(call, f"{call}(…)"), values) for call in step.syscalls),
        shell=_filled(form.shell, values) if form else "",
        see=_filled(form.see, values) if form else "",
        took_ms=took,
        error=told.error,
    )


def _filled(template: str, values: Values) -> str:
    return template.format_map(values)


def to_json(trace: Trace, catalogue: Catalogue) -> dict[str, Json]:
    steps: list[Json] = [explain_step(told, catalogue, pid=trace.pid).to_json() for told in trace.steps]
    document: dict[str, Json] = {"steps": steps, "language": catalogue.language}
    if trace.has_run:
        document["took_ms"] = round(trace.span_ns / 1e6, 3)
    if trace.container_id:
        document["container"] = trace.container_id
    if trace.name:
        document["name"] = trace.name
    return document


def to_text(trace: Trace, catalogue: Catalogue, *, colour: bool = False, title: str = "", legend: bool = True) -> str:
    """Numbered steps with their five answers, and a sum at the end."""
    words = catalogue.words
    key = "title_done" if trace.has_run else "title_plan"
    lines = [_bold(title or words[key].format(name=trace.name or trace.container_id[:12]), colour), ""]
    if legend:
        lines += [words["legend"], ""]
    for number, told in enumerate(trace.steps, 1):
        lines += _step_lines(number, explain_step(told, catalogue, pid=trace.pid), trace, words, colour)
    count = str(len(trace.steps))
    if trace.has_run:
        lines.append(words["total"].format(count=count, ms=f"{trace.span_ns / 1e6:.2f}"))
    else:
        lines.append(words["planned"].format(count=count))
    return "\n".join(lines) + "\n"


def _step_lines(number: int, step: Explained, trace: Trace, words: Mapping[str, str], colour: bool) -> list[str]:
    head = f"{number:3}. {_bold(step.name, colour)}  [{words[step.place.value]}]"
    if step.took_ms is not None:
        head += f"  {step.took_ms:.3f} ms"
    elif trace.has_run:
        head += f"  ({words['not_run']})"
    lines = [head, f"     {step.what}"]
    lines += [f"     {_dim(words['calls'], colour)}  {call}" for call in step.calls]
    if step.shell:
        lines.append(f"     {_dim(words['shell'], colour)}  {step.shell}")
    if step.see:
        lines.append(f"     {_dim(words['see'], colour)}  {step.see}")
    if step.error:
        lines.append(f"     {words['failed'].format(error=step.error)}")
    return [*lines, ""]


def _bold(text: str, colour: bool) -> str:
    return f"\x1b[1m{text}\x1b[0m" if colour else text


def _dim(text: str, colour: bool) -> str:
    return f"\x1b[2m{text}:\x1b[0m" if colour else f"{text}:"
