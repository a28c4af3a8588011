"""Verbs that exchange images with registries: pull, push."""

import os
from collections.abc import Callable

from hakobu.client.credential import read_config, registry_auth
from hakobu.client.endpoint import docker_config_dir
from hakobu.client.error import ClientError
from hakobu.client.progress import finish
from hakobu.compose.apply import Applier
from hakobu.compose.context import Context
from hakobu.compose.image_name import registry_host, split_reference
from hakobu.compose.observed import Observed, observe
from hakobu.compose.plan import UpOptions, plan_pulls, wanted_services


def _names(context: Context) -> list[str]:
    """The services asked for, with what they depend on where that is wanted."""
    options = UpOptions(services=context.services, no_deps=not context.on("include_deps"))
    return [*wanted_services(context.project, options)]


def _leniently(context: Context, lenient: bool, call: Callable[[], None]) -> None:
    """A failure is told and passed over where the command line says so."""
    try:
        call()
    except ClientError as e:
        if not lenient:
            raise
        context.progress.warn(str(e))


def pull(context: Context) -> int:
    project = context.project
    skipped = {name for name in _names(context) if context.on("ignore_buildable") and project.service(name).build}
    policy = context.text("policy") or "always"
    seen = observe(context.engine, project) if policy == "missing" else Observed()
    wanted = UpOptions(services=context.services, pull=policy, no_deps=not context.on("include_deps"))
    applier = Applier(context.engine, context.progress, project=project, options=context.apply_options())
    for wave in plan_pulls(project, seen, wanted):
        kept = tuple(action for action in wave if action.service not in skipped)
        if context.on("ignore_pull_failures"):
            for action in kept:
                _leniently(context, True, lambda action=action: applier.run(((action,),)))
        else:
            applier.run((kept,))
    return 0


def push(context: Context) -> int:
    """As docker compose: only services that are built here have an image of their own to push."""
    for name in _names(context):
        service = context.project.service(name)
        subject = f"{name}"
        if not service.build or not service.image:
            context.progress.line(subject, "Skipped")
            continue
        context.progress.line(subject, "Pushing")
        if not context.dry:
            _leniently(context, context.on("ignore_push_failures"), lambda image=service.image: _push(context, image))
        context.progress.line(subject, "Pushed")
    return 0


def _push(context: Context, image: str) -> None:
    repository, tag = split_reference(image)
    auth = registry_auth(read_config(docker_config_dir(os.environ)), registry_host(repository))
    finish(context.engine.images.push(repository, tag, registry_auth=auth))
