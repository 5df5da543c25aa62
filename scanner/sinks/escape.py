"""Text of a scanned repository, made harmless to show.

A path, an author or a commit message may hold escape sequences that drive a terminal,
bidirectional marks that reorder what is read, or bytes that are no text at all.
"""

from __future__ import annotations

import os
import unicodedata

_HARMLESS = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Nd", "Nl", "No",
                       "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Zs"})  # fmt: skip


def visible(text: str) -> str:
    r"""Return the text with control, format and undecodable characters written as escapes.

    >>> visible("a\x1b[31m\u202eb\n")
    'a\\x1b[31m\\u202eb\\n'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if "\udc80" <= character <= "\udcff":
        return f"\\x{os.fsencode(character)[0]:02x}"
    if unicodedata.category(character) in _HARMLESS:
        return character
    return character.encode("unicode_escape").decode("ascii")
