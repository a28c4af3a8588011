"""What of Docker's API is honoured, as a page made from the code itself: `python -m hakobu.api.compatibility`.

Operations come from the route table. Fields of a create request that are not simply honoured stand in `REFUSED`
and `WARNED`; tests hold that each is refused or warned about, and that no field of the wire shape is missing.
"""

import sys
from typing import Final

from hakobu.api import parameter
from hakobu.api.difference import DIFFERENCES
from hakobu.api.handlers import plugin, swarm
from hakobu.api.table import ROUTES
from hakobu.wire import container as wire
from hakobu.wire.container import Config, HostConfigShape
from hakobu.wire.network import Ipam, NetworkConnect, NetworkCreate, NetworkDisconnect, Pool
from hakobu.wire.operation import OPERATIONS, UNPUBLISHED
from hakobu.wire.system import AuthConfig
from hakobu.wire.version import ANNOUNCED, MINIMUM, UNCHANGED_SINCE
from hakobu.wire.volume import VolumeCreate

REFUSED: Final[dict[str, str]] = {
    "HostConfig.Cgroup": "joining another container's cgroup",
    "HostConfig.CpuCount": "Windows",
    "HostConfig.CpuPercent": "Windows",
    "HostConfig.IOMaximumIOps": "Windows",
    "HostConfig.IOMaximumBandwidth": "Windows",
    "HostConfig.Isolation": "everything but `default` is of Windows",
    "OnBuild": "of image builds",
}
"""Field to the reason. A non-empty value is answered with an error that names the field or the value."""

UNAVAILABLE: Final[dict[str, str]] = {
    "HostConfig.StorageOpt": "size limits need quotas on the data root's file system",
}
"""The same of the engine, which knows what the machine has (`engine/validate.py`)."""

WARNED: Final[dict[str, str]] = {
    "HostConfig.KernelMemory": "the kernel dropped it; the reply warns",
    "HostConfig.KernelMemoryTCP": "the kernel dropped it; the reply warns",
}

WITHOUT_EFFECT: Final[dict[str, str]] = {
    "ArgsEscaped": "of Windows images; Docker on Linux ignores it too",
    "Shell": "of Dockerfiles; a container never uses it",
}

_SHAPES: Final = (
    wire.HealthcheckShape,
    wire.LogConfigShape,
    wire.RestartPolicyShape,
    wire.PortBinding,
    wire.Device,
    wire.DeviceRequestShape,
    wire.Mount,
    wire.BindOptionsShape,
    wire.VolumeOptionsShape,
    wire.TmpfsOptionsShape,
    wire.ImageOptionsShape,
    wire.EndpointSettings,
    wire.EndpointIPAM,
    wire.ExecCreate,
    wire.ExecStart,
    NetworkCreate,
    Ipam,
    Pool,
    NetworkConnect,
    NetworkDisconnect,
    VolumeCreate,
    AuthConfig,
)

OTHERWISE: Final[dict[tuple[str, str], str]] = {
    ("Mount", "Consistency"): "no effect: of Docker Desktop; Docker on Linux ignores it too",
    ("Mount", "ClusterOptions"): "refused: of swarm",
    **dict.fromkeys(
        (("EndpointSettings", name) for name in ("NetworkID", "IPAddress", "GlobalIPv6Address")),
        "no effect: what came of it, and no wish; Docker ignores it too",
    ),
    ("NetworkCreate", "CheckDuplicate"): "no effect: names are always unique, as with later dockerds",
    ("NetworkCreate", "Scope"): "refused: everything but `local` is of swarm",
    ("NetworkCreate", "Ingress"): "refused: of swarm",
    ("NetworkCreate", "ConfigOnly"): "refused: networks that are only configuration",
    ("NetworkCreate", "ConfigFrom"): "refused: networks that are only configuration",
    ("VolumeCreate", "ClusterVolumeSpec"): "refused: of swarm",
}
"""Object and field to what is not simply honoured."""

NOT_SERVED: Final[tuple[tuple[str, str], ...]] = (
    ("/swarm/", "there is no swarm mode"),
    ("/containers/{}/checkpoints", "of Docker's experimental mode; needs CRIU"),
    ("/plugins/", "there are no plugins"),
    ("/grpc", "of BuildKit"),
    ("/session", "of BuildKit"),
    ("/build", "images are built elsewhere"),
    ("/debug/pprof", "profiles of a Go program"),
)
"""Beginning of a path to why what is not served there is not."""

_AS_WITHOUT: Final = {
    **{(r.method, r.template): "as Docker outside a swarm" for r in swarm.ROUTES},
    **{(r.method, r.template): "as Docker without plugins" for r in plugin.ROUTES},
}
"""What is answered with the error (or the empty list) of a daemon that has none of it."""


def create_fields() -> list[str]:
    """Every field of a create request, as a path."""
    return [*Config.__annotations__, *(f"HostConfig.{name}" for name in HostConfigShape.__annotations__)]


def treatment(field: str) -> str:
    if reason := REFUSED.get(field) or UNAVAILABLE.get(field):
        return f"refused: {reason}"
    if field in WARNED:
        return f"warned: {WARNED[field]}"
    return f"no effect: {WITHOUT_EFFECT[field]}" if field in WITHOUT_EFFECT else "honoured"


def other_fields() -> list[tuple[str, str]]:
    """Objects of the other requests with each of their fields."""
    return [(shape.__name__.removesuffix("Shape"), field) for shape in _SHAPES for field in shape.__annotations__]


def _other_fields() -> list[str]:
    return [f"| `{of}` | `{field}` | {OTHERWISE.get((of, field), 'honoured')} |" for of, field in other_fields()]


def _parameters() -> list[str]:
    return [
        f"| {operation} | `{name}` | {parameter.treatment(operation, name)} |"
        for operation, names in parameter.PARAMETERS.items()
        for name in names
    ]


def page() -> str:
    served = {(route.method, route.template) for route in ROUTES}
    rows = [
        f"| `{method} {template.replace('{}', '{name}')}` | {name} | {_answer(served, method, template)} |"
        for method, template, name in OPERATIONS + UNPUBLISHED
    ]
    own = [
        f"| `{r.method} {r.template.replace('{}', '{name}')}` |" for r in ROUTES if r.template.startswith("/hakobu/")
    ]
    fields = [f"| `{field}` | {treatment(field)} |" for field in create_fields()]
    answers = [_answer(served, method, template) for method, template, _ in OPERATIONS]
    honoured, refused = answers.count("honoured"), sum(a.startswith("501") for a in answers)
    return "\n".join(
        (
            "# Compatibility with the Docker Engine API",
            "",
            "Made from the code by `python -m hakobu.api.compatibility`; a test fails when it is out of date.",
            "",
            f"Announced version {ANNOUNCED}, oldest served {MINIMUM} ({UNCHANGED_SINCE} for looking at images, naming"
            f" them and moving them as archives). Of {len(OPERATIONS)} published operations"
            f" {honoured} are honoured, {len(answers) - honoured - refused} answer as Docker does without a swarm and"
            f" without plugins, and {refused} answer 501 with their name.",
            "",
            "## Operations",
            "",
            "| request | operation | answer |",
            "|---|---|---|",
            *rows,
            "",
            "Beyond Docker's:",
            "",
            "| request |",
            "|---|",
            *own,
            "",
            "## Query parameters",
            "",
            "Operations that are not here have none.",
            "",
            "| operation | parameter | |",
            "|---|---|---|",
            *_parameters(),
            "",
            "## Fields of a create request",
            "",
            "| field | |",
            "|---|---|",
            *fields,
            "",
            "## Fields of other requests",
            "",
            "Objects that stand in several of them are named once; an update's `Resources` are those of `HostConfig`.",
            "",
            "| object | field | |",
            "|---|---|---|",
            *_other_fields(),
            "",
            "## Beside dockerd",
            "",
            "The calls that the docker command line and docker compose make, compared with dockerd 20.10's answers in"
            " its version of the API: statuses, headers, names and types of fields. What is left:",
            "",
            "| where | Hakobu | why |",
            "|---|---|---|",
            *(f"| {where} | {ours} | {why} |" for where, ours, why in DIFFERENCES),
            "",
        )
    )


def _answer(served: set[tuple[str, str]], method: str, template: str) -> str:
    if (method, template) in _AS_WITHOUT:
        return _AS_WITHOUT[method, template]
    if (method, template) in served or (template == "/_ping" and ("GET", template) in served):
        return "honoured"
    why = next((why for start, why in NOT_SERVED if template.startswith(start)), "")
    return f"501: {why}" if why else "501"


if __name__ == "__main__":
    sys.stdout.write(page())
