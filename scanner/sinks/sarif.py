"""SARIF 2.1.0, as GitHub code scanning and other viewers read it.

Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/ and, for what GitHub shows of it,
https://docs.github.com/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
"""

from __future__ import annotations

import json
import os
from typing import Any, TextIO
from urllib.parse import quote

from scanner import __version__
from scanner.model import Finding, Location, Report, Rule
from scanner.sinks.escape import visible
from scanner.sinks.words import commit, place

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVEL = {"critical": "error", "high": "error", "medium": "warning", "low": "note"}
SCORE = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "2.5"}
"""GitHub's `security-severity`: above 9.0 is critical, 7.0 high, 4.0 medium."""

RELATED = 100
"""Further places of one result; GitHub reads no more than a thousand and shows fewer."""


def write(report: Report, out: TextIO) -> None:
    json.dump(document(report), out, indent=2, ensure_ascii=False)
    out.write("\n")


def document(report: Report) -> dict[str, Any]:
    """Return the report as a SARIF log with one run."""
    index = {rule.id: number for number, rule in enumerate(report.rules.rules)}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "Keyleash",
                        "semanticVersion": __version__,
                        "rules": [_rule(rule) for rule in report.rules.rules],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "originalUriBaseIds": {"SRCROOT": {"description": {"text": "The top folder of the scanned repository."}}},
                "invocations": [
                    {
                        "executionSuccessful": not report.skipped,
                        "toolExecutionNotifications": [
                            {
                                "level": "warning",
                                "message": {"text": f"Skipped: {visible(skipped.what)}: {visible(skipped.reason)}"},
                            }
                            for skipped in report.skipped
                        ],
                    }
                ],
                "results": [_result(finding, index[finding.rule.id]) for finding in report.findings],
            }
        ],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": rule.name,
        "shortDescription": {"text": f"{rule.name} in the repository"},
        "fullDescription": {"text": rule.why},
        "helpUri": rule.references[0],
        "help": {
            "text": f"{rule.why} What to do: {rule.fix}",
            "markdown": f"{rule.why}\n\n**What to do:** {rule.fix}\n\n" + "\n".join(f"- <{link}>" for link in rule.references),
        },
        "defaultConfiguration": {"level": LEVEL[rule.severity]},
        "properties": {
            "tags": ["security", "secret"],
            "precision": "very-high" if rule.confidence == "high" else rule.confidence,
            "security-severity": SCORE[rule.severity],
        },
    }


def _result(finding: Finding, index: int) -> dict[str, Any]:
    first, *others = finding.locations
    where = f" Introduced in {commit(first)}." if first.origin.commit else ""
    shown = visible(finding.redacted if finding.secret is None else finding.secret)
    return {
        "ruleId": finding.rule.id,
        "ruleIndex": index,
        "level": LEVEL[finding.severity],
        "message": {
            "text": f"{finding.rule.name} {shown}. Evidence: {visible('; '.join(finding.evidence))}.{where} {finding.rule.fix}"
        },
        "locations": [_location(first)],
        "relatedLocations": [
            _location(other) | {"id": number, "message": {"text": f"Also here: {place(other)}"}}
            for number, other in enumerate(others[:RELATED], 1)
        ],
        "partialFingerprints": {"keyleash/v1": finding.fingerprint},
        "properties": {
            "confidence": finding.confidence,
            "severity": finding.severity,
            "places": len(finding.locations),
        },
    }


def _location(where: Location) -> dict[str, Any]:
    path = where.origin.path
    if path is None:  # a message has no file; its commit stands for one
        path = f"{where.origin.via}/{where.origin.commit or where.blob or 'unknown'}".replace(" ", "-")
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": quote(os.fsencode(path)), "uriBaseId": "SRCROOT"},
            "region": {
                "startLine": where.line,
                "startColumn": where.column,
                "endLine": where.end_line,
                "endColumn": where.end_column,
            },
        }
    }
