"""What other scanners have ignored or accepted, read from their files, and matched with what is found here.

The formats are those of the tools' user documentation: a gitleaks report in JSON
(`--report-format json`, also what `--baseline-path` takes), `.gitleaksignore`
(`commit:file:rule:line` or `file:rule:line`), and detect-secrets' `.secrets.baseline`
(by file, a SHA-1 of the secret and a line). None of them names a secret as we do, so an
entry is matched by the secret or its hash where it has one, else by its exact place, and
only where one credential alone stands there.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from scanner.errors import BaselineError
from scanner.model import Finding

MAX_BYTES = 256 * 1024 * 1024
_COMMIT = re.compile(r"([0-9a-f]{40}(?:[0-9a-f]{24})?):")
_REDACTED = re.compile(r"REDACTED|\*+|.*\.\.\.\Z")

BlobOf = Callable[[str, str], str | None]
"""(commit, path) → the id of that version of the file, or None where there is none."""


class Foreign(NamedTuple):
    """An entry of another scanner's file. `line` counts from 1; `real` and `judged` say what people called it there."""

    rule: str
    path: str
    line: int
    end_line: int
    commit: str = ""
    secret: str = ""
    sha1: str = ""
    real: bool = False
    judged: bool = False

    @property
    def name(self) -> str:
        commit = f" in commit {self.commit[:12]}" if self.commit else ""
        return f"{self.path}:{self.line} ({self.rule}){commit}"

    def __repr__(self) -> str:
        return f"Foreign({self.name})"


def read(file: str) -> list[Foreign]:
    """Return the entries of a file of gitleaks or detect-secrets. Raises `BaselineError` for anything else."""
    try:
        if os.path.getsize(file) > MAX_BYTES or not os.path.isfile(file):
            raise BaselineError(f"{file}: is no file of at most {MAX_BYTES:,} bytes")
        with open(file, encoding="utf-8", errors="surrogateescape") as stream:
            text = stream.read()
    except OSError as problem:
        raise BaselineError(f"{file}: cannot be read: {problem.strerror}") from None
    if not text.lstrip().startswith(("[", "{")):
        return list(_ignore_file(text, file))
    try:
        data = json.loads(text)
        if isinstance(data, list):
            return [_of_gitleaks(row) for row in data]
        if isinstance(data, dict) and isinstance(data.get("results"), dict):
            return [_of_detect_secrets(path, row) for path, rows in data["results"].items() for row in rows]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as problem:
        reason = (
            f"line {problem.lineno} is not JSON" if isinstance(problem, json.JSONDecodeError) else "a field is missing or wrong"
        )
        raise BaselineError(f"{file}: is no report of gitleaks and none of detect-secrets: {reason}") from None
    raise BaselineError(f"{file}: is neither a report of gitleaks (a list) nor a baseline of detect-secrets (with 'results')")


def _ignore_file(text: str, file: str) -> Iterator[Foreign]:
    for number, row in enumerate(text.splitlines(), 1):
        row = row.strip()
        if not row or row.startswith("#"):
            continue
        commit = _COMMIT.match(row)
        rest, _, line = row[commit.end() if commit else 0 :].rpartition(":")
        path, _, rule = rest.rpartition(":")
        if not path or not rule or not line.isdecimal():
            raise BaselineError(f"{file}:{number}: is no entry of .gitleaksignore: commit:file:rule:line or file:rule:line")
        yield Foreign(rule, _slashed(path), int(line), int(line), commit[1] if commit else "")


def _of_gitleaks(row: dict[str, Any]) -> Foreign:
    secret = str(row.get("Secret", ""))
    return Foreign(
        str(row["RuleID"]),
        _slashed(str(row["File"])),
        int(row["StartLine"]),
        int(row.get("EndLine", row["StartLine"])),
        str(row.get("Commit", "")),
        "" if _REDACTED.match(secret) else secret,
    )


def _of_detect_secrets(path: str, row: dict[str, Any]) -> Foreign:
    line = int(row.get("line_number", 0))
    judged = isinstance(row.get("is_secret"), bool)
    return Foreign(
        str(row["type"]),
        _slashed(path),
        line,
        line,
        sha1=str(row["hashed_secret"]),
        real=row.get("is_secret") is True,
        judged=judged,
    )


def _slashed(path: str) -> str:
    return path.replace("\\", "/").removeprefix("./")


class Matched(NamedTuple):
    """What became of an entry: the findings that it is about, or in words why there are none."""

    foreign: Foreign
    findings: tuple[Finding, ...]
    reason: str = ""


def match(entries: Sequence[Foreign], findings: Sequence[Finding], blob_of: BlobOf) -> list[Matched]:
    """Match every entry with findings, whose `secret` must be there."""
    by_secret: dict[str, list[Finding]] = {}
    by_path: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.secret is not None:
            by_secret.setdefault(finding.secret, []).append(finding)
            digest = hashlib.sha1(finding.secret.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()
            by_secret.setdefault(f"sha1 {digest}", []).append(finding)
        for path in {where.origin.path for where in finding.locations if where.origin.path}:
            by_path.setdefault(path, []).append(finding)
    return [_match(entry, by_secret, by_path.get(entry.path, []), blob_of) for entry in entries]


def _match(entry: Foreign, by_secret: dict[str, list[Finding]], there: list[Finding], blob_of: BlobOf) -> Matched:
    if entry.real:
        return Matched(entry, (), "was called a real secret there, so it is not accepted")
    same = by_secret.get(entry.secret) if entry.secret else by_secret.get(f"sha1 {entry.sha1}") if entry.sha1 else None
    if same:
        return Matched(entry, tuple(same))
    blob = blob_of(entry.commit, entry.path) if entry.commit else None
    if entry.commit and blob is None:
        return Matched(entry, (), "this repository has no such commit, or no such file in it")
    found = [finding for finding in there if _stands_at(finding, entry, blob)]
    if not found:
        return Matched(entry, (), "keyleash finds nothing there, so there is nothing to accept")
    if len(found) > 1:
        ids = ", ".join(finding.rule.id for finding in found)
        return Matched(entry, (), f"several credentials stand there ({ids}); decide with 'keyleash baseline audit'")
    return Matched(entry, tuple(found))


def _stands_at(finding: Finding, entry: Foreign, blob: str | None) -> bool:
    return any(
        where.line <= entry.end_line and entry.line <= where.end_line and where.origin.path is not None
        and (where.blob == blob if blob else where.origin.path == entry.path and where.origin.commit is None)
        for where in finding.locations
    )  # fmt: skip
