"""Why a match is no finding. Plain functions: match → reason to drop it, or None."""

from __future__ import annotations

from collections.abc import Callable

from scanner.model import Match


def placeholder(match: Match) -> str | None:
    """Documentation marks its values: EXAMPLE at the end, or one character again and again."""
    secret = match.secret
    if secret.endswith((b"EXAMPLE", b"EXAMPLEKEY")):
        return "is a documentation example"
    if len(secret) >= 12 and len(set(secret)) <= 4:
        return "repeats a few characters, as a placeholder does"
    return None


FILTERS: tuple[Callable[[Match], str | None], ...] = (placeholder,)


def reason_to_drop(match: Match) -> str | None:
    """Return the first filter's reason, or None for a match that stands."""
    for check in FILTERS:
        found = check(match)
        if found:
            return found
    return None
