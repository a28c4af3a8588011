"""`/hakobu/v1/...`: what Docker has no word for. Plans, for explain, and the labels that ask for more than
Docker's fields do; versioned on their own."""

from hakobu.api import reply
from hakobu.api.handlers import exec as execs
from hakobu.api.handlers.container import spec_of
from hakobu.api.http.exchange import Reply, Request
from hakobu.api.route import Route
from hakobu.engine.services import Services
from hakobu.spec import own_label
from hakobu.spec.plan import Plan
from hakobu.spec.step import Json


async def of_container(services: Services, request: Request) -> Reply:
    """The plan of the last start, with how each step went."""
    return reply.json(dict(await services.containers.plan(request.params[0])))


async def of_create(services: Services, request: Request) -> Reply:
    """The plan that a start of this create body would follow; nothing is done."""
    spec, warnings = spec_of(request)
    plan = await services.containers.plan_for(spec)
    return reply.json({**_told(plan), "warnings": warnings})


async def of_exec(services: Services, request: Request) -> Reply:
    """The plan that an exec of this create body would follow; nothing is done."""
    return reply.json(_told(await services.execs.plan_for(request.params[0], execs.spec_of(request))))


async def labels(services: Services, request: Request) -> Reply:
    """The labels of a create body that the engine acts on: what a client asks before it relies on them."""
    return reply.json({"Labels": list(own_label.KNOWN)})


def _told(plan: Plan) -> dict[str, Json]:
    return {"container_id": plan.container_id, "steps": [step.to_json() for step in plan.steps]}


ROUTES = (
    Route("GET", "/hakobu/v1/containers/{}/plan", of_container),
    Route("POST", "/hakobu/v1/containers/{}/plan/exec", of_exec),
    Route("POST", "/hakobu/v1/plan/create", of_create),
    Route("GET", "/hakobu/v1/labels", labels),
)
