"""What is known of many findings, for people: from a store, or from reports of single scans.

A list, an export and a report for the web read the same value, so that they never disagree.
Text in it is as it was found; whoever writes it out makes it harmless.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from scanner.errors import UsageError
from scanner.model import LEVELS, Location, Rule, Skipped
from scanner.store import Store
from scanner.store.results import Known, Repository, findings, repositories, skipped, when

LINK = "https://github.com/keyleash/keyleash"


class Overview(NamedTuple):
    """Findings in rising order of nothing but their fingerprints, the repositories they may be in, and what was not looked at.

    `skipped` are pairs of a repository's name and what was left out there. `rules` are those
    in use, by id: a finding may be of one that is not among them. `scanned` says when the
    last scan ended (ISO 8601, UTC), or None.
    """

    findings: tuple[Known, ...]
    repositories: tuple[Repository, ...]
    skipped: tuple[tuple[str, Skipped], ...]
    rules: Mapping[str, Rule]

    @property
    def scanned(self) -> str | None:
        return max((one.scanned for one in self.repositories if one.scanned), default=None)

    @property
    def incomplete(self) -> tuple[Repository, ...]:
        """The repositories that nobody may call clean: not, or not wholly, looked at."""
        return tuple(one for one in self.repositories if one.state != "complete")

    def rule(self, id: str) -> Rule:
        """Return a rule by its id, or what stands for one that is not in use any more."""
        return self.rules.get(id) or _unknown(id)


def from_store(file: str, rules: Mapping[str, Rule]) -> Overview:
    """Read a store. Raises `UsageError` when there is none."""
    with opened(file) as store:
        known = tuple(repositories(store))
        left_out = tuple((one.name, what) for one in known for what in skipped(store, one.name))
        return Overview(tuple(findings(store)), known, left_out, rules)


def opened(file: str) -> Store:
    """Return a store that exists already: asking about findings makes no new one."""
    if not os.path.isfile(file):
        raise UsageError(f"--store {file}: there is no such file; 'keyleash scan --store {file}' makes one")
    return Store(file)


def _unknown(id: str) -> Rule:
    return Rule(
        id=id, name=id, pattern="", anchors=(), width=0, reach=0, confirm="pattern", confidence="low", severity="low",
        guessable=True, entropy=0.0, why="The rule that found it is not among the rules in use here.",
        fix="Find out what it opens, revoke it there, and issue a new one outside the repository.",
        references=(LINK,), examples=(), negatives=(), file="",
    )  # fmt: skip


def since(known: Known) -> datetime | None:
    """Return when a commit first brought the credential, or None where no commit tells."""
    return when(known.since)


def first_place(known: Known) -> Location | None:
    """Return the place to name where there is room for one."""
    return next((where for one in known.occurrences for where in one.locations), None)


def urgent_first(found: Iterable[Known]) -> list[Known]:
    """Return findings in the order in which to work on them: the most severe and sure, of these the longest exposed."""
    late = datetime.max.replace(tzinfo=UTC)
    return sorted(
        found,
        key=lambda one: (-LEVELS.index(one.severity), -LEVELS.index(one.confidence), since(one) or late, one.fingerprint),
    )
