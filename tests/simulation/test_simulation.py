from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulation.__main__ import run_seeds
from simulation.report import report
from simulation.scenario import DEEDS, FAULTS, make_scenario
from simulation.shrink import shrink
from simulation.variants import VARIANTS
from simulation.world import simulate

#: More run with ``nox -s simulate``.
CHUNKS = [range(at, at + 50) for at in range(0, 400, 50)]

TRACES = """
from simulation.scenario import make_scenario
from simulation.world import simulate
for seed in range(12):
    print(*simulate(make_scenario(seed)).world.trace.lines(), sep="\\n")
"""


@pytest.mark.parametrize("seeds", CHUNKS, ids=lambda seeds: f"{seeds.start}-{seeds.stop - 1}")
def test_the_invariants_hold(seeds: range) -> None:
    steps, broken = run_seeds(seeds)

    assert broken is None, broken
    assert steps > 100 * len(seeds)


def test_the_seeds_bring_everything_that_can_go_wrong() -> None:
    scenarios = [make_scenario(seed) for seed in range(100)]

    assert {kind for scenario in scenarios for kind, _ in scenario.rates} == set(FAULTS)
    assert {deed.kind for scenario in scenarios for deed in scenario.deeds} == set(DEEDS)
    ends = {step.end for scenario in scenarios for job in scenario.jobs for step in job.steps}
    assert ends >= {"ok", "retry", "snooze", "fail", "reject", "discard", "cancel", "hang", "crash"}


def test_a_seed_is_the_same_story_in_every_process() -> None:
    def traces(hash_seed: str) -> str:
        path = os.pathsep.join([str(Path(__file__).parent.parent), *filter(None, sys.path)])
        env = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": path}
        command = [sys.executable, "-c", TRACES]
        done = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
        return done.stdout

    assert traces("1") == traces("2") != ""


def test_what_breaks_an_invariant_is_made_small_and_told() -> None:
    # given: a keeper that does not renew, and the first seed that shows it
    variant = VARIANTS["a keeper that does not renew"]
    found = next(
        result
        for result in (simulate(make_scenario(seed), variant) for seed in range(100))
        if result.violation is not None
    )

    # when: the scenario is made small
    small = shrink(found, variant)

    # then: it shows the same, with less
    assert found.violation is not None
    assert small.violation is not None
    assert small.violation.name == found.violation.name
    assert len(small.scenario.jobs) < len(found.scenario.jobs)
    assert small.scenario.deeds == () == small.scenario.only
    told = report(small)
    assert f"--seed {found.scenario.seed}" in told
    assert "VIOLATED  I9 the living keep their leases" in told
