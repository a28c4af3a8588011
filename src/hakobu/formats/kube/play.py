"""Pods on the engine: each a Compose project of its own, made by Compose's plan and taken away by it.

The labels are Compose's; beside them a container of a pod carries `io.hakobu.pod`. All pods are on one network.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from hakobu.client.engine import Engine
from hakobu.client.error import EngineError
from hakobu.compose.apply import Applier, ApplyOptions
from hakobu.compose.canonical import go_json, service_hash
from hakobu.compose.label import PROJECT
from hakobu.compose.model.dependency import COMPLETED
from hakobu.compose.model.project import Project
from hakobu.compose.observed import Observed, observe, observe_containers
from hakobu.compose.plan import UpOptions, plan_pulls, plan_up
from hakobu.compose.plan_down import DownOptions, plan_down
from hakobu.compose.progress import Progress
from hakobu.compose.support import refuse_unsupported
from hakobu.errors import HakobuError, Kind
from hakobu.formats.document import joined, project_of
from hakobu.formats.kube.pause import ensure_pause_image
from hakobu.formats.kube.reader import NETWORK, KubeFile, PodDocument
from hakobu.formats.kube.volume import KIND_LABEL
from hakobu.formats.pod import PAUSE_IMAGE, POD_LABEL
from hakobu.spec.step import Json

KUBE_NETWORK = "hakobu-kube"
CONTENT_LABEL = "io.hakobu.pod.content"
"""A digest of what the pod's files hold, so that a changed ConfigMap changes its containers."""


class PodExists(HakobuError):
    """A pod of this name that is not the one to be played."""

    kind = Kind.CONFLICT

    def __init__(self, name: str) -> None:
        super().__init__(f"pod {name} exists already, and is another", hint="--replace plays it anew")
        self.name = name


class NameTaken(HakobuError):
    """A Compose project of a pod's name."""

    kind = Kind.CONFLICT

    def __init__(self, name: str) -> None:
        super().__init__(f"a Compose project is called {name} already", hint="give the pod another name")
        self.name = name


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayOptions:
    """`wait`: until everything is healthy, runs or has done its work."""

    replace: bool = False
    start: bool = True
    wait: bool = False
    network: str = KUBE_NETWORK


def pod_project(pod: PodDocument, network: str = KUBE_NETWORK) -> Project:
    """The pod as a project: containers under their full names, on the pods' network, claims as volumes that exist."""
    volumes = joined(pod.volumes, {claim: {"name": claim, "external": True} for claim in pod.claims})
    document: dict[str, Json] = {"services": pod.services, "volumes": volumes, "configs": pod.configs}
    document["networks"] = {NETWORK: {"name": network, "external": True}}
    project = project_of(document, pod.name)
    digest = hashlib.sha256(go_json(pod.configs).encode()).hexdigest()
    labels = {POD_LABEL: pod.name} | ({CONTENT_LABEL: digest} if pod.configs else {})
    services = {
        key: replace(service, container_name=key, labels=dict(sorted({**service.labels, **labels}.items())))
        for key, service in project.services.items()
    }
    return replace(project, services=services)


def play(engine: Engine, file: KubeFile, options: PlayOptions, progress: Progress) -> list[str]:
    """Makes the file's pods, one after the other; the names of those that are there now."""
    projects = [pod_project(pod, options.network) for pod in file.pods]
    for project in projects:
        refuse_unsupported(project, project.services)
        _refuse_taken(engine, project)
    make_network(engine, options.network)
    for name in dict.fromkeys([*file.claims, *(claim for pod in file.pods for claim in pod.claims)]):
        _make_claim(engine, name, file.claims.get(name, {}))
    if any(s.image == PAUSE_IMAGE for project in projects for s in project.services.values()):
        ensure_pause_image(engine)
    for project in projects:
        _play_pod(engine, project, options, progress)
    return [project.name for project in projects]


def _refuse_taken(engine: Engine, project: Project) -> None:
    ours = _container_ids(engine, project.name)
    if any(c.id not in ours for c in observe_containers(engine, project.name)):
        raise NameTaken(project.name)


def _container_ids(engine: Engine, pod: str) -> set[str]:
    return {str(c["Id"]) for c in engine.containers.list(all=True, filters={"label": [f"{POD_LABEL}={pod}"]})}


def make_network(engine: Engine, name: str) -> None:
    """The pods' network, where it is missing; a user's own network must exist."""
    try:
        engine.networks.inspect(name)
    except EngineError as e:
        if e.status != 404 or name != KUBE_NETWORK:
            raise
        engine.networks.create({"Name": name, "Driver": "bridge", "Labels": {KIND_LABEL: "network"}})


def _make_claim(engine: Engine, name: str, labels: Mapping[str, str]) -> None:
    """A volume that is there already is used as it is."""
    try:
        engine.volumes.inspect(name)
    except EngineError as e:
        if e.status != 404:
            raise
        engine.volumes.create({"Name": name, "Labels": {**labels, KIND_LABEL: "PersistentVolumeClaim"}})


def _play_pod(engine: Engine, project: Project, options: PlayOptions, progress: Progress) -> None:
    observed = observe(engine, project)
    up = UpOptions(no_start=not options.start, wait=options.wait and options.start)
    if observed.containers:
        if is_unchanged(project, observed, started=options.start):
            progress.line(f"Pod {project.name}", "Unchanged")
            return
        if not options.replace:
            raise PodExists(project.name)
        remove_pod(engine, project.name, project, progress)
        observed = observe(engine, project)
    if pulls := plan_pulls(project, observed, up):
        Applier(engine, progress, project=project, observed=observed).run(pulls)
        observed = observe(engine, project)
    Applier(engine, progress, project=project, observed=observed).run(plan_up(project, observed, up))


def is_unchanged(project: Project, observed: Observed, *, started: bool = True) -> bool:
    """Whether the pod's containers are those of the file, from the images of today, and in the state they should be."""
    awaited = {n for s in project.services.values() for n, d in s.depends_on.items() if d.condition == COMPLETED}
    for name, service in project.services.items():
        found = observed.of_service(name)
        if len(found) != 1 or found[0].config_hash != service_hash(service):
            return False
        if observed.images.get(service.image, found[0].image_id) != found[0].image_id:
            return False
        may_end = name in awaited or not service.restart.startswith("always")
        if started and not (found[0].is_running or (may_end and found[0].state == "exited")):
            return False
    return len(observed.containers) == len(project.services)


def remove_pod(engine: Engine, name: str, project: Project | None, progress: Progress) -> bool:
    """Stops and removes a pod with the volumes that are its own; False where there was none."""
    filters = {"label": [f"{PROJECT}={name}", KIND_LABEL]}
    own = {str(v["Name"]): "" for v in engine.volumes.list(filters)}  # a Compose project may have left others
    ours = _container_ids(engine, name)
    containers = tuple(c for c in observe_containers(engine, name) if c.id in ours)
    if not containers and not own:
        return False
    left = Observed(containers=containers, volumes=own)
    plan = plan_down(None, left, DownOptions(volumes=True))
    Applier(engine, progress, project=project, observed=left, options=ApplyOptions(volumes=True)).run(plan)
    return True


def remove_shared(engine: Engine, claims: Iterable[str], progress: Progress) -> None:
    """Volumes of claims, and the pods' network where no pod is left on it."""
    for claim in claims:
        try:
            engine.volumes.remove(claim)
            progress.line(f"Volume {claim}", "Removed")
        except EngineError as e:
            if e.status == 409:
                progress.line(f"Volume {claim}", "Resource is still in use")
            elif e.status != 404:
                raise
    try:
        engine.networks.remove(KUBE_NETWORK)
        progress.line(f"Network {KUBE_NETWORK}", "Removed")
    except EngineError as e:
        if e.status not in (403, 404, 409):
            raise
