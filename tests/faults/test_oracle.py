"""The oracle sees what is lost, repeated, refused and overwritten."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from faultplan.ledger import Acknowledged, Fault, Ledger, Note
from faultplan.oracle import count
from faultplan.report import Report
from faultplan.system import End, Job
from faultplan.table import BEGIN, END, as_table, replace_figures

if TYPE_CHECKING:
    from pathlib import Path

A, B = 100, 200  # processes


def ledger(*notes: Note, tasks: int = 1, faults: tuple[Fault, ...] = ()) -> Ledger:
    ids = {number: f"id-{number}" for number in range(tasks)}
    return Ledger(ids, dict.fromkeys(ids, 0.0), [*notes], [*faults])


def start(number: int, pid: int, token: int, at: float = 1.0) -> Note:
    return Note("S", str(number), pid, token, 1, at)


def end(number: int, pid: int, token: int, at: float = 2.0) -> Note:
    return Note("E", str(number), pid, token, 1, at)


def test_a_task_that_ran_once_is_nothing_special() -> None:
    tally = count(ledger(start(0, A, 1), end(0, A, 1)), {"id-0": End("success", [A, 1])})

    assert (tally.acknowledged, tally.run, tally.finished, tally.success) == (1, 1, 1, 1)
    assert (tally.lost, tally.unproven, tally.duplicated, tally.overwritten) == (0, 0, 0, 0)
    assert (tally.most_runs, tally.interrupted, tally.recovery_p50) == (1, 0, None)


@pytest.mark.parametrize("status", ["waiting", "running", "missing"])
def test_an_acknowledged_task_that_has_not_ended_is_lost(status: str) -> None:
    assert count(ledger(), {"id-0": End(status)}).lost == 1  # type: ignore[arg-type]  # one of them


def test_a_success_without_a_run_is_unproven() -> None:
    assert count(ledger(start(0, A, 1)), {"id-0": End("success", [A, 1])}).unproven == 1


def test_a_second_end_is_a_duplicate_and_its_older_result_overwrites() -> None:
    notes = (start(0, A, 1), start(0, B, 2), end(0, B, 2), end(0, A, 1, at=9.0))

    newer = count(ledger(*notes), {"id-0": End("success", [B, 2])})
    older = count(ledger(*notes), {"id-0": End("success", [A, 1])})

    assert (newer.duplicated, newer.most_runs, newer.overwritten) == (1, 2, 0)
    assert (older.duplicated, older.most_runs, older.overwritten) == (1, 2, 1)


def test_what_ran_without_an_acknowledgement_is_unknown() -> None:
    assert count(ledger(start(5, A, 1)), {"id-0": End("waiting")}).unknown == 1


def test_a_run_that_a_kill_ended_is_taken_up_again_after_so_many_seconds() -> None:
    kill = Fault("kill", 3.0, frozenset({A}))
    notes = (
        *(start(0, A, 1), end(0, A, 1)),  # had ended before
        *(start(1, A, 2), start(1, B, 4, at=5.5), end(1, B, 4)),
        *(start(2, B, 3), end(2, B, 3)),  # elsewhere
    )
    ends = {f"id-{number}": End("success") for number in range(3)}

    tally = count(ledger(*notes, tasks=3, faults=(kill,)), ends)

    assert (tally.interrupted, tally.recovery_p50, tally.recovery_max) == (1, 2.5, 2.5)


def test_refused_outcomes_are_counted() -> None:
    assert count(ledger(Note("F", "id-0", A, 1, 0, 3.0)), {"id-0": End("success")}).refused == 1


def test_a_line_that_a_kill_has_cut_short_does_not_count(tmp_path: Path) -> None:
    file = Acknowledged(tmp_path / "acknowledged")
    file.note([Job(1), Job(2)], ["one", "two"])
    file.close()
    notes = tmp_path / "notes"
    notes.write_text("S 1 100 7 1 3.5\nE 1 100")
    with (tmp_path / "acknowledged").open("a") as more:
        more.write("3 thr")

    found = Ledger.read([tmp_path / "acknowledged"], notes, [])

    assert found.ids == {1: "one", 2: "two"}
    assert found.notes == [Note("S", "1", 100, 7, 1, 3.5)]


def test_a_report_without_any_check_has_not_passed() -> None:
    report = Report(count(ledger(), {"id-0": End("waiting")}))
    assert not report.passed

    report.must_lose_nothing()

    assert report.failures == ["nothing is lost: 1"]


def test_a_table_says_what_did_not_hold_and_stands_between_the_markers(tmp_path: Path) -> None:
    report = Report(count(ledger(), {"id-0": End("waiting")}), {"slowest, s": 1.25})
    report.must_lose_nothing()
    head = {"case": "F1", "title": "a kill", "broker": "sqlite", "kills": 1200}
    page = tmp_path / "page.md"
    begin, end = BEGIN.format("figures"), END.format("figures")
    page.write_text(f"before\n{begin}\nold\n{end}\nafter\n")

    table = as_table([head | report.as_dict()])
    replace_figures(page, table)

    assert "| F1 | a kill | sqlite | 1 | 1,200 | 1 | 0 | 0 | 0 | 0 | – | – | **no** |" in table
    assert "- F1 on sqlite: slowest, s 1.25" in table
    assert "- F1 on sqlite did **not** hold: nothing is lost (found 1)" in table
    assert page.read_text() == f"before\n{begin}\n\n{table}\n\n{end}\nafter\n"
    page.write_text("no markers")
    with pytest.raises(ValueError, match=r"page\.md has no line '<!-- figures: begin -->'"):
        replace_figures(page, table)
