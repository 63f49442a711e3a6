"""Writes the dashboard for Grafana."""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec

__all__ = ["ROWS", "Panel", "dashboard"]

_RATE: Final = "[$__rate_interval]"
_Q: Final = 'queue=~"$queue"'
_WIDTH: Final = 24
_HEIGHT: Final = 8


class Panel(msgspec.Struct, frozen=True):
    """One panel.

    Attributes:
        title: what it shows.
        queries: what is asked, with the legend of each.
        unit: the unit, as Grafana calls it.
        kind: the kind of panel.
        width: columns of 24.
    """

    title: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 8


def _one(title: str, expr: str, legend: str = "", **more: Any) -> Panel:
    return Panel(title, ((expr, legend),), **more)


def _quantiles(title: str, metric: str, by: str = "queue") -> Panel:
    def ask(quantile: float) -> str:
        inside = f"sum by ({by}, le) (rate({metric}_bucket{{{_Q}}}{_RATE}))"
        return f"histogram_quantile({quantile}, {inside})"

    queries = tuple((ask(q), f"{{{{{by}}}}} p{q * 100:g}") for q in (0.5, 0.95, 0.99))
    return Panel(title, queries, "s")


ROWS: Final[dict[str, tuple[Panel, ...]]] = {
    "Overview": (
        _one(
            "Finished tasks",
            f"sum by (outcome) (rate(qtasks_tasks_finished_total{{{_Q}}}{_RATE}))",
            "{{outcome}}",
            unit="ops",
        ),
        _one(
            "Runs that succeed",
            f'sum(rate(qtasks_attempts_total{{{_Q},outcome="success"}}{_RATE}))'
            f" / sum(rate(qtasks_attempts_total{{{_Q}}}{_RATE}))",
            unit="percentunit",
            kind="stat",
            width=4,
        ),
        _one(
            "Oldest ready task",
            f"max(qtasks_queue_oldest_ready_age_seconds{{{_Q}}})",
            unit="s",
            kind="stat",
            width=4,
        ),
        _one(
            "Workers busy",
            f"sum(rate(qtasks_worker_busy_seconds_total{_RATE}))"
            " / sum(max by (instance) (qtasks_worker_slots))",
            unit="percentunit",
            kind="stat",
            width=4,
        ),
        _one(
            "Dead letters",
            f'sum(max by (queue) (qtasks_queue_messages{{{_Q},state="dead"}}))',
            kind="stat",
            width=4,
        ),
    ),
    "Queues": (
        _one(
            "Tasks by state",
            f"max by (queue, state) (qtasks_queue_messages{{{_Q}}})",
            "{{queue}} {{state}}",
        ),
        Panel(
            "Ages",
            (
                (
                    f"max by (queue) (qtasks_queue_oldest_ready_age_seconds{{{_Q}}})",
                    "{{queue}} ready",
                ),
                (
                    f"max by (queue) (qtasks_queue_oldest_lease_age_seconds{{{_Q}}})",
                    "{{queue}} running",
                ),
            ),
            "s",
        ),
        _quantiles("Wait for a worker", "qtasks_task_wait_seconds"),
        _quantiles("From adding to the end", "qtasks_task_end_to_end_seconds"),
        Panel(
            "Added and handed out",
            (
                (
                    f"sum by (queue) (rate(qtasks_tasks_enqueued_total{{{_Q}}}{_RATE}))",
                    "{{queue}} added",
                ),
                (
                    f"sum by (queue) (rate(qtasks_deliveries_total{{{_Q}}}{_RATE}))",
                    "{{queue}} handed out",
                ),
            ),
            "ops",
        ),
        _one("Paused", f"max by (queue) (qtasks_queue_paused{{{_Q}}})", "{{queue}}", unit="bool"),
    ),
    "Tasks": (
        _one(
            "Runs of the busiest tasks",
            f"topk(10, sum by (task) (rate(qtasks_attempts_total{{{_Q}}}{_RATE})))",
            "{{task}}",
            unit="ops",
        ),
        _one(
            "Errors",
            f"topk(10, sum by (task, error_type) (rate(qtasks_task_errors_total{{{_Q}}}{_RATE})))",
            "{{task}} {{error_type}}",
            unit="ops",
        ),
        _one(
            "Durations",
            f"sum by (le) (increase(qtasks_task_duration_seconds_bucket{{{_Q}}}{_RATE}))",
            "{{le}}",
            unit="s",
            kind="heatmap",
        ),
        _quantiles("Duration by task", "qtasks_task_duration_seconds", "task"),
        _one(
            "Size of arguments, p95",
            "histogram_quantile(0.95, sum by (queue, le)"
            f" (rate(qtasks_enqueue_payload_bytes_bucket{{{_Q}}}{_RATE})))",
            "{{queue}}",
            unit="bytes",
        ),
        _quantiles("Time to add", "qtasks_enqueue_duration_seconds"),
    ),
    "Retries and dead letters": (
        _one(
            "Retries",
            f"sum by (task) (rate(qtasks_retries_total{{{_Q}}}{_RATE}))",
            "{{task}}",
            unit="ops",
        ),
        _quantiles("Delay of retries", "qtasks_retry_delay_seconds"),
        _one(
            "New dead letters",
            f"sum by (queue, task, reason) (increase(qtasks_dead_letters_total{{{_Q}}}{_RATE}))",
            "{{task}} {{reason}}",
        ),
        _one(
            "Retries that budgets have postponed",
            f"sum by (budget) (increase(qtasks_retry_budget_exhausted_total{_RATE}))",
            "{{budget}}",
        ),
        _one(
            "Breakers: 1 half-open, 2 open",
            "max by (breaker) (qtasks_circuit_state)",
            "{{breaker}}",
        ),
    ),
    "Workers": (
        Panel(
            "Slots",
            (
                ("sum by (pool) (qtasks_worker_slots)", "{{pool}} slots"),
                (f"sum(qtasks_tasks_in_progress{{{_Q}}})", "running"),
                (f"sum(qtasks_worker_prefetched_tasks{{{_Q}}})", "prefetched"),
                ('max(qtasks_workers{state="alive"})', "workers alive"),
            ),
        ),
        _one(
            "Lag of the loops",
            "histogram_quantile(0.99, sum by (instance, le)"
            f" (rate(qtasks_event_loop_lag_seconds_bucket{_RATE})))",
            "{{instance}}",
            unit="s",
        ),
        Panel(
            "Leases",
            (
                (
                    f"sum by (result) (rate(qtasks_lease_renewals_total{{{_Q}}}{_RATE}))",
                    "renewals {{result}}",
                ),
                (f"sum(rate(qtasks_leases_expired_total{{{_Q}}}{_RATE}))", "expired"),
                (f"sum(rate(qtasks_settles_fenced_total{{{_Q}}}{_RATE}))", "outcomes refused"),
            ),
            "ops",
        ),
        _one(
            "Processes that ended",
            f"sum by (reason) (increase(qtasks_worker_child_exits_total{_RATE}))",
            "{{reason}}",
        ),
        _one(
            "Since the claim loop moved",
            "time() - min by (instance) (qtasks_worker_last_poll_timestamp_seconds)",
            "{{instance}}",
            unit="s",
        ),
        _one(
            "Failures of plugins",
            f"sum by (plugin, hook) (increase(qtasks_plugin_hook_errors_total{_RATE}))",
            "{{plugin}} {{hook}}",
        ),
    ),
    "Broker": (
        _one(
            "Calls, p99",
            "histogram_quantile(0.99, sum by (broker, op, le)"
            f" (rate(qtasks_broker_op_duration_seconds_bucket{_RATE})))",
            "{{broker}} {{op}}",
            unit="s",
        ),
        Panel(
            "Errors and returns",
            (
                (
                    f"sum by (broker, error_type) (increase(qtasks_broker_errors_total{_RATE}))",
                    "{{broker}} {{error_type}}",
                ),
                (
                    f"sum by (broker) (increase(qtasks_broker_reconnects_total{_RATE}))",
                    "{{broker}} is back",
                ),
            ),
        ),
        Panel(
            "Answers",
            (
                ("min(qtasks_broker_connected)", "workers"),
                ("max(qtasks_collector_success)", "exporter"),
            ),
            "bool",
        ),
    ),
}


def dashboard() -> str:
    """Returns the dashboard as JSON."""
    panels: list[dict[str, Any]] = []
    top = 0
    for title, row in ROWS.items():
        at = {"h": 1, "w": _WIDTH, "x": 0, "y": top}
        panels.append({"id": len(panels) + 1, "type": "row", "title": title, "gridPos": at})
        top += 1
        left = 0
        for panel in row:
            if left + panel.width > _WIDTH:
                left, top = 0, top + _HEIGHT
            at = {"h": _HEIGHT, "w": panel.width, "x": left, "y": top}
            panels.append(_panel(len(panels) + 1, panel, at))
            left += panel.width
        top += _HEIGHT
    document = {
        "uid": "qtasks",
        "title": "QTasks",
        "tags": ["qtasks"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": _variables()},
        "panels": panels,
    }
    return json.dumps(document, indent=2) + "\n"


def _panel(number: int, panel: Panel, at: dict[str, int]) -> dict[str, Any]:
    source = {"type": "prometheus", "uid": "${datasource}"}
    targets = [
        {
            "refId": chr(ord("A") + index),
            "datasource": source,
            "expr": expr,
            "legendFormat": legend or "__auto",
        }
        | ({"format": "heatmap"} if panel.kind == "heatmap" else {})
        for index, (expr, legend) in enumerate(panel.queries)
    ]
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "datasource": source,
        "gridPos": at,
        "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
        "targets": targets,
    }


def _variables() -> list[dict[str, Any]]:
    return [
        {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"},
        {
            "name": "queue",
            "label": "Queue",
            "type": "query",
            "datasource": {"type": "prometheus", "uid": "${datasource}"},
            "query": "label_values(qtasks_queue_messages, queue)",
            "refresh": 2,
            "multi": True,
            "includeAll": True,
            "allValue": ".*",
        },
    ]
