"""Takes data out of what is sent: by the names that it has, and by what it looks like.

An exception text is made of words of the program and of data. The words are kept, since they say
what happened; data is replaced by ``[Filtered]``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from qtasks_plugin_sentry.patterns import (
    FILTERED,
    is_secret_name,
    mask_secrets,
    secrets_of_text,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

__all__ = ["Known", "mask_data", "masked_values", "secrets_in", "texts_in"]

#: The shortest argument that is looked for in texts; single letters are in every text.
_LEAST: Final = 2
#: Texts up to this length are looked for if they are words or numbers.
_SHORT: Final = 3
#: The shortest number with a secret name that is looked for in texts.
_LEAST_NUMBER: Final = 3
#: How deep arguments are looked into.
_DEPTH: Final = 8

#: How frames show that there is no secret.
_NOTHING: Final = frozenset({"None", "True", "False"})
#: What stands before the key in a header.
_SCHEMES: Final = frozenset({"basic", "bearer", "digest", "negotiate", "token"})

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


@dataclass(frozen=True, slots=True)
class Known:
    """What is known about the data of a run.

    Attributes:
        data: texts that are data.
        secrets: those that are secret, by their names or by what they look like.
        words: texts that are no data, because they stand in the code.
    """

    data: frozenset[str] = frozenset()
    secrets: frozenset[str] = frozenset()
    words: frozenset[str] = field(default=frozenset(), repr=False)

    def __or__(self, other: Known) -> Known:
        """Returns what both know."""
        return Known(self.data | other.data, self.secrets | other.secrets, self.words | other.words)

    def mask(self, text: str, *, as_it_is: bool) -> str:
        """Returns a text as it may be sent.

        Args:
            text: any text.
            as_it_is: whether data may be sent; secrets never are.
        """
        if as_it_is:
            return mask_secrets(text, self.secrets)
        return mask_data(text, self.data | self.secrets, self.words)


def mask_data(text: str, data: Collection[str] = (), words: Collection[str] = ()) -> str:
    """Returns a text without what is data, or looks like it.

    Args:
        text: any text, such as that of an exception.
        data: what is known to be data; it is taken out wherever it stands.
        words: what is known to be no data, because it stands in the code.
    """
    text = mask_secrets(text, data)
    text = _QUOTED.sub(lambda found: _quoted(found, words), text)
    return _TOKEN.sub(lambda found: _token(found[0], words), text)


def texts_in(value: Any, depth: int = _DEPTH) -> set[str]:
    """Returns the texts that a value holds and that are long enough to be looked for.

    Args:
        value: for example the arguments of a call.
        depth: how deep it is looked into.
    """
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        fits = len(value) > _SHORT or (len(value) >= _LEAST and value.isalnum())
        return {value} if fits else set()
    if not depth:
        return set()
    return set().union(*(texts_in(one, depth - 1) for one in _parts(value)))


def secrets_in(value: Any, depth: int = _DEPTH) -> set[str]:
    """Returns the texts and numbers of a value that are secret by their names, or by their form.

    Args:
        value: for example the arguments of a call, or the variables of a frame.
        depth: how deep it is looked into.
    """
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        return secrets_of_text(value)
    if not depth:
        return set()
    found: set[str] = set()
    if isinstance(value, dict):
        for name, one in value.items():
            if is_secret_name(name):
                found |= _leaves(one, depth - 1)
    elif isinstance(value, list | tuple):
        for flag, one in pairwise(value):
            if _is_flag(flag):
                found |= _leaves(one, depth - 1)
    return found.union(*(secrets_in(one, depth - 1) for one in _parts(value)))


def masked_values(values: Any, known: Collection[str] = (), depth: int = _DEPTH) -> Any:
    """Returns a value without what is secret by its name, or known to be.

    Args:
        values: arguments or variables, plain data.
        known: what is known to be secret.
        depth: how deep it is looked into; what lies deeper is left out.
    """
    if isinstance(values, str):
        return mask_secrets(values, known)
    if isinstance(values, int | float) and str(values) in known:
        return FILTERED
    if not depth:
        return FILTERED
    if isinstance(values, dict):
        return {
            key: FILTERED if is_secret_name(key) else masked_values(value, known, depth - 1)
            for key, value in values.items()
        }
    if isinstance(values, list | tuple):
        flags = (None, *values)
        return [
            FILTERED if _is_flag(flag) else masked_values(value, known, depth - 1)
            for flag, value in zip(flags, values, strict=False)
        ]
    return values


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return (*value.keys(), *value.values())
    return value if isinstance(value, list | tuple | set | frozenset) else ()


def _leaves(value: Any, depth: int) -> set[str]:
    """Returns the texts and numbers of something that is secret as a whole."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        text = value.strip("'\"")  # frames show texts with their quotes
        scheme, _, rest = text.partition(" ")
        several = (text, rest) if scheme.lower() in _SCHEMES else (text,)
        return {one for one in several if _is_telling(one)}
    if isinstance(value, bool) or value is None or not depth:
        return set()
    if isinstance(value, int | float):
        return {text} if _is_telling(text := str(value)) else set()
    parts = value.values() if isinstance(value, dict) else _parts(value)
    return set().union(*(_leaves(one, depth - 1) for one in parts))


def _is_telling(text: str) -> bool:
    """Tells whether a text is worth looking for: it is not empty, nothing, or a small number."""
    if text in _NOTHING or len(text) < (_LEAST_NUMBER if text.isdigit() else _LEAST):
        return False
    return any(letter.isalnum() for letter in text)


def _is_flag(value: Any) -> bool:
    """Tells whether the value that follows in a list is secret, as in ``--password``."""
    if not isinstance(value, str):
        return False
    flag = value.strip("'\"")
    return flag.startswith("-") and "=" not in flag and " " not in flag and is_secret_name(flag)


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
