"""Private keys: a BEGIN line is a claim, and the body has to bear it out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import regex

from scanner.model import Match, Rule

_BLOCK = regex.compile(
    rb"-----BEGIN (?P<label>[A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?)-----(?P<body>[^-]{60,40000})-----END (?P=label)-----"
)


def confirm(rule: Rule, data: bytes, ends: Sequence[int]) -> Iterator[Match]:
    for match in _BLOCK.finditer(data):
        body = regex.sub(rb"\\[nr]|[^A-Za-z0-9+/=]", b"", match.group("body"))
        yield Match(
            rule, match.start(), match.end(), body, ("has a BEGIN line and a body",), rule.confidence, rule.severity,
            match.group("label").decode().lower(),
        )  # fmt: skip
