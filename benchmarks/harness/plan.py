"""In which order queues are measured: what one round measures of one is measured of all in turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.catalogue import Peer
    from harness.measures import Measure

__all__ = ["Step", "plan"]


class Step(NamedTuple):
    """One measurement of one queue."""

    round: int
    measure: str
    peer: str


def plan(peers: Sequence[Peer], measures: Mapping[str, Measure], rounds: int) -> list[Step]:
    """Returns all steps.

    The figures of a measurement are taken close to each other, and each time another queue is
    first, so that a machine which grows slower or quicker favours none.
    """
    steps: list[Step] = []
    for number in range(rounds):
        for place, (name, measure) in enumerate(measures.items()):
            if number >= measure.most:
                continue
            able = [peer.name for peer in peers if not (measure.wire and peer.embedded)]
            turn = (number + place) % len(able) if able else 0
            steps += [Step(number, name, peer) for peer in able[turn:] + able[:turn]]
    return steps
