"""Masked URLs: the password never appears, whatever it looks like, and hosts stay readable."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtasks.contracts.secrets import mask_url

#: Characters of passwords that occur nowhere else in the URLs below.
PASSWORDS = st.text(alphabet="XYZ@:/?#=,;+ %[]'\"\\\n\x00é", min_size=1).map("X{}Y".format)
TAILS = ["", "/", "/0", "/0?x=1", "?x=1&y=2", "/path/to/socket?db=2", "#fragment"]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://host:6379/0", "redis://host:6379/0"),
        ("redis://h1:1,h2:2/0?x=1", "redis://h1:1,h2:2/0?x=1"),
        ("redis://[::1]:6379,[fe80::2]/0", "redis://[::1]:6379,[fe80::2]/0"),
        ("redis://user@host/0", "redis://user@host/0"),
        ("redis://user:secret@host/0", "redis://user:***@host/0"),
        ("redis://user:p@ss@h1:1,h2:2/0?x=1", "redis://user:***@h1:1,h2:2/0?x=1"),
        ("redis://me@home:secret@host/0", "redis://me@home:***@host/0"),
        ("redis://:se/cr@et@host/0", "redis://:***@host/0"),
        ("rediss://:pw@host", "rediss://:***@host"),
        ("unix://user:pw@/path", "unix://user:***@/path"),
        ("unix:///run/redis.sock?db=1", "unix:///run/redis.sock?db=1"),
        ("kafka://host?sasl_password=x&y=1", "kafka://host?sasl_password=***&y=1"),
        ("redis://host/0?y=1&Token=a?b=c", "redis://host/0?y=1&Token=***"),
        ("redis://host/0?pass%77ord=x", "redis://host/0?pass%77ord=***"),
        ("redis://host/0?ssl_keyfile=/k.pem", "redis://host/0?ssl_keyfile=/k.pem"),
        ("sqlite:///C:/me@work/q.db?mode=rw", "sqlite:///C:/me@work/q.db?mode=rw"),
        ("sqlite:///q.db", "sqlite:///q.db"),
        ("memory://", "memory://"),
        ("user:secret@host", "user:***@host"),
        ("redis:/user:secret@host", "redis:***@host"),
        ("redis://user:forgotten/0", "redis://user:***"),
        ("qtasks.db", "qtasks.db"),
        ("", ""),
    ],
)
def test_passwords_are_hidden_and_the_rest_is_not(url: str, shown: str) -> None:
    assert mask_url(url) == shown


@given(
    scheme=st.sampled_from(["redis", "rediss", "unix", "kafka", "third-party+tls"]),
    user=st.sampled_from(["", "user", "me%40home"]),
    password=PASSWORDS,
    hosts=st.sampled_from(["", "host", "h1:1,h2:2", "[::1]:6379"]),
    tail=st.sampled_from(TAILS),
    quoted=st.booleans(),
)
def test_the_password_of_a_user_never_appears(
    scheme: str, user: str, password: str, hosts: str, tail: str, quoted: bool
) -> None:
    written = quote(password, safe="") if quoted else password

    assert mask_url(f"{scheme}://{user}:{written}@{hosts}{tail}") == (
        f"{scheme}://{user}:***@{hosts}{tail}"
    )


@given(
    before=st.sampled_from(["redis://host", "redis://h1:1,h2:2/0", "unix:///run/a.sock", "kafka:"]),
    name=st.sampled_from(["password", "sasl.Password", "sentinel_password", "token", "secret_id"]),
    password=PASSWORDS,
    after=st.sampled_from(["", "&x=1", "&token=A&x=1"]),
)
def test_a_secret_in_the_query_never_appears(
    before: str, name: str, password: str, after: str
) -> None:
    shown = mask_url(f"{before}?y=1&{name}={password}{after}")

    assert not {*"XYZA"} & {*shown}


@given(st.text(alphabet="ab:/@?=&[],"))
def test_any_text_is_masked_without_an_error_and_only_once(text: str) -> None:
    once = mask_url(text)

    assert mask_url(once) == once
