"""One report of several: each repository is scanned under its own configuration and shown under its name.

A credential that several repositories hold is one finding with all their places.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from scanner.group import ordered
from scanner.model import LEVELS, Coverage, Finding, Location, Report, RuleSet


def joined(reports: Sequence[tuple[str, Report]]) -> Report:
    """Return the sum of reports. Paths are put behind the name that stands with each; an empty one stands for none.

    What counts for the exit code is by the lowest of their thresholds.
    """
    if len(reports) == 1:
        return reports[0][1]
    findings: dict[tuple[str, str], Finding] = {}
    coverage = Coverage()
    for name, report in reports:
        notes = tuple(f"{name}: {note}" if name else note for note in report.coverage.notes)
        coverage = coverage.plus(report.coverage._replace(notes=notes))
        for finding in report.findings:
            _put(findings, _named(name, finding))
    return Report(
        findings=ordered(findings.values()),
        skipped=tuple(
            one._replace(what=one.what if not name or os.path.isabs(one.what) else f"{name}: {one.what}")
            for name, report in reports
            for one in report.skipped
        ),
        coverage=coverage,
        rules=_rules([report.rules for _, report in reports]),
        engine=reports[0][1].engine,
        fail_on=min((report.fail_on for _, report in reports), key=LEVELS.index),
        accepted=tuple(
            one._replace(finding=_named(name, one.finding)) for name, report in reports for one in report.accepted
        ),
    )  # fmt: skip


def _named(name: str, finding: Finding) -> Finding:
    return finding._replace(locations=tuple(_placed(name, where) for where in finding.locations)) if name else finding


def _placed(name: str, where: Location) -> Location:
    path = where.origin.path
    whole = None if path is None else f"{name.rstrip('/')}/{path}"
    return where._replace(origin=where.origin._replace(repository=name, path=whole))


def _put(findings: dict[tuple[str, str], Finding], finding: Finding) -> None:
    key = finding.rule.id, finding.fingerprint
    before = findings.get(key)
    if before is None:
        findings[key] = finding
        return
    findings[key] = before._replace(
        severity=max(before.severity, finding.severity, key=LEVELS.index),
        confidence=max(before.confidence, finding.confidence, key=LEVELS.index),
        evidence=tuple(dict.fromkeys((*before.evidence, *finding.evidence))),
        locations=(*before.locations, *finding.locations),
    )


def _rules(sets: Sequence[RuleSet]) -> RuleSet:
    """Return all rules that were used; one of an id stands for all that have it."""
    if len({rules.digest for rules in sets}) == 1:
        return sets[0]
    import hashlib

    found = {rule.id: rule for rules in reversed(sets) for rule in rules.rules}
    digest = hashlib.sha256("".join(rules.digest for rules in sets).encode()).hexdigest()
    return RuleSet(tuple(found[id] for id in sorted(found)), digest)
