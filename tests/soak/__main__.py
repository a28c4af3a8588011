"""`python -m tests.soak [--scale N] [ROW…]`: each row on an engine of its own; prints a verdict and its figures.

Ends with 1 where a row's criterion is missed. `--scale` multiplies the counts: 1 takes minutes, 17 gives the whole
numbers of docs/faults.md.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from tests.integration.daemon import Daemon, image_archive
from tests.leaks import differences, isolate, look
from tests.soak import fault, growth
from tests.soak.engine import Hurt

ROWS: dict[str, Callable[[Hurt, int], str]] = {
    "F1": fault.daemon_killed,
    "F2": fault.daemon_killed_at_random,
    "F3": fault.shim_killed,
    "F4": fault.ended_while_away,
    "F5": fault.ignores_the_signal,
    "F6": fault.stopped_for_a_while,
    "F7": fault.prints_while_away,
    "F8": growth.copies,
    "F9": fault.state_files,
    "F10": fault.database,
    "F18": growth.many_containers,
    "F19": growth.cycles,
    "F20": fault.clients_vanish,
    "F22": fault.orphans,
    "F23": fault.out_of_memory,
    "F25": fault.rotation,
    "F27": fault.no_more_processes,
    "F28": fault.no_more_descriptors,
    "F29": fault.network_taken_apart,
    "F30": fault.port_taken,
    "F31": fault.file_held,
    "F32": fault.killed_while_copying,
    "F33": fault.many_clients,
    "F34": fault.reboot,
    "anybody": growth.anybody_killed,
    "between": growth.killed_between,
}


def _row(row: Callable[[Hurt, int], str], scale: int) -> str:
    """On a warm engine; whatever it leaves on the machine fails the row as well."""
    folder = Path(tempfile.mkdtemp(prefix="hks-"))
    hurt = Hurt(Daemon(folder))
    before = look()
    try:
        hurt.start()
        hurt.daemon.load("busybox")
        hurt.daemon.hakobu("run", "--rm", "busybox", "true")
        try:
            told = row(hurt, scale)
        finally:
            if hurt.daemon.process is not None and hurt.daemon.process.poll() is not None:
                hurt.start()
            hurt.remove_all()
            hurt.daemon.stop()
    except BaseException:
        print(hurt.daemon.log(), file=sys.stderr)
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    own = (hurt.instance.default_bridge, hurt.instance.nft_table)  # these outlive a daemon
    until = time.monotonic() + 15
    while left := [line for line in differences(before, look()) if not any(name in line for name in own)]:
        assert time.monotonic() < until, "; ".join(left)
        time.sleep(0.1)
    return told


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.soak", description=__doc__)
    parser.add_argument("--scale", type=int, default=1)
    parser.add_argument("rows", nargs="*", metavar="ROW")
    given = parser.parse_args()
    if os.geteuid() != 0:
        os.execvp("sudo", ["sudo", sys.executable, *sys.orig_argv[1:]])
    image_archive("busybox")
    isolate()
    missed = 0
    for name in given.rows or ROWS:
        began = time.monotonic()
        try:
            told = _row(ROWS[name], given.scale)
            print(f"pass  {name:<8} {time.monotonic() - began:6.1f} s  {told}", flush=True)
        except Exception as error:
            missed += 1
            if not isinstance(error, AssertionError):
                traceback.print_exc()
            print(f"MISS  {name:<8} {time.monotonic() - began:6.1f} s  {str(error)[:600]}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
