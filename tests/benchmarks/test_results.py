"""Results of several runs in one document, and the tables that it makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from harness.results import Failure, Results, Row
from harness.tables import report

if TYPE_CHECKING:
    from pathlib import Path

ABOUT: dict[str, Any] = {
    "processors": "2 × some",
    "system": "Linux",
    "load": "0.1",
    "command": "python benchmarks/compare.py",
    "commit": "abc",
    "server": "valkey-9 9.1",
    "seed": 1,
    "rounds": 3,
}


def peer(promise: str = "at least once", name: str = "safe") -> dict[str, Any]:
    return {"promise": promise, "classes": [name], "versions": {"python": "3.13"}, "worker": "run"}


def results(run: str, **rates: list[float]) -> Results:
    """Makes a run that has drained some queues several times."""
    rows = [
        Row(run, number, name, "drain", {"drain_per_s": rate})
        for name, found in rates.items()
        for number, rate in enumerate(found)
    ]
    return Results({run: ABOUT}, {name: peer() for name in rates}, rows)


def lines(text: str, start: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(start)]


def test_a_table_has_medians_and_extremes_and_marks_the_best() -> None:
    text = report(results("one", qtasks=[300.0, 100.0, 200.0], saq=[50.0]))

    assert lines(text, "| qtasks |") == ["| qtasks | at least once | **200** (100–300) |"]
    assert lines(text, "| saq |") == ["| saq | at least once | 50 |"]


def test_figures_that_nobody_has_are_no_column() -> None:
    text = report(results("one", qtasks=[1.0]))

    assert "10 ms sleepers" not in text
    assert "Latency" not in text


def test_queues_of_another_class_have_a_table_of_their_own() -> None:
    found = results("one", qtasks=[2.0], huey=[9.0])
    found.peers["huey"] = peer("may lose", "lossy")

    text = report(found)

    first, _, second = text.partition("what a worker holds when it dies is lost")
    assert "| qtasks |" in first
    assert "| huey |" not in first
    assert "| huey | may lose | 9 |" in second


def test_a_later_run_adds_to_the_document_and_its_figures_are_marked() -> None:
    found = results("one", qtasks=[2.0, 2.0], saq=[1.0]).merged(results("two", saq=[5.0]))

    text = report(found)

    assert lines(text, "| saq |") == ["| saq | at least once | **5**¹ |"]
    assert lines(text, "- one UTC") != []
    assert lines(text, "- ¹ two UTC") != []


def test_a_run_is_merged_once() -> None:
    found = results("one", qtasks=[2.0])

    with pytest.raises(ValueError, match="both results have the run one"):
        found.merged(found)


def test_a_document_can_be_read_again(tmp_path: Path) -> None:
    found = results("one", qtasks=[2.0])
    found.failures.append(Failure("one", 0, "saq", None, "it does not install"))

    found.save(tmp_path / "found.json")

    assert Results.load(tmp_path / "found.json") == found


@pytest.mark.parametrize("text", ["{}", "[]", "no json", '{"runs": {}, "peers": {}, "rows": [1]}'])
def test_something_else_is_no_document(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)

    with pytest.raises(ValueError, match=r"other.json holds no results"):
        Results.load(path)


def test_what_did_not_run_is_told() -> None:
    found = results("one", qtasks=[2.0])
    found.failures.append(Failure("one", 1, "saq", "drain", "1 of 3 tasks did not run"))
    found.failures.append(Failure("one", 0, "arq", None, "it does not install"))

    text = report(found)

    assert lines(text, "- saq") == ["- saq, drain, round 2: 1 of 3 tasks did not run"]
    assert lines(text, "- arq") == ["- arq, trial, round 1: it does not install"]


def test_results_without_runs_say_so() -> None:
    with pytest.raises(ValueError, match="have no runs"):
        report(Results())


def test_where_others_are_ahead_is_told_with_the_figures() -> None:
    text = report(results("one", qtasks=[2.0], saq=[5.0], arq=[3.0], rq=[1.0]))

    assert "- Throughput, tasks a second, no-ops: saq 5, arq 3; qtasks 2" in text.splitlines()


def test_less_may_be_better() -> None:
    found = Results({"one": ABOUT}, {"qtasks": peer(), "saq": peer()})
    found.rows += [
        Row("one", 0, "qtasks", "drain", {"memory_mb": 40.0, "worker_cpu_us": 9.0}),
        Row("one", 0, "saq", "drain", {"memory_mb": 30.0, "worker_cpu_us": 10.0}),
    ]

    text = report(found)

    assert "- What a worker takes, MB: saq 30; qtasks 40" in text.splitlines()
    assert "worker CPU µs: " not in text


def test_nobody_ahead_is_told_too() -> None:
    assert "- Nowhere in this run." in report(results("one", qtasks=[2.0], saq=[1.0]))
