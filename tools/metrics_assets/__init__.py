"""Makes what comes with the metrics: a dashboard, rules with their tests, and tables of the page.

Run it after every change of a metric, an alert or a panel::

    python -m metrics_assets

with ``tools`` on the path. A test fails while a file says something else than this.
"""
