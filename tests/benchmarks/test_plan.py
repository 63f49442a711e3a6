"""The order of measurements: all queues in turn, and each of them first at some time."""

from __future__ import annotations

from harness.catalogue import PEERS
from harness.measures import MEASURES
from harness.plan import plan
from harness.sizes import Pace, fit

THREE = [PEERS["qtasks"], PEERS["saq"], PEERS["rq"]]


def chosen(*names: str) -> dict[str, object]:
    return {name: MEASURES[name] for name in names}


def test_each_round_measures_every_queue_and_begins_with_another() -> None:
    steps = plan(THREE, {"drain": MEASURES["drain"]}, rounds=3)

    rounds = [[step.peer for step in steps if step.round == number] for number in range(3)]
    assert rounds == [["qtasks", "saq", "rq"], ["saq", "rq", "qtasks"], ["rq", "qtasks", "saq"]]


def test_a_measurement_is_taken_of_all_before_the_next() -> None:
    steps = plan(THREE, {"drain": MEASURES["drain"], "cpu": MEASURES["cpu"]}, rounds=1)

    assert [step.measure for step in steps] == ["drain"] * 3 + ["cpu"] * 3


def test_what_does_not_depend_on_the_moment_is_measured_once() -> None:
    steps = plan(THREE, {"round_trips": MEASURES["round_trips"]}, rounds=3)

    assert len(steps) == 3


def test_a_file_has_no_wire() -> None:
    peers = [PEERS["qtasks-sqlite"], PEERS["qtasks"]]

    assert [step.peer for step in plan(peers, {"delay": MEASURES["delay"]}, rounds=1)] == ["qtasks"]


def test_a_slow_queue_gets_fewer_tasks() -> None:
    assert fit(50_000, wanted=20_000, seconds=6) == 20_000
    assert fit(302, wanted=20_000, seconds=6) == 1_800
    assert fit(1, wanted=20_000, seconds=6, least=500) == 500


def test_tasks_that_take_time_fill_the_slots() -> None:
    assert Pace(drain=50_000).running(0.01, 100) == 10_000
    assert Pace(drain=500).running(0.01, 100) == 500
