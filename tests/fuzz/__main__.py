"""`python -m tests.fuzz [--seconds N] [TARGET…]`: coverage-guided runs of the readers, one process each.

Every run has its own corpus below `.state/fuzz`, which later runs go on from. What breaks a reader is written there
and printed; it becomes an example of `tests/property/test_strangers_bytes.py` with its repair. Ends with 1 then.
"""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STATE = ROOT / ".state" / "fuzz"
_LIMITS = ("-timeout=10", "-rss_limit_mb=1024", "-max_len=8192", "-print_final_stats=1", "-verbosity=0")


def one(name: str, arguments: list[str]) -> None:
    """This process becomes the run of one target; the fuzzer ends it."""
    import atheris  # type: ignore[import-not-found]  # of `make fuzz` alone

    with atheris.instrument_imports(include=["hakobu"]):  # pyright: ignore
        from tests.fuzz.target import TARGETS
    target = next(t for t in TARGETS if t.name == name)
    atheris.Setup([sys.argv[0], *arguments], target.run)  # pyright: ignore
    atheris.Fuzz()  # pyright: ignore


def run(name: str, seeds: tuple[bytes, ...], seconds: int) -> bool:
    """Whether nothing was found."""
    corpus, found = STATE / name / "corpus", STATE / name / "found"
    for folder in (corpus, found):
        folder.mkdir(parents=True, exist_ok=True)
    for index, seed in enumerate(seeds):
        (corpus / f"seed-{index}").write_bytes(seed)
    before = set(os.listdir(found))
    arguments = [f"-max_total_time={seconds}", f"-artifact_prefix={found}/", *_LIMITS, str(corpus)]
    argv = [sys.executable, "-m", "tests.fuzz", "--one", name, "--", *arguments]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, errors="replace")
    runs = re.search(r"number_of_executed_units: (\d+)", done.stderr)
    print(f"{name:18} {runs[1] if runs else '?':>9} runs  {'clean' if done.returncode == 0 else 'FOUND'}", flush=True)
    if done.returncode == 0:
        return True
    for path in sorted(set(os.listdir(found)) - before):
        print(f"  {found / path}: {(found / path).read_bytes()[:300]!r}")
    print("\n".join(f"  {line}" for line in done.stdout.splitlines()[-12:]))
    return False


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--seconds", type=int, default=20, help="of each target")
    parser.add_argument("--one", default="", help=argparse.SUPPRESS)
    parser.add_argument("targets", nargs="*")
    given = parser.parse_args()
    if given.one:
        one(given.one, given.targets)
        return 0
    from tests.fuzz.target import TARGETS

    chosen = [t for t in TARGETS if not given.targets or t.name in given.targets]
    results = [run(target.name, target.seeds, given.seconds) for target in chosen]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
