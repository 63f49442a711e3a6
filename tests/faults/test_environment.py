"""What is around the workers fails: the way to the server, its disk, its clock. Small sizes."""

from __future__ import annotations

import os
import random
import sys
from typing import TYPE_CHECKING

import pytest
from faultplan.brokers import open_broker
from faultplan.cases import clocks, hostile, network, troubles
from faultplan.ours import QTasks
from faultplan.run import CASES, Run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the signals are those of Unix")

#: What is left to chance comes from here; a failure shows it, and the variable sets it again.
SEED = int(os.environ.get("QTASKS_TEST_SEED", "") or random.SystemRandom().randrange(10**6))

#: The modules whose cases are below; importing them registers the cases.
MODULES = (clocks, hostile, network, troubles)

#: Elsewhere nobody can take the room from a process that runs.
LINUX = [("F14", "sqlite", 300, 2)] if sys.platform == "linux" else []


@pytest.mark.parametrize(
    ("name", "broker", "tasks", "kills"),
    [
        ("F5", "redis", 300, 25),
        ("F5", "sqlite", 60, 5),
        ("F6", "redis", 40, 0),
        ("F9", "redis", 20, 1),
        ("F9", "sqlite", 20, 1),
        ("F11", "redis", 1000, 0),
        ("F11", "sqlite", 1000, 0),
        ("F13", "redis", 200, 5),
        *LINUX,
    ],
)
def test_a_case_of_the_plan_holds(
    name: str, broker: str, tasks: int, kills: int, tmp_path: Path
) -> None:
    with (
        open_broker(broker, tmp_path) as opened,
        Run(QTasks(), opened, tmp_path, seed=SEED, tasks=tasks, kills=kills) as run,
    ):
        report = CASES[name].run(run)

    assert report.failures == [], f"QTASKS_TEST_SEED={SEED}"
