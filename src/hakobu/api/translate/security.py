"""Security options, capabilities, masks and namespace modes of a create request."""

from hakobu.api.translate.limit import NotSupported
from hakobu.errors import Invalid
from hakobu.spec.container import Namespaces, Security
from hakobu.wire import container as wire


def security(host: wire.HostConfigShape) -> Security:
    options = tuple(host.get("SecurityOpt") or ())
    parsed = _Options()
    for option in options:
        parsed.take(option)
    masked, read_only = host.get("MaskedPaths"), host.get("ReadonlyPaths")
    return Security(
        privileged=bool(host.get("Privileged")),
        cap_add=tuple(host.get("CapAdd") or ()),
        cap_drop=tuple(host.get("CapDrop") or ()),
        options=options,
        no_new_privileges=parsed.no_new_privileges,
        seccomp_profile=parsed.seccomp,
        apparmor_profile=parsed.apparmor,
        masked_paths=None if masked is None and not parsed.unmasked else tuple(masked or ()),
        read_only_paths=None if read_only is None and not parsed.unmasked else tuple(read_only or ()),
        read_only_rootfs=bool(host.get("ReadonlyRootfs")),
    )


class _Options:
    """`--security-opt` values, one after the other; the last of a key holds."""

    def __init__(self) -> None:
        self.no_new_privileges = False
        self.seccomp = ""
        self.apparmor = ""
        self.unmasked = False

    def take(self, option: str) -> None:
        if option == "no-new-privileges":
            self.no_new_privileges = True
            return
        key, value = _split(option)
        match key:
            case "no-new-privileges":
                self.no_new_privileges = _boolean(option, value)
            case "seccomp":
                self.seccomp = "" if value == "builtin" else value
            case "apparmor":
                self.apparmor = value
            case "systempaths" if value == "unconfined":
                self.unmasked = True
            case "label":
                if value != "disable":
                    raise NotSupported("SecurityOpt", "label needs SELinux, which this engine does not set")
            case "writable-cgroups":
                if _boolean(option, value):
                    raise NotSupported("SecurityOpt", "writable-cgroups")
            case _:
                raise Invalid(f'invalid --security-opt 2: "{option}"', field="HostConfig.SecurityOpt")


def _split(option: str) -> tuple[str, str]:
    for separator in "=:":
        key, found, value = option.partition(separator)
        if found:
            return key, value
    raise Invalid(f'invalid --security-opt 1: "{option}"', field="HostConfig.SecurityOpt")


def _boolean(option: str, value: str) -> bool:
    match value.lower():
        case "1" | "t" | "true":
            return True
        case "0" | "f" | "false":
            return False
        case _:
            raise Invalid(f'invalid --security-opt 2: "{option}"', field="HostConfig.SecurityOpt")


def namespaces(host: wire.HostConfigShape) -> Namespaces:
    value = Namespaces(
        pid=host.get("PidMode") or "",
        ipc=host.get("IpcMode") or "",
        uts=host.get("UTSMode") or "",
        user=host.get("UsernsMode") or "",
        cgroup=host.get("CgroupnsMode") or "",
    )
    _check(value.pid, ("", "host"), "PID", joins=True)
    _check(value.ipc, ("", "host", "none", "private", "shareable"), "IPC", joins=True)
    _check(value.uts, ("", "host"), "UTS")
    _check(value.user, ("", "host"), "userns")
    if value.cgroup not in ("", "host", "private"):
        raise Invalid(f"invalid cgroup namespace mode: {value.cgroup}", field="HostConfig.CgroupnsMode")
    if host.get("Cgroup"):
        raise NotSupported("HostConfig.Cgroup", "joining another container's cgroup")
    return value


def _check(mode: str, allowed: tuple[str, ...], what: str, *, joins: bool = False) -> None:
    joined = joins and mode.startswith("container:") and len(mode) > len("container:")
    if mode not in allowed and not joined:
        raise Invalid(f"invalid {what} mode: {mode}", field=f"HostConfig.{what.title()}Mode")
