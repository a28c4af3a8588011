"""What a comparison of answers with dockerd's, call by call, still shows, and why it is left so.

Compared were the calls of the docker command line and of docker compose against dockerd 20.10, in its version of the
API (1.41): statuses, headers, and names and types of fields. Data for the compatibility page.
"""

from typing import Final

DIFFERENCES: Final[tuple[tuple[str, str, str], ...]] = (
    (
        "headers of every answer",
        "`Api-Version`, `Docker-Experimental`, `Ostype` and `Server` also at the 101 of a hijacked connection",
        "clients take what they know; dockerd writes these answers past its own middleware",
    ),
    ("`_ping`", "`Builder-Version: 1` and `Swarm: inactive`", "later dockerds send both"),
    (
        "long JSON answers",
        "`Content-Length` instead of chunks",
        "the body is whole before it is sent",
    ),
    ("small archives", "chunks instead of `Content-Length`", "archives are streamed, whatever their size"),
    (
        "`logs` before 1.42",
        "a content type (`application/vnd.docker.raw-stream`)",
        "later dockerds send it to old clients too",
    ),
    ("`wait`", "no `Error` where there is none", "later dockerds leave it out; a null reads the same"),
    (
        "`wait` and a client that closes its sending side",
        "goes on waiting",
        "a client of few lines that has sent all it had to say still gets its answer",
    ),
    (
        "container, `GraphDriver.Data`",
        "no `MergedDir`, an `ID` more",
        "nothing of a container is mounted on the host",
    ),
    (
        "image, `GraphDriver.Data`",
        "null",
        "layers of an image are where the engine wants them, and move; use `save`, or a container and `cp`",
    ),
    (
        "`ps`, `Networks`",
        "`Aliases` and `DNSNames` are told",
        "Docker leaves them out of the list and tells them at inspect",
    ),
    (
        "empty lists of `HostConfig` (`Dns`, `Ulimits`, `Devices`, …)",
        "one spelling whichever was sent: as docker's own command line sends it",
        "null and an empty list mean the same; Docker gives back what it got",
    ),
    ("`RestartPolicy` that was not given", '`Name: "no"`', "the same policy by its name"),
    (
        "read-only binds before 1.44",
        "`BindOptions.ReadOnlyNonRecursive`",
        "what holds for such a client, as later dockerds tell it",
    ),
    ("`MaskedPaths`", "`/proc/interrupts` and `/sys/devices/virtual/powercap` more", "later dockerds mask them"),
    ("`stats` on cgroup v1", "more keys of `memory.stat`", "all that the kernel has are told"),
    ("`info`, `Runtimes`", "`hakobu` and `runc`; no `io.containerd.*`", "there is no containerd"),
    ("`Runtime` of a container", "`hakobu`", "its name; `runc` and containerd's names are accepted"),
    ("default bridge, `IPAM`", "a `Gateway`", "dockerd tells it from its second start on"),
    ("`system df` without builds, `BuildCache`", "an empty list", "later dockerds too; 20.10 says null"),
    (
        "what dockerd answers with 500 though the request was wrong",
        "400 (a security option that does not exist, sysctl or volume mode, a user that the image lacks)",
        "the status is what retrying clients go by",
    ),
    (
        "texts of errors",
        "later dockerds' where they differ from 20.10's; ours for what only Hakobu can say",
        "people search for the current ones",
    ),
)
"""Where; what ours does otherwise; why."""
