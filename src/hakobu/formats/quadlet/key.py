"""The keys of quadlets: which attribute of a service each stands for, and which are passed over or refused. Data."""

ONE = {
    "Image": "image",
    "ContainerName": "container_name",
    "HostName": "hostname",
    "WorkingDir": "working_dir",
    "StopSignal": "stop_signal",
    "PidsLimit": "pids_limit",
    "ShmSize": "shm_size",
    "Memory": "mem_limit",
    "Pull": "pull_policy",
    "UserNS": "userns_mode",
    "User": "user",
}
"""Keys with one value."""
MANY = {
    "AddCapability": "cap_add",
    "DropCapability": "cap_drop",
    "AddDevice": "devices",
    "AddHost": "extra_hosts",
    "DNS": "dns",
    "DNSOption": "dns_opt",
    "DNSSearch": "dns_search",
    "ExposeHostPort": "expose",
    "GroupAdd": "group_add",
    "PublishPort": "ports",
    "Tmpfs": "tmpfs",
    "Mount": "mounts",
}
"""Keys that may stand several times."""
WORDS = {"AddCapability", "DropCapability"}
"""Those of the former that hold several words."""
PAIRS = {"Environment": "environment", "Label": "labels", "Annotation": "annotations", "Sysctl": "sysctls"}
"""Keys with words `name=value`."""
SWITCHES = {"ReadOnly": "read_only", "RunInit": "init"}

TOLD = {
    "AutoUpdate": "images are not updated by themselves",
    "ContainersConfModule": "it is Podman's configuration",
    "GlobalArgs": "it is Podman's",
    "HealthLogDestination": "the last checks are in `inspect`",
    "HealthMaxLogCount": "the last checks are in `inspect`",
    "HealthMaxLogSize": "the last checks are in `inspect`",
    "HttpProxy": "proxies are set in the client's configuration",
    "ReadOnlyTmpfs": "write Tmpfs= for each place",
    "Retry": "a pull is tried as often as the engine does",
    "RetryDelay": "a pull is tried as often as the engine does",
    "StartWithPod": "the [Install] section says what starts it",
    "StopTimeout": "",
}
"""Keys without effect here; an empty reason: it has one, and is read on its own."""
REFUSED = {
    "CgroupsMode": "a container's cgroup is the engine's",
    "EnvironmentHost": "name the variables",
    "GIDMap": "the engine has one map for all containers",
    "UIDMap": "the engine has one map for all containers",
    "SubGIDMap": "the engine has one map for all containers",
    "SubUIDMap": "the engine has one map for all containers",
    "HealthOnFailure": "an unhealthy container runs on",
    "HealthStartupCmd": "a container has one check; HealthStartPeriod gives it time",
    "HealthStartupInterval": "a container has one check; HealthStartPeriod gives it time",
    "HealthStartupRetries": "a container has one check; HealthStartPeriod gives it time",
    "HealthStartupSuccess": "a container has one check; HealthStartPeriod gives it time",
    "HealthStartupTimeout": "a container has one check; HealthStartPeriod gives it time",
    "Mask": "the masked paths are the engine's",
    "Unmask": "the masked paths are the engine's",
    "ReloadCmd": "write ExecReload= in [Service]",
    "ReloadSignal": "write ExecReload= in [Service]",
    "Rootfs": "a container needs an image",
    "Secret": "secrets are files: write Volume=FILE:/run/secrets/NAME:ro",
    "Timezone": "set TZ in Environment=, or mount /etc/localtime",
}
HEALTH = {
    "HealthCmd": "test",
    "HealthInterval": "interval",
    "HealthTimeout": "timeout",
    "HealthStartPeriod": "start_period",
    "HealthRetries": "retries",
}
OWN = frozenset(
    "Exec Entrypoint Volume Network NetworkAlias IP IP6 Pod EnvironmentFile Group LogDriver LogOpt NoNewPrivileges "
    "Notify PodmanArgs SeccompProfile SecurityLabelDisable SecurityLabelFileType SecurityLabelLevel "
    "SecurityLabelNested SecurityLabelType ServiceName Ulimit AppArmor".split()
)
"""Keys that are read by code of their own."""
KNOWN = frozenset({*ONE, *MANY, *PAIRS, *SWITCHES, *TOLD, *REFUSED, *HEALTH, *OWN})
PULL = {"always": "always", "missing": "missing", "never": "never", "newer": "always"}
LABEL_OPTIONS = {
    "SecurityLabelType": "label=type:",
    "SecurityLabelLevel": "label=level:",
    "SecurityLabelFileType": "label=filetype:",
}
NETWORK = {
    "NetworkName": "name",
    "Driver": "driver",
    "Internal": "internal",
    "IPv6": "enable_ipv6",
    "Label": "labels",
    "Options": "driver_opts",
}
POOLS = {"Subnet": "subnet", "Gateway": "gateway", "IPRange": "ip_range"}
VOLUME = {"VolumeName": "name", "Driver": "driver", "Label": "labels"}
VOLUME_OPTIONS = {"Device": "device", "Options": "o", "Type": "type"}
POD = {
    "PodName": "",
    "PublishPort": "ports",
    "AddHost": "extra_hosts",
    "DNS": "dns",
    "DNSOption": "dns_opt",
    "DNSSearch": "dns_search",
    "HostName": "hostname",
    "Network": "",
    "NetworkAlias": "",
    "Volume": "volumes",
    "ServiceName": "",
    "IP": "",
    "IP6": "",
    "ShmSize": "shm_size",
    "UserNS": "userns_mode",
    "PodmanArgs": "",
    "StopTimeout": "",
    "Label": "labels",
}
KUBE = ("Yaml", "ConfigMap", "KubeDownForce", "AutoUpdate", "ServiceName", "PodmanArgs", "GlobalArgs")
EXTENSIONS = ("container", "network", "volume", "pod", "kube")
SECTIONS = {"container": "Container", "network": "Network", "volume": "Volume", "pod": "Pod", "kube": "Kube"}
