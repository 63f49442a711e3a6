"""The simulation is worth what it notices: each variant of the system has one mistake."""

from __future__ import annotations

import pytest

from simulation.scenario import make_scenario
from simulation.variants import VARIANTS
from simulation.world import simulate

#: Seeds within which a mistake must be noticed; most are within the first twenty.
SEEDS = range(2000)

#: What must be able to happen, where few seeds show the mistake; the others are left out.
NEEDED = {
    "a pump that knows suspects by id alone": {"pause_before"},
    "settle that forgets a request to cancel": {"cancel", "restart"},
}


@pytest.mark.parametrize("name", VARIANTS)
def test_the_simulation_notices(name: str) -> None:
    scenarios = (make_scenario(seed) for seed in SEEDS)
    fit = (one for one in scenarios if one.kinds >= NEEDED.get(name, set()))

    assert any(simulate(one, VARIANTS[name]).violation is not None for one in fit)
