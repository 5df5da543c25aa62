"""The report for people: plain when piped, in colour on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TextIO

from scanner.model import Finding, Report, Rule
from scanner.sinks.escape import visible
from scanner.sinks.words import commit, count, fate, place, verdict, versions

MORE_PLACES = 5
"""Places of one finding that are listed; the other formats list all."""

MORE_SKIPPED = 20

Piece = tuple[str, str]
"""A style name, or nothing, and text."""

_STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan"}


def write(report: Report, out: TextIO) -> None:
    """Write the report; colour and width only where `out` is a terminal."""
    emit(lines(report), out)


def emit(rows: Iterable[list[Piece]], out: TextIO) -> None:
    """Write rows of styled pieces, styled only on a terminal."""
    if out.isatty():
        from rich.console import Console
        from rich.text import Text

        console = Console(file=out, highlight=False, soft_wrap=True)
        for row in rows:
            console.print(Text.assemble(*((text, style) for style, text in row)))
        return
    for row in rows:
        out.write("".join(text for _, text in row) + "\n")


def lines(report: Report) -> Iterator[list[Piece]]:
    """Yield the rows of the report: findings, remedies, what was skipped, the verdict."""
    for finding in report.findings:
        yield from finding_rows(finding)
        yield []
    yield from _remedies(report)
    for note in report.coverage.notes:
        yield [("dim", f"Note: {visible(note)}")]
    yield from skipped_rows(report)
    style = "bold red" if report.findings else "bold yellow" if report.skipped else "bold green"
    yield [(style, verdict(report))]


def finding_rows(finding: Finding) -> Iterator[list[Piece]]:
    """Yield the rows of one finding."""
    first, *others = finding.locations
    yield [
        ("bold", place(first)),
        ("", ": "),
        (_STYLES[finding.severity], f"{finding.rule.name}"),
        ("", f"  [{finding.severity}, {finding.confidence} confidence, {finding.rule.id}]"),
    ]
    if finding.secret is not None:
        yield [("", f"    secret   {visible(finding.secret)}")]
    else:
        yield [("", f"    secret   {visible(finding.redacted)}")]
    yield [("", f"    because  {visible('; '.join(finding.evidence))}")]
    if commit(first):
        yield [("", f"    commit   {commit(first)}")]
    today = next(filter(None, map(fate, finding.locations)), None)
    if today:
        yield [("", f"    today    {today}")]
    if versions(finding) > 1:
        yield [("", f"    history  {count(versions(finding), 'object')} of it hold this")]
    for where in others[:MORE_PLACES]:
        said = commit(where)
        yield [("dim", f"    also     {place(where)}{'  ' + said if said else ''}")]
    if len(others) > MORE_PLACES:
        yield [("dim", f"    also     {count(len(others) - MORE_PLACES, 'more place')}; --format json lists all")]
    yield [("dim", f"    id       {finding.fingerprint}")]


def _remedies(report: Report) -> Iterator[list[Piece]]:
    rules: dict[str, Rule] = {finding.rule.id: finding.rule for finding in report.findings}
    if rules:
        yield [("bold", "What to do now: revoke first, then clean the repository.")]
    for rule in rules.values():
        yield [("", f"  {rule.name}: {rule.fix}")]
        yield [("dim", f"    {rule.references[-1]}")]
    if rules:
        yield []


def skipped_rows(report: Report) -> Iterator[list[Piece]]:
    """Yield what was not scanned, and why."""
    for skipped in report.skipped[:MORE_SKIPPED]:
        yield [("yellow", f"Skipped: {visible(skipped.what)}: {visible(skipped.reason)}")]
    if len(report.skipped) > MORE_SKIPPED:
        yield [("yellow", f"Skipped: {count(len(report.skipped) - MORE_SKIPPED, 'more input')}; --format json lists all")]
