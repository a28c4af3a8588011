"""`make test-vm`: the runtime and the engine on a machine with a pure v2 tree of cgroups, and on one with a pure v1.

    python -m tests.vm.layouts [--console] [v1|v2] [TEST...]

The same machine as the smoke's, with another job (`guest.py`): device rules, freezer, out of memory, pressure, limits,
an ordinary user with a delegated cgroup and one without, and the tests of the kernel tier that a layout may change.
"""

import sys
import time

from tests.vm import parts
from tests.vm.smoke import as_root, boot

# Debian's kernel counts pressure only where it is told to
_LAYOUTS = {"v2": "hakobu.layout=v2 psi=1", "v1": "hakobu.layout=v1"}


def main(argv: list[str]) -> int:
    as_root()
    started = time.monotonic()
    words = [arg for arg in argv if not arg.startswith("-")]
    wanted = [word for word in words if word in _LAYOUTS] or list(_LAYOUTS)
    machine = parts.machine()
    payload = parts.payload(("busybox",), tuple(word for word in words if word not in _LAYOUTS))
    print(f"vm: booting {machine[0]} (parts ready after {time.monotonic() - started:.0f} s)", flush=True)
    console = "--console" in argv
    verdicts = [boot(f"cgroup {name}", machine, payload, options=_LAYOUTS[name], console=console) for name in wanted]
    print(f"vm: {time.monotonic() - started:.0f} s in all")
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
