"""`hakobu daemon --help`, printed from the table of flags."""

from hakobu.daemon.flags import FLAGS


def _line(name: str, short: str, kind: str, text: str) -> str:
    head = f"  -{short}, --{name}" if short else f"      --{name}"
    kind = "" if kind == "bool" else f" {kind}"
    return f"{head}{kind}".ljust(42) + text


HELP = "\n".join(
    [
        "",
        "Usage:  hakobu daemon [OPTIONS]",
        "",
        "A container engine: Docker's API on a unix socket.",
        "",
        "Options:",
        *(_line(f.name, f.short, f.kind, f.help) for f in FLAGS if not f.refused),
        "",
        "Flags of dockerd that are refused, and why: docs/daemon.md",
    ]
)
