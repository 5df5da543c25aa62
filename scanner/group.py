"""Joining matches into findings, and where secret bytes stop.

All matches of one rule and one secret are one finding, however many files and versions
carry it. What leaves this module holds a fingerprint and a redacted form; the secret
itself only when the caller asks for it by name.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from scanner.filters import fits
from scanner.model import LEVELS, Blob, Chunk, Finding, Location, Match, Origin, Rule

DEFAULT_KEY = b"keyleash/1"
"""The fingerprint key of a scan that was given none: fingerprints compare across machines."""

_LINES = 200
"""Lines of one place that a generic finding is looked for in: a private key has fewer."""

Places = dict[tuple[Origin, str | None, int], list[Location]]

_KEEP = 4
_LONG = 20

_MANY = 8
"""So many slow hashes take longer than it takes to have threads for them."""


def fingerprint(match: Match, key: bytes = DEFAULT_KEY) -> str:
    """Return the stable id of a credential: 32 hexadecimal digits that depend on rule, secret and key only.

    What a person could have chosen is hashed with scrypt, some milliseconds of one core each, so that a
    published report does not let a password be guessed at the speed of a plain hash.
    """
    import hashlib  # OpenSSL takes 3 ms to load, and most commits hold nothing to hash
    import hmac

    message = match.rule.id.encode() + b"\0" + match.secret
    if match.rule.guessable:
        message = hashlib.scrypt(message, salt=key, n=1024, r=8, p=1, dklen=32)
    return hmac.new(key, message, hashlib.sha256).hexdigest()[:32]


def redact(match: Match) -> str:
    """Return a form that tells a long random secret from another and shows nothing of a guessable one."""
    if match.redacted is not None:
        return match.redacted
    secret = match.secret.decode("utf-8", "replace")
    if match.rule.guessable or len(secret) < _LONG:
        return "*" * 8
    return f"{secret[:_KEEP]}…{secret[-_KEEP:]}"


class Recalled(NamedTuple):
    """A match of an earlier scan, without its secret: what a store may keep of it."""

    rule: Rule
    fingerprint: str
    redacted: str
    evidence: tuple[str, ...]
    confidence: str
    severity: str
    location: Location


def recallable(match: Match, where: Location, print: str) -> Recalled:
    """Return what may be kept of a match whose fingerprint is known."""
    return Recalled(match.rule, print, redact(match), match.evidence, match.confidence, match.severity, where)


class _Group:
    """What is known of one credential so far."""

    __slots__ = ("best", "evidence", "locations", "match")

    def __init__(self, best: Recalled, match: Match | None) -> None:
        self.best = best
        self.match = match
        self.evidence: dict[str, None] = {}
        self.locations: dict[Location, Location] = {}  # by place alone, whichever way led there first

    def add(self, one: Recalled) -> None:
        self.evidence.update(dict.fromkeys(one.evidence))
        self.locations.setdefault(one.location._replace(way=()), one.location)
        self._weigh(one)

    def join(self, other: _Group) -> None:
        """Take what another group knows of the same credential."""
        self.match = other.match or self.match
        self.evidence.update(other.evidence)
        self.locations = {**other.locations, **self.locations}
        self._weigh(other.best)

    def _weigh(self, one: Recalled) -> None:
        best = self.best
        surest = best if LEVELS.index(best.confidence) >= LEVELS.index(one.confidence) else one
        self.best = surest._replace(severity=max(best.severity, one.severity, key=LEVELS.index))


class Prints:
    """Fingerprints under one key, each credential hashed once: the hash of a guessable one is slow."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._known: dict[tuple[str, bytes], str] = {}

    def of(self, match: Match) -> str:
        return self.of_all([match])[0]

    def of_all(self, matches: Sequence[Match]) -> list[str]:
        """Return the fingerprint of each; where many are slow to hash, all cores do it."""
        new = {(one.rule.id, one.secret): one for one in matches if (one.rule.id, one.secret) not in self._known}
        slow = [one for one in new.values() if one.rule.guessable]
        if len(slow) > _MANY:
            from concurrent.futures import ThreadPoolExecutor  # scrypt lets go of the interpreter's lock

            with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
                prints = pool.map(lambda one: fingerprint(one, self._key), slow)
                self._known.update(zip(((one.rule.id, one.secret) for one in slow), prints, strict=True))
        for name, one in new.items():
            if name not in self._known:
                self._known[name] = fingerprint(one, self._key)
        return [self._known[one.rule.id, one.secret] for one in matches]


class Groups:
    """The one stage with state: matches go in, findings come out in a fixed order."""

    def __init__(self, key: bytes = DEFAULT_KEY, show_secrets: bool = False) -> None:
        self._prints = Prints(key)
        self._show_secrets = show_secrets
        self._new: dict[tuple[str, bytes], _Group] = {}  # by rule and secret, and without a fingerprint yet
        self._groups: dict[str, _Group] = {}  # by fingerprint

    def put(self, match: Match, where: Location) -> None:
        """Take a match with its place."""
        one = recallable(match, where, "")
        self._new.setdefault((match.rule.id, match.secret), _Group(one, match)).add(one)

    def recall(self, one: Recalled) -> None:
        """Take a match of an earlier scan. Its fingerprint has to be of the same key."""
        self._groups.setdefault(one.fingerprint, _Group(one, None)).add(one)

    def _settle(self) -> None:
        """Give the groups that have none a fingerprint."""
        groups = list(self._new.values())
        for group, print in zip(groups, self._prints.of_all([one.match for one in groups if one.match]), strict=True):
            known = self._groups.setdefault(print, group)
            if known is not group:
                known.join(group)
            known.best = known.best._replace(fingerprint=print)
        self._new.clear()

    def blobs(self) -> set[str]:
        """Return the ids of blobs with a finding whose place is not known yet."""
        return {
            location.blob
            for group in (*self._groups.values(), *self._new.values())
            for location in group.locations.values()
            if location.blob and location.origin.path is None and location.origin.commit is None
        }

    def findings(
        self, places: Mapping[str, Origin], excluded: Callable[[str], bool] | None = None
    ) -> tuple[list[Finding], int]:
        """Return the findings and how many places were excluded by their path.

        `places` names the blobs that `blobs` asked about.
        """
        self._settle()
        left_out = 0
        found = []
        taken = self._specific_places()
        for group in self._groups.values():
            known = [where for where in group.locations.values() if not (group.best.rule.generic and _overlaps(where, taken))]
            placed = (where._replace(origin=places.get(where.blob or "", where.origin)) for where in known)
            locations = {where for where in placed if fits(group.best.rule, where.origin.path, where.way)}
            if excluded:
                kept = {where for where in locations if where.origin.path is None or not excluded(where.origin.path)}
                left_out += len(locations) - len(kept)
                locations = kept
            if locations:
                found.append(self._finding(group, locations))
        return found, left_out

    def _specific_places(self) -> Places:
        """Return by origin, blob and line where rules that are not generic believe something.

        Within one chunk the pipeline has put these first; here meet the pieces of a large file, and
        what stands there as it is with what it is decoded to.
        """
        places: Places = {}
        if any(group.best.rule.generic for group in self._groups.values()):
            for group in self._groups.values():
                for where in group.locations.values() if not group.best.rule.generic else ():
                    for line in range(where.line, min(where.end_line, where.line + _LINES) + 1):
                        places.setdefault((where.origin, where.blob, line), []).append(where)
        return places

    def _finding(self, group: _Group, locations: Collection[Location]) -> Finding:
        best = group.best
        return Finding(
            best.rule,
            best.severity,
            best.confidence,
            best.fingerprint,
            best.redacted,
            tuple(group.evidence),
            tuple(sorted(locations, key=_order)),
            _shown(group.match.secret) if self._show_secrets and group.match else None,
        )


def _overlaps(where: Location, taken: Places) -> bool:
    return any(
        (where.line, where.column) < (other.end_line, other.end_column)
        and (other.line, other.column) < (where.end_line, where.end_column)
        for line in {where.line, where.end_line}
        for other in taken.get((where.origin, where.blob, line), ())
    )


def _shown(secret: bytes) -> str:
    """Return a secret as text; the bytes of a key, which are none, as base64."""
    try:
        return secret.decode("utf-8")
    except UnicodeDecodeError:
        import base64

        return "base64:" + base64.b64encode(secret).decode()


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings in the order of a report: the most severe first, then by place."""
    return tuple(
        sorted(findings, key=lambda finding: (-LEVELS.index(finding.severity), -LEVELS.index(finding.confidence),
                                              _order(finding.locations[0]), finding.rule.id, finding.fingerprint))
    )  # fmt: skip


def _order(where: Location) -> tuple[object, ...]:
    origin = where.origin
    in_history = origin.commit is not None or where.blob is not None
    return (in_history, origin.date or "", origin.path or "", where.line, where.column, where.blob or "", where.way)


def location(match: Match, chunk: Chunk, blob: Blob) -> Location:
    """Return the place of a match in the text that a person sees, as far as the blob tells it."""
    start, end = match.start, match.end
    if chunk.offset_of:
        start, end = chunk.offset_of(start), chunk.offset_of(end)
    line, column = position(chunk.text, start)
    end_line, end_column = position(chunk.text, end, start, line)
    if blob.line > 1 or blob.column > 1:
        column, end_column = (
            column + (blob.column - 1 if line == 1 else 0),
            end_column + (blob.column - 1 if end_line == 1 else 0),
        )
        line, end_line = line + blob.line - 1, end_line + blob.line - 1
    return Location(line, column, end_line, end_column, blob.origin, blob.id, chunk.way)


def position(text: bytes, offset: int, known: int = 0, line: int = 1) -> tuple[int, int]:
    """Return the line and the column of an offset, both from 1, the column in Unicode characters.

    `line` is the one in which the offset `known` stands, which is not behind `offset`.

    >>> position("a\\nü=x".encode(), 5)
    (2, 3)
    """
    start = text.rfind(b"\n", 0, offset) + 1
    column = len(text[start:offset].decode("utf-8", "replace").removeprefix("\ufeff")) + 1
    return text.count(b"\n", known, offset) + line, column
