"""The tracker and its map, in every order that tasks can end in."""

from __future__ import annotations

import base64
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from qtasks_broker_kafka.offset_map import OffsetMap, decode_map, encode_map
from qtasks_broker_kafka.tracker import Tracker


def test_only_the_done_prefix_is_committed() -> None:
    tracker = Tracker(10)
    assert [tracker.add(offset) for offset in (10, 11, 13)] == [True, True, True]
    tracker.begin(10)
    assert tracker.done(13)
    assert tracker.done(11)
    base, _ = tracker.commit() or (None, "")
    assert base == 10
    assert tracker.done(10)
    assert tracker.commit() == (14, "")
    tracker.committed(14)
    assert tracker.commit() is None


def test_what_came_before_is_not_handed_out_again() -> None:
    tracker = Tracker()
    assert tracker.add(5)
    assert not tracker.add(5)
    assert not tracker.add(4)
    assert tracker.add(9)


def test_a_log_that_begins_late_is_no_news() -> None:
    tracker = Tracker()
    assert tracker.commit() is None
    tracker.add(700)
    assert tracker.commit() is None
    tracker.done(700)
    assert tracker.commit() == (701, "")


def test_a_closed_tracker_commits_nothing() -> None:
    tracker = Tracker(0)
    tracker.add(0)
    tracker.done(0)
    tracker.close()
    assert tracker.commit() is None
    assert not tracker.add(1)
    assert not tracker.done(0)


def test_it_never_goes_back_behind_what_another_committed() -> None:
    tracker = Tracker(0)
    for offset in range(10):
        tracker.add(offset)
    tracker.forward(6)
    assert tracker.base == 6
    assert not tracker.done(3), "the other's commit says that it is done"
    tracker.forward(2)
    assert tracker.base == 6
    tracker.forward(30)
    assert (tracker.base, tracker.next, tracker.unfinished) == (30, 30, 0)


def test_a_log_that_was_made_anew_is_noticed() -> None:
    tracker = Tracker(None)
    for offset in range(3):
        tracker.add(offset)
    assert not tracker.outdated(None, 3), "nothing was committed yet"
    assert tracker.outdated(None, 1), "it had more records before"
    tracker.committed(2)
    assert not tracker.outdated(2, 3)
    assert not tracker.outdated(5, 9), "another process went on"
    assert tracker.outdated(1, 9)
    assert tracker.outdated(None, 9)


def test_a_task_at_the_head_leaves_the_others_in_the_map() -> None:
    tracker = Tracker(0)
    for offset in range(100_000):
        tracker.add(offset)
    tracker.begin(0)
    for offset in range(1, 100_000):
        tracker.done(offset)
    base, text = tracker.commit() or (None, "")
    assert base == 0
    assert len(text) < 20
    heir = Tracker(0, decode_map(0, text))
    assert [offset for offset in range(100_000) if heir.add(offset)] == [0]
    heir.done(0)
    assert heir.commit() == (100_000, "")


def test_what_waits_at_the_end_is_not_in_the_map() -> None:
    tracker = Tracker(0)
    for offset in range(1000):
        tracker.add(offset)
    tracker.begin(0)
    tracker.begin(1)
    tracker.done(1)
    assert tracker.commit() == (0, encode_map(0, 2, [0]))


def test_a_map_that_is_too_long_is_left_out() -> None:
    assert encode_map(0, 10_001, range(0, 10_000, 2)) == ""


def test_a_map_that_cannot_be_read_knows_nothing() -> None:
    for text in (
        "",
        "no base64!",
        "AA==",
        base64.b64encode(b"\x01").decode(),
        base64.b64encode(b"\x01\x80").decode(),
        base64.b64encode(b"\x01\x05\x01").decode(),
        base64.b64encode(b"\x01\x05\x01\x09").decode(),
        base64.b64encode(b"\x01" + 2 * (b"\xff" * 9 + b"\x7f")).decode(),
        base64.b64encode(
            b"\x01" + (b"\xff" * 9 + b"\x7f") + b"\x00" + b"\xff" * 8 + b"\x7f"
        ).decode(),
    ):
        found = decode_map(7, text)
        assert (found.end, found.open) == (7, frozenset()), text


@given(st.integers(0, 2**40), st.sets(st.integers(0, 400)), st.integers(0, 500))
def test_a_map_says_what_was_put_into_it(base: int, offsets: set[int], beyond: int) -> None:
    still_open = sorted(base + offset for offset in offsets)
    end = max([base, *(offset + 1 for offset in still_open)]) + beyond
    found = decode_map(base, encode_map(base, end, still_open))
    assert all(
        found.done(offset) is (offset not in still_open) for offset in range(base, found.end)
    )
    assert {*range(found.end, end)} <= {*still_open} or found.end == base


class Log:
    """A partition, and all that the outside knows of it."""

    def __init__(self, offsets: list[int], *, keeps_maps: bool) -> None:
        self.offsets = offsets
        self.keeps_maps = keeps_maps
        self.position: int | None = None
        self.text = ""
        self.done: set[int] = set()

    def assign(self) -> Tracker:
        base = self.position
        known = None if base is None else decode_map(base, self.text)
        return Tracker(base, known)

    def commit(self, tracker: Tracker) -> None:
        if (news := tracker.commit()) is None:
            return
        base, text = news
        assert self.position is None or base >= self.position, "a commit went back"
        assert {o for o in self.offsets if o < base} <= self.done, "it committed what is not done"
        tracker.committed(base, text)
        self.position, self.text = base, text if self.keeps_maps else ""


class Story:
    """What happens to a log, one step after the other."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.tracker = log.assign()
        self.running: list[tuple[Tracker, int]] = []

    def fetch(self, _: int) -> None:
        after = self.tracker.next
        here = [offset for offset in self.log.offsets if after is None or offset >= after]
        for offset in here[:3]:
            if self.tracker.add(offset):
                self.tracker.begin(offset)
                self.running.append((self.tracker, offset))

    def end(self, which: int) -> None:
        if self.running:
            owner, offset = self.running.pop(which % len(self.running))
            self.log.done.add(offset)
            owner.done(offset)

    def commit(self, _: int) -> None:
        self.log.commit(self.tracker)

    def move(self, which: int) -> None:
        """Another process gets the partition; what runs here goes on."""
        if which % 2:
            self.log.commit(self.tracker)
        self.tracker.close()
        self.tracker = self.log.assign()

    def back(self, _: int) -> None:
        """The partition was away, and came back to who had it."""
        self.tracker.forward(self.log.position or 0)

    def die(self, _: int) -> None:
        self.tracker = self.log.assign()
        self.running.clear()


STEPS = [Story.fetch, Story.end, Story.end, Story.commit, Story.move, Story.back, Story.die]


@given(
    offsets=st.sets(st.integers(0, 60), min_size=1, max_size=25),
    steps=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 30)), max_size=80),
    keeps_maps=st.booleans(),
)
def test_nothing_is_lost_whatever_happens(
    offsets: set[int], steps: list[tuple[Any, int]], *, keeps_maps: bool
) -> None:
    log = Log(sorted(offsets), keeps_maps=keeps_maps)
    story = Story(log)
    for step, which in steps:
        step(story, which)
    while story.running:
        story.end(0)
    for offset in log.offsets:  # who is left works it off
        if story.tracker.add(offset):
            log.done.add(offset)
            story.tracker.done(offset)
    log.commit(story.tracker)
    assert log.done == offsets
    assert log.position == log.offsets[-1] + 1


def test_an_empty_map_knows_nothing() -> None:
    assert not OffsetMap(5).done(5)
    assert OffsetMap(5).done(4)
