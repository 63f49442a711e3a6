from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtasks.adapters.memory.heap import SLACK, Heap
from qtasks.adapters.memory.row import Row
from qtasks.schemas import Message


def row(seq: int) -> Row:
    return Row(Message(str(seq), "t", "q", b""), seq, 0.0, beside=False)


def test_an_empty_heap() -> None:
    heap = Heap()
    assert (len(heap), heap.first(), heap.pop_due(1e12), list(heap.rows())) == (0, None, None, [])
    with pytest.raises(IndexError):
        heap.pop()
    heap.withdraw(row(1))


def test_equal_times_come_in_the_order_of_creation() -> None:
    heap = Heap()
    rows = [row(seq) for seq in range(10)]
    for item in reversed(rows):
        heap.push(5.0, item)
    assert [heap.pop() for _ in rows] == rows


def test_only_what_is_due_is_given() -> None:
    heap = Heap()
    heap.push(2.0, row(1))
    assert heap.pop_due(1.9) is None
    due = heap.pop_due(2.0)
    assert due is not None
    assert due.seq == 1


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20), st.integers(0, 5)), max_size=200))
def test_it_is_a_sorted_list(steps: list[tuple[bool, int, int]]) -> None:
    heap = Heap()
    rows = [row(seq) for seq in range(21)]
    model: dict[int, int] = {}
    for push, seq, when in steps:
        heap.withdraw(rows[seq])
        model.pop(seq, None)
        if push:
            heap.push(when, rows[seq])
            model[seq] = when
        assert len(heap) == len(model)
        assert heap.first() == min(model.values(), default=None)
    expected = sorted(model, key=lambda seq: (model[seq], seq))
    assert [heap.pop().seq for _ in expected] == expected
    assert len(heap) == 0


def test_what_is_withdrawn_takes_no_room() -> None:
    heap = Heap()
    keep = row(0)
    heap.push(0.0, keep)
    for seq in range(1, 5000):
        gone = row(seq)
        heap.push(1.0, gone)
        heap.withdraw(gone)
    assert len(heap._entries) <= SLACK + 3
    assert heap.pop() is keep
