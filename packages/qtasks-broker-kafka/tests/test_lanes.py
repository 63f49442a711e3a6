"""Records that wait: in turn, in line, given back, dropped."""

from __future__ import annotations

from itertools import count

import pytest

from qtasks.schemas import Message
from qtasks_broker_kafka.lanes import Lanes, Order, Record
from qtasks_broker_kafka.tracker import Tracker

PLACE = ("t", 0)


class Bench:
    """Lanes with a clock that stands still."""

    def __init__(self, order: Order = "unordered") -> None:
        self.now = 0.0
        self.lanes = Lanes(lambda: self.now)
        self.order: Order = order
        self.trackers: dict[tuple[str, int], Tracker] = {}
        self._number = count()

    def put(self, *keys: str, place: tuple[str, int] = PLACE, size: int = 1) -> None:
        tracker = self.trackers.setdefault(place, Tracker(0))
        records = []
        for key in keys:
            offset = next(self._number)
            tracker.add(offset)
            records.append(
                Record(
                    Message(key, "t", "q", b""), place, offset, timestamp=0.0, tracker=tracker,
                    size=size, key=key[:1].encode(), order=self.order,
                )
            )  # fmt: skip
        self.lanes.put("q", records)

    def take(self, limit: int = 100) -> list[Record]:
        return self.lanes.take(["q"], limit)

    def ids(self, limit: int = 100) -> list[str]:
        return [record.message.id for record in self.take(limit)]


def test_records_come_in_turn() -> None:
    bench = Bench()
    bench.put("a1", "b1", "a2")
    assert bench.ids(2) == ["a1", "b1"]
    assert bench.ids() == ["a2"]


@pytest.mark.parametrize("order", ["key", "partition"])
def test_lines_move_on_when_one_is_done(order: Order) -> None:
    bench = Bench(order)
    bench.put("a1", "a2", "b1")
    first = bench.take()
    assert [record.message.id for record in first] == (["a1", "b1"] if order == "key" else ["a1"])
    assert bench.ids() == []
    bench.lanes.done(first[:1])
    assert bench.ids() == ["a2"]


def test_what_is_given_back_comes_first_and_holds_its_line() -> None:
    bench = Bench("key")
    bench.put("a1", "a2", "b1")
    first, _ = bench.take()
    bench.lanes.give_back(first, 5.0)
    assert bench.ids() == []
    assert bench.lanes.next_in() == 5.0
    assert not bench.lanes.waiting(["q"])
    bench.now = 5.0
    bench.put("c1")
    assert bench.lanes.waiting(["q"])
    assert bench.ids() == ["a1", "c1"]


@pytest.mark.parametrize("order", ["unordered", "key", "partition"])
def test_what_belongs_to_others_is_dropped_unless_it_runs(order: Order) -> None:
    bench = Bench(order)
    bench.put("a1", "a2", "a3")
    bench.put("b1", "b2", place=("t", 1))
    (running,) = bench.take(1)
    bench.trackers[PLACE].close()
    bench.lanes.drop(frozenset([PLACE]))
    assert bench.lanes.waiting_of(PLACE) == 0
    rest = bench.take()
    assert {record.place for record in rest} == {("t", 1)}
    bench.lanes.done([running, *rest])
    more = bench.take()
    bench.lanes.done(more)
    assert len(rest) + len(more) == 2
    assert bench.take() == []


def test_what_was_given_back_is_dropped_too() -> None:
    bench = Bench("key")
    bench.put("a1")
    (record,) = bench.take()
    bench.lanes.give_back(record, 5.0)
    bench.lanes.drop(frozenset([PLACE]))
    bench.now = 9.0
    assert bench.take() == []
    bench.put("a2")
    assert bench.ids() == ["a2"]


def test_a_partition_is_full_by_number_or_by_size() -> None:
    told: list[bool] = []
    bench = Bench()
    bench.lanes.hungry = lambda: told.append(True)
    bench.put("a1", size=20 * 1024 * 1024)
    assert bench.lanes.full(PLACE)
    bench.take()
    assert not bench.lanes.full(PLACE)
    assert told == [True]
    bench.put(*(f"a{number}" for number in range(4000)))
    assert bench.lanes.full(PLACE)


def test_a_paused_queue_gives_nothing() -> None:
    bench = Bench()
    bench.put("a1")
    bench.lanes.paused = frozenset(["q"])
    assert bench.take() == []
    assert not bench.lanes.waiting(["q"])


def test_what_was_handed_out_by_others_changes_nothing() -> None:
    old, new = Bench(), Bench()
    old.put("a1")
    (record,) = old.take()
    new.lanes.done([record])
    new.lanes.give_back(record, 0.0)
    assert new.take() == []
