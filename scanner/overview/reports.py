"""Reports of single scans (`keyleash scan --format json`) as an overview, so that they need no store.

The files may come from anywhere: what is not as the schema `keyleash/1` says is refused
with the file's name, whatever it is.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from scanner.errors import UsageError
from scanner.model import LEVELS, Coverage, Location, Origin, Rule, Skipped
from scanner.overview import Overview
from scanner.sinks.json_v1 import SCHEMA
from scanner.store.results import Known, Occurrence, Repository
from scanner.store.triage import Decision

MAX_BYTES = 1024 * 1024 * 1024
_FINGERPRINT = re.compile(r"[0-9a-f]{6,128}")


def from_reports(files: Sequence[str], rules: Mapping[str, Rule]) -> Overview:
    """Read reports; each counts as a repository that is called as the file is. Raises `UsageError` for what is none."""
    found: dict[str, Known] = {}
    repositories, skipped = [], []
    for file in files:
        name = os.path.basename(file).removesuffix(".json") or file
        try:
            document = _document(file)
            for known in _findings(document, name, rules):
                found[known.fingerprint] = _joined(found.get(known.fingerprint), known)
            left_out = [Skipped(_text(one["what"]), _text(one["reason"])) for one in document["skipped"]]
            repositories.append(_repository(document, name, bool(left_out)))
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as problem:
            raise UsageError(f"{file}: is no report of 'keyleash scan --format json' ({type(problem).__name__})") from None
        skipped += [(name, one) for one in left_out]
    ordered = tuple(found[fingerprint] for fingerprint in sorted(found))
    return Overview(ordered, tuple(repositories), tuple(skipped), rules)


def _document(file: str) -> dict[str, Any]:
    try:
        if os.path.getsize(file) > MAX_BYTES:
            raise UsageError(f"{file}: has more than {MAX_BYTES:,} bytes; that is no report")
        with open(file, encoding="utf-8", errors="replace") as stream:
            document = json.load(stream)
    except OSError as problem:
        raise UsageError(f"{file}: cannot be read: {problem.strerror}") from None
    except (json.JSONDecodeError, RecursionError):
        raise UsageError(f"{file}: is no JSON; 'keyleash scan --format json --output {file}' writes such a report") from None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise UsageError(f"{file}: is no report of 'keyleash scan --format json' (the field 'schema' is not '{SCHEMA}')")
    return document


def _findings(document: dict[str, Any], name: str, rules: Mapping[str, Rule]) -> list[Known]:
    found = [_finding(one, name, _level(one["severity"]), _level(one["confidence"]), ()) for one in document["findings"]]
    for one in document.get("accepted", ()):
        rule = rules.get(_text(one["rule"]))
        decision = Decision("accepted", _text(one["reason"]), _text(one["owner"]), "")
        severity, confidence = (rule.severity, rule.confidence) if rule else (LEVELS[0], LEVELS[0])
        found.append(_finding({"redacted": "", "evidence": [], **one}, name, severity, confidence, (decision,)))
    return found


def _finding(one: dict[str, Any], name: str, severity: str, confidence: str, decisions: tuple[Decision, ...]) -> Known:
    evidence = tuple(map(_text, one["evidence"]))
    redacted = _text(one["redacted"])
    here = Occurrence(name, severity, confidence, redacted, evidence, tuple(map(_location, one["locations"])))
    fingerprint = _text(one["fingerprint"])
    if not _FINGERPRINT.fullmatch(fingerprint):
        raise ValueError
    return Known(fingerprint, _text(one["rule"]), severity, confidence, redacted, evidence, "", (here,), decisions)


def _location(one: dict[str, Any]) -> Location:
    origin = Origin(
        _text(one["via"]), _perhaps(one["path"]), commit=_perhaps(one["commit"]), author=_perhaps(one["author"]),
        date=_perhaps(one["date"]), present=tuple(map(_text, one.get("present", ()))), removed=_perhaps(one.get("removed")),
    )  # fmt: skip
    line, column, end_line, end_column = (int(one[name]) for name in ("line", "column", "end_line", "end_column"))
    return Location(line, column, end_line, end_column, origin, _perhaps(one["blob"]), tuple(map(_text, one["way"])))


def _repository(document: dict[str, Any], name: str, incomplete: bool) -> Repository:
    count = document["coverage"]
    blobs, read, files, commits, refs = (int(count[field]) for field in ("blobs", "bytes", "files", "commits", "refs"))
    covered = Coverage(blobs, read, files, commits, refs)
    state = "incomplete" if incomplete or count["complete"] is not True else "complete"
    return Repository(name, state, None, {}, None, _text(document["tool"]["digest"]), covered)


def _joined(one: Known | None, other: Known) -> Known:
    if one is None:
        return other
    severity = max(one.severity, other.severity, key=LEVELS.index)
    confidence = max(one.confidence, other.confidence, key=LEVELS.index)
    evidence = tuple(dict.fromkeys(one.evidence + other.evidence))
    places = one.occurrences + other.occurrences
    accepted = one.decisions and other.decisions
    return one._replace(severity=severity, confidence=confidence, evidence=evidence, occurrences=places, decisions=accepted)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _perhaps(value: Any) -> str | None:
    return None if value is None else _text(value)


def _level(value: Any) -> str:
    return LEVELS[LEVELS.index(value)]
