"""Why what was looked at became no finding, told to whoever listens: `keyleash scan --explain`.

Confirmations and filters yield what they believe and pass over the rest; each names its
reason here, where it decides. In an ordinary scan nobody listens, and this costs a call
where something is dropped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from scanner.model import Blob, Chunk, Match, Rule


class Listener(Protocol):
    """What is told of each chunk in which a rule has anchors, in the order in which it is looked at."""

    def looked(self, blob: Blob, chunk: Chunk, rule: Rule, ends: Sequence[int]) -> None:
        """The rule's anchors end at these offsets of the chunk; what follows is of this chunk."""

    def dropped(self, rule: Rule, start: int, end: int, reason: str, redacted: str | None) -> None:
        """What stands there is none of the rule's credentials, or none that counts."""

    def believed(self, match: Match) -> None:
        """What stands there is reported."""


_listener: Listener | None = None


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Tell `listener` what this process looks at in the meantime."""
    global _listener
    before, _listener = _listener, listener
    try:
        yield
    finally:
        _listener = before


def looked(blob: Blob, chunk: Chunk, rule: Rule, ends: Sequence[int]) -> None:
    if _listener:
        _listener.looked(blob, chunk, rule, ends)


def dropped(rule: Rule, start: int, end: int, reason: str, redacted: str | None = None) -> None:
    if _listener:
        _listener.dropped(rule, start, end, reason, redacted)


def believed(match: Match) -> None:
    if _listener:
        _listener.believed(match)
