"""HTTP basic credentials: base64 of a name, a colon and a password."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence

from scanner.confirm.pattern import search
from scanner.model import Match, Rule
from scanner.trace import dropped


def confirm(rule: Rule, data: bytes, ends: Sequence[int]) -> Iterator[Match]:
    """Yield what decodes to printable text with a name and a password."""
    for match in search(rule.pattern, data, ends, rule.reach):
        text = match.group("secret")
        try:
            name, colon, password = base64.b64decode(text, validate=True).partition(b":")
        except binascii.Error:
            dropped(rule, *match.span("secret"), "is no base64")
            continue
        if colon and name and len(password) >= 4 and (name + password).isascii() and (name + password).decode().isprintable():
            evidence = ("decodes to a user name and a password",)
            yield Match(rule, *match.span("secret"), text, evidence, rule.confidence, rule.severity)
        else:
            dropped(rule, *match.span("secret"), "does not decode to a user name and a password")
