"""A summary in Markdown, for an issue or a mail: what there is, what comes first, what was not looked at."""

from __future__ import annotations

from typing import TextIO

from scanner.overview import Overview, figures, first_place, since, urgent_first
from scanner.sinks.markdown import cell
from scanner.sinks.words import count, place
from scanner.store.results import Known
from scanner.store.triage import OPEN

ROWS = 25


def write(overview: Overview, out: TextIO) -> None:
    out.write(text(overview))


def text(overview: Overview) -> str:
    """Return the summary. What came from repositories is nothing but text in it."""
    live = [one for one in overview.findings if one.state == OPEN]
    where = count(len(overview.repositories), "repository", "repositories")
    lines = [f"### Keyleash: {count(len(overview.findings), 'credential')} in {where}\n"]
    if overview.incomplete or overview.skipped:
        lines.append(f"**Not everything was looked at**: {_left_out(overview)}\n")
    if overview.findings:
        lines += ["| severity | found | to be dealt with |", "|---|---:|---:|"]
        for bar in figures.by_severity(overview):
            lines.append(f"| {bar.label} | {bar.number:,} | {sum(one.severity == bar.key for one in live):,} |")
        lines.append("")
    if live:
        lines += ["**Revoke first** (then clean the history; `keyleash remedy FINGERPRINT` has the commands)\n"]
        lines += [
            "| severity | credential | because | repositories | first place | since | fingerprint |",
            "|---|---|---|---|---|---|---|",
        ]
        lines += [_row(overview, one) for one in urgent_first(live)[:ROWS]]
        if len(live) > ROWS:
            lines.append(f"\nAnd {count(len(live) - ROWS, 'more credential')}.")
        lines.append("")
    shared = figures.shared(overview)
    if shared:
        is_in = "credential is" if len(shared) == 1 else "credentials are"
        lines.append(f"{len(shared):,} {is_in} in more than one repository; the widest in {len(shared[0].occurrences):,}.\n")
    return "\n".join(lines)


def _left_out(overview: Overview) -> str:
    whys = [f": {cell(one.reason)}" if one.reason else "" for one in overview.incomplete[:ROWS]]
    parts = [f"{cell(one.name)} ({one.state}{why})" for one, why in zip(overview.incomplete, whys, strict=False)]
    if len(overview.incomplete) > ROWS:
        parts.append(f"{len(overview.incomplete) - ROWS:,} more")
    inputs = f"; {count(len(overview.skipped), 'input')} skipped" if overview.skipped else ""
    return ", ".join(parts) + inputs + "."


def _row(overview: Overview, known: Known) -> str:
    names = [cell(one.repository) for one in known.occurrences[:3]]
    more = f" and {len(known.occurrences) - 3:,} more" if len(known.occurrences) > 3 else ""
    first, began = first_place(known), since(known)
    what = f"{cell(overview.rule(known.rule).name)} {cell(known.redacted)}"
    day = began.date().isoformat() if began else "unknown"
    here = f"{', '.join(names) or 'nowhere any more'}{more} | {cell(place(first)) if first else ''}"
    why = cell("; ".join(known.evidence))
    return f"| {known.severity} | {what} | {why} | {here} | {day} | `{known.fingerprint[:12]}` |"
