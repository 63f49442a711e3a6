"""The fault plan: real processes and servers are killed, and an oracle counts what became of tasks.

`tests/faults/drive.py` is its command.
A case (`faultplan.cases`) breaks things; it knows no queue, only a `System` (`faultplan.system`),
so other queues can go through the same cases.
"""

from __future__ import annotations

from faultplan.brokers import Broker, open_broker
from faultplan.crew import Crew
from faultplan.ledger import Ledger
from faultplan.oracle import Tally, count
from faultplan.report import Report
from faultplan.run import CASES, COMPARED, Run, case
from faultplan.system import End, Job, Place, Session, System, WorkerSettings

__all__ = [
    "CASES",
    "COMPARED",
    "Broker",
    "Crew",
    "End",
    "Job",
    "Ledger",
    "Place",
    "Report",
    "Run",
    "Session",
    "System",
    "Tally",
    "WorkerSettings",
    "case",
    "count",
    "open_broker",
]
