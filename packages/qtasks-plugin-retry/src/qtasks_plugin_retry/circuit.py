"""A breaker at work: on a board that many may use at once."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Final

import msgspec

from qtasks_plugin_retry.breaker import Standing, opened, phase_of, trips

if TYPE_CHECKING:
    from qtasks_plugin_retry.boards import Board
    from qtasks_plugin_retry.breaker import Breaker

__all__ = ["Circuit", "Pass"]

log = logging.getLogger(__name__)

#: Seconds for which what a shared board said is believed, and its successes are kept back.
_FRESH: Final = 1.0
#: Seconds after which another may do what the first one who wanted to has not done.
_TURN: Final = 10.0


class Pass(msgspec.Struct, frozen=True):
    """What a run has got that may start.

    Attributes:
        generation: that of the breaker.
        probe: the key that counts probes if it is one, else nothing.
    """

    generation: int
    probe: str = ""


class Circuit:
    """One breaker.

    Args:
        breaker: what was declared.
        board: where it counts.

    Attributes:
        breaker: likewise.
    """

    def __init__(self, breaker: Breaker, board: Board) -> None:
        self.breaker = breaker
        self._board = board
        self._fresh = _FRESH if breaker.shared else 0.0
        self._seen = Standing()
        self._seen_at = -math.inf
        self._successes = 0
        self._told_at = 0.0

    @property
    def seen(self) -> Standing:
        """How it stood when this process last looked."""
        return self._seen

    async def enter(self, now: float) -> Pass | float:
        """Lets a run start, or returns the seconds until it should ask again.

        Args:
            now: seconds since the epoch.
        """
        standing = await self.standing(now, fresh=self._fresh)
        phase = phase_of(standing, now)
        if phase == "half-open" and self._fresh:
            # A probe of another worker may have opened it again since this one has looked.
            standing = await self.standing(now)
            phase = phase_of(standing, now)
        if phase == "closed":
            return Pass(standing.generation)
        if phase == "open":
            return standing.until - now
        # A probe whose worker died never answers, so after a cooldown there are others.
        turn = math.floor((now - standing.until) / self.breaker.cooldown)
        probe = self._key("probes", standing.generation, turn)
        if await self._add(probe, 1) <= self.breaker.probes:
            return Pass(standing.generation, probe)
        await self._add(probe, -1)
        return self.breaker.asks_again

    async def failed(self, given: Pass, now: float, hold: float | None = None) -> None:
        """Counts a failure.

        Args:
            given: what the run started with.
            now: seconds since the epoch.
            hold: seconds that its exception says to wait; None if it does not.
        """
        standing = await self.standing(now)
        if given.generation != standing.generation:
            return
        if given.probe:
            await self._open(standing, now, "the probe failed", standing.failures, hold)
            return
        if not standing.closed:
            return
        failures, why = await self._count(standing, now)
        if hold is not None:
            why = f"it was told to wait for {hold:g} s"
        if why:
            await self._open(standing, now, why, failures, hold)

    async def succeeded(self, given: Pass, now: float) -> None:
        """Counts a success.

        Args:
            given: what the run started with.
            now: seconds since the epoch.
        """
        if not given.probe:
            self._successes += 1
            if now - self._told_at >= self._fresh:
                await self._tell(given.generation, now)
            return
        standing = await self.standing(now)
        if given.generation != standing.generation:
            return
        healed = await self._add(self._key("healed", given.generation), 1)
        if healed >= self.breaker.probes:
            await self.close(now)

    async def undecided(self, given: Pass) -> None:
        """Lets another probe through in place of one that says nothing.

        Args:
            given: what the run started with.
        """
        if given.probe:
            await self._add(given.probe, -1)

    async def standing(self, now: float, fresh: float = 0.0) -> Standing:
        """Returns how it stands.

        Args:
            now: seconds since the epoch.
            fresh: for how many seconds an answer is believed.
        """
        if now - self._seen_at >= fresh:
            found = await self._board.read(self._name)
            self._seen = (
                Standing() if found is None else msgspec.msgpack.decode(found, type=Standing)
            )
            self._seen_at = now
        return self._seen

    async def counted(self, now: float) -> int:
        """Returns the failures in the window.

        Args:
            now: seconds since the epoch.
        """
        standing = await self.standing(now)
        if not standing.closed:
            return standing.failures
        return await self._add(self._windowed("failures", standing.generation, now), 0)

    async def close(self, now: float) -> None:
        """Closes it, whatever it was.

        Args:
            now: seconds since the epoch.
        """
        standing = await self.standing(now)
        await self._turn(standing, Standing(standing.generation + 1, since=now))

    async def _open(
        self, standing: Standing, now: float, why: str, failures: int, hold: float | None
    ) -> None:
        after = opened(self.breaker, standing, now, why, failures=failures, hold=hold)
        await self._turn(standing, after)

    async def _turn(self, before: Standing, after: Standing) -> None:
        """Makes a breaker stand otherwise; of many who want to, the first one does."""
        self._seen_at = -math.inf
        if await self._add(self._key("turn", before.generation), 1, _TURN) > 1:
            return
        await self._board.write(self._name, msgspec.msgpack.encode(after))
        if after.closed:
            log.info("Breaker %s closes", self.breaker.name)
        else:
            seconds = after.until - after.since
            log.warning("Breaker %s opens for %.1f s: %s", self.breaker.name, seconds, after.why)

    async def _count(self, standing: Standing, now: float) -> tuple[int, str]:
        """Counts a failure; returns how many there are, and why it opens, or nothing."""
        generation = standing.generation
        successes = await self._tell(generation, now)
        failures = await self._add(self._windowed("failures", generation, now), 1)
        streak = failures
        if self.breaker.consecutive is not None:
            # Failures in a row are those that find the same number of successes.
            key = self._windowed(f"streak:{successes}", generation, now)
            streak = await self._add(key, 1)
        return failures, trips(self.breaker, successes, failures, streak)

    async def _tell(self, generation: int, now: float) -> int:
        """Tells the board of successes; returns how many there are in the window."""
        successes, self._successes, self._told_at = self._successes, 0, now
        return await self._add(self._windowed("successes", generation, now), successes)

    def _windowed(self, what: str, generation: int, now: float) -> str:
        return self._key(what, generation, math.floor(now / self.breaker.window))

    @property
    def _name(self) -> str:
        return f"breaker:{self.breaker.name}"

    def _key(self, what: str, *of: int) -> str:
        return ":".join((self._name, what, *map(str, of)))

    async def _add(self, key: str, amount: int, ttl: float | None = None) -> int:
        longest = 2 * max(self.breaker.window, self.breaker.cooldown)
        return await self._board.add(key, amount, longest if ttl is None else ttl)
