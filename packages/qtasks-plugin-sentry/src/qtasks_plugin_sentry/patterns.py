"""What secrets look like in texts and in source code: by the names before them, and by their form.

Each pattern has a group ``secret``, which is what is taken out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = [
    "FILTERED",
    "is_secret_name",
    "mask_secrets",
    "mask_source",
    "secrets_of_text",
]

FILTERED: Final = "[Filtered]"

#: The shortest text that is taken out wherever it stands; a shorter one only as a whole word.
_LEAST: Final = 4

_NAMES: Final = (
    r"(?:pass|pwd|secret|token|credential|signature|authorization|cookie|session|csrf"
    r"|(?:api|access|account|private|encryption|signing|master|auth|ssh)[_.\-]?key"
    r"|connection[_.\-]?string"
    r"|(?<![a-z])(?:pw|pin|otp|cvv|cvc|jwt|dsn|auth|ssn|iban)(?![a-z]))"
)
_SECRET_NAME: Final = re.compile(_NAMES, re.IGNORECASE)
#: The end of a name, as it stands before a value; and a whole one, where something is before it.
_NAME: Final = rf"{_NAMES}[\w.\-]{{0,40}}"
_WHOLE: Final = rf"[\w.\-]{{0,40}}{_NAME}"
#: A value in quotes, or one that ends where a word does; what was filtered before is left alone.
_QUOTED: Final = r"[bru]{0,2}(?P<quote>[\"'])(?P<secret>(?:\\.|(?!(?P=quote)).)+)"
_BARE: Final = r"(?!\[Filtered\]|[bru]{1,2}[\"'])(?P<secret>[^\s\"',;&)}\]]+)"


def _compiled(*patterns: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(one, re.IGNORECASE) for one in patterns)


#: Secrets that are known by their form, in texts and in source code alike.
_BY_FORM: Final = (
    *_compiled(
        # The password in a URL, up to the last at sign of the word; and a key without a name.
        r"[a-z][\w+.\-]{0,30}://[^\s:/@'\"]*:(?P<secret>[^\s'\"]+)@",
        r"[a-z][\w+.\-]{0,30}://(?P<secret>[^\s:/@'\"]{16,})@",
        r"\b(?:bearer|basic|negotiate)\s+(?!\[Filtered\])(?P<secret>[^\s\"',;]+)",
        r"(?<![\w\-])(?:-u|--user)[\"']?[\s,=]+[\"']?[^\s:\"',]+:(?P<secret>[^\s\"',]+)",
    ),
    re.compile(
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?P<secret>.+?)(?:-----END [A-Z ]*-----|\Z)", re.DOTALL
    ),
    re.compile(
        r"\b(?P<secret>eyJ[\w\-]{6,}\.[\w\-.]+|[spr]k_(?:live|test)_\w+|gh[pousr]_\w{10,}"
        r"|github_pat_\w+|glpat-[\w\-]+|xox[abprs]-[\w\-]+|AKIA[0-9A-Z]{12,}|sk-[\w\-]{16,})"
    ),
)
_HEADER: Final = r"(?:set-|proxy-)?(?:cookie|authorization)"
#: Those that are known by what stands before them in a text.
_IN_TEXT: Final = _compiled(
    # A header: in quotes, or to the end of the line, since it may have several parts.
    rf"\b{_HEADER}[\"']?\s*[:=,]\s*{_QUOTED}",
    rf"\b{_HEADER}\s*:[ \t]*(?!\[Filtered\])(?P<secret>[^\s\"'][^\n\r]*)",
    # name=value, "name": "value", ("name", "value")
    rf"{_NAME}[\"']?\]?\s*(?:=>|:=|[=:])\s*{_QUOTED}",
    rf"{_NAME}[\"']?\]?\s*(?:=>|:=|[=:])\s*{_BARE}",
    rf"\(\s*b?[\"']{_WHOLE}[\"']\s*,\s*{_QUOTED}",
    # --name value, and the same in a list
    rf"(?<![\w\-])--?{_WHOLE}[\"']?\s*,?\s*{_QUOTED}",
    rf"(?<![\w\-])--?{_WHOLE}\s+(?!-){_BARE}",
)
#: What stands between a name and its literal in source code; a comma only if the name is one, too.
_BEFORE: Final = (
    rf"{_NAME}(?:[\"']?\]?\s*(?::[^=\n\"']{{1,60}}(?==))?(?:==|!=|:=|=|:)|[\"']\s*,)"
    r"[\s(\\]*[bruf]{0,2}"
)
_LITERALS: Final = _compiled(
    rf"{_BEFORE}(?P<quote>\"\"\"|''')(?P<secret>(?:(?!(?P=quote))(?:.|\n))+)",
    rf"{_BEFORE}(?P<quote>[\"'])(?P<secret>(?:\\.|(?!(?P=quote)).)+)",
)
_COMMENT: Final = re.compile(r"#[^\n]*")


def is_secret_name(name: object) -> bool:
    """Tells whether what has this name is a secret.

    Args:
        name: the name of an argument, a variable, a header or an option of a command.
    """
    return isinstance(name, str) and _SECRET_NAME.search(name) is not None


def mask_secrets(text: str, known: Collection[str] = ()) -> str:
    """Returns a text without secrets: passwords of URLs, tokens, keys, cookies.

    Args:
        text: any text.
        known: what is known to be secret; it is taken out wherever it stands.
    """
    text = _without(text, known)
    for pattern in (*_BY_FORM, *_IN_TEXT):
        text = pattern.sub(_hide, text)
    return text


def mask_source(code: str, known: Collection[str] = ()) -> str:
    """Returns lines of source code without the secrets that are literals in them.

    Args:
        code: some lines; there are as many in what is returned.
        known: what is known to be secret; what may be a name of the program is taken out only
            where it is a literal.
    """
    code = _COMMENT.sub(lambda found: mask_secrets(found[0]), code)
    for pattern in (*_BY_FORM, *_LITERALS):
        code = pattern.sub(_hide, code)
    for one in known:
        if one.isidentifier() or len(one) < _LEAST:
            code = code.replace(f'"{one}"', f'"{FILTERED}"').replace(f"'{one}'", f"'{FILTERED}'")
        else:
            code = code.replace(one, FILTERED)
    return code


def secrets_of_text(text: str) -> set[str]:
    """Returns the secrets that :func:`mask_secrets` would take out of a text.

    Args:
        text: any text.
    """
    found: set[str] = set()
    for pattern in (*_BY_FORM, *_IN_TEXT):
        found.update(one["secret"] for one in pattern.finditer(text))
    return found


def _without(text: str, known: Collection[str]) -> str:
    """Returns a text without others, the longest first; short ones are taken out as words.

    Args:
        text: any text.
        known: the others.
    """
    for one in sorted(known, key=len, reverse=True):
        if one not in text:
            continue
        if len(one) >= _LEAST:
            text = text.replace(one, FILTERED)
        else:
            text = re.sub(rf"(?<!\w){re.escape(one)}(?!\w)", FILTERED, text)
    return text


def _hide(found: re.Match[str]) -> str:
    secret = found["secret"]
    if secret == FILTERED:
        return found[0]
    begin, end = found.start("secret") - found.start(), found.end("secret") - found.start()
    # Lines are as many as before: frames show them one by one.
    return f"{found[0][:begin]}{FILTERED}{chr(10) * secret.count(chr(10))}{found[0][end:]}"
