"""Plans: what `up` and `down` would do, from values alone."""

from dataclasses import replace
from pathlib import Path

import pytest

from hakobu.compose.action import Plan
from hakobu.compose.canonical import network_hash, service_hash
from hakobu.compose.load import Selection, load
from hakobu.compose.model.project import Project
from hakobu.compose.observed import Observed, ObservedContainer
from hakobu.compose.plan import UpOptions, changed_resources, levels, orphans, plan_pulls, plan_up
from hakobu.compose.plan_down import DownOptions, plan_down, plan_stop

TEXT = """
name: p
services:
  db: {image: db, healthcheck: {test: exit 0}}
  api: {image: api, depends_on: {db: {condition: service_healthy}}, volumes: ["data:/d"]}
  web: {image: web, depends_on: [api]}
  side: {image: web, network_mode: "service:api"}
volumes: {data: {}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "compose.yaml").write_text(TEXT)
    return load(Selection(working_directory=str(tmp_path)))


def container(project: Project, service: str, number: int = 1, **changes: object) -> ObservedContainer:
    spec = project.services[service]
    found = ObservedContainer(
        id=f"{service}{number}" * 8,
        name=f"p-{service}-{number}",
        service=service,
        number=number,
        image_id=f"id-{spec.image}",
        config_hash=service_hash(spec),
        depends_on=tuple(spec.depends_on),
    )
    return replace(found, **changes)  # type: ignore[arg-type]


def observed(project: Project, *containers: ObservedContainer) -> Observed:
    return Observed(
        containers=containers,
        networks={"p_default": network_hash(project.networks["default"])},
        volumes={"p_data": ""},
        images={image: f"id-{image}" for image in ("db", "api", "web")},
    )


def told(plan: Plan) -> list[list[str]]:
    return [[f"{a.kind} {a.name}" for a in wave] for wave in plan]


def test_from_nothing(project: Project) -> None:
    nothing = Observed()
    assert told(plan_pulls(project, nothing, UpOptions())) == [["pull db", "pull api", "pull side"]]
    assert told(plan_up(project, nothing, UpOptions())) == [
        ["create-network p_default", "create-volume p_data"],
        ["create p-db-1"],
        ["create p-api-1"],
        ["create p-side-1", "create p-web-1"],
        ["start p-db-1"],
        ["await api"],
        ["start p-api-1"],
        ["start p-side-1", "start p-web-1"],
    ]


def test_a_second_up_changes_nothing(project: Project) -> None:
    there = observed(project, *(container(project, name) for name in project.services))
    assert plan_pulls(project, there, UpOptions()) == ()
    kinds = {action.kind for wave in plan_up(project, there, UpOptions()) for action in wave}
    assert kinds == {"keep", "await"}


def test_a_changed_hash_recreates_and_who_shares_its_namespace_too(project: Project) -> None:
    all_of_them = [container(project, name) for name in project.services if name != "api"]
    there = observed(project, *all_of_them, container(project, "api", config_hash="other"))
    plan = told(plan_up(project, there, UpOptions()))
    assert plan[:2] == [["recreate p-api-1"], ["recreate p-side-1"]]
    assert ["start p-side-1", "keep p-web-1"] in plan


def test_another_image_recreates(project: Project) -> None:
    there = observed(project, container(project, "db", image_id="older"))
    options = UpOptions(services=("db",))
    assert told(plan_up(project, there, options)) == [["recreate p-db-1"], ["start p-db-1"]]
    assert told(plan_up(project, there, replace(options, no_recreate=True))) == [["keep p-db-1"]]


def test_no_deps_and_stopped_containers(project: Project) -> None:
    there = observed(project, container(project, "web", state="exited"))
    assert told(plan_up(project, there, UpOptions(services=("web",), no_deps=True))) == [["start p-web-1"]]


def test_pull_policies(project: Project) -> None:
    there = observed(project)
    assert told(plan_pulls(project, there, UpOptions(pull="always"))) == [["pull db", "pull api", "pull side"]]
    assert plan_pulls(project, Observed(), UpOptions(pull="never")) == ()


def test_scale_up_and_down(project: Project) -> None:
    there = observed(project, container(project, "db"))
    up = plan_up(project, there, UpOptions(services=("db",), scale={"db": 3}))
    assert told(up)[0] == ["create p-db-2", "create p-db-3"]
    there = observed(project, *(container(project, "db", n) for n in (1, 2, 3)))
    down = plan_up(project, there, UpOptions(services=("db",), scale={"db": 1}))
    assert told(down) == [["remove p-db-2", "remove p-db-3"], ["keep p-db-1"]]


def test_orphans_are_found_and_removed_on_request(project: Project) -> None:
    old = ObservedContainer(id="o" * 64, name="p-old-1", service="old")
    there = observed(project, *(container(project, name) for name in project.services), old)
    assert orphans(project, there) == (old,)
    plan = told(plan_up(project, there, UpOptions(remove_orphans=True)))
    assert plan[:2] == [["stop p-old-1"], ["remove p-old-1"]]


def test_down_goes_backwards(project: Project) -> None:
    old = ObservedContainer(id="o" * 64, name="p-old-1", service="old")
    left = observed(project, *(container(project, name) for name in project.services), old)
    assert told(plan_down(project, left, DownOptions(volumes=True))) == [
        ["stop p-side-1", "stop p-web-1"],
        ["remove p-side-1", "remove p-web-1"],
        ["stop p-api-1"],
        ["remove p-api-1"],
        ["stop p-db-1"],
        ["remove p-db-1"],
        ["remove-volume p_data", "remove-network p_default"],
    ]
    assert "remove p-old-1" in told(plan_down(None, left, DownOptions()))[1]
    assert told(plan_down(project, Observed(), DownOptions())) == []


def test_stop_leaves_stopped_ones_alone(project: Project) -> None:
    containers = [container(project, "db", state="exited"), container(project, "api")]
    assert told(plan_stop(containers)) == [["stop p-api-1"]]


def test_levels(project: Project) -> None:
    assert levels(project, project.services) == (("db",), ("api",), ("side", "web"))


def test_changed_networks_are_named(project: Project) -> None:
    there = replace(observed(project), networks={"p_default": "made-otherwise"})
    assert changed_resources(project, there) == ("network p_default",)


def test_every_action_says_why(project: Project) -> None:
    running = [container(project, "db"), container(project, "api", config_hash="old"), container(project, "web", 2)]
    plan = plan_up(project, observed(project, *running), UpOptions(scale={"web": 2}))
    reasons = {f"{action.kind} {action.name}": action.reason for wave in plan for action in wave}
    assert reasons == {
        "recreate p-api-1": "config changed",
        "create p-side-1": "not there",
        "create p-web-1": "2 wanted",
        "keep p-db-1": "unchanged",
        "await api": "api needs db: service_healthy",
        "start p-api-1": "new",
        "start p-side-1": "new",
        "start p-web-1": "new",
        "keep p-web-2": "unchanged",
    }


def test_why_a_container_is_made_anew(project: Project) -> None:
    def reason(*containers: ObservedContainer, **options: bool) -> str:
        plan = plan_up(project, observed(project, *containers), UpOptions(services=("side",), **options))
        return next(a.reason for wave in plan for a in wave if a.name == "p-side-1" and a.kind == "recreate")

    every = [container(project, name) for name in ("db", "api", "side")]
    assert reason(*every, force_recreate=True) == "--force-recreate"
    assert reason(*every[:2], container(project, "side", image_id="sha256:older")) == "image changed: older → id-web"
    assert reason(every[0], container(project, "api", config_hash="x"), every[2]).startswith(
        "api, which it shares with"
    )


def test_replicas_are_replaced_one_by_one_or_as_many_at_once_as_asked_for(tmp_path: Path) -> None:
    def waves(update: str) -> list[list[str]]:
        text = "name: p\nservices: {web: {image: web, deploy: {replicas: 3, update_config: {order: start-first%s}}}}"
        (tmp_path / "compose.yaml").write_text(text % update)
        rolling = load(Selection(working_directory=str(tmp_path)))
        old = [container(rolling, "web", n, config_hash="old") for n in (1, 2, 3)]
        stopped = replace(old[2], state="exited")
        plan = plan_up(rolling, observed(rolling, *old[:2], stopped), UpOptions())
        return [[f"{action.kind} {action.number}" for action in wave] for wave in plan]

    rest = [["recreate 3"], ["start 3"]]
    assert waves("") == [*rest, ["roll 1"], ["roll 2"]]
    assert waves(", parallelism: 2") == [*rest, ["roll 1", "roll 2"]]
    assert waves(", parallelism: 0") == [*rest, ["roll 1", "roll 2"]]


@pytest.mark.parametrize(
    ("policy", "age_s", "pulled"),
    [
        ("daily", 86000, False),
        ("daily", 87000, True),
        ("weekly", 87000, False),
        ("weekly", 7 * 86400 + 1, True),
        ("every_1h30m", 5399, False),
        ("every_1h30m", 5401, True),
        ("missing", float("inf"), False),
        ("never", float("inf"), False),
        ("always", 0, True),
    ],
)
def test_an_image_is_pulled_when_it_is_older_than_its_policy_allows(
    tmp_path: Path, policy: str, age_s: float, pulled: bool
) -> None:
    (tmp_path / "compose.yaml").write_text(f"services: {{web: {{image: web, pull_policy: {policy}}}}}")
    project = load(Selection(working_directory=str(tmp_path)))
    seen = Observed(images={"web": "id"}, image_ages_s={"web": age_s})
    assert bool(plan_pulls(project, seen, UpOptions())) is pulled


def test_images_go_with_their_project(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("name: p\nservices: {a: {image: named}, b: {build: .}}")
    project = load(Selection(working_directory=str(tmp_path)))

    def removed(images: str) -> list[str]:
        return [action.name for wave in plan_down(project, Observed(), DownOptions(images=images)) for action in wave]

    assert removed("") == []
    assert removed("local") == ["p-b"]
    assert removed("all") == ["named", "p-b"]
