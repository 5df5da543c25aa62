"""Phrases that several sinks share, so that a reader meets one wording everywhere."""

from __future__ import annotations

from collections.abc import Sequence

from scanner.model import Finding, Location, Report
from scanner.sinks.escape import visible

_BRANCHES = 3
"""Branches that are named before the rest is counted."""


def count(number: int, one: str, many: str | None = None) -> str:
    """Return '1 file' or '2 files', with thousands marked.

    >>> count(12345, "file")
    '12,345 files'
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def size(number: int) -> str:
    """Return a number of bytes in the unit that fits.

    >>> size(38_000)
    '38.0 kB'
    """
    amount = float(number)
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            break
        amount /= 1000
    return f"{number} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"


def place(where: Location) -> str:
    """Return `path:line:column`, or what stands for the path where there is none, with the way into a container."""
    origin = where.origin
    path = visible(origin.path) if origin.path is not None else _nameless(where)
    way = "".join(f" > {visible(step)}" for step in where.way)
    return f"{path}:{where.line}:{where.column}{way}"


def _nameless(where: Location) -> str:
    origin = where.origin
    among = f"{visible(origin.repository)}: " if origin.repository else ""
    if origin.commit:
        return f"{among}{origin.via} of {origin.commit[:12]}"
    if not where.blob:
        return f"{among}{origin.via}"
    return f"{among}object {where.blob[:12]}"


def commit(where: Location) -> str:
    """Return commit, author and date of a place, or nothing."""
    origin = where.origin
    parts = [origin.commit[:12] if origin.commit else "", visible(origin.author or ""), origin.date or ""]
    said = "  ".join(part for part in parts if part)
    return said or ("no ref leads to it" if "unreachable" in origin.via else "")


def versions(finding: Finding) -> int:
    """Return how many objects of the history carry a finding."""
    return len({where.blob for where in finding.locations if where.blob})


def fate(where: Location) -> str:
    """Return where content of the history still stands, or which commit took it away; or nothing."""
    origin = where.origin
    if origin.present:
        named = ", ".join(visible(branch) for branch in origin.present[:_BRANCHES])
        more = len(origin.present) - _BRANCHES
        return f"still in {named}" + (f" and {count(more, 'more branch', 'more branches')}" if more > 0 else "")
    return f"taken away by {origin.removed[:12]}" if origin.removed else ""


def covered(report: Report) -> str:
    """Return what the scan looked at, in a clause."""
    coverage = report.coverage
    counts = {"file": coverage.files, "blob": coverage.blobs, "commit": coverage.commits, "ref": coverage.refs}
    parts = [count(number, word) for word, number in counts.items() if number]
    if coverage.known:
        parts.append(f"{count(coverage.known, 'object')} known from earlier scans")
    return f"{', '.join([*parts, size(coverage.bytes)])} with {count(len(report.rules.rules), 'rule')}"


def verdict(report: Report) -> str:
    """Return the one line that says how the scan ended."""
    if report.findings:
        result = f"{count(len(report.findings), 'credential')} found ({_by_severity(report.findings)})"
    elif report.skipped:
        result = "No credential found, but not everything was scanned"
    else:
        result = "No credential found"
    return f"{result} in {covered(report)}.{''.join(f' {said}' for said in asides(report))}"


def asides(report: Report) -> list[str]:
    """Return in a sentence each what was found and does not count: what is not severe enough, and what is accepted."""
    below = len(report.findings) - len(report.blocking)
    said = []
    if below:
        which = "It is" if len(report.findings) == 1 else f"{below} of them {'is' if below == 1 else 'are'}"
        said.append(f"{which} below '{report.fail_on}', the least severity that counts for the exit code here.")
    if report.accepted:
        number = count(len(report.accepted), "credential is", "credentials are")
        said.append(f"{number} accepted by the baseline.")
    return said


def _by_severity(findings: Sequence[Finding]) -> str:
    counts: dict[str, int] = {}
    for finding in findings:
        counts[finding.severity] = counts.get(finding.severity, 0) + 1
    return ", ".join(f"{number} {severity}" for severity, number in counts.items())
