"""A program that adds tasks from several processes, as gunicorn has them; prints the sum."""

from __future__ import annotations

import os
import sys

from qtasks_plugin_metrics import multiproc

folder = multiproc.prepare()

from qtasks import QueueTasks  # noqa: E402 - not before the folder is there
from qtasks_plugin_metrics import MetricsPlugin, Options  # noqa: E402 - likewise

plugin = MetricsPlugin(options=Options(mode="multiproc"))
app = QueueTasks(broker_url=f"sqlite:///{sys.argv[1]}", plugins=[plugin])
app.task(name="add")(lambda: None)

children = []
for _ in range(3):
    pid = os.fork()
    if not pid:
        for _ in range(4):
            app.add_task("add")
        app.close()
        os._exit(0)
    children.append(pid)
for pid in children:
    _, status = os.waitpid(pid, 0)
    assert status == 0, status
    multiproc.forget(pid)

about = {"queue": "default", "task": "add"}
print(plugin.registry.get_sample_value("qtasks_tasks_enqueued_total", about))  # noqa: T201 - likewise
print(folder)  # noqa: T201 - likewise
app.close()
