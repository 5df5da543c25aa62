"""Text of a scanned repository, made harmless to show.

A path, an author or a commit message may hold escape sequences that drive a terminal,
bidirectional marks that reorder what is read, or bytes that are no text at all. In the log
of a CI job it may be a command to the runner: GitHub takes `::name::` at the beginning of a
line and `##[name]` anywhere, Azure `##vso[name]` anywhere, TeamCity `##teamcity[name]`.
"""

from __future__ import annotations

import os
import re
import unicodedata

_HARMLESS = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Nd", "Nl", "No",
                       "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Zs"})  # fmt: skip
_COLONS = re.compile(r"\A(\s*):(?=:)")
_HASHES = re.compile(r"##(?=[A-Za-z]*\[)")


def visible(text: str) -> str:
    r"""Return the text with control, format and undecodable characters written as escapes.

    >>> visible("a\x1b[31m\u202eb\n")
    'a\\x1b[31m\\u202eb\\n'
    >>> visible("##vso[task.setvariable]"), visible("::stop-commands::x"), visible("a::b")
    ('#\\x23vso[task.setvariable]', '\\x3a:stop-commands::x', 'a::b')
    """
    if not (text.isascii() and text.isprintable()):
        text = "".join(_shown(character) for character in text)
    if "::" in text or "##" in text:
        text = _HASHES.sub(r"#\\x23", _COLONS.sub(r"\1\\x3a", text))
    return text


def _shown(character: str) -> str:
    if "\udc80" <= character <= "\udcff":
        return f"\\x{os.fsencode(character)[0]:02x}"
    if unicodedata.category(character) in _HARMLESS:
        return character
    return character.encode("unicode_escape").decode("ascii")
