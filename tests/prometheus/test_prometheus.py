"""Rules, dashboard and metrics, tried with the programs that will read them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from servers.ports import free_port

from metrics_assets.files import ASSETS
from metrics_assets.rules import RULES_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Debian's programs are for Linux")

HERE = Path(__file__).parent
PATIENCE = 120.0  # seconds
CONFIG = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ['{rules}']
scrape_configs:
  - job_name: workers
    static_configs: [{{targets: ['127.0.0.1:{workers}']}}]
  - job_name: exporter
    static_configs: [{{targets: ['127.0.0.1:{exporter}']}}]
"""


class Site:
    """Workers under load, an exporter, and a Prometheus that scrapes them.

    Attributes:
        workers: the port of the workers.
        exporter: that of the exporter.
        server: that of Prometheus.
    """

    def __init__(self) -> None:
        self.workers, self.exporter, self.server = free_port(), free_port(), free_port()

    def text(self, port: int) -> str:
        """Returns what a port shows."""
        url = f"http://127.0.0.1:{port}/metrics"
        with urllib.request.urlopen(url, timeout=20) as answer:
            return str(answer.read().decode())

    def ask(self, expr: str) -> list[Any]:
        """Returns what Prometheus answers."""
        query = urllib.parse.urlencode({"query": expr})
        url = f"http://127.0.0.1:{self.server}/api/v1/query?{query}"
        with urllib.request.urlopen(url, timeout=20) as answer:
            found: list[Any] = json.load(answer)["data"]["result"]
        return found

    def get(self, path: str) -> Any:
        """Returns another answer of its interface."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.server}{path}", timeout=20) as answer:
            return json.load(answer)["data"]


def until(condition: Callable[[], object], what: Callable[[], str]) -> None:
    """Waits for something that other processes bring about."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            if condition():
                return
        except OSError:
            pass  # it does not listen yet
        assert time.monotonic() < deadline, what()
        time.sleep(0.2)


@pytest.fixture(scope="module")
def site(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """All of it, and something in it."""
    folder, made = tmp_path_factory.mktemp("prometheus"), Site()
    ports = {"workers": made.workers, "exporter": made.exporter}
    (folder / "prometheus.yml").write_text(CONFIG.format(rules=ASSETS / RULES_NAME, **ports))
    environment = {
        **os.environ,
        "LOAD_BROKER": f"sqlite:///{folder / 'load.db'}",
        "PYTHONPATH": str(HERE),
    }
    qtasks = [sys.executable, "-m", "qtasks", "-A", "load_app:app"]
    commands = [
        [*qtasks, "run", "--processes", "2", "--metrics-port", str(made.workers)],
        [*qtasks, "metrics-exporter", "--port", str(made.exporter)],
        [
            str(programs / "prometheus"),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{made.server}",
        ],
    ]
    with (folder / "log").open("wb") as log:
        running = [
            subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
            for command in commands
        ]
        try:
            subprocess.run([*qtasks, "call", "feeder"], cwd=folder, env=environment, check=True)
            yield made
        finally:
            for process in running:
                process.terminate()
            for process in running:
                process.wait(PATIENCE)


def expressions() -> list[str]:
    """Returns what the dashboard asks, with its variables filled in."""
    document = json.loads((ASSETS / "qtasks-dashboard.json").read_text())
    found = [target["expr"] for panel in document["panels"] for target in panel.get("targets", ())]
    return [one.replace("$__rate_interval", "15s").replace("$queue", ".*") for one in found]


def test_the_rules_are_rules(promtool: Callable[..., Any]) -> None:
    done = promtool("check", "rules", str(ASSETS / RULES_NAME))
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_fires_where_it_should_and_nowhere_else(promtool: Callable[..., Any]) -> None:
    done = promtool("test", "rules", str(ASSETS / "qtasks-rules.test.yml"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_expression_of_the_dashboard_has_data(site: Site) -> None:
    missing = expressions()
    assert len(missing) > 40

    def look() -> bool:
        missing[:] = [expr for expr in missing if not site.ask(expr)]
        return not missing

    until(look, lambda: "\n".join(["no data for:", *missing]))


def test_prometheus_takes_all_that_is_shown(site: Site) -> None:
    until(lambda: site.ask("qtasks_tasks_finished_total"), lambda: "nothing has finished")
    targets = site.get("/api/v1/targets")["activeTargets"]
    assert {(target["health"], target["lastError"]) for target in targets} == {("up", "")}
    rules = [rule for group in site.get("/api/v1/rules")["groups"] for rule in group["rules"]]
    assert {rule.get("lastError", "") for rule in rules} == {""}


def test_promtool_has_nothing_to_say_of_the_metrics(
    site: Site, promtool: Callable[..., Any]
) -> None:
    until(lambda: site.ask("qtasks_tasks_finished_total"), lambda: "nothing has finished")
    for port in (site.workers, site.exporter):
        done = promtool("check", "metrics", text=site.text(port))
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_traces_and_names_of_the_machine_are_no_labels(site: Site) -> None:
    until(lambda: site.ask("qtasks_tasks_finished_total"), lambda: "nothing has finished")
    text = site.text(site.workers) + site.text(site.exporter)
    labels = set(re.findall(r'[{,](\w+)="', text))
    assert labels <= {
        *("queue", "task", "outcome", "error_type", "redelivered", "reason", "result", "le"),
        *("broker", "op", "pool", "state", "version", "python", "plugin", "hook"),
        *("budget", "breaker"),
    }
