"""Writes rules and their tests, as Prometheus and promtool read them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from metrics_assets.alerts import ALERTS, RECORDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from metrics_assets.alerts import Alert, Case

__all__ = ["RULES_NAME", "rules", "rules_test"]

RULES_NAME: Final = "qtasks-rules.yml"
_HEAD: Final = "# Made by tools/metrics_assets; do not edit.\n"


def rules() -> str:
    """Returns the recording rules and the alerts."""
    lines = [_HEAD.rstrip(), "groups:", "  - name: qtasks-records", "    rules:"]
    for name, expr in RECORDS.items():
        lines += [f"      - record: {name}", f"        expr: {_quoted(expr)}"]
    lines += ["  - name: qtasks-alerts", "    rules:"]
    for alert in ALERTS:
        summary = re.sub(r"{(\w+)}", r"{{ $labels.\1 }}", alert.summary)
        lines += [
            f"      - alert: {alert.name}",
            f"        expr: {_quoted(alert.expr)}",
            f"        for: {alert.minutes}m",
            "        labels:",
            f"          severity: {alert.severity}",
            "        annotations:",
            f"          summary: {_quoted(summary)}",
        ]
    return "\n".join(lines) + "\n"


def rules_test() -> str:
    """Returns a test of each alert: one case in which it fires, and one in which it does not."""
    lines = [_HEAD.rstrip(), f"rule_files: [{RULES_NAME}]", "evaluation_interval: 1m", "tests:"]
    for alert in ALERTS:
        lines += [*_case(alert, alert.fires), *_case(alert, alert.quiet)]
    return "\n".join(lines) + "\n"


def _case(alert: Alert, case: Case) -> Iterator[str]:
    yield "  - interval: 1m"
    yield "    input_series:"
    for series, values in case.series.items():
        yield f"      - series: {_quoted(series)}"
        yield f"        values: {_quoted(values)}"
    yield "    alert_rule_test:"
    yield f"      - alertname: {alert.name}"
    yield f"        eval_time: {case.minutes}m"
    if case.labels is None:
        yield "        exp_alerts: []"
        return
    yield "        exp_alerts:"
    yield "          - exp_labels:"
    for name, value in {**case.labels, "severity": alert.severity}.items():
        yield f"              {name}: {_quoted(value)}"
    yield "            exp_annotations:"
    yield f"              summary: {_quoted(alert.summary.format(**case.labels))}"


def _quoted(text: str) -> str:
    escaped = text.replace("'", "''")
    return f"'{escaped}'"
