from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from qtasks.adapters.redis import RedisBroker
from qtasks.testing.conformance import BrokerMachine

if TYPE_CHECKING:
    from qtasks.typing import Clock


def test_it_does_what_the_model_does(redis_url: str) -> None:
    class RedisMachine(BrokerMachine):
        def make_broker(self, clock: Clock) -> RedisBroker:
            return RedisBroker(redis_url, clock=clock)

    run_state_machine_as_test(
        RedisMachine, settings=settings(max_examples=60, stateful_step_count=50)
    )
