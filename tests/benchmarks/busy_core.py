"""How much longer a sweep takes while another program uses a core: `python -m tests.benchmarks.busy_core`.

Trains three heads on the bundled lab set (`lab sweep`), on the idle machine and beside one busy loop, in turn, and
prints seconds, processor seconds and the ratio of the best times. The machine should do nothing else.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SWEEP = ("lab", "sweep", "--rule", "threshold", "--amounts", "0.5")  # with none and adaptive: three heads
SPIN = "while True: pass"


def sweep(environment: dict[str, str]) -> tuple[float, float]:
    """Seconds and processor seconds of one sweep."""
    with tempfile.TemporaryDirectory() as folder:
        began, used = time.perf_counter(), os.times().children_user
        subprocess.run(
            [sys.executable, "-m", "transclipped", *SWEEP, "--out", f"{folder}/sweep"],
            cwd=ROOT,
            env=os.environ | environment,
            check=True,
            capture_output=True,
        )
        return time.perf_counter() - began, os.times().children_user - used


def beside(busy: int, environment: dict[str, str]) -> tuple[float, float]:
    """A sweep beside so many busy loops."""
    loops = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(busy)]
    try:
        return sweep(environment)
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=2, help="sweeps of each kind (default 2)")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="of the sweep's environment")
    arguments = parser.parse_args()
    environment = dict(pair.split("=", 1) for pair in arguments.set)
    sweep(environment)  # fills the caches, on the idle machine
    best = {}
    for _ in range(arguments.times):
        for busy in (0, 1):
            seconds, used = beside(busy, environment)
            best[busy] = min(best.get(busy, seconds), seconds)
            print(f"{busy} busy: {seconds:5.1f} s, {used:5.1f} s of processor time", flush=True)
    print(f"idle {best[0]:.1f} s, beside a busy core {best[1]:.1f} s, ratio {best[1] / best[0]:.2f}")


if __name__ == "__main__":
    main()
