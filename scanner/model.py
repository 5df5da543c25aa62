"""The words of the program as frozen types.

Everything that travels between two stages is one of these values, and no stage changes
one: it makes a new one. This module imports nothing of ours, so any module may import
it. Fields that hold scanned bytes are left out of `repr`, so that a log line, an
assertion or a debugger's variable list does not show a credential.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

LEVELS = ("low", "medium", "high", "critical")
"""Severities in rising order; the first three are also the levels of confidence."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of credential, as a file in `rules/` describes it.

    `pattern` is a `regex` pattern on bytes whose group `secret` (or the whole match) is
    the credential. `anchors` are what the engine looks for, by default the pattern;
    `width` is the longest possible anchor in bytes, lookaround included. `confirm` names
    the function in `scanner.confirm` that turns anchors into matches. `guessable` says
    that a person chose the secret, so it is fingerprinted slowly and never shown in part.
    """

    id: str
    name: str
    pattern: str
    anchors: tuple[str, ...]
    width: int
    confirm: str
    confidence: str
    severity: str
    guessable: bool
    entropy: float
    why: str
    fix: str
    references: tuple[str, ...]
    examples: tuple[str, ...]
    negatives: tuple[str, ...]
    file: str


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Rules in a fixed order, and a digest that changes whenever a result could."""

    rules: tuple[Rule, ...]
    digest: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a blob was met.

    `path` uses `/` and carries bytes that are not UTF-8 as surrogate escapes; it is None
    for a commit or tag message. `via` names the kind of source in words for people.
    """

    via: str
    path: str | None = None
    repository: str | None = None
    commit: str | None = None
    author: str | None = None
    date: str | None = None


@dataclass(frozen=True, slots=True)
class Blob:
    """Content, once. A large blob comes in pieces: `line` and `column` say where a piece starts.

    `id` is the git object id where one is known without extra work. For a blob of the
    object store `origin` has no path until `Source.attribute` has named its place.
    `before` reads the versions that this blob replaces; it is called only when something
    was found, and what they already contain is not reported.
    """

    data: bytes = field(repr=False)
    origin: Origin
    id: str | None = None
    line: int = 1
    column: int = 1
    before: Callable[[], Iterator[bytes]] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Skipped:
    """An input that was not, or not wholly, scanned. A report with one of these is not clean."""

    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """What was looked at: counts that add up. `notes` are facts a reader should know."""

    blobs: int = 0
    bytes: int = 0
    files: int = 0
    commits: int = 0
    refs: int = 0
    notes: tuple[str, ...] = ()

    def __add__(self, other: Coverage) -> Coverage:
        return Coverage(
            self.blobs + other.blobs,
            self.bytes + other.bytes,
            self.files + other.files,
            self.commits + other.commits,
            self.refs + other.refs,
            self.notes + tuple(note for note in other.notes if note not in self.notes),
        )


Item = Blob | Skipped | Coverage


class Source(Protocol):
    """Something that yields blobs."""

    def items(self) -> Iterator[Item]:
        """Yield blobs, and what was skipped, and counts of what was covered."""

    def attribute(self, ids: Collection[str]) -> Mapping[str, Origin]:
        """Name the place of blobs that were met by id alone; called once, with the ids of findings."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes for the engine, and how to get from them back to the text that a person sees.

    `text` is the blob as UTF-8: the blob's own bytes, unless these were UTF-16. For what
    was decoded from a part of it, `data` is the decoded bytes, `way` says how they were
    reached, outermost first, as in ('base64', 'zip', 'a.env'), and `offset_of` maps an
    offset in `data` to one in `text`. Lines and columns are counted in `text`.
    """

    data: bytes = field(repr=False)
    text: bytes = field(repr=False)
    way: tuple[str, ...] = ()
    offset_of: Callable[[int], int] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Match:
    """A confirmed span of a chunk.

    `secret` is the credential in canonical form (a private key: its bytes without
    wrapping), so that one credential in two spellings has one fingerprint. `redacted`
    replaces the default redaction where a description says more, as for keys.
    """

    rule: Rule = field(repr=False)
    start: int
    end: int
    secret: bytes = field(repr=False)
    evidence: tuple[str, ...]
    confidence: str
    severity: str
    redacted: str | None = None


@dataclass(frozen=True, slots=True)
class Location:
    """One place of a finding. Lines and columns count from 1, columns in Unicode characters.

    `end_line` and `end_column` name the first character after the secret.
    """

    line: int
    column: int
    end_line: int
    end_column: int
    origin: Origin
    blob: str | None = None
    way: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """All matches of one rule and one secret. Holds no secret, unless `secret` was asked for."""

    rule: Rule
    severity: str
    confidence: str
    fingerprint: str
    redacted: str
    evidence: tuple[str, ...]
    locations: tuple[Location, ...]
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a scan. It is clean only when nothing was found and nothing was skipped."""

    findings: tuple[Finding, ...]
    skipped: tuple[Skipped, ...]
    coverage: Coverage
    rules: RuleSet = field(repr=False)
    engine: str = ""

    @property
    def clean(self) -> bool:
        return not self.findings and not self.skipped
