"""The alerts: when each fires, and what to do then."""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = ["ALERTS", "RECORDS", "Alert", "Case"]

#: Outcomes of runs that did something: neither postponed nor given back.
_RAN: Final = 'outcome=~"success|fail|retry"'


class Case(msgspec.Struct, frozen=True):
    """Series of which an alert is or is not made.

    Attributes:
        series: values by series, as promtool writes them; one a minute.
        minutes: when it is looked at.
        labels: those of the alert that fires beside its severity; None if none does.
    """

    series: dict[str, str]
    minutes: int
    labels: dict[str, str] | None = None


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert.

    Attributes:
        name: its name.
        expr: when it fires.
        minutes: for how long that must hold.
        severity: ``page`` for who is on call, ``ticket`` for working hours.
        summary: what is the matter; ``{queue}`` and others stand for labels.
        what_to_do: what to look at, and what helps, for the page.
        fires: a case in which it fires.
        quiet: a case in which it does not.
    """

    name: str
    expr: str
    minutes: int
    severity: str
    summary: str
    what_to_do: str
    fires: Case
    quiet: Case


#: Figures that dashboards and alerts ask for often.
RECORDS: Final = {
    "queue:qtasks_tasks_finished:rate5m": (
        "sum by (queue, outcome) (rate(qtasks_tasks_finished_total[5m]))"
    ),
    "queue:qtasks_failure_ratio:rate10m": (
        'sum by (queue) (rate(qtasks_attempts_total{outcome="fail"}[10m]))'
        f" / sum by (queue) (rate(qtasks_attempts_total{{{_RAN}}}[10m]))"
    ),
    "queue:qtasks_task_wait_seconds:p95_5m": (
        "histogram_quantile(0.95, sum by (queue, le) (rate(qtasks_task_wait_seconds_bucket[5m])))"
    ),
    "job:qtasks_utilisation:rate5m": (
        "sum by (job) (rate(qtasks_worker_busy_seconds_total[5m]))"
        " / sum by (job) (max by (job, instance) (qtasks_worker_slots))"
    ),
}

_READY: Final = 'qtasks_queue_messages{queue="mail",state="ready"}'
_OK: Final = 'qtasks_attempts_total{queue="mail",task="send",outcome="success"}'
_FAIL: Final = 'qtasks_attempts_total{queue="mail",task="send",outcome="fail"}'
_RETRY: Final = 'qtasks_attempts_total{queue="mail",task="send",outcome="retry"}'
_JOB: Final = '{job="w"}'

ALERTS: Final = (
    Alert(
        name="QTasksQueueStalled",
        expr=(
            'max by (queue) (qtasks_queue_messages{state="ready"}) > 0'
            " unless on (queue) max by (queue) (qtasks_queue_paused) == 1"
            " unless on (queue) sum by (queue) (increase(qtasks_attempts_total[10m])) > 0"
        ),
        minutes=10,
        severity="page",
        summary="Queue {queue} has tasks that nobody runs.",
        what_to_do=(
            "See with `qtasks stats` whether workers take from this queue, and start some."
            " If there are some, their logs and `/healthz` say what they wait for."
        ),
        fires=Case({_READY: "5x30", _OK: "7x30"}, 25, {"queue": "mail"}),
        quiet=Case({_READY: "5x30", _OK: "0+1x30"}, 25),
    ),
    Alert(
        name="QTasksBacklogAge",
        expr="max by (queue) (qtasks_queue_oldest_ready_age_seconds) > 300",
        minutes=10,
        severity="page",
        summary="The oldest ready task of queue {queue} waits for more than 5 minutes.",
        what_to_do=(
            "Start more workers for the queue, or raise `max_tasks_process` if they are idle"
            " while they wait. The panel of durations says which task keeps them."
        ),
        fires=Case(
            {'qtasks_queue_oldest_ready_age_seconds{queue="mail"}': "0+60x30"},
            20,
            {"queue": "mail"},
        ),
        quiet=Case({'qtasks_queue_oldest_ready_age_seconds{queue="mail"}': "200x30"}, 20),
    ),
    Alert(
        name="QTasksBacklogGrowing",
        expr=(
            'max by (queue) (qtasks_queue_messages{state="ready"}) > 100'
            ' and max by (queue) (qtasks_queue_messages{state="ready"})'
            ' > 1.5 * max by (queue) (qtasks_queue_messages{state="ready"} offset 30m)'
        ),
        minutes=10,
        severity="ticket",
        summary="Queue {queue} grows faster than it is worked off.",
        what_to_do=(
            "Compare the rates of added and finished tasks: either more is added than was planned,"
            " or tasks have become slower."
        ),
        fires=Case({_READY: "100+10x60"}, 60, {"queue": "mail"}),
        quiet=Case({_READY: "500x60"}, 60),
    ),
    Alert(
        name="QTasksFailureRatio",
        expr=(
            'sum by (queue, task) (increase(qtasks_attempts_total{outcome="fail"}[10m]))'
            f" / sum by (queue, task) (increase(qtasks_attempts_total{{{_RAN}}}[10m])) > 0.05"
            f" and sum by (queue, task) (increase(qtasks_attempts_total{{{_RAN}}}[10m])) >= 20"
        ),
        minutes=5,
        severity="page",
        summary="More than 5 % of the runs of {task} fail for good.",
        what_to_do=(
            "`qtasks dead list` shows the errors and their tracebacks."
            " When the cause is mended, `qtasks dead requeue` runs them again."
        ),
        fires=Case({_OK: "0+9x30", _FAIL: "0+1x30"}, 20, {"queue": "mail", "task": "send"}),
        quiet=Case({_OK: "0+1x30", _FAIL: "0 0 0 0 0 0 0 0 0 0 1x20"}, 20),
    ),
    Alert(
        name="QTasksDeadLetters",
        expr="sum by (queue, task) (increase(qtasks_dead_letters_total[10m])) > 0",
        minutes=0,
        severity="ticket",
        summary="Tasks {task} of queue {queue} have failed for good.",
        what_to_do=(
            "`qtasks dead list` shows them. Reason `worker_lost` means that the task takes its"
            " worker down: look for memory and crashes before you run it again."
        ),
        fires=Case(
            {'qtasks_dead_letters_total{queue="mail",task="send",reason="exhausted"}': "0x5 1x10"},
            10,
            {"queue": "mail", "task": "send"},
        ),
        quiet=Case(
            {'qtasks_dead_letters_total{queue="mail",task="send",reason="exhausted"}': "4x20"}, 15
        ),
    ),
    Alert(
        name="QTasksRetryStorm",
        expr=(
            "sum by (queue) (increase(qtasks_retries_total[10m]))"
            f" / sum by (queue) (increase(qtasks_attempts_total{{{_RAN}}}[10m])) > 0.5"
            f" and sum by (queue) (increase(qtasks_attempts_total{{{_RAN}}}[10m])) >= 20"
        ),
        minutes=10,
        severity="ticket",
        summary="More than half of the runs of queue {queue} fail and are retried.",
        what_to_do=(
            "What the tasks need is probably down. A `Breaker` keeps them from starting meanwhile,"
            " and a `Budget` limits the retries."
        ),
        fires=Case(
            {
                'qtasks_retries_total{queue="mail",task="send"}': "0+9x30",
                _RETRY: "0+9x30",
                _OK: "0+1x30",
            },
            25,
            {"queue": "mail"},
        ),
        quiet=Case(
            {
                'qtasks_retries_total{queue="mail",task="send"}': "0+1x30",
                _RETRY: "0+1x30",
                _OK: "0+9x30",
            },
            25,
        ),
    ),
    Alert(
        name="QTasksNoWorkers",
        expr='max(qtasks_workers{state="alive"}) == 0',
        minutes=5,
        severity="page",
        summary="No worker is alive.",
        what_to_do="Start workers; if they end at once, their logs say why.",
        fires=Case({'qtasks_workers{state="alive"}': "1 1 0x20"}, 15, {}),
        quiet=Case({'qtasks_workers{state="alive"}': "1x20"}, 15),
    ),
    Alert(
        name="QTasksSaturated",
        expr="job:qtasks_utilisation:rate5m > 0.9",
        minutes=15,
        severity="ticket",
        summary="The workers of {job} have been busy for more than 90 % of their time.",
        what_to_do=(
            "Start more workers before tasks begin to wait, or raise `max_tasks_process` if the"
            " tasks wait for something else most of the time."
        ),
        fires=Case(
            {
                'qtasks_worker_busy_seconds_total{job="w",pool="thread"}': "0+590x40",
                'qtasks_worker_slots{job="w",pool="thread"}': "10x40",
            },
            35,
            {"job": "w"},
        ),
        quiet=Case(
            {
                'qtasks_worker_busy_seconds_total{job="w",pool="thread"}': "0+300x40",
                'qtasks_worker_slots{job="w",pool="thread"}': "10x40",
            },
            35,
        ),
    ),
    Alert(
        name="QTasksLeaseLoss",
        expr=(
            "(sum(increase(qtasks_leases_expired_total[10m]))"
            " + sum(increase(qtasks_settles_fenced_total[10m])))"
            " / sum(increase(qtasks_deliveries_total[10m])) > 0.01"
        ),
        minutes=5,
        severity="page",
        summary="More than 1 % of the deliveries lose their lease, and their tasks run twice.",
        what_to_do=(
            "Workers die, stand still, or do not reach the broker for longer than `lease`."
            " See whether processes were killed, and whether code blocks whole machines."
        ),
        fires=Case(
            {
                'qtasks_leases_expired_total{queue="mail"}': "0+1x30",
                'qtasks_settles_fenced_total{queue="mail"}': "0x30",
                'qtasks_deliveries_total{queue="mail",redelivered="no"}': "0+20x30",
            },
            20,
            {},
        ),
        quiet=Case(
            {
                'qtasks_leases_expired_total{queue="mail"}': "0x30",
                'qtasks_settles_fenced_total{queue="mail"}': "0x30",
                'qtasks_deliveries_total{queue="mail",redelivered="no"}': "0+20x30",
            },
            20,
        ),
    ),
    Alert(
        name="QTasksLoopBlocked",
        expr=(
            "histogram_quantile(0.9, sum by (job, le)"
            " (rate(qtasks_event_loop_lag_seconds_bucket[5m]))) > 0.5"
        ),
        minutes=5,
        severity="ticket",
        summary="Code blocks the loops of the workers of {job}.",
        what_to_do=(
            "An `async def` task computes or waits without `await`. The log names plugins that"
            " hang; make plain functions of such tasks, which run in threads."
        ),
        fires=Case(
            {
                'qtasks_event_loop_lag_seconds_bucket{job="w",le="0.5"}': "0+10x30",
                'qtasks_event_loop_lag_seconds_bucket{job="w",le="1.0"}': "0+100x30",
                'qtasks_event_loop_lag_seconds_bucket{job="w",le="+Inf"}': "0+120x30",
            },
            20,
            {"job": "w"},
        ),
        quiet=Case(
            {
                'qtasks_event_loop_lag_seconds_bucket{job="w",le="0.5"}': "0+120x30",
                'qtasks_event_loop_lag_seconds_bucket{job="w",le="1.0"}': "0+120x30",
                'qtasks_event_loop_lag_seconds_bucket{job="w",le="+Inf"}': "0+120x30",
            },
            20,
        ),
    ),
    Alert(
        name="QTasksChildCrashes",
        expr=(
            "sum by (job, reason)"
            ' (increase(qtasks_worker_child_exits_total{reason=~"signal|exit|failed"}[10m])) > 1'
        ),
        minutes=0,
        severity="page",
        summary="Worker processes of {job} die again and again ({reason}).",
        what_to_do=(
            "`signal` is often the kernel that ran out of memory: see `max_memory_per_child`."
            " `failed` means that the app cannot be loaded; the log says why."
        ),
        fires=Case(
            {'qtasks_worker_child_exits_total{job="w",reason="signal"}': "0+1x20"},
            15,
            {"job": "w", "reason": "signal"},
        ),
        quiet=Case({'qtasks_worker_child_exits_total{job="w",reason="stopped"}': "0+1x20"}, 15),
    ),
    Alert(
        name="QTasksBrokerDown",
        expr="min by (job) (qtasks_broker_connected) == 0",
        minutes=2,
        severity="page",
        summary="Workers of {job} do not reach their broker.",
        what_to_do=(
            "Tasks that run go on, and their outcomes are sent when the broker is back."
            " `qtasks doctor` says what it finds of the server."
        ),
        fires=Case({f"qtasks_broker_connected{_JOB}": "1 0x10"}, 8, {"job": "w"}),
        quiet=Case({f"qtasks_broker_connected{_JOB}": "1 0 1x10"}, 8),
    ),
    Alert(
        name="QTasksCollectorDown",
        expr="max by (job) (qtasks_collector_success) == 0",
        minutes=5,
        severity="ticket",
        summary="The exporter {job} does not reach the broker: nobody sees the queues.",
        what_to_do="Its log says why; the other alerts of queues are silent meanwhile.",
        fires=Case({f"qtasks_collector_success{_JOB}": "1 0x10"}, 10, {"job": "w"}),
        quiet=Case({f"qtasks_collector_success{_JOB}": "1x10"}, 10),
    ),
    Alert(
        name="QTasksCardinalityDropped",
        expr="sum by (job) (increase(qtasks_metrics_dropped_total[1h])) > 0",
        minutes=0,
        severity="ticket",
        summary="{job} has more series than max_series, so some are missing.",
        what_to_do="Raise `max_series`, or see why there are so many tasks and queues.",
        fires=Case({f"qtasks_metrics_dropped_total{_JOB}": "0x5 3x20"}, 15, {"job": "w"}),
        quiet=Case({f"qtasks_metrics_dropped_total{_JOB}": "3x70"}, 65),
    ),
)
