"""What ``retry=5`` means: the policy of an app, from code or from its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from qtasks_plugin_retry.backoffs import Exponential
from qtasks_plugin_retry.policy import Retry
from qtasks_plugin_retry.policy_checks import check_attempts, check_classes

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Options", "check_retry", "policy_of"]

_RETRY: Final = "retry"
_ON: Final = "retry_on_exc"


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The policy of ``retry=True``, and what ``retry=5`` takes the rest of.

    Attributes:
        max_attempts: how many runs may fail, the first one included.
        base: seconds of the first delay.
        factor: by which each delay is longer than the one before.
        min_delay: the fewest seconds of a delay.
        max_delay: the most.
        jitter: the part of chance.
    """

    max_attempts: int = 6
    base: float = 0.1
    factor: float = 2.0
    min_delay: float = 0.0
    max_delay: float = 600.0
    jitter: Literal["none", "full", "equal", "decorrelated"] = "full"

    def __post_init__(self) -> None:
        self.policy()

    def policy(self) -> Retry:
        """Returns the policy.

        Raises:
            ValueError: a value is not allowed.
            TypeError: a value is of a wrong type.
        """
        return Retry(
            max_attempts=self.max_attempts,
            backoff=Exponential(self.base, self.factor),
            jitter=self.jitter,
            min_delay=self.min_delay,
            max_delay=self.max_delay,
        )


def check_retry(value: Any) -> None:
    """Refuses what ``retry=`` does not take.

    Raises:
        TypeError: it is of a wrong type.
        ValueError: it is negative.
    """
    if value is None or isinstance(value, bool | Retry):
        return
    if not isinstance(value, int):
        msg = "use a number of further runs, such as 5, True for the app's default, or Retry(...)"
        raise TypeError(msg)
    if value < 0:
        msg = "use a number of further runs from 0 up"
        raise ValueError(msg)


def check_retry_on_exc(value: Any) -> None:
    """Refuses what ``retry_on_exc=`` does not take.

    Raises:
        TypeError: it is no list of exception classes.
    """
    if value is not None:
        check_classes(f"{_ON}(", value)


def policy_of(extra: Mapping[str, Any], default: Retry) -> Retry | None:
    """Returns the policy of a task; None if it has none.

    Args:
        extra: the task's options that are not core's.
        default: the policy of the app.

    Raises:
        ValueError: the options contradict each other.
        TypeError: one is of a wrong type.
    """
    retry, classes = extra.get(_RETRY), extra.get(_ON)
    if isinstance(retry, Retry):
        if classes is not None:
            msg = (
                "retry=Retry(...) and retry_on_exc= are both given: write"
                " retry=Retry(retry_on_exc=...)"
            )
            raise ValueError(msg)
        return retry
    if retry is None or retry is False:
        if classes is not None:
            msg = "retry_on_exc= says when, and not how often: write retry=5 beside it"
            raise ValueError(msg)
        return None
    fields: dict[str, Any] = {}
    if retry is not True:
        check_attempts("retry(", retry, least=0)
        fields["max_attempts"] = retry + 1
    if classes is not None:
        fields["retry_on_exc"] = check_classes(f"{_ON}(", classes)
    return msgspec.structs.replace(default, **fields)
