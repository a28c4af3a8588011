"""docs/daemon.md, made from the table of flags."""

from hakobu.daemon.flags import FLAGS

_HEAD = """# `hakobu daemon`

The flags of dockerd and the keys of its `daemon.json` (read from `/etc/hakobu/daemon.json`, or `--config-file`).
Made from `src/hakobu/daemon/flags.py` by `scripts/daemon-page`; do not edit.

As with dockerd a key that stands in the file and on the command line is refused, and so is a key nobody knows.
SIGTERM ends the daemon, containers run on (`--live-restore=false` stops them first); SIGHUP reads the log level
again.
"""


def page() -> str:
    works = "\n".join(
        f"| `--{f.name}`{f' `-{f.short}`' if f.short else ''} | {f'`{f.key}`' if f.key else '–'} | {f.help}"
        f"{' (accepted: ' + ', '.join(f'`{a}`' for a in f.accepts if a) + ')' if f.accepts else ''} |"
        for f in FLAGS
        if not f.refused
    )
    refused = "\n".join(
        f"| `--{f.name}` | {f'`{f.key}`' if f.key else '–'} | {f.refused} |" for f in FLAGS if f.refused
    )
    return (
        f"{_HEAD}\n## What works\n\n| flag | key | |\n|---|---|---|\n{works}\n\n"
        f"## What is refused by name\n\n| flag | key | why |\n|---|---|---|\n{refused}\n"
    )
