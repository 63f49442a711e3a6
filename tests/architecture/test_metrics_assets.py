"""The files that come with the metrics are those that their script makes, and fit together."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from metrics_assets.alerts import ALERTS, RECORDS
from metrics_assets.dashboard import ROWS
from metrics_assets.files import ASSETS, FILES
from metrics_assets.page import filled
from qtasks_plugin_metrics.declarations import METRICS, Kind

if TYPE_CHECKING:
    from pathlib import Path

DASHBOARD: dict[str, Any] = json.loads((ASSETS / "qtasks-dashboard.json").read_text("utf-8"))
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
NAME = re.compile(r"\bqtasks_\w+")


def known() -> set[str]:
    """Returns the names of all samples."""
    names: set[str] = set()
    for metric in METRICS:
        suffixes = ("_bucket", "_count", "_sum") if metric.kind is Kind.HISTOGRAM else ("",)
        names.update(metric.full_name + suffix for suffix in suffixes)
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_is_what_its_script_makes(path: Path) -> None:
    assert path.read_text("utf-8") == FILES[path](), "run python -m metrics_assets in tools"


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="no marks for metrics"):
        filled("# A page\n")


def test_panels_and_alerts_ask_for_metrics_that_there_are() -> None:
    asked = [target["expr"] for panel in PANELS for target in panel.get("targets", ())]
    asked += [alert.expr for alert in ALERTS] + list(RECORDS.values())
    records = {name.split(":")[1] for name in RECORDS}
    for expr in asked:
        assert set(NAME.findall(expr)) <= known() | records, expr


def test_labels_are_those_that_are_declared() -> None:
    labels = {metric.full_name: {*metric.labels, "job", "instance", "le"} for metric in METRICS}
    asked = [target["expr"] for panel in PANELS for target in panel.get("targets", ())]
    for expr in [*asked, *(alert.expr for alert in ALERTS)]:
        for name, inside in re.findall(r"(qtasks_\w+?)(?:_bucket)?\{([^}]*)\}", expr):
            assert set(re.findall(r"(\w+)=", inside)) <= labels[name], expr


def test_the_dashboard_can_be_imported() -> None:
    assert DASHBOARD["uid"] == "qtasks"
    variables = {one["name"]: one for one in DASHBOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert variables["queue"]["query"] == "label_values(qtasks_queue_messages, queue)"
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    assert [panel["title"] for panel in PANELS if panel["type"] == "row"] == list(ROWS)
    for panel in PANELS:
        assert panel["title"]
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == "${datasource}"
            assert panel["fieldConfig"]["defaults"]["unit"]
            for target in panel["targets"]:
                assert "rate(" not in target["expr"] or "$__rate_interval" in target["expr"]


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


def test_each_alert_has_a_case_of_both_kinds() -> None:
    assert len({alert.name for alert in ALERTS}) == len(ALERTS)
    for alert in ALERTS:
        assert alert.fires.labels is not None
        assert alert.quiet.labels is None
        assert alert.what_to_do
