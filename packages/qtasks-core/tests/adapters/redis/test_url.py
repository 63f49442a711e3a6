"""Redis URLs: everything that can be said, and no password in what is said back."""

from __future__ import annotations

import traceback
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from qtasks.adapters.redis.url import Target, parse_url
from qtasks.exc import ConfigError

HOSTS = st.one_of(
    st.from_regex(r"[a-z0-9]([a-z0-9.\-]{0,20}[a-z0-9])?", fullmatch=True),
    st.sampled_from(["localhost", "127.0.0.1", "::1", "fe80::1", "redis.example"]),
)
PORTS = st.integers(1, 65535)
WORDS = st.text(st.characters(codec="utf-8"), min_size=1)
#: Passwords with what is special in a URL, marked so that no sentence holds them by chance.
PASSWORDS = st.text("XYZ@:/?#=,;+ %[]'\"\\\n\x00é&", min_size=1).map("Xq{}Yq".format)


def written(host: str) -> str:
    return f"[{host}]" if ":" in host else host


@given(
    hosts=st.lists(st.tuples(HOSTS, PORTS), min_size=1, max_size=4),
    user=st.none() | WORDS,
    password=st.none() | WORDS,
    db=st.integers(0, 15),
    tls=st.booleans(),
)
def test_what_is_written_is_read(
    hosts: list[tuple[str, int]], user: str | None, password: str | None, db: int, tls: bool
) -> None:
    db = db if len(hosts) == 1 else 0
    account = quote(user or "", safe="")
    if password is not None:
        account += f":{quote(password, safe='')}"
    where = ",".join(f"{written(host)}:{port}" for host, port in hosts)
    at = "@" if account else ""
    target = parse_url(f"redis{'s' if tls else ''}://{account}{at}{where}/{db}")
    assert target == Target(hosts=tuple(hosts), username=user, password=password, db=db, tls=tls)
    assert target.place == where


@given(password=WORDS, name=WORDS)
def test_sentinels_have_a_password_of_their_own(password: str, name: str) -> None:
    query = f"sentinel={quote(name, safe='')}&sentinel_password={quote(password, safe='')}"
    target = parse_url(f"redis://h1,h2:5/3?{query}")
    assert (target.sentinel, target.sentinel_password, target.password) == (name, password, None)
    assert (target.hosts, target.db) == ((("h1", 26379), ("h2", 5)), 3)


@given(
    password=PASSWORDS,
    quoted=st.booleans(),
    before=st.sampled_from(["redis://", "rediss://user", "unix://", "kafka://", "redi s://u"]),
    after=st.sampled_from(
        ["", "h", "h:port", "h1:0", "[::1]:1", "h1:1,h2:2", "/path", "h/0", "h/x"]
    ),
    tail=st.sampled_from(["", "?nope=1", "?db=x", "?db=1", "?ssl_verify=no", "?prefix="]),
)
@example(password="Xq?Yq", quoted=False, before="redis://", after="h/0", tail="")
@example(password="Xq@a?Yq", quoted=False, before="redis://", after="h/0", tail="")
@example(password="Xq/?Yq", quoted=False, before="unix://", after="/path", tail="")
def test_no_password_is_ever_shown(
    *, password: str, quoted: bool, before: str, after: str, tail: str
) -> None:
    said = quote(password, safe="") if quoted else password
    try:
        target = parse_url(f"{before}:{said}@{after}{tail}")
    except ConfigError as error:
        shown = "".join(traceback.format_exception_only(error))
        shown += repr((error.__cause__, error.__context__, error))
    else:
        shown = f"{target!r} {target} {target.place}"
    assert not any(part in shown for part in ("Xq", "Yq"))


@pytest.mark.parametrize(
    "url",
    [
        "redis://Xq123",
        "redis://user:Xq123",
        "redis://:Xq123/0",
        "user:Xq123@host",
        "user:Xq123@host://x",
        "redis:/:Xq123@host",
        "redis://h?sentinel=m&sentinel_password=a&Xq123",
        "redis://h?sentinel=m&sentinel_password=a&Xq123=b",
        "redis://:a?b=Xq123@host",
    ],
)
def test_a_password_in_the_wrong_place_is_not_shown(url: str) -> None:
    if url == "redis://Xq123":  # that is a host
        assert parse_url(url).place == "Xq123:6379"
        return
    with pytest.raises(ConfigError) as caught:
        parse_url(url)
    assert "Xq" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://", Target(hosts=(("localhost", 6379),))),
        ("redis:///2", Target(hosts=(("localhost", 6379),), db=2)),
        ("REDIS://h", Target(hosts=(("h", 6379),))),
        ("redis://h?db=3", Target(hosts=(("h", 6379),), db=3)),
        ("redis://:p@ss@h/1", Target(hosts=(("h", 6379),), password="p@ss", db=1)),
        ("redis://:p/s#s@h/1", Target(hosts=(("h", 6379),), password="p/s#s", db=1)),
        ("redis://:@h", Target(hosts=(("h", 6379),), password="")),
        ("unix:///run/redis.sock", Target(path="/run/redis.sock")),
        ("unix:///run/a@b.sock?db=1", Target(path="/run/a@b.sock", db=1)),
        ("unix:///run/a%20b.sock", Target(path="/run/a b.sock")),
        (
            "unix://user:pw@/run/redis.sock",
            Target(path="/run/redis.sock", username="user", password="pw"),
        ),
        (
            "rediss://h?ssl_ca_certs=/a@b.pem&ssl_verify=none",
            Target(hosts=(("h", 6379),), tls=True, ca_certs="/a@b.pem", verify=False),
        ),
        ("redis://h?prefix=shop.2", Target(hosts=(("h", 6379),), prefix="shop.2")),
    ],
)
def test_urls_that_can_be_used(url: str, expected: Target) -> None:
    assert parse_url(url) == expected


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("kafka://h", "kafka://... is no Redis URL: write redis://localhost:6379/0"),
        ("h:6379", "that is no Redis URL: write redis://localhost:6379/0"),
        (
            "redis://h:port",
            "host and port of the Redis URL cannot be read: write redis://user:password@host:6379/0,",
        ),
        ("redis://::1", "host and port of the Redis URL cannot be read: write "),
        ("redis://h:0", "port 0 of the Redis URL is not one from 1 to 65535"),
        ("redis://h:65536", "port 65536 of the Redis URL is not one from 1 to 65535"),
        (
            "redis://h/x",
            "database 'x' is not a number: write for example redis://localhost:6379/0",
        ),
        ("redis://h/1?db=2", "the database is given twice: as /1 and as db=2"),
        ("redis://h1,h2/1", "several hosts are a cluster, which has no database 1: use 0"),
        ("redis://h?ssl_verify=none", "ssl_ options need TLS: write rediss:// instead of redis://"),
        ("rediss://h?ssl_verify=no", "ssl_verify='no' is unknown: it is 'required' or 'none'"),
        ("redis://h?sentinel=", "option sentinel of the Redis URL is empty; it is the name of the"),
        ("redis://h?timeout=1", "the Redis URL has the unknown option 'timeout'; known are db, "),
        ("redis://h?prefix={a}", "prefix '{a}' cannot be used: letters, digits and any of _ . -"),
        (
            "unix://run/redis.sock",
            "unix://run/redis.sock is not an absolute path: write three slashes, unix:///run/",
        ),
        (
            "unix:///run/redis.sock?sentinel=m",
            "a unix:// URL is one server's socket; Sentinels are named by redis://host:26379",
        ),
        (
            "redis://:a?b@h",
            "the Redis URL cannot be read: write what is special in the password, or behind the",
        ),
    ],
)
def test_urls_that_cannot_be_used(url: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_url(url)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("redis://localhost", True),
        ("redis://127.0.0.53", True),
        ("redis://[::1]", True),
        ("unix:///run/redis.sock", True),
        ("redis://10.0.0.1", False),
        ("redis://localhost,10.0.0.1", False),
    ],
)
def test_what_only_this_machine_reaches_is_local(url: str, local: bool) -> None:
    assert parse_url(url).local is local
