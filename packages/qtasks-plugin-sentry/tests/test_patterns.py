"""What secrets look like, in texts and in lines of source."""

from __future__ import annotations

import pytest

from qtasks_plugin_sentry.patterns import FILTERED, is_secret_name, mask_secrets, mask_source
from qtasks_plugin_sentry.redaction import masked_values, secrets_in


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis://u:hunter@h/0", f"redis://u:{FILTERED}@h/0"),
        ("https://0123456789abcdef@sentry/1", f"https://{FILTERED}@sentry/1"),
        ('{"password": "hunter"}', f'{{"password": "{FILTERED}"}}'),
        ("password='two words' is wrong", f"password='{FILTERED}' is wrong"),
        ("pin: 42", f"pin: {FILTERED}"),
        (
            "Command '['mysql', '--password', 'hunter2', '-v']' failed",
            f"Command '['mysql', '--password', '{FILTERED}', '-v']' failed",
        ),
        ("mysql --password hunter2 -v", f"mysql --password {FILTERED} -v"),
        ("mysql --password=hunter2 -v", f"mysql --password={FILTERED} -v"),
        ("curl -u ann:hunter2 http://h", f"curl -u ann:{FILTERED} http://h"),
        ("run --no-password --verbose", "run --no-password --verbose"),
        ("Cookie: sid=abc; theme=dark", f"Cookie: {FILTERED}"),
        ("Set-Cookie: sid=abc; Path=/\nnext", f"Set-Cookie: {FILTERED}\nnext"),
        (
            "{'Cookie': 'sid=abc; theme=dark', 'Host': 'h'}",
            f"{{'Cookie': '{FILTERED}', 'Host': 'h'}}",
        ),
        ("[(b'cookie', b'sid=abc')]", f"[(b'cookie', b'{FILTERED}')]"),
        ("{'token': b'abc'}", f"{{'token': b'{FILTERED}'}}"),
        ("('api_key', 'abc')", f"('api_key', '{FILTERED}')"),
        ("Authorization: Digest a, response=b", f"Authorization: {FILTERED}"),
        ("Bearer abc", f"Bearer {FILTERED}"),
        ("a eyJhbGciOi.eyJzdWIi.c2ln b", f"a {FILTERED} b"),
        ("ghp_0123456789abcdef is revoked", f"{FILTERED} is revoked"),
        (
            "-----BEGIN PRIVATE KEY-----\nMIIE\nabcd\n-----END PRIVATE KEY-----",
            f"-----BEGIN PRIVATE KEY-----{FILTERED}\n\n\n-----END PRIVATE KEY-----",
        ),
        ("order 17 of ann@example.com", "order 17 of ann@example.com"),
        ("author 5 has no passengers", "author 5 has no passengers"),
    ],
)
def test_secrets_in_texts_are_found_by_names_and_forms(text: str, shown: str) -> None:
    assert mask_secrets(text) == shown
    assert mask_secrets(shown) == shown


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('password = "hunter2"', f'password = "{FILTERED}"'),
        ("password: str = 'hunter2'", f"password: str = '{FILTERED}'"),
        ('connect(password="it\'s me", port=1)', f'connect(password="{FILTERED}", port=1)'),
        ('{"api_key": b"abc"}', f'{{"api_key": b"{FILTERED}"}}'),
        ('headers["Authorization"] = "Bearer xyz"', f'headers["Authorization"] = "{FILTERED}"'),
        ('get("x", "Bearer xyz")', f'get("x", "Bearer {FILTERED}")'),
        ('open("redis://u:hunter@h")', f'open("redis://u:{FILTERED}@h")'),
        ('run(["mysql", "--password", "abc"])', f'run(["mysql", "--password", "{FILTERED}"])'),
        ('os.environ.get("DB_PASSWORD", "abc")', f'os.environ.get("DB_PASSWORD", "{FILTERED}")'),
        ('if token == "abc":', f'if token == "{FILTERED}":'),
        ('secret = (\n    "abc"\n)', f'secret = (\n    "{FILTERED}"\n)'),
        ('secret = """a\nb"""', f'secret = """{FILTERED}\n"""'),
        ("x = 1  # password: abc", f"x = 1  # password: {FILTERED}"),
        ("token = os.environ['TOKEN']", "token = os.environ['TOKEN']"),
        ('raise ValueError(f"no {token}")', 'raise ValueError(f"no {token}")'),
        ("def check(password: str, *, retries: int = 3) -> None:",) * 2,
        ('print(token, "is wrong")', 'print(token, "is wrong")'),
    ],
)
def test_literals_in_source_are_found_by_the_names_before_them(line: str, shown: str) -> None:
    assert mask_source(line) == shown
    assert mask_source(shown) == shown


def test_what_is_known_to_be_secret_is_taken_out_of_source_only_as_a_literal() -> None:
    code = 'hunter2 = find("hunter2", "s3cr3t one")'

    shown = mask_source(code, {"hunter2", "s3cr3t one"})

    assert shown == f'hunter2 = find("{FILTERED}", "{FILTERED}")'


def test_a_short_secret_is_taken_out_of_a_text_as_a_word() -> None:
    assert mask_secrets("abc is no abcde", {"abc"}) == f"{FILTERED} is no abcde"


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"password": "abc"}, {"abc"}),
        ({"a": [{"token": "abc"}]}, {"abc"}),
        ({"pin": 1234, "otp": b"9876"}, {"1234", "9876"}),
        ({"token": {"deep": ["abc"]}}, {"abc"}),
        ({"authorization": "Bearer abc"}, {"Bearer abc", "abc"}),
        ({"command": ["mysql", "--password", "abc"]}, {"abc"}),
        ({"url": "redis://u:abc@h"}, {"abc"}),
        ({"token": "'abc'"}, {"abc"}),
        ({"token": None, "password": "None", "secret": "", "pin": 1, "cookie": True}, set()),
        ({"name": "Ann"}, set()),
    ],
)
def test_the_values_of_secrets_are_known(value: object, found: set[str]) -> None:
    assert secrets_in(value) == found


def test_values_are_masked_by_names_by_flags_and_where_they_are_known() -> None:
    given = {
        "command": ["'mysql'", "'--password'", "'abc'", "'-v'"],
        "token": "xyz",
        "text": "cannot use xyz",
        "number": 1234,
    }

    shown = masked_values(given, {"xyz", "1234"})

    assert shown == {
        "command": ["'mysql'", "'--password'", FILTERED, "'-v'"],
        "token": FILTERED,
        "text": f"cannot use {FILTERED}",
        "number": FILTERED,
    }


def test_names_that_are_secret_are_told_from_others() -> None:
    secret = [
        "DB_PASSWORD",
        "api-key",
        "x_token",
        "Cookie",
        "pin",
        "db_dsn",
        "jwt",
        "user.pwd",
        "pw",
    ]
    others = ["author", "opinion", "name", "key", "keyboard", 5]

    assert [name for name in secret if not is_secret_name(name)] == []
    assert [name for name in others if is_secret_name(name)] == []


def test_a_long_text_without_secrets_stays_as_it_is() -> None:
    text = "a" * 200_000 + ":" + "b-" * 100_000

    assert mask_secrets(text) == text
    assert mask_source(text) == text
