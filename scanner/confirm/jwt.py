"""JSON Web Tokens: read, so that one that is unsigned, expired or an example is no finding.

A token is long and has no limit, so the engine looks for the joint of its first two parts alone, and the
rest is read from there. Sources: RFC 7519 (claims), RFC 7515 (the three parts), RFC 7518 (algorithms).
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from scanner.confirm.checksums import json_of
from scanner.confirm.pattern import windows
from scanner.model import REFUSED, Match, Rule
from scanner.trace import dropped

LONGEST = 4096
"""Bytes that are read behind an anchor; a token that goes on is none of those that people paste."""

_TOKEN = re.compile(
    rb"(?<![A-Za-z0-9_/+-])(?P<header>eyJ[A-Za-z0-9_-]{10,200})\.(?P<claims>eyJ[A-Za-z0-9_-]{6,3000})\.(?P<signature>[A-Za-z0-9_-]{0,700})"
)
_SHORTEST_SIGNATURE = 27
"""Characters of the shortest signature or code there is: 160 bits in base64."""


def confirm(rule: Rule, data: bytes, ends: Sequence[int]) -> Iterator[Match]:
    """Yield each token; one that lets nobody in with the confidence `REFUSED`, so that no generic rule reports it."""
    done = -1
    for start, stop in windows(ends, rule.width + 1, LONGEST, len(data)):
        for found in _TOKEN.finditer(data, start, stop):
            if found.start() < done:
                continue
            done = found.end()
            header, claims = json_of(found["header"]), json_of(found["claims"])
            reason = _refusal(header, claims, found["signature"])
            if reason:
                dropped(rule, *found.span(), reason)
                yield Match(rule, *found.span(), found.group(), (), REFUSED, rule.severity)
            else:
                yield Match(rule, *found.span(), found.group(), _evidence(header, claims), rule.confidence, rule.severity)


def _refusal(header: Any, claims: Any, signature: bytes) -> str | None:
    """Return why a token opens nothing, or None."""
    if not isinstance(header, dict) or not isinstance(claims, dict) or not isinstance(header.get("alg"), str):
        return "it does not decode to a header and claims"
    if header["alg"].lower() == "none" or len(signature) < _SHORTEST_SIGNATURE:
        return "it is unsigned"
    if str(claims.get("sub")) == "1234567890":
        return "is the example of https://jwt.io"
    if claims.get("iss") == "supabase" and claims.get("role") == "anon":
        return "its role is anon: it is public"
    end = _end(claims)
    return f"expired on {end:%Y-%m-%d}" if end and end.timestamp() < time.time() else None


def _end(claims: dict[str, Any]) -> datetime | None:
    """Return when a token ends, or None if it does not, or not in a time that there is."""
    end = claims.get("exp")
    try:
        return datetime.fromtimestamp(end, UTC) if isinstance(end, int | float) else None
    except (ValueError, OverflowError, OSError):
        return None


def _evidence(header: dict[str, Any], claims: dict[str, Any]) -> tuple[str, ...]:
    issuer = claims.get("iss")
    end = _end(claims)
    return (
        f"signed with {header['alg'][:20]!a}" + (f", issued by {issuer[:80]!a}" if isinstance(issuer, str) else ""),
        f"valid until {end:%Y-%m-%d}" if end else "does not say that it ends",
    )
