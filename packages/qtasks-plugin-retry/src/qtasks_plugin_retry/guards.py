"""The budgets and breakers of a plugin, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from qtasks.schemas import Finding
from qtasks_plugin_retry.boards import Board, LocalBoard, StorageBoard
from qtasks_plugin_retry.breaker import phase_of
from qtasks_plugin_retry.circuit import Circuit
from qtasks_plugin_retry.purse import Purse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qtasks.storages import BaseStorage
    from qtasks_plugin_retry.breaker import Breaker
    from qtasks_plugin_retry.budget import Budget
    from qtasks_plugin_retry.policy import Retry

__all__ = ["Guards"]

#: What a breaker does with the next task, from good to bad.
_PHASES: Final = ("closed", "half-open", "open")

T = TypeVar("T", "Budget", "Breaker")


class Guards:
    """Knows what was declared under which name, and what counts for it.

    Attributes:
        budgets: the budgets by name.
        breakers: the breakers by name.
    """

    def __init__(self) -> None:
        self.budgets: dict[str, Budget] = {}
        self.breakers: dict[str, Breaker] = {}
        self._local = LocalBoard()
        self._purses: dict[tuple[str, int], Purse] = {}
        self._circuits: dict[tuple[str, int], Circuit] = {}

    def declare(self, policy: Retry, task: str) -> None:
        """Remembers what a policy names.

        Args:
            policy: the policy.
            task: the name of its task, which is that of a budget without one.

        Raises:
            ValueError: another task has declared something else under that name.
        """
        if policy.breaker is not None:
            _remember(self.breakers, policy.breaker.name, policy.breaker)
        if policy.budget is not None:
            _remember(self.budgets, policy.budget.name or task, policy.budget)

    def purse(self, name: str, storage: BaseStorage) -> Purse:
        """Returns what counts for a budget.

        Args:
            name: its name.
            storage: where it counts if it is shared.
        """
        budget = self.budgets[name]
        key = (name, id(storage) if budget.shared else 0)
        if key not in self._purses:
            self._purses[key] = Purse(name, budget, self._board(storage, shared=budget.shared))
        return self._purses[key]

    def circuit(self, name: str, storage: BaseStorage) -> Circuit:
        """Returns what counts for a breaker.

        Args:
            name: its name.
            storage: where it counts if it is shared.
        """
        breaker = self.breakers[name]
        key = (name, id(storage) if breaker.shared else 0)
        if key not in self._circuits:
            self._circuits[key] = Circuit(breaker, self._board(storage, shared=breaker.shared))
        return self._circuits[key]

    def figures(self, now: float) -> Iterator[tuple[str, str, float]]:
        """Returns what exporters show, without asking anybody.

        Args:
            now: seconds since the epoch.

        Yields:
            What it is, of which budget or breaker, and the number.
        """
        spent = dict.fromkeys(self.budgets, 0)
        for (name, _), purse in list(self._purses.items()):
            spent[name] += purse.postponed
        for name, count in spent.items():
            yield "retry_budget_exhausted", name, float(count)
        phases = dict.fromkeys(self.breakers, 0)
        for (name, _), circuit in list(self._circuits.items()):
            phases[name] = max(phases[name], _PHASES.index(phase_of(circuit.seen, now)))
        for name, phase in phases.items():
            yield "circuit_state", name, float(phase)

    def findings(self) -> list[Finding]:
        """Says what is configured, for the doctor."""
        named: list[tuple[str, str, Budget | Breaker]] = []
        named += [("budget", *each) for each in self.budgets.items()]
        named += [("breaker", *each) for each in self.breakers.items()]
        return [
            Finding("ok", f"{what} {name}", f"It is {'shared' if it.shared else 'per process'}.")
            for what, name, it in named
        ]

    def _board(self, storage: BaseStorage, *, shared: bool) -> Board:
        return StorageBoard(storage) if shared else self._local


def _remember(known: dict[str, T], name: str, declared: T) -> None:
    before = known.setdefault(name, declared)
    if before != declared:
        what = type(declared).__name__
        msg = (
            f"{what}({name!r}, ...) is declared twice, with other values: make one {what} and"
            " give it to all the tasks that share it, or name this one otherwise"
        )
        raise ValueError(msg)
