"""What `up` would do, for explain: the plan's actions in words and the containers' create bodies. Changes nothing."""

from dataclasses import dataclass

from hakobu.client.engine import Engine
from hakobu.compose.action import Action, Kind
from hakobu.compose.command import parse
from hakobu.compose.context import Context
from hakobu.compose.failure import ActionFailed
from hakobu.compose.maker import Maker
from hakobu.compose.observed import observe
from hakobu.compose.plan import plan_pulls, plan_up
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
    maker = Maker(engine, project, observed)
    making = [a for wave in plan for a in wave if a.kind in (Kind.CREATE, Kind.RECREATE)]
    missing = {n.name for n in project.networks.values() if n.name not in observed.networks}
    bodies = [(a.name, _on_existing_networks(maker.body_of(a), missing)) for a in making]
    return Foreseen([[_told(a) for a in wave] for wave in plan], bodies)


def _on_existing_networks(body: dict[str, Json], missing: set[str]) -> dict[str, Json]:
    """An engine plans only with networks it has: the default one stands for those that `up` would make first."""
    host, networking = body["HostConfig"], body["NetworkingConfig"]
    assert isinstance(host, dict) and isinstance(networking, dict)
    endpoints = networking["EndpointsConfig"]
    assert isinstance(endpoints, dict)
    kept = {name: endpoint for name, endpoint in endpoints.items() if name not in missing}
    mode = "bridge" if host["NetworkMode"] in missing else host["NetworkMode"]
    return {**body, "HostConfig": {**host, "NetworkMode": mode}, "NetworkingConfig": {"EndpointsConfig": kept}}


def _told(action: Action) -> str:
    return f"{action.kind.value} {action.service if action.kind is Kind.AWAIT else action.name}"
