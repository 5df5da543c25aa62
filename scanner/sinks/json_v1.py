"""JSON, schema `keyleash/1`: a contract apart from the internal types.

The schema ships beside this as `scanner/data/keyleash-1.schema.json`. A field is never
renamed or removed under this name; a reader may meet new ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, TextIO

from scanner import __version__
from scanner.model import Accepted, Finding, Location, Report
from scanner.sinks.escape import visible

SCHEMA = "keyleash/1"
_DEPTH = 4
"""A place of a finding stands on one line."""


def write(report: Report, out: TextIO) -> None:
    out.writelines(_lines(document(report), _DEPTH))
    out.write("\n")


def _lines(value: Any, depth: int, indent: str = "\n") -> Iterator[str]:
    """Yield JSON with a line for each value down to a depth: `json` has compiled code only for what it need not indent."""
    if not depth or not value or not isinstance(value, dict | list):
        yield json.dumps(value, ensure_ascii=False)
        return
    named = isinstance(value, dict)
    inner = indent + "  "
    for number, one in enumerate(value):
        yield ("," if number else "[{"[named]) + inner + (json.dumps(one) + ": " if named else "")
        yield from _lines(value[one] if named else one, depth - 1, inner)
    yield indent + "]}"[named]


def document(report: Report) -> dict[str, Any]:
    """Return the report as plain values."""
    coverage = report.coverage
    return {
        "schema": SCHEMA,
        "tool": {
            "name": "keyleash",
            "version": __version__,
            "engine": report.engine,
            "rules": len(report.rules.rules),
            "digest": report.rules.digest,
        },
        "findings": [_finding(finding) for finding in report.findings],
        "fail_on": report.fail_on,
        "accepted": [_accepted(one) for one in report.accepted],
        "skipped": [{"what": visible(skipped.what), "reason": visible(skipped.reason)} for skipped in report.skipped],
        "coverage": {
            "complete": not report.skipped,
            "files": coverage.files,
            "blobs": coverage.blobs,
            "bytes": coverage.bytes,
            "commits": coverage.commits,
            "refs": coverage.refs,
            "known": coverage.known,
            "notes": [visible(note) for note in coverage.notes],
        },
    }


def _accepted(one: Accepted) -> dict[str, Any]:
    return {
        "rule": one.finding.rule.id,
        "fingerprint": one.finding.fingerprint,
        "reason": visible(one.reason),
        "owner": visible(one.owner),
        "expires": one.expires or None,
        "locations": [location(where) for where in one.finding.locations],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    row: dict[str, Any] = {
        "rule": finding.rule.id,
        "severity": finding.severity,
        "confidence": finding.confidence,
        "fingerprint": finding.fingerprint,
        "redacted": visible(finding.redacted),
        "evidence": [visible(evidence) for evidence in finding.evidence],
        "locations": [location(where) for where in finding.locations],
    }
    if finding.secret is not None:
        row["secret"] = visible(finding.secret)
    return row


def location(where: Location) -> dict[str, Any]:
    """Return a place as plain values."""
    origin = where.origin
    row: dict[str, Any] = {"repository": visible(origin.repository)} if origin.repository else {}
    return row | {
        "path": None if origin.path is None else visible(origin.path),
        "line": where.line,
        "column": where.column,
        "end_line": where.end_line,
        "end_column": where.end_column,
        "blob": where.blob,
        "commit": origin.commit,
        "author": None if origin.author is None else visible(origin.author),
        "date": origin.date,
        "present": [visible(branch) for branch in origin.present],
        "removed": origin.removed,
        "paths": [visible(path) for path in origin.paths],
        "via": origin.via,
        "way": [visible(step) for step in where.way],
    }
