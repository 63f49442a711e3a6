"""Runs as many seeds as one likes; ``nox -s simulate -- --seeds 100000``."""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Final

from simulation.report import report
from simulation.scenario import make_scenario
from simulation.shrink import shrink
from simulation.world import simulate

__all__ = ["main", "run_seeds"]

#: Seeds that one process takes at a time.
_CHUNK: Final = 50


def run_seeds(seeds: range) -> tuple[int, str | None]:
    """Runs seeds until one breaks an invariant.

    Returns:
        How many calls the broker carried out, and what to read about the seed that breaks one,
        or None.
    """
    steps = 0
    for seed in seeds:
        result = simulate(make_scenario(seed))
        steps += result.world.trace.steps
        if result.violation is not None:
            return steps, report(shrink(result))
    return steps, None


def say(text: str) -> None:
    """Writes a line, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Runs what the command line says; returns how many chunks of seeds have failed."""
    parser = argparse.ArgumentParser(prog="simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000, help="how many (default: 2000)")
    parser.add_argument("--start", type=int, default=0, help="the first one (default: 0)")
    parser.add_argument("--seed", type=int, help="one alone")
    parser.add_argument("--processes", type=int, default=2, help="at once (default: 2)")
    given = parser.parse_args()
    first, number = (given.start, given.seeds) if given.seed is None else (given.seed, 1)
    chunks = [
        range(at, min(at + _CHUNK, first + number)) for at in range(first, first + number, _CHUNK)
    ]
    begun, done, steps, failed = time.monotonic(), 0, 0, 0
    with ProcessPoolExecutor(given.processes) as pool:
        for chunk, (more, text) in zip(chunks, pool.map(run_seeds, chunks), strict=True):
            done, steps = done + len(chunk), steps + more
            if text is not None:
                failed += 1
                say(f"\n{text}\n")
            if done % (_CHUNK * 20) == 0:
                say(f"{done} of {number} seeds, {failed} chunks of {_CHUNK} failed")
    seconds = time.monotonic() - begun
    say(f"{done} seeds, {steps} steps, {seconds:.1f} s, {failed} chunks of {_CHUNK} failed")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
