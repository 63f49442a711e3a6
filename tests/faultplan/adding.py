"""A producer in a process of its own: ``python adding.py URL JSON``.

It adds the calls in the JSON: task, number, seconds of its run, seconds of delay, and id.
"""

from __future__ import annotations

import json
import sys

from qtasks import QueueTasks
from qtasks.schemas import CallOptions, TaskCall

if __name__ == "__main__":
    _, url, text = sys.argv
    with QueueTasks(broker_url=url) as app:
        app.add_tasks(
            TaskCall(task, (number, seconds), options=CallOptions(delay=delay, task_id=key))
            for task, number, seconds, delay, key in json.loads(text)
        )
