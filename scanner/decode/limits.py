"""What decoding may cost, and where it stops.

A few kilobytes can expand to gigabytes, and a million members to more Python objects
than memory holds. So one budget is kept for each outermost blob, and whatever it does
not cover is reported as skipped.
"""

from __future__ import annotations

from scanner.model import DEFAULT_LIMITS, Limits

EXPANSION = 100
"""How many bytes are read out of archives for each byte of the blob, above `FLOOR` and below `Limits.archive_bytes`."""

FLOOR = 32 * 1024 * 1024

PIECE = 8 * 1024 * 1024
"""Longer content of an archive is scanned in pieces of this size, each beginning with the end of the last."""

OVERLAP = 128 * 1024

REWRITES = 12
LITTLE = 1024 * 1024
"""How many bytes encodings may give for each byte of the blob, and how many for any blob."""


class LimitReached(Exception):
    """The budget of a blob is used up. The message says which limit."""


class Budget:
    """What is left for one blob, in bytes and members; the one thing in this package that changes."""

    __slots__ = ("expanded", "limits", "members", "rewritten")

    def __init__(self, expanded: int, rewritten: int, limits: Limits) -> None:
        self.expanded, self.rewritten, self.members, self.limits = expanded, rewritten, limits.members, limits

    def expand(self, count: int) -> None:
        """Take bytes read out of an archive. Raises `LimitReached`."""
        self.expanded -= count
        if self.expanded < 0:
            raise LimitReached("expands to more than the limit")

    def member(self) -> None:
        """Take one member of an archive. Raises `LimitReached`."""
        self.members -= 1
        if self.members < 0:
            raise LimitReached(f"has more than {self.limits.members:,} members")

    def rewrite(self, count: int) -> bool:
        """Take bytes that an encoding gave, and return whether the budget covers them."""
        self.rewritten -= count
        return self.rewritten >= 0


def budget_for(size: int, limits: Limits = DEFAULT_LIMITS) -> Budget:
    """Return the budget of a blob of `size` bytes."""
    return Budget(min(limits.archive_bytes, max(FLOOR, EXPANSION * size)), LITTLE + REWRITES * size, limits)
