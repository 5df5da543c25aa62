"""Where a token may begin: not within a word, but behind an escape that ends in a letter.

A pattern begins with a lookbehind such as `(?<![A-Za-z0-9_])`, so that no token is read out of the middle of a
longer one. In an exported conversation, a notebook, an address within an address or the log of a build the
byte before a token is often the end of an escape: `key:\\nghp_…`, `token%3Dghp_…`, `ESC[32mghp_…`.
"""

from __future__ import annotations

import re

_LOOKBEHIND = re.compile(r"((?:\(\?[a-z]+\))?)(\(\?<!\[(?:\\.|[^\]\\])+\]\))")
_CODES = "(?:0[9AaDd]|2[0267CcFf]|3[AaCcDdEe]|40|5[Bb]|7[BbCc])"
"""Hexadecimal codes of what is written before a value: blanks, line ends, quotes, brackets, and & , / : < = > @ |."""


def anywhere(pattern: str) -> str:
    r"""Return the pattern without the lookbehind that it begins with: an anchor may be more than a token.

    >>> anywhere(r"(?<![a-z])acme_[a-z]{8}"), anywhere(r"\bacme")
    ('acme_[a-z]{8}', '\\bacme')
    """
    return _LOOKBEHIND.sub(r"\1", pattern, count=1) if _LOOKBEHIND.match(pattern) else pattern


def behind_escapes(pattern: str) -> str:
    r"""Return a pattern that may begin behind an escape, too, if it begins with a lookbehind.

    >>> pattern = re.compile(behind_escapes("(?<![A-Za-z])acme_[a-z]{8}"))
    >>> [bool(pattern.search(before + "acme_abcdefgh")) for before in ("", "x", "%3D", "%4D", "\x1b[1;32m", "line\\n")]
    [True, False, True, False, True, True]
    """
    found = _LOOKBEHIND.match(pattern)
    if not found:
        return pattern
    codes = _CODES.replace("Ff", "") if "/" in found[2] else _CODES  # a slash that is part of the token's alphabet
    escapes = (
        r"\\[nrt]",
        f"%{codes}",
        rf"\\x{codes}",
        rf"\\u00{codes}",
        r"[\[;][0-9]m",  # the colours of a terminal, whichever way their ESC is written
        r"[\[;][0-9]{2}m",
    )
    behind = "|".join((found[2], *(f"(?<={escape})" for escape in escapes)))
    return f"{found[1]}(?:{behind}){pattern[found.end() :]}"
