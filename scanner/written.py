"""Forms that a rule file writes down for the judgement of generic secrets: what `forms` of a rule stands for.

A form is a pattern with a mark where the value stands: `requirepass %word%`. From it come the pattern that reads name
and value (`pattern`), and the anchor (`anchor`), which ends a few bytes into the value, or, where the mark ends in
`+`, goes on to the end of the form: for what tells a credential only behind it, as in `echo %word+% | chpasswd`.
"""

from __future__ import annotations

import re

_NAME = r"(?:pass(?:w(?:or[dt]|d)?|phrase|code)?|pwd|secret|token|api[_-]?key|_key|psk)"
_BARE = r"""[^\x00-\x20"'`<>$|;&\\(){}%*/=-][^\x00-\x20"'`<>$|;&\\{}]"""
_PLAIN = r"""[^\s"'`<>$|;&\\(){}%*/=@:,\[\]-][^\s"'`<>$|;&\\{}@/:,]"""
_MIXED = r"""[!#%&+.0-9?@A-Za-z^~][!#%&*+.0-9:=?@A-Za-z^_~-]"""
_NO_DIGIT, _NO_LETTER = "[!#%&*+.:=?@A-Za-z^_~-]", "[!#%&*+.0-9:=?@^_~-]"
_KEY = r"[A-Za-z0-9+/_=-]{10,100}"
_QUOTED = r"""[^\s"'`<>$%{}(\[\\]"""
_RUN = r"[A-Za-z0-9+/_=-]{20,120}(?![\w(+/-]|\.\w)"
_LETTERS, _DIGITS = "[A-Za-z+/_=-]", "[0-9+/_=-]"
_DRAWN = rf"(?-i:(?={_LETTERS}{{0,40}}[0-9])(?=[A-Z0-9+/_=-]{{0,40}}[a-z])(?=[a-z0-9+/_=-]{{0,40}}[A-Z]){_RUN})"
VALUES = {
    "quoted": (
        r"""(?P<quote>\\?["'`])(?P<quoted>(?:(?!(?P=quote))[^\r\n]){4,200})(?P=quote)""",
        rf"""\\?["'`]{_QUOTED}[^"'`<>\r\n]{{3}}""",
    ),
    "word": (rf"(?P<bare>{_BARE}{{3,127}})", rf"{_BARE}{{3}}"),
    "plain": (rf"(?P<bare>{_PLAIN}{{3,127}})", rf"{_PLAIN}{{3}}"),
    "given": (
        rf"""(?:(?P<quote>["'])(?P<quoted>(?:(?!(?P=quote))[^\r\n$<{{]){{4,128}})(?P=quote)|(?P<bare>{_BARE}{{3,127}}))""",
        rf"""["']?{_BARE}{{3}}""",
    ),
    "key": (rf"""(?P<quote>["'`])(?P<quoted>{_KEY})(?P=quote)""", rf"""["'`]{_KEY}["'`]"""),
    "secret": (r"(?P<bare>[A-Za-z0-9+/_=-]{16,100})", r"[A-Za-z0-9+/_=-]{16}"),
    "long": (r"(?P<bare>[A-Za-z0-9+/_=-]{49,160})", r"[A-Za-z0-9+/_=-]{49}"),
    "token": (rf"(?P<bare>(?=(?:{_LETTERS}{{0,40}}[0-9]){{2}})(?={_DIGITS}{{0,40}}[A-Za-z]){_RUN})", r"[A-Za-z0-9+/_=-]{20}"),
    "drawn": (rf"(?P<bare>{_DRAWN})", r"[A-Za-z0-9+/_=-]{20}"),
    "hex": (r"(?P<bare>(?-i:[0-9a-f]{32})(?![\w.-]))", r"[0-9a-f]{32}"),
    "mixed": (rf"(?P<bare>(?={_NO_DIGIT}{{0,40}}[0-9])(?={_NO_LETTER}{{0,40}}[A-Za-z]){_MIXED}{{5,63}})", rf"{_MIXED}{{5}}"),
}
"""By mark: what reads a value, and what an anchor asks of one: between quotes, without, without what ends one in an address,
either, or bare with letters and digits; a key between quotes; a token of 20 characters or more with two digits (of
random ones with letters of both cases and digits one in seven has fewer, with 32 characters one in forty); one that is drawn by
lot, of capitals, small letters and digits; and 32 hexadecimal digits."""
WHOLE = {
    "secret": r"[A-Za-z0-9+/_=-]{16,100}",
    "token": r"[A-Za-z0-9+/_=-]{20,120}",
    "word": rf"{_BARE}{{3,59}}",
    "plain": rf"{_PLAIN}{{3,59}}",
    "mixed": rf"{_MIXED}{{5,40}}",
}
"""What stands for a value in an anchor that goes on behind it: the value's own limit would make it too long."""
_BEHIND = re.compile(r"\(\?<![^()]*\)")
_MARK = re.compile(r"%(?P<kind>[a-z]+)(?P<on>\+?)%")


def pattern(form: str) -> str:
    r"""Return the pattern that reads a form, its value in the group `bare`, or `quoted` between two of `quote`.

    >>> bool(re.match(pattern(r"(?P<name>requirepass) %word%"), "requirepass Kq7xxw"))
    True
    """
    return "(?im)" + _MARK.sub(lambda mark: VALUES[mark["kind"]][0], _named(form))


def anchor(form: str) -> str:
    r"""Return what the engine looks for: the form to the first bytes of its value, or, behind a mark with `+`, to its end.

    What may not stand before the form is left to the pattern: the engine cannot look behind.

    >>> anchor(r"(?P<name>rootpw) %word%") == r"(?im)(?:rootpw) " + VALUES["word"][1]
    True
    """
    text = _BEHIND.sub("", _named(form)).replace("(?P<name>", "(?:").replace("(?P<sep>", "(?:").replace("(?P<wrap>", "(?:")
    mark = _MARK.search(text)
    if not mark:
        return "(?im)" + text
    if mark["on"]:
        return "(?im)" + text[: mark.start()] + WHOLE[mark["kind"]] + text[mark.end() :]
    return "(?im)" + text[: mark.start()] + VALUES[mark["kind"]][1]


def wrong(form: str) -> str | None:
    """Return what is wrong with a form in a rule file, or None."""
    marks = list(_MARK.finditer(_named(form)))
    if len(marks) != 1 or marks[0]["kind"] not in (WHOLE if marks[0]["on"] else VALUES):
        return f"needs one mark of its value: %{'%, %'.join(VALUES)}%, or %{'+%, %'.join(WHOLE)}+%"
    return None if "(?P<name>" in form else "needs a group (?P<name>…)"


def _named(form: str) -> str:
    return form.replace("%name%", _NAME)
