"""Anchors for a value that is given to a name: what `names` and `looks` of a rule stand for.

`password` and `key` stand everywhere in source code, and in a history each text that holds an
anchor is looked at whole, as is all that rests on it. So an anchor here takes in the
assignment and the beginning of a value that could be a credential: `password = ask()`,
`password: string` and `token = self.token` are none. Every anchor begins with the name. Of a name
that few files hold (`rare`) the name and what assigns are enough.
"""

from __future__ import annotations

LOOKS = ("any", "word", "mixed")
"""What the value may look like: anything of four characters, one word of six, or one with two digits in it."""

_FLAGS = "(?im)"
_CLOSE = r"""(?:\\{0,2}["'`]|[\])}>*]){0,3}"""
_SPACE = r"[ \t]{0,24}"
_SEPARATOR = r"(?::[ \t]{0,2}[*A-Za-z][\w.]{0,20}[ \t]{0,4})?(?:=>|:=|[!:=]?==?|:|->|\xef\xbc\x9a)"
_WRAP = r"(?:[\w.\[\] ]{0,30}[({][ \t]{0,4})?"
_QUOTE = r"""[bBuUrRfFN@$]?\\{0,3}["'`]{1,3}"""
_MIXED = r"""(?:[A-Za-z_=+/!@#*-]{0,24}[0-9]){2}[A-Za-z0-9+/_=.!@#$%^&*?~-]{4}"""
_PADDED = r"[A-Za-z0-9+/]{14,64}={1,2}"
_QUOTED = {
    "any": r"""[^\s"'`<>$%{}()\[\]\\/,:;][^\s"'`<>{}\\]{3}""",
    "word": r"""[^\s"'`<>$%{}()\[\],.:;\\/-][^\s"'`<>{}(\[,:\\]{5}""",
    "mixed": f"(?:{_MIXED}|{_PADDED})",
}
_BARE = r"""[^\s"'`<>$%{}()\[\],;&|\\/*.:=-][^\s"'`<>(){}\[\],;&|\\.]{3,48}"""
_STRONG = r"""[^\s"'`<>$%{}()\[\],;&|\\/*.:=-](?:[A-Za-z_+/-]{0,20}[0-9!@#*?]){2}[^\s"'`<>(]{4}"""
_TIGHT_END = r"""(?:$|[\s"'`&;\\|,)])"""
_LINE_END = r"(?:[ \t]{0,8}\r?$|[ \t]{1,12}#)"
_BYTES = r"(?:\[\w{0,16}\])?[^\n\w]{0,8}[=:,(][^\n]{0,30}[{\[(]\s{0,12}(?:(?:0x[0-9a-f]{1,2}|[0-9]{1,3}),\s{0,12}){4}"
_ATTRIBUTES = r"(?:\s[\w:.-]{1,12}=[^<>\n]{0,28})?"
_BEHIND = 41
"""The most that stands between a name and the first character of what assigns, which may be the first byte of a wide colon."""
_VALUE = r"(?:v[a\x80]l[u\x80]e|d[e\x80]f[a\x80]ul[t\x80])"
"""`value` and `default`, so written that the engine does not look for these words, which are everywhere, but for the name."""


def anchors(name: str, looks: str) -> tuple[str, ...]:
    r"""Return the anchors for values of one of the kinds of `LOOKS` given to a name that a pattern describes.

    The engine is fastest with one literal to begin with and few patterns behind it; all forms in one are too large for it.

    >>> import re
    >>> [bool(re.search(anchors("password", "any")[0], text)) for text in ('password = "word"', "password = ask()")]
    [True, False]
    """
    return tuple(f"{_FLAGS}(?:{name})(?:{some})" for some in tails(looks))


def rare_anchor(name: str) -> str:
    r"""Return one anchor for all that `anchors` has for a name: cheap, and enough for a word that few files hold.

    >>> import re
    >>> [bool(re.search(rare_anchor("heslo"), text)) for text in ('heslo = "x"', "<heslo>x</heslo>", "pod heslem")]
    [True, True, False]
    """
    return f"(?i)(?:{name})(?s:.{{0,{_BEHIND}}})[=:>,(\\xef]"


def tails(looks: str) -> tuple[str, str]:
    """Return what stands behind the name: patterns, to be read without case and line by line."""
    plain = _MIXED if looks == "mixed" else f"(?:{_BARE}{_TIGHT_END}|{_STRONG})"
    lined = _MIXED if looks == "mixed" else f"(?:{_BARE}{_LINE_END}|{_STRONG})"
    quoted = _QUOTED[looks]
    forms = [
        f"{_CLOSE}{_SPACE}{_SEPARATOR}{_SPACE}{_WRAP}{_QUOTE}{quoted}",
        rf"""["']?[,(][ \t]{{0,8}}{_WRAP}{_QUOTE}{quoted}""",
        rf"""[\])}}"']?=(?:\\?\r?\n)?{plain}""",
        rf"""["'`*\])]{{0,3}}(?::[ \t*]{{1,16}}|[ \t]{{1,16}}(?::?=|:)[ \t]{{1,16}}|\xef\xbc\x9a){lined}""",
        rf"""["']?{_ATTRIBUTES}>\s{{0,20}}(?:<!\[CDATA\[|<(?:value|string)>)?{quoted}[^<>\n]{{0,60}}(?:\]\]>)?\s{{0,20}}</""",
        rf"""(?:\\?["']?[\s,{{]{{1,24}}\\?["']?{_VALUE}\\?["']?\s{{0,4}}(?:=>|[=:])\s{{0,4}}\\?["']?"""
        rf"|</(?:name|key)>\s{{0,40}}<(?:value|string)>){quoted}",
        _BYTES,
    ]
    return "|".join(forms[:4]), "|".join(forms[4:])
