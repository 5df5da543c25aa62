"""Where a token may begin: not within a word, but behind an escape that ends in a letter or a digit.

A pattern has a lookbehind such as `(?<![A-Za-z0-9_])` where its token begins, so that none is read out of the middle of a
longer one. In an exported conversation, a notebook, an address within an address or the log of a build the
byte before a token is often the end of an escape: `key:\\nghp_…`, `token%3Dghp_…`, `ESC[32mghp_…`.
"""

from __future__ import annotations

import re

_CLASS = r"\(\?<!\[(?:\\.|[^\]\\])+\]\)"
_FIRST = re.compile(rf"\A((?:\(\?[a-z]+\))?){_CLASS}")
_BEHIND = re.compile(rf"(?P<flags>\A(?:\(\?[a-z]+\))?)(?P<first>{_CLASS})|(?P<inner>{_CLASS})(?=\(\?P<secret>)")
_BEFORE = "\t\n\r \"&'(,/:;<=>?@[`{|"
"""What is written before a value, and in an escape by its code."""


def anywhere(pattern: str) -> str:
    r"""Return the pattern without the lookbehind that it begins with: an anchor may be more than a token.

    >>> anywhere(r"(?<![a-z])acme_[a-z]{8}"), anywhere(r"\bacme")
    ('acme_[a-z]{8}', '\\bacme')
    """
    return _FIRST.sub(r"\1", pattern)


def behind_escapes(pattern: str) -> str:
    r"""Return a pattern whose token may begin behind an escape, too, where a lookbehind says how it begins.

    Such a lookbehind stands first, or directly before the group `secret`.

    >>> pattern = re.compile(behind_escapes("(?<![A-Za-z])acme_[a-z]{8}"))
    >>> [bool(pattern.search(before + "acme_abcdefgh")) for before in ("", "x", "%3D", "%4D", "\x1b[1;32m", "line\\n")]
    [True, False, True, False, True, True]
    >>> [bool(re.search(behind_escapes(f"(?<![a-zF{one}])acme"), "%2Facme")) for one in "/:"]
    [False, True]
    """
    return _BEHIND.sub(lambda found: f"{found['flags'] or ''}(?:{_wider(found['first'] or found['inner'])})", pattern)


def _wider(lookbehind: str) -> str:
    """Return the alternatives of a lookbehind and of the escapes of what it lets stand before the token."""
    before = re.compile(lookbehind)
    others = [ord(character) for character in _BEFORE if before.match(character, 1)]
    codes = "|".join(dict.fromkeys(code for one in others for code in (f"{one:02x}", f"{one:02X}")))
    escapes = (
        r"\\[nrt]",
        f"%(?:{codes})",
        f"%25(?:{codes})",
        rf"\\x(?:{codes})",
        rf"\\u00(?:{codes})",
        rf"\\(?:{'|'.join(f'{one:03o}' for one in others)})",
        "=(?:3D|0A|20|22)",  # quoted-printable
        "#01[125]",  # what rsyslog writes for control characters
        r"[\[;:][0-9]m",  # the colours of a terminal, whichever way their ESC is written
        r"[\[;:][0-9]{2}m",
        r"[\[;:][0-9]{3}m",
        r"\x1b\[[mK]",
        r"\[[0-2]K",
    )
    return "|".join((lookbehind, *(f"(?<={escape})" for escape in escapes)))
