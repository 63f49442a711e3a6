"""A peer as a system under fault."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from faultplan.peers.catalogue import SHARED
from faultplan.peers.session import PeerSession

if TYPE_CHECKING:
    from faultplan.peers.catalogue import Peer
    from faultplan.system import Place, WorkerSettings

__all__ = ["APPS", "PeerSystem"]

APPS = Path(__file__).with_name("apps")


class PeerSystem:
    """The system; see `faultplan.system.System`.

    Args:
        peer: the peer.
        commands: the folder of the commands of its environment.
    """

    def __init__(self, peer: Peer, commands: Path) -> None:
        self._peer = peer
        self._commands = commands

    @property
    def name(self) -> str:
        """What tables call it."""
        return self._peer.name

    def worker(self, place: Place, settings: WorkerSettings) -> tuple[list[str], dict[str, str]]:
        """Returns the command of a worker."""
        command, *arguments = (part.format(slots=settings.slots) for part in self._peer.worker)
        return [str(self._commands / command), *arguments], _variables(place, settings)

    def connect(self, place: Place) -> PeerSession:
        """Starts an agent."""
        command = [str(self._commands / "python"), str(APPS / "agent.py"), self._peer.app]
        environment = os.environ | _variables(place, SHARED)
        return PeerSession(command, environment, place.folder / "agent.out")


def _variables(place: Place, settings: WorkerSettings) -> dict[str, str]:
    return {
        "FAULT_BROKER": place.url,
        "FAULT_NOTES": str(place.notes),
        "FAULT_LEASE": f"{settings.lease:g}",
        "FAULT_SLOTS": str(settings.slots),
        "PYTHONPATH": str(APPS),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
