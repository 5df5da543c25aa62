"""`keyleash baseline`: make, update, audit, prune and import what a team has accepted."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from scanner import baseline, config, gitcommand
from scanner.baseline import Baseline, Entry
from scanner.baseline import file as files
from scanner.commands.progress import progress
from scanner.config import Config
from scanner.errors import BaselineError, UsageError
from scanner.gitcommand import Repository
from scanner.group import DEFAULT_KEY
from scanner.model import Finding, Report, Source
from scanner.pipeline import judge, scan, sight
from scanner.rules import load_builtin
from scanner.sinks.escape import visible
from scanner.sinks.words import count, place


class Place:
    """The repository that a command is about, its configuration, and the file of its baseline."""

    def __init__(self, options: argparse.Namespace) -> None:
        repository = gitcommand.find(".")
        if repository is None or repository.work_tree is None:
            raise UsageError("a baseline belongs to a repository with files; here is none (go to the folder of one)")
        self.repository: Repository = repository
        self.settings: Config = config.load(options.config, repository.work_tree)
        found = baseline.place(options.baseline, self.settings.baseline, repository.work_tree)
        self.file = found or os.path.join(repository.work_tree, baseline.NAME)
        self.name = os.path.relpath(self.file)
        self.rules = self.settings.rules(load_builtin())
        self.known = self.settings.known(load_builtin())
        self.options = options

    def read(self) -> Baseline:
        return files.parse(baseline.read(self.file, self.repository.work_tree), self.name)

    def kept(self) -> tuple[bytes, dict[str, Entry]]:
        """Return the key and the entries by fingerprint: a new key and none where there is no file yet."""
        if not os.path.lexists(self.file):
            return files.new_key(), {}
        kept = self.read()
        return kept.key, dict(kept.entries)

    def scan(self, key: bytes, *, secrets: bool = False) -> Report:
        """Scan what the options ask for: files and history, the files alone, or what is staged."""
        options = self.options
        jobs = os.cpu_count() or 1
        sources: list[Source] = []
        if getattr(options, "staged", False):
            from scanner.sources.staged import Staged

            sources = [Staged(self.repository)]
        else:
            from scanner.sources.fasthistory import FastHistory
            from scanner.sources.tree import WorkTree

            sources = [WorkTree(self.repository, None, judge(self.rules), jobs)]
            if not options.no_history:
                sources.append(FastHistory(self.repository, sight(self.rules), jobs))
        with progress(sys.stderr, wanted=True) as advance:
            return scan(sources, self.rules, key=key, show_secrets=secrets, excluded=self.settings.excluded(), advance=advance)

    def write(self, key: bytes, entries: Iterable[Entry]) -> None:
        files.write(self.file, key, entries)

    def entry(self, finding: Finding, reason: str = "") -> Entry:
        """Return a new entry for a finding, with the reason, owner and last day that the options name."""
        options = self.options
        email = self.repository.attempt("config", "user.email").stdout.decode("utf-8", "replace").strip()
        owner = email if options.owner is None else options.owner
        return Entry(finding.fingerprint, finding.rule.id, reason or options.reason, owner, self.expires())

    def expires(self) -> str:
        try:
            return files.until(self.options.expires, baseline.today()) if self.options.expires else ""
        except ValueError as problem:
            raise UsageError(f"--expires {self.options.expires}: {problem}") from None


def run(options: argparse.Namespace) -> int:
    """Carry out one of the actions and return the exit code."""
    if options.action == "audit":
        from scanner.commands import baseline_audit

        return baseline_audit.run(Place(options))
    if options.action == "import":
        from scanner.commands import baseline_import

        return baseline_import.run(Place(options))
    action: Mapping[str, Callable[[Place], int]] = {"create": _create, "update": _update, "prune": _prune}
    return action[options.action](Place(options))


def _create(here: Place) -> int:
    """Accept all that is found now."""
    if os.path.lexists(here.file):
        raise UsageError(f"{here.name}: exists already; 'keyleash baseline update' adds to it")
    here.expires()
    key = files.new_key()
    report = here.scan(key)
    entries = [here.entry(finding) for finding in report.findings]
    here.write(key, entries)
    tell_accepted(report.findings, here.options.reason)
    said = count(len(entries), "entry", "entries")
    print(f"{here.name}: made, with {said}. Commit it; 'keyleash baseline audit --all' walks through them.")
    return incomplete(report)


def _update(here: Place) -> int:
    """Repair what a merge left, and accept what is found and not accepted yet, or of it what the ids name."""
    if not os.path.lexists(here.file):
        return _begin(here)
    text = baseline.read(here.file, here.repository.work_tree)
    draft = files.draft(text, here.name) if _needs_repair(text, here.name) else None
    if draft:
        key, entries = _repaired(here, draft)
        here.write(key, entries.values())
        print("Nothing new was accepted; 'keyleash baseline update' once more does that.")
        return 0
    kept = here.read()
    key, entries = kept.key, dict(kept.entries)
    here.expires()
    report = here.scan(key)
    today = baseline.today()
    holds = {id for id, entry in entries.items() if not baseline.expired(entry, today)}
    fresh = _named(report.findings, holds, here.options.ids)
    entries |= {finding.fingerprint: here.entry(finding) for finding in fresh}
    here.write(key, entries.values())
    tell_accepted(fresh, here.options.reason)
    print(f"{here.name}: {count(len(entries), 'entry', 'entries')}, {len(fresh)} of them new.")
    for note in (
        Baseline(key, entries, here.name)
        .applied(report, today, known=here.known, whole=not (here.options.no_history or here.options.staged))
        .coverage.notes
    ):
        print(f"Note: {visible(note)}")
    return incomplete(report)


def _begin(here: Place) -> int:
    """Make a baseline that accepts what the ids name; they are those of reports without one."""
    if not here.options.ids:
        raise UsageError(
            f"{here.name}: is not there yet; 'keyleash baseline create' accepts all that is found, 'update ID' one"
        )
    key = files.new_key()
    wanted = {_same(finding) for finding in _named(here.scan(DEFAULT_KEY, secrets=True).findings, (), here.options.ids)}
    report = here.scan(key, secrets=True)
    fresh = [finding._replace(secret=None) for finding in report.findings if _same(finding) in wanted]
    here.write(key, [here.entry(finding) for finding in fresh])
    tell_accepted(fresh, here.options.reason)
    print(f"{here.name}: made, with {count(len(fresh), 'entry', 'entries')}. Commit it.")
    return incomplete(report)


def _needs_repair(text: bytes, name: str) -> bool:
    try:
        files.parse(text, name)
    except BaselineError:
        return True
    return False


def _repaired(here: Place, draft: files.Draft) -> tuple[bytes, dict[str, Entry]]:
    """Return the first key, and all entries under it: those of another key are looked for and named anew."""
    key, *others = draft.keys
    own = files.tag(key)
    entries = {entry.fingerprint: entry for mark, entry in draft.entries if mark == own}
    left = [(mark, entry) for mark, entry in draft.entries if mark != own]
    for other in others:
        theirs = {entry.fingerprint: entry for mark, entry in left if mark == files.tag(other)}
        if not theirs:
            continue
        ours = {_same(finding): finding.fingerprint for finding in here.scan(key, secrets=True).findings}
        for finding in here.scan(other, secrets=True).findings:
            if finding.fingerprint in theirs and _same(finding) in ours:
                entry = theirs.pop(finding.fingerprint)
                fingerprint = ours[_same(finding)]
                entries.setdefault(fingerprint, entry._replace(fingerprint=fingerprint))
                left.remove((files.tag(other), entry))
    print(f"{here.name}: repaired; {count(len(entries), 'entry', 'entries')}.")
    for mark, entry in left:
        print(f"Removed: {mark}-{entry.fingerprint[:8]} ({entry.rule}: {visible(entry.reason)}) was made with another key, "
              "and nothing that is found fits it")  # fmt: skip
    return key, entries


def _same(finding: Finding) -> tuple[str, str | None]:
    return finding.rule.id, finding.secret


def _named(findings: Sequence[Finding], holds: Collection[str], ids: Sequence[str]) -> list[Finding]:
    """Return the findings that no entry accepts, or of them those whose fingerprint begins with one of the ids."""
    fresh = [finding for finding in findings if finding.fingerprint not in holds]
    if not ids:
        return fresh
    for id in ids:
        fits = [finding for finding in findings if finding.fingerprint.startswith(id.lower())]
        if len(id) < 6 or len(fits) > 1:
            raise UsageError(f"{visible(id)}: give more digits of the id that the report shows")
        if not fits:
            raise UsageError(f"{visible(id)}: nothing that is found has an id that begins so; 'keyleash scan' shows them")
    return [finding for finding in fresh if any(finding.fingerprint.startswith(id.lower()) for id in ids)]


def _prune(here: Place) -> int:
    """Remove what has expired, what no rule is for, and what a scan of everything does not find any more."""
    kept = here.read()
    report = here.scan(kept.key)
    today = baseline.today()
    stale = {entry.fingerprint for entry in kept.stale(report.findings)}
    if report.skipped or here.options.no_history:
        stale = set()
    gone = {
        id: "has expired" if baseline.expired(entry, today) else "is for an unknown rule" if entry.rule not in here.known
        else "is not found any more"
        for id, entry in kept.entries.items()
        if baseline.expired(entry, today) or entry.rule not in here.known or id in stale
    }  # fmt: skip
    for id, why in gone.items():
        print(f"Removed: {id[:12]} ({kept.entries[id].rule}: {visible(kept.entries[id].reason)}) {why}")
    left = [entry for id, entry in kept.entries.items() if id not in gone]
    here.write(kept.key, left)
    print(f"{here.name}: {count(len(left), 'entry', 'entries')}, {len(gone)} removed.")
    if here.options.no_history:
        print("The history was not looked at, so no entry was taken to be gone.")
    return incomplete(report)


def tell_accepted(findings: Sequence[Finding], reason: str) -> None:
    """Say of each finding that it is accepted now: whoever runs this answers for it."""
    for finding in findings:
        shown = f"{finding.rule.name}  {visible(finding.redacted)}  ({finding.fingerprint[:12]})"
        print(f"Accepted: {place(finding.locations[0])}: {shown}")
    if findings:
        print(f"Reason: {visible(reason)}. If one of them is real, revoke it: being accepted makes it no safer.")


def incomplete(report: Report) -> int:
    """Return 2, with the reasons, when not everything could be looked at; else 0."""
    for skipped in report.skipped:
        print(f"Skipped: {visible(skipped.what)}: {visible(skipped.reason)}")
    return 2 if report.skipped else 0
