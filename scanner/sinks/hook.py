"""What a person reads when a commit was stopped: what, where, why, and the way out."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TextIO

from scanner.model import Report, Rule
from scanner.sinks.escape import visible
from scanner.sinks.text import Piece, emit, finding_rows, skipped_rows
from scanner.sinks.words import asides, count, covered


def write(report: Report, out: TextIO, what: str, first: bool = False) -> None:
    """Write the message.

    `what` names the thing that was stopped: 'commit', 'push' or 'run'; `first` says that no commit was made yet.
    """
    emit(_rows(report, what, first), out)


def _rows(report: Report, what: str, first: bool) -> Iterator[list[Piece]]:
    if report.findings and not report.blocking:
        yield [("bold yellow", f"keyleash lets this {what} pass, with what is less severe than '{report.fail_on}':")]
        for finding in report.findings:
            yield from finding_rows(finding)
    elif report.findings:
        number = count(len(report.findings), "credential")
        yield [("bold red", f"keyleash stopped this {what}: it holds {number}.")]
        yield []
        for finding in report.findings:
            yield from finding_rows(finding)
        yield []
        yield from _way_out(report, what, first)
    if report.skipped and not report.blocking:
        yield [("bold yellow", f"keyleash stopped this {what}: not everything could be scanned.")]
    yield from skipped_rows(report)
    for note in report.coverage.notes:
        yield [("dim", f"Note: {visible(note)}")]
    yield [("dim", " ".join([f"Scanned {covered(report)}.", *asides(report)]))]


def _way_out(report: Report, what: str, first: bool) -> Iterator[list[Piece]]:
    paths = sorted({where.origin.path for finding in report.findings for where in finding.locations if where.origin.path})
    yield [("bold", "How to go on")]
    if what == "commit":
        names = " ".join(shlex.quote(visible(path)) for path in paths[:5]) + (" …" if len(paths) > 5 else "")
        yield [("", f"  1. Take it out of the commit:  git {'rm --cached' if first else 'restore --staged'} {names}")]
        yield [("", "     Keep the file outside the repository, or name it in .gitignore, and let programs read the value")]
        yield [("", "     from the environment.")]
    else:
        yield [("", "  1. Take it out of the commits that bring it (git rebase -i), not only out of the last one.")]
    yield [("", "  2. If it was ever pushed or mailed, it is public: revoke it.")]
    rules: dict[str, Rule] = {finding.rule.id: finding.rule for finding in report.findings}
    for rule in rules.values():
        yield [("", f"     {rule.name}: {rule.fix}")]
    yield [("", "  3. A false alarm? Put this comment on its line, with the reason, and commit again:")]
    yield [("", f"     keyleash:allow {next(iter(rules))}, the reason")]
    id = report.findings[0].fingerprint[:8]
    staged = " --staged" if what == "commit" else ""
    yield [("", "     or, where no comment fits, accept it by its id, and add the baseline to the commit:")]
    yield [("", f"     keyleash baseline update {id}{staged} --reason 'the reason'; git add .keyleash-baseline.yaml")]
