"""Other queues under the same faults: each in an environment of its own, driven over a pipe.

Nothing here imports a peer.
Its app, in ``apps``, runs in its own Python, as its workers do, and as an agent that adds tasks
and asks after them (`faultplan.peers.session`).
"""

from __future__ import annotations

from faultplan.peers.catalogue import PEERS, SHARED, Peer
from faultplan.peers.environment import UnavailableError, prepare
from faultplan.peers.session import AgentError, PeerSession
from faultplan.peers.system import PeerSystem

__all__ = [
    "PEERS",
    "SHARED",
    "AgentError",
    "Peer",
    "PeerSession",
    "PeerSystem",
    "UnavailableError",
    "prepare",
]
