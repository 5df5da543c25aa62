"""GitHub workflow commands: an annotation on the line of each finding.

Source: https://docs.github.com/actions/using-workflows/workflow-commands-for-github-actions
(the escapes are those of the Actions toolkit: `%`, line ends, and in properties `:` and `,`).
"""

from __future__ import annotations

from typing import TextIO

from scanner.model import Finding, Report
from scanner.sinks.escape import visible
from scanner.sinks.words import commit, verdict

_LEVEL = {"critical": "error", "high": "error", "medium": "warning", "low": "notice"}


def write(report: Report, out: TextIO) -> None:
    for finding in report.findings:
        out.write(_annotation(finding) + "\n")
    for skipped in report.skipped:
        out.write(f"::warning title=Keyleash skipped an input::{_data(f'{skipped.what}: {skipped.reason}')}\n")
    out.write(visible(verdict(report)) + "\n")


def failure(message: str) -> str:
    """Return the annotation of a run that could not go on; it has no place in a file."""
    return f"::error title=Keyleash did not scan::{'%0A'.join(map(_data, message.split(chr(10))))}"


def _annotation(finding: Finding) -> str:
    where = finding.locations[0]
    properties = {"title": f"{finding.rule.name} ({finding.rule.id})"}
    if where.origin.path is not None:
        properties |= {"file": where.origin.path, "line": str(where.line), "endLine": str(where.end_line)}
        if where.line == where.end_line:
            properties |= {"col": str(where.column), "endColumn": str(where.end_column)}
    shown = finding.redacted if finding.secret is None else finding.secret
    message = f"{shown}. Evidence: {'; '.join(finding.evidence)}."
    if commit(where):
        message += f" Commit {commit(where)}."
    listed = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{_LEVEL[finding.severity]} {listed}::{_data(f'{message} {finding.rule.fix}')}"


def _data(text: str) -> str:
    return visible(text).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
