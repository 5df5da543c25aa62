"""Choosing findings: by repository, rule, severity, age and state."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import NamedTuple

from scanner.errors import UsageError
from scanner.overview import Overview, since
from scanner.store.results import Known, when

_DAYS = {"d": 1, "w": 7, "m": 30, "y": 365}


class Choice(NamedTuple):
    """What is wanted; an empty field wants all. `older` and `newer` bound the time since which a credential is there."""

    repositories: Sequence[str] = ()
    rules: Sequence[str] = ()
    severities: Sequence[str] = ()
    states: Sequence[str] = ()
    older: datetime | None = None
    newer: datetime | None = None

    def wants(self, known: Known) -> bool:
        """Whether a finding is wanted, once its occurrences are down to the wanted repositories."""
        return (
            (not self.rules or known.rule in self.rules)
            and (not self.severities or known.severity in self.severities)
            and (not self.states or known.state in self.states)
            and (not self.repositories or bool(known.occurrences))
            and self._of_age(known)
        )

    def _of_age(self, known: Known) -> bool:
        if not (self.older or self.newer):
            return True
        began = since(known) or when(known.found)
        if began is None:
            return False
        return (not self.older or began <= self.older) and (not self.newer or began >= self.newer)

    def has(self, repository: str) -> bool:
        return not self.repositories or any(_fits(repository, pattern) for pattern in self.repositories)


def chosen(overview: Overview, choice: Choice) -> Overview:
    """Return what is wanted of an overview. Of a wanted finding only the wanted repositories are named."""
    found = overview.findings
    if choice.repositories:
        found = tuple(
            one._replace(occurrences=tuple(place for place in one.occurrences if choice.has(place.repository))) for one in found
        )
    return overview._replace(
        findings=tuple(one for one in found if choice.wants(one)),
        repositories=tuple(one for one in overview.repositories if choice.has(one.name)),
        skipped=tuple(pair for pair in overview.skipped if choice.has(pair[0])),
    )


def moment(text: str, now: datetime | None = None) -> datetime:
    """Return a time: a day as `2024-01-31`, or so long ago as `90d`, `12w`, `6m`, `2y`. Raises `UsageError`.

    >>> moment("10d", datetime(2024, 1, 31, tzinfo=UTC)).isoformat()
    '2024-01-21T00:00:00+00:00'
    """
    ago = re.fullmatch(r"([0-9]{1,5})([dwmy])", text)
    try:
        if ago:
            return (now or datetime.now(UTC)) - timedelta(days=int(ago[1]) * _DAYS[ago[2]])
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise UsageError(f"{text}: is no age; give 90d, 12w, 6m or 2y, or a day as 2024-01-31") from None


def _fits(name: str, pattern: str) -> bool:
    """Whether a name is, ends with, or is like what a person wrote.

    >>> _fits("https://example.org/team/site.git", "team/site")
    True
    """
    if any(sign in pattern for sign in "*?["):
        return fnmatchcase(name, pattern)
    return name == pattern or f"/{pattern.strip('/')}/" in f"/{name.strip('/').removesuffix('.git')}/"
