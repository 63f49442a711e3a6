"""What people get to read about a seed that breaks an invariant."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from simulation.scenario import Job, Scenario
    from simulation.world import Result

__all__ = ["report"]

#: The most lines of the trace that are shown, the last ones.
_LINES: Final = 120


def report(result: Result) -> str:
    """Returns the scenario and the trace of a simulation, and how to run it again."""
    scenario = result.scenario
    lines = result.world.trace.lines()
    left_out = max(0, len(lines) - _LINES)
    return "\n".join(
        [
            f"seed {scenario.seed} breaks an invariant: {result.violation}",
            "",
            *_about(scenario),
            "",
            *([f"… {left_out} lines before these"] if left_out else []),
            *lines[-_LINES:],
            "",
            f"Run it again:  nox -s simulate -- --seed {scenario.seed}",
        ]
    )


def _about(scenario: Scenario) -> list[str]:
    """Describes a scenario, one thing a line."""
    told = {"seed", "jobs", "deeds", "rates", "only"}
    settings = [f"{f.name}={getattr(scenario, f.name)!r}" for f in fields(scenario)]
    shown = [one for one in settings if one.partition("=")[0] not in told]
    faults = scenario.only
    return [
        ", ".join(shown),
        *(map(_job, scenario.jobs)),
        *(
            f"at {deed.at:.3f} s: {deed.kind} {deed.target}, {deed.seconds:.3f} s"
            for deed in scenario.deeds
        ),
        *(
            [f"any call may fail: {', '.join(f'{kind} {rate}' for kind, rate in scenario.rates)}"]
            if faults is None
            else [f"{call}: {fault.kind}, {fault.seconds:.3f} s" for call, fault in faults]
        ),
    ]


def _job(job: Job) -> str:
    steps = ", ".join(
        f"{step.seconds:g} s then {step.end}" + (f" in {step.delay:g} s" if step.delay else "")
        for step in job.steps
    )
    options = {
        "queue": job.queue,
        "priority": job.priority,
        "delay": job.delay,
        "expires": job.expires,
        "unique_key": job.unique_key,
    }
    given = [f"{name}={value!r}" for name, value in options.items() if value]
    return f"{job.id} at {job.at:.3f} s ({', '.join(given)}): {steps}"
