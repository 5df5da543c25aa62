"""Findings for other programs: JSON, CSV, and SARIF a repository."""

from __future__ import annotations

import csv
import json
from typing import Any, TextIO

from scanner.model import Coverage, Finding, Report, RuleSet
from scanner.overview import Overview, since, urgent_first
from scanner.sinks import sarif
from scanner.sinks.escape import visible
from scanner.sinks.json_v1 import location
from scanner.sinks.words import place
from scanner.store.results import Known, Occurrence

SCHEMA = "keyleash-findings/1"

COLUMNS = ("fingerprint", "state", "severity", "confidence", "rule", "name", "redacted", "evidence", "repository", "place",
           "places", "commit", "author", "since", "found", "reason", "who", "at")  # fmt: skip
_FORMULA = tuple("=+-@\t\r＝＋－＠")
"""What makes a spreadsheet calculate (source: https://owasp.org/www-community/attacks/CSV_Injection)."""


def write_json(overview: Overview, out: TextIO) -> None:
    json.dump(document(overview), out, indent=2, ensure_ascii=False)
    out.write("\n")


def document(overview: Overview) -> dict[str, Any]:
    """Return findings, repositories and what was not looked at as plain values; `keyleash-findings/1` keeps its fields."""
    return {
        "schema": SCHEMA,
        "findings": [_finding(one) for one in urgent_first(overview.findings)],
        "repositories": [
            {"name": visible(one.name), "state": one.state, "reason": _shown(one.reason), "scanned": one.scanned}
            for one in overview.repositories
        ],
        "skipped": [
            {"repository": visible(name), "what": visible(one.what), "reason": visible(one.reason)}
            for name, one in overview.skipped
        ],
    }


def _finding(known: Known) -> dict[str, Any]:
    began = since(known)
    return {
        "fingerprint": known.fingerprint,
        "rule": known.rule,
        "severity": known.severity,
        "confidence": known.confidence,
        "redacted": visible(known.redacted),
        "evidence": [visible(said) for said in known.evidence],
        "state": known.state,
        "since": began.isoformat() if began else None,
        "found": known.found or None,
        "decisions": [
            {"state": one.state, "reason": visible(one.reason), "who": visible(one.who), "at": one.at or None}
            for one in known.decisions
        ],
        "occurrences": [
            {
                "repository": visible(one.repository),
                "severity": one.severity,
                "confidence": one.confidence,
                "locations": [location(where) for where in one.locations],
            }
            for one in known.occurrences
        ],
    }


def write_csv(overview: Overview, out: TextIO) -> None:
    """Write a row for each repository that a finding is in; one that is nowhere any more has a row without a repository."""
    rows = csv.writer(out, lineterminator="\r\n")
    rows.writerow(COLUMNS)
    for known in urgent_first(overview.findings):
        for here in known.occurrences or (None,):
            rows.writerow([cell(value) for value in _row(overview, known, here)])


def _row(overview: Overview, known: Known, here: Occurrence | None) -> tuple[str, ...]:
    first = here.locations[0] if here and here.locations else None
    last = known.decisions[-1] if known.decisions else None
    began = since(known)
    return (
        known.fingerprint, known.state, known.severity, known.confidence, known.rule, overview.rule(known.rule).name,
        known.redacted, "; ".join(known.evidence), here.repository if here else "", place(first) if first else "",
        str(len(here.locations) if here else 0), (first and first.origin.commit) or "", (first and first.origin.author) or "",
        began.date().isoformat() if began else "", known.found, last.reason if last else "", last.who if last else "",
        last.at if last else "",
    )  # fmt: skip


def cell(text: str) -> str:
    """Return text that no spreadsheet takes for a formula.

    >>> cell("=1+1")
    "'=1+1"
    """
    shown = visible(text)
    return "'" + shown if text.lstrip().startswith(_FORMULA) or text.startswith(_FORMULA) else shown


def reports(overview: Overview) -> dict[str, Report]:
    """Return by repository what a scan of it alone would have reported."""
    parts: dict[str, list[Finding]] = {one.name: [] for one in overview.repositories}
    for known in urgent_first(overview.findings):
        for here in known.occurrences:
            if here.locations:
                parts[here.repository].append(
                    Finding(overview.rule(known.rule), here.severity, here.confidence, known.fingerprint, here.redacted,
                            here.evidence, here.locations)
                )  # fmt: skip
    left_out: dict[str, list[Any]] = {}
    for name, one in overview.skipped:
        left_out.setdefault(name, []).append(one)
    return {
        name: Report(tuple(found), tuple(left_out.get(name, ())), Coverage(), _rules(found)) for name, found in parts.items()
    }


def _rules(found: list[Finding]) -> RuleSet:
    used = {finding.rule.id: finding.rule for finding in found}
    return RuleSet(tuple(used[id] for id in sorted(used)), "")


def write_sarif(report: Report, out: TextIO) -> None:
    sarif.write(report, out)


def _shown(text: str | None) -> str | None:
    return None if text is None else visible(text)
