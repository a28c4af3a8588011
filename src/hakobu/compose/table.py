"""The verbs of `hakobu compose` and their flags, docker compose's names, as one table; docs/compose.md shows it.

A verb's function stands here by its name below `compose/verb/`: one that is not called is not loaded.
"""

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from hakobu.compose.flag import Adder, flag, many, number, rest, text, texts, words

if TYPE_CHECKING:
    from hakobu.compose.context import Context

_SERVICES = many("services", "SERVICE")
_TIMEOUT = number("-t", "--timeout", help="seconds to wait for a container to stop before it is killed")
_QUIET = flag("-q", "--quiet", help="print only the identifiers, or nothing")
_FORMAT = text("--format", help="json, or the default table")
_INDEX = number("--index", help="which of the service's containers")
_ORPHANS = flag("--remove-orphans", help="remove containers of services that the file does not have")
_MAKING = (
    flag("--force-recreate", help="recreate containers even where nothing has changed"),
    flag("--no-recreate", help="leave containers that exist as they are"),
    flag("--build", help="refused for a service with `build`: images are not built here"),
    flag("--no-build", help="for compatibility: images are never built here"),
    text("--pull", help="pull images: always, missing, never"),
    flag("--quiet-pull", help="for compatibility: pulls show no details"),
    _ORPHANS,
    texts("--scale", help="SERVICE=NUM: how many containers a service has"),
    flag("-y", "--yes", help="for compatibility: nothing is asked"),
)
_UP = (
    *_MAKING,
    flag("--always-recreate-deps", help="recreate what these services depend on"),
    flag("-V", "--renew-anon-volumes", help="give recreated containers new nameless volumes"),
    flag("--no-deps", help="leave the services alone that these depend on"),
    flag("--no-start", help="create, but do not start"),
    flag("--wait", help="wait until services are running, healthy or done"),
)
_LOG_LOOK = (
    flag("--no-color", help="no colours"),
    flag("--no-log-prefix", help="no prefix before the containers' lines"),
    flag("-t", "--timestamps", help="with the time of each line"),
)
_IN_CONTAINER = (
    texts("-e", "--env", help="NAME=value"),
    flag("-T", "--no-TTY", "--no-tty", dest="no_tty", help="no terminal"),
    flag("-i", "--interactive", help="keep standard input open", default=True),
    flag("-t", "--tty", help="for compatibility: on where there is a terminal"),
    text("-u", "--user", help="as this user"),
    text("-w", "--workdir", help="in this directory"),
)

VERBS: dict[str, tuple[str, str, tuple[Adder, ...]]] = {
    "attach": (
        "by_container.attach",
        "Connect input and output to a service's container",
        (
            text("--detach-keys", help="keys that leave the container"),
            _INDEX,
            flag("--no-stdin", help="leave its standard input alone"),
            flag("--sig-proxy", help="pass signals on", default=True),
            words(service="SERVICE"),
        ),
    ),
    "commit": (
        "by_container.commit",
        "Make an image of a service's container",
        (
            text("-a", "--author", help="author of the image"),
            texts("-c", "--change", help="apply a Dockerfile instruction to the image"),
            _INDEX,
            text("-m", "--message", help="comment of the image"),
            flag("-p", "--pause", help="freeze the container meanwhile", default=True),
            words(service="SERVICE", repository="REPOSITORY[:TAG]?"),
        ),
    ),
    "config": (
        "show.config",
        "Show the project in canonical form",
        (
            _QUIET,
            _FORMAT,
            flag("--services", dest="list_services", help="the services' names"),
            flag("--volumes", dest="list_volumes", help="the volumes' names"),
            flag("--networks", dest="list_networks", help="the networks' names"),
            flag("--models", dest="list_models", help="the models' names"),
            flag("--profiles", dest="list_profiles", help="the profiles' names"),
            flag("--images", dest="list_images", help="the images' names"),
            flag("--environment", dest="list_environment", help="the variables that are replaced in the files"),
            flag("--variables", dest="list_variables", help="the variables that the files use, with their defaults"),
            text("--hash", help="the hash of these services (* for all)"),
            flag("--lock-image-digests", help="an override file that pins each image to its digest"),
            flag("--resolve-image-digests", help="with each image pinned to its digest"),
            flag("--no-consistency", help="do not check whether the parts fit"),
            flag("--no-env-resolution", help="do not read env files"),
            flag("--no-interpolate", help="leave variables as they are written"),
            flag("--no-normalize", help="for compatibility: the form is always canonical"),
            flag("--no-path-resolution", help="leave paths as they are written"),
            text("-o", "--output", help="write to a file"),
            _SERVICES,
        ),
    ),
    "cp": (
        "by_container.cp",
        "Copy files between a service's container and this machine",
        (
            flag("--all", help="to containers of `run`, too"),
            flag("-a", "--archive", help="keep user and group of the files"),
            flag("-L", "--follow-link", help="copy what a link leads to"),
            _INDEX,
            words(source="SERVICE:SRC_PATH", target="DEST_PATH"),
        ),
    ),
    "create": ("lifecycle.create", "Create containers", (*_MAKING, _SERVICES)),
    "down": (
        "lifecycle.down",
        "Stop and remove containers and networks",
        (
            flag("-v", "--volumes", help="remove the volumes as well"),
            text("--rmi", help="remove the images as well: all, or local"),
            _ORPHANS,
            _TIMEOUT,
            _SERVICES,
        ),
    ),
    "events": (
        "look.events",
        "Show what happens to containers as it happens",
        (
            flag("--json", help="one JSON document a line"),
            text("--since", help="only what came after"),
            text("--until", help="only what came before"),
            _SERVICES,
        ),
    ),
    "exec": (
        "execute.execute",
        "Run a command in a running container",
        (
            flag("-d", "--detach", help="in the background"),
            _INDEX,
            *_IN_CONTAINER,
            flag("--privileged", help="with all privileges the engine has"),
            words(service="SERVICE", command="COMMAND"),
            rest("arguments", "ARGS"),
        ),
    ),
    "export": (
        "by_container.export",
        "Write a container's files as a tar archive",
        (_INDEX, text("-o", "--output", help="to this file"), words(service="SERVICE")),
    ),
    "graph": (
        "show.graph",
        "Show services, networks and volumes as a diagram",
        (
            text("--format", help="mermaid, or svg"),
            text("-o", "--output", help="write to a file"),
            _SERVICES,
        ),
    ),
    "images": ("look.images", "List the images containers use", (_QUIET, _FORMAT, _SERVICES)),
    "kill": (
        "lifecycle.kill",
        "Kill containers",
        (text("-s", "--signal", help="the signal"), _ORPHANS, _SERVICES),
    ),
    "logs": (
        "look.logs",
        "Show what containers print",
        (
            flag("-f", "--follow", help="go on as more comes"),
            _INDEX,
            text("-n", "--tail", help="only so many lines of each"),
            text("--since", help="only what came after"),
            text("--until", help="only what came before"),
            *_LOG_LOOK,
            _SERVICES,
        ),
    ),
    "ls": (
        "look.ls",
        "List projects",
        (flag("-a", "--all", help="stopped ones as well"), _QUIET, _FORMAT, texts("--filter", help="name=TEXT")),
    ),
    "pause": ("lifecycle.pause", "Pause services", (_SERVICES,)),
    "plan": (
        "planning.plan",
        "Show what up would do, and why",
        (text("--format", help="tree, json, or commands: docker commands that do the same"), *_UP, _SERVICES),
    ),
    "port": (
        "look.port",
        "Show where a port is published",
        (text("--protocol", help="tcp or udp"), _INDEX, words(service="SERVICE", private_port="PRIVATE_PORT")),
    ),
    "ps": (
        "look.ps",
        "List containers",
        (
            flag("-a", "--all", help="stopped ones as well"),
            _QUIET,
            _FORMAT,
            texts("--filter", help="status=STATE"),
            flag("--orphans", help="those of services the file does not have, too", default=True),
            flag("--services", dest="list_services", help="print the services' names"),
            texts("--status", help="only those in this state"),
            flag("--no-trunc", help="commands whole"),
            _SERVICES,
        ),
    ),
    "publish": (
        "publish.publish",
        "Publish the project's files to a registry",
        (
            flag("--with-env", help="with the env files"),
            flag("--resolve-image-digests", help="pin each image to its digest"),
            text("--oci-version", help="for compatibility: artifacts are OCI 1.1's"),
            flag("-y", "--yes", help="for compatibility: nothing is asked"),
            words(repository="REPOSITORY[:TAG]"),
        ),
    ),
    "pull": (
        "transfer.pull",
        "Pull images",
        (
            text("--policy", help="always or missing"),
            flag("--include-deps", help="of dependencies as well"),
            flag("--ignore-buildable", help="leave out services with `build`"),
            flag("--ignore-pull-failures", help="go on where an image cannot be pulled"),
            _QUIET,
            _SERVICES,
        ),
    ),
    "push": (
        "transfer.push",
        "Push the images of services with `build`",
        (
            flag("--include-deps", help="of dependencies as well"),
            flag("--ignore-push-failures", help="go on where an image cannot be pushed"),
            _QUIET,
            _SERVICES,
        ),
    ),
    "restart": (
        "lifecycle.restart",
        "Restart containers",
        (_TIMEOUT, flag("--no-deps", help="leave dependents alone"), _SERVICES),
    ),
    "rm": (
        "lifecycle.rm",
        "Remove stopped containers",
        (
            flag("-f", "--force", help="do not ask"),
            flag("-s", "--stop", help="stop them first"),
            flag("-v", "--volumes", help="remove their nameless volumes"),
            _SERVICES,
        ),
    ),
    "run": (
        "oneoff.run",
        "Run one command in a container of its own",
        (
            flag("-d", "--detach", help="in the background"),
            flag("--rm", help="remove the container when the command has ended"),
            flag("--build", help="refused for a service with `build`: images are not built here"),
            text("--pull", help="pull images: always, missing, never"),
            flag("--no-deps", help="do not start what the service depends on"),
            flag("-P", "--service-ports", help="publish the service's ports"),
            texts("-p", "--publish", help="publish this port"),
            flag("--use-aliases", help="with the service's names on its networks"),
            texts("-v", "--volume", help="mount this, as in a Compose file"),
            texts("-l", "--label", help="NAME=value"),
            texts("--cap-add", help="add a capability"),
            texts("--cap-drop", help="drop a capability"),
            texts("--env-from-file", help="variables from this file"),
            text("--entrypoint", help="another entrypoint"),
            text("--name", help="the container's name"),
            *_IN_CONTAINER,
            flag("-q", "--quiet", help="tell nothing but what the command prints"),
            flag("--quiet-build", help="for compatibility: images are not built here"),
            flag("--quiet-pull", help="for compatibility: pulls show no details"),
            _ORPHANS,
            words(service="SERVICE"),
            rest("arguments", "COMMAND"),
        ),
    ),
    "scale": (
        "lifecycle.scale",
        "Set how many containers services have",
        (
            flag("--no-deps", help="leave the services alone that these depend on"),
            many("scale", "SERVICE=NUM", least=1),
        ),
    ),
    "start": (
        "lifecycle.start",
        "Start containers that exist",
        (
            flag("--wait", help="wait until services are running, healthy or done"),
            number("--wait-timeout", help="seconds to wait at most"),
            _SERVICES,
        ),
    ),
    "stats": (
        "by_container.stats",
        "Show what containers use",
        (
            flag("-a", "--all", help="stopped ones as well"),
            text("--format", help="table, json, or a template"),
            flag("--no-stream", help="one sample"),
            flag("--no-trunc", help="identifiers whole"),
            words(service="SERVICE?"),
        ),
    ),
    "stop": ("lifecycle.stop", "Stop containers", (_TIMEOUT, _SERVICES)),
    "top": ("look.top", "Show processes", (_SERVICES,)),
    "unpause": ("lifecycle.unpause", "Unpause services", (_SERVICES,)),
    "up": (
        "watched_up.up",
        "Create and start containers",
        (
            flag("-d", "--detach", help="run in the background"),
            *_UP,
            number("--wait-timeout", help="seconds to wait at most"),
            _TIMEOUT,
            flag("--no-color", help="no colours"),
            flag("--no-log-prefix", help="no prefix before the containers' lines"),
            flag("--timestamps", help="with the time of each line"),
            flag("--abort-on-container-exit", help="stop all as soon as one has ended"),
            flag("--abort-on-container-failure", help="stop all as soon as one has failed"),
            text("--exit-code-from", help="stop all when this service's container has ended, with its status"),
            texts("--attach", help="show the output of these services alone"),
            flag("--attach-dependencies", help="show the output of dependencies, too"),
            texts("--no-attach", help="do not show the output of these services"),
            flag("--menu", help="for compatibility: there is none"),
            flag("--quiet-build", help="for compatibility: images are not built here"),
            flag("-w", "--watch", help="watch files, and bring changes into the containers"),
            _SERVICES,
        ),
    ),
    "version": ("look.version", "Show the version", (flag("--short"), text("-f", "--format", help="json"))),
    "volumes": ("look.volumes", "List volumes", (_QUIET, _FORMAT, _SERVICES)),
    "wait": (
        "lifecycle.wait",
        "Wait until containers have ended",
        (flag("--down-project", help="take the project down as soon as one has ended"), _SERVICES),
    ),
    "watch": (
        "watching.watch",
        "Watch files, and bring changes into the containers",
        (
            flag("--no-up", help="do not bring the services up first"),
            flag("--prune", help="for compatibility: no images are built"),
            flag("--quiet", help="do not tell of each change"),
            _SERVICES,
        ),
    ),
}

_NO_BUILD = "images are not built here; `image` names one that exists"
REFUSED_VERBS: dict[str, str] = {"build": _NO_BUILD}


def function_of(verb: str) -> "Callable[[Context], int]":
    """What carries a verb out: its exit code is that of the command."""
    module, _, name = VERBS[verb][0].partition(".")
    return getattr(import_module(f"hakobu.compose.verb.{module}"), name)
