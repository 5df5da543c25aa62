"""Decisions of people about findings. None is ever changed or deleted: the latest counts, the others are its history."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from scanner.errors import UsageError
from scanner.store import Store, got, now, put

OPEN = "open"
STATES = (OPEN, "accepted", "false-positive", "revoked")
"""What can be decided; a finding without a decision is open."""


class Decision(NamedTuple):
    """`at` is ISO 8601 in UTC; `who` is whatever the person is called."""

    state: str
    reason: str
    who: str
    at: str


def decide(store: Store, fingerprint: str, state: str, reason: str, who: str) -> None:
    """Add a decision. Raises `UsageError` for a finding that the store does not know, or a state that there is not."""
    if state not in STATES:
        raise UsageError(f"'{state}' is no state of a finding; there are {', '.join(STATES)}")
    with store.writing() as db:
        if not db.execute("SELECT 1 FROM finding WHERE fingerprint = ?", (fingerprint,)).fetchone():
            raise UsageError(f"{store.path}: knows no finding '{fingerprint}'")
        db.execute(
            "INSERT INTO triage (fingerprint, state, reason, who, at) VALUES (?, ?, ?, ?, ?)",
            (fingerprint, state, put(reason), put(who), now()),
        )


def decisions(store: Store, fingerprint: str) -> Iterator[Decision]:
    """Yield the decisions on a finding, the oldest first."""
    rows = store.rows("SELECT state, reason, who, at FROM triage WHERE fingerprint = ? ORDER BY id", fingerprint)
    for state, reason, who, at in rows:
        yield Decision(state, got(reason) or "", got(who) or "", at)
