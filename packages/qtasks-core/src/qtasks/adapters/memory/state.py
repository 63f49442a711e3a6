"""Buckets of state and counters, with a time to live."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Buckets", "Counters", "Expiry"]


class Expiry:
    """When keys disappear; they are dropped when they are used or swept."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def set(self, key: str, until: float) -> None:
        """Lets a key disappear at a time."""
        self._until[key] = until

    def forget(self, key: str) -> None:
        """Lets a key stay."""
        self._until.pop(key, None)

    def passed(self, key: str, now: float) -> bool:
        """Tells whether the time of a key is over."""
        until = self._until.get(key)
        return until is not None and until <= now

    def over(self, now: float) -> list[str]:
        """Lists the keys whose time is over."""
        return [key for key, until in self._until.items() if until <= now]


class Buckets:
    """Small maps by name."""

    def __init__(self) -> None:
        self._buckets: dict[str, dict[str, bytes]] = {}
        self._expiry = Expiry()

    def get(self, bucket: str, now: float) -> dict[str, bytes]:
        """Returns all keys of a bucket, in the order they were first set."""
        if self._expiry.passed(bucket, now):
            self.clear(bucket)
        return dict(self._buckets.get(bucket, {}))

    def update(
        self, bucket: str, changes: Mapping[str, bytes | None], ttl: float | None, now: float
    ) -> dict[str, bytes]:
        """Sets keys, None deletes; returns the whole bucket."""
        content = self.get(bucket, now)
        for key, value in changes.items():
            if value is None:
                content.pop(key, None)
            else:
                content[key] = value
        if not content:
            self.clear(bucket)
            return {}
        self._buckets[bucket] = content
        if ttl is not None:
            self._expiry.set(bucket, now + ttl)
        return dict(content)

    def clear(self, bucket: str) -> None:
        """Removes a bucket."""
        self._buckets.pop(bucket, None)
        self._expiry.forget(bucket)

    def sweep(self, now: float) -> None:
        """Removes the buckets whose time is over."""
        for bucket in self._expiry.over(now):
            self.clear(bucket)


class Counters:
    """Numbers by name."""

    def __init__(self) -> None:
        self._values: dict[str, int] = {}
        self._expiry = Expiry()

    def add(self, key: str, amount: int, ttl: float | None, now: float) -> int:
        """Adds to a counter and returns its value; 0 reads and creates nothing."""
        if self._expiry.passed(key, now):
            self._drop(key)
        if not amount:
            return self._values.get(key, 0)
        if key not in self._values and ttl is not None:
            self._expiry.set(key, now + ttl)
        value = self._values[key] = self._values.get(key, 0) + amount
        return value

    def sweep(self, now: float) -> None:
        """Removes the counters whose time is over."""
        for key in self._expiry.over(now):
            self._drop(key)

    def _drop(self, key: str) -> None:
        self._values.pop(key, None)
        self._expiry.forget(key)
