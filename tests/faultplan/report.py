"""What a case found: figures, and whether each of them passes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from faultplan.oracle import Tally

__all__ = ["Check", "Report"]


@dataclass(frozen=True)
class Check:
    """One pass figure.

    Attributes:
        what: the sentence that must hold.
        held: whether it did.
        found: what was seen.
        timed: whether it is about seconds, which depend on the machine too.
    """

    what: str
    held: bool
    found: object
    timed: bool = False


@dataclass
class Report:
    """The report of one case on one broker.

    Attributes:
        tally: the oracle's counts, if tasks were counted.
        figures: further figures by name.
        checks: what had to hold.
    """

    tally: Tally | None = None
    figures: dict[str, Any] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)

    def must(self, what: str, held: object, found: object = None) -> None:
        """Notes a pass figure."""
        self.checks.append(Check(what, bool(held), found))

    def must_take(self, what: str, seconds: float, limit: float) -> None:
        """Notes a pass figure in seconds."""
        found = round(seconds, 2)
        self.checks.append(Check(f"{what} takes {limit:g} s", seconds <= limit, found, timed=True))

    def must_lose_nothing(self) -> None:
        """Notes what every case demands of every queue that promises at-least-once."""
        tally = self.tally
        assert tally is not None, "nothing was counted"
        self.must("nothing is lost", tally.lost == 0, tally.lost)
        self.must("every success has a finished run", tally.unproven == 0, tally.unproven)
        self.must("no result is overwritten", tally.overwritten == 0, tally.overwritten)

    @property
    def passed(self) -> bool:
        """Whether everything held."""
        return bool(self.checks) and all(check.held for check in self.checks)

    @property
    def failures(self) -> list[str]:
        """What did not hold, in words."""
        return [f"{check.what}: {check.found}" for check in self.checks if not check.held]

    def as_dict(self) -> dict[str, Any]:
        """Returns everything as plain data."""
        return {
            "passed": self.passed,
            "tally": None if self.tally is None else self.tally.as_dict(),
            "figures": self.figures,
            "checks": [_plain(check) for check in self.checks],
        }


def _plain(check: Check) -> dict[str, Any]:
    found = check.found
    return vars(check) | {"found": found if isinstance(found, str | int | float) else str(found)}
