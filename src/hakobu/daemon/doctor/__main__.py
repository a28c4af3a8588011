"""Prints the findings for who asks; ends with 1 where an engine of theirs cannot work."""

import os
import sys
from collections.abc import Iterable

from hakobu.daemon.doctor import machine, user
from hakobu.daemon.doctor.finding import Finding
from hakobu.spec.instance import DEFAULT_DATA_ROOT
from hakobu.spec.user_directory import data_directory

_USAGE = """Usage:  hakobu doctor

Says what this machine has for an engine, what is missing, and the command that mends it:
for root's engine when root asks, for an ordinary user's when they ask.
"""


def main(argv: list[str]) -> int:
    if argv:
        print(_USAGE, end="", file=sys.stdout if argv[0] in ("-h", "--help") else sys.stderr)
        return 0 if argv[0] in ("-h", "--help") else 1
    if os.geteuid() == 0:
        own = _section("An engine of root's", for_root())
        _section("Engines of ordinary users", (check() for check in user.ANY_USER))
    else:
        own = _section("An engine of your own, without root", for_user())
    return int(any(finding.state == "missing" for finding in own))


def for_root() -> Iterable[Finding]:
    yield from (check() for check in machine.COMMON)
    yield machine.cgroups_of_root()
    yield machine.overlay_of_root()
    yield machine.disk(DEFAULT_DATA_ROOT)


def for_user() -> Iterable[Finding]:
    yield from (check() for check in machine.COMMON)
    yield from (check() for check in (*user.ANY_USER, *user.THIS_USER))
    yield machine.disk(data_directory(os.environ))


def _section(title: str, findings: Iterable[Finding]) -> list[Finding]:
    print(f"{title}:")
    shown: list[Finding] = []
    for finding in findings:
        shown.append(finding)
        print(f"  {finding.state:<9} {finding.subject:<18} {finding.told}")
        if finding.mend:
            print(f"{'':>30} → {finding.mend}")
    return shown


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
