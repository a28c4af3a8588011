"""The names of all commands, and which module holds each. Data only: nothing of it is imported here.

`"ps": "listing.container_ls"` means: `hakobu.cli.command.listing` has the table `CONTAINER_LS` and the
function `container_ls`. `GROUPS` are the management commands; `PASSED` hand their arguments on untouched.
"""

from __future__ import annotations

# What only a manager of a swarm can do.
_MANAGERS = {
    "config": "create inspect ls rm",
    "node": "demote inspect ls promote ps rm update",
    "secret": "create inspect ls rm",
    "service": "create inspect logs ls ps rm rollback scale update",
    "stack": "config deploy ls ps rm services",
    "swarm": "ca join-token unlock-key update",
}

COMMANDS = {
    "alias install": "alias.install",
    "alias remove": "alias.remove",
    "attach": "attach.attach",
    "bake": "build.bake",
    "build": "build.build",
    "builder build": "build.build",
    "builder prune": "build.prune",
    "commit": "commit.commit",
    "completion": "completion.completion",
    "cp": "cp.cp",
    "create": "create.create",
    "debug": "debug.debug",
    "diff": "diff.diff",
    "events": "events.events",
    "exec": "execute.execute",
    "export": "archive.export",
    "history": "history.history",
    "images": "images.images",
    "import": "archive.import_image",
    "info": "info.info",
    "inspect": "inspect.inspect",
    "kill": "signal.kill",
    "load": "archive.load",
    "login": "login.login",
    "logout": "login.logout",
    "logs": "logs.logs",
    "man": "man.man",
    "pause": "each.pause",
    "port": "port.port",
    "ps": "ps.ps",
    "pull": "pull.pull",
    "push": "pull.push",
    "rename": "each.rename",
    "restart": "signal.restart",
    "rm": "remove.rm",
    "rmi": "remove.rmi",
    "run": "run.run",
    "save": "archive.save",
    "search": "search.search",
    "start": "start.start",
    "stats": "stats.stats",
    "stop": "signal.stop",
    "tag": "each.tag",
    "top": "top.top",
    "unpause": "each.unpause",
    "update": "update.update",
    "version": "version.version",
    "wait": "each.wait",
    "checkpoint create": "checkpoint.create",
    "checkpoint ls": "checkpoint.ls",
    "checkpoint rm": "checkpoint.rm",
    "context create": "context.create",
    "context export": "context.export",
    "context import": "context.import_context",
    "context inspect": "context.inspect",
    "context ls": "context.ls",
    "context rm": "context.rm",
    "context show": "context.show_name",
    "context update": "context.update",
    "context use": "context.use",
    "container edit": "edit.edit",
    "container inspect": "inspect.container_inspect",
    "container prune": "prune.container_prune",
    "image diff": "image_diff.diff",
    "image inspect": "inspect.image_inspect",
    "manifest annotate": "manifest_list.annotate",
    "manifest create": "manifest_list.create",
    "manifest inspect": "manifest.inspect",
    "manifest push": "manifest_list.push",
    "manifest rm": "manifest_list.remove",
    "image prune": "prune.image_prune",
    "network connect": "network.connect",
    "network create": "network.create",
    "network disconnect": "network.disconnect",
    "network inspect": "inspect.network_inspect",
    "network ls": "network.ls",
    "network prune": "prune.network_prune",
    "network rm": "network.rm",
    "plugin inspect": "plugin.inspect",
    "plugin ls": "plugin.ls",
    "plugin rm": "plugin.rm",
    "socket create": "socket.create",
    "socket inspect": "socket.inspect",
    "socket ls": "socket.ls",
    "socket rm": "socket.rm",
    "system df": "df.df",
    "system dial-stdio": "dial_stdio.dial_stdio",
    "system prune": "prune.system_prune",
    "volume clone": "volume.clone",
    "volume create": "volume.create",
    "volume inspect": "inspect.volume_inspect",
    "volume ls": "volume.ls",
    "volume prune": "prune.volume_prune",
    "volume rename": "volume.rename",
    "volume rm": "volume.rm",
    "volume update": "volume.update",
    **{f"{family} {verb}": "swarm.not_a_manager" for family, verbs in _MANAGERS.items() for verb in verbs.split()},
    "swarm init": "swarm.no_swarm",
    "swarm join": "swarm.no_swarm",
    "swarm leave": "swarm.leave",
    "swarm unlock": "swarm.leave",
    **{f"plugin {verb}": "plugin.refused" for verb in "create disable enable install push set upgrade".split()},
    **{f"trust {verb}": "refusal.trust" for verb in "inspect key revoke sign signer".split()},
}

# Second names: the same command under its group, or a shorter word for it.
SAME = {
    **{
        f"container {name}": name
        for name in [
            "attach",
            "commit",
            "cp",
            "create",
            "debug",
            "diff",
            "exec",
            "export",
            "kill",
            "logs",
            "pause",
            "port",
            "rename",
            "restart",
            "rm",
            "run",
            "start",
            "stats",
            "stop",
            "top",
            "unpause",
            "update",
            "wait",
        ]
    },
    **{f"image {name}": name for name in ["history", "import", "load", "pull", "push", "save", "tag"]},
    "container ls": "ps",
    "image build": "build",
    "image ls": "images",
    "image rm": "rmi",
    "system events": "events",
    "system info": "info",
}

# Words that are understood but not shown: they lead to the command of the second name.
ALIASES = {
    "checkpoint list": "checkpoint ls",
    "checkpoint remove": "checkpoint rm",
    "context list": "context ls",
    "context remove": "context rm",
    "plugin list": "plugin ls",
    "plugin remove": "plugin rm",
    "container list": "container ls",
    "container ps": "container ls",
    "container remove": "container rm",
    "image list": "image ls",
    "image remove": "image rm",
    "socket list": "socket ls",
    "socket remove": "socket rm",
    "network list": "network ls",
    "network remove": "network rm",
    "volume list": "volume ls",
    "volume remove": "volume rm",
}

GROUPS = {
    "alias": "This program under docker's name",
    "checkpoint": "Manage checkpoints",
    "container": "Manage containers",
    "context": "Manage contexts",
    "image": "Manage images",
    "manifest": "Manage manifests at registries",
    "network": "Manage networks",
    "socket": "Manage sockets of limited rights",
    "system": "Manage the engine",
    "volume": "Manage volumes",
}

# Groups of docker's that are answered, and not shown: what they manage is not here.
FOREIGN_GROUPS = {
    "builder": "Builds, by docker's buildx plugin",
    "config": "Of swarm: configurations",
    "node": "Of swarm: its machines",
    "plugin": "Plugins of the engine",
    "secret": "Of swarm: secrets",
    "service": "Of swarm: services",
    "stack": "Of swarm: stacks of services",
    "swarm": "Swarms of machines",
    "trust": "Signatures by Notary",
}

# Commands of other parts of the program: module, function, and their line in the help.
PASSED = {
    "compose": ("hakobu.compose.entry", "Run applications of several containers from a Compose file"),
    "convert": ("hakobu.formats.convert", "Write a Compose file, a Kubernetes file or quadlet units in another form"),
    "describe": ("hakobu.formats.describe", "Write containers as docker run, a Compose or Kubernetes file or quadlets"),
    "explain": ("hakobu.cli.explain", "Show what a command does, step by step, down to the system calls"),
    "kube": ("hakobu.formats.kube.command", "Play the pods of Kubernetes files, remove them, write them"),
    "quadlet": ("hakobu.formats.quadlet.command", "Make systemd services of containers, pods and Kubernetes files"),
    "image bootstrap": ("hakobu.bootstrap.command", "Build a base image from a distribution's packages"),
    "daemon": ("hakobu.cli.daemon", "Run the engine in the foreground"),
    "doctor": ("hakobu.cli.doctor", "Say what is missing on this machine, and what mends it"),
}


# Called by programs, not by people: in no list and no help.
HIDDEN = {"__complete": "completion.complete"}


def resolve(words: list[str]) -> tuple[str, int]:
    """The command a line begins with, and how many words name it; ("", 0) where there is none."""
    for count in (2, 1):
        name = " ".join(words[:count])
        if len(words) < count:
            continue
        name = ALIASES.get(name, name)
        if name in COMMANDS or name in SAME or name in PASSED or name in HIDDEN:
            return name, count
    return "", 0


def home_of(name: str) -> tuple[str, str]:
    """Module and function of a command."""
    module, _, function = (HIDDEN.get(name) or COMMANDS[SAME.get(name, name)]).partition(".")
    return module, function


def names() -> list[str]:
    """Every command, groups' members among them, in one list."""
    return sorted({*COMMANDS, *SAME, *PASSED})
