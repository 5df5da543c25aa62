"""The baseline: which credentials a team has looked at and accepted, by fingerprint, and until when.

An entry names a rule and a secret by a keyed hash and says nothing of a path, line or commit.
So it survives a rename, a shifted line and a rebase, and counts alike for what is staged,
in the work tree and in history. Only the key is read before a scan; the rest when
something was found, or when the whole is asked for (`scanner.baseline.file`).
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Collection, Mapping
from typing import NamedTuple

from scanner.errors import BaselineError, UsageError
from scanner.group import DEFAULT_KEY
from scanner.model import Accepted, Coverage, Finding, Report

NAME = ".keyleash-baseline.yaml"
MAX_BYTES = 4 * 1024 * 1024
MORE = 5
"""Expired or unknown entries that are named one by one."""

_KEY = re.compile(rb"""(?m)^key:[ \t]*["']?([0-9a-f]{64})["']?[ \t]*(?:#.*)?\r?$""")


class Entry(NamedTuple):
    """One accepted credential: its fingerprint, rule and reason, and perhaps who answers for it and the last day it holds."""

    fingerprint: str
    rule: str
    reason: str
    owner: str = ""
    expires: str = ""


class Baseline(NamedTuple):
    """A baseline as it was read: `entries` by fingerprint, the key that made these, and the file for messages."""

    key: bytes
    entries: Mapping[str, Entry]
    file: str

    def applied(self, report: Report, today: str, *, known: Collection[str] | None = None, whole: bool = False) -> Report:
        """Return the report with what is accepted taken out of its findings, and notes on entries that accept nothing.

        `known` are the ids of all rules, where entries for others are to be named; with `whole` the
        scan looked at everything, and what it did not find is stale.
        """
        found = {finding.fingerprint for finding in report.findings}
        accepted, left = [], []
        for finding in report.findings:
            entry = self.entries.get(finding.fingerprint)
            if entry and not expired(entry, today):
                accepted.append(Accepted(finding, entry.reason, entry.owner, entry.expires))
            else:
                left.append(finding)
        notes = self._expired(today, None if known is not None else found)
        if known is not None:
            notes += self._unknown(known)
        if whole and not report.skipped:
            notes += self._stale(found, known or ())
        coverage = report.coverage.plus(Coverage(notes=tuple(notes)))
        return report._replace(findings=tuple(left), accepted=tuple(accepted), coverage=coverage)

    def stale(self, findings: Collection[Finding]) -> list[Entry]:
        """Return the entries whose credential is not among the findings of a scan of everything."""
        found = {finding.fingerprint for finding in findings}
        return [entry for entry in self.entries.values() if entry.fingerprint not in found]

    def _expired(self, today: str, only: Collection[str] | None) -> list[str]:
        gone = [entry for entry in self.entries.values() if expired(entry, today)]
        lines = [
            f"{self.file}: {_named(entry)} expired on {entry.expires} and accepts nothing any more; "
            "'keyleash baseline audit' decides anew, 'keyleash baseline prune' removes it"
            for entry in gone
            if only is None or entry.fingerprint in only
        ]
        return _few(lines, f"{self.file}: more entries have expired")

    def _unknown(self, known: Collection[str]) -> list[str]:
        from scanner.yamlfile import suggestion

        lines = [
            f"{self.file}: {_named(entry)} is for a rule that is not known{suggestion(entry.rule, known)}; "
            "'keyleash baseline prune' removes it"
            for entry in self.entries.values()
            if entry.rule not in known
        ]
        return _few(lines, f"{self.file}: more entries are for rules that are not known")

    def _stale(self, found: Collection[str], known: Collection[str]) -> list[str]:
        gone = sum(entry.fingerprint not in found and entry.rule in known for entry in self.entries.values())
        if not gone:
            return []
        many = "1 entry accepts" if gone == 1 else f"{gone} entries accept"
        return [f"{self.file}: {many} what is not found any more; 'keyleash baseline prune' removes them"]


class Accepting(NamedTuple):
    """A baseline of which only the key is known yet; without one, `text` is None and nothing is accepted."""

    text: bytes | None = None
    file: str = ""
    key: bytes = DEFAULT_KEY

    def applied(self, report: Report, *, known: Collection[str] | None = None, whole: bool = False) -> Report:
        """Return the report less what is accepted. Without `known`, entries are read only where something was found."""
        if self.text is None or (known is None and not report.findings):
            return report
        from scanner.baseline import file

        return file.parse(self.text, self.file).applied(report, today(), known=known, whole=whole)


def place(option: str | None, configured: str, top: str | None) -> str | None:
    """Return the file of the baseline: the named one, the configured one, or the one at the top if there is one."""
    if option or configured:
        return option or configured
    own = os.path.join(top, NAME) if top else ""
    return own if own and os.path.lexists(own) else None


def chosen(
    top: str | None, configured: str, *, file: str | None = None, ref: str | None = None, off: bool = False
) -> Accepting:
    """Open the baseline that counts for the repository, or folder, `top`: as it is in the commit `ref`, if one is named.

    Raises `BaselineError` for one that is named and missing, or has no key, and `UsageError` for contrary options.
    """
    if off:
        if file or ref:
            raise UsageError("--no-baseline and --baseline exclude each other; give one")
        return Accepting()
    if ref:
        return _at(ref, file or configured or NAME, top)
    found = place(file, configured, top)
    return Accepting() if found is None else opened(read(found, top), found)


def _at(ref: str, file: str, top: str | None) -> Accepting:
    """Return the baseline of a commit, which a pull request cannot have changed; none is accepted where it has none."""
    from scanner import gitcommand

    repository = gitcommand.find(top or ".")
    if repository is None:
        raise UsageError(f"--baseline-ref {ref}: there is no git repository here")
    commit = repository.resolve(ref)
    inside = os.path.relpath(os.path.join(repository.work_tree or "", file), repository.work_tree or "").replace(os.sep, "/")
    shown = repository.attempt("cat-file", "blob", f"{commit}:{inside}")
    return Accepting() if shown.returncode else opened(shown.stdout, f"{ref}:{inside}")


def opened(text: bytes, file: str) -> Accepting:
    """Return the baseline that a text holds, read as far as its key."""
    found = _KEY.findall(text)
    if len(found) != 1:
        from scanner.baseline import file as reader

        return Accepting(text, file, reader.parse(text, file).key)
    return Accepting(text, file, bytes.fromhex(found[0].decode()))


def read(file: str, top: str | None = None) -> bytes:
    """Return the text of a baseline; the repository's own may not lead out of it."""
    if top and os.path.islink(file) and os.path.basename(file) == NAME:
        raise BaselineError(f"{file}: is a symbolic link; name the baseline with --baseline if you trust it")
    try:
        with open(file, "rb", opener=_no_wait) as stream:
            text = stream.read(MAX_BYTES + 1)
    except OSError as problem:
        raise BaselineError(
            f"{file}: cannot read the baseline: {problem.strerror}; 'keyleash baseline create' makes one"
        ) from None
    if len(text) > MAX_BYTES:
        raise BaselineError(f"{file}: cannot read the baseline: it is larger than {MAX_BYTES:,} bytes")
    return text


def _no_wait(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def expired(entry: Entry, today: str) -> bool:
    """Whether an entry's last day is over; days are written so that they sort."""
    return bool(entry.expires) and entry.expires < today


def today() -> str:
    """Return the day, as in 2026-01-31, by universal time: the same for everyone who scans now."""
    return time.strftime("%Y-%m-%d", time.gmtime())


def _named(entry: Entry) -> str:
    return f"the entry {entry.fingerprint[:12]} ({entry.rule}: {entry.reason})"


def _few(lines: list[str], more: str) -> list[str]:
    return lines if len(lines) <= MORE else [*lines[:MORE], f"{more}: {len(lines) - MORE}"]
