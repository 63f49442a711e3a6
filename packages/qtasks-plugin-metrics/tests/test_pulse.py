"""The pulse of a loop, and what probes make of it."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from qtasks_plugin_metrics.cells import HistogramCell
from qtasks_plugin_metrics.messages import Probe
from qtasks_plugin_metrics.probing import alive, ready
from qtasks_plugin_metrics.pulse import LoopPulse, Pulse

if TYPE_CHECKING:
    from collections.abc import Iterator

WELL = Probe("w1", 0.0, 0.0, connected=True, claiming=True)


async def test_the_time_until_a_loop_answers_is_its_lag() -> None:
    now, lag = [100.0], HistogramCell((1.0, 5.0))
    pulse = LoopPulse(asyncio.get_running_loop(), lag, lambda: now[0])

    pulse.ask()
    now[0] += 3
    assert pulse.silent == 3
    pulse.ask()  # it waits for the first answer
    await asyncio.sleep(0)

    assert pulse.silent == 0
    assert (lag.counts, lag.total) == ([0, 1, 0], 3.0)


async def test_a_loop_that_is_closed_is_asked_no_more() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    pulse = LoopPulse(loop, HistogramCell((1.0,)))
    pulse.ask()
    assert pulse.silent >= 0


def test_a_beat_that_fails_is_logged_and_the_next_follows(
    caplog: pytest.LogCaptureFixture,
) -> None:
    beats: Iterator[int] = iter(range(10))
    done = threading.Event()

    def beat() -> None:
        if next(beats) == 0:
            raise RuntimeError
        done.set()

    pulse = Pulse(beat, 0.001)
    pulse.start()
    assert done.wait(20)
    pulse.stop()
    assert "Metrics could not be looked at; the next look follows" in caplog.messages


@pytest.mark.parametrize(
    ("probe", "is_alive", "is_ready"),
    [
        (WELL, True, True),
        (Probe("w1", 31.0, 0.0, connected=True, claiming=True), False, False),
        (Probe("w1", 0.0, 31.0, connected=True, claiming=True), False, False),
        (Probe("w1", 0.0, 0.4, connected=False, claiming=True), True, False),
        (Probe("w1", 0.0, 99.0, connected=True, claiming=False), True, False),
    ],
)
def test_what_is_stuck_is_not_alive_and_what_takes_nothing_is_not_ready(
    probe: Probe, is_alive: bool, is_ready: bool
) -> None:
    probes = [WELL, probe]
    assert (not alive(probes, 30)) is is_alive
    assert (not ready(probes, 30)) is is_ready
    if not is_ready:
        assert "w1" in ready(probes, 30)


def test_without_a_worker_nothing_is_ready_and_nothing_stuck() -> None:
    assert alive([], 30) == ""
    assert ready([], 30) == "no worker has started"
