"""Keys without a form of their own: what stands before one makes it one.

Thirty-two hexadecimal digits are a checksum, an id, or a key. A rule that says `beside`, `named`
and `value` believes them where the provider's name stands before a word such as `key` or
`secret`, which the value is then given to, in any of the usual syntaxes. The name is on
the same line, or on the line that opens the block; on another line before it names another key.
"""

from __future__ import annotations

import re

_NEAR = 60
"""Bytes that may stand between the provider's name, or the line that opens its block, and the word."""
_BLOCK = r"[^\n]{0,24}?(?:[:{(\[\]>]|\|[a-z]{1,8}\|)[ \t]{0,2}\r?\n"
"""The rest of a line that opens a block: as in YAML, JSON, INI, XML, a call, or Ruby."""
_GIVEN = (
    # = := : => || ?? or ( , > and a space, with quotes, brackets and a type around them:
    # API_KEY="…", ["API_KEY"] ?? '…', apiKey: string = …
    r"(?:[\"'\x60\])\\]{0,4}(?:[ \t]?:[ \t]?[a-z]{3,6})?[ \t]{0,4}(?:=>|\|\||\?\?|or[ \t]|[:=>,(|]{1,2}|[ \t])[ \t]{0,4}"
    r"[\"'\x60(@\\]{0,3}"
    # a list of names and values: {"name": "API_KEY", "value": "…"}
    r"|[\"']?[,\s]{1,20}[\"']?value[\"']?\s{0,3}[:=]\s{0,3}[\"']?"
    # a variable of Terraform and what it is otherwise: variable "api_key" { default = "…" }
    r"|\"[ \t]?\{\s{1,12}default[ \t]{1,10}=[ \t]{1,3}\")"
)
_LOOKAROUND = re.compile(r"\(\?<?[=!][^()]*\)")
_BETWEEN = 24 + 10 + 2 + 2 + _NEAR
"""The longest of what a pattern takes between the name and the word; an anchor takes anything so long."""
_BEHIND = 48
"""The same between the word and the value: the rest of a name, and what gives."""


def pattern_of(beside: str, named: str, value: str) -> str:
    """Return the pattern of such a rule. All is caseless but the value, which no letter or digit follows.

    >>> import regex
    >>> pattern = pattern_of("acme", "key|token", "[0-9a-f]{8}")
    >>> [regex.search(pattern, text)["secret"] for text in ("ACME_KEY=c0ffee12", "acme:\\n  apiToken: 'c0ffee12'")]
    ['c0ffee12', 'c0ffee12']
    """
    near = f"(?:[^\\n]{{0,{_NEAR}}}?|{_BLOCK}(?s:.{{0,{_NEAR}}}?))"
    return f"(?i){beside}{near}(?:{named})[a-z0-9_-]{{0,10}}{_GIVEN}(?P<secret>(?-i:{value}))(?![A-Za-z0-9])"


def anchor_of(beside: str, named: str, value: str) -> str:
    """Return an anchor wherever the pattern can match: the same three parts, cheap to look for, without lookaround."""
    before, behind = (_LOOKAROUND.sub("", part) for part in (beside, value))
    return f"(?is){before}.{{0,{_BETWEEN}}}(?:{named}).{{0,{_BEHIND}}}{behind}"
