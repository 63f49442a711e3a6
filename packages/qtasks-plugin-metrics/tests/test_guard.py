"""What becomes a label, and what does not."""

from __future__ import annotations

import pytest

from qtasks_plugin_metrics.book import Book
from qtasks_plugin_metrics.cells import Addition
from qtasks_plugin_metrics.guard import OTHER, ErrorWords, Words, is_written


class Outer:
    """Holds a class."""

    class InnerError(Exception):
        """Is found under its outer one."""


HERE = __name__


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("LookupError", True),
        ("json.decoder.JSONDecodeError", True),
        (f"{HERE}.Outer.InnerError", True),
        (f"{HERE}.Outer.Absent", False),
        (f"{HERE}.HERE", False),
        (f"{HERE}.HERE.upper", False),
        ("len", False),
        ("no_such_module.Error", False),
        ("Absent", False),
        (f"{HERE}.make.<locals>.Error", False),
        ("", False),
        ("..", False),
    ],
)
def test_a_class_is_written_if_it_stands_where_its_name_says(name: str, expected: bool) -> None:
    assert is_written(name) is expected


def test_classes_that_are_made_take_no_place_of_written_ones() -> None:
    words = ErrorWords()
    made = [words(f"botocore.errorfactory.E{number}") for number in range(1000)]
    assert len(set(made)) == 21
    assert words("json.decoder.JSONDecodeError") == "json.decoder.JSONDecodeError"
    assert words("botocore.errorfactory.E3") == "botocore.errorfactory.E3"


@pytest.mark.parametrize("name", ["E" * 5000, "Bad\ud800Name"])
def test_a_name_that_cannot_be_shown_is_among_the_others(name: str) -> None:
    assert ErrorWords()(name) == OTHER
    assert Words()(name) == OTHER


def test_the_words_of_many_processes_have_an_end_too() -> None:
    book = Book(5000)
    for number in range(1000):  # each of them the first one of another process
        book.add([Addition("task_errors", ("default", "fail", f"made.E{number}"), 1)])
        book.add([Addition("dead_letters", ("default", "fail", f"reason-{number}"), 1)])
    book.add([Addition("task_errors", ("default", "fail", "made.E3"), 1)])

    families = {family.name: family.samples for family in book.collect()}
    errors = {one.labels["error_type"]: one.value for one in families["qtasks_task_errors"]}
    reasons = {one.labels["reason"]: one.value for one in families["qtasks_dead_letters"]}
    assert (len(errors), errors["made.E3"], errors[OTHER]) == (21, 2, 980)
    assert (len(reasons), reasons[OTHER]) == (51, 950)
