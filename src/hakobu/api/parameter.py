"""The query parameters of Docker's operations (API 1.51, and those that clients send beside the published ones).

Data for the compatibility page. A parameter is honoured unless it stands in `WITHOUT_EFFECT`; tests hold that each
honoured one is read by the module that serves its operation.
"""

from typing import Final

_FILTERS: Final = ("filters",)
_STREAMS: Final = ("detachKeys", "logs", "stream", "stdin", "stdout", "stderr")

PARAMETERS: Final[dict[str, tuple[str, ...]]] = {
    "ContainerList": ("all", "limit", "size", "filters"),
    "ContainerCreate": ("name", "platform"),
    "ContainerInspect": ("size",),
    "ContainerTop": ("ps_args",),
    "ContainerLogs": ("follow", "stdout", "stderr", "since", "until", "timestamps", "tail", "details"),
    "ContainerStats": ("stream", "one-shot"),
    "ContainerResize": ("h", "w"),
    "ContainerStart": ("detachKeys",),
    "ContainerStop": ("signal", "t"),
    "ContainerRestart": ("signal", "t"),
    "ContainerKill": ("signal",),
    "ContainerRename": ("name",),
    "ContainerAttach": _STREAMS,
    "ContainerAttachWebsocket": _STREAMS,
    "ContainerWait": ("condition",),
    "ContainerDelete": ("v", "force", "link"),
    "ContainerArchiveInfo": ("path",),
    "ContainerArchive": ("path",),
    "PutContainerArchive": ("path", "noOverwriteDirNonDir", "copyUIDGID"),
    "ContainerPrune": _FILTERS,
    "ExecResize": ("h", "w"),
    "ImageList": ("all", "filters", "shared-size", "digests", "manifests"),
    "BuildPrune": ("keep-storage", "reserved-space", "max-used-space", "min-free-space", "all", "filters"),
    "ImageCreate": ("fromImage", "fromSrc", "repo", "tag", "message", "changes", "platform"),
    "ImageInspect": ("manifests", "platform"),
    "ImageHistory": ("platform",),
    "ImagePush": ("tag", "platform"),
    "ImageTag": ("repo", "tag"),
    "ImageDelete": ("force", "noprune", "platforms"),
    "ImageSearch": ("term", "limit", "filters"),
    "ImagePrune": _FILTERS,
    "ImageCommit": ("container", "repo", "tag", "comment", "author", "pause", "changes"),
    "SystemEvents": ("since", "until", "filters"),
    "SystemDataUsage": ("type",),
    "ImageGet": ("platform",),
    "ImageGetAll": ("names", "platform"),
    "ImageLoad": ("quiet", "platform"),
    "VolumeList": _FILTERS,
    "VolumeDelete": ("force",),
    "VolumePrune": _FILTERS,
    "NetworkList": _FILTERS,
    "NetworkInspect": ("scope", "verbose"),
    "NetworkPrune": _FILTERS,
}
"""Operation to its parameters; those that are not here have none."""

_NOTHING_BUILT: Final = "nothing is built here, so there is no cache to prune"

WITHOUT_EFFECT: Final[dict[tuple[str, str], str]] = {
    ("ImageList", "digests"): "digests are always told, as Docker does",
    ("NetworkInspect", "verbose"): "tells of a swarm's services, of which there are none",
    **{("BuildPrune", name): _NOTHING_BUILT for name in PARAMETERS["BuildPrune"]},
}


def treatment(operation: str, name: str) -> str:
    why = WITHOUT_EFFECT.get((operation, name), "")
    return f"no effect: {why}" if why else "honoured"
