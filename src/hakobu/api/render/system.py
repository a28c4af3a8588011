"""`/version` and `/info` from the facts of engine and host."""

import platform
import time
from typing import Any

from hakobu.api.time import rfc3339_nano
from hakobu.engine.logs.drivers import DRIVERS
from hakobu.engine.services import SystemFacts
from hakobu.wire.system import Version

INDEX_SERVER = "https://index.docker.io/v1/"
RUNTIME = "hakobu"
NETWORK_DRIVERS = ("bridge", "host", "ipvlan", "macvlan", "null")

_GO_ARCH = {"x86_64": "amd64", "aarch64": "arm64"}


def go_architecture(machine: str) -> str:
    """The kernel's name of an architecture as images and clients say it."""
    return _GO_ARCH.get(machine, machine)


def version(facts: SystemFacts) -> Version:
    arch = go_architecture(facts.architecture)
    python = f"Python {platform.python_version()}"
    details = {
        "ApiVersion": facts.api_version,
        "Arch": arch,
        "BuildTime": facts.build_time,
        "Experimental": "false",
        "GitCommit": facts.git_commit,
        "GoVersion": python,
        "KernelVersion": facts.kernel_version,
        "MinAPIVersion": facts.min_api_version,
        "Os": facts.os_type,
    }
    return {
        "Platform": {"Name": "Hakobu"},
        "Components": [{"Name": "Engine", "Version": facts.engine_version, "Details": details}],
        "Version": facts.engine_version,
        "ApiVersion": facts.api_version,
        "MinAPIVersion": facts.min_api_version,
        "GitCommit": facts.git_commit,
        "GoVersion": python,
        "Os": facts.os_type,
        "Arch": arch,
        "KernelVersion": facts.kernel_version,
        "BuildTime": facts.build_time,
    }


def info(facts: SystemFacts) -> dict[str, Any]:
    """Address pools are told where they were configured; the built-in ones are not, as with Docker."""
    pools = [{"Base": base, "Size": size} for base, size in facts.address_pools]
    return {
        "ID": facts.instance_id,
        "Containers": facts.containers,
        "ContainersRunning": facts.containers_running,
        "ContainersPaused": facts.containers_paused,
        "ContainersStopped": facts.containers_stopped,
        "Images": facts.images,
        "Driver": facts.storage_driver,
        "DriverStatus": [
            ["Supports d_type", "true"],
            ["Native Overlay Diff", "true"],
            ["userxattr", str(facts.userxattr).lower()],
        ],
        "Plugins": {
            "Volume": ["local"],
            "Network": list(NETWORK_DRIVERS),
            "Authorization": None,
            "Log": list(DRIVERS),
        },
        **_abilities(facts),
        "Debug": facts.debug,
        "NFd": facts.file_descriptors,
        "NGoroutines": facts.tasks,
        "SystemTime": rfc3339_nano(time.time_ns()),
        "LoggingDriver": facts.default_log_driver,
        "CgroupDriver": facts.cgroup_driver,
        "CgroupVersion": facts.cgroup_version,
        "NEventsListener": facts.event_listeners,
        "KernelVersion": facts.kernel_version,
        "OperatingSystem": facts.operating_system,
        "OSVersion": facts.os_version,
        "OSType": facts.os_type,
        "Architecture": facts.architecture,
        "IndexServerAddress": INDEX_SERVER,
        "RegistryConfig": _registries(facts),
        "NCPU": facts.cpus,
        "MemTotal": facts.memory_bytes,
        "GenericResources": None,
        "DockerRootDir": facts.data_root,
        "HttpProxy": facts.http_proxy,
        "HttpsProxy": facts.https_proxy,
        "NoProxy": facts.no_proxy,
        "Name": facts.name,
        "Labels": list(facts.labels),
        "ExperimentalBuild": False,
        "ServerVersion": facts.engine_version,
        **_runtimes(facts),
        "Swarm": {
            "NodeID": "",
            "NodeAddr": "",
            "LocalNodeState": "inactive",
            "ControlAvailable": False,
            "Error": "",
            "RemoteManagers": None,
        },
        "LiveRestoreEnabled": facts.live_restore,
        "Isolation": "",
        "InitBinary": facts.init_binary,
        "SecurityOptions": list(facts.security_options),
        **({"DefaultAddressPools": pools} if pools else {}),
        "FirewallBackend": {"Driver": "nftables", "Info": []},
        "CDISpecDirs": list(facts.cdi_dirs),
        "DiscoveredDevices": [{"Source": "cdi", "ID": name} for name in facts.cdi_devices],
        "Warnings": list(facts.warnings) or None,
    }


def _abilities(facts: SystemFacts) -> dict[str, bool]:
    """What the host's controllers can do, in Docker's names."""
    have = facts.controllers.get
    return {
        "MemoryLimit": have("memory", False),
        "SwapLimit": have("swap", False),
        "KernelMemory": False,
        "KernelMemoryTCP": False,
        "CpuCfsPeriod": have("cpu", False),
        "CpuCfsQuota": have("cpu", False),
        "CPUShares": have("cpu", False),
        "CPUSet": have("cpuset", False),
        "PidsLimit": have("pids", False),
        "IPv4Forwarding": have("ipv4_forwarding", True),
        "BridgeNfIptables": False,
        "BridgeNfIp6tables": False,
        "OomKillDisable": have("memory", False) and facts.cgroup_version == "1",
    }


def _registries(facts: SystemFacts) -> dict[str, Any]:
    mirrors = list(facts.registry_mirrors)
    indexes: dict[str, Any] = {
        name: {"Name": name, "Mirrors": [], "Secure": False, "Official": False}
        for name in facts.insecure_registries
        if "/" not in name
    }
    indexes["docker.io"] = {"Name": "docker.io", "Mirrors": mirrors, "Secure": True, "Official": True}
    return {
        "AllowNondistributableArtifactsCIDRs": [],
        "AllowNondistributableArtifactsHostnames": [],
        "InsecureRegistryCIDRs": ["::1/128", "127.0.0.0/8"] + [n for n in facts.insecure_registries if "/" in n],
        "IndexConfigs": indexes,
        "Mirrors": mirrors,
    }


def _runtimes(facts: SystemFacts) -> dict[str, Any]:
    """This engine is its own runtime; `runc` is the name under which clients ask for the default one."""
    commit = {"ID": facts.engine_version, "Expected": facts.engine_version}
    return {
        "Runtimes": {RUNTIME: {"path": "hakobu-runtime"}, "runc": {"path": "hakobu-runtime"}},
        "DefaultRuntime": RUNTIME,
        "ContainerdCommit": {"ID": "", "Expected": ""},
        "RuncCommit": dict(commit),
        "InitCommit": {"ID": "", "Expected": ""},
    }
