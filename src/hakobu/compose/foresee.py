"""What `up` would do, for explain: the plan's actions in words and the containers' create bodies. Changes nothing."""

from dataclasses import dataclass

from hakobu.client.engine import Engine
from hakobu.compose.apply import Applier
from hakobu.compose.command import parse
from hakobu.compose.context import Context
from hakobu.compose.failure import ActionFailed
from hakobu.compose.observed import observe
from hakobu.compose.plan import Action, Kind, plan_pulls, plan_up
from hakobu.compose.verb.lifecycle import up_options
from hakobu.spec.step import Json


@dataclass(frozen=True, slots=True)
class Foreseen:
    """`waves` of actions as `create web-1`; `bodies` of the containers to be made or made anew, by name."""

    waves: list[list[str]]
    bodies: list[tuple[str, dict[str, Json]]]


def foresee(engine: Engine, argv: list[str]) -> Foreseen:
    """For the arguments of a `compose … up`; `ActionFailed` for any other verb."""
    options = parse(argv)
    if options.verb not in ("up", "create"):
        raise ActionFailed("only `compose up` can be explained", hint="hakobu explain compose -f compose.yaml up")
    context = Context(options, engine.endpoint)
    project, wanted = context.project, up_options(context)
    observed = observe(engine, project)
    plan = (*plan_pulls(project, observed, wanted), *plan_up(project, observed, wanted))
    applier = Applier(engine, context.progress, project=project, observed=observed)
    making = [a for wave in plan for a in wave if a.kind in (Kind.CREATE, Kind.RECREATE)]
    return Foreseen([[_told(a) for a in wave] for wave in plan], [(a.name, applier.body_of(a)) for a in making])


def _told(action: Action) -> str:
    return f"{action.kind.value} {action.service if action.kind is Kind.AWAIT else action.name}"
