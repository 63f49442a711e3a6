"""Puts results into the page about performance, and draws their charts.

    python benchmarks/publish.py benchmarks/results/2026-11-28-1010-peers.json

What stands between the two markers of docs/performance.md is replaced by the tables of the results;
the charts are written beside the results.
A test makes the tables again, so page and results cannot say different things.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "performance.md"
sys.path[:0] = [str(ROOT / "tests"), str(Path(__file__).parent)]

from harness.catalogue import CLASSES  # noqa: E402 - the path is set first
from harness.charts import draw  # noqa: E402 - the path is set first
from harness.page import replace_results  # noqa: E402 - the path is set first
from harness.results import Results  # noqa: E402 - the path is set first
from harness.tables import of_class  # noqa: E402 - the path is set first


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("results", type=Path, help="what compare.py has saved")
    parser.add_argument("--page", type=Path, default=PAGE, help="docs/performance.md")
    options = parser.parse_args()
    source: Path = options.results.resolve()
    try:
        results = Results.load(source)
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    charts = {}
    for name, title in CLASSES.items():
        path = source.with_name(f"{source.stem}-{name}.svg")
        if draw(results, of_class(results, name), title, path):
            charts[name] = path.name
    where = Path(os.path.relpath(source, options.page.resolve().parent))
    try:
        replace_results(options.page, where, results, charts)
    except ValueError as error:
        sys.exit(str(error))
    print(f"{options.page} shows {source.name} now; charts: {', '.join(charts.values())}")


if __name__ == "__main__":
    main()
