from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from qtasks.adapters.redis import RedisBroker
from qtasks.testing.conformance import BrokerMachine

if TYPE_CHECKING:
    from qtasks.typing import Clock


def test_it_does_what_the_model_does(redis_url: str) -> None:
    numbers = itertools.count()

    class RedisMachine(BrokerMachine):
        def make_broker(self, clock: Clock) -> RedisBroker:
            # Stamps outlive a flush, and the time of each example begins anew.
            return RedisBroker(f"{redis_url}?prefix=qtasks-{next(numbers)}", clock=clock)

    run_state_machine_as_test(
        RedisMachine, settings=settings(max_examples=60, stateful_step_count=50)
    )
