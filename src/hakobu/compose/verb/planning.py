"""`compose plan`: what `up` would do and why, as a tree, as JSON, or as the docker commands that do the same."""

import json
import shlex
import sys

from hakobu.compose.action import Action, Kind, Plan
from hakobu.compose.command_line import connect_argvs, create_argv, network_argv, volume_argv
from hakobu.compose.context import Context
from hakobu.compose.failure import ActionFailed
from hakobu.compose.maker import Maker
from hakobu.compose.model.project import Project
from hakobu.compose.observed import observe
from hakobu.compose.plan import plan_pulls, plan_up, wanted_services
from hakobu.compose.resource_body import network_body, volume_body
from hakobu.compose.support import refuse_unsupported
from hakobu.compose.verb.lifecycle import up_options
from hakobu.spec.step import Json

_NOUNS = {
    Kind.PULL: "pull image of",
    Kind.CREATE_NETWORK: "create network",
    Kind.CREATE_VOLUME: "create volume",
    Kind.AWAIT: "await service",
}


def plan(context: Context) -> int:
    """Nothing is changed; the exit status is 0 whether there is something to do or not."""
    project, options = context.project, up_options(context)
    refuse_unsupported(project, wanted_services(project, options))
    observed = observe(context.engine, project)
    maker = Maker(context.engine, project, observed)
    whole = (*plan_pulls(project, observed, options), *plan_up(project, observed, options))
    found = maker.with_changes(whole)
    form = context.text("format") or "tree"
    if form not in _FORMS:
        raise ActionFailed(f"plan: the format must be {', '.join(_FORMS)}")
    sys.stdout.write(_FORMS[form](found, project, maker))
    return 0


def _tree(plan: Plan, _project: Project, _maker: Maker) -> str:
    """Waves one below the other; what is in one wave runs side by side."""
    lines: list[str] = []
    for wave in plan:
        for i, action in enumerate(wave):
            corner = "─" if len(wave) == 1 else "┬" if i == 0 else "└" if i == len(wave) - 1 else "├"
            reason = f"  ({action.reason})" if action.reason else ""
            lines.append(f"{corner} {_told(action)}{reason}")
    return "".join(f"{line}\n" for line in lines)


def _told(action: Action) -> str:
    noun = _NOUNS.get(action.kind, f"{action.kind.value.replace('-', ' ')} container")
    name = f"{action.service} {action.condition}" if action.kind is Kind.AWAIT else action.name
    return f"{noun} {name}"


def _json(plan: Plan, _project: Project, _maker: Maker) -> str:
    waves: list[Json] = [[_document(action) for action in wave] for wave in plan]
    return json.dumps(waves, indent=2, ensure_ascii=False) + "\n"


def _document(action: Action) -> Json:
    document: dict[str, Json] = {
        "action": action.kind.value,
        "name": action.name,
        "service": action.service,
        "number": action.number,
        "container": action.container.id if action.container else "",
        "condition": action.condition,
        "reason": action.reason,
    }
    return {key: value for key, value in document.items() if value}


def _commands(plan: Plan, project: Project, maker: Maker) -> str:
    """A shell script; what docker's command line cannot say (waiting) is a comment."""
    lines: list[str] = []
    for wave in plan:
        for action in wave:
            lines += _commands_of(action, project, maker)
    return "".join(f"{line}\n" for line in lines)


def _commands_of(action: Action, project: Project, maker: Maker) -> list[str]:
    if action.kind is Kind.KEEP:
        return []
    if action.kind is Kind.PULL:
        argvs = [["docker", "pull", project.image_of(project.service(action.service))]]
    elif action.kind is Kind.CREATE_NETWORK:
        argvs = [network_argv(network_body(project, project.networks[action.service]))]
    elif action.kind is Kind.CREATE_VOLUME:
        argvs = [volume_argv(volume_body(project, project.volumes[action.service]))]
    elif action.kind in (Kind.CREATE, Kind.RECREATE):
        argvs = _creation(action, maker)
    elif action.kind is Kind.AWAIT:
        return [f"# wait until {action.service} is {action.condition.removeprefix('service_')}"]
    else:
        verb = "rm --force" if action.kind is Kind.REMOVE else action.kind.value
        argvs = [["docker", *verb.split(), action.name]]
    return [shlex.join(argv) for argv in argvs]


def _creation(action: Action, maker: Maker) -> list[list[str]]:
    old = [["docker", "rm", "--force", action.name]] if action.kind is Kind.RECREATE else []
    body = maker.body_of(action)
    return [*old, create_argv(action.name, body), *connect_argvs(action.name, body)]


_FORMS = {"tree": _tree, "json": _json, "commands": _commands}
