"""Records that travel, and output without form."""

from __future__ import annotations

import logging

import pytest

from qtasks._runtime.channel import Channel
from qtasks._supervisor.logs import (
    ChannelHandler,
    StrayLines,
    log_here,
    set_up_child_logging,
)
from qtasks._supervisor.messages import LogLine, Order


class Shop(logging.Logger):
    """A logger of a child, on its own; what it sends arrives here as of child 4."""

    def __init__(self) -> None:
        super().__init__("shop")
        self.sent: list[bytes] = []
        self.addHandler(ChannelHandler(Channel(self.sent.append)))

    def arrived(self, caplog: pytest.LogCaptureFixture) -> logging.LogRecord:
        here = Channel(lambda _: None)
        here.on(LogLine, lambda line: log_here(line, 4, 1234))
        here.feed(b"".join(self.sent))
        (record,) = caplog.records
        return record


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_a_record_arrives_as_it_was(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    shop.warning("%d of %s", 3, "many", extra={"task": "resize", "odd": object()})

    record = shop.arrived(caplog)

    assert record.getMessage() == "[4] 3 of many"
    assert (record.name, record.levelname, record.process) == ("shop", "WARNING", 1234)
    assert (record.funcName, record.filename) == ("test_a_record_arrives_as_it_was", "test_logs.py")
    assert record.processName == "worker-4"
    assert vars(record)["task"] == "resize"
    assert vars(record)["child"] == 4
    assert "odd" not in vars(record)


def test_a_traceback_arrives_in_one_record(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    try:
        {}["missing"]
    except KeyError:
        shop.exception("no", stack_info=True)

    text = logging.Formatter("%(message)s").format(shop.arrived(caplog))

    assert text.startswith("[4] no\nTraceback (most recent call last):\n")
    assert "KeyError: 'missing'" in text
    assert "Stack (most recent call last):" in text


@pytest.mark.parametrize("message", ["\ud800", "x" * 20_000_000])
def test_what_cannot_be_sent_as_it_is_still_arrives(
    shop: Shop, caplog: pytest.LogCaptureFixture, message: str
) -> None:
    shop.info(message, extra={"note": "\udfff"})

    record = shop.arrived(caplog)

    assert record.getMessage()[:20] in {"[4] \\ud800", "[4] " + "x" * 16}
    assert vars(record)["note"] == "\\udfff"


def test_a_record_that_cannot_be_formatted_is_reported_as_by_any_handler(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failed: list[logging.LogRecord] = []
    handler = ChannelHandler(Channel(lambda _: None))
    monkeypatch.setattr(handler, "handleError", failed.append)
    record = logging.makeLogRecord({"msg": "%d", "args": ("no number",)})

    handler.handle(record)

    assert failed == [record]


@pytest.mark.parametrize(("has_handler", "always"), [(False, False), (True, False), (True, True)])
def test_logging_is_set_up_unless_the_app_has_done_so(
    monkeypatch: pytest.MonkeyPatch, has_handler: bool, always: bool
) -> None:
    root = logging.RootLogger(logging.WARNING)
    if has_handler:
        root.addHandler(logging.NullHandler())
    monkeypatch.setattr(logging, "root", root)
    order = Order("shop:app", [], log_level=logging.DEBUG, log_always=always)

    set_up_child_logging(Channel(lambda _: None), order)

    assert [type(handler) for handler in root.handlers] == [
        logging.NullHandler if has_handler else ChannelHandler
    ]
    assert root.level == (logging.WARNING if has_handler and not always else logging.DEBUG)


def test_output_is_written_in_whole_lines(capsys: pytest.CaptureFixture[str]) -> None:
    lines = StrayLines(3)

    lines.feed(b"one\ntw")
    assert capsys.readouterr().err == "[3] one\n"
    lines.feed(b"o\r\nthree \xff")
    assert capsys.readouterr().err == "[3] two\n"
    lines.close()
    lines.close()

    assert capsys.readouterr().err == "[3] three \\xff\n"


def test_a_line_without_end_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    lines = StrayLines(1)

    for _ in range(5):
        lines.feed(b"x" * 65536)

    assert capsys.readouterr().err == f"[1] {'x' * 65536 * 5}\n"
