"""`/hakobu/v1/...`: what Docker has no word for. Plans, for explain; versioned on their own."""

from hakobu.api import reply
from hakobu.api.handlers.container import spec_of
from hakobu.api.http.exchange import Reply, Request
from hakobu.api.route import Route
from hakobu.engine.services import Services


async def of_container(services: Services, request: Request) -> Reply:
    """The plan of the last start, with how each step went."""
    return reply.json(dict(await services.containers.plan(request.params[0])))


async def of_create(services: Services, request: Request) -> Reply:
    """The plan that a start of this create body would follow; nothing is done."""
    spec, warnings = spec_of(request)
    plan = await services.containers.plan_for(spec)
    return reply.json(
        {
            "container_id": plan.container_id,
            "steps": [step.to_json() for step in plan.steps],
            "warnings": warnings,
        }
    )


ROUTES = (
    Route("GET", "/hakobu/v1/containers/{}/plan", of_container),
    Route("POST", "/hakobu/v1/plan/create", of_create),
)
