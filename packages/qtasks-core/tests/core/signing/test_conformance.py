"""What stands in front of a broker keeps the contract of what is behind it."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import pytest

from qtasks._core.signing.broker import SignedBroker, sign
from qtasks._core.signing.forwarding import FORWARDED
from qtasks._core.signing.storage import SignedStorage
from qtasks.adapters.memory import MemoryBroker
from qtasks.adapters.sqlite import SqliteBroker
from qtasks.contracts.broker import BaseBroker
from qtasks.contracts.storage import BaseStorage
from qtasks.signing import Keys
from qtasks.testing.conformance import BrokerConformance

if TYPE_CHECKING:
    from pathlib import Path

    from qtasks.typing import Clock

KEYS = Keys("k" * 31 + "1")


class TestSignedMemory(BrokerConformance):
    @pytest.fixture
    def broker(self, clock: Clock) -> BaseBroker:
        return sign(MemoryBroker(clock=clock), KEYS)


class TestSignedSqlite(BrokerConformance):
    @pytest.fixture
    def broker(self, clock: Clock, tmp_path: Path) -> BaseBroker:
        return sign(SqliteBroker(f"sqlite:///{tmp_path}/queue.db", clock=clock), KEYS)


@pytest.mark.parametrize(
    ("cls", "contract", "bytes_pass"),
    [
        (
            SignedBroker,
            BaseBroker,
            {"claim", "client", "exchange", "publish", "settle"},
        ),
        (
            SignedStorage,
            BaseStorage,
            {
                "append_stream",
                "client",
                "finish",
                "get",
                "list",
                "put",
                "read_stream",
                "wait",
            },
        ),
    ],
)
def test_every_method_of_the_contract_is_signed_or_passed_on(
    cls: type, contract: type, bytes_pass: set[str]
) -> None:
    """A method that is new in the contract fails here until it is said which of both it is."""
    public = {
        name
        for name, member in vars(contract).items()
        if inspect.isfunction(member) and not name.startswith("_")
    }
    passed_on = {
        "SignedBroker": {
            "blame",
            "diagnose",
            "expire",
            "extend",
            "flush",
            "holds",
            "pause",
            "purge",
            "queues",
            "ready",
            "report",
            "resume",
            "start",
            "stats",
            "stop",
            "sweep",
            "workers",
        },
        # Beside a broker elsewhere a storage is driven behind the signatures: begin, due and
        # dispatched see signed messages. State, counters and progress are not signed.
        "SignedStorage": {
            "begin",
            "cancel",
            "counter_add",
            "diagnose",
            "discard",
            "dispatched",
            "due",
            "expire",
            "extend",
            "flush",
            "progress",
            "requeue",
            "start",
            "state_clear",
            "state_get",
            "state_update",
            "stats",
            "stop",
            "sweep",
        },
    }[cls.__name__]

    assert passed_on == FORWARDED[cls.__name__]
    assert public == passed_on | bytes_pass
