"""Markdown for people: the summary of a CI job, or a comment on a change.

Everything from the repository is written as character references where Markdown or HTML
would read more than text in it, so that a path makes no link, no heading and no table cell.
Sources: https://github.github.com/gfm/ and, for the size,
https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands (1 MiB a step).
"""

from __future__ import annotations

from typing import TextIO

from scanner.model import Finding, Report, Rule
from scanner.sinks.escape import visible
from scanner.sinks.words import commit, count, place, verdict

ROWS = 200
WIDTH = 300
"""Characters of one cell: a path can have thousands."""

_MEANS_MORE = frozenset("\\`*_[]<>#|~&@:$")
"""What marks text up, makes a link, a mention or a formula; at the start of a line anything but a letter may."""


def write(report: Report, out: TextIO) -> None:
    out.write(text(report))


def text(report: Report, what: str = "") -> str:
    """Return the report; `what` says what was scanned."""
    parts = [f"### Keyleash: {_headline(report)}\n"]
    if what:
        parts.append(f"Scanned {cell(what)}.\n")
    parts.append(f"{cell(verdict(report))}\n")
    if report.findings:
        parts += ["| | Credential | Where | Why it is believed |\n|---|---|---|---|", *map(_row, report.findings[:ROWS])]
        if len(report.findings) > ROWS:
            parts.append(f"| | {count(len(report.findings) - ROWS, 'more credential')} | in the log and the SARIF file | |")
        parts += ["\n**What to do now**: revoke first, then clean the repository.\n", *_remedies(report), ""]
    if report.skipped:
        parts += ["**Not scanned**\n"]
        parts += [f"- {cell(skipped.what)}: {cell(skipped.reason)}" for skipped in report.skipped[:ROWS]]
        if len(report.skipped) > ROWS:
            parts.append(f"- {count(len(report.skipped) - ROWS, 'more input')}")
        parts.append("")
    parts += [f"Note: {cell(note)}\n" for note in report.coverage.notes]
    return "\n".join(parts) + "\n"


def failure(message: str) -> str:
    """Return what stands in place of a report when the run could not go on."""
    return "### Keyleash: did not scan\n\n" + "<br>".join(map(cell, message.split("\n"))) + "\n"


def _headline(report: Report) -> str:
    if report.findings:
        found = count(len(report.findings), "credential") + " found"
        blocking = len(report.blocking)
        return found if blocking == len(report.findings) else f"{found}, {blocking} of them blocking"
    return "not everything was scanned" if report.skipped else "no credential found"


def _row(finding: Finding) -> str:
    first = finding.locations[0]
    where = place(first) + (f" ({commit(first)})" if commit(first) else "")
    if len(finding.locations) > 1:
        where += f" and {count(len(finding.locations) - 1, 'more place')}"
    shown = finding.redacted if finding.secret is None else finding.secret
    what = f"{cell(finding.rule.name)}<br>`{finding.rule.id}`<br>{cell(shown)}"
    return f"| {finding.severity} | {what} | {cell(where)} | {cell('; '.join(finding.evidence), 2 * WIDTH)} |"


def _remedies(report: Report) -> list[str]:
    rules: dict[str, Rule] = {finding.rule.id: finding.rule for finding in report.findings}
    return [f"- **{cell(rule.name)}**: {cell(rule.fix, 10 * WIDTH)} [More]({rule.references[-1]})" for rule in rules.values()]


def cell(text: str, width: int = WIDTH) -> str:
    """Return text that is nothing but text in Markdown.

    >>> cell("a|b <img>")
    'a&#124;b &#60;img&#62;'
    """
    shown = visible(text)
    if len(shown) > width:
        shown = shown[: width - 1] + "…"
    first = f"&#{ord(shown[0])};" if shown and not shown[0].isalpha() else shown[:1]
    return first + "".join(f"&#{ord(character)};" if character in _MEANS_MORE else character for character in shown[1:])
