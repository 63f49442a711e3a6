"""Takes data out of what is sent: by the names that it has, and by what it looks like.

An exception text is made of words of the program and of data. The words are kept, since they say
what happened; data is replaced by ``[Filtered]``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

__all__ = ["FILTERED", "mask_data", "mask_secrets", "masked_values", "texts_in"]

FILTERED: Final = "[Filtered]"

#: The shortest argument that is looked for in texts; shorter ones are in every word.
_LEAST: Final = 4
#: How deep arguments are looked into.
_DEPTH: Final = 8

_SECRET_NAME: Final = re.compile(
    r"pass|pwd|secret|token|credential|signature|authorization|cookie|session|csrf"
    r"|(?:api|access|account|private|encryption)[_.\-]?key",
    re.IGNORECASE,
)
#: The password in a URL, up to the last at sign of the word.
_URL: Final = re.compile(r"([A-Za-z][\w+.\-]*://[^\s:/@]*:)[^\s'\"]+(@)")
_ASSIGNED: Final = re.compile(
    r"([\w.\-]*(?:pass|pwd|secret|token|credential|signature|api[_.\-]?key)[\w.\-]*"
    r"[\"']?\s*[=:]\s*[\"']?)([^\s\"',;&)}\]]+)",
    re.IGNORECASE,
)
_BEARER: Final = re.compile(r"\b(bearer|basic)\s+[^\s\"',;]+", re.IGNORECASE)

#: Quoted parts of a text; those that are no single word are data.
_QUOTED: Final = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z_.]*\Z")
#: Words of a text, with what joins parts of addresses, paths and keys.
_TOKEN: Final = re.compile(r"[^\s'\"(),;=<>\[\]{}]+")
_DIGITS: Final = re.compile(r"\d")
_LETTERS: Final = re.compile(r"[^\W\d_]")
#: The longest word of a language, or nearly; and the longest number that is no key.
_LONG_WORD: Final = 32
_LONG_NUMBER: Final = 4


def mask_secrets(text: str) -> str:
    """Returns a text without what is secret by its name: passwords of URLs, tokens, keys.

    Args:
        text: any text.
    """
    text = _URL.sub(rf"\1{FILTERED}\2", text)
    text = _BEARER.sub(rf"\1 {FILTERED}", text)
    return _ASSIGNED.sub(rf"\1{FILTERED}", text)


def mask_data(text: str, data: Iterable[str] = (), words: Collection[str] = ()) -> str:
    """Returns a text without what is data, or looks like it.

    Args:
        text: any text, such as that of an exception.
        data: what is known to be data; it is taken out wherever it stands.
        words: what is known to be no data, because it stands in the code.
    """
    for known in sorted(data, key=len, reverse=True):
        text = text.replace(known, FILTERED)
    text = mask_secrets(text)
    text = _QUOTED.sub(lambda found: _quoted(found, words), text)
    return _TOKEN.sub(lambda found: _token(found[0], words), text)


def texts_in(value: Any, depth: int = _DEPTH) -> set[str]:
    """Returns the texts that a value holds and that are long enough to be told from words.

    Args:
        value: for example the arguments of a call.
        depth: how deep it is looked into.
    """
    if isinstance(value, str):
        return {value} if len(value) >= _LEAST else set()
    if isinstance(value, bytes):
        return texts_in(value.decode("utf-8", "replace"), depth)
    if not depth:
        return set()
    if isinstance(value, dict):
        value = (*value.keys(), *value.values())
    if isinstance(value, list | tuple | set | frozenset):
        return set().union(*(texts_in(one, depth - 1) for one in value))
    return set()


def masked_values(values: Mapping[str, Any] | Any, depth: int = _DEPTH) -> Any:
    """Returns a value without what is secret by its name.

    Args:
        values: arguments or variables, plain data.
        depth: how deep it is looked into; what lies deeper is left out.
    """
    if isinstance(values, str):
        return mask_secrets(values)
    if not depth:
        return FILTERED
    if isinstance(values, dict):
        return {
            key: FILTERED
            if isinstance(key, str) and _SECRET_NAME.search(key)
            else masked_values(value, depth - 1)
            for key, value in values.items()
        }
    if isinstance(values, list | tuple):
        return [masked_values(value, depth - 1) for value in values]
    return values


def _quoted(found: re.Match[str], words: Collection[str]) -> str:
    inside = found[1] if found[1] is not None else found[2]
    if not inside or inside in words or inside == FILTERED or _WORD.match(inside):
        return found[0]
    quote = found[0][0]
    return f"{quote}{FILTERED}{quote}"


def _token(token: str, words: Collection[str]) -> str:
    bare = token.strip(".:!?")
    if not bare or bare in words or FILTERED.strip("[]") in token:
        return token
    digits = len(_DIGITS.findall(bare))
    is_key = bool(digits and _LETTERS.search(bare))
    if is_key or "@" in bare or digits > _LONG_NUMBER or len(bare) > _LONG_WORD:
        return token.replace(bare, FILTERED)
    return token
