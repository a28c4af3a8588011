"""`securityContext` of a pod and of a container, in a Compose file's words. Pure."""

from typing import Any

from hakobu.compose.model.reading import Reader, read_bool, read_each, read_int, read_list, read_string
from hakobu.compose.node import Node
from hakobu.formats.kube.field import Notes, fields, only, refused
from hakobu.formats.note import refuse
from hakobu.spec.step import Json

_WINDOWS = "it is for Windows containers"
_CHOWN = "the group is given to the processes; files of volumes keep theirs"


def _profile(option: str) -> Reader:
    """A seccomp or AppArmor profile as a security option, empty for the engine's own."""

    def read(node: Node, path: str) -> str:
        said = fields(node, path, {"type": read_string, "localhostProfile": read_string}, "type")
        kind = said["type"]
        if kind == "RuntimeDefault":
            return ""
        if kind == "Unconfined":
            return f"{option}=unconfined"
        if kind == "Localhost" and option == "apparmor":
            return f"apparmor={said.get('localhostProfile', '')}"
        raise refuse(node, path, f"{kind}: profiles are RuntimeDefault and Unconfined")

    return read


def _selinux(node: Node, path: str) -> list[str]:
    said = fields(node, path, dict.fromkeys(("user", "role", "type", "level"), read_string))
    return [f"label={key}:{value}" for key, value in said.items()]


def _both() -> dict[str, Reader]:
    """What pods and containers may say alike."""
    return {
        "runAsUser": read_int,
        "runAsGroup": read_int,
        "runAsNonRoot": read_bool,
        "seccompProfile": _profile("seccomp"),
        "appArmorProfile": _profile("apparmor"),
        "seLinuxOptions": _selinux,
        "windowsOptions": refused(_WINDOWS),
    }


def _sysctl(node: Node, path: str) -> tuple[str, str]:
    said = fields(node, path, {"name": read_string, "value": read_string}, "name", "value")
    return said["name"], said["value"]


def read_pod_security(node: Node, path: str, notes: Notes) -> dict[str, Any]:
    """The fields as they stand; `sysctls` as pairs."""
    readers: dict[str, Reader] = {
        **_both(),
        "supplementalGroups": read_list,
        "supplementalGroupsPolicy": only("the image's groups count too", "Merge"),
        "fsGroup": read_int,
        "fsGroupChangePolicy": notes.told(_CHOWN),
        "seLinuxChangePolicy": notes.told(_CHOWN),
        "sysctls": lambda n, p: read_each(n, p, _sysctl),
    }
    said = fields(node, path, readers)
    if "fsGroup" in said:
        notes.told(_CHOWN)(node, f"{path}.fsGroup")
    return said


def read_container_security(node: Node, path: str) -> dict[str, Any]:
    readers: dict[str, Reader] = {
        **_both(),
        "privileged": read_bool,
        "readOnlyRootFilesystem": read_bool,
        "allowPrivilegeEscalation": read_bool,
        "capabilities": lambda n, p: fields(n, p, {"add": read_list, "drop": read_list}),
        "procMount": only("/proc is masked as ever", "Default"),
    }
    return fields(node, path, readers)


def security_document(
    pod: dict[str, Any], container: dict[str, Any], node: Node, path: str, notes: Notes
) -> dict[str, Json]:
    """Both together; what the container says goes before."""
    said = {**pod, **container}
    document: dict[str, Json] = {}
    if user := _user(said):
        document["user"] = user
    if said.get("runAsNonRoot"):
        if said.get("runAsUser") == 0:
            raise refuse(node, f"{path}.runAsNonRoot", "runAsUser is 0")
        if "runAsUser" not in said:
            notes.told("whom the image runs as is not looked at")(node, f"{path}.runAsNonRoot")
    groups = [*said.get("supplementalGroups", ()), *([str(said["fsGroup"])] if "fsGroup" in said else [])]
    capabilities: dict[str, Any] = said.get("capabilities") or {}
    options = [said.get("seccompProfile"), said.get("appArmorProfile"), *said.get("seLinuxOptions", ())]
    options += ["no-new-privileges:true"] if said.get("allowPrivilegeEscalation") is False else []
    lists: dict[str, list[Any]] = {
        "group_add": groups,
        "cap_add": [*capabilities.get("add", ())],
        "cap_drop": [*capabilities.get("drop", ())],
        "security_opt": [option for option in options if option],
    }
    document |= {key: list[Json](value) for key, value in lists.items() if value}
    for key, name in (("privileged", "privileged"), ("readOnlyRootFilesystem", "read_only")):
        if said.get(key):
            document[name] = True
    return document


def _user(said: dict[str, Any]) -> str:
    if "runAsUser" not in said:
        return f"0:{said['runAsGroup']}" if "runAsGroup" in said else ""
    return f"{said['runAsUser']}:{said['runAsGroup']}" if "runAsGroup" in said else str(said["runAsUser"])
