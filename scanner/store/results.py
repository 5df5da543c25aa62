"""What scans reported, repository by repository, and how it is read again.

A report of a repository replaces its former one. A finding's row stays when nothing holds
it any more, so that decisions about it survive. Readers get frozen values; across
repositories a finding has the highest severity and confidence that any of them gives it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from scanner.model import LEVELS, Coverage, Finding, Location, Origin, Report, Skipped
from scanner.sources.names import FILE_NAME, REF_NAME
from scanner.store import Store, fate_of, got, now, put, with_fate
from scanner.store.triage import OPEN, Decision, decisions


class Repository(NamedTuple):
    """A repository as the store knows it.

    `state` is 'new' (known, never scanned to its end), 'complete', 'incomplete' (something
    was skipped), 'failed' or 'gone' (with a `reason`). `facts` is what its host says of
    it, of JSON's types. `scanned` is when its last scan ended (ISO 8601, UTC). `covered`
    sums what all its scans read; its `refs` are those of the last one.
    """

    name: str
    state: str
    reason: str | None
    facts: Mapping[str, Any]
    scanned: str | None
    ruleset: str | None
    covered: Coverage


class Occurrence(NamedTuple):
    """A finding in one repository: what its last scan said of it, and its places in the order of the report."""

    repository: str
    severity: str
    confidence: str
    redacted: str
    evidence: tuple[str, ...]
    locations: tuple[Location, ...]


class Known(NamedTuple):
    """A finding across all repositories of the store.

    `rule` is the id of its rule, which the rules in use may not have any more. `found` is
    when a scan first met it (ISO 8601, UTC). `occurrences` are ordered by repository, and
    empty when no repository holds it any more. `decisions` are ordered by time; `state` is
    that of the last, 'open' without one.
    """

    fingerprint: str
    rule: str
    severity: str
    confidence: str
    redacted: str
    evidence: tuple[str, ...]
    found: str
    occurrences: tuple[Occurrence, ...]
    decisions: tuple[Decision, ...]

    @property
    def state(self) -> str:
        return self.decisions[-1].state if self.decisions else OPEN

    @property
    def since(self) -> str | None:
        """The earliest date of a commit that holds it (ISO 8601, with the commit's zone), or None where none is known."""
        dates = [where.origin.date for one in self.occurrences for where in one.locations]
        return min(((at, date) for date in dates if (at := when(date)) and date), default=(None, None))[1]


def when(text: str | None) -> datetime | None:
    """Return a time that git or a store wrote, or None for one that no calendar has: a commit may claim any date.

    >>> when("2024-05-06T07:08:09+02:00").hour
    5
    >>> when("99999-01-01T00:00:00Z")
    """
    try:
        found = datetime.fromisoformat(text or "")
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def record(store: Store, repository: str, report: Report, facts: Mapping[str, Any] | None = None) -> None:
    """Replace what is stored of a repository's findings by a report on it alone.

    Only places in git's objects and names are stored: files of a work tree change without notice.
    Findings of rules that the report did not use stay as they were.
    """
    number = store.repository(repository)
    with store.writing() as db:
        used = json.dumps([rule.id for rule in report.rules.rules])
        for table in ("occurrence", "location"):
            db.execute(
                f"DELETE FROM {table} WHERE repository = ? AND fingerprint IN (SELECT fingerprint FROM finding "
                "WHERE rule IN (SELECT value FROM json_each(?)))",
                (number, used),
            )
        for finding in report.findings:
            _put_finding(store, number, finding)
        db.execute("DELETE FROM skipped WHERE repository = ?", (number,))
        rows = [(number, put(one.what), put(one.reason)) for one in report.skipped]
        db.executemany("INSERT INTO skipped VALUES (?, ?, ?)", rows)
        state = "incomplete" if report.skipped else "complete"
        count = report.coverage
        db.execute(
            "UPDATE repository SET state = ?, reason = NULL, scanned = ?, ruleset = ?, blobs = blobs + ?, bytes = bytes + ?, "
            "commits = commits + ?, refs = ? WHERE id = ?",
            (state, now(), report.rules.digest, count.blobs, count.bytes, count.commits, count.refs, number),
        )
        if facts is not None:
            db.execute("UPDATE repository SET facts = ? WHERE id = ?", (json.dumps(facts), number))


def record_failure(store: Store, repository: str, state: str, reason: str, facts: Mapping[str, Any] | None = None) -> None:
    """Note that a repository could not be scanned: `state` is 'failed' or 'gone'. What it held stays as it was."""
    number = store.repository(repository)
    with store.writing() as db:
        db.execute("UPDATE repository SET state = ?, reason = ? WHERE id = ?", (state, put(reason), number))
        if facts is not None:
            db.execute("UPDATE repository SET facts = ? WHERE id = ?", (json.dumps(facts), number))


def record_unchanged(store: Store, repository: str, facts: Mapping[str, Any]) -> str:
    """Note that a repository holds what it held when it was scanned: whatever failed since then did not last.

    Returns what to call that: 'unchanged', or 'incomplete' where something could not be scanned then.
    """
    state = "incomplete" if skipped(store, repository) else "complete"
    with store.writing() as db:
        db.execute(
            "UPDATE repository SET state = ?, reason = NULL, scanned = ?, facts = ? WHERE name = ?",
            (state, now(), json.dumps(facts), put(repository)),
        )
    return "unchanged" if state == "complete" else state


def repositories(store: Store) -> Iterator[Repository]:
    """Yield all repositories, in the order of their names."""
    query = "SELECT name, state, reason, facts, scanned, ruleset, blobs, bytes, commits, refs FROM repository ORDER BY name"
    for name, state, reason, facts, scanned, ruleset, blobs, size, commits, refs in store.rows(query):
        covered = Coverage(blobs=blobs, bytes=size, commits=commits, refs=refs)
        yield Repository(got(name) or "", state, got(reason), json.loads(facts), scanned, ruleset, covered)


def skipped(store: Store, repository: str) -> list[Skipped]:
    """Return what the last scan of a repository did not look at."""
    query = "SELECT what, skipped.reason FROM skipped JOIN repository ON id = repository WHERE name = ? ORDER BY skipped.rowid"
    return [Skipped(got(what) or "", got(reason) or "") for what, reason in store.rows(query, put(repository))]


def findings(store: Store, fingerprints: Iterable[str] | None = None) -> Iterator[Known]:
    """Yield findings with all their occurrences, places and decisions, in the order of their fingerprints.

    All of them, those that no repository holds any more included, or only the named ones.
    Memory: one finding at a time.
    """
    if fingerprints is None:
        rows = store.rows("SELECT fingerprint, rule, found FROM finding ORDER BY fingerprint")
    else:
        query = "SELECT fingerprint, rule, found FROM finding WHERE fingerprint = ?"
        rows = [row for one in sorted(set(fingerprints)) for row in store.rows(query, one)]
    for fingerprint, rule, found in rows:
        yield _known(fingerprint, rule, found, tuple(_occurrences(store, fingerprint)), tuple(decisions(store, fingerprint)))


class Brief(NamedTuple):
    """What to sort a finding by, without its places: its highest severity, a commit's earliest date as text, its state."""

    fingerprint: str
    severity: str
    since: str
    state: str


def briefs(store: Store, names: Collection[str]) -> list[Brief]:
    """Return the findings that the named repositories hold, in the order of their fingerprints."""
    query = (
        "SELECT fingerprint, occurrence.severity, repository.name, "
        "(SELECT min(date) FROM location WHERE location.fingerprint = occurrence.fingerprint), "
        "(SELECT state FROM triage WHERE triage.fingerprint = occurrence.fingerprint ORDER BY id DESC LIMIT 1) "
        "FROM occurrence JOIN repository ON repository.id = repository ORDER BY fingerprint"
    )
    found: dict[str, Brief] = {}
    held: set[str] = set()
    for fingerprint, severity, name, since, state in store.rows(query):
        if got(name) in names:
            held.add(fingerprint)
        one = found.setdefault(fingerprint, Brief(fingerprint, severity, since or "", state or OPEN))
        found[fingerprint] = one._replace(severity=max(one.severity, severity, key=LEVELS.index))
    return [one for one in found.values() if one.fingerprint in held]


def _put_finding(store: Store, repository: int, finding: Finding) -> None:
    places = [where for where in finding.locations if where.blob or where.origin.via in (FILE_NAME, REF_NAME)]
    if not places:
        return
    db, print = store.db, finding.fingerprint
    db.execute("INSERT OR IGNORE INTO finding VALUES (?, ?, ?)", (print, finding.rule.id, now()))
    db.execute(
        "INSERT OR REPLACE INTO occurrence VALUES (?, ?, ?, ?, ?, ?)",
        (repository, print, finding.severity, finding.confidence, put(finding.redacted), json.dumps(finding.evidence)),
    )
    db.executemany(
        f"INSERT OR REPLACE INTO location VALUES ({','.join('?' * 15)})",
        [(repository, print, place, *_location_row(where)) for place, where in enumerate(places)],
    )


def _location_row(where: Location) -> tuple[Any, ...]:
    origin = where.origin
    return (
        put(origin.path), where.line, where.column, where.end_line, where.end_column, where.blob, origin.commit,
        put(origin.author), origin.date, origin.via, fate_of(origin), json.dumps(where.way),
    )  # fmt: skip


def _occurrences(store: Store, fingerprint: str) -> Iterator[Occurrence]:
    places: dict[int, list[Location]] = {}
    for repository, path, line, column, end_line, end_column, blob, commit, author, date, via, fate, way in store.rows(
        "SELECT repository, path, line, column, end_line, end_column, object, commit_id, author, date, via, fate, way "
        "FROM location WHERE fingerprint = ? ORDER BY repository, number",
        fingerprint,
    ):
        origin = with_fate(Origin(via, got(path), commit=commit, author=got(author), date=date), fate)
        where = Location(line, column, end_line, end_column, origin, blob, tuple(json.loads(way)))
        places.setdefault(repository, []).append(where)
    for repository, name, severity, confidence, redacted, evidence in store.rows(
        "SELECT id, name, severity, confidence, redacted, evidence FROM occurrence JOIN repository ON id = repository "
        "WHERE fingerprint = ? ORDER BY name",
        fingerprint,
    ):
        said = tuple(json.loads(evidence))
        yield Occurrence(got(name) or "", severity, confidence, got(redacted) or "", said, tuple(places.get(repository, ())))


def _known(
    fingerprint: str, rule: str, found: str, occurrences: tuple[Occurrence, ...], decided: tuple[Decision, ...]
) -> Known:
    surest = max(occurrences, key=lambda one: LEVELS.index(one.confidence), default=None)
    severity = max((one.severity for one in occurrences), key=LEVELS.index, default=LEVELS[0])
    evidence = tuple(dict.fromkeys(said for one in occurrences for said in one.evidence))
    confidence, redacted = (surest.confidence, surest.redacted) if surest else (LEVELS[0], "")
    return Known(fingerprint, rule, severity, confidence, redacted, evidence, found, occurrences, decided)
