"""`python -I -m hakobu.daemon`: reads the configuration, refuses what must not be, serves until it is told to end.

The collector is still until the engine serves: what is imported and opened stays, and looking through it again and
again is a tenth of the start.
"""

import gc
import sys


def main() -> int:
    gc.disable()
    from hakobu.daemon.starting import main as start

    return start(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
