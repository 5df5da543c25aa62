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

PIECE = 2 * 1024 * 1024
"""Longer content of an archive is scanned in pieces of this size, each beginning with the end of the last."""

OVERLAP = 128 * 1024

REWRITES = 12
LITTLE = 1024 * 1024
"""How many bytes encodings may give for each byte of the blob, and how many for any blob."""

STRETCH = 4096
"""A shorter stretch of decoded text counts as so many bytes."""

ANCHORS = 20_000
"""How many places in archives rules look at, for any blob and again for each megabyte of it; a megabyte of source has 150."""

VALUES = 10_000
"""How many values in base64 or hexadecimal are decoded, likewise: values of words, a line each, are fewer."""

MB = 1024 * 1024


class LimitReached(Exception):
    """The budget of a blob is used up. The message says which limit."""


class Budget:
    """What is left for one blob, in bytes and members; the one thing in this package that changes."""

    __slots__ = ("anchors", "expanded", "limits", "members", "pieces", "remarks", "rewritten", "values")

    def __init__(self, expanded: int, rewritten: int, limits: Limits, size: int = 0) -> None:
        self.expanded, self.rewritten, self.members, self.limits = expanded, rewritten, limits.members, limits
        self.anchors = ANCHORS + ANCHORS * size // MB
        self.values = VALUES + VALUES * size // MB
        self.pieces = self.remarks = 0

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

    def piece(self) -> int:
        """Return a number for the next piece of a member, farther from that of every other piece than any is long."""
        self.pieces += 1
        return self.pieces * 2 * PIECE

    def look(self, count: int) -> bool:
        """Take places in an archive that rules are to look at, and return whether the budget covers them."""
        self.anchors -= count
        if self.anchors < 0:
            self.expanded = 0  # nothing more is unpacked
        return self.anchors >= 0

    def value(self) -> bool:
        """Take an encoded value, and return whether the budget covers it."""
        self.values -= 1
        return self.values >= 0

    def rewrite(self, count: int) -> bool:
        """Take bytes that an encoding gave, and return whether the budget covers them."""
        self.rewritten -= max(count, STRETCH)
        return self.rewritten >= 0


def budget_for(size: int, limits: Limits = DEFAULT_LIMITS) -> Budget:
    """Return the budget of a blob of `size` bytes."""
    return Budget(min(limits.archive_bytes, max(FLOOR, EXPANSION * size)), LITTLE + REWRITES * size, limits, size)
