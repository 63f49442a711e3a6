"""What a look at the server says about its fitness as a broker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from redis import exceptions

from qtasks.adapters.redis.checks import durability, exposure, releases, service
from qtasks.adapters.redis.checks.sight import Sight
from qtasks.adapters.redis.faults import lacks_rights, translate
from qtasks.contracts.clock import SystemClock
from qtasks.schemas import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qtasks.adapters.redis.engine import Engine

__all__ = ["diagnose"]

#: The settings that are asked for, one by one: old servers know no list of them.
_SETTINGS: Final = ("appendfsync", "save", "bind", "protected-mode", "timeout")

_CHECKS: Final[tuple[Callable[[Sight], Finding | None], ...]] = (
    releases.server,
    releases.release,
    service.role,
    service.slots,
    durability.persistence,
    durability.disk,
    durability.eviction,
    durability.evicted,
    durability.memory,
    durability.replicas,
    exposure.password,
    exposure.encryption,
    exposure.account,
    service.clock,
    service.connections,
    service.idle,
    service.rights,
)


async def diagnose(engine: Engine) -> list[Finding]:
    """Looks at the server, or at all masters of a cluster; reads only.

    Raises:
        ServerError: none of them answered.
    """
    look = _Look(engine)
    sights, away = await look.around()
    findings = [_away(place, text) for place, text in away.items()]
    for check in _CHECKS:
        findings += _merged([(sight.place, check(sight)) for sight in sights])
    return findings


def _merged(found: Sequence[tuple[str, Finding | None]]) -> list[Finding]:
    """Returns what all servers have in common, or what is bad with the names of the servers."""
    there = [(place, finding) for place, finding in found if finding is not None]
    bad = [(place, finding) for place, finding in there if finding.level != "ok"]
    if not bad or (len(bad) == len(found) and len({finding for _, finding in bad}) == 1):
        return [finding for _, finding in there[:1]]
    return [
        Finding(finding.level, finding.subject, f"{place}: {finding.message}", finding.fix)
        for place, finding in bad
    ]


def _away(place: str, text: str) -> Finding:
    return Finding("error", "member", f"{place}: {text}.", "Start it, or remove it.")


class _Look:
    """Asks servers what they tell of themselves.

    Args:
        engine: how they are reached.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._forbidden: dict[str, dict[str, None]] = {}

    async def around(self) -> tuple[list[Sight], dict[str, str]]:
        """Returns what is seen of each server, and why others are not seen."""
        info = await self._ask("INFO", "INFO")
        away = {place: answer for place, answer in info.items() if isinstance(answer, Exception)}
        here = [place for place in info if place not in away]
        if not here:
            raise translate(next(iter(away.values())), self._engine.target)
        settings = {name: await self._setting(name) for name in _SETTINGS}
        ahead = await self._ahead()
        defaults = await self._ask("ACL GETUSER", "ACL", "GETUSER", "default")
        clusters = await self._ask("CLUSTER INFO", "CLUSTER", "INFO") if self._sharded else {}
        sights = [
            Sight(
                place=place,
                target=self._engine.target,
                greeting=self._engine.greeting,
                info=info[place] or {},
                settings={
                    name: values[place] for name, values in settings.items() if place in values
                },
                members=len(info),
                ahead=ahead.get(place),
                default_open=_needs_nothing(defaults.get(place)),
                cluster=_fields(clusters.get(place)),
                forbidden=tuple(self._forbidden.get(place, ())),
            )
            for place in here
        ]
        reasons = {
            place: str(translate(error, self._engine.target)) for place, error in away.items()
        }
        return sights, reasons

    @property
    def _sharded(self) -> bool:
        return self._engine.greeting.cluster

    async def _ask(self, words: str, *command: str) -> dict[str, Any]:
        """Returns the answers by place: None where it is not told, an error where it failed."""
        answers = await self._engine.everywhere(*command)
        for place, answer in answers.items():
            if isinstance(answer, exceptions.ResponseError) or lacks_rights(answer):
                self._forbidden.setdefault(place, {})[words] = None
                answers[place] = None
        return answers

    async def _setting(self, name: str) -> dict[str, str]:
        found = {}
        for place, answer in (await self._ask("CONFIG GET", "CONFIG", "GET", name)).items():
            if isinstance(answer, list) and len(answer) > 1:
                found[place] = _text(answer[1])
        return found

    async def _ahead(self) -> dict[str, float]:
        clock = SystemClock()
        before = clock.time()
        answers = await self._ask("TIME", "TIME")
        middle = (before + clock.time()) / 2
        return {
            place: answer[0] + answer[1] / 1_000_000 - middle
            for place, answer in answers.items()
            if isinstance(answer, tuple)
        }


def _needs_nothing(user: Any) -> bool | None:
    """Tells whether a user gets in without a password; None if the server does not tell."""
    if not isinstance(user, list | dict):
        return None
    pairs = user if isinstance(user, dict) else dict(zip(user[::2], user[1::2], strict=False))
    flags = {_text(flag) for flag in pairs.get(b"flags") or pairs.get("flags") or ()}
    return {"on", "nopass"} <= flags


def _fields(answer: Any) -> dict[str, str]:
    """Returns the lines ``name:value`` of an answer; the driver may have read them already."""
    if isinstance(answer, dict):
        return {_text(key): _text(value) for key, value in answer.items()}
    if not isinstance(answer, bytes):
        return {}
    lines = answer.decode(errors="replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
