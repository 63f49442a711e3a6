"""What is deprecated works, and says what to write instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qtasks._deprecations import deprecated
from qtasks.exc import QTasksDeprecationWarning

if TYPE_CHECKING:
    from collections.abc import Callable


def add_later() -> str:
    deprecated("add_later", since="1.4", removal="2.0", instead="options(delay=...)")
    return "added"


class Old:
    @property
    def name(self) -> str:
        warn_of_a_name()
        return "name"


def warn_of_a_name() -> None:
    deprecated("Old.name", since="1.4", removal="2.0", instead="Old.title", stacklevel=2)


def test_it_names_what_and_until_when_and_what_instead() -> None:
    with pytest.warns(QTasksDeprecationWarning) as told:
        assert add_later() == "added"

    (warning,) = told
    assert str(warning.message) == (
        "add_later is deprecated since 1.4 and will be gone in 2.0: use options(delay=...)"
    )


def call_it() -> str:
    return add_later()


def read_it() -> str:
    return Old().name


@pytest.mark.parametrize("use", [call_it, read_it])
def test_it_names_the_line_that_is_to_be_changed(use: Callable[[], str]) -> None:
    with pytest.warns(QTasksDeprecationWarning) as told:
        use()

    (warning,) = told
    assert (warning.filename, warning.lineno) == (__file__, use.__code__.co_firstlineno + 1)


def test_python_shows_it_as_any_other_deprecation() -> None:
    assert issubclass(QTasksDeprecationWarning, DeprecationWarning)
