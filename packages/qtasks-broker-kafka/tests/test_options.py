"""What URLs say, and what is said of those that cannot be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qtasks.exc import ConfigError
from qtasks_broker_kafka.options import Options, parse_url

if TYPE_CHECKING:
    from pathlib import Path


def test_a_short_url_says_enough() -> None:
    options = parse_url("kafka://localhost")
    assert options.hosts == (("localhost", 9092),)
    assert (options.prefix, options.group) == ("qtasks.", "qtasks")
    assert options.connection()["security_protocol"] == "PLAINTEXT"


def test_a_url_says_all() -> None:
    url = (
        "kafkas://us%40er:p%2Fw@one:1,[::1]:2/shop.?group=g&order=key&order.mails=partition"
        "&create=false&retention=3600&mechanism=scram-sha-512&partitions=24&verify=false"
    )
    options = parse_url(url)
    assert options.hosts == (("one", 1), ("::1", 2))
    assert (options.username, options.password, options.mechanism) == (
        "us@er", "p/w", "SCRAM-SHA-512",
    )  # fmt: skip
    assert (options.prefix, options.group, options.partitions) == ("shop.", "g", 24)
    assert (options.order_of("other"), options.order_of("mails")) == ("key", "partition")
    assert (options.create, options.retention) == (False, 3600.0)
    assert options.connection()["security_protocol"] == "SASL_SSL"
    assert options.place == "one:1,[::1]:2"
    assert "p/w" not in repr(options)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("kafka://", "no Kafka URL"),
        ("redis://localhost", "no Kafka URL"),
        ("kafka://host:port", "'host:port' is no server"),
        ("kafka://a:1,,b:2", "'' is no server"),
        ("kafka://host:99999", "is no server"),
        ("kafka://host/bad prefix!", "the prefix behind the host is 'bad prefix!'"),
        ("kafka://host?partitionz=3", "an option 'partitionz' that nobody knows; there are ca,"),
        ("kafka://host?partitions=0", "partitions='0': it is a whole number of at least 1"),
        ("kafka://host?partitions=1.5", "it is a whole number"),
        ("kafka://host?timeout=nan", "timeout='nan': it is a number"),
        ("kafka://host?order=sorted", "it is one of unordered, key, partition"),
        ("kafka://host?order.q=", "it is one of unordered"),
        ("kafka://host?order=key&order=partition", "order='key' and order='partition': keep one"),
        ("kafka://host?order.=key", "order.='key': name a queue behind the dot, such as order.m"),
        ("kafka://host?partitions=100000", "'100000': it is a whole number of at least 1, and at"),
        ("kafka://host?max_message=3000000000", "and at most 1000000000"),
        ("kafka://host?timeout=1e9", "and at most 3600"),
        ("kafka://host?retention=inf", "retention='inf': it is a number of at least 60"),
        ("kafka://host?create=yes", "it is one of true, false"),
        ("kafka://host?mechanism=GSSAPI", "it is one of PLAIN, SCRAM"),
        ("kafka://host?group=", "group is ''"),
        ("kafkas://host?ca=", "ca= is empty"),
        ("kafka://host?ca=x.pem", "is for connections with TLS: write kafkas://"),
        ("kafkas://host?cert_key=x.pem", "needs the certificate too"),
        ("kafka://host?replication=2&min_insync=3", "can never be written"),
    ],
)
def test_a_bad_url_is_told(url: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_url(url)
    assert message in str(caught.value)


def test_a_password_is_in_no_message() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_url("kafka://user:secret@host:x")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "kafka://user:sec?ret@host",  # what is before the question mark looks like a server
        "kafka://user:12?ret@host",  # and here it is one, with a port
        "kafka://user:12?timeout=sec@host",
        "kafka://user:a@sec?ret@host:9092?timeout=1",
    ],
)
def test_a_password_with_a_question_mark_is_not_shown(url: str) -> None:
    with pytest.raises(ConfigError, match=r"\? as %3F") as caught:
        parse_url(url)
    assert "sec" not in str(caught.value)
    assert "ret" not in str(caught.value)


def test_a_missing_certificate_is_told(tmp_path: Path) -> None:
    options = Options((("host", 1),), tls=True, ca=str(tmp_path / "none.pem"))
    with pytest.raises(ConfigError, match=r"none\.pem"):
        options.connection()


def test_a_way_to_compress_needs_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiokafka.codec.has_lz4", lambda: False)

    assert parse_url("kafka://host?compression=gzip").compression == "gzip"
    with pytest.raises(ConfigError, match=r"pip install 'qtasks-broker-kafka\[compression\]'"):
        parse_url("kafka://host?compression=lz4")
