"""Which queues are compared: ours and its peers, each opened by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faultplan.ours import QTasks
from faultplan.peers.catalogue import PEERS, SHARED
from faultplan.peers.environment import prepare
from faultplan.peers.system import PeerSystem
from qtasks import __version__

if TYPE_CHECKING:
    from faultplan.system import System

__all__ = ["OURS", "SYSTEMS", "about", "open_system"]

OURS = QTasks.name
#: The names of all of them.
SYSTEMS = (OURS, *PEERS)


def open_system(name: str) -> System:
    """Returns a queue, and installs it if need be.

    Raises:
        UnavailableError: it cannot be installed here.
    """
    return QTasks() if name == OURS else PeerSystem(PEERS[name], prepare(PEERS[name]))


def about(name: str) -> dict[str, str]:
    """Says of a queue what the reader of a table wants to know."""
    if name == OURS:
        return {"version": __version__, "settings": f"lease {SHARED.lease:g} s"}
    peer = PEERS[name]
    return {"version": ", ".join(peer.versions), "settings": peer.settings}
