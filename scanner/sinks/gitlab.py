"""GitLab's secret detection report, for merge request widgets and the vulnerability report.

Source: https://docs.gitlab.com/development/integrations/secure/ and the schema
`secret-detection-report-format` 15.0.7 of https://gitlab.com/gitlab-org/security-products/security-report-schemas
"""

from __future__ import annotations

import json
import time
import uuid
from typing import Any, TextIO

from scanner import __version__
from scanner.model import Finding, Report
from scanner.sinks.escape import visible
from scanner.sinks.words import place

VERSION = "15.0.7"
NO_COMMIT = "0000000"
"""What GitLab's own analyzer writes for a file that is in no commit; the field must not be empty."""

SEVERITY = {"critical": "Critical", "high": "High", "medium": "Medium", "low": "Low"}
MESSAGES = 200
_DESCRIPTION, _SOLUTION, _NAME = 20_000, 7000, 255


def write(report: Report, out: TextIO) -> None:
    json.dump(document(report), out, indent=2, ensure_ascii=False)
    out.write("\n")


def document(report: Report) -> dict[str, Any]:
    """Return the report as plain values. Both times are that of writing: a report does not know when its scan began."""
    now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    tool = {"id": "keyleash", "name": "Keyleash", "version": __version__, "vendor": {"name": "Keyleash"}}
    return {
        "version": VERSION,
        "scan": {
            "analyzer": tool,
            "scanner": tool,
            "type": "secret_detection",
            "start_time": now,
            "end_time": now,
            "status": "failure" if report.skipped else "success",
            "messages": [
                {"level": "warn", "value": visible(f"Skipped: {skipped.what}: {skipped.reason}")}
                for skipped in report.skipped[:MESSAGES]
            ],
        },
        "vulnerabilities": [_vulnerability(finding) for finding in report.findings],
    }


def _vulnerability(finding: Finding) -> dict[str, Any]:
    rule, first = finding.rule, finding.locations[0]
    shown = visible(finding.redacted if finding.secret is None else finding.secret)
    evidence = visible("; ".join(finding.evidence))
    others = "".join(f"\n\nAlso at {place(where)}" for where in finding.locations[1:20])
    origin = first.origin
    made = {"author": visible(origin.author or ""), "date": origin.date or "", "sha": origin.commit or NO_COMMIT}
    return {
        "id": str(uuid.UUID(finding.fingerprint)),
        "name": rule.name[:_NAME],
        "description": f"{shown}. Evidence: {evidence}. {rule.why}{others}"[:_DESCRIPTION],
        "severity": SEVERITY[finding.severity],
        "solution": rule.fix[:_SOLUTION],
        "identifiers": [
            {"type": "keyleash_rule_id", "name": f"Keyleash rule {rule.id}", "value": rule.id, "url": rule.references[0]}
        ],
        "links": [{"url": link} for link in rule.references],
        "location": {
            "file": visible(origin.path) if origin.path is not None else place(first),
            "commit": {name: value for name, value in made.items() if value},
            "start_line": first.line,
            "end_line": first.end_line,
        },
        "details": {"fingerprint": {"name": "Keyleash fingerprint", "type": "text", "value": finding.fingerprint}},
    }
